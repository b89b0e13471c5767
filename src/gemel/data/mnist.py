"""MNIST from its IDX files: 70,000 handwritten digits of 28 x 28 pixels.

LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", Proc.
IEEE 86(11), 1998. `gemel fetch mnist` gets the files.
"""

import gzip
import hashlib
import io
import math
import struct
import zlib
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gemel.errors import DataError, SettingsError
from gemel.items import Items

PARTS = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
SIDE = 28  # pixels

_BYTES = 0x0800  # the magic number of an array of bytes; its number of axes is added
_MOST_GROWTH = 1032  # bytes out of one byte of deflate, at most
_BLOCK = 1 << 20
_DAMAGE = (OSError, EOFError, zlib.error)
_REMEDY = "get the published files with `gemel fetch mnist`, or put a good copy there by hand"


def mnist(path: str | PathLike[str], *, part: str = "train") -> Items:
    """One part of MNIST: values uint8 [N, 28, 28], ink bright on 0, labels "0" to "9".

    Args:
        path: the folder that holds the IDX files, packed with gzip or plain.
        part: "train" (60,000 as published) or "test" (10,000).

    Raises:
        SettingsError: there is no such part.
        DataError: a file is missing, truncated, damaged, or not an IDX file of MNIST.
    """
    if part not in PARTS:
        raise SettingsError(f"no part {part!r} in MNIST; there are {', '.join(PARTS)}")
    folder = Path(path)
    images_file, labels_file = (_find(folder, name) for name in PARTS[part])
    images, labels = read_idx(images_file, axes=3), read_idx(labels_file, axes=1)
    if images.shape[1:] != (SIDE, SIDE):
        raise DataError(
            f"{images_file} is not MNIST: expected images of {SIDE} x {SIDE} pixels, got "
            f"{images.shape[1]} x {images.shape[2]}; {_REMEDY}"
        )
    if len(images) != len(labels):
        raise DataError(
            f"{images_file} has {len(images)} images but {labels_file} {len(labels)} labels; "
            f"expected as many; {_REMEDY}"
        )
    if labels.max(initial=0) > 9:
        item = int(np.argmax(labels > 9))
        raise DataError(
            f"{labels_file} is not MNIST: expected labels 0 to 9, got {labels[item]} at item "
            f"{item}; {_REMEDY}"
        )
    return Items(values=images, labels=labels.astype(np.str_), name=f"mnist/{part}")


def read_idx(file: Path, *, axes: int) -> NDArray[np.uint8]:
    """The bytes of an IDX file, packed with gzip or plain, as an array with `axes` axes.

    The format (from MNIST's page): big-endian uint32s, first 0x800 + axes and then the length of
    each axis, then the bytes.

    Raises:
        DataError: the file is unreadable, of another kind, or longer or shorter than it says.
    """
    try:
        with _opened(file) as stream:
            header = stream.read(4 + 4 * axes)
            shape = _shape(file, header, axes)
            size = math.prod(shape)
            # Before memory is taken: a file cannot hold more than this, whatever it says.
            if size > _MOST_GROWTH * file.stat().st_size:
                raise DataError(_wrong_length(file, shape, "fewer"))
            content = stream.read(size + 1)
    except _DAMAGE as error:
        raise DataError(f"{file} cannot be read to its end ({error}); {_REMEDY}") from error
    if len(content) != size:
        got = f"{len(content)}" if len(content) < size else "more"
        raise DataError(_wrong_length(file, shape, got))
    return np.frombuffer(content, np.uint8).reshape(shape).copy()  # a copy may be written to


def content_digest(file: Path) -> str:
    """The sha256, in hex, of an IDX file's bytes as they are unpacked.

    Raises:
        DataError: the file is missing, truncated or damaged.
    """
    total = hashlib.sha256()
    try:
        with _opened(file) as stream:
            while block := stream.read(_BLOCK):
                total.update(block)
    except _DAMAGE as error:
        raise DataError(f"{file} cannot be read to its end ({error}); {_REMEDY}") from error
    return total.hexdigest()


def names_of(name: str) -> tuple[str, ...]:
    """The names under which the IDX file `name` is met: packed, plain, and with a dot."""
    dotted = name.replace("-idx", ".idx")
    return (f"{name}.gz", name, f"{dotted}.gz", dotted)


def _find(folder: Path, name: str) -> Path:
    for candidate in names_of(name):
        if (folder / candidate).is_file():
            return folder / candidate
    if not folder.is_dir():
        raise DataError(f"expected a folder with MNIST's IDX files at {folder}; {_REMEDY}")
    held = sorted(entry.name for entry in folder.iterdir())
    got = ", ".join(held[:8]) + (" ..." if len(held) > 8 else "") if held else "an empty folder"
    raise DataError(f"no {name}.gz (or {name}) in {folder}: got {got}; {_REMEDY}")


def _opened(file: Path) -> io.BufferedIOBase:
    """The file's bytes, unpacked where they begin as gzip does, whatever the name says."""
    with file.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    return gzip.open(file) if packed else file.open("rb")


def _shape(file: Path, header: bytes, axes: int) -> tuple[int, ...]:
    if len(header) == 4 + 4 * axes:
        magic, *shape = struct.unpack(f">{1 + axes}I", header)
        if magic == _BYTES + axes:
            return tuple(shape)
    raise DataError(
        f"{file} is not an IDX file of MNIST: expected it to begin with the magic number "
        f"0x{_BYTES + axes:08x} and {axes} length{'s' if axes > 1 else ''}, got "
        f"{'0x' + header[:4].hex() if header else 'an empty file'}; {_REMEDY}"
    )


def _wrong_length(file: Path, shape: tuple[int, ...], got: str) -> str:
    expected = " x ".join(map(str, shape))
    return f"{file} is truncated or damaged: its header says {expected} bytes, got {got}; {_REMEDY}"
