"""`Tones`: what another hour, film or camera makes of the tones of a picture."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from gemel.errors import SettingsError
from gemel.inputs.augment import uniform

POINTS = 3  # a side of the grid of shades


@dataclass(frozen=True, kw_only=True)
class Tones:
    """Gamma, shade, exchanged black and white, softness, noise: each picture gets its own.

    Attributes:
        gamma: values are raised to a power of e to the power of up to +-`gamma`.
        shade: each place is multiplied by e to the power of up to +-`shade`, drawn on a 3 x 3 grid
            and smooth between: lamps and shadows.
        invert: the chance that black and white are exchanged.
        soft: how far each pixel moves to the mean of its 3 x 3 neighbours, twice: up to this share
            of the way.
        noise: standard deviations of normal noise are drawn from 0 to this.

    Raises:
        SettingsError: a strength is negative, or the chance above 1.
    """

    gamma: float = 0.7
    shade: float = 0.0
    invert: float = 0.0
    soft: float = 0.0
    noise: float = 0.03

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value < math.inf:
                raise SettingsError(f"`{name}` must be a finite number of 0 or more; got {value}")
        for name in ("invert", "soft"):
            if getattr(self, name) > 1:
                raise SettingsError(f"`{name}` must lie from 0 to 1; got {getattr(self, name)}")

    def __call__(
        self, batch: Float[Tensor, "batch channels height width"], generator: torch.Generator
    ) -> Float[Tensor, "batch channels height width"]:
        """The batch, each picture changed by itself; values stay between 0 and 1."""
        count = len(batch)
        drawn = uniform(count, 4 + POINTS**2, generator).to(batch)[:, :, None, None, None]
        if self.invert:
            chosen = (drawn[:, 0] + 1) / 2 < self.invert
            batch = torch.where(chosen, 1 - batch, batch)
        if self.gamma:
            batch = batch.clamp(min=1e-4) ** (self.gamma * drawn[:, 1]).exp()
        if self.shade:
            grid = drawn[:, 4:].reshape(count, 1, POINTS, POINTS)
            smooth = F.interpolate(grid, batch.shape[2:], mode="bilinear", align_corners=True)
            batch = batch * (self.shade * smooth).exp()
        if self.soft:
            way = self.soft * (drawn[:, 3] + 1) / 2
            for _ in range(2):
                batch = batch + way * (_around(_around(batch, 2), 3) - batch)
        if self.noise:
            noise = torch.randn(batch.shape, generator=generator, device=generator.device)
            batch = batch + self.noise * (drawn[:, 2] + 1) / 2 * noise.to(batch)
        return batch.clamp(0, 1)


def _around(
    x: Float[Tensor, "batch channels height width"], axis: int
) -> Float[Tensor, "batch channels height width"]:
    """The mean of each pixel and its two neighbours along an axis; the border counts twice."""
    side = x.shape[axis]
    first, last = x.narrow(axis, 0, 1), x.narrow(axis, side - 1, 1)
    wide = torch.cat([first, x, last], dim=axis)
    total = wide.narrow(axis, 0, side) + wide.narrow(axis, 1, side) + wide.narrow(axis, 2, side)
    return total / 3
