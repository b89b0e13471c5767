"""What surrounds every request: its id, limits, headers, its line in the log, defects."""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from gemel.serving import bodies
from gemel.serving.framing import HEADERS
from gemel.serving.routes import Routes

Client = Callable[..., TestClient]
ITEM = {"item": {"numbers": [1.0, 1.0]}}


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[Any]]:
    caplog.set_level(logging.INFO, "gemel.requests")
    return lambda: [one for one in caplog.records if one.name == "gemel.requests"]


@pytest.mark.parametrize("path", ["/", "/health", "/v1/about", "/nothing", "/page/main.js"])
def test_headers_of_every_answer(client: Client, path: str) -> None:
    answer = client().get(path)
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    assert answer.headers["cache-control"] in ("no-store", "no-cache")
    assert "server" not in answer.headers
    assert "strict-transport-security" not in answer.headers


def test_a_request_keeps_its_id(client: Client, lines: Callable[[], list[Any]]) -> None:
    service = client()
    assert (
        service.get("/health", headers={"x-request-id": "a.b-1"}).headers["x-request-id"] == "a.b-1"
    )
    made = service.get("/health", headers={"x-request-id": "a b"}).headers["x-request-id"]
    assert len(made) == 32
    assert [one.request_id for one in lines()] == ["a.b-1", made]


def test_the_log_names_nobody(client: Client, lines: Callable[[], list[Any]]) -> None:
    service = client()  # a name with letters that no request id, in hex digits, has
    service.post("/v1/enrol", json={"identity": "zoe", **ITEM})
    service.get("/v1/identities?search=zoe")
    service.get("/zoe")
    service.request("ZOE", "/v1/about")
    found = lines()
    assert [(one.method, one.route, one.status) for one in found] == [
        ("POST", "/v1/enrol", 201),
        ("GET", "/v1/identities", 200),
        ("GET", "unknown", 404),
        ("other", "/v1/about", 405),
    ]
    assert found[0].bytes_in == len(json.dumps({"identity": "zoe", **ITEM}).replace(" ", ""))
    assert not any("zoe" in str(vars(one)) for one in found)


class TestLimits:
    def test_a_body_that_says_it_is_too_large(self, client: Client) -> None:
        answer = client(max_body=1024).post("/v1/identify", content=b"x" * 1025)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")

    def test_a_body_that_turns_out_too_large(self, client: Client) -> None:
        sent = []

        def parts() -> Iterator[bytes]:
            for _ in range(20):
                sent.append(1)
                yield b" " * 100

        head = {"content-type": "application/json"}
        answer = client(max_body=1024).post("/v1/identify", content=parts(), headers=head)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")

    def test_a_body_of_just_the_size(self, client: Client) -> None:
        body = json.dumps(ITEM).encode().ljust(1024)
        head = {"content-type": "application/json"}
        answer = client(max_body=1024).post("/v1/identify", content=body, headers=head)
        assert answer.status_code == 200

    def test_all_places_taken(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        service = client(queue=1)
        inner: list[Any] = []
        read = bodies.read_body

        async def read_while_another_asks(request: Any, kind: Any) -> Any:
            if not inner:
                inner.append(None)
                inner[0] = await _ask_within(service.app)
            return await read(request, kind)

        monkeypatch.setattr(bodies, "read_body", read_while_another_asks)
        assert service.post("/v1/identify", json=ITEM).status_code == 200
        status, headers, body = inner[0]
        assert (status, body["error"]["code"]) == (503, "busy")
        assert int(headers[b"retry-after"]) >= 1


async def _ask_within(app: Any) -> tuple[int, dict[bytes, bytes], Any]:
    """What the service answers to one more request, in the same loop."""
    said: list[Any] = []
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/v1/about",
        "raw_path": b"/v1/about",
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
        "scheme": "http",
        "http_version": "1.1",
        "root_path": "",
        "app": app,
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        said.append(message)

    await app(scope, receive, send)
    return said[0]["status"], dict(said[0]["headers"]), json.loads(said[1]["body"])


class TestDefects:
    def test_nothing_of_it_is_told(
        self, client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail(*_: object) -> None:
            raise ValueError("/secret/path of ada")

        monkeypatch.setattr(Routes, "_about", fail)
        answer = client().get("/v1/about")
        assert (answer.status_code, answer.json()["error"]["code"]) == (500, "defect")
        assert "secret" not in answer.text
        assert any(one.message == "a defect of the service" for one in caplog.records)

    def test_a_fault_of_the_storage_has_no_path(self, client: Client, tmp_path: Path) -> None:
        service = client()
        (tmp_path / "g.gallery").rename(tmp_path / "away")
        (tmp_path / "g.gallery").write_bytes(b"nonsense" * 100)
        answer = service.get("/v1/about")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "storage")
        assert str(tmp_path) not in answer.text


def test_a_body_that_does_not_arrive(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    monkeypatch.setattr(bodies, "SECONDS", 0.01)

    async def never(*_: object) -> Any:
        await asyncio.sleep(5)

    monkeypatch.setattr("starlette.requests.Request.body", never)
    answer = client().post("/v1/identify", json=ITEM)
    assert (answer.status_code, answer.json()["error"]["code"]) == (408, "too_slow")
