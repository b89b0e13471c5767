import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.data.orl_faces import content_digest, orl_faces
from gemel.data.sources import ORL_FACES
from gemel.errors import DataError

KEYS = [f"s{person}/{number}" for person in range(1, 41) for number in range(1, 11)]
PIXELS = np.random.default_rng(0).integers(0, 256, (400, 112, 92), dtype=np.uint8)
HEADER = b"P5\n92 112\n255\n"
FILES = {
    f"orl_faces/{key}.pgm": HEADER + picture.tobytes()
    for key, picture in zip(KEYS, PIXELS, strict=True)
}
FIRST = "orl_faces/s1/1.pgm"


def write(file: Path, files: Mapping[str, bytes], how: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(file, "w", how) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, how)
    return file


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        orl_faces(path)
    assert "`gemel fetch orl_faces`" in str(caught.value)
    return str(caught.value)


def test_pictures_come_person_by_person_whatever_their_order(tmp_path: Path) -> None:
    backwards = {"orl_faces/README": b"credit"} | dict(reversed(FILES.items()))
    items = orl_faces(write(tmp_path / "orl_faces.zip", backwards))
    assert np.array_equal(items.values, PIXELS)
    assert items.values.dtype == np.uint8
    assert items.labels.tolist() == [key.split("/")[0] for key in KEYS]
    assert items.origin(10) == "orl_faces.zip: orl_faces/s2/1.pgm"
    assert (items.name, items.kind, items.groups) == ("orl_faces", "images", None)


def test_every_packing_is_read_alike(tmp_path: Path) -> None:
    ours = write(tmp_path / "orl_faces.zip", FILES)
    (tmp_path / "published").mkdir()
    bare = {name.removeprefix("orl_faces/"): content for name, content in FILES.items()}
    extra = {"s1/": b"", "__MACOSX/s1/1.pgm": b"x", "s1/._1.pgm": b"x"}
    theirs = write(tmp_path / "published" / "att_faces.zip", extra | bare, zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(ours) as archive:
        archive.extractall(tmp_path / "plain")
    places = [ours, tmp_path, theirs, theirs.parent, tmp_path / "plain" / "orl_faces"]
    for place in places:
        assert np.array_equal(orl_faces(str(place)).values, PIXELS)
    assert content_digest(ours) == content_digest(theirs)
    assert orl_faces(places[-1]).origin(0) == str(places[-1] / "s1" / "1.pgm")


def test_the_digest_hangs_on_every_pixel(tmp_path: Path) -> None:
    one = content_digest(write(tmp_path / "a.zip", FILES))
    last = FILES[f"orl_faces/{KEYS[-1]}.pgm"]
    other = last[:-1] + bytes([last[-1] ^ 1])
    assert (
        content_digest(write(tmp_path / "b.zip", FILES | {f"orl_faces/{KEYS[-1]}.pgm": other}))
        != one
    )


@settings(max_examples=25)
@given(st.lists(st.sampled_from([b" ", b"\n", b"\t", b"\r\n", b"# 9 9 P5\n"]), min_size=3))
def test_headers_may_be_spaced_and_commented(
    tmp_path_factory: pytest.TempPathFactory, gaps: list[bytes]
) -> None:
    parts = [b"".join(gaps[place::3]) for place in range(3)]
    header = b"P5" + parts[0] + b"92" + parts[1] + b"112" + parts[2] + b"255\n"
    folder = tmp_path_factory.mktemp("faces")
    file = write(folder / "a.zip", FILES | {FIRST: header + PIXELS[0].tobytes()})
    assert np.array_equal(orl_faces(file).values[0], PIXELS[0])


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    assert "nowhere does not exist: expected orl_faces.zip, its folder" in refusal(
        tmp_path / "nowhere"
    )
    assert "got no s1/1.pgm (0 such files in all)" in refusal(tmp_path)


def test_a_truncated_zip_or_no_zip_is_described(tmp_path: Path) -> None:
    file = write(tmp_path / "orl_faces.zip", FILES)
    whole = file.read_bytes()
    for content in (whole[:-30], whole[: len(whole) // 2], b"<html>", b""):
        file.write_bytes(content)
        assert "orl_faces.zip cannot be read: expected a whole zip" in refusal(tmp_path)
        with pytest.raises(DataError, match="truncated, damaged or no zip"):
            content_digest(file)


def test_a_damaged_entry_is_named(tmp_path: Path) -> None:
    file = write(tmp_path / "orl_faces.zip", FILES)
    whole = bytearray(file.read_bytes())
    whole[200] ^= 255
    file.write_bytes(whole)
    assert f"orl_faces.zip: {FIRST} is damaged (Bad CRC-32" in refusal(file)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"orl_faces/s40/10.pgm": None}, "got no s40/10.pgm (399 such files in all)"),
        ({"orl_faces/s41/1.pgm": b"x"}, "got an unknown s41/1.pgm (401 such files in all)"),
        ({"orl_faces/s1/11.pgm": b"x"}, "got an unknown s1/11.pgm"),
        ({"again/s1/1.pgm": FILES[FIRST]}, "holds s1/1.pgm twice"),
        ({FIRST: FILES[FIRST][:-1]}, "expected 10,304 bytes of pixels, got 10,303"),
        ({FIRST: FILES[FIRST] + b"\0"}, "expected 10,304 bytes of pixels, got 10,305"),
        ({FIRST: b"P5\n112 92\n255\n" + bytes(10304)}, "got 112 x 92 x 255"),
        ({FIRST: b"P5\n92 112\n65535\n" + bytes(20608)}, "got 92 x 112 x 65535"),
        ({FIRST: b"P2\n92 112\n255\n1 2"}, r"got b'P2\n92 11'"),
        ({FIRST: b""}, "got b''"),
        ({FIRST: bytes(200_000)}, "has 200,000 bytes; expected at most 100,000"),
    ],
)
def test_a_wrong_file_is_described(
    tmp_path: Path, change: dict[str, bytes | None], message: str
) -> None:
    files = {name: content for name, content in (FILES | change).items() if content is not None}
    assert message in refusal(write(tmp_path / "orl_faces.zip", files))


def test_the_published_faces(data_folder: Callable[[str], Path]) -> None:
    folder = data_folder("orl_faces")
    faces = orl_faces(folder)
    assert faces.values.shape == (400, 112, 92)
    assert np.bincount(faces.class_ids).tolist() == [10] * 40
    assert len({picture.tobytes() for picture in faces.values}) == 400
    means = faces.values.mean((1, 2))
    assert (round(means.min()), round(means.max())) == (77, 148)  # as its README says
    assert content_digest(folder / "orl_faces.zip") == ORL_FACES.files[0].content
