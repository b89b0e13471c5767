"""Out of one gallery and into another; and files that were made to do harm."""

import json
from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest
from small_galleries import DIM, Place, drawn_rows, numbers_model, open_numbers, pictures_model

from gemel import Gallery, Items, Siamese, metrics
from gemel.errors import GalleryError

Members = dict[str, bytes]


def members(path: Path) -> Members:
    with ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(path: Path, contents: Members) -> Path:
    with ZipFile(path, "w") as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    return path


@pytest.fixture
def exported(tmp_path: Path, place: Place, model: Siamese) -> Path:
    with open_numbers(place, model, drawn_rows(5, 0), list("abcab")) as gallery:
        gallery.enrol("d", np.ones(DIM), note="at the door")
        assert gallery.export(tmp_path / "office.zip") == 6
    return tmp_path / "office.zip"


def test_there_and_back(exported: Path, second: Place, place: Place, model: Siamese) -> None:
    with Gallery.open(second, model) as other, Gallery.open(place, model) as gallery:
        found = other.import_(exported)
        assert (found.added, found.present) == (6, 0)
        assert other.list() == gallery.list()
        assert other.nearest(np.zeros(DIM)) == gallery.nearest(np.zeros(DIM))
        again = other.import_(exported)
        assert (again.added, again.present) == (0, 6)
        assert other.check() == ()


def test_other_programs_can_read_it(exported: Path, model: Siamese) -> None:
    found = members(exported)
    header = json.loads(found["gallery.json"])
    assert header["fingerprint"] == model.fingerprint
    lines = [json.loads(line) for line in found["references.jsonl"].splitlines()]
    assert [line["identity"] for line in lines] == list("abcabd")
    assert lines[-1]["note"] == "at the door"
    place = exported.with_suffix(".npy")
    place.write_bytes(found["embeddings.npy"])
    wanted = np.concatenate([drawn_rows(5, 0), np.ones((1, DIM), np.float32)])
    np.testing.assert_array_equal(np.load(place, allow_pickle=False), wanted)


def test_what_other_programs_write(
    exported: Path, tmp_path: Path, second: Place, model: Siamese
) -> None:
    contents = members(exported)
    np.save(tmp_path / "x.npy", np.concatenate([drawn_rows(5, 0), np.ones((1, DIM), "f4")]))
    contents["embeddings.npy"] = (tmp_path / "x.npy").read_bytes()
    with Gallery.open(second, model) as other:
        assert other.import_(zipped(tmp_path / "x.zip", contents)).added == 6


def test_originals_travel(new_place: Callable[[], Place], few: Items, tmp_path: Path) -> None:
    place, second, third, fourth = (new_place() for _ in range(4))
    model = pictures_model()
    file = tmp_path / "with.zip"
    with Gallery.open(place, model, keep_originals=True) as gallery:
        gallery.enrol_items(few)
        gallery.export(file)
        wanted = [(gallery.original(one), gallery.thumbnail(one)) for one in range(1, 37)]
    with Gallery.open(second, model, keep_originals=True) as other:
        assert other.import_(file).added == 36
        assert [(other.original(one), other.thumbnail(one)) for one in range(1, 37)] == wanted
    with Gallery.open(third, model) as other:
        assert other.import_(file).added == 36
        assert other.original(1) is None
        other.export(tmp_path / "without.zip")
    with (
        Gallery.open(second, model, keep_originals=True) as other,
        pytest.raises(GalleryError, match="holds no originals"),
    ):
        other.import_(tmp_path / "without.zip")
    contents = members(file)
    contents["originals/3"] = b"no picture"
    with Gallery.open(fourth, model, keep_originals=True) as other:
        with pytest.raises(GalleryError, match=r"line 4 of .*its original"):
            other.import_(zipped(tmp_path / "x.zip", contents))
        assert other.stats().references == 0
    del contents["originals/3"]
    with (
        Gallery.open(fourth, model) as other,
        pytest.raises(GalleryError, match="expected 36 originals"),
    ):
        other.import_(zipped(tmp_path / "x.zip", contents))


def test_another_model(exported: Path, second: Place) -> None:
    with (
        Gallery.open(second, numbers_model(metrics.Cosine())) as other,
        pytest.raises(GalleryError, match="belongs to the model"),
    ):
        other.import_(exported)


def with_header(**changes: object) -> Callable[[Members], None]:
    def change(contents: Members) -> None:
        header = json.loads(contents["gallery.json"]) | changes
        contents["gallery.json"] = json.dumps(header).encode()

    return change


def with_line(**changes: object) -> Callable[[Members], None]:
    def change(contents: Members) -> None:
        lines = contents["references.jsonl"].splitlines(keepends=True)
        lines[4] = json.dumps(json.loads(lines[4]) | changes).encode() + b"\n"
        contents["references.jsonl"] = b"".join(lines)

    return change


def with_member(name: str, data: bytes | Callable[[bytes], bytes]) -> Callable[[Members], None]:
    def change(contents: Members) -> None:
        contents[name] = data(contents[name]) if callable(data) else data

    return change


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (lambda contents: contents.pop("embeddings.npy"), "expected the members"),
        (with_member("../../evil", b"x"), "expected 0 originals and nothing else"),
        (with_member("gallery.json", b"["), "is no JSON"),
        (with_member("gallery.json", b"[" * 30_000), "is no JSON"),
        (with_member("gallery.json", b"[]"), "is no JSON object"),
        (with_member("gallery.json", b" " * 40_000), "is too long"),
        (with_header(format=3), "format 3"),
        (with_header(format="1"), "format 1"),
        (with_header(dim=True), "`dim`"),
        (with_header(count=-6), r"is not \[-6, 6\]"),
        (with_header(count=5), r"is not \[5, 6\]"),
        (with_header(count=10**15, dim=0), "is not"),
        (with_header(count=10**9, originals=False), "is not"),
        (with_header(dim=7), r"is not \[6, 7\]"),
        (with_member("embeddings.npy", lambda data: data[:-1]), "is not"),
        (with_member("embeddings.npy", lambda data: data + b"x"), "is not"),
        (with_member("embeddings.npy", b"x" * 500), "embeddings.npy"),
        (with_member("embeddings.npy", lambda data: data.replace(b"<f4", b"|O8")), "is not"),
        (with_member("embeddings.npy", lambda data: data[:-4] + b"\x00\x00\xc0\x7f"), "not finite"),
        (with_member("references.jsonl", lambda data: data + data), "more than 6 lines"),
        (with_member("references.jsonl", lambda data: data[:-10]), "line 6 of"),
        (with_member("references.jsonl", lambda data: b"x" * 90_000), "line 1 of"),
        (with_line(extra=1), "line 5 of references.jsonl must hold"),
        (with_line(identity="a\nb"), "U\\+000A"),
        (with_line(identity=3), "line 5 of"),
        (with_line(identity="x" * 300), "300 characters"),
        (with_line(note=3), "line 5 of"),
        (with_line(digest="00"), "line 5 of"),
        (with_line(digest="x" * 32), "line 5 of"),
        (with_line(enrolled="<script>"), "line 5 of"),
        (with_line(enrolled=None), "line 5 of"),
    ],
)
def test_hostile(
    exported: Path,
    tmp_path: Path,
    second: Place,
    model: Siamese,
    change: Callable[[Members], object],
    wrong: str,
) -> None:
    contents = members(exported)
    change(contents)
    file = zipped(tmp_path / "x.zip", contents)
    with Gallery.open(second, model) as other:
        with pytest.raises(GalleryError, match=wrong) as caught:
            other.import_(file)
        assert "Nothing of it was stored" in str(caught.value)
        assert other.stats().references == 0


def test_a_bomb_a_text_and_a_broken_zip(
    exported: Path, tmp_path: Path, second: Place, model: Siamese
) -> None:
    bomb, text, broken = (tmp_path / name for name in ("bomb.zip", "text.zip", "broken.zip"))
    with ZipFile(bomb, "w", ZIP_DEFLATED) as archive:
        for name, data in members(exported).items():
            archive.writestr(name, data)
    text.write_text("no zip")
    whole = bytearray(exported.read_bytes())
    place = whole.find(b"at the door")
    whole[place] ^= 1
    broken.write_bytes(whole)
    with Gallery.open(second, model) as other:
        for file, wrong in (
            (bomb, "without compression"),
            (text, "not a zip"),
            (broken, "CRC"),
            (tmp_path / "absent", "No such file"),
        ):
            with pytest.raises(GalleryError, match=wrong):
                other.import_(file)
        assert other.stats().references == 0


def test_a_place_that_cannot_be_written(
    exported: Path, place: Place, tmp_path: Path, model: Siamese
) -> None:
    with Gallery.open(place, model) as gallery:
        with pytest.raises(GalleryError, match="cannot write"):
            gallery.export(tmp_path / "no" / "such.zip")
        with pytest.raises(GalleryError, match="cannot write"):
            gallery.export(tmp_path, overwrite=True)
    assert not list(tmp_path.glob(".*"))


def test_what_is_there_is_kept(place: Place, tmp_path: Path, model: Siamese) -> None:
    file = tmp_path / "report.html"
    file.write_text("dear")
    with Gallery.open(place, model) as gallery:
        with pytest.raises(GalleryError, match="already; name another, or replace it"):
            gallery.export(file)
        assert file.read_text() == "dear"
        assert gallery.export(file, overwrite=True) == 0
    assert file.read_bytes().startswith(b"PK")
    assert file.stat().st_mode & 0o777 == 0o600
