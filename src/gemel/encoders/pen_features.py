"""`PenFeatures`: from trajectories to what a network looks at: direction, speed, curvature..."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from gemel.errors import SettingsError

Row = Float[Tensor, "batch points"]
SMOOTH = 3
"""Points over which derivatives are averaged."""
SLOW = 0.01
"""Sizes a second: what is added to a speed before its logarithm is taken."""
TINY = 1e-6


@dataclass(frozen=True)
class Motion:
    """Trajectories [B, 5, points], as `inputs.Pens` makes them, and their derivatives by time."""

    trajectory: Float[Tensor, "batch 5 points"]

    @property
    def x(self) -> Row:
        """To the right."""
        return self.trajectory[:, 0]

    @property
    def y(self) -> Row:
        """Downward."""
        return self.trajectory[:, 1]

    @property
    def pressure(self) -> Row:
        """1 in the mean."""
        return self.trajectory[:, 3]

    @property
    def down(self) -> Row:
        """From 0 to 1."""
        return self.trajectory[:, 4]

    @cached_property
    def step(self) -> Float[Tensor, "batch 1"]:
        """Seconds between two points."""
        return (self.trajectory[:, 2, -1:] / (self.trajectory.shape[2] - 1)).clamp(min=TINY)

    def slope(self, row: Row) -> Row:
        """The derivative of a row by time, averaged over `SMOOTH` points."""
        slope = torch.gradient(row, dim=1)[0] / self.step
        edge = SMOOTH // 2
        filled = F.pad(slope[:, None], (edge, edge), mode="replicate")
        return F.avg_pool1d(filled, SMOOTH, 1)[:, 0]

    @cached_property
    def vx(self) -> Row:
        """Velocity to the right."""
        return self.slope(self.x)

    @cached_property
    def vy(self) -> Row:
        """Velocity downward."""
        return self.slope(self.y)

    @cached_property
    def ax(self) -> Row:
        """Acceleration to the right."""
        return self.slope(self.vx)

    @cached_property
    def ay(self) -> Row:
        """Acceleration downward."""
        return self.slope(self.vy)

    @cached_property
    def speed(self) -> Row:
        """Sizes a second."""
        return (self.vx.square() + self.vy.square() + TINY).sqrt()

    @cached_property
    def curvature(self) -> Row:
        """The cosine of the turn from the point before to the point after."""
        cos, sin = self.vx / self.speed, self.vy / self.speed
        inner = cos[:, :-2] * cos[:, 2:] + sin[:, :-2] * sin[:, 2:]
        return F.pad(inner[:, None], (1, 1), mode="replicate")[:, 0]


def standard(row: Row) -> Row:
    """Mean 0 and standard deviation 1 over the points; a constant row becomes 0."""
    sd, mean = torch.std_mean(row, dim=1, keepdim=True)
    return (row - mean) / (sd + TINY)


def unit_size(row: Row) -> Row:
    """Divided by the root of the mean square over the points."""
    return row / (row.square().mean(dim=1, keepdim=True) + TINY).sqrt()


def level(row: Row) -> Row:
    """Less the straight line that fits it best over the points."""
    centred = row - row.mean(dim=1, keepdim=True)
    ramp = torch.linspace(-1, 1, row.shape[1], dtype=row.dtype, device=row.device)
    return centred - (centred @ ramp / ramp.square().sum())[:, None] * ramp


CHANNELS: dict[str, Callable[[Motion], Row]] = {
    "pen": lambda m: 2 * m.down - 1,
    "level_x": lambda m: level(m.x) / (m.y.std(dim=1, keepdim=True) + TINY),
    "level_y": lambda m: level(m.y) / (m.y.std(dim=1, keepdim=True) + TINY),
    "speed": lambda m: unit_size(m.speed),
    "centripetal": lambda m: unit_size((m.vx * m.ay - m.vy * m.ax) / m.speed),
    "tangential": lambda m: unit_size(m.slope(m.speed)),
    "direction": lambda m: m.vx / m.speed,
    "curvature": lambda m: m.curvature,
    "x": lambda m: standard(m.x),
    "y": lambda m: standard(m.y),
    "velocity_x": lambda m: standard(m.vx),
    "velocity_y": lambda m: standard(m.vy),
    "acceleration_x": lambda m: standard(m.ax),
    "acceleration_y": lambda m: standard(m.ay),
    "pressure": lambda m: standard(m.pressure),
    "pressure_change": lambda m: standard(m.slope(m.pressure)),
    "cosine": lambda m: m.vx / m.speed,
    "sine": lambda m: m.vy / m.speed,
    "log_speed": lambda m: (m.speed + SLOW).log(),
}
"""What each channel is; a channel of the same name is the same number in every encoder."""

BROMLEY = (
    "pen",
    "level_x",
    "level_y",
    "speed",
    "centripetal",
    "tangential",
    "direction",
    "curvature",
)
"""The eight of Bromley and others 1993, as far as they are remembered."""

MODERN = (
    "y",
    "velocity_x",
    "velocity_y",
    "acceleration_x",
    "acceleration_y",
    "pressure",
    "pressure_change",
    "cosine",
    "sine",
    "log_speed",
)


class PenFeatures(nn.Module):
    """Channels [B, C, points] of trajectories [B, 5, points]; no weights.

    It is an encoder's first layer and not the input's last, so that augmentation warps what was
    written, and speed and curvature follow.

    Args:
        channels: names of `CHANNELS`.

    Raises:
        SettingsError: there is no such channel, or none is asked for.
    """

    def __init__(self, channels: Sequence[str] = MODERN) -> None:
        super().__init__()
        unknown = [name for name in channels if name not in CHANNELS]
        if unknown or not channels:
            raise SettingsError(
                f"`channels` must be some of {', '.join(CHANNELS)}; got {', '.join(channels)}"
            )
        self.channels = tuple(channels)

    def forward(
        self, batch: Float[Tensor, "batch 5 points"]
    ) -> Float[Tensor, "batch channels points"]:
        """The channels in the order in which they were asked for."""
        motion = Motion(batch)
        return torch.stack([CHANNELS[name](motion) for name in self.channels], dim=1)
