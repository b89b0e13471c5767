"""`PenWarp`: trajectories written a little otherwise, as a hand does from one time to the next."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from gemel.inputs.augment import Number, check_strengths
from gemel.inputs.pens import ROWS

Trajectories = Float[Tensor, "batch 5 points"]
KNOTS = 6  # of the curve by which time is moved


@dataclass(frozen=True, kw_only=True)
class PenWarp:
    """Warps trajectories as `inputs.Pens` makes them, each by itself; all draws are normal.

    Attributes:
        time: how far moments are moved, as a share of the whole time: the standard deviation of
            six numbers, which are interpolated and fade to 0 at both ends. Time never runs back.
        pace: of the logarithm by which the whole time is multiplied.
        rotation: of the turn, in degrees.
        scale: of the logarithms by which x and y are multiplied.
        jitter: of what is added to x and y of each point, in root mean square sizes.

    Raises:
        SettingsError: a strength is negative.
    """

    time: Number = 0.06
    pace: Number = 0.08
    rotation: Number = 5.0
    scale: Number = 0.05
    jitter: Number = 0.0

    def __post_init__(self) -> None:
        check_strengths(**vars(self))

    def __call__(self, batch: Trajectories, generator: torch.Generator) -> Trajectories:
        """The batch, each trajectory warped by numbers of its own."""
        count, points = len(batch), batch.shape[2]

        def normal(*shape: int) -> Tensor:
            drawn = torch.randn(*shape, generator=generator, device=generator.device)
            return drawn.to(batch)

        warped = at_moments(batch, _moved(normal(count, 1, KNOTS) * self.time, points))
        x, y, _, pressure, down = warped.unbind(1)
        time = batch[:, ROWS.index("time")] * (self.pace * normal(count, 1)).exp()
        turn = math.radians(self.rotation) * normal(count, 1)
        across, along = (self.scale * normal(2, count, 1)).exp()
        trembling = self.jitter * normal(2, count, points)
        right = (turn.cos() * x - turn.sin() * y) * across + trembling[0]
        low = (turn.sin() * x + turn.cos() * y) * along + trembling[1]
        return torch.stack([right, low, time, pressure, down], dim=1)


def _moved(knots: Float[Tensor, "batch 1 knots"], points: int) -> Float[Tensor, "batch points"]:
    """For each point the moment that it shows: from 0 to 1, never falling."""
    curve = F.interpolate(knots, size=points, mode="linear", align_corners=True)[:, 0]
    even = torch.linspace(0, 1, points, dtype=knots.dtype, device=knots.device)
    moments = even + curve * (math.pi * even).sin()
    return moments.clamp(0, 1).cummax(dim=1).values


def at_moments(
    batch: Float[Tensor, "batch rows points"], moments: Float[Tensor, "batch points"]
) -> Float[Tensor, "batch rows points"]:
    """The rows at `moments` between 0, the first point, and 1, the last; interpolated."""
    rows, points = batch.shape[1:]
    place = moments * (points - 1)
    before = place.floor().long().clamp(max=points - 2)
    share = (place - before)[:, None]

    def taken(at: Tensor) -> Tensor:
        return torch.gather(batch, 2, at[:, None].expand(-1, rows, -1))

    return taken(before) * (1 - share) + taken(before + 1) * share
