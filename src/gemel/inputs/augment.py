"""Augmentation: warps and colour changes of whole batches, on tensors.

Each is called as `augment(batch, generator)` with a batch [B, C, H, W] of values from 0 to 1, and
draws for every picture by itself, from the generator alone. Warps are maps from a place in the new
picture to one in the old, measured in half sides from the middle, x to the right and y down; what
comes from outside the picture is `fill`: a value, the nearest pixel ("border"), or the mirror
image ("reflection").
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from gemel.errors import SettingsError

Batch = Float[Tensor, "batch channels height width"]
Field = Float[Tensor, "batch height width 2"]
Maps = Float[Tensor, "batch 2 3"]
Column = Float[Tensor, " batch"]
Columns = Float[Tensor, "batch 2"]
Augment = Callable[[Tensor, torch.Generator], Tensor]
Number = float | int
Fill = Number | Literal["border", "reflection"]

POINTS = 5  # a side of the grid of displacements


@dataclass(frozen=True, kw_only=True)
class Affine:
    """Turn, scale, shear and shift; each component is drawn with a chance of its own.

    Attributes:
        rotation: up to this many degrees either way.
        scale: factors in x and in y, each drawn uniformly between these two.
        shear: up to this much in x and in y.
        shift: up to this share of a side in x and in y.
        probability: the chance that a component is drawn at all.
        fill: what comes from outside the picture.

    Raises:
        SettingsError: a strength is negative, `scale` does not rise from above 0, or
            `probability` is above 1.
    """

    rotation: Number = 10.0
    scale: tuple[Number, Number] = (0.8, 1.2)
    shear: Number = 0.2
    shift: Number = 0.08
    probability: Number = 1.0
    fill: Fill = 0.0

    def __post_init__(self) -> None:
        check_strengths(
            rotation=self.rotation,
            shear=self.shear,
            shift=self.shift,
            probability=self.probability,
        )
        if not 0 < self.scale[0] <= self.scale[1] < math.inf:
            raise SettingsError(f"`scale` must be two rising factors above 0; got {self.scale}")
        if self.probability > 1:
            raise SettingsError(f"`probability` must lie between 0 and 1; got {self.probability}")

    @classmethod
    def koch(cls) -> "Affine":
        """The distortions of Koch et al. 2015, for pictures of any size.

        Up to 10 degrees, scale 0.8 to 1.2, shear 0.3, shift 2 of 105 pixels, each component in x
        and in y with a chance of one half.
        """
        return cls(rotation=10, scale=(0.8, 1.2), shear=0.3, shift=2 / 105, probability=0.5)

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        """The batch, each picture mapped by an affine map of its own."""
        count, (low, high) = len(batch), self.scale
        drawn = uniform(count, 7, generator)  # [B, 7] in -1..1
        chosen = torch.rand(count, 7, generator=generator, device=generator.device)
        drawn = torch.where(chosen < self.probability, drawn, torch.nan)
        scale = (low + high) / 2 + (high - low) / 2 * drawn[:, 1:3]
        maps = affine_maps(
            turn=math.radians(self.rotation) * drawn[:, 0].nan_to_num(0.0),
            scale=scale.nan_to_num(1.0),
            shear=self.shear * drawn[:, 3:5].nan_to_num(0.0),
            shift=self.shift * drawn[:, 5:7].nan_to_num(0.0),
        )
        return resample(batch, maps.to(batch), self.fill)


@dataclass(frozen=True)
class Elastic:
    """Smooth random displacement: a 5 x 5 grid of normal numbers, enlarged by bicubic curves.

    The idea is that of Simard, Steinkraus and Platt 2003, "Best practices for convolutional neural
    networks", who smooth a field of all pixels instead.

    Attributes:
        strength: the standard deviation of the grid's numbers, in half sides of the picture.
        fill: what comes from outside the picture.

    Raises:
        SettingsError: `strength` is negative.
    """

    strength: Number = 0.04
    fill: Fill = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        check_strengths(strength=self.strength)

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        """The batch, each picture displaced by a field of its own."""
        still = torch.eye(2, 3).to(batch).expand(len(batch), 2, 3)
        return resample(batch, still, self.fill, displacements(batch, self.strength, generator))


@dataclass(frozen=True, kw_only=True)
class Warp:
    """An affine and an elastic warp in one: pictures are sampled once, so they blur once.

    Attributes:
        rotation: up to this many degrees either way.
        scale: sides are multiplied by up to e to the power of +-`scale`.
        shear: up to this much in x.
        shift: up to this share of a side in x and in y.
        elastic: strength of the elastic part, as in `Elastic`.
        fill: what comes from outside the picture.

    Raises:
        SettingsError: a strength is negative.
    """

    rotation: Number = 12.0
    scale: Number = 0.2
    shear: Number = 0.2
    shift: Number = 0.09
    elastic: Number = 0.04
    fill: Fill = 0.0

    def __post_init__(self) -> None:
        check_strengths(
            rotation=self.rotation,
            scale=self.scale,
            shear=self.shear,
            shift=self.shift,
            elastic=self.elastic,
        )

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        """The batch, each picture warped by a map of its own."""
        drawn = uniform(len(batch), 6, generator)  # [B, 6] in -1..1
        shear = self.shear * drawn[:, 3]
        maps = affine_maps(
            turn=math.radians(self.rotation) * drawn[:, 0],
            scale=(self.scale * drawn[:, 1:3]).exp(),
            shear=torch.stack([shear, torch.zeros_like(shear)], 1),
            shift=self.shift * drawn[:, 4:6],
        )
        moved = displacements(batch, self.elastic, generator) if self.elastic else None
        return resample(batch, maps.to(batch), self.fill, moved)


@dataclass(frozen=True)
class Crop:
    """A random part of each picture, enlarged to the whole.

    Attributes:
        least: the smallest share of the sides that is kept; height and width keep their ratio.

    Raises:
        SettingsError: `least` is not above 0 and at most 1.
    """

    least: Number = 0.8

    def __post_init__(self) -> None:
        if not 0 < self.least <= 1:
            raise SettingsError(f"`least` must be above 0 and at most 1; got {self.least}")

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        """The batch, each picture cut by a window of its own."""
        drawn = uniform(len(batch), 3, generator)  # [B, 3] in -1..1
        side = 1 - (1 - self.least) * (1 + drawn[:, :1]) / 2
        maps = affine_maps(
            turn=torch.zeros_like(drawn[:, 0]),
            scale=side.expand(-1, 2),
            shear=torch.zeros_like(drawn[:, 1:]),
            shift=(1 - side) / 2 * drawn[:, 1:],
        )
        return resample(batch, maps.to(batch), "border")


@dataclass(frozen=True, kw_only=True)
class Flip:
    """Mirror images.

    Attributes:
        across: the chance of a picture to have left and right exchanged.
        down: the chance of a picture to have top and bottom exchanged.

    Raises:
        SettingsError: a chance is not between 0 and 1.
    """

    across: Number = 0.5
    down: Number = 0.0

    def __post_init__(self) -> None:
        for name, chance in (("across", self.across), ("down", self.down)):
            if not 0 <= chance <= 1:
                raise SettingsError(f"`{name}` must lie between 0 and 1; got {chance}")

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        """The batch, some of it mirrored."""
        drawn = torch.rand(len(batch), 2, generator=generator, device=generator.device)
        for column, (axis, chance) in enumerate(((3, self.across), (2, self.down))):
            chosen = (drawn[:, column] < chance).to(batch.device)
            batch = torch.where(chosen[:, None, None, None], batch.flip(axis), batch)
        return batch


@dataclass(frozen=True, kw_only=True)
class Colour:
    """Brightness, contrast and, where there are three channels, saturation.

    The values are multiplied by factors drawn between 1 - s and 1 + s: brightness multiplies them
    as they are, contrast their distance from the picture's mean grey, saturation their distance
    from each pixel's grey (0.299 R + 0.587 G + 0.114 B, ITU-R BT.601).

    Attributes:
        brightness: s of brightness.
        contrast: s of contrast.
        saturation: s of saturation.

    Raises:
        SettingsError: a strength is negative or above 1.
    """

    brightness: Number = 0.2
    contrast: Number = 0.2
    saturation: Number = 0.2

    def __post_init__(self) -> None:
        strengths = {name: getattr(self, name) for name in ("brightness", "contrast", "saturation")}
        check_strengths(**strengths)
        for name, value in strengths.items():
            if value > 1:
                raise SettingsError(f"`{name}` must be at most 1; got {value}")

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        """The batch, each picture with factors of its own; values stay between 0 and 1."""
        drawn = uniform(len(batch), 3, generator).to(batch)[:, :, None, None, None]
        batch = batch * (1 + self.brightness * drawn[:, 0])
        mean = _grey(batch).mean((2, 3), keepdim=True)
        batch = mean + (batch - mean) * (1 + self.contrast * drawn[:, 1])
        grey = _grey(batch)
        batch = grey + (batch - grey) * (1 + self.saturation * drawn[:, 2])
        return batch.clamp(0, 1)


@dataclass(frozen=True)
class Chain:
    """Several augmentations, one after the other.

    Attributes:
        parts: what is applied, the first first.
    """

    parts: Sequence[Augment]

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        """The batch after all parts."""
        for part in self.parts:
            batch = part(batch, generator)
        return batch


def uniform(
    count: int, columns: int, generator: torch.Generator
) -> Float[Tensor, "{count} {columns}"]:
    """Numbers drawn uniformly from -1..1, on the generator's device."""
    return 2 * torch.rand(count, columns, generator=generator, device=generator.device) - 1


def affine_maps(*, turn: Column, scale: Columns, shear: Columns, shift: Columns) -> Maps:
    """Maps of places in the new picture to the old: (rotation x [scale and shear]) and shift.

    Args:
        turn: radians, clockwise as seen in the old picture.
        scale: factors in x and in y; above 1, what is shown becomes smaller.
        shear: how far x moves with y, and y with x.
        shift: shares of a side, in x and in y.
    """
    cos, sin = turn.cos(), turn.sin()
    rotation = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)
    stretch = torch.diag_embed(scale) + torch.diag_embed(shear).flip(2)
    return torch.cat([rotation @ stretch, 2 * shift[:, :, None]], 2)


def displacements(batch: Batch, strength: Number, generator: torch.Generator) -> Field:
    """For each pixel of each picture a displacement (x, y), in half sides."""
    coarse = torch.randn(
        len(batch), 2, POINTS, POINTS, generator=generator, device=generator.device
    )
    rows, columns = (_enlarging(side).to(batch) for side in batch.shape[2:])
    fine = rows @ (strength * coarse.to(batch)) @ columns.T  # [B, 2, H, W]
    return fine.permute(0, 2, 3, 1)


@cache
def _enlarging(side: int) -> Float[Tensor, "{side} points"]:
    """The matrix of bicubic enlargement from `POINTS` to `side`, which is linear and separable."""
    each = torch.eye(POINTS)[None, None]
    return F.interpolate(each, size=(side, POINTS), mode="bicubic", align_corners=True)[0, 0]


def resample(batch: Batch, maps: Maps, fill: Fill, moved: Field | None = None) -> Batch:
    """Each picture as its map, and the displacements `moved`, show it; bilinear.

    The maps turn and shear in pixels, so a picture that is not square is turned, not skewed.
    """
    aspect = batch.shape[2] / batch.shape[3]
    ratio = torch.tensor([[1.0, aspect, 1.0], [1 / aspect, 1.0, 1.0]])
    grid = F.affine_grid(maps * ratio.to(maps), list(batch.shape), align_corners=False)
    if moved is not None:
        grid = grid + moved
    if isinstance(fill, str):
        return F.grid_sample(batch, grid, padding_mode=fill, align_corners=False)
    if fill == 0:
        return F.grid_sample(batch, grid, align_corners=False)
    return F.grid_sample(batch - fill, grid, align_corners=False) + fill


def _grey(batch: Batch) -> Float[Tensor, "batch 1 height width"]:
    if batch.shape[1] != 3:
        return batch.mean(1, keepdim=True)
    weights = torch.tensor([0.299, 0.587, 0.114]).to(batch)
    return (batch * weights[:, None, None]).sum(1, keepdim=True)


def check_strengths(**strengths: Number) -> None:
    """Refuse a strength that is negative or not finite."""
    for name, value in strengths.items():
        if not 0 <= value < math.inf:
            raise SettingsError(f"`{name}` must be a number of 0 or more; got {value}")
