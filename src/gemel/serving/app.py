"""The service put together: routes, page, faults, documentation."""

import mimetypes
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException

from gemel.serving.audit import Audit
from gemel.serving.bodies import in_words
from gemel.serving.desk import Desk
from gemel.serving.faults import Fault
from gemel.serving.framing import Framing, failure
from gemel.serving.gate import Gate
from gemel.serving.instruments import Instruments
from gemel.serving.live import Live
from gemel.serving.routes import BODIES, Routes
from gemel.serving.settings import Settings
from gemel.serving.worker import Worker
from gemel.version import __version__

PAGE = files("gemel.serving") / "page"
CODES = {404: "unknown", 405: "bad_request"}


def make_app(open_live: Callable[[], Live], settings: Settings) -> FastAPI:
    """The service as an ASGI application; it opens the gallery at once, and closes it at its end.

    Args:
        open_live: opens the model and the gallery, in the thread that will own them.
        settings: how it behaves.

    Raises:
        GemelError: of `open_live`; or keys or the audit log cannot be opened.
    """
    instruments = Instruments()
    gate = Gate(settings)
    audit = None if settings.audit is None else Audit(settings.audit)
    desk = Desk(Worker(open_live, instruments.batches.observe), instruments, settings)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        yield
        desk.close()
        if audit is not None:
            audit.close()

    app = FastAPI(
        title="gemel",
        version=__version__,
        summary="Are these two the same? Which of the things I know is this?",
        lifespan=life,
        docs_url=None,  # their scripts would come from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    app.include_router(Routes(desk, instruments, audit, settings).router())
    _add_page(app)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_middleware(Framing, gate=gate, instruments=instruments, settings=settings)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _add_page(app: FastAPI) -> None:
    """The page and its files, read once; nothing that is asked for is ever made a path."""
    contents = {one.name: one.read_bytes() for one in PAGE.iterdir() if one.is_file()}

    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        return Response(contents["index.html"], media_type="text/html; charset=utf-8")

    @app.get("/page/{name}", include_in_schema=False)
    async def part(name: str) -> Response:
        if name not in contents:
            raise HTTPException(404)
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        headers = {"Cache-Control": "no-cache"}
        return Response(contents[name], media_type=kind, headers=headers)


def _answer_http(request: Request, error: Exception) -> Response:
    """A route that is not there, or a method that it does not take."""
    assert isinstance(error, HTTPException)
    code = CODES.get(error.status_code, "bad_request")
    fault = Fault(error.status_code, code, str(error.detail))
    answer = failure(fault, request.state.request_id)
    answer.headers.update(error.headers or {})  # of 405: what is allowed
    return answer


def _answer_invalid(request: Request, error: Exception) -> Response:
    """A query that is not what was expected."""
    assert isinstance(error, RequestValidationError)
    said = in_words(error.errors())
    return failure(Fault(422, "bad_request", said), request.state.request_id)


def _openapi(app: FastAPI) -> dict[str, Any]:
    """The documentation, with the bodies that routes read by themselves."""
    if app.openapi_schema is None:
        found = get_openapi(
            title=app.title, version=app.version, summary=app.summary, routes=app.routes
        )
        _, known = models_json_schema(
            [(kind, "validation") for kind in BODIES], ref_template="#/components/schemas/{model}"
        )
        found["components"]["schemas"] |= known["$defs"]
        found["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        found["security"] = [{"key": []}, {}]
        app.openapi_schema = found
    return app.openapi_schema
