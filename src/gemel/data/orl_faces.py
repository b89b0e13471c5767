"""The ORL (AT&T) faces: ten pictures each of 40 people, 92 x 112 pixels.

Samaria, Harter, "Parameterisation of a stochastic model for human face identification", 2nd IEEE
Workshop on Applications of Computer Vision, 1994. Credit: Olivetti Research Laboratory.
`gemel fetch orl_faces` gets the file.
"""

import hashlib
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from numpy.typing import NDArray

from gemel.data.zips import DAMAGE
from gemel.errors import DataError
from gemel.items import Items

PEOPLE, PICTURES = 40, 10
HEIGHT, WIDTH = 112, 92  # pixels
ZIPS = ("orl_faces.zip", "att_faces.zip")
"""The names that the zip is met under: ours, and its publisher's."""

_NAME = re.compile(r"(?:^|/)(s\d+/\d+)\.pgm$")
_GAP = rb"(?:\s|#[^\n]*\n)+"
_HEADER = re.compile(rb"P5" + _GAP + rb"(\d+)" + _GAP + rb"(\d+)" + _GAP + rb"(\d+)\s")
_LARGEST = 100_000  # bytes unpacked; a picture has 10,318
_REMEDY = "get the published file with `gemel fetch orl_faces`, or put a good copy there by hand"


@dataclass(frozen=True)
class _File:
    """One picture: its key, such as "s1/10", where it is in words, its size, how to get it."""

    key: str
    origin: str
    size: int
    read: Callable[[], bytes]


def orl_faces(path: str | PathLike[str]) -> Items:
    """The 400 pictures, person by person.

    Args:
        path: orl_faces.zip or the publisher's att_faces.zip, the folder that holds it, or the
            unpacked folder with s1 to s40. Any packing of these folders is read alike.

    Returns:
        Items with values uint8 [400, 112, 92] (0 black), labels "s1" to "s40".

    Raises:
        DataError: nothing is there, or what is there is truncated, damaged, or not these faces.
    """
    with _files(Path(path)) as files:
        values = np.stack([_pixels(file) for file in files])
        return Items(
            values=values,
            labels=np.array([file.key.split("/")[0] for file in files]),
            name="orl_faces",
            origins=[file.origin for file in files],
        )


def content_digest(file: Path) -> str:
    """The sha256, in hex, of the name and pixels of each picture in a zip, however it is packed.

    Raises:
        DataError: the zip is missing, truncated, damaged, or does not hold these faces.
    """
    total = hashlib.sha256()
    with _files(file) as files:
        for one in files:
            total.update(f"{one.key}\0".encode() + _pixels(one).tobytes())
    return total.hexdigest()


@contextmanager
def _files(path: Path) -> Iterator[list[_File]]:
    """All pictures in the order of people and numbers, while the zip is open."""
    place = next((path / name for name in ZIPS if (path / name).is_file()), path)
    if place.is_file():
        try:
            archive = zipfile.ZipFile(place)
        except DAMAGE as error:
            raise DataError(
                f"{place} cannot be read: expected a whole zip of the ORL faces, got one that is "
                f"truncated, damaged or no zip ({error}); {_REMEDY}"
            ) from error
        with archive:
            yield _complete(place, _packed(archive, place))
    elif place.is_dir():
        yield _complete(place, _unpacked(place))
    else:
        raise DataError(
            f"{place} does not exist: expected {ZIPS[0]}, its folder, or a folder with s1 to "
            f"s{PEOPLE}; {_REMEDY}"
        )


def _packed(archive: zipfile.ZipFile, place: Path) -> Iterator[_File]:
    for info in archive.infolist():
        found = _NAME.search(info.filename)
        if found and "__MACOSX/" not in info.filename:
            origin = f"{place.name}: {info.filename}"
            yield _File(found[1], origin, info.file_size, partial(archive.read, info))


def _unpacked(folder: Path) -> Iterator[_File]:
    for path in folder.glob("s*/*.pgm"):
        key = path.relative_to(folder).with_suffix("").as_posix()
        if re.fullmatch(r"s\d+/\d+", key):
            yield _File(key, str(path), path.stat().st_size, path.read_bytes)


def _complete(place: Path, found: Iterator[_File]) -> list[_File]:
    """The files in order, if they are those of the 40 people and nothing else."""
    files: dict[str, _File] = {}
    for file in found:
        if file.key in files:
            raise DataError(
                f"{place} holds {file.key}.pgm twice, expected each file once; {_REMEDY}"
            )
        files[file.key] = file
    wanted = [f"s{n}/{k}" for n in range(1, PEOPLE + 1) for k in range(1, PICTURES + 1)]
    missing = [key for key in wanted if key not in files]
    strange = sorted(set(files) - set(wanted))
    if missing or strange:
        got = f"no {missing[0]}.pgm" if missing else f"an unknown {strange[0]}.pgm"
        raise DataError(
            f"{place} does not hold the ORL faces: expected s1/1.pgm to s{PEOPLE}/{PICTURES}.pgm, "
            f"got {got} ({len(files)} such files in all); {_REMEDY}"
        )
    return [files[key] for key in wanted]


def _pixels(file: _File) -> UInt8[NDArray[Any], "112 92"]:
    """A binary PGM of 92 x 112 pixels and 255 greys, read to its end."""
    if file.size > _LARGEST:
        raise DataError(
            f"{file.origin} has {file.size:,} bytes; expected at most {_LARGEST:,}; {_REMEDY}"
        )
    try:
        content = file.read()
    # RuntimeError: a password is asked for, or a packing is used that zipfile lacks.
    except (RuntimeError, *DAMAGE) as error:
        raise DataError(f"{file.origin} is damaged ({error}); {_REMEDY}") from error
    header = _HEADER.match(content)
    said = tuple(map(int, header.groups())) if header else ()
    if header is None or said != (WIDTH, HEIGHT, 255):
        got = " x ".join(map(str, said)) if said else f"{content[:8]!r}"
        raise DataError(
            f"{file.origin} is not a picture of the ORL faces: expected a binary PGM (P5) of "
            f"{WIDTH} x {HEIGHT} pixels and 255 greys, got {got}; {_REMEDY}"
        )
    pixels = content[header.end() :]
    if len(pixels) != WIDTH * HEIGHT:
        raise DataError(
            f"{file.origin} is truncated or damaged: expected {WIDTH * HEIGHT:,} bytes of pixels, "
            f"got {len(pixels):,}; {_REMEDY}"
        )
    return np.frombuffer(pixels, np.uint8).reshape(HEIGHT, WIDTH)
