"""The log: what stands in a line, and what never does."""

import io
import json
import logging
import logging.config
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.serving import logs

LOGGERS = ("", "gemel", "uvicorn", "uvicorn.error", "uvicorn.asgi", "uvicorn.access")
REQUEST: dict[str, Any] = {
    "request_id": "r-1",
    "method": "POST",
    "route": "/v1/identify",
    "status": 200,
    "ms": 12.3456,
    "bytes_in": 4321,
}


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """What `configure` changes is the whole process's."""
    known = [logging.getLogger(name) for name in LOGGERS]
    before = [(one.handlers, one.level, one.propagate, one.filters) for one in known]
    yield
    logging.captureWarnings(capture=False)
    for logger, (handlers, level, propagate, filters) in zip(known, before, strict=True):
        logger.handlers, logger.propagate, logger.filters = handlers, propagate, filters
        logger.setLevel(level)


def standard_error(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What stands for standard error; pytest takes it back between fixtures and test."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_request_is_one_object(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = standard_error(monkeypatch)
    logs.configure("json")
    logs.log_request(**REQUEST, key="front")
    logs.log_request(**REQUEST, client="192.0.2.7")
    first, second = lines(stream)
    ts = first.pop("ts")
    assert datetime.fromisoformat(ts).tzinfo is not None
    assert ts.endswith("Z")
    common = {"level": "info", "logger": "gemel.requests", "message": "request"}
    assert first == {**common, **REQUEST, "ms": 12.3, "key": "front"}
    assert "key" not in second
    assert second["client"] == "192.0.2.7"


def test_only_known_fields_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = standard_error(monkeypatch)
    logs.configure("json")
    extra = {"identity": "ada", "query": "search=ada", "status": 500, "args_": "ada"}
    logging.getLogger("gemel.serving").warning("bad %s", "luck", extra=extra)
    logs.configure("text")
    logging.getLogger("gemel.serving").warning("bad %s", "luck", extra=extra)
    assert "ada" not in stream.getvalue()
    first = json.loads(stream.getvalue().splitlines()[0])
    assert set(first) == {"ts", "level", "logger", "message", "status"}
    assert first["message"] == "bad luck"


@pytest.mark.parametrize("form", ["json", "text"])
def test_an_error_has_its_kind_and_place_and_not_its_text(
    monkeypatch: pytest.MonkeyPatch, form: logs.Form
) -> None:
    stream = standard_error(monkeypatch)
    logs.configure(form)
    try:
        try:
            {"ada": 1}["ida"]
        except KeyError as error:
            raise ValueError("ada is not enrolled") from error
    except ValueError:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application\n")
    text = stream.getvalue()
    assert "ada" not in text
    assert "ida" not in text
    assert "ValueError" in text
    assert "KeyError" in text
    assert "application\\n" not in text
    assert re.search(r"test_logs\.py:\d+ in test_an_error", text)


def test_uvicorn_is_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = standard_error(monkeypatch)
    from uvicorn.config import LOGGING_CONFIG

    logging.config.dictConfig(LOGGING_CONFIG)
    logs.configure("json")
    logging.getLogger("uvicorn.error").info("Uvicorn running on %s", "http://127.0.0.1:8000")
    logging.getLogger("uvicorn.access").info('%s - "%s"', "192.0.2.7", "GET /?search=ada")
    error = logging.getLogger("uvicorn.error")
    error.info('%s - "WebSocket %s" 403', "192.0.2.7:1", "/?search=ada")
    logging.getLogger("other").info("chatter")
    logging.getLogger("other").warning("a word")
    warnings.showwarning("old", UserWarning, "a.py", 3)
    found = lines(stream)
    assert [one["logger"] for one in found] == ["uvicorn.error", "other", "py.warnings"]
    assert found[0]["message"] == "Uvicorn running on http://127.0.0.1:8000"
    assert "192.0.2.7" not in stream.getvalue()


def test_levels_and_doing_it_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = standard_error(monkeypatch)
    logs.configure("json")
    logs.configure("json", logging.ERROR)
    logs.log_request(**REQUEST)
    logging.getLogger("other").warning("a word")
    logging.getLogger("gemel").error("once")
    assert [one["message"] for one in lines(stream)] == ["once"]


def test_the_form_follows_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = standard_error(monkeypatch)
    logs.configure()
    logs.log_request(**REQUEST)
    monkeypatch.setattr(stream, "isatty", lambda: True)
    logs.configure()
    logs.log_request(**REQUEST, key="front")
    first, second = stream.getvalue().splitlines()
    assert json.loads(first)["status"] == 200
    said = "request request_id=r-1 method=POST route=/v1/identify status=200 ms=12.3"
    assert re.fullmatch(rf"\d\d:\d\d:\d\d info +{said} bytes_in=4321 key=front", second)


def test_it_writes_to_standard_error() -> None:
    script = "from gemel.serving import logs; logs.configure(); logs._requests.info('hello')"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == ""
    assert json.loads(done.stderr)["message"] == "hello"


@pytest.mark.parametrize("form", ["json", "text"])
def test_no_text_forges_a_line(monkeypatch: pytest.MonkeyPatch, form: logs.Form) -> None:
    stream = standard_error(monkeypatch)
    logs.configure(form)

    @given(st.text(max_size=40))
    def check(text: str) -> None:
        stream.seek(0)
        stream.truncate()
        hard = text + "\r\n\x1b[2J\u2028\u202e"
        logging.getLogger("gemel").info("%s", hard)
        said = stream.getvalue()
        assert said.endswith("\n")
        assert said[:-1].isprintable()
        if form == "json":
            assert json.loads(said)["message"] == hard

    check()


@given(st.text("ABCabc019._-", min_size=1, max_size=64))
def test_a_good_request_id_is_kept(header: str) -> None:
    assert logs.request_id(header) == header


@pytest.mark.parametrize("header", [None, "", "a" * 65, "a b", "a\n", "é", "٣", 'a"', "<a>", "a/b"])
def test_another_request_id_is_made(header: str | None) -> None:
    one, other = logs.request_id(header), logs.request_id(header)
    assert header not in (one, other)
    assert one != other
    assert re.fullmatch(r"[0-9a-f]{32}", one)
