"""Who may come in."""

from pathlib import Path

import pytest
from starlette.datastructures import Headers

from gemel.errors import SettingsError
from gemel.serving.faults import FaultError
from gemel.serving.gate import WRONG_KEYS, Gate, Visitor
from gemel.serving.keys import Keys
from gemel.serving.settings import Settings

HERE = "127.0.0.1"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    Keys.open(tmp_path / "keys", create=True)
    return tmp_path / "keys"


def refusal(gate: Gate, path: str, address: str = HERE, **headers: str) -> tuple[int, str]:
    with pytest.raises(FaultError) as caught:
        admit(gate, path, address, **headers)
    return caught.value.fault.status, caught.value.fault.code


def admit(gate: Gate, path: str, address: str = HERE, **headers: str) -> Visitor:
    named = {"host": "localhost:8000"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return gate.admit(path, Headers(named), address)


class TestKeys:
    def test_a_key_and_its_role(self, keys: Path) -> None:
        known = Keys.open(keys)
        reader, admin = known.add("desk", "read"), known.add("boss", "admin")
        gate = Gate(Settings(keys=keys))
        for key, visitor in (
            (reader, Visitor("desk", "read")),
            (admin, Visitor("boss", "admin")),
        ):
            assert admit(gate, "/v1/about", authorization=f"Bearer {key}") == visitor
            assert admit(gate, "/v1/about", authorization=f"bearer  {key}") == visitor

    @pytest.mark.parametrize("path", ["/health", "/ready", "/openapi.json", "/", "/page/main.js"])
    def test_open_routes(self, keys: Path, path: str) -> None:
        Keys.open(keys).add("desk", "read")
        assert admit(Gate(Settings(keys=keys)), path) == Visitor(None, "read")

    @pytest.mark.parametrize("path", ["/metrics", "/v1/about", "/v1/enrol", "/page", "/healthy"])
    def test_all_others_need_one(self, keys: Path, path: str) -> None:
        key = Keys.open(keys).add("desk", "read")
        gate = Gate(Settings(keys=keys))
        assert refusal(gate, path) == (401, "no_key")
        for none in ("", f"Basic {key}", key):
            assert refusal(gate, path, authorization=none) == (401, "no_key")
        for wrong in ("Bearer", f"Bearer {key}x", f"Bearer {key[:-1]}-"):
            assert refusal(gate, path, authorization=wrong) == (401, "wrong_key")

    def test_removed_while_it_runs(self, keys: Path) -> None:
        known = Keys.open(keys)
        key, _ = known.add("desk", "read"), known.add("boss", "admin")
        gate = Gate(Settings(keys=keys))
        admit(gate, "/v1/about", authorization=f"Bearer {key}")
        Keys.open(keys).remove("desk")
        assert refusal(gate, "/v1/about", authorization=f"Bearer {key}") == (401, "wrong_key")
        keys.unlink()
        assert refusal(gate, "/v1/about", authorization=f"Bearer {key}") == (503, "not_ready")

    def test_a_file_without_keys(self, keys: Path) -> None:
        with pytest.raises(SettingsError, match="holds no key"):
            Gate(Settings(keys=keys))


class TestRates:
    def test_of_an_address(self) -> None:
        gate = Gate(Settings(rate=2))
        for _ in range(4):
            admit(gate, "/v1/about")
        assert refusal(gate, "/v1/about") == (429, "too_many")
        assert refusal(gate, "/health") == (429, "too_many")
        admit(gate, "/v1/about", address="127.0.0.2")

    def test_of_a_key_wherever_it_comes_from(self, keys: Path) -> None:
        known = Keys.open(keys)
        one, other = known.add("desk", "read"), known.add("boss", "admin")
        gate = Gate(Settings(keys=keys, rate=1))
        for address in ("10.0.0.1", "10.0.0.2"):
            admit(gate, "/v1/about", address, authorization=f"Bearer {one}")
        said = refusal(gate, "/v1/about", "10.0.0.3", authorization=f"Bearer {one}")
        assert said == (429, "too_many")
        admit(gate, "/v1/about", "10.0.0.1", authorization=f"Bearer {other}")

    def test_of_wrong_keys(self, keys: Path) -> None:
        key = Keys.open(keys).add("desk", "read")
        gate = Gate(Settings(keys=keys))
        for _ in range(WRONG_KEYS):
            assert refusal(gate, "/metrics", authorization="Bearer x") == (401, "wrong_key")
        assert refusal(gate, "/metrics", authorization="Bearer x") == (429, "too_many")
        admit(gate, "/metrics", authorization=f"Bearer {key}")  # who has one is not locked out


class TestOrigin:
    @pytest.mark.parametrize(
        "headers",
        [
            {"origin": "http://evil.example"},
            {"origin": "null"},
            {"origin": "http://localhost:9000"},
            {"sec_fetch_site": "cross-site"},
            {"sec_fetch_site": "same-site"},
            {"host": "evil.example"},
            {"host": ""},
            {"host": "localhost.evil.example:8000"},
        ],
    )
    def test_foreign(self, headers: dict[str, str]) -> None:
        assert refusal(Gate(Settings()), "/v1/enrol", **headers) == (403, "not_allowed")

    def test_a_link_leads_to_the_page_and_to_nothing_else(self) -> None:
        gate, link = Gate(Settings()), {"sec_fetch_site": "cross-site"}
        admit(gate, "/", **link)
        for path in ("/page/main.js", "/v1/about", "/openapi.json"):
            assert refusal(gate, path, **link) == (403, "not_allowed")
        assert refusal(gate, "/", host="evil.example") == (403, "not_allowed")

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"origin": "http://localhost:8000", "sec_fetch_site": "same-origin"},
            {"sec_fetch_site": "none"},
            {"host": "127.0.0.1:8000"},
            {"host": "[::1]:8000"},
            {"host": "LOCALHOST"},
        ],
    )
    def test_own(self, headers: dict[str, str]) -> None:
        assert admit(Gate(Settings()), "/v1/enrol", **headers) == Visitor(None, "admin")

    def test_with_keys_any_name_will_do(self, keys: Path) -> None:
        key = Keys.open(keys).add("desk", "read")
        gate = Gate(Settings(keys=keys))
        admit(gate, "/v1/about", host="gemel.example", authorization=f"Bearer {key}")
