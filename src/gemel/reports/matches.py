"""Two pictures side by side, with a line for each match."""

import numpy as np
from jaxtyping import Float
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure as Canvas

from gemel.matching import Matches, View
from gemel.reports.pictures import RIGHT, WRONG

WIDE, TITLE = 12.0, 0.32
"""Inches of the picture, and of the title above."""
GAP = 0.02
"""Between the two pictures, of their widths together."""
LINES = 150
"""Of each kind at most: more would hide the pictures."""
PALE = -80
"""The tone that is shown as black; below 0 the pictures are paler than their lines."""


def draw_matches(left: View, right: View, found: Matches, title: str) -> Canvas:
    """Green lines for the inliers of the homography, thin orange ones for the other matches.

    Every place that is matched has a dot; of each kind 150 lines are drawn at most, at even steps
    from the nearest match to the farthest.
    """
    (high, wide), (other_high, other_wide) = left.grey.shape, right.grey.shape
    begin = wide + round(GAP * (wide + other_wide))
    sheet = np.full((max(high, other_high), begin + other_wide), 255, dtype=np.uint8)
    sheet[:high, :wide], sheet[:other_high, begin:] = left.grey, right.grey
    shown = WIDE * sheet.shape[0] / sheet.shape[1]
    canvas = Canvas(figsize=(WIDE, shown + TITLE), dpi=120)
    axes = canvas.add_axes((0.0, 0.0, 1.0, shown / (shown + TITLE)))
    axes.imshow(sheet, cmap="gray", vmin=PALE, vmax=255)
    axes.axis("off")
    lines = np.stack([found.left, found.right + np.array([begin, 0])], axis=1)
    for kind, colour, alpha, width in (
        (lines[~found.inliers], WRONG, 0.6, 0.4),
        (lines[found.inliers], RIGHT, 0.9, 0.9),
    ):
        axes.add_collection(
            LineCollection(_some(kind), colors=colour, alpha=alpha, linewidths=width)
        )
        axes.plot(*kind.reshape(-1, 2).T, ".", color=colour, alpha=alpha, markersize=3)
    axes.set(xlim=(-0.5, sheet.shape[1] - 0.5), ylim=(sheet.shape[0] - 0.5, -0.5))
    canvas.text(0.5, 1 - 0.5 * TITLE / (shown + TITLE), title, ha="center", va="center")
    return canvas


def _some(lines: Float[np.ndarray, "M 2 2"]) -> list[Float[np.ndarray, "2 2"]]:
    """At most so many, at even steps."""
    steps = np.linspace(0, len(lines) - 1, min(LINES, len(lines))).round().astype(int)
    return list(lines[steps])
