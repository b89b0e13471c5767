"""The items themselves, as bytes that the model's input can read again."""

import os
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from gemel.data.files import file_fault
from gemel.data.pictures import read_picture
from gemel.errors import DataError
from gemel.items import Kind

SIDE = 96  # pixels of a thumbnail's longer side


def encoded(value: Any, kind: Kind, origin: str) -> bytes:
    """An item as bytes: a picture's file as it is, anything else without loss.

    Raises:
        DataError: it cannot be read.
    """
    if kind == "numbers":
        try:
            return np.asarray(value, dtype="<f8").tobytes()
        except (TypeError, ValueError) as error:
            raise DataError(f"{origin}: expected numbers; got {value!r:.80}") from error
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, str | os.PathLike):
        fault = file_fault(Path(value))
        if fault is not None:
            raise DataError(f"{origin}: {fault[0]}; {fault[1]}")
        return Path(value).read_bytes()
    return _png(read_picture(value, origin))


def decoded(data: bytes, kind: Kind) -> Any:
    """What a model's input reads: the bytes of a picture's file, or a row of numbers."""
    return np.frombuffer(data, dtype="<f8") if kind == "numbers" else data


def thumbnail(data: bytes, kind: Kind, origin: str) -> bytes | None:
    """A small picture (PNG) of an encoded picture; None of numbers.

    Raises:
        DataError: it cannot be read.
    """
    if kind == "numbers":
        return None
    picture = read_picture(data, origin)
    picture.thumbnail((SIDE, SIDE))
    return _png(picture)


def _png(picture: Any) -> bytes:
    file = BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()
