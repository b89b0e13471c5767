"""Pictures of patch comparers: pairs by their score, mistakes, ROC, filters, views, bars."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from numpy.typing import NDArray

from gemel.evaluation import Figure, Roc
from gemel.reports.pictures import GREY, PALETTE, PLAIN, RIGHT, WRONG

ACROSS, GAP = 12, 3
"""Pairs in a row of a grid; pixels between the two patches of a pair."""
RULE = 0.95


@dataclass(frozen=True, eq=False)
class Scored:
    """Pairs of patches with their distances, the nearest first.

    Attributes:
        left: [N, size, size] the left patches.
        right: [N, size, size] the right ones.
        distance: [N] lower is more alike.
        same: [N] the truth.
    """

    left: UInt8[NDArray[np.uint8], "N size size"]
    right: UInt8[NDArray[np.uint8], "N size size"]
    distance: Float[NDArray[np.float32], " N"]
    same: Bool[NDArray[np.bool_], " N"]

    def take(self, chosen: NDArray[np.int64]) -> "Scored":
        """The pairs at these places."""
        return Scored(
            self.left[chosen], self.right[chosen], self.distance[chosen], self.same[chosen]
        )

    def evenly(self, most: int) -> "Scored":
        """Up to `most` pairs at even steps of their order."""
        order = np.argsort(self.distance, kind="stable")
        steps = np.linspace(0, len(order) - 1, min(most, len(order))).round().astype(np.int64)
        return self.take(order[steps])

    def worst(self, most: int, *, same: bool) -> "Scored":
        """The same pairs farthest apart, or the different ones that are nearest."""
        order = np.argsort(-self.distance if same else self.distance, kind="stable")
        return self.take(order[self.same[order] == same][:most])


def draw_pairs(parts: Mapping[str, Scored]) -> Canvas:
    """Grids of pairs with their distances: framed green where the two are the same, else orange.

    Args:
        parts: pairs by the title of their grid.
    """
    rows = [-(-len(part.same) // ACROSS) for part in parts.values()]
    canvas = Canvas(figsize=(12.0, 0.62 * sum(rows) + 0.4 * len(rows)), dpi=120)
    heights = [row + 0.5 for row in rows]
    pieces = np.ravel(np.asarray(canvas.subfigures(len(rows), 1, height_ratios=heights)))
    for piece, row, (title, part) in zip(pieces, rows, parts.items(), strict=True):
        piece.suptitle(title, fontsize=10, x=0.01, ha="left")
        grid = piece.subplots(row, ACROSS, squeeze=False)
        piece.subplots_adjust(
            left=0.01, right=0.99, bottom=0.02, top=1 - 0.52 / (row + 0.5), wspace=0.1, hspace=0.42
        )
        for axes in grid.flat:
            axes.axis("off")
        for number, axes in enumerate(grid.flat[: len(part.same)]):
            _pair(axes, part, number)
    return canvas


def _pair(axes: Axes, part: Scored, number: int) -> None:
    size = part.left.shape[1]
    both = np.full((size, 2 * size + GAP), 255, np.uint8)
    both[:, :size], both[:, size + GAP :] = part.left[number], part.right[number]
    same = bool(part.same[number])
    axes.axis("on")
    axes.imshow(both, cmap="gray", vmin=0, vmax=255)
    axes.set(xticks=[], yticks=[])
    colour = RIGHT if same else WRONG
    for spine in axes.spines.values():
        spine.set(color=colour, linewidth=2)
    mark = "=" if same else "≠"
    axes.set_title(f"{mark} {part.distance[number]:.2f}", fontsize=7, color=colour, pad=2)


def draw_rocs(curves: Mapping[str, Roc], title: str) -> Canvas:
    """ROC curves on a logarithmic axis of false accepts, with the line of 95 % true accepts."""
    canvas = Canvas(figsize=(8.6, 5.4), dpi=130, layout="constrained")
    axes = canvas.subplots()
    for number, (name, roc) in enumerate(curves.items()):
        axes.plot(
            np.maximum(roc.false_accept_rate, 1e-4),
            roc.true_accept_rate,
            color=PALETTE[number % len(PALETTE)],
            linestyle=("-", "--", ":")[number // len(PALETTE) % 3],
            label=name,
        )
    axes.axhline(RULE, color=GREY, linewidth=0.8)
    axes.annotate("95 % true accepts", (1.1e-3, RULE + 0.008), fontsize=8, color=GREY)
    axes.set(xscale="log", xlim=(1e-3, 1), ylim=(0, 1.01), title=title)
    axes.set(xlabel="false accepts (share of different pairs)")
    axes.set(ylabel="true accepts (share of same pairs)")
    axes.grid(visible=True, alpha=0.3)
    canvas.legend(loc="outside right upper", fontsize=8)
    return canvas


def draw_filters(
    twin: Float[NDArray[np.float32], "maps 1 high wide"],
    joint: Float[NDArray[np.float32], "maps 2 high wide"],
) -> Canvas:
    """First-layer filters: of a twin, and of a joint comparer as pairs, left and right patch."""
    canvas = Canvas(figsize=(10.0, 5.6), dpi=120)
    above, below = np.ravel(np.asarray(canvas.subfigures(2, 1)))
    above.suptitle("siam: first-layer filters", fontsize=10, x=0.02, ha="left")
    below.suptitle(
        "2ch: first-layer filters, the left patch's beside the right one's: opposite signs take "
        "the difference",
        fontsize=10,
        x=0.02,
        ha="left",
    )
    for piece, filters, across in ((above, twin, 16), (below, joint, 12)):
        rows = -(-len(filters) // across)
        grid = piece.subplots(rows, across, squeeze=False)
        piece.subplots_adjust(left=0.02, right=0.98, bottom=0.03, top=0.85, wspace=0.15, hspace=0.2)
        for axes in grid.flat:
            axes.axis("off")
        for axes, one in zip(grid.flat, filters, strict=False):
            gap = np.full((one.shape[1], 1), np.nan)
            tiles = [tile for channel in one for tile in (channel, gap)][:-1]
            most = float(np.abs(one).max()) or 1.0
            axes.imshow(np.concatenate(tiles, axis=1), cmap="gray", vmin=-most, vmax=most)
    return canvas


def draw_views(rows: Mapping[str, Sequence[UInt8[NDArray[np.uint8], "_ _"]]]) -> Canvas:
    """Patches under each other, a row a view, named at its left."""
    many = max(map(len, rows.values()))
    canvas = Canvas(figsize=(1.05 * many + 2.2, 1.1 * len(rows)), dpi=120, layout="constrained")
    grid = canvas.subplots(len(rows), many + 1, squeeze=False, width_ratios=[1.9, *[1] * many])
    for line, (name, patches) in zip(grid, rows.items(), strict=True):
        for axes in line:
            axes.axis("off")
        line[0].text(1.0, 0.5, name, ha="right", va="center", fontsize=9)
        for axes, patch in zip(line[1:], patches, strict=False):
            axes.imshow(patch, cmap="gray", vmin=0, vmax=255)
    return canvas


def draw_bars(measured: Mapping[str, Figure], published: Mapping[str, float], title: str) -> Canvas:
    """A bar for each comparer with its interval, and a diamond for what was published.

    Args:
        measured: shares, by the comparer's name, in the order of the bars.
        published: shares, of other data.
        title: of the picture.
    """
    canvas = Canvas(figsize=(8.6, 0.36 * len(measured) + 1.4), dpi=130, layout="constrained")
    axes = canvas.subplots()
    names = list(measured)
    for place, name in enumerate(names):
        one = measured[name]
        axes.barh(place, 100 * one.value, color=PLAIN, alpha=0.75, height=0.62)
        if np.isfinite(one.low):
            axes.plot([100 * one.low, 100 * one.high], [place, place], color="black", linewidth=1.2)
        if name in published:
            axes.plot(100 * published[name], place, "D", color=WRONG, markersize=5)
    axes.plot([], [], "D", color=WRONG, label="published, mean of six tests on Brown's data")
    axes.plot([], [], color="black", label="95 % interval over scenes")
    axes.set(yticks=range(len(names)), yticklabels=names, title=title)
    axes.set(xlabel="false accepts at 95 % true accepts, %", xlim=(0, 100))
    axes.invert_yaxis()
    axes.grid(visible=True, axis="x", alpha=0.3)
    canvas.legend(loc="outside lower center", ncols=2, fontsize=8)
    return canvas
