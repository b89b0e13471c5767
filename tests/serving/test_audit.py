"""The audit log: whole lines, on the disk when they must be, whatever a name holds."""

import json
import os
import resource
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.errors import GalleryError, SettingsError
from gemel.serving.audit import CHANGES, Audit, Entry


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def test_a_line_says_what_was_asked(path: Path) -> None:
    audit = Audit(path)
    audit.write(Entry("r1", "enrol", "boss", "ada", references=(1, 2), client="192.0.2.7"))
    audit.write(Entry("r2", "rename", "boss", "ada", new_name="ida"))
    audit.write(Entry("r3", "identify", verdict="nobody"))
    first, second, third = lines(path)
    when = datetime.fromisoformat(first.pop("when"))
    assert abs((datetime.now(UTC) - when).total_seconds()) < 60
    assert first == {
        "request_id": "r1",
        "verb": "enrol",
        "key": "boss",
        "identity": "ada",
        "new_name": None,
        "references": [1, 2],
        "verdict": None,
        "client": "192.0.2.7",
    }
    assert (second["identity"], second["new_name"]) == ("ada", "ida")
    assert (third["key"], third["identity"], third["verdict"]) == (None, None, "nobody")
    assert path.stat().st_mode & 0o777 == 0o600


def test_no_name_forges_a_line(path: Path) -> None:
    audit = Audit(path)

    @given(st.text(max_size=30), st.text(max_size=30))
    def check(name: str, other: str) -> None:
        os.truncate(path, 0)
        for identity in (name, 'x"}\n{"verb": "remove"}\r\n\x1b[2J\u2028', other):
            audit.write(Entry("r", "verify", identity=identity))
        found = path.read_text("ascii").split("\n")
        assert found.pop() == ""
        assert [json.loads(line)["identity"] for line in found][::2] == [name, other]
        assert all(line.isprintable() for line in found)

    check()


def test_changes_are_on_the_disk_and_the_rest_with_the_system(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit, synced = Audit(path), []
    sync = os.fsync

    def record(file: int) -> None:
        assert os.path.samestat(os.fstat(file), path.stat())
        synced.append(lines(path)[-1]["verb"])
        sync(file)

    monkeypatch.setattr(os, "fsync", record)
    for verb in ("enrol", "identify", "remove", "list", "rename"):
        audit.write(Entry("r", verb))
    assert synced == ["enrol", "remove", "rename"]
    assert set(synced) == CHANGES
    assert len(lines(path)) == 5  # there, without closing


def test_a_moved_or_removed_file_is_begun_anew(path: Path) -> None:
    audit = Audit(path)
    audit.write(Entry("r1", "identify"))
    old = path.rename(path.with_suffix(".1"))
    audit.write(Entry("r2", "identify"))
    assert [one["request_id"] for one in lines(old)] == ["r1"]
    assert [one["request_id"] for one in lines(path)] == ["r2"]
    path.unlink()
    path.touch(mode=0o640)  # logrotate's `create`
    path.chmod(0o640)
    audit.write(Entry("r3", "enrol"))
    assert [one["request_id"] for one in lines(path)] == ["r3"]
    assert path.stat().st_mode & 0o777 == 0o640


def test_many_rotations_leave_no_files_open(path: Path) -> None:
    audit = Audit(path)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for _ in range(20):
        audit.write(Entry("r", "identify"))
        path.unlink()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_a_full_disk_is_told_and_the_next_line_is_whole(path: Path) -> None:
    audit = Audit(path)
    audit.write(Entry("r1", "enrol", identity="ada"))
    size = path.stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, hard))
    try:
        with pytest.raises(GalleryError, match=r"cannot write the audit log .*make room"):
            audit.write(Entry("r2", "enrol", identity="bob"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.stat().st_size == size + 10
    audit.write(Entry("r3", "enrol", identity="cleo"))
    first, torn, *rest = path.read_text().splitlines()
    assert [json.loads(one)["identity"] for one in (first, *rest)] == ["ada", "bob", "cleo"]
    assert len(torn) == 10
    audit.settle()
    assert len(path.read_text().splitlines()) == 4


def test_what_cannot_be_written_is_told_before_a_change(path: Path) -> None:
    audit = Audit(path)
    audit.write(Entry("r1", "enrol"))
    path.unlink()
    path.mkdir()
    with pytest.raises(GalleryError, match="cannot write the audit log"):
        audit.settle()
    with pytest.raises(GalleryError, match="cannot write the audit log"):
        audit.write(Entry("r2", "remove"))
    path.rmdir()
    audit.settle()
    assert [one["request_id"] for one in lines(path)] == ["r2"]


def test_what_was_torn_before_opening_is_ended_first(path: Path) -> None:
    path.write_text('{"when": "2')
    Audit(path).write(Entry("r", "identify"))
    assert path.read_text().startswith('{"when": "2\n{"when": "20')


def test_threads_write_whole_lines_one_by_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    audit, busy, write_now = Audit(path), threading.Lock(), os.write

    def write_alone(file: int, line: bytes) -> int:
        assert busy.acquire(blocking=False)
        time.sleep(0.0001)  # another thread may come now
        busy.release()
        return write_now(file, line)

    monkeypatch.setattr(os, "write", write_alone)

    def write(name: str) -> None:
        for number in range(50):
            audit.write(Entry(f"{name}{number}", "identify", identity=name * 200))

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = {f"{name}{number}" for name in "abcd" for number in range(50)}
    assert {one["request_id"] for one in lines(path)} == expected


def test_where_no_log_can_be(tmp_path: Path, path: Path) -> None:
    with pytest.raises(SettingsError, match="its folder must exist"):
        Audit(tmp_path / "none" / "a")
    with pytest.raises(SettingsError, match="cannot write the audit log"):
        Audit(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SettingsError, match="no regular file"):
        Audit(tmp_path / "pipe")
    audit = Audit(path)
    audit.close()
    with pytest.raises(GalleryError, match="cannot write the audit log"):
        audit.write(Entry("r", "list"))
