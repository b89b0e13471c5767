"""Connections as uvicorn keeps them, but for two things.

Nobody is waited for without end. Uvicorn has no limit on how long the head of a request may take,
nor on how long an answer may wait to be taken, so that whoever opens connections and says nothing,
or reads nothing, could keep all others out. And what is no HTTP is answered with the headers and in
the form of all other failures.
"""

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from gemel.serving.faults import Fault
from gemel.serving.framing import HEADERS, failure
from gemel.serving.logs import request_id

HEAD_SECONDS = 15.0
"""How long the head of a request may take, from the connection or the answer before it on."""
TAKING_SECONDS = 30.0
"""How long a client may take nothing of an answer that waits for it."""


class Connection(H11Protocol):
    """One connection of a client; its arguments are uvicorn's."""

    _waiting: asyncio.TimerHandle | None = None
    _full: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop_waiting()
        self._empty()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Begin to wait for the client to take what was written."""
        self._full = self.loop.call_later(TAKING_SECONDS, self.transport.abort)
        super().pause_writing()

    def resume_writing(self) -> None:
        """Go on: the client took it."""
        self._empty()
        super().resume_writing()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        self._wait()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """Answer what is no HTTP, unless something was answered already; then hang up."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            id = request_id(None)
            answer = failure(Fault(400, "bad_request", "this is no HTTP request"), id)
            answer.headers.update(HEADERS | {"X-Request-Id": id, "Cache-Control": "no-store"})
            head = h11.Response(status_code=400, headers=answer.raw_headers, reason=b"Bad Request")
            for event in (head, h11.Data(data=bytes(answer.body)), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _wait(self) -> None:
        self._stop_waiting()
        self._waiting = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _empty(self) -> None:
        if self._full is not None:
            self._full.cancel()
            self._full = None

    def _give_up(self) -> None:
        """Hang up, unless a request is being answered; what was not taken by now is dropped."""
        if self.cycle is None or self.cycle.response_complete:
            self.transport.abort()
