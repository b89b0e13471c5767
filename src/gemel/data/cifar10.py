"""CIFAR-10: colour pictures of 32 x 32 pixels in ten classes, 60,000 as published.

Krizhevsky, "Learning multiple layers of features from tiny images", technical report, University
of Toronto, 2009. `gemel fetch cifar10` gets the publisher's binary version. The Python version is
made of pickles, which run whatever program is in them, so it is not read.
"""

import io
import re
import tarfile
import zipfile
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from numpy.typing import NDArray

from gemel.data.pictures import read_picture
from gemel.data.zips import DAMAGE, whole_zip
from gemel.errors import DataError, SettingsError
from gemel.items import Items, Texts

CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
"""In the order of the publisher's numbers, 0 to 9."""
SIDE = 32  # pixels
ARCHIVE = "cifar-10-binary.tar.gz"
FOLDER = "cifar-10-batches-bin"
BATCHES = {"train": tuple(f"data_batch_{n}.bin" for n in range(1, 6)), "test": ("test_batch.bin",)}
RECORDS = 10_000  # a batch
RECORD = 1 + 3 * SIDE * SIDE  # bytes: the class, then the red, green and blue pixels, row by row

_PICTURE = re.compile(rf"(?:^|/)(train|test)/({'|'.join(CLASSES)})/([^/]+)\.(?:jpe?g|png)$")
_LARGEST = 100_000  # bytes unpacked; a picture as JPEG has about 1,000
_REMEDY = "get the published file with `gemel fetch cifar10`, or put a good copy there by hand"
_Pixels = UInt8[NDArray[Any], "items 32 32 3"]


def cifar10(path: str | PathLike[str], *, part: str = "train") -> Items:
    """One part of CIFAR-10: values uint8 [N, 32, 32, 3] (red, green, blue), labels in words.

    Args:
        path: cifar-10-binary.tar.gz as published, its unpacked folder cifar-10-batches-bin, a zip
            of pictures train/<class>/<name>.jpg and test/<class>/<name>.jpg (or .png), which may
            hold some of them only, or the folder that holds one of these.
        part: "train" (50,000 as published) or "test" (10,000).

    Raises:
        SettingsError: there is no such part.
        DataError: nothing is there, or what is there is truncated, damaged, or not CIFAR-10.
    """
    if part not in BATCHES:
        raise SettingsError(f"no part {part!r} in CIFAR-10; there are {', '.join(BATCHES)}")
    place = _find(Path(path))
    if place.suffix == ".zip":
        return _from_pictures(place, part)
    read = _unpacked if place.is_dir() else _packed
    batches = [_records(content, origin) for content, origin in read(place, BATCHES[part])]
    values, labels = (np.concatenate(both) for both in zip(*batches, strict=True))
    return Items(values=values, labels=labels, name=f"cifar10/{part}")


def _find(path: Path) -> Path:
    """The archive, the unpacked folder, or the zip of pictures."""
    if path.is_file():
        return path
    first = BATCHES["test"][0]
    if (path / first).is_file():
        return path
    if (path / FOLDER / first).is_file():
        return path / FOLDER
    if (path / ARCHIVE).is_file():
        return path / ARCHIVE
    zips = sorted(path.glob("*.zip"))
    if len(zips) == 1:
        return zips[0]
    got = "no such folder"
    if path.is_dir():
        got = ", ".join(one.name for one in zips) or "none of them"
    raise DataError(
        f"expected {ARCHIVE}, {FOLDER} or one zip of pictures in {path}; got {got}; {_REMEDY}"
    )


def _unpacked(folder: Path, names: tuple[str, ...]) -> Iterator[tuple[bytes, str]]:
    for name in names:
        try:
            with (folder / name).open("rb") as stream:
                yield stream.read(RECORDS * RECORD + 1), str(folder / name)
        except OSError as error:
            raise DataError(f"{folder / name} cannot be read ({error}); {_REMEDY}") from error


def _packed(file: Path, names: tuple[str, ...]) -> Iterator[tuple[bytes, str]]:
    """Read from the archive as it stands: nothing is unpacked to the disk."""
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(file, "r:gz") as archive:
            for member in archive:
                name = Path(member.name).name
                if name in names and member.isfile():
                    stream = archive.extractfile(member) or io.BytesIO()
                    found[name] = stream.read(RECORDS * RECORD + 1)
    except (*DAMAGE, tarfile.TarError) as error:
        raise DataError(
            f"{file} cannot be read: expected a whole {ARCHIVE}, got one that is truncated, "
            f"damaged or no such file ({error}); {_REMEDY}"
        ) from error
    for name in names:
        if name not in found:
            raise DataError(f"{file} holds no {name}; {_REMEDY}")
        yield found[name], f"{file.name}: {name}"


def _records(content: bytes, origin: str) -> tuple[_Pixels, Texts]:
    """The pictures of a batch and their classes."""
    if len(content) != RECORDS * RECORD:
        got = f"{len(content):,}" if len(content) < RECORDS * RECORD else "more"
        raise DataError(
            f"{origin} is not a batch of CIFAR-10: expected {RECORDS:,} records of {RECORD:,} "
            f"bytes, {RECORDS * RECORD:,} in all, got {got}; {_REMEDY}"
        )
    rows = np.frombuffer(content, np.uint8).reshape(RECORDS, RECORD)
    numbers = rows[:, 0]
    if numbers.max() >= len(CLASSES):
        item = int(np.argmax(numbers >= len(CLASSES)))
        raise DataError(
            f"{origin} is not a batch of CIFAR-10: expected classes 0 to 9, got {numbers[item]} at "
            f"record {item}; {_REMEDY}"
        )
    planes = rows[:, 1:].reshape(-1, 3, SIDE, SIDE)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), np.array(CLASSES)[numbers]


def _from_pictures(file: Path, part: str) -> Items:
    """Class by class, and in each by name."""
    values, labels, origins = [], [], []
    with whole_zip(file, "pictures", _REMEDY) as archive:
        for label, name, info in _entries(archive, part):
            origin = f"{file.name}: {info.filename}"
            if info.file_size > _LARGEST:
                raise DataError(
                    f"{origin} has {info.file_size:,} bytes; expected at most {_LARGEST:,}"
                )
            values.append(_picture(archive.read(info), origin))
            labels.append(label)
            origins.append(f"{file.name}: {part}/{label}/{name}")
    if not values:
        raise DataError(
            f"{file} holds no picture of CIFAR-10's {part} part: expected files such as "
            f"{part}/{CLASSES[0]}/0000.jpg; {_REMEDY}"
        )
    return Items(
        values=np.stack(values), labels=np.array(labels), name=f"cifar10/{part}", origins=origins
    )


def _entries(archive: zipfile.ZipFile, part: str) -> list[tuple[str, str, zipfile.ZipInfo]]:
    """The class, the name and the place of each picture of a part, in order."""
    found = [(_PICTURE.search(info.filename), info) for info in archive.infolist()]
    pictures = [
        (match[2], match[3], info)
        for match, info in found
        if match and match[1] == part and "__MACOSX/" not in info.filename
    ]
    return sorted(pictures, key=lambda one: (one[:2], one[2].filename))


def _picture(content: bytes, origin: str) -> UInt8[NDArray[Any], "32 32 3"]:
    picture = read_picture(content, origin)
    if picture.size != (SIDE, SIDE):
        raise DataError(
            f"{origin} is not a picture of CIFAR-10: expected {SIDE} x {SIDE} pixels, got "
            f"{picture.width} x {picture.height}; {_REMEDY}"
        )
    return np.asarray(picture.convert("RGB"))
