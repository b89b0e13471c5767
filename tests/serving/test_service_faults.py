"""What goes wrong around the service: it is told to stop, killed, its files are changed or fail."""

import json
import os
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from service import Service, picture, pictures_model, running, saved_model, wait_for

from gemel import Gallery, load
from gemel.errors import SettingsError
from gemel.serving import Settings, serve


def enrolled_gallery(path: Path, model: Path, names: dict[str, int]) -> Path:
    """A gallery of pictures by name and seed."""
    with Gallery.open(path, load(model)) as gallery:
        for name, seed in names.items():
            gallery.enrol(name, picture(seed))
    return path


def in_threads(count: int, work: Callable[[int], None]) -> list[threading.Thread]:
    threads = [threading.Thread(target=work, args=(place,)) for place in range(count)]
    for thread in threads:
        thread.start()
    return threads


def enrol_until_it_ends(service: Service, stored: list[int], seeds: range) -> None:
    """Enrol, and keep the seeds of those that were said to be stored."""
    for seed in seeds:
        try:
            answer = service.enrol(f"s{seed}", picture(seed))
        except OSError:
            return
        except Exception as error:  # http.client says in many ways that nothing came
            assert "http.client" in type(error).__module__  # noqa: PT017
            return
        if answer.status == 201:
            stored.append(seed)


def test_told_to_stop_it_answers_what_is_in_flight(tmp_path: Path) -> None:
    stored: list[int] = []
    with running(tmp_path) as service:
        assert service.process.pid is not None
        slow = socket.create_connection(("127.0.0.1", service.port), timeout=10)
        body = json.dumps({"identity": "late", "item": {"image": ""}}).encode()
        slow.sendall(
            b"POST /v1/enrol HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body) + body[:5]
        )
        threads = in_threads(
            3, lambda place: enrol_until_it_ends(service, stored, range(place, 10_000, 3))
        )
        wait_for(lambda: len(stored) > 3, 30)
        os.kill(service.process.pid, signal.SIGTERM)
        time.sleep(0.5)
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", service.port), timeout=5)
        slow.sendall(body[5:])
        assert slow.recv(65536).startswith(b"HTTP/1.1 422 ")  # an answer still
        slow.close()
        for thread in threads:
            thread.join()
        service.process.join(10)
        assert service.process.exitcode in (0, -signal.SIGTERM)
    with Gallery.open(tmp_path / "office.gallery", load(tmp_path / "model.gemel")) as gallery:
        assert {one.identity for one in gallery.list()} >= {f"s{seed}" for seed in stored}
        assert gallery.check() == ()


def test_what_was_acknowledged_survives_being_killed(tmp_path: Path) -> None:
    stored: list[int] = []
    for turn in range(4):
        with running(tmp_path, audit=tmp_path / "audit.jsonl") as service:
            known = set(service.names()) if turn < 2 else {f"s{seed}" for seed in stored}
            assert known >= {f"s{seed}" for seed in stored}
            first = 1000 * turn
            threads = in_threads(
                3,
                lambda place, first=first, service=service: enrol_until_it_ends(
                    service, stored, range(first + place, first + 999, 3)
                ),
            )
            enough = len(stored) + 5
            wait_for(lambda enough=enough: len(stored) >= enough, 30)
            time.sleep(0.013 * turn)
            service.process.kill()
            for thread in threads:
                thread.join()
    assert len(stored) >= 20
    with Gallery.open(tmp_path / "office.gallery", load(tmp_path / "model.gemel")) as gallery:
        assert {one.identity for one in gallery.list()} >= {f"s{seed}" for seed in stored}
        assert gallery.check() == ()
        assert gallery.identify(picture(stored[0])).identity == f"s{stored[0]}"
    told = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert {one["identity"] for one in told} >= {f"s{seed}" for seed in stored}


def replace(path: Path, new: Path) -> None:
    """As `mv new path`."""
    new.replace(path)


def test_another_model_is_not_taken_and_a_new_calibration_is(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        assert service.enrol("ada", picture(1)).status == 201
        about = service.ask("GET", "/v1/about").json["model"]

        replace(service.model, saved_model(tmp_path / "other.gemel", pictures_model(seed=7)))
        assert service.identify(picture(1)).json["identity"] == "ada"
        assert service.ask("GET", "/v1/about").json["model"] == about
        assert service.log.count("the new model file is not taken") == 1

        for broken in (b"", b"nonsense", service.model.read_bytes()[:-100]):
            service.model.write_bytes(broken)
            assert service.identify(picture(1)).json["identity"] == "ada"
        assert service.log.count("the new model file is not taken") == 4
        service.model.unlink()
        assert service.identify(picture(1)).json["identity"] == "ada"

        calibrated = pictures_model()
        calibrated.threshold = 0.01
        saved_model(service.model, calibrated)
        assert service.identify(picture(1)).json["threshold"] == 0.01
        assert "took the new model file" in service.log


def test_a_replaced_gallery_is_taken_and_not_spoilt(tmp_path: Path) -> None:
    """The old file's log must not be played into the new file."""
    with running(tmp_path, keep_originals=False) as service:
        for seed in range(30):
            assert service.enrol(f"old{seed}", picture(seed)).status == 201
        names = {f"new{seed}": seed for seed in range(100, 300)}
        replace(service.gallery, enrolled_gallery(tmp_path / "b", service.model, names))
        assert set(service.names()) == set(names)
        assert service.identify(picture(100)).json["identity"] == "new100"
        assert service.identify(picture(1)).json["identity"] != "old1"
        assert service.enrol("more", picture(400)).status == 201
        assert service.ask("GET", "/ready").status == 200
    with Gallery.open(service.gallery, load(service.model)) as gallery:
        assert {one.identity for one in gallery.list()} == {*names, "more"}
        assert gallery.check() == ()


def test_a_gallery_of_another_model_is_waited_out(tmp_path: Path) -> None:
    with running(tmp_path, keep_originals=False) as service:
        assert service.enrol("ada", picture(1)).status == 201
        right = saved_model(tmp_path / "right.gemel", pictures_model(seed=7))
        other = enrolled_gallery(tmp_path / "b", right, {"bob": 2})
        replace(service.gallery, other)
        for ask in (service.identify, lambda item: service.enrol("eve", item)):
            answer = ask(picture(2))
            assert (answer.status, answer.code) == (503, "not_ready")
            assert str(tmp_path) not in answer.body.decode()
        assert service.ask("GET", "/ready").status == 503
        assert service.ask("GET", "/health").status == 200
        replace(service.model, right)
        assert service.ask("GET", "/ready").status == 200
        assert service.identify(picture(2)).json["identity"] == "bob"


def test_a_gallery_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    with running(tmp_path, keep_originals=False) as service:
        assert service.enrol("ada", picture(1)).status == 201
        away = tmp_path / "away"
        service.gallery.replace(away)
        for answer in (service.identify(picture(1)), service.enrol("eve", picture(2))):
            assert (answer.status, answer.code) == (503, "storage")
            assert int(answer.headers["retry-after"]) >= 1
            assert str(tmp_path) not in answer.body.decode()
        assert service.ask("GET", "/ready").status == 503
        assert not service.gallery.exists()
        away.replace(service.gallery)
        assert service.names() == ["ada"]
        assert service.identify(picture(1)).json["identity"] == "ada"


@pytest.mark.parametrize("damage", ["head", "middle", "empty", "stranger"])
def test_a_damaged_gallery_is_refused_until_it_is_whole(tmp_path: Path, damage: str) -> None:
    with running(tmp_path, keep_originals=False) as service:
        for seed in range(5):
            assert service.enrol(f"s{seed}", picture(seed)).status == 201
        copy = tmp_path / "copy"
        with sqlite3.connect(service.gallery) as source, sqlite3.connect(copy) as target:
            source.backup(target)
        source.close()
        target.close()
        whole = copy.read_bytes()
        if damage == "head":
            broken = bytes(100) + whole[100:]
        elif damage == "middle":
            broken = whole[: len(whole) // 2] + b"\xff" * 3000 + whole[len(whole) // 2 + 3000 :]
        else:
            broken = b"" if damage == "empty" else b"SQLite format 3\0" + os.urandom(5000)
        bad = tmp_path / "bad"
        bad.write_bytes(broken)
        replace(service.gallery, bad)
        answer = service.identify(picture(1))
        assert (answer.status, answer.code) == (503, "storage")
        assert service.enrol("eve", picture(9)).status == 503
        replace(service.gallery, copy)
        assert service.identify(picture(1)).json["identity"] == "s1"
        assert service.enrol("eve", picture(9)).status == 201


def test_another_writer_is_waited_for(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        assert service.enrol("ada", picture(1)).status == 201
        other = sqlite3.connect(service.gallery, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        found: list[int] = []
        threads = in_threads(1, lambda _: found.append(service.enrol("eve", picture(2)).status))
        time.sleep(0.5)
        assert found == []
        other.execute("ROLLBACK")
        other.close()
        threads[0].join()
        assert found == [201]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write whatever the rights say")
def test_a_read_only_gallery_is_told(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        assert service.enrol("ada", picture(1)).status == 201
        service.gallery.chmod(0o400)
        tmp_path.chmod(0o500)
        try:
            replaced = service.enrol("eve", picture(2)).status
            assert replaced in (201, 503)  # a file that is open stays writable
            assert service.identify(picture(1)).json["identity"] == "ada"
        finally:
            tmp_path.chmod(0o700)


def test_on_a_full_disk_nothing_is_half_stored(tmp_path: Path) -> None:
    stored = []
    with running(tmp_path, keep_originals=False, file_size=500_000) as service:
        for seed in range(400):
            answer = service.enrol(f"s{seed}", picture(seed))
            if answer.status != 201:
                break
            stored.append(f"s{seed}")
        assert (answer.status, answer.code) == (503, "storage")
        assert str(tmp_path) not in answer.body.decode()
        assert len(stored) > 10
        assert service.identify(picture(0)).json["identity"] == "s0"
        assert sorted(service.names()) == sorted(stored)
        assert service.ask("GET", "/ready").status == 200
    with running(tmp_path) as service:  # the disk has room again
        assert sorted(service.names()) == sorted(stored)
        assert service.enrol("more", picture(999)).status == 201


def test_an_audit_log_that_cannot_be_written_stops_changes(tmp_path: Path) -> None:
    """What was done before that was known is written down once it can be."""
    audit = tmp_path / "audit" / "log.jsonl"
    audit.parent.mkdir()
    with running(tmp_path, audit=audit) as service:
        assert service.enrol("ada", picture(1)).status == 201
        away = tmp_path / "away"
        audit.parent.replace(away)
        for answer in (
            service.enrol("eve", picture(2)),
            service.ask("POST", "/v1/remove", {"identity": "ada"}),
        ):
            assert (answer.status, answer.code) == (503, "storage")
            assert "nothing was done" in answer.json["error"]["message"]
            assert str(tmp_path) not in answer.body.decode()
        answer = service.identify(picture(1))
        assert (answer.status, answer.code) == (503, "storage")
        away.replace(audit.parent)
        assert service.names() == ["ada"]
        assert service.enrol("eve", picture(2)).status == 201
    told = [json.loads(line) for line in audit.read_text().splitlines()]
    assert [one["identity"] for one in told if one["verb"] == "enrol"] == ["ada", "eve"]


def test_an_audit_log_on_a_full_disk_owes_its_lines(tmp_path: Path) -> None:
    audit = tmp_path / "log.jsonl.audit"
    audit.write_bytes(b"x" * 149_900 + b"\n")
    enrolled_gallery(tmp_path / "office.gallery", saved_model(tmp_path / "model.gemel"), {})
    with running(tmp_path, audit=audit, file_size=150_000) as service:
        answer = service.enrol("ada", picture(1))
        assert (answer.status, answer.code) == (503, "storage")
        assert "it was done" in answer.json["error"]["message"]
        answer = service.enrol("eve", picture(2))
        assert "nothing was done" in answer.json["error"]["message"]
        audit.replace(tmp_path / "moved")  # as logrotate does: there is room again
        assert service.names() == ["ada"]
        assert service.enrol("eve", picture(2)).status == 201
    told = [json.loads(line) for line in audit.read_text().splitlines()]
    assert [one["identity"] for one in told if one["verb"] == "enrol"] == ["ada", "eve"]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
def test_tls_is_served_and_plain_http_is_not(tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "1", "-subj", "/CN=127.0.0.1", "-addext"),
            *("subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)),
        ],
        check=True,
        capture_output=True,
    )
    trusted = ssl.create_default_context(cafile=cert)
    with running(tmp_path, certificate=cert, private_key=key, tls=trusted) as service:
        answer = service.enrol("ada", picture(1))
        assert answer.status == 201
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        assert service.raw(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n", wait=2) == b""
        old = ssl.create_default_context(cafile=cert)
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        service.tls = old
        with pytest.raises(ssl.SSLError):
            service.ask("GET", "/health")
        service.tls = trusted
        assert service.identify(picture(1)).json["identity"] == "ada"


def test_a_port_that_is_taken_is_told_before_anything_is_opened(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"port {port}: .*--port"):
            serve(tmp_path / "no.gemel", str(tmp_path / "no.gallery"), Settings(port=port))
    assert list(tmp_path.iterdir()) == []


def test_clients_that_go_away_are_no_defect(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        body = json.dumps({"identity": "ada", "item": {"image": ""}}).encode()
        head = b"POST /v1/enrol HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        form = head.replace(b"application/json", b"multipart/form-data; boundary=edge")
        whole = b"Content-Length: %d\r\n\r\n" % len(body) + body
        for sent in (head, head + whole[:30], form + whole[:25], head + whole, b"GET /v1/ab"):
            with socket.create_connection(("127.0.0.1", service.port)) as gone:
                gone.sendall(sent)
                gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        wait_for(lambda: service.log.count('"status": 499') >= 2)
        assert service.identify(picture(1)).status == 200
        assert service.defects() == []
        asked = service.ask("GET", "/metrics").body.decode()
        assert "gemel_requests_in_hand 0.0" in asked


def test_idle_connections_keep_nobody_out(tmp_path: Path) -> None:
    """Nor do they stay, nor do they keep the service from ending."""
    patches = {
        "gemel.serving.connections.HEAD_SECONDS": 2.0,
        "gemel.serving.server.CONNECTIONS": 60,
    }
    with running(tmp_path, patches=patches) as service:
        idle = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(50)]
        assert service.enrol("ada", picture(1)).status == 201
        idle += [socket.create_connection(("127.0.0.1", service.port)) for _ in range(30)]
        wait_for(lambda: service.ask("GET", "/health").status == 200)
        begun = time.monotonic()
        service.process.terminate()
        service.process.join(10)
        assert time.monotonic() - begun < 5
        for one in idle:
            one.close()
