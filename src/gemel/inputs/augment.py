"""Augmentation: warps and colour changes of whole batches, on tensors.

Each is called as `augment(batch, generator)` and draws for every picture by itself, from the
generator alone. Coordinates run from -1 to 1 over a side, y downwards; what comes from outside a
picture is `fill`: 0 ("zeros"), the nearest pixel ("border") or its mirror image ("reflection").
"""

import math
from collections.abc import Callable, Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from gemel.errors import SettingsError

Batch = Float[Tensor, "batch channels height width"]
Grid = Float[Tensor, "batch height width 2"]
Affines = Float[Tensor, "batch 2 3"]
Augment = Callable[[Tensor, torch.Generator], Tensor]
Fill = Literal["zeros", "border", "reflection"]
GRID = 5


class Affine:
    """Turn, scale, shear and shift, each component drawn with a chance of its own.

    Args:
        rotation: up to this many degrees either way.
        scale: factors of width and of height, each drawn uniformly between these two.
        shear: up to this much in x and in y.
        shift: up to this share of a side in x and in y.
        probability: the chance of each component to be drawn at all.
        fill: what comes from outside the picture.

    Raises:
        SettingsError: a strength is negative, or the chance is not between 0 and 1.
    """

    def __init__(
        self,
        *,
        rotation: float = 10.0,
        scale: tuple[float, float] = (0.8, 1.2),
        shear: float = 0.2,
        shift: float = 0.08,
        probability: float = 1.0,
        fill: Fill = "zeros",
    ) -> None:
        _check_strengths(rotation=rotation, shear=shear, shift=shift, probability=probability)
        if not 0 < scale[0] <= scale[1]:
            raise SettingsError(f"`scale` must be two rising factors above 0; got {scale}")
        if probability > 1:
            raise SettingsError(f"`probability` must lie between 0 and 1; got {probability}")
        self.rotation = rotation
        self.scale = scale
        self.shear = shear
        self.shift = shift
        self.probability = probability
        self.fill = fill

    @classmethod
    def koch(cls, size: int = 105) -> "Affine":
        """The distortions of Koch 2015: +-10 degrees, shear +-0.3, scale 0.8 to 1.2, shift +-2 of
        105 pixels; each component in x and in y with a chance of one half.
        """
        return cls(rotation=10, scale=(0.8, 1.2), shear=0.3, shift=2 / size, probability=0.5)

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        """The batch, each picture mapped by an affine map of its own."""
        return _sample(batch, _affine_grid(self.maps(len(batch), generator), batch), self.fill)

    def maps(self, count: int, generator: torch.Generator) -> Affines:
        """`count` maps from places in the new picture to places in the old one."""
        draw = _Draws(count, generator, self.probability)
        low, high = self.scale
        turn = draw(-math.radians(self.rotation), math.radians(self.rotation), 0.0)
        wide, tall = draw(low, high, 1.0), draw(low, high, 1.0)
        shear_x, shear_y = draw(-self.shear, self.shear, 0.0), draw(-self.shear, self.shear, 0.0)
        right, down = draw(-self.shift, self.shift, 0.0), draw(-self.shift, self.shift, 0.0)
        return _compose(turn, wide, tall, shear_x, shear_y, 2 * right, 2 * down)

    def __repr__(self) -> str:
        return (
            f"Affine(rotation={self.rotation:g}, scale={self.scale}, shear={self.shear:g}, "
            f"shift={self.shift:g}, probability={self.probability:g})"
        )


class Elastic:
    """Smooth random displacement: a 5 x 5 grid of normal numbers, enlarged by bicubic curves.

    Source: the idea is of Simard, Steinkraus, Platt 2003, "Best practices for convolutional
    neural networks"; they smooth a field of all pixels instead.

    Args:
        strength: standard deviation of the grid, in half sides of the picture.
        fill: what comes from outside the picture.

    Raises:
        SettingsError: `strength` is negative.
    """

    def __init__(self, strength: float = 0.04, *, fill: Fill = "zeros") -> None:
        _check_strengths(strength=strength)
        self.strength = strength
        self.fill = fill

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        """The batch, each picture displaced by a field of its own."""
        still = torch.eye(2, 3, device=batch.device).expand(len(batch), 2, 3)
        grid = _affine_grid(still, batch) + self.field(batch, generator)
        return _sample(batch, grid, self.fill)

    def field(self, batch: Batch, generator: torch.Generator) -> Grid:
        """One displacement of each pixel of each picture."""
        coarse = self.strength * torch.randn(
            len(batch), 2, GRID, GRID, generator=generator, device=generator.device
        ).to(batch)
        size = (batch.shape[2], batch.shape[3])
        fine = F.interpolate(coarse, size=size, mode="bicubic", align_corners=True)
        return fine.permute(0, 2, 3, 1)

    def __repr__(self) -> str:
        return f"Elastic({self.strength:g})"


class Warp:
    """An affine and an elastic warp in one: pictures are sampled once, so they blur once.

    Args:
        rotation: up to this many degrees either way.
        scale: width and height are each multiplied by up to e to the power of +-`scale`.
        shear: up to this much in x.
        shift: up to this share of a side in x and in y.
        elastic: strength of the elastic part, as in `Elastic`.
        fill: what comes from outside the picture.

    Raises:
        SettingsError: a strength is negative.
    """

    def __init__(
        self,
        *,
        rotation: float = 12.0,
        scale: float = 0.2,
        shear: float = 0.2,
        shift: float = 0.09,
        elastic: float = 0.04,
        fill: Fill = "zeros",
    ) -> None:
        _check_strengths(rotation=rotation, scale=scale, shear=shear, shift=shift)
        self.rotation = rotation
        self.scale = scale
        self.shear = shear
        self.shift = shift
        self.fill = fill
        self.elastic = Elastic(elastic, fill=fill)

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        """The batch, each picture warped by a map of its own."""
        draw = _Draws(len(batch), generator, 1.0)
        turn = draw(-math.radians(self.rotation), math.radians(self.rotation), 0.0)
        wide = draw(-self.scale, self.scale, 0.0).exp()
        tall = draw(-self.scale, self.scale, 0.0).exp()
        shear = draw(-self.shear, self.shear, 0.0)
        right, down = draw(-self.shift, self.shift, 0.0), draw(-self.shift, self.shift, 0.0)
        maps = _compose(turn, wide, tall, shear, torch.zeros_like(shear), 2 * right, 2 * down)
        grid = _affine_grid(maps, batch)
        if self.elastic.strength:
            grid = grid + self.elastic.field(batch, generator)
        return _sample(batch, grid, self.fill)

    def __repr__(self) -> str:
        return (
            f"Warp(rotation={self.rotation:g}, scale={self.scale:g}, shear={self.shear:g}, "
            f"shift={self.shift:g}, elastic={self.elastic.strength:g})"
        )


class Crop:
    """A random part of the picture, enlarged to the whole.

    Args:
        least: the smallest share of a side that is kept.

    Raises:
        SettingsError: `least` is not above 0 and at most 1.
    """

    def __init__(self, least: float = 0.8) -> None:
        if not 0 < least <= 1:
            raise SettingsError(f"`least` must be above 0 and at most 1; got {least}")
        self.least = least

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        """The batch, each picture cut by a square window of its own."""
        draw = _Draws(len(batch), generator, 1.0)
        side = draw(self.least, 1.0, 1.0)
        right, down = (1 - side) * draw(-1.0, 1.0, 0.0), (1 - side) * draw(-1.0, 1.0, 0.0)
        zero = torch.zeros_like(side)
        maps = torch.stack(
            [torch.stack([side, zero, right], 1), torch.stack([zero, side, down], 1)], 1
        )
        return _sample(batch, _affine_grid(maps, batch), "border")

    def __repr__(self) -> str:
        return f"Crop({self.least:g})"


class Flip:
    """Left and right exchanged, with a chance of one half a picture."""

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        """The batch, some of it mirrored."""
        chosen = _Draws(len(batch), generator, 1.0)(0.0, 1.0, 0.0) < 0.5
        return torch.where(chosen.view(-1, 1, 1, 1).to(batch.device), batch.flip(3), batch)

    def __repr__(self) -> str:
        return "Flip()"


class Colour:
    """Brightness, contrast and, where there are three channels, the balance of colours.

    Args:
        strength: each factor is drawn between 1 - strength and 1 + strength.

    Raises:
        SettingsError: `strength` is negative.
    """

    def __init__(self, strength: float = 0.2) -> None:
        _check_strengths(strength=strength)
        self.strength = strength

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        """The batch, each picture with factors of its own; values stay between 0 and 1."""
        draw = _Draws(len(batch), generator, 1.0)
        low, high = 1 - self.strength, 1 + self.strength
        brightness = draw(low, high, 1.0).view(-1, 1, 1, 1).to(batch.device)
        contrast = draw(low, high, 1.0).view(-1, 1, 1, 1).to(batch.device)
        middle = batch.mean((1, 2, 3), keepdim=True)
        changed = ((batch - middle) * contrast + middle) * brightness
        if batch.shape[1] == 3:
            balance = torch.stack([draw(low, high, 1.0) for _ in range(3)], 1)
            changed = changed * balance.view(-1, 3, 1, 1).to(batch.device)
        return changed.clamp(0, 1)

    def __repr__(self) -> str:
        return f"Colour({self.strength:g})"


class Chain:
    """Several augmentations, one after the other."""

    def __init__(self, parts: Sequence[Augment]) -> None:
        self.parts = tuple(parts)

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        """The batch after all parts."""
        for part in self.parts:
            batch = part(batch, generator)
        return batch

    def __repr__(self) -> str:
        return f"Chain({', '.join(map(repr, self.parts))})"


class _Draws:
    """Uniform numbers, one a picture; some of them left out by chance."""

    def __init__(self, count: int, generator: torch.Generator, probability: float) -> None:
        self.count = count
        self.generator = generator
        self.probability = probability

    def __call__(self, low: float, high: float, neutral: float) -> Float[Tensor, " batch"]:
        where = {"generator": self.generator, "device": self.generator.device}
        drawn = torch.rand(self.count, **where) * (high - low) + low  # type: ignore[call-overload]
        if self.probability >= 1:
            return drawn  # type: ignore[no-any-return]
        chosen = torch.rand(self.count, **where) < self.probability  # type: ignore[call-overload]
        return torch.where(chosen, drawn, torch.full_like(drawn, neutral))


def _compose(
    turn: Tensor, wide: Tensor, tall: Tensor, shear_x: Tensor, shear_y: Tensor, right: Tensor, down: Tensor
) -> Affines:
    """Rotation times (scale and shear), then the shift."""
    cos, sin = turn.cos(), turn.sin()
    rotation = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)
    stretch = torch.stack([torch.stack([wide, shear_x], 1), torch.stack([shear_y, tall], 1)], 1)
    shift = torch.stack([right, down], 1)[:, :, None]
    return torch.cat([rotation @ stretch, shift], 2)


def _affine_grid(maps: Affines, batch: Batch) -> Grid:
    return F.affine_grid(maps.to(batch), list(batch.shape), align_corners=False)


def _sample(batch: Batch, grid: Grid, fill: Fill) -> Batch:
    return F.grid_sample(batch, grid, mode="bilinear", padding_mode=fill, align_corners=False)


def _check_strengths(**strengths: float) -> None:
    for name, value in strengths.items():
        if value < 0:
            raise SettingsError(f"`{name}` must be 0 or more; got {value}")
