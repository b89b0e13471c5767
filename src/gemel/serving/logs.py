"""The log of a service: one JSON object a line on standard error, or a line to read.

No line says who was asked about: no names of identities, no raw paths, queries or bodies, no
addresses unless they are handed over. So of an error only its kind and where it was raised are
written, since its text may name someone. What else a caller attaches to a record is left out too:
only the fields of `FIELDS` are written.
"""

import json
import logging
import re
import sys
import traceback
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Literal

Form = Literal["text", "json"]
FIELDS = ("request_id", "method", "route", "status", "ms", "bytes_in", "key", "client")

_REQUEST_ID = re.compile("[A-Za-z0-9._-]{1,64}")
_requests = logging.getLogger("gemel.requests")


def configure(form: Form | None = None, level: int = logging.INFO) -> None:
    """Send all logs of this process, uvicorn's and Python's warnings among them, one way.

    Uvicorn's line for every request is turned off, since it holds addresses and queries. Start
    uvicorn with `log_config=None`, else it undoes this.

    Args:
        form: "text" or "json"; by default text on a terminal, and JSON elsewhere.
        level: the lowest level of gemel's and uvicorn's lines; other libraries' are written from
            warnings on.
    """
    if form is None:
        form = "text" if sys.stderr.isatty() else "json"
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Text() if form == "text" else _Json())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(level, logging.WARNING))
    for name in ("gemel", "uvicorn"):
        logging.getLogger(name).setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.asgi", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = name != "uvicorn.access"
    logging.getLogger("uvicorn.error").filters = [_names_no_client]
    logging.captureWarnings(capture=True)


def log_request(
    *,
    request_id: str,
    method: str,
    route: str,
    status: int,
    ms: float | int,
    bytes_in: int,
    key: str | None = None,
    client: str | None = None,
) -> None:
    """Write the line of a request that was answered.

    Args:
        request_id: as `request_id` gave it.
        method: such as "POST".
        route: the template, such as "/v1/references/{id}/thumbnail", never the raw path.
        status: of the answer.
        ms: milliseconds that it took.
        bytes_in: the size of the request's body.
        key: the name of the key, never the key.
        client: the address; only where the user asked for it.
    """
    extra = {
        "request_id": request_id,
        "method": method,
        "route": route,
        "status": status,
        "ms": round(ms, 1),
        "bytes_in": bytes_in,
        "key": key,
        "client": client,
    }
    _requests.info("request", extra=extra)


def request_id(header: str | None) -> str:
    """A client's own id of its request, if it is 1 to 64 of A-Z a-z 0-9 . _ -, else a new one."""
    if header is not None and _REQUEST_ID.fullmatch(header):
        return header
    return uuid.uuid4().hex


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        facts = {
            "ts": _when(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
            **dict(_fields(record)),
        }
        if error := _error(record):
            facts["error"] = error
        return json.dumps(facts)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        said = f"{_when(record)[11:19]} {record.levelname.lower():7} {_message(record)}"
        line = " ".join([said, *(f"{name}={value}" for name, value in _fields(record))])
        return "\n  ".join(map(_visible, [line, *_error(record)]))


def _when(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(record: logging.LogRecord) -> str:
    return record.getMessage().rstrip("\n")


def _fields(record: logging.LogRecord) -> Iterator[tuple[str, Any]]:
    for name in FIELDS:
        if (value := getattr(record, name, None)) is not None:
            yield name, value


def _error(record: logging.LogRecord) -> list[str]:
    """The kind of an error and where it was raised, then those that it came from; not its text."""
    found: list[str] = []
    error = record.exc_info[1] if record.exc_info else None
    while error is not None:
        found.append(type(error).__qualname__)
        for frame in traceback.extract_tb(error.__traceback__):
            found.append(f"{frame.filename}:{frame.lineno} in {frame.name}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return found


def _visible(text: str) -> str:
    """`text` with escapes for what would end the line or turn it around."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )


def _names_no_client(record: logging.LogRecord) -> bool:
    """Whether a line of uvicorn's is not of the kind that begins with a client's address."""
    return not str(record.msg).startswith("%s - ")
