import gzip
import hashlib
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from gemel.data.mnist import content_digest, mnist, names_of, read_idx
from gemel.errors import DataError, SettingsError

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)
LABELS = np.array([7, 0, 9, 3, 3], np.uint8)


def idx(array: NDArray[np.uint8], magic: int | None = None, shape: tuple[int, ...] = ()) -> bytes:
    magic = 0x800 + array.ndim if magic is None else magic
    lengths = shape or array.shape
    return struct.pack(f">I{len(lengths)}I", magic, *lengths) + array.tobytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(IMAGES)))
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx(LABELS))
    return tmp_path


def test_packed_and_plain_files_are_read(folder: Path) -> None:
    items = mnist(folder, part="test")
    assert np.array_equal(items.values, IMAGES)
    assert items.values.dtype == np.uint8
    assert items.values.flags.writeable
    assert items.labels.tolist() == ["7", "0", "9", "3", "3"]
    assert items.name == "mnist/test"
    assert items.origin(2) == "mnist/test item 2"
    assert items.kind == "images"
    assert items.groups is None


@pytest.mark.parametrize("place", range(4))
def test_each_known_name_is_found(tmp_path: Path, place: int) -> None:
    for name, array in (("train-images-idx3-ubyte", IMAGES), ("train-labels-idx1-ubyte", LABELS)):
        # The packing is told by the first bytes, so a name that lies about it does no harm.
        (tmp_path / names_of(name)[place]).write_bytes(gzip.compress(idx(array)))
    assert np.array_equal(mnist(str(tmp_path)).values, IMAGES)


def test_names_are_those_met() -> None:
    assert names_of("t10k-images-idx3-ubyte") == (
        "t10k-images-idx3-ubyte.gz",
        "t10k-images-idx3-ubyte",
        "t10k-images.idx3-ubyte.gz",
        "t10k-images.idx3-ubyte",
    )


def test_an_unknown_part_is_refused(folder: Path) -> None:
    with pytest.raises(SettingsError, match="no part 'dev' in MNIST; there are train, test"):
        mnist(folder, part="dev")


def test_a_missing_file_is_named_with_what_is_there(folder: Path) -> None:
    with pytest.raises(
        DataError, match=r"no train-images-idx3-ubyte\.gz .*t10k-images.*fetch mnist"
    ):
        mnist(folder)
    (folder / "t10k-labels-idx1-ubyte").unlink()
    for number in range(9):
        (folder / f"a{number}").touch()
    with pytest.raises(DataError, match=r"no t10k-labels.*got a0, a1, .*a7 \.\.\."):
        mnist(folder, part="test")


def test_an_empty_or_absent_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="an empty folder"):
        mnist(tmp_path)
    with pytest.raises(DataError, match=r"expected a folder .*/nowhere; .*gemel fetch mnist"):
        mnist(tmp_path / "nowhere")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "0x00000803 and 3 lengths, got an empty file"),
        (b"\0\0\x08\x03\0", "got 0x00000803"),
        (idx(IMAGES, magic=0x801), "0x00000803 and 3 lengths, got 0x00000801"),
        (idx(IMAGES)[:-1], "header says 5 x 28 x 28 bytes, got 3919;"),
        (idx(IMAGES) + b"\0", "header says 5 x 28 x 28 bytes, got more;"),
        (idx(IMAGES, shape=(2**32 - 1, 2**32 - 1, 2**32 - 1)), "got fewer"),
    ],
)
def test_a_wrong_file_is_described(
    folder: Path, content: bytes, message: str, packed: bool
) -> None:
    file = folder / "t10k-images-idx3-ubyte.gz"
    file.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(DataError, match=message) as caught:
        mnist(folder, part="test")
    assert str(file) in str(caught.value)
    assert "gemel fetch mnist" in str(caught.value)


def test_a_truncated_or_damaged_gzip_is_described(folder: Path) -> None:
    file = folder / "t10k-images-idx3-ubyte.gz"
    whole = file.read_bytes()
    broken = whole[:200] + bytes(20) + whole[220:]
    for content in (whole[: len(whole) // 2], whole[:-4], broken):
        file.write_bytes(content)
        for read in (lambda: mnist(folder, part="test"), lambda: content_digest(file)):
            with pytest.raises(DataError, match=r"t10k-images.*cannot be read to its end"):
                read()


def test_counts_that_differ_are_described(folder: Path) -> None:
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx(LABELS[:4]))
    with pytest.raises(DataError, match=r"has 5 images but .* 4 labels"):
        mnist(folder, part="test")


def test_images_of_another_size_are_refused(folder: Path) -> None:
    (folder / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(IMAGES[:, :20])))
    with pytest.raises(DataError, match="expected images of 28 x 28 pixels, got 20 x 28"):
        mnist(folder, part="test")


def test_labels_that_are_no_digits_are_refused(folder: Path) -> None:
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx(np.array([1, 2, 10, 3, 11], np.uint8)))
    with pytest.raises(DataError, match="expected labels 0 to 9, got 10 at item 2"):
        mnist(folder, part="test")


def test_the_digest_is_of_the_unpacked_bytes(tmp_path: Path) -> None:
    expected = hashlib.sha256(idx(IMAGES)).hexdigest()
    for number, content in enumerate((idx(IMAGES), gzip.compress(idx(IMAGES), 1, mtime=9))):
        file = tmp_path / str(number)
        file.write_bytes(content)
        assert content_digest(file) == expected
        assert np.array_equal(read_idx(file, axes=3), IMAGES)


def test_the_published_counts(data_folder: Callable[[str], Path]) -> None:
    train, test = (mnist(data_folder("mnist"), part=part) for part in ("train", "test"))
    assert np.bincount(train.labels.astype(int)).tolist() == [
        *(5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)
    ]
    assert np.bincount(test.labels.astype(int)).tolist() == [
        *(980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)
    ]
    assert (train.values[:, 0, 0] == 0).all()  # the paper is 0, the ink bright
    assert test.values.max() == 255
