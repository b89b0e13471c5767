"""`pen_picture`: what a pen wrote, drawn as a reader sees it on paper."""

from itertools import pairwise

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from gemel.data.pens import Recording
from gemel.errors import SettingsError

FINER = 4
"""Drawn so many times larger, then shrunk: Pillow's lines have hard edges."""
MARGIN, PEN = 0.06, 0.02
"""The margin on each side, and the width of the line; shares of the picture's side."""


def pen_picture(recording: Recording, side: int = 96) -> Image.Image:
    """The recording in black on white, a square picture of mode "L".

    A line joins two points where the pen is down at both; a touch of one point is a dot. What is
    written fills the square up to a margin, its shape kept. Of a recording whose pen is never
    down, all is drawn.

    Args:
        recording: what `read_pen` gives.
        side: pixels of a side, 8 or more.

    Raises:
        SettingsError: `side` is below 8.
    """
    if side < 8:
        raise SettingsError(f"`side` must be 8 pixels or more; got {side}")
    down = recording.down if recording.down.any() else np.ones(len(recording), np.bool_)
    large = FINER * side
    places = _placed(recording, down, large)
    width = max(FINER, round(PEN * large))
    image = Image.new("L", (large, large), 255)
    pen = ImageDraw.Draw(image)
    for start, stop in _strokes(down):
        line = [(float(x), float(y)) for x, y in places[start:stop]]
        if len(line) > 1:
            pen.line(line, fill=0, width=width, joint="curve")
        for x, y in (line[0], line[-1]):  # round ends, and dots
            half = width / 2
            pen.ellipse((x - half, y - half, x + half, y + half), fill=0)
    return image.resize((side, side), Image.Resampling.BOX)


def _placed(
    recording: Recording, down: NDArray[np.bool_], side: int
) -> Float[NDArray[np.float64], "points 2"]:
    """The points in pixels, what is written in the middle of the square."""
    points = np.stack([recording.x, recording.y], axis=1)
    low, high = points[down].min(axis=0), points[down].max(axis=0)
    longer = float((high - low).max())
    scale = (1 - 2 * MARGIN) * side / longer if longer > 0 else 0.0
    placed: NDArray[np.float64] = side / 2 + (points - (low + high) / 2) * scale
    return placed


def _strokes(down: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The first point and the one after the last of each run with the pen down."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], down, [False]]).astype(np.int8)))
    return [(first, after) for first, after in list(pairwise(edges.tolist()))[::2]]
