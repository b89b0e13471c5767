import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from gemel.data import read_pen, svc2004
from gemel.errors import DataError

RNG = np.random.default_rng(0)


def signature(points: int) -> bytes:
    """A made-up file of Task 2, as the organisers wrote theirs."""
    rows = RNG.integers(0, 1000, (points, 7))
    rows[:, 2] = 123_456 + 10 * np.arange(points)
    rows[:, 3] = RNG.integers(0, 2, points)
    lines = [str(points), *(" ".join(map(str, row)) for row in rows.tolist())]
    return "\n".join(lines).encode()


FILES = {
    f"U{signer}S{number}.TXT": signature(3 + (signer + number) % 5)
    for signer in range(1, 41)
    for number in range(1, 41)
}


def write(file: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        svc2004(path)
    return str(caught.value)


def test_signatures_come_signer_by_signer_whatever_their_order(tmp_path: Path) -> None:
    backwards = {"README": b"terms"} | {f"Task2/{key}": FILES[key] for key in reversed(FILES)}
    items = svc2004(write(tmp_path / "Task2.zip", backwards))
    assert (items.name, items.kind, len(items)) == ("svc2004", "pens", 1600)
    for item, (name, raw) in enumerate(FILES.items()):
        signer, number = divmod(item, 40)
        own = f"U{signer + 1:02}"
        assert items.origin(item) == f"Task2.zip: Task2/{name}"
        assert items.groups[item] == own
        assert items.labels[item] == (own if number < 20 else f"{own} forged")
        assert items.details["genuine"][item] == (number < 20)
        assert items.details["session"][item] == (1 if number < 10 else 2 if number < 20 else 0)
        assert np.array_equal(items.values[item].x, read_pen(raw).x)
    (tmp_path / "plain").mkdir()
    for name, raw in FILES.items():
        (tmp_path / "plain" / name.lower()).write_bytes(raw)
    loose = svc2004(tmp_path / "plain")
    assert all(
        np.array_equal(one.t, other.t) and np.array_equal(one.pressure, other.pressure)
        for one, other in zip(items.values, loose.values, strict=True)
    )
    assert svc2004(tmp_path).labels.tolist() == loose.labels.tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"U40S40.TXT": None}, "1 of 1600 files are missing, such as U40S40.TXT"),
        ({"U2S3.TXT": FILES["U2S3.TXT"][:-60]}, "U2S3.TXT: its first line promises"),
        ({"U2S3.TXT": b""}, "U2S3.TXT: expected a pen recording"),
        ({"U2S3.TXT": b"\xff\xfe"}, "U2S3.TXT: expected a pen recording as text"),
        ({"U2S3.TXT": b" " * 1_000_001}, "more than 1,000,000 bytes"),
    ],
)
def test_a_wrong_file_is_described(
    tmp_path: Path, change: dict[str, bytes | None], message: str
) -> None:
    files = {name: raw for name, raw in (FILES | change).items() if raw is not None}
    assert message in refusal(write(tmp_path / "Task2.zip", files))


def test_what_is_not_there_or_damaged_is_said(tmp_path: Path) -> None:
    assert "nowhere does not exist: expected Task2.zip or a folder" in refusal(tmp_path / "nowhere")
    assert "1600 of 1600 files are missing" in refusal(tmp_path)
    file = write(tmp_path / "Task2.zip", FILES)
    whole = file.read_bytes()
    for content in (whole[:-30], whole[: len(whole) // 2], b"<html>", b""):
        file.write_bytes(content)
        assert "Task2.zip cannot be read: expected a whole Task2.zip" in refusal(tmp_path)
    torn = bytearray(whole)
    torn[60] ^= 255
    file.write_bytes(torn)
    assert "Task2.zip cannot be read" in refusal(tmp_path)


def test_the_published_signatures(data_folder: Callable[[str], Path]) -> None:
    items = svc2004(data_folder("svc2004"))
    assert np.bincount(items.class_ids).tolist() == [20] * 80
    assert len(set(items.groups.tolist())) == 40
    # as counted by reading the files line by line
    assert (items.details["still"] > 0).sum() == 431
    assert (items.details["back"] > 0).sum() == 13
    for recording in items.values:
        assert (np.diff(recording.t) > 0).all()
        assert recording.down.any()
