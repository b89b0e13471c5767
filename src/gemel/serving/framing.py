"""Around every request: an id, the gate, limits, headers, a line in the log, the counters."""

import logging
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gemel.serving.faults import Fault, FaultError, fault_of, refused
from gemel.serving.gate import Gate, Visitor
from gemel.serving.instruments import Instruments
from gemel.serving.logs import log_request, request_id
from gemel.serving.settings import Settings

log = logging.getLogger("gemel.serving")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; media-src 'self' blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Framing:
    """The outermost room of the service, as ASGI middleware.

    Args:
        app: what answers.
        gate: who may come in.
        instruments: what is counted.
        settings: the limits.
    """

    def __init__(
        self, app: ASGIApp, gate: Gate, instruments: Instruments, settings: Settings
    ) -> None:
        self._app = app
        self._gate = gate
        self._instruments = instruments
        self._max_body = settings.max_body
        self._headers = dict(HEADERS)
        if settings.certificate is not None:
            self._headers["Strict-Transport-Security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        headers = Headers(scope=scope)
        passing = _Passing(request_id(headers.get("x-request-id")), receive, send, self._headers)
        state = scope.setdefault("state", {})
        state["request_id"] = passing.id
        try:
            address = scope["client"][0] if scope.get("client") else ""
            state["visitor"] = self._gate.admit(scope["path"], headers, address)
            passing.most = self._max_body
            passing.check_length(headers)
            await self._app(scope, passing.receive, passing.send)
        except ClientDisconnect:
            pass  # nobody is there to be answered
        except Exception as error:
            await self._fail(error, scope, passing)
        self._note(scope, passing, time.perf_counter() - begun)

    async def _fail(self, error: Exception, scope: Scope, passing: "_Passing") -> None:
        fault = noted_fault(error, passing.id)
        if passing.status is None:
            await failure(fault, passing.id)(scope, passing.receive, passing.send)

    def _note(self, scope: Scope, passing: "_Passing", seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unknown")
        method = scope["method"] if scope["method"] in METHODS else "other"
        status = passing.status or 499  # the client went away
        visitor: Visitor | None = scope["state"].get("visitor")
        self._instruments.requests.labels(method, route, status).inc()
        self._instruments.seconds.labels(route).observe(seconds)
        log_request(
            request_id=passing.id,
            method=method,
            route=route,
            status=status,
            ms=1000 * seconds,
            bytes_in=passing.bytes_in,
            key=None if visitor is None else visitor.key,
        )


METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class _Passing:
    """A request on its way through: counts what comes in, adds headers to what goes out."""

    def __init__(self, id: str, receive: Receive, send: Send, headers: dict[str, str]) -> None:
        self.id = id
        self.status: int | None = None
        self.bytes_in = 0
        self.most = 0
        self._receive = receive
        self._send = send
        self._headers = headers

    def check_length(self, headers: Headers) -> None:
        said = headers.get("content-length")
        if said is not None and "transfer-encoding" in headers:  # RFC 9112, 6.1: may be smuggling
            raise refused(400, "bad_request", "two lengths of a body: send one")
        if said is not None and said.isdecimal() and int(said) > self.most:
            raise self._too_large()

    async def receive(self) -> Message:
        message = await self._receive()
        self.bytes_in += len(message.get("body", b""))
        if self.bytes_in > self.most:
            raise self._too_large()
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self.id
            for name, value in self._headers.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
        await self._send(message)

    def _too_large(self) -> FaultError:
        return refused(413, "too_large", f"a request may have {self.most:,} bytes")


def noted_fault(error: Exception, id: str) -> Fault:
    """The answer to an error; what is the service's own fault is logged."""
    fault = fault_of(error)
    if fault is None:
        log.error("a defect of the service", exc_info=error, extra={"request_id": id})
        return Fault(500, "defect", "the service has a defect; the log says more under this id")
    if fault.code in ("storage", "not_ready"):
        log.warning("cannot answer: %s", fault.code, exc_info=error, extra={"request_id": id})
    return fault


def failure(fault: Fault, id: str) -> JSONResponse:
    """A fault as an answer."""
    error = {"code": fault.code, "message": fault.message, "request_id": id}
    answer = JSONResponse({"error": error}, fault.status)
    if fault.retry_after is not None:
        answer.headers["Retry-After"] = str(max(1, -int(-fault.retry_after // 1)))
    if fault.status == 400:
        answer.headers["Connection"] = "close"  # where the request ends may be in doubt
    if fault.status == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer
