"""`Images`: pictures of any size to tensors of one size."""

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from gemel.data.pictures import MAX_PIXELS, read_picture
from gemel.errors import DataError, SettingsError
from gemel.inputs.augment import affine_maps, resample
from gemel.items import Kind

INK, FAINTEST = 0.35, 16.0
"""Ink differs from the border's tone by this share of the most, and by 16 of 255."""
MARGIN, SMALLEST = 0.12, 0.1
"""The margin, a share of the ink's longer side; the least side of a cut, of the picture's."""
Pixels = UInt8[np.ndarray, "channels height width"]


class Images:
    """Pictures as tensors [channels, height, width] of values from 0 to 1.

    Where a side shrinks, each new pixel is the mean of the old ones whose middles lie in it; where
    it grows, the pixels between are interpolated.

    Args:
        size: pixels a side, or (height, width).
        channels: 1 for grey, 3 for colour.
        light_on_dark: invert every picture whose border is brighter than the middle between its
            darkest and its brightest pixel, so that ink is bright on a dark ground whatever it
            was drawn on.
        trim: cut every picture to the square around its ink (what differs from the tone of its
            border), with a margin, so that the size and the place of a drawing do not matter.
        keep_aspect: fill pictures of another shape up to the wanted one, with the tone of their
            border, instead of stretching them.
        mirror_views: every other view of a picture is a mirror image, for what left and right do
            not tell apart, such as faces.

    Raises:
        SettingsError: a side is below 1, or `channels` is neither 1 nor 3.
    """

    kind: Kind = "images"
    dtype = "uint8"

    def __init__(
        self,
        size: int | Sequence[int] = 28,
        channels: int = 1,
        *,
        light_on_dark: bool = False,
        trim: bool = False,
        keep_aspect: bool = False,
        mirror_views: bool = False,
    ) -> None:
        sides = (size, size) if isinstance(size, int) else tuple(size)
        if len(sides) != 2 or min(sides) < 1:
            raise SettingsError(
                f"`size` must be 1 pixel or more, or (height, width) of such; got {size}"
            )
        if channels not in (1, 3):
            raise SettingsError(f"`channels` must be 1 (grey) or 3 (colour); got {channels}")
        self.height, self.width = sides
        self.channels = channels
        self.light_on_dark = light_on_dark
        self.trim = trim
        self.keep_aspect = keep_aspect
        self.mirror_views = mirror_views

    @property
    def shape(self) -> tuple[int, ...]:
        """(channels, height, width)."""
        return (self.channels, self.height, self.width)

    def settings(self) -> dict[str, Any]:
        """The arguments that make this input again."""
        square = self.height == self.width
        return {
            "size": self.height if square else [self.height, self.width],
            "channels": self.channels,
            "light_on_dark": self.light_on_dark,
            "trim": self.trim,
            "keep_aspect": self.keep_aspect,
            "mirror_views": self.mirror_views,
        }

    def read(self, value: Any, origin: str = "") -> Pixels:
        """A path, bytes, open picture or array as pixels [channels, height, width].

        Raises:
            DataError: it is no picture that can be read.
        """
        picture = read_picture(value, origin).convert("L" if self.channels == 1 else "RGB")
        if self.trim:
            picture = _trimmed(picture, origin)
        height, width = self.height, self.width
        if self.keep_aspect:
            scale = min(height / picture.height, width / picture.width)
            height = max(1, round(scale * picture.height))
            width = max(1, round(scale * picture.width))
        pixels = np.asarray(_resized(picture, height, width))
        pixels = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)  # [C, H, W]
        if self.light_on_dark and _is_dark_on_light(pixels):
            pixels = 255 - pixels
        return _filled_up(np.ascontiguousarray(pixels), self.height, self.width)

    def portrait(self, value: Any, origin: str = "") -> Image.Image:
        """The whole picture, in its own colours.

        Raises:
            DataError: it is no picture that can be read.
        """
        return read_picture(value, origin)

    def learn(self, stored: Any) -> None:
        """Nothing: pixels need no statistics."""

    def tensor(
        self, stored: UInt8[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Pixels as floats from 0 to 1."""
        return stored.float().div_(255)

    def views(
        self, batch: Float[Tensor, "batch channels height width"], count: int
    ) -> Float[Tensor, "count batch channels height width"]:
        """`count` views of each picture: itself first, the others mildly warped.

        The warps are affine and fixed: they hang on the number of the view alone. What comes from
        outside a picture is 0 with `light_on_dark`, else its nearest pixel. With `mirror_views`
        each view is followed by its mirror image, so that two are the picture and its own.

        Raises:
            SettingsError: `count` is below 1.
        """
        if count < 1:
            raise SettingsError(f"`count` must be 1 view or more; got {count}")
        warps = -(-count // 2) if self.mirror_views else count
        views = [batch]
        for number in range(1, warps):
            maps = mild_map(number).to(batch).expand(len(batch), 2, 3)
            views.append(resample(batch, maps, 0.0 if self.light_on_dark else "border"))
        if self.mirror_views:
            views = [view for warped in views for view in (warped, warped.flip(3))]
        return torch.stack(views[:count])

    def __repr__(self) -> str:
        return f"Images({', '.join(f'{key}={value}' for key, value in self.settings().items())})"


@cache
def mild_map(number: int) -> Float[Tensor, "1 2 3"]:
    """The affine map of view `number`; view 0 is the picture itself.

    Turns up to 8.5 degrees, scales up to 15 %, shears up to 0.14, shifts up to 6 % of a side: 0.7
    of what `Warp` does by default. The six strengths follow Roberts' additive sequence (2018, "The
    unreasonable effectiveness of quasirandom sequences"), which covers their space evenly.
    """
    root = 1.0  # of x**7 = x + 1
    for _ in range(64):
        root = (1 + root) ** (1 / 7)
    turn, wide, tall, shear, right, down = (
        torch.tensor([2 * math.fmod(0.5 + number * root**-power, 1.0) - 1]) * 0.7
        for power in range(1, 7)
    )
    return affine_maps(
        turn=math.radians(12) * turn,
        scale=torch.stack([0.2 * wide, 0.2 * tall], 1).exp(),
        shear=torch.stack([0.2 * shear, torch.zeros(1)], 1),
        shift=torch.stack([0.09 * right, 0.09 * down], 1),
    )


def _resized(picture: Image.Image, height: int, width: int) -> Image.Image:
    """First the sides that shrink, by the mean of areas; then those that grow, bilinearly."""
    smaller = (min(width, picture.width), min(height, picture.height))
    if smaller != picture.size:
        picture = picture.resize(smaller, Image.Resampling.BOX)
    if (width, height) != picture.size:
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    return picture


def _is_dark_on_light(pixels: Pixels) -> bool:
    middle = (int(pixels.min()) + int(pixels.max())) / 2
    if pixels.min() == pixels.max():
        middle = 127.5  # an empty sheet: white or black
    return bool(_border(pixels).mean() > middle)


def _filled_up(
    pixels: Pixels, height: int, width: int
) -> UInt8[np.ndarray, "channels {height} {width}"]:
    """The picture in the middle of [channels, height, width], the rest in its border's tone."""
    if pixels.shape[1:] == (height, width):
        return pixels
    tone = np.median(_border(pixels), axis=1).round().astype(np.uint8)
    whole = np.empty((len(pixels), height, width), np.uint8)
    whole[:] = tone[:, None, None]
    top, left = (height - pixels.shape[1]) // 2, (width - pixels.shape[2]) // 2
    whole[:, top : top + pixels.shape[1], left : left + pixels.shape[2]] = pixels
    return whole


def _border(pixels: Pixels) -> UInt8[np.ndarray, "channels n"]:
    """The outermost pixels, the corners twice."""
    return np.concatenate([pixels[:, 0], pixels[:, -1], pixels[:, :, 0], pixels[:, :, -1]], axis=1)


def _trimmed(picture: Image.Image, origin: str) -> Image.Image:
    """The square around the ink; the whole picture where there is none."""
    pixels = np.atleast_3d(np.asarray(picture)).astype(np.float32)  # [H, W, C]
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    tone = np.median(border, axis=0)  # [C]
    contrast = np.abs(pixels - tone).max(axis=2)  # [H, W]
    ink = contrast > max(INK * float(contrast.max()), FAINTEST)
    if not ink.any():
        return picture
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    left, right = int(columns[0]), int(columns[-1]) + 1
    wanted = max(bottom - top, right - left) * (1 + 2 * MARGIN)
    side = max(round(wanted), round(SMALLEST * max(picture.size)), 1)
    if side * side > MAX_PIXELS:
        raise DataError(
            f"{origin or 'a picture'}: its ink is {right - left} x {bottom - top} pixels, too long "
            f"for a square of {MAX_PIXELS:,}; cut it to its subject, or set trim=False"
        )
    fill = tuple(int(value) for value in tone)
    square = Image.new(picture.mode, (side, side), fill if len(fill) > 1 else fill[0])
    square.paste(picture, ((side - left - right) // 2, (side - top - bottom) // 2))
    return square
