"""Pen recordings drawn: ink where the pen was down, and nowhere else."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from gemel.data import pen_picture, read_pen
from gemel.errors import SettingsError

SIDE = 50


def pixels(points: Sequence[Sequence[float]], side: int = SIDE) -> np.ndarray:
    """What is drawn of points x, y, t, pressure, down."""
    return np.asarray(pen_picture(read_pen(np.array(points, dtype=float)), side))


def distance(x: float, y: float, start: Sequence[float], end: Sequence[float]) -> float:
    """From a point to a straight piece."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = dx * dx + dy * dy
    along = 0.0 if length == 0 else ((x - start[0]) * dx + (y - start[1]) * dy) / length
    along = min(1.0, max(0.0, along))
    return math.hypot(x - start[0] - along * dx, y - start[1] - along * dy)


def test_ink_lies_on_the_pieces_with_the_pen_down_and_nowhere_else() -> None:
    rng = np.random.default_rng(3)
    down = [1, 1, 1, 0, 0, 1, 1, 1, 0, 1, 1]
    points = [
        [*rng.uniform(-400, 900, 2), 10 * place, 1, touches] for place, touches in enumerate(down)
    ]
    drawn = pixels(points)
    touched = [point for point in points if point[4]]
    low = [min(point[axis] for point in touched) for axis in (0, 1)]
    high = [max(point[axis] for point in touched) for axis in (0, 1)]
    scale = 0.88 * SIDE / max(high[0] - low[0], high[1] - low[1])
    places = [
        [SIDE / 2 + (point[axis] - (low[axis] + high[axis]) / 2) * scale for axis in (0, 1)]
        for point in points
    ]
    pieces = [(places[i], places[i + 1]) for i in range(len(down) - 1) if down[i] and down[i + 1]]
    for row in range(SIDE):
        for column in range(SIDE):
            least = min(distance(column + 0.5, row + 0.5, *piece) for piece in pieces)
            if least < 0.2:
                assert drawn[row, column] < 160
            if least > 1.6:
                assert drawn[row, column] == 255


def test_a_touch_is_a_dot_and_a_hovering_pen_is_drawn() -> None:
    touch = pixels([[0, 0, 0, 1, 0], [5, 5, 10, 1, 1], [9, 9, 20, 1, 0]])
    assert touch[SIDE // 2 - 1 : SIDE // 2 + 1, SIDE // 2 - 1 : SIDE // 2 + 1].max() < 255
    assert (touch < 255).sum() <= 9
    hovering = pixels([[0, 0, 0, 1, 0], [10, 10, 10, 1, 0]])
    assert np.diagonal(hovering)[5:45].max() < 128


def test_the_shape_is_kept_and_the_picture_is_grey() -> None:
    wide = pixels([[0, 0, 0, 1, 1], [100, 10, 10, 1, 1]], 100)
    rows, columns = np.nonzero(wide < 255)
    assert 86 <= np.ptp(columns) <= 92
    assert 7 <= np.ptp(rows) <= 13
    assert pen_picture(read_pen([[[0, 0, 0], [1, 1, 5]]])).mode == "L"


def test_a_side_of_no_pixels_is_refused() -> None:
    with pytest.raises(SettingsError, match="8 pixels"):
        pen_picture(read_pen([[[0, 0, 0], [1, 1, 5]]]), 7)
