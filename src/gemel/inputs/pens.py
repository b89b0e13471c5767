"""`Pens`: pen recordings of any length to trajectories of one length."""

from typing import Any

import numpy as np
from jaxtyping import Float, Float32
from torch import Tensor

from gemel.data.pens import Recording, read_pen
from gemel.errors import SettingsError
from gemel.items import Kind

ROWS = ("x", "y", "time", "pressure", "down")
"""The rows of a trajectory, in order."""
FAINTEST = 1e-3
"""The mean pressure of a pen that is down, as a share of the greatest: less is no measure of it."""


class Pens:
    """Pen recordings as trajectories [5, points] at equal steps of time, not of length.

    The rows are `ROWS`: x to the right and y downward, less their means, both divided by one
    number, the root mean square of the distance from the mean; the time in seconds from the first
    point; the pressure divided by its mean where the pen is down (1 throughout where the device
    gives none); and whether the pen is down, from 0 to 1. Between the points of the recording
    values are interpolated, so a lifted pen moves on a straight line.

    Args:
        points: how many points a trajectory has, 16 or more.
        longest_gap: seconds that two points may lie apart; longer pauses, in which the pen was
            out of reach, are shortened to this. They differ widely between signatures of one hand,
            and would leave few points for what was written. None keeps them.

    Raises:
        SettingsError: `points` is below 16, or `longest_gap` not above 0.
    """

    kind: Kind = "pens"
    dtype = "float32"

    def __init__(self, points: int = 128, *, longest_gap: float | int | None = 0.05) -> None:
        if points < 16:
            raise SettingsError(f"`points` must be 16 or more; got {points}")
        if longest_gap is not None and not longest_gap > 0:
            raise SettingsError(
                f"`longest_gap` must be above 0 seconds, or None to keep pauses; got {longest_gap}"
            )
        self.points = points
        self.longest_gap = longest_gap

    @property
    def shape(self) -> tuple[int, ...]:
        """(5, points)."""
        return (len(ROWS), self.points)

    def settings(self) -> dict[str, Any]:
        """The arguments that make this input again."""
        return {"points": self.points, "longest_gap": self.longest_gap}

    def read(self, value: Any, origin: str = "") -> Float32[np.ndarray, "5 points"]:
        """A path, the bytes of a file, strokes, an array or a `Recording` as a trajectory.

        Raises:
            DataError: it is no pen recording that can be read; see `gemel.data.read_pen`.
        """
        recording = read_pen(value, origin)
        steps = np.diff(recording.t)
        if self.longest_gap is not None:
            steps = np.minimum(steps, self.longest_gap)
        time = np.concatenate([[0.0], np.cumsum(steps)])
        even = np.linspace(0.0, time[-1], self.points)
        rows = [np.interp(even, time, row) for row in _rows(recording)]
        x, y = (row - row.mean() for row in rows[:2])
        size = float(np.sqrt(np.mean(x**2 + y**2)))
        scale = 1.0 if size == 0 else size  # a dot stays a dot
        return np.stack([x / scale, y / scale, even, *rows[2:]]).astype(np.float32)

    def learn(self, stored: Any) -> None:
        """Nothing: each recording is scaled by itself."""

    def tensor(self, stored: Float[Tensor, "batch 5 points"]) -> Float[Tensor, "batch 5 points"]:
        """Trajectories as they are stored."""
        return stored.float()

    def __repr__(self) -> str:
        return f"Pens(points={self.points}, longest_gap={self.longest_gap})"


def _rows(recording: Recording) -> tuple[Float[np.ndarray, " n"], ...]:
    """x, y, pressure of mean 1 where the pen is down, and whether it is down."""
    down = recording.down.astype(float)
    return recording.x, recording.y, _relative_pressure(recording), down


def _relative_pressure(recording: Recording) -> Float[np.ndarray, " n"]:
    """1 throughout where there is none, or none worth the name while the pen is down."""
    pressure, down = recording.pressure, recording.down
    if pressure is None or not down.any():
        return np.ones(len(recording))
    mean = float(pressure[down].mean())
    if mean <= FAINTEST * float(np.abs(pressure).max()):
        return np.ones(len(recording))
    return pressure / mean
