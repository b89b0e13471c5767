"""Attacks on the real service: nothing is let in, let out, or brought down."""

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import fuzzing
import pytest
from service import Answer, Service, as_item, form, picture, received, running

from gemel.serving.keys import Keys, new_key

OPEN = {"/health", "/ready"}
JSON = {"Content-Type": "application/json"}
LEAKS = re.compile(rb"Traceback|site-packages|/(?:tmp|home|root|work|usr|var)/|\.py\b|sqlite", re.I)
HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
GOOD: dict[str, Any] = {
    "/v1/identify": {"item": as_item(picture(1))},
    "/v1/verify": {"identity": "ada", "item": as_item(picture(1))},
    "/v1/compare": {"left": as_item(picture(1)), "right": as_item(picture(2))},
    "/v1/enrol": {"identity": "eve", "item": as_item(picture(3))},
    "/v1/remove": {"identity": "ada"},
    "/v1/rename": {"old": "ada", "new": "eve"},
}


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with keys; ada is enrolled."""
    patches = {"gemel.serving.gate.WRONG_KEYS": 100_000}
    with running(tmp_path_factory.mktemp("keyed"), keyed=True, patches=patches) as service:
        assert service.enrol("ada", picture(1)).status == 201
        yield service


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service without keys, that waits for a body and for a head only a moment."""
    patches = {
        "gemel.serving.bodies.SECONDS": 0.5,
        "gemel.serving.connections.HEAD_SECONDS": 1.0,
    }
    folder = tmp_path_factory.mktemp("plain")
    with running(folder, patches=patches, max_body=1_000_000) as service:
        assert service.enrol("ada", picture(1)).status == 201
        yield service


def sane(answer: Answer) -> Answer:
    """What holds of every answer: headers, the form of a failure, nothing told that is secret."""
    assert answer.status < 500 or answer.status == 503, answer
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["cache-control"] in ("no-store", "no-cache")
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert "server" not in answer.headers
    if answer.status >= 400:
        assert not LEAKS.search(answer.body), answer.body
        error = answer.json["error"]
        assert set(error) == {"code", "message", "request_id"}
        assert error["request_id"] == answer.headers["x-request-id"]
        assert len(answer.body) < 2000
    return answer


def routes(service: Service) -> list[tuple[str, str, bool]]:
    """Every documented route: method, path, and whether it changes the gallery."""
    paths = service.ask("GET", "/openapi.json").json["paths"]
    return [
        (method.upper(), path.replace("{id}", "1"), "change" in facts["tags"])
        for path, methods in paths.items()
        for method, facts in methods.items()
    ]


def refusals(service: Service, key: str | None) -> dict[str, tuple[int, str]]:
    """What every route but the open ones says to a key."""
    found = {}
    for method, path, _ in routes(service):
        if path not in OPEN:
            answer = sane(service.ask(method, path, GOOD.get(path), key=key))
            found[path] = answer.status, answer.code if answer.status >= 400 else ""
    assert len(found) >= 11
    return found


def test_without_a_key_nothing_is_told_and_nothing_is_written(keyed: Service) -> None:
    before = keyed.names()
    assert set(refusals(keyed, None).values()) == {(401, "no_key")}
    assert keyed.names() == before
    for path in OPEN:
        assert sane(keyed.ask("GET", path, key=None)).status == 200
    assert sane(keyed.ask("GET", "/v1/about", key=None)).headers["www-authenticate"] == "Bearer"


def test_a_wrong_and_a_removed_key_open_nothing(keyed: Service) -> None:
    before = keyed.names()
    known = Keys.open(keyed.log_file.parent / "keys.json")
    gone = known.add("gone", "admin")
    assert keyed.ask("GET", "/v1/about", key=gone).json["role"] == "admin"
    known.remove("gone")
    for key in (gone, new_key(), "x", "gemel_", keyed.keys["admin"][:-1], "é"):
        assert set(refusals(keyed, key).values()) == {(401, "wrong_key")}
    assert keyed.names() == before


def test_a_key_to_read_changes_nothing(keyed: Service) -> None:
    before = keyed.names()
    found = refusals(keyed, "read")
    for method, path, changes in routes(keyed):
        if path not in OPEN:
            assert (found[path] == (403, "not_allowed")) == changes, (method, path)
    assert keyed.names() == before


@pytest.mark.parametrize("name", ["Authorization", "X-Api-Key", "Cookie", "Proxy-Authorization"])
def test_a_key_is_taken_from_one_place_only(keyed: Service, name: str) -> None:
    key = keyed.keys["admin"]
    shapes = [key, f"Basic {key}", f"Token {key}", f"key={key}", f"Bearer={key}"]
    if name != "Authorization":
        shapes.append(f"Bearer {key}")
    for shape in shapes:
        answer = sane(keyed.ask("GET", "/v1/about", headers={name: shape}, key=None))
        assert answer.status == 401
    for query in (f"key={key}", f"access_token={key}", f"authorization=Bearer%20{key}"):
        assert sane(keyed.ask("GET", f"/v1/about?{query}", key=None)).status == 401
    assert key not in keyed.log


def test_wrong_keys_are_slowed_down_and_the_right_one_is_not(tmp_path: Path) -> None:
    with running(tmp_path, keyed=True) as service:
        found = [sane(service.ask("GET", "/v1/about", key="x")) for _ in range(15)]
        assert [one.status for one in found] == [401] * 10 + [429] * 5
        assert int(found[-1].headers["retry-after"]) >= 1
        assert service.ask("GET", "/v1/about").status == 200


PATHS = [
    *("/page/../openapi.json", "/page/%2e%2e/settings.py", "/page/%252e%252e%252fapp.py"),
    *("/page/..%5c..%5capp.py", "/page/..%2f..%2fapp.py", "/page/%00", "/page/index.html%00.js"),
    *("/page//etc/passwd", "/page/....//", "/page/.", "/page/", "/page/__init__.py", "//page/x"),
    *("/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/v1/../v1/about/", "/v1/about/", "/x"),
    *("/v1/references/../about/thumbnail", "/docs", "/redoc", "/%ff%fe", "/;/", "/page/~root"),
]


@pytest.mark.parametrize("path", PATHS)
def test_no_path_leads_out_of_the_page(keyed: Service, path: str) -> None:
    assert sane(keyed.ask("GET", path)).status == 404


def test_the_page_has_the_headers_too(keyed: Service) -> None:
    for path in ("/", "/page/index.html"):
        assert sane(keyed.ask("GET", path, key=None)).status == 200
    assert "'unsafe" not in keyed.ask("GET", "/").headers["content-security-policy"]


NAMES = [
    *("../../etc/passwd", "..\\..\\boot.ini", "C:\\con", "/dev/null", "a/b/../c", "~", "."),
    *("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "javascript:alert(1)"),
    *("'; DROP TABLE refs; --", "' OR '1'='1", 'a"b`c$(id)|&;', "%", "_", "*", "%s%n%x{0}{{7*7}}"),
    *(
        "${jndi:ldap://x}",
        "=cmd|' /C calc'!A0",
        "null",
        "undefined",
        "NaN",
        "\ufeffada",
        "ädä",
        "😀",
    ),
]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_only_text(plain: Service, name: str) -> None:
    before = plain.names()
    enrolled = plain.ask(
        "POST", "/v1/enrol", {"identity": name, "item": as_item(picture(9)), "note": f"{name}\n"}
    )
    assert sane(enrolled).status == 201
    found = plain.ask("GET", "/v1/identities?limit=500").json["identities"]
    mine = [one for one in found if one["identity"] == name]
    assert [one["references"][0]["note"] for one in mine] == [f"{name}\n"]
    asked = {"identity": name, "item": as_item(picture(9))}
    assert sane(plain.ask("POST", "/v1/verify", asked)).json["identity"] == name
    assert sane(plain.ask("POST", "/v1/remove", {"identity": name})).json["identity"] == name
    assert plain.names() == before
    assert sane(plain.ask("POST", "/v1/remove", {"identity": name})).status == 404


FORGED = [
    "a\nb",
    'x"}\n{"level": "error"',
    "a\r\nX-Evil: 1",
    "a\x00b",
    "a\u202eb",
    "a\u2028b",
    " ",
    "",
]


@pytest.mark.parametrize("name", FORGED)
def test_names_that_forge_lines_are_refused(plain: Service, name: str) -> None:
    body = {"identity": name, "item": as_item(picture(9))}
    assert sane(plain.ask("POST", "/v1/enrol", body)).status == 422
    assert "X-Evil" not in plain.log


def test_request_ids_are_taken_over_only_if_they_are_plain(plain: Service) -> None:
    assert (
        sane(plain.ask("GET", "/health", headers={"X-Request-Id": "a-1"})).headers["x-request-id"]
        == "a-1"
    )
    for forged in ("a b", '"}', "a" * 65, "<b>", "é"):
        answer = plain.ask("GET", "/health", headers={"X-Request-Id": forged})
        assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_pages_of_other_sites_may_not_ask(plain: Service, headers: dict[str, str]) -> None:
    for path, body in GOOD.items():
        assert sane(plain.ask("POST", path, body, headers=headers)).status == 403
    preflight = headers | {"Access-Control-Request-Method": "POST"}
    answer = sane(plain.ask("OPTIONS", "/v1/enrol", headers=preflight))
    assert answer.status == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert plain.names() == ["ada"]


def test_a_form_that_another_site_may_post_needs_an_origin_too(plain: Service) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        answer = plain.ask(
            "POST", "/v1/remove", body=b'{"identity": "ada"}', headers={"Content-Type": kind}
        )
        assert (sane(answer).status, answer.code) == (415, "wrong_type")


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "[", "", "localhost.evil", "0.0.0.0", "a@b"]
)
def test_without_keys_no_other_name_leads_here(plain: Service, host: str) -> None:
    answer = plain.ask("GET", "/v1/about", headers={"Host": host})
    assert (sane(answer).status, answer.code) == (403, "not_allowed")


def test_a_body_that_is_too_large_is_refused_however_it_comes(plain: Service) -> None:
    large = b" " * 1_000_001
    assert sane(plain.ask("POST", "/v1/identify", body=large, headers=JSON)).status == 413

    head = b"POST /v1/identify HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    said = plain.raw(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 20)
    assert b" 413 " in said.split(b"\r\n")[0]
    said = plain.raw(head + b"Content-Length: 99999999999999\r\n\r\n{}")
    assert b" 413 " in said.split(b"\r\n")[0]
    for length in (b"-1", b"+5", b"1e3", b"0x10", b"\xb2", b"5, 6", b"9" * 5000):
        said = plain.raw(head + b"Content-Length: " + length + b"\r\n\r\n{}")
        assert re.match(rb"HTTP/1.1 4(00|13) ", said), (length, said[:50])


def test_a_body_that_does_not_come_is_not_waited_for(plain: Service) -> None:
    head = b"POST /v1/identify HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    for more in (b"Content-Length: 100\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"):
        begun = time.monotonic()
        said = plain.raw(head + more)
        assert b" 408 " in said.split(b"\r\n")[0]
        assert b"too_slow" in said
        assert time.monotonic() - begun < 5


def test_a_head_that_does_not_come_is_not_waited_for(plain: Service) -> None:
    for begun_head in (b"", b"GET /health HTTP/1.1\r\n", b"G"):
        begun = time.monotonic()
        assert plain.raw(begun_head) == b""
        assert 0.5 < time.monotonic() - begun < 5
    with socket.create_connection(("127.0.0.1", plain.port), timeout=10) as slow:
        begun = time.monotonic()
        with pytest.raises(OSError, match=r"reset|Broken"):  # noqa: PT012  it hangs up on a dripper
            for byte in b"GET /health HTTP/1.1\r\nA: " + b"a" * 100:
                slow.sendall(bytes([byte]))
                time.sleep(0.05)
        assert time.monotonic() - begun < 5


@pytest.mark.parametrize("name", sorted(fuzzing.bombs()))
def test_bombs_do_not_go_off(plain: Service, name: str) -> None:
    before, begun = plain.memory(), time.monotonic()
    for path in ("/v1/identify", "/v1/enrol"):
        fields: list[tuple[str, bytes | str]] = [("item", fuzzing.bombs()[name])]
        body, kind = form([*fields, ("identity", "eve")][: 1 + (path == "/v1/enrol")])
        answer = sane(plain.ask("POST", path, body=body, headers={"Content-Type": kind}))
        assert (answer.status, answer.code) in ((422, "bad_item"), (413, "too_large"))
    assert time.monotonic() - begun < 5
    assert plain.memory() - before < 100_000  # kB


@pytest.mark.parametrize("name", sorted(fuzzing.strangers()))
def test_what_is_no_picture_is_refused(plain: Service, name: str) -> None:
    for path, more in (("/v1/identify", {}), ("/v1/enrol", {"identity": "eve"})):
        body = {"item": as_item(fuzzing.strangers()[name]), **more}
        answer = sane(plain.ask("POST", path, body))
        assert (answer.status, answer.code) == (422, "bad_item")


@pytest.mark.parametrize("name", sorted(fuzzing.polyglots()))
def test_a_picture_that_is_more_than_one_stays_a_picture(plain: Service, name: str) -> None:
    answer = sane(plain.enrol("poly", fuzzing.polyglots()[name]))
    number = answer.json["reference"]
    shown = sane(plain.ask("GET", f"/v1/references/{number}/thumbnail"))
    assert shown.headers["content-type"] == "image/png"
    assert not re.search(rb"script|php|alert|PK\x03\x04", shown.body)
    assert plain.ask("POST", "/v1/remove", {"reference": number}).status == 200


@pytest.mark.parametrize("name", sorted(fuzzing.small_pictures()))
def test_cut_short_pictures_are_refused(plain: Service, name: str) -> None:
    whole = fuzzing.small_pictures()[name]
    assert sane(plain.identify(whole)).status == 200
    for size in (1, 10, len(whole) // 4, len(whole) // 2):
        assert sane(plain.identify(whole[:size])).status in (200, 422)


BODIES = [
    *(b"", b"{", b"null", b"[]", b'"x"', b"1", b"NaN", b"{}", b"[" * 100_000, b'{"a":' * 50_000),
    b'{"item": {"numbers": [' + b"1" * 5000 + b"]}}",
    *(b'{"item": {"numbers": [%s]}}' % one for one in (b"NaN", b"Infinity", b"1e999", b'"1x"')),
    b'{"item": {"numbers": []}}',
    b'{"item": {"image": "*"}}',
    b'{"item": {"image": "QUJD\\n"}}',
    b'{"item": {"image": 5}}',
    b'{"item": {"image": "QUJD", "numbers": [1]}}',
    b'{"item": {}, "item": {}}',
    b'{"item": {"image": "QUJD", "image": "QUJD"}}',
    b'{"item": {"image": "QUJD"}, "top": 1e400}',
    *(
        b'{"item": {"image": "QUJD"}, "top": %s}' % one
        for one in (b"0", b"-1", b"101", b"1.5", b'""')
    ),
    b'{"\\ud800": 1, "item": {}}',
    b'{"item": {"\\ud800": 1}}',
    b'{"__proto__": {}, "constructor": {}, "item": {"image": "QUJD"}}',
    b'\xff\xfe{"item"',
    b"{" + b",".join(b'"k%d":1' % place for place in range(50_000)) + b"}",
    b'{"item": {' + b",".join(b'"k%d":1' % place for place in range(50_000)) + b"}}",
    b'{"item": {"numbers": [' + b'"a",' * 50_000 + b"1]}}",
    b'{"item": {"numbers": [' + b"1," * 300_000 + b"1]}}",
    b"[" + b"{}," * 50_000 + b"1]",
]


@pytest.mark.parametrize("place", range(len(BODIES)))
def test_bodies_that_are_not_what_was_expected(plain: Service, place: int) -> None:
    begun = time.monotonic()
    answer = sane(plain.ask("POST", "/v1/identify", body=BODIES[place], headers=JSON))
    assert answer.status in (400, 413, 422)
    assert time.monotonic() - begun < 3


@pytest.mark.parametrize("name", ["\ud800", "a\udfffb"])
def test_half_characters_in_names_are_refused(plain: Service, name: str) -> None:
    for path in ("/v1/enrol", "/v1/verify"):
        body = {"identity": name, "item": as_item(picture(1))}
        assert sane(plain.ask("POST", path, body)).status == 422
    assert sane(plain.ask("POST", "/v1/rename", {"old": "ada", "new": name})).status == 422


EDGE = b"--edge\r\n"
FIELD = b'Content-Disposition: form-data; name="item"'
FORMS = {
    "no_boundary": ("multipart/form-data", EDGE),
    "empty_boundary": ("multipart/form-data; boundary=", EDGE),
    "long_boundary": (f"multipart/form-data; boundary={'x' * 300}", EDGE),
    "other_boundary": ("multipart/form-data; boundary=other", EDGE),
    "nothing": ("multipart/form-data; boundary=edge", b""),
    "no_end": ("multipart/form-data; boundary=edge", EDGE + FIELD + b"\r\n\r\n[1"),
    "parts": ("multipart/form-data; boundary=edge", (EDGE + FIELD + b"\r\n\r\n1\r\n") * 10_000),
    "headers": ("multipart/form-data; boundary=edge", EDGE + b"h: x\r\n" * 100_000),
    "header": ("multipart/form-data; boundary=edge", EDGE + FIELD + b"x" * 900_000),
    "names": ("multipart/form-data; boundary=edge", EDGE + FIELD + b'; a="b"' * 100_000),
    "no_name": ("multipart/form-data; boundary=edge", EDGE + b"A: b\r\n\r\n1\r\n--edge--\r\n"),
    "returns": ("multipart/form-data; boundary=edge", EDGE + FIELD + b"\r\n\r\n" + b"\r" * 900_000),
    "twice": ("multipart/form-data; boundary=edge", form([("item", b"a"), ("item", b"b")])[0]),
    "deep": ("multipart/form-data; boundary=edge", form([("item", "[" * 100_000)])[0]),
    "file_name": ("multipart/form-data; boundary=edge", form([("item", b"x"), ("top", b"5")])[0]),
    **{
        charset: (
            f"multipart/form-data; boundary=edge; charset={charset}",
            form([("x", "+2AA-")])[0],
        )
        for charset in ("undefined", "punycode", "utf-7", "idna", "rot13", "unicode_escape")
    },
}


@pytest.mark.parametrize("name", sorted(FORMS))
def test_forms_that_are_none(plain: Service, name: str) -> None:
    kind, body = FORMS[name]
    begun = time.monotonic()
    answer = sane(plain.ask("POST", "/v1/identify", body=body, headers={"Content-Type": kind}))
    assert answer.status in (400, 415, 422)
    assert time.monotonic() - begun < 3


def test_methods_that_a_route_does_not_take(keyed: Service) -> None:
    known = {path: method for method, path, _ in routes(keyed)}
    for path, right in known.items():
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO"):
            if method != right:
                answer = sane(keyed.ask(method, path, headers={"X-HTTP-Method-Override": right}))
                assert (answer.status, answer.headers["allow"]) == (405, right), (method, path)
    assert keyed.names() == ["ada"]


START = b"POST /v1/identify HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
HIDDEN = b"POST /v1/remove HTTP/1.1\r\nHost: localhost\r\nContent-Length: 19\r\n\r\n"
SMUGGLED = [
    START + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    START + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + HIDDEN,
    START + b"Content-Length: 0\r\nContent-Length: 50\r\n\r\n" + HIDDEN,
    START + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    START + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + HIDDEN,
    START + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    START + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n" + HIDDEN,
    START + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffffffff\r\n\r\n" + HIDDEN,
    b"GET /v1/about HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n" + HIDDEN,
    b"GET /v1/about HTTP/1.1\r\n\r\n" + HIDDEN,
    b"GET /v1/a bout HTTP/1.1\r\nHost: localhost\r\n\r\n" + HIDDEN,
    b"GET /v1/about\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n" + HIDDEN,
    b"GET /v1/about HTTP/1.1\r\nHost: localhost\r\nA: b\x00c\r\n\r\n" + HIDDEN,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
    b"garbage\r\n\r\n" + HIDDEN,
]


@pytest.mark.parametrize("place", range(len(SMUGGLED)))
def test_one_request_is_not_two(plain: Service, place: int) -> None:
    said = plain.raw(SMUGGLED[place])
    assert said.count(b"HTTP/1.1 ") == 1, said
    assert said.startswith(b"HTTP/1.1 400 ")
    head, _, body = said.partition(b"\r\n\r\n")
    assert b"connection: close" in head.lower()
    names = [line.partition(b": ") for line in head.split(b"\r\n")[1:]]
    sane(Answer(400, {name.decode().lower(): text.decode() for name, _, text in names}, body))


def test_what_is_broken_after_the_answer_began_is_hung_up_on(plain: Service) -> None:
    with socket.create_connection(("127.0.0.1", plain.port), timeout=5) as one:
        one.sendall(START.replace(b"identify", b"nothing") + b"Transfer-Encoding: chunked\r\n\r\n")
        said = b""
        while not said.endswith(b"}}"):
            said += one.recv(65536)
        assert b" 404 " in said
        one.sendall(b"zz\r\n")
        assert received(one) == b""
    assert plain.ask("GET", "/health").status == 200


def test_targets_that_are_no_paths(plain: Service) -> None:
    for line in (b"OPTIONS *", b"CONNECT evil:443", b"GET http://evil/v1/about", b"GET //evil/.."):
        said = plain.raw(line + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert said.startswith(b"HTTP/1.1 404 ")
    upgrade = b"GET /v1/about HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade, close\r\n"
    for what in (b"websocket", b"h2c"):
        said = plain.raw(upgrade + b"Upgrade: " + what + b"\r\n\r\n")
        assert said.startswith(b"HTTP/1.1 200 ")


def test_too_many_requests_are_told_when_to_come_back(tmp_path: Path) -> None:
    with running(tmp_path, rate=6) as service:
        found = [sane(service.ask("GET", "/v1/about")) for _ in range(14)]
        assert [one.status for one in found] == [200] * 12 + [429] * 2
        assert found[-1].code == "too_many"
        assert 1 <= int(found[-1].headers["retry-after"]) <= 10


def test_a_full_desk_says_so_and_recovers(tmp_path: Path) -> None:
    with running(tmp_path, queue=2) as service:
        head = START + b"Content-Length: 100\r\n\r\n{"
        slow = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(2)]
        for one in slow:
            one.sendall(head)
        time.sleep(0.3)
        answer = sane(service.identify(picture(1)))
        assert (answer.status, answer.code) == (503, "busy")
        assert int(answer.headers["retry-after"]) >= 1
        assert service.ask("GET", "/health").status == 200
        for one in slow:
            one.close()
        time.sleep(0.3)
        assert service.identify(picture(1)).status == 200


def test_a_few_hundred_fuzzed_requests(plain: Service) -> None:
    line = plain.connection()
    for sent in islice(fuzzing.requests(seed=0), 300):
        headers = {"Content-Type": sent.type}
        sane(plain.ask(sent.method, sent.path, body=sent.body, headers=headers, on=line))
    line.close()
    assert plain.ask("GET", "/ready").status == 200
    assert plain.peak_memory() < 1_500_000  # kB


def test_many_at_once_get_their_own_answers(plain: Service) -> None:
    """A batch is shared, and what is wrong with one is no matter of the others."""
    asked = [picture(1) if place % 2 else b"no picture" for place in range(12)]
    found: dict[int, int] = {}

    def ask(place: int) -> None:
        found[place] = sane(plain.identify(asked[place])).status

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(len(asked))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {place: 200 if place % 2 else 422 for place in range(len(asked))}


def test_nothing_of_all_this_was_a_defect(plain: Service, keyed: Service) -> None:
    """The last test here: what the logs say of the ones before."""
    for service in (plain, keyed):
        assert service.defects() == []
        for line in service.log.splitlines():
            # libtiff says on its own what it finds broken
            assert json.loads(line) if line.startswith("{") else re.match(r"[\w.]+: |Fax|LZW", line)
        assert service.process.is_alive()
