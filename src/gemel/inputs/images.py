"""`Images`: pictures of any size to tensors of one size."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from gemel.data.pictures import read_picture
from gemel.errors import SettingsError
from gemel.items import Kind

PLAIN = 127.5


class Images:
    """Pictures as tensors [channels, size, size] of values from 0 to 1.

    A side that shrinks is averaged over the area of each new pixel; one that grows is
    interpolated.

    Args:
        size: pixels a side.
        channels: 1 for grey, 3 for colour.
        light_on_dark: invert every picture whose border is brighter than half, so that ink is
            bright on a ground of 0 whatever it was drawn on.
        keep_aspect: fill pictures that are not square up to a square, with the tone of their
            border, instead of stretching them.

    Raises:
        SettingsError: `size` is below 1, or `channels` is neither 1 nor 3.
    """

    kind: Kind = "images"
    dtype = "uint8"

    def __init__(
        self,
        size: int = 28,
        channels: int = 1,
        *,
        light_on_dark: bool = False,
        keep_aspect: bool = False,
    ) -> None:
        if size < 1:
            raise SettingsError(f"`size` must be 1 pixel or more; got {size}")
        if channels not in (1, 3):
            raise SettingsError(f"`channels` must be 1 (grey) or 3 (colour); got {channels}")
        self.size = size
        self.channels = channels
        self.light_on_dark = light_on_dark
        self.keep_aspect = keep_aspect

    @property
    def shape(self) -> tuple[int, ...]:
        """(channels, size, size)."""
        return (self.channels, self.size, self.size)

    def settings(self) -> dict[str, Any]:
        """The arguments that make this input again."""
        return {
            "size": self.size,
            "channels": self.channels,
            "light_on_dark": self.light_on_dark,
            "keep_aspect": self.keep_aspect,
        }

    def read(self, value: Any, origin: str = "") -> UInt8[np.ndarray, "channels size size"]:
        """A path, bytes, open picture or array as pixels [channels, size, size].

        Raises:
            DataError: it is no picture that can be read.
        """
        picture = read_picture(value, origin).convert("L" if self.channels == 1 else "RGB")
        if self.keep_aspect:
            picture = _squared(picture)
        picture = _resized(picture, self.size)
        pixels = np.asarray(picture)
        pixels = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)  # [C, S, S]
        if self.light_on_dark and _border(pixels).mean() > PLAIN:
            pixels = 255 - pixels
        return np.ascontiguousarray(pixels)

    def learn(self, stored: Any) -> None:
        """Nothing: pixels need no statistics."""

    def tensor(
        self, stored: UInt8[Tensor, "batch channels size size"]
    ) -> Float[Tensor, "batch channels size size"]:
        """Pixels as floats from 0 to 1."""
        return stored.float().div_(255)

    def views(
        self, batch: Float[Tensor, "batch channels size size"], count: int
    ) -> Float[Tensor, "count batch channels size size"]:
        """`count` views of each picture: itself first, the others mildly warped.

        The warps (turns up to 9 degrees, scales up to 15 %, shears up to 0.14, shifts up to 6 %)
        are drawn once from a fixed seed: they are the same for every picture and every batch.
        """
        generator = torch.Generator().manual_seed(7)
        thetas = torch.eye(2, 3).repeat(count, 1, 1)
        draws = torch.rand(count, 6, generator=generator) * 2 - 1  # [count, 6]
        for view in range(1, count):
            thetas[view] = _mild_affine(draws[view])
        return torch.stack([batch, *(_warped(batch, theta) for theta in thetas[1:])])

    def __repr__(self) -> str:
        return f"Images({', '.join(f'{key}={value}' for key, value in self.settings().items())})"


def _mild_affine(draw: Float[Tensor, "6"]) -> Float[Tensor, "2 3"]:
    """An affine map of coordinates in -1 ... 1 from six numbers in -1 ... 1."""
    turn, wide, high, shear, right, down = draw.tolist()
    angle = torch.tensor(0.155 * turn)
    rotation = torch.stack(
        [torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])]
    )
    stretch = torch.tensor(
        [[2.718281828 ** (0.14 * wide), 0.14 * shear], [0.0, 2.718281828 ** (0.14 * high)]]
    )
    return torch.cat([rotation @ stretch, torch.tensor([[0.125 * right], [0.125 * down]])], dim=1)


def _warped(
    batch: Float[Tensor, "batch channels height width"], theta: Float[Tensor, "2 3"]
) -> Float[Tensor, "batch channels height width"]:
    grid = F.affine_grid(
        theta.to(batch).expand(len(batch), 2, 3), list(batch.shape), align_corners=False
    )
    return F.grid_sample(batch, grid, align_corners=False)


def _resized(picture: Image.Image, size: int) -> Image.Image:
    """Each side by itself: averaged over areas where it shrinks, interpolated where it grows."""
    width, height = picture.size
    for target in ((size, height), (size, size)):
        side = 0 if target[0] != picture.size[0] else 1
        shrinks = target[side] < picture.size[side]
        if target != picture.size:
            kind = Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR
            picture = picture.resize(target, kind)
    return picture


def _squared(picture: Image.Image) -> Image.Image:
    width, height = picture.size
    if width == height:
        return picture
    side = max(width, height)
    pixels = np.asarray(picture)
    flat = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    tone = tuple(int(value) for value in np.median(_border(flat), axis=1))
    square = Image.new(picture.mode, (side, side), tone if len(tone) > 1 else tone[0])
    square.paste(picture, ((side - width) // 2, (side - height) // 2))
    return square


def _border(pixels: UInt8[np.ndarray, "channels height width"]) -> UInt8[np.ndarray, "channels n"]:
    return np.concatenate(
        [pixels[:, 0], pixels[:, -1], pixels[:, :, 0], pixels[:, :, -1]], axis=1
    )
