"""The items themselves, as bytes that the model's input can read again."""

import json
import os
from collections.abc import Mapping, Sequence
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import numpy as np

from gemel.data.files import file_fault
from gemel.data.pen_picture import pen_picture
from gemel.data.pens import as_array, read_pen
from gemel.data.pictures import read_picture
from gemel.errors import DataError
from gemel.items import Kind

SIDE = 96  # pixels of a thumbnail's longer side
NAMES = {"images": "picture", "pens": "pen recording"}  # what the file of a kind is called


def encoded(value: Any, kind: Kind, origin: str) -> bytes:
    """An item as bytes: a file as it is, anything else without loss.

    Strokes are kept as JSON, other pen recordings that are no files as a CSV of points.

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
        fault = file_fault(Path(value), NAMES.get(kind, "file"))
        if fault is not None:
            raise DataError(f"{origin}: {fault[0]}; {fault[1]}")
        return Path(value).read_bytes()
    if kind == "images":
        return _png(read_picture(value, origin))
    if kind == "pens":
        return _of_pen(value, origin)
    raise DataError(
        f"{origin}: of {kind} a gallery can keep files and bytes; got {type(value).__name__}"
    )


def decoded(data: bytes, kind: Kind) -> Any:
    """What a model's input reads: the bytes of a file, or a row of numbers."""
    return np.frombuffer(data, dtype="<f8") if kind == "numbers" else data


def thumbnail(data: bytes, kind: Kind, origin: str) -> bytes | None:
    """A small picture (PNG) of an encoded picture or pen recording; None of other kinds.

    Raises:
        DataError: it cannot be read.
    """
    if kind == "pens":
        return _png(pen_picture(read_pen(data, origin), SIDE))
    if kind != "images":
        return None
    picture = read_picture(data, origin)
    picture.thumbnail((SIDE, SIDE))
    return _png(picture)


def _png(picture: Any) -> bytes:
    file = BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _of_pen(value: Any, origin: str) -> bytes:
    """Strokes as JSON; an array or a `Recording` as a CSV that is read as the same recording."""
    if isinstance(value, Sequence | Mapping):
        try:
            return json.dumps(value, default=float).encode()
        except (TypeError, ValueError) as error:
            raise DataError(f"{origin}: expected strokes; got {value!r:.80}") from error
    file = StringIO()
    header = "x,y,t,pressure,down"
    table = as_array(read_pen(value, origin))
    np.savetxt(file, table, "%.17g", ",", header=header, comments="")
    return file.getvalue().encode()
