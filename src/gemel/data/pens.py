"""`read_pen`: whatever a user calls a pen recording, as points with times.

Four formats are told apart by what is in them:

- SVC2004: a line with the number of points, then for each a line with x, y, time, button and, in
  Task 2, azimuth, altitude, pressure.
- A CSV of points: a header `x,y,t` and any of `pressure`, `down` (1 or 0), `stroke`.
- InkML: `<trace>` elements whose points have the channels X, Y, T and perhaps F, the force.
- JSON strokes: a list of strokes, or an object with such a list as `strokes`; a stroke is a list
  of points `{"x", "y", "t", "pressure"}` or `[x, y, t, pressure]`, the last not always there.

Times are milliseconds from any origin, y grows downward as on a screen (SVC2004's, which grows
upward, is turned). In SVC2004 the pen is followed while it is up; elsewhere it is up between two
strokes.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray

from gemel.data._pen_formats import (
    Column,
    Points,
    points_in,
    points_of_array,
    points_of_strokes,
)
from gemel.data.files import file_fault
from gemel.errors import DataError

SUFFIXES = (".txt", ".csv", ".inkml", ".json")
"""The ends of the file names that pen recordings have, in small or capital letters."""

MOST_POINTS = 100_000
MOST_BYTES = 20_000_000
LONGEST = 600.0  # seconds
FURTHEST_BACK = 1.0
"""Seconds that time may lie behind what it was: more is no jitter of a clock."""
QUICKEST = 0.0005
"""Seconds between two points: no pen is asked more often than 2,000 times a second."""
TICK = 0.001
"""Seconds between two points whose times are equal, or step back."""


@dataclass(frozen=True, eq=False)
class Recording:
    """What a pen wrote: P points in the order of time.

    Attributes:
        x: [P] in any unit, to the right.
        y: [P] in the same unit, downward.
        t: [P] seconds from the first point, rising.
        pressure: [P] in any unit; None where the device has none.
        down: [P] whether the pen touches.
        still: how many times were equal to the one before, and were moved on by a millisecond.
        back: how many times stepped back, and were moved on by a millisecond.
    """

    x: Column
    y: Column
    t: Column
    pressure: Column | None
    down: Bool[NDArray[np.bool_], " points"]
    still: int = 0
    back: int = 0

    def __len__(self) -> int:
        return len(self.x)


def read_pen(value: Any, origin: str = "") -> Recording:
    """The pen recording in `value`.

    Args:
        value: a path, the bytes of a file, strokes as JSON gives them, an array [P, 3 to 5] of x,
            y, t in milliseconds, pressure, down; or a `Recording`.
        origin: where it came from, for messages; unless given, its path.

    Raises:
        DataError: it cannot be opened or is of none of the formats; it has no or one point, or
            more than `MOST_POINTS`; a number that is none, not finite or beyond `LARGEST`; time
            that falls back by more than a second, never moves, or goes on for more than ten
            minutes.
    """
    if isinstance(value, Recording):
        return value
    if isinstance(value, np.ndarray):
        where = origin or "the array"
        return _checked(points_of_array(value, where), where)
    if isinstance(value, str | os.PathLike):
        where = origin or str(value)
        return _checked(points_in(_bytes_at(Path(value), where), where), where)
    if isinstance(value, bytes | bytearray | memoryview):
        where = origin or "the bytes"
        raw = bytes(value)
        _check_bytes(len(raw), where)
        return _checked(points_in(raw, where), where)
    if isinstance(value, Sequence | Mapping):
        where = origin or "the strokes"
        return _checked(points_of_strokes(value, where), where)
    raise DataError(
        f"{origin or 'the pen recording'}: expected a path, bytes, strokes or a NumPy array, got "
        f"{type(value).__name__}"
    )


def as_array(recording: Recording) -> Float[NDArray[np.float64], "points 5"]:
    """A recording as an array that `read_pen` reads: x, y, t in ms, pressure, down."""
    pressure = np.ones(len(recording)) if recording.pressure is None else recording.pressure
    columns = (recording.x, recording.y, 1000 * recording.t, pressure, recording.down)
    return np.stack([np.asarray(column, np.float64) for column in columns], axis=1)


def _bytes_at(path: Path, origin: str) -> bytes:
    fault = file_fault(path, "pen recording")
    if fault is not None:
        raise DataError(f"{origin}: {fault[0]}; {fault[1]}")
    _check_bytes(path.stat().st_size, origin)
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{origin}: cannot be read: {error.strerror}") from error


def _check_bytes(count: int, origin: str) -> None:
    if count > MOST_BYTES:
        raise DataError(f"{origin}: {count:,} bytes, more than {MOST_BYTES:,}; cut it to a part")


def _checked(points: Points, origin: str) -> Recording:
    """A recording whose time rises, or the error that says why there is none."""
    if not 2 <= len(points.x) <= MOST_POINTS:
        raise DataError(
            f"{origin}: {len(points.x)} point{'s' * (len(points.x) != 1)}; a pen recording has 2 "
            f"to {MOST_POINTS:,}: remove it"
        )
    seconds = (points.t - points.t[0]) / 1000
    steps = np.diff(seconds)
    risen = np.maximum.accumulate(seconds)
    behind = risen - seconds
    if behind.max() > FURTHEST_BACK:
        raise DataError(
            f"{origin}: the time of point {int(behind.argmax()) + 1} is {behind.max():.1f} s "
            "before an earlier one; points must come in the order of time, in milliseconds"
        )
    if not (steps > 0).any():
        raise DataError(f"{origin}: its time never moves; record the time of each point, in ms")
    usual = float(np.median(steps[steps > 0]))
    if usual < QUICKEST:
        raise DataError(
            f"{origin}: its points are {1000 * usual:.3g} ms apart; times must be in milliseconds: "
            "if they are in seconds, multiply them by 1,000"
        )
    moved = np.where(np.diff(risen) > 0, np.diff(risen), TICK)
    time = np.concatenate([[0.0], np.cumsum(moved)])
    if time[-1] > LONGEST:
        raise DataError(
            f"{origin}: it takes {time[-1]:,.0f} seconds, more than {LONGEST:.0f}; times are in "
            "milliseconds: divide them, or cut the recording"
        )
    return Recording(
        points.x,
        points.y,
        time,
        points.pressure,
        points.down,
        still=int((steps == 0).sum()),
        back=int((steps < 0).sum()),
    )
