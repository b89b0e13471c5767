"""`read_picture`: whatever a user calls a picture, made upright, 8-bit, grey or RGB.

Colour profiles are not applied: numbers in the file are taken as they stand.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped, UInt8
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from gemel.data.files import file_fault
from gemel.errors import DataError

FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "GIF", "PPM")  # others can run programs or fonts
MAX_PIXELS = 89_478_485
"""The most pixels a picture may have (about 9,459 x 9,459), against decompression bombs.

Pillow warns of pictures larger than this too.
"""
MOST_SCANS = 64
"""Scans of a JPEG: each is a pass over all of it, and takes 40 bytes; real ones have up to 14."""
MOST_IN_TILE = 2**22
"""Pixels of a TIFF's tile, where that is more than the picture has."""

TIFF_TILE_WIDTH, TIFF_TILE_HEIGHT = 322, 323  # tags, of TIFF 6.0

_TURNS = {
    1: Image.Transpose.ROTATE_90,
    2: Image.Transpose.ROTATE_180,
    3: Image.Transpose.ROTATE_270,
}
_FLOAT_SLACK = 1e-3  # floats this little outside 0..1 come from resizing, and are clipped


@dataclass(frozen=True)
class Turned:
    """A picture that is read turned by `turns` quarter turns counter-clockwise.

    Attributes:
        value: anything that `read_picture` takes.
        turns: quarter turns of 90 degrees; any whole number.
    """

    value: Any
    turns: int


def read_picture(value: Any, origin: str = "") -> Image.Image:
    """The picture in `value`, upright, of mode "L" (grey) or "RGB".

    EXIF orientation is honoured; 16 bits are scaled to 8 (value / 257, rounded); a palette,
    CMYK and the like become RGB; what is transparent shows white paper; of an animation the
    first frame is taken. The result shares nothing with `value`.

    Args:
        value: a path, the bytes of a file, an open binary file, a Pillow picture, a `Turned`, or
            an array [H, W] or [H, W, C] of uint8, bool, uint16 or floats from 0 to 1, where C is
            1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGB, alpha).
        origin: where the picture came from, for messages; unless given, its path.

    Raises:
        DataError: the file is missing, is no picture, is damaged or cut short, has more than
            `MAX_PIXELS` pixels, or the array has another shape, type or range.
    """
    if isinstance(value, Turned):
        picture, turn = read_picture(value.value, origin), value.turns % 4
        return picture.transpose(_TURNS[turn]) if turn else picture
    if isinstance(value, np.ndarray):
        return _from_array(value, origin or "the array")
    if isinstance(value, Image.Image):
        with _in_words(origin or "the picture"):
            return _plain(value, origin or "the picture")
    if isinstance(value, str | os.PathLike):
        path = Path(value)
        fault = file_fault(path)
        if fault is not None:
            raise DataError(f"{origin or path}: {fault[0]}; {fault[1]}")
        return _decode(path, origin or str(path))
    if isinstance(value, bytes | bytearray | memoryview):
        return _decode(BytesIO(value), origin or "the bytes")
    if hasattr(value, "read"):
        return _decode(value, origin or str(getattr(value, "name", "the open file")))
    raise DataError(
        f"{origin or 'the picture'}: expected a path, bytes, an open file, a Pillow picture or a "
        f"NumPy array, got {type(value).__name__}"
    )


def check_pixels(data: bytes, most: int, origin: str) -> None:
    """Refuse the bytes of a picture's file that has more than `most` pixels, before decoding it.

    Raises:
        DataError: it has, or it is no picture.
    """
    with _in_words(origin), Image.open(BytesIO(data), formats=FORMATS) as image:
        width, height = image.size
    if width * height > most:
        raise _too_large(origin, f"{width} x {height}", most)


def to_uint8(array: NDArray[Any], where: str) -> UInt8[np.ndarray, "..."]:
    """`array` of uint8, bool, uint16 or floats from 0 to 1, in 8 bits: 0 to 255, rounded.

    Raises:
        DataError: another type, or floats that are not finite or not from 0 to 1.
    """
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype == np.uint16:
        scaled: NDArray[np.uint8] = ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)
        return scaled
    if not np.issubdtype(array.dtype, np.floating):
        raise DataError(
            f"{where}: expected uint8, bool, uint16 or floats from 0 to 1, got {array.dtype}; "
            "convert it, such as array.astype(np.uint8) for values from 0 to 255"
        )
    if not np.isfinite(array).all():
        raise DataError(f"{where}: a pixel is NaN or infinite; all must be numbers from 0 to 1")
    low, high = float(array.min(initial=0)), float(array.max(initial=0))
    if low < -_FLOAT_SLACK or high > 1 + _FLOAT_SLACK:
        raise DataError(
            f"{where}: expected floats from 0 to 1, got {low:g} to {high:g}; "
            "divide them by the largest possible value, such as 255"
        )
    rounded: NDArray[np.uint8] = np.rint(np.clip(array, 0, 1) * 255).astype(np.uint8)
    return rounded


def _decode(source: Any, where: str) -> Image.Image:
    with _in_words(where), Image.open(source, formats=FORMATS) as image:
        _refuse_slow(image, where)
        return _plain(image, where)


def _refuse_slow(image: Any, where: str) -> None:
    """Refuse a file that would take far more time or memory than its picture has pixels.

    Raises:
        DataError: it is one.
    """
    if image.format in ("JPEG", "MPO"):
        place = image.fp.tell()
        image.fp.seek(0)
        scans = image.fp.read().count(b"\xff\xda")
        image.fp.seek(place)
        if scans > MOST_SCANS:
            raise _too_large(where, f"{scans:,} scans", MOST_SCANS, "scans")
    if image.format == "PPM" and (image.tile[0][0] != "raw" or image.mode not in ("1", "L", "RGB")):
        raise DataError(
            f"{where}: of the PGM and PPM files only binary ones whose greatest value is 255 are "
            "read, since others take long; save it as such, or as PNG"
        )
    if image.format == "TIFF":
        wide, high = (image.tag_v2.get(tag, 0) for tag in (TIFF_TILE_WIDTH, TIFF_TILE_HEIGHT))
        if wide * high > max(MOST_IN_TILE, image.width * image.height):
            raise _too_large(where, f"a tile of {wide} x {high}", MOST_IN_TILE)


@contextmanager
def _in_words(where: str) -> Iterator[None]:
    """Whatever Pillow raises, as a `DataError` that says where; damaged files make it raise all."""
    try:
        yield
    except DataError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(where, str(error), MAX_PIXELS) from error
    except UnidentifiedImageError as error:
        raise DataError(
            f"{where}: not a picture of a kind that can be read (JPEG, PNG, BMP, WebP, TIFF, GIF, "
            "PGM), or its beginning is damaged; replace it or leave it out"
        ) from error
    except OSError as error:
        if error.errno is not None:
            raise DataError(f"{where}: cannot be opened: {error.strerror}") from error
        raise _damaged(where, error) from error
    except Exception as error:
        raise _damaged(where, error) from error


def _damaged(where: str, error: Exception) -> DataError:
    return DataError(
        f"{where}: the picture is damaged or cut short ({error}); "
        "copy or save it again, or leave it out"
    )


def _too_large(where: str, found: str, most: int, what: str = "pixels") -> DataError:
    return DataError(
        f"{where}: expected at most {most:,} {what}, got {found.rstrip('.')}; it may be a "
        "decompression bomb: make the picture smaller or leave it out"
    )


def _plain(image: Image.Image, where: str) -> Image.Image:
    """`image` upright, in 8 bits, grey or RGB, without transparency. `image` stays as it is."""
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise _too_large(where, f"{width} x {height}", MAX_PIXELS)
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I") or upright.mode == "F":
        return _from_deep(upright, where)
    if upright.has_transparency_data:
        return _on_white(upright)
    if upright.mode in ("L", "RGB"):
        return upright
    return upright.convert("L" if upright.mode == "1" else "RGB")


def _from_deep(image: Image.Image, where: str) -> Image.Image:
    """A grey picture of 16 bits, 32 bits or floats, in 8 bits."""
    pixels = np.asarray(image)
    if image.mode != "F":
        low, high = int(pixels.min(initial=0)), int(pixels.max(initial=0))
        if low < 0 or high > 65535:  # mode "I" has 32 bits; 16-bit files may come in it too
            raise DataError(
                f"{where}: a 32-bit picture with values from {low} to {high}; expected 0 to 65535: "
                "save it with 8 or 16 bits"
            )
        pixels = pixels.astype(np.uint16)
        if isinstance(image.info.get("transparency"), int):
            pixels[pixels == image.info["transparency"]] = 65535
    return Image.fromarray(to_uint8(pixels, where))


def _on_white(image: Image.Image) -> Image.Image:
    grey = image.mode in ("1", "L", "LA", "La")
    image = image.convert("LA" if grey else "RGBA")
    mode = "L" if grey else "RGB"
    paper = Image.new(mode, image.size, "white")
    paper.paste(image.convert(mode), mask=image.getchannel("A"))
    return paper


def _from_array(array: Shaped[np.ndarray, "..."], where: str) -> Image.Image:
    channels_last = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 2, 3, 4))
    if not channels_last or array.size == 0:
        raise DataError(
            f"{where}: expected an array [height, width] or [height, width, channels] with 1 to 4 "
            f"channels, which come last, got the shape {list(array.shape)}"
        )
    pixels = to_uint8(array, where)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    image = Image.fromarray(pixels)
    return _on_white(image) if image.mode in ("LA", "RGBA") else image
