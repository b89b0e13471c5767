import hashlib
import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from gemel.data.omniglot import content_digest, lake_runs, omniglot
from gemel.data.sources import OMNIGLOT
from gemel.errors import DataError, SettingsError

Files = dict[str, bytes]


def drawing(seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).choice(np.array([0, 255], np.uint8), (105, 105))


def png(pixels: NDArray[np.uint8], *, mode: str = "1") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(stream, "PNG")
    return stream.getvalue()


def chunks(*parts: tuple[bytes, bytes]) -> bytes:
    """A PNG of the given chunks, checksums and all."""
    packed = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


HEADER = struct.pack(">IIBBBBB", 105, 105, 1, 0, 0, 0, 0)


def write(file: Path, files: Mapping[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(file, "w", how) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, how)
    return file


def drawings(top: str = "images_background") -> Files:
    """Two alphabets of one and two characters, two drawers each, in no order."""
    names = [
        "Latin/character02/0684_20.png",
        "Greek/character01/0394_01.png",
        "Greek/character01/0394_12.png",
        "Latin/character02/0684_03.png",
        "Latin/character01/0683_03.png",
        "Latin/character01/0683_20.png",
    ]
    return {f"{top}/{name}": png(drawing(seed)) for seed, name in enumerate(names)}


def runs(prefix: str = "", count: int = 20) -> Files:
    """Fake runs: the references of run r are drawings 40r..., its answers are shifted by r."""
    files: Files = {}
    for run in range(1, count + 1):
        name = f"run{run:02}"
        for place in range(20):
            files[f"{prefix}{name}/test/item{place + 1:02}.png"] = SMALL[(run + place) % 20]
            files[f"{prefix}{name}/training/class{place + 1:02}.png"] = SMALL[place]
        lines = [
            f"{name}/test/item{place + 1:02}.png "
            f"{name}/training/class{(run + place) % 20 + 1:02}.png"
            for place in range(20)
        ]
        files[f"{prefix}{name}/class_labels.txt"] = "\n".join(lines).encode() + b"\n"
    return files


SMALL = [png(drawing(100 + place)) for place in range(20)]


def test_drawings_come_sorted_with_their_facts(tmp_path: Path) -> None:
    write(tmp_path / "images_background.zip", drawings())
    items = omniglot(tmp_path)
    assert items.labels.tolist() == [
        *("Greek/character01", "Greek/character01", "Latin/character01"),
        *("Latin/character01", "Latin/character02", "Latin/character02"),
    ]
    assert items.groups is not None
    assert items.groups.tolist() == ["Greek", "Greek", "Latin", "Latin", "Latin", "Latin"]
    assert items.details["drawer"].tolist() == [1, 12, 3, 20, 3, 20]
    assert items.details["drawer"].dtype == np.int64
    assert items.values.dtype == np.uint8
    assert np.array_equal(items.values, np.stack([drawing(n) for n in (1, 2, 4, 5, 3, 0)]))
    assert items.origin(2) == (
        "images_background.zip: images_background/Latin/character01/0683_03.png"
    )
    assert items.name == "omniglot/background"
    assert items.kind == "images"


def test_both_packings_read_alike(tmp_path: Path) -> None:
    published = write(
        tmp_path / "published.zip",
        {
            "images_background/": b"",
            "images_background/Greek/": b"",
            "images_background/.DS_Store": b"x",
            "__MACOSX/images_background/Greek/character01/._0394_01.png": b"x",
            "images_background/Greek/character01/._0394_01.png": b"x",
            **drawings(),
        },
    )
    ordered = dict(sorted(drawings("data/images_background").items()))
    repacked = write(tmp_path / "repacked.zip", ordered, zipfile.ZIP_STORED)
    one, two = omniglot(published), omniglot(str(repacked))
    assert np.array_equal(one.values, two.values)
    assert one.labels.tolist() == two.labels.tolist()
    assert one.details["drawer"].tolist() == two.details["drawer"].tolist()
    assert content_digest(published) == content_digest(repacked)


@pytest.mark.parametrize(
    ("part", "top"),
    [
        ("background", "images_background"),
        ("evaluation", "images_evaluation"),
        ("small1", "images_background_small1"),
        ("small2", "images_background_small2"),
    ],
)
def test_each_part_is_found_in_a_folder_and_known_by_its_zip(
    tmp_path: Path, part: str, top: str
) -> None:
    file = write(tmp_path / f"{top}.zip", drawings(top))
    assert omniglot(tmp_path, part=part).name == f"omniglot/{part}"
    assert omniglot(file).name == f"omniglot/{part}"


def test_a_zip_of_several_parts_needs_one_named(tmp_path: Path) -> None:
    extra = {"images_evaluation/Angelic/character01/0965_07.png": png(drawing(9))}
    file = write(tmp_path / "all.zip", drawings() | extra)
    with pytest.raises(DataError, match="holds background, evaluation; expected one part"):
        omniglot(file)
    assert omniglot(file, part="evaluation").labels.tolist() == ["Angelic/character01"]
    with pytest.raises(DataError, match="expected the part 'small1': name one with `part`"):
        omniglot(file, part="small1")


def test_an_unknown_part_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no part 'test' in Omniglot; there are background, ev"):
        omniglot(tmp_path, part="test")


def test_missing_files_are_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"no images_background\.zip in .* got no zip at all; .*gemel"
    ):
        omniglot(tmp_path)
    write(tmp_path / "images_background.zip", drawings())
    with pytest.raises(DataError, match=r"no all_runs\.zip in .* got images_background\.zip"):
        lake_runs(tmp_path)
    with pytest.raises(DataError, match=r"nowhere does not exist: .*`gemel fetch omniglot`"):
        omniglot(tmp_path / "nowhere")


def test_a_truncated_zip_or_no_zip_is_described(tmp_path: Path) -> None:
    file = write(tmp_path / "images_background.zip", drawings())
    whole = file.read_bytes()
    for content in (whole[:-30], whole[: len(whole) // 2], b"<html>", b""):
        file.write_bytes(content)
        for read in (omniglot, content_digest):
            with pytest.raises(DataError, match=r"images_background\.zip cannot be read: expected"):
                read(file)


def test_a_damaged_entry_is_named(tmp_path: Path) -> None:
    for how in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        file = write(tmp_path / "images_background.zip", drawings(), how)
        whole = bytearray(file.read_bytes())
        whole[300:310] = bytes(10)  # inside the first entry's data
        file.write_bytes(whole)
        with pytest.raises(DataError, match=r"Latin/character02/0684_20\.png is damaged .*fetch"):
            omniglot(file)


def test_an_encrypted_entry_is_named(tmp_path: Path) -> None:
    file = write(tmp_path / "images_background.zip", drawings(), zipfile.ZIP_STORED)
    whole = bytearray(file.read_bytes())
    directory = whole.index(b"PK\x01\x02")
    whole[6] |= 1
    whole[directory + 8] |= 1
    file.write_bytes(whole)
    with pytest.raises(DataError, match=r"0684_20\.png is damaged .*encrypted"):
        omniglot(file)


@pytest.mark.parametrize(
    ("files", "got"),
    [
        ({}, "got an empty zip"),
        ({"notes.txt": b"x"}, "got notes.txt"),
        ({"photos/cat.png": SMALL[0]}, "got photos/cat.png"),
        (drawings() | {"images_background/Greek/cat.png": SMALL[0]}, "Greek/cat.png"),
        (drawings("images_other"), "images_other/Latin"),
        ({"run01/test/item01.png": SMALL[0]}, "run01/test/item01.png"),
    ],
)
def test_a_zip_that_is_not_omniglot_is_refused(tmp_path: Path, files: Files, got: str) -> None:
    file = write(tmp_path / "images_background.zip", files)
    with pytest.raises(
        DataError, match=r"is not Omniglot: expected names such as images_b"
    ) as error:
        omniglot(file)
    assert got in str(error.value)
    assert "gemel fetch omniglot" in str(error.value)


def test_a_name_that_stands_twice_is_refused(tmp_path: Path) -> None:
    twice = drawings() | {"copy/images_background/Greek/character01/0394_01.png": SMALL[0]}
    file = write(tmp_path / "images_background.zip", twice)
    with pytest.raises(DataError, match=r"holds images_background/Greek/\S+ twice"):
        omniglot(file)


def bomb() -> bytes:
    rows = zlib.compress(bytes(20_000 * 2501))
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 1, 0, 0, 0, 0)
    return chunks((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (png(np.zeros((28, 28), np.uint8)), "expected a PNG of 105 x 105 pixels, got .* 28 x 28"),
        (bomb(), "expected a PNG of 105 x 105 pixels, got .* 20000 x 20000"),
        (bytes(200_000), "unpacks to 200,000 bytes; expected at most 100,000"),
        (b"\x89PNG\r\n\x1a\n", "that say 0 x 0"),
        (b"GIF89a" + SMALL[0][6:], "expected a PNG"),
        (SMALL[0][:60], "is damaged"),
        (chunks((b"IHDR", HEADER), (b"IDAT", b"junk"), (b"IEND", b"")), "is damaged"),
        (chunks((b"IHDR", HEADER), (b"IEND", b"")), "is damaged"),
        (chunks((b"IHDR", HEADER), (b"IDAT", zlib.compress(bytes(99)))), "is damaged"),
        (chunks((b"IHDR", HEADER[:-1])), "is damaged"),
    ],
)
def test_a_bad_drawing_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    name = "images_background/Greek/character01/0394_05.png"
    file = write(tmp_path / "images_background.zip", drawings() | {name: content})
    with pytest.raises(DataError, match=message) as error:
        omniglot(file)
    assert f"{file}: {name}" in str(error.value)


def filtered(pixels: NDArray[np.uint8]) -> bytes:
    """A one-bit PNG whose rows are stored as differences to the row above (filter 2)."""
    rows = np.packbits(pixels > 0, axis=1)
    above = np.vstack([np.zeros((1, 14), np.uint8), rows[:-1]])
    stored = np.hstack([np.full((105, 1), 2, np.uint8), rows - above]).tobytes()
    data = zlib.compress(stored)
    split = [(b"IDAT", data[:50]), (b"IDAT", data[50:])]
    return chunks((b"IHDR", HEADER), *split, (b"IEND", b""))


def test_any_png_gives_the_same_pixels(tmp_path: Path) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "packed again")
    stream = io.BytesIO()
    Image.fromarray(drawing(7)).convert("1").save(stream, "PNG", pnginfo=text)
    kinds = [
        png(drawing(7)),
        png(drawing(7), mode="L"),
        png(drawing(7), mode="RGB"),
        png(drawing(7), mode="P"),
        filtered(drawing(7)),
        stream.getvalue(),
    ]
    files = {f"images_evaluation/A/character01/0965_{n:02}.png": k for n, k in enumerate(kinds)}
    items = omniglot(write(tmp_path / "images_evaluation.zip", files))
    for values in items.values:
        assert np.array_equal(values, drawing(7))


def test_the_digest_sees_every_change(tmp_path: Path) -> None:
    def digest(files: Files) -> str:
        return content_digest(write(tmp_path / "any.zip", files))

    name, other = list(drawings())[:2]
    pixels = drawing(0)
    pixels[50, 60] ^= 255
    renamed = {n.replace("character02", "character03"): c for n, c in drawings().items()}
    swapped = drawings() | {name: drawings()[other], other: drawings()[name]}
    variants = [
        drawings(),
        drawings() | {name: png(pixels)},
        {n: c for n, c in drawings().items() if n != name},
        renamed,
        swapped,
    ]
    assert len({digest(files) for files in variants}) == len(variants)
    assert digest(drawings()) == digest(drawings() | {"README.txt": b"how this was packed"})
    assert digest(drawings()) == digest(drawings() | {name: png(drawing(0), mode="L")})


def test_the_digest_of_runs_covers_the_answers(tmp_path: Path) -> None:
    plain = content_digest(write(tmp_path / "a.zip", runs(count=3)))
    moved = runs("all_runs/", count=3)
    labels = "all_runs/run03/class_labels.txt"
    moved[labels] = moved[labels].replace(b"\n", b"\r\n")
    assert content_digest(write(tmp_path / "b.zip", moved)) == plain
    moved[labels] = moved[labels].replace(b"class09", b"class08")
    assert content_digest(write(tmp_path / "c.zip", moved)) != plain


@pytest.mark.parametrize("prefix", ["", "all_runs/"])
def test_runs_are_read_with_their_answers(tmp_path: Path, prefix: str) -> None:
    write(tmp_path / "all_runs.zip", runs(prefix))
    read = lake_runs(tmp_path)
    assert [run.name for run in read] == [f"run{number:02}" for number in range(1, 21)]
    for number, run in enumerate(read, start=1):
        assert run.references.shape == run.queries.shape == (20, 105, 105)
        assert run.answers.dtype == np.int64
        assert run.answers.tolist() == [(number + place) % 20 for place in range(20)]
        assert np.array_equal(run.references[3], drawing(103))
        assert np.array_equal(run.references[run.answers], run.queries)
    assert len(lake_runs(tmp_path / "all_runs.zip")) == 20


def test_runs_that_are_not_all_there_are_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "all_runs.zip", runs(count=19))
    with pytest.raises(DataError, match=r"does not hold Lake's one-shot runs: .* got no run20/cl"):
        lake_runs(file)
    files = runs()
    del files["run07/test/item03.png"]
    with pytest.raises(DataError, match=r"got no run07/test/item03\.png"):
        lake_runs(write(file, files))
    with pytest.raises(DataError, match=r"got an unknown run21/class_labels\.txt"):
        lake_runs(write(file, runs(count=21)))
    with pytest.raises(
        DataError, match=r"is not the zip of Lake's one-shot runs: .* images_backgr"
    ):
        lake_runs(write(file, drawings()))


LINE = b"run02/test/item05.png run02/training/class07.png\n"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (b"run02/test/item05.png\n", "line 5: expected a new query and its reference, as "),
        (
            b"run02/test/item04.png run02/training/class07.png\n",
            "line 5: .* got 'run02/test/item04",
        ),
        (b"run03/test/item05.png run02/training/class07.png\n", "line 5: "),
        (b"run02/test/item05.png run03/training/class07.png\n", "line 5: "),
        (b"run02/test/item05.png run02/test/item07.png\n", "line 5: "),
        (b"run02/training/class07.png run02/test/item05.png\n", "line 5: "),
        (b"run02/test/item05.png class 7 \xff\n", "line 5: "),
        (b"run02/test/item05.png run02/training/class07.png twice\n", "line 5: "),
        (b"\nrun02/test/item05.png\n", "line 6: "),
        (b"\n", r"gives no answer for run02/test/item05\.png"),
    ],
)
def test_a_wrong_answer_line_is_named(tmp_path: Path, wrong: bytes, message: str) -> None:
    files = runs()
    assert LINE in files["run02/class_labels.txt"]
    files["run02/class_labels.txt"] = files["run02/class_labels.txt"].replace(LINE, wrong)
    with pytest.raises(DataError, match=rf"all_runs\.zip: run02/class_labels\.txt .*{message}"):
        lake_runs(write(tmp_path / "all_runs.zip", files))


def test_the_published_background(data_folder: Callable[[str], Path]) -> None:
    items = omniglot(data_folder("omniglot"))
    assert items.values.shape == (19_280, 105, 105)
    assert len(items.classes) == 964
    assert items.groups is not None
    assert len(set(items.groups.tolist())) == 30
    assert items.details["drawer"].tolist() == list(range(1, 21)) * 964
    assert 0.9 < (items.values[:1000] == 255).mean() < 1  # mostly paper
    # The one oddity of the set: two people drew Braille's single dot alike.
    braille = items.values[items.labels == "Braille/character01"]
    assert np.array_equal(braille[2], braille[18])
    # What a download is compared with: the digest of names and pixels, built up here anew.
    total = hashlib.sha256()
    for origin, values in zip(items.origins or (), items.values, strict=True):
        total.update(origin.removeprefix("images_background.zip: ").encode() + b"\0")
        total.update(values)
    assert total.hexdigest() == OMNIGLOT.files[0].content


def test_the_published_small_parts_lie_in_the_background(
    data_folder: Callable[[str], Path],
) -> None:
    with zipfile.ZipFile(data_folder("omniglot") / "images_background_small2.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".png"))
        items = omniglot(data_folder("omniglot"), part="small2")
        assert len(items) == len(names) == 3_120
        for place in range(0, 3_120, 13):  # decoded by Pillow, one by one
            with archive.open(names[place]) as stream, Image.open(stream) as picture:
                assert np.array_equal(items.values[place], np.asarray(picture) * np.uint8(255))
            assert items.origin(place).endswith(names[place])


def test_the_published_runs_and_answers(data_folder: Callable[[str], Path]) -> None:
    read = lake_runs(data_folder("omniglot"))
    assert len(read) == 20
    first = [8, 9, 2, 19, 10, 18, 13, 1, 4, 11, 17, 3, 20, 7, 12, 5, 6, 15, 14, 16]
    assert (read[0].answers + 1).tolist() == first  # class_labels.txt of run01
    with zipfile.ZipFile(data_folder("omniglot") / "all_runs.zip") as archive:
        for run in read:
            lines = archive.read(f"{run.name}/class_labels.txt").decode().split("\n")
            for query, answer in enumerate(run.answers):
                assert lines[query] == (
                    f"{run.name}/test/item{query + 1:02}.png "
                    f"{run.name}/training/class{answer + 1:02}.png"
                )
            with archive.open(f"{run.name}/test/item07.png") as stream:
                pixels = np.asarray(Image.open(stream)) * np.uint8(255)
            assert np.array_equal(run.queries[6], pixels)
            assert sorted(run.answers.tolist()) == list(range(20))
