"""CIFAR-10 in the publisher's binary batches, packed and plain, and as a zip of pictures."""

import io
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gemel.data.cifar10 import ARCHIVE, BATCHES, CLASSES, FOLDER, RECORD, RECORDS, cifar10
from gemel.errors import DataError, SettingsError

NAMES = [name for names in BATCHES.values() for name in names]


def batch(seed: int) -> bytes:
    """A batch whose pixels are 0, but for a few records; the classes go round."""
    rows = np.zeros((RECORDS, RECORD), dtype=np.uint8)
    rows[:, 0] = (np.arange(RECORDS) + seed) % 10
    rows[:3, 1:] = np.random.default_rng(seed).integers(0, 256, (3, RECORD - 1))
    return rows.tobytes()


def slow_pixel(content: bytes, record: int, row: int, column: int) -> list[int]:
    first = record * RECORD + 1 + 32 * row + column
    return [content[first + plane * 1024] for plane in range(3)]


@pytest.fixture(scope="module")
def batches() -> dict[str, bytes]:
    return {name: batch(seed) for seed, name in enumerate(NAMES)}


@pytest.fixture(scope="module")
def plain(batches: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cifar") / FOLDER
    folder.mkdir()
    for name, content in batches.items():
        (folder / name).write_bytes(content)
    return folder


def pack(file: Path, files: Mapping[str, bytes]) -> Path:
    with tarfile.open(file, "w:gz", compresslevel=1) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(f"{FOLDER}/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file


def picture(value: object, kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.asarray(value)).save(stream, kind)
    return stream.getvalue()


def zipped(file: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file


def test_batches_are_read_in_order(plain: Path, batches: dict[str, bytes]) -> None:
    items = cifar10(plain)
    assert items.values.shape == (50_000, 32, 32, 3)
    assert (items.name, items.kind, len(items.classes)) == ("cifar10/train", "images", 10)
    for number, name in enumerate(BATCHES["train"]):
        for record in (0, 2, 9999):
            at = RECORDS * number + record
            assert items.labels[at] == CLASSES[batches[name][record * RECORD]]
            for row, column in ((0, 0), (0, 31), (17, 4)):
                expected = slow_pixel(batches[name], record, row, column)
                assert items.values[at, row, column].tolist() == expected
    test = cifar10(plain.parent, part="test")
    assert test.values.shape == (10_000, 32, 32, 3)
    assert test.values[1, 5, 6].tolist() == slow_pixel(batches["test_batch.bin"], 1, 5, 6)


def test_the_archive_is_read_as_it_is(
    plain: Path, batches: dict[str, bytes], tmp_path: Path
) -> None:
    extra = {"readme.html": b"<html>", "batches.meta.txt": b"airplane\n"}
    file = pack(tmp_path / ARCHIVE, dict(reversed(batches.items())) | extra)
    for place in (file, tmp_path):
        for part in BATCHES:
            found, known = cifar10(str(place), part=part), cifar10(plain, part=part)
            assert np.array_equal(found.values, known.values)
            assert np.array_equal(found.labels, known.labels)


def test_pictures_come_class_by_class(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    files = {
        "x/train/truck/0001.png": picture(pixels[3]),
        "x/train/truck/0000.png": picture(pixels[2]),
        "x/train/bird/0007.png": picture(pixels[1]),
        "x/test/bird/0000.jpg": picture(np.full((32, 32, 3), 90, np.uint8), "JPEG"),
        "x/train/airplane/0003.png": picture(pixels[0]),
        "x/train/README.md": b"not a picture",
        "__MACOSX/x/train/bird/0007.png": b"no picture either",
    }
    zipped(tmp_path / "any name.zip", files)
    items = cifar10(tmp_path)
    assert np.array_equal(items.values, pixels)
    assert items.labels.tolist() == ["airplane", "bird", "truck", "truck"]
    assert items.origin(1) == "any name.zip: train/bird/0007"
    test = cifar10(tmp_path, part="test")
    assert test.labels.tolist() == ["bird"]
    assert abs(test.values.astype(int) - 90).max() <= 2


def refusal(path: Path, part: str = "test") -> str:
    with pytest.raises(DataError) as caught:
        cifar10(path, part=part)
    assert "gemel fetch cifar10" in str(caught.value)
    return str(caught.value)


def test_an_unknown_part_is_refused(plain: Path) -> None:
    with pytest.raises(SettingsError, match=r"no part 'dev' in CIFAR-10; there are train, test"):
        cifar10(plain, part="dev")


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    assert "nowhere; got no such folder" in refusal(tmp_path / "nowhere")
    assert "got none of them" in refusal(tmp_path)
    for name in ("a.zip", "b.zip"):
        zipped(tmp_path / name, {})
    assert "one zip of pictures in" in refusal(tmp_path)
    assert "got a.zip, b.zip" in refusal(tmp_path)
    (tmp_path / "b.zip").unlink()
    assert "a.zip holds no picture of CIFAR-10's test part" in refusal(tmp_path)


def test_a_missing_batch_is_named(plain: Path, batches: dict[str, bytes], tmp_path: Path) -> None:
    few = {name: content for name, content in batches.items() if name != "data_batch_3.bin"}
    assert "holds no data_batch_3.bin" in refusal(pack(tmp_path / ARCHIVE, few), "train")
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "test_batch.bin").write_bytes(batches["test_batch.bin"])
    assert "data_batch_1.bin cannot be read" in refusal(tmp_path / FOLDER, "train")
    assert len(cifar10(tmp_path, part="test")) == RECORDS  # the folder goes before the archive


def test_a_wrong_batch_is_described(batches: dict[str, bytes], tmp_path: Path) -> None:
    good = batches["test_batch.bin"]
    wrong = bytearray(good)
    wrong[4 * RECORD] = 10
    for content, message in (
        (good[:-1], "30,730,000 in all, got 30,729,999"),
        (good + b"\0", "30,730,000 in all, got more"),
        (bytes(wrong), "expected classes 0 to 9, got 10 at record 4"),
        (b"", "got 0;"),
    ):
        (tmp_path / "test_batch.bin").write_bytes(content)
        assert message in refusal(tmp_path)


def test_damaged_archives_are_described(batches: dict[str, bytes], tmp_path: Path) -> None:
    packed = pack(tmp_path / ARCHIVE, {"test_batch.bin": batches["test_batch.bin"]}).read_bytes()
    for content in (packed[: len(packed) // 2], b"<html>", b""):
        (tmp_path / ARCHIVE).write_bytes(content)
        assert "truncated, damaged or no such file" in refusal(tmp_path)
    (tmp_path / ARCHIVE).unlink()
    whole = zipped(
        tmp_path / "c.zip", {"test/cat/0.png": picture(np.zeros((32, 32, 3), np.uint8))}
    ).read_bytes()
    broken = bytearray(whole)
    broken[60] ^= 255
    for content in (whole[:-30], bytes(broken), b""):
        (tmp_path / "c.zip").write_bytes(content)
        assert "truncated, damaged or no zip" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (picture(np.zeros((28, 32, 3), np.uint8)), "expected 32 x 32 pixels, got 32 x 28"),
        (bytes(200_000), "has 200,000 bytes; expected at most 100,000"),
        (b"no picture", "not a picture of a kind that can be read"),
    ],
)
def test_a_wrong_picture_is_described(tmp_path: Path, content: bytes, message: str) -> None:
    zipped(tmp_path / "c.zip", {"test/cat/0.png": content})
    with pytest.raises(DataError, match=r"c.zip: test/cat/0.png") as caught:
        cifar10(tmp_path, part="test")
    assert message in str(caught.value)


def test_the_published_pictures(data_folder: Callable[[str], Path]) -> None:
    folder = data_folder("cifar10_jpeg")
    for part, count in (("train", 1000), ("test", 400)):
        items = cifar10(folder, part=part)
        assert items.classes == CLASSES
        assert np.bincount(items.class_ids).tolist() == [count] * 10
        assert items.values.mean((0, 1, 2)).round() == pytest.approx([126, 124, 115], abs=2)
