"""Pictures of patch comparers: pairs by their score, mistakes, ROC, filters, views, bars."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from gemel.evaluation import Figure, Roc
from gemel.reports.pictures import GREY, PALETTE, PLAIN, RIGHT, WRONG

ACROSS, GAP, MARGIN, ABOVE = 12, 3, 10, 32
"""Pairs in a row of a grid; pixels between the two patches of a pair, between pairs, and above."""
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
    canvas = Canvas(figsize=(12.0, 0.68 * sum(rows) + 0.35 * len(rows)), dpi=120)
    grid = canvas.subplots(
        len(rows), 1, squeeze=False, height_ratios=rows, gridspec_kw={"hspace": 0.6 / max(rows)}
    )
    canvas.subplots_adjust(
        left=0.01, right=0.99, bottom=0.01, top=1 - 0.25 / canvas.get_figheight()
    )
    for axes, row, (title, part) in zip(grid[:, 0], rows, parts.items(), strict=True):
        size = part.left.shape[1]
        wide, high = 2 * size + GAP, size
        axes.set(xlim=(-MARGIN, ACROSS * (wide + MARGIN)), ylim=(row * (high + ABOVE), -MARGIN))
        axes.set_axis_off()
        axes.set_title(title, fontsize=10, loc="left", pad=3)
        for number in range(len(part.same)):
            x = number % ACROSS * (wide + MARGIN)
            y = number // ACROSS * (high + ABOVE) + ABOVE - MARGIN
            _pair(axes, part, number, (x, y))
    return canvas


def _pair(axes: Axes, part: Scored, number: int, corner: tuple[int, int]) -> None:
    """One pair with its upper left corner there."""
    size = part.left.shape[1]
    both = np.full((size, 2 * size + GAP), 255, np.uint8)
    both[:, :size], both[:, size + GAP :] = part.left[number], part.right[number]
    x, y = corner
    extent = (x, x + both.shape[1], y + size, y)
    axes.imshow(both, cmap="gray", vmin=0, vmax=255, extent=extent, aspect="auto")
    same = bool(part.same[number])
    colour = RIGHT if same else WRONG
    axes.add_patch(
        Rectangle((x, y), both.shape[1], size, fill=False, edgecolor=colour, linewidth=2)
    )
    words = f"{'=' if same else '≠'} {part.distance[number]:.2f}"
    axes.text(x + both.shape[1] / 2, y - 4, words, fontsize=7, color=colour, ha="center")


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
    axes.set(xscale="log", xlim=(1e-3, 1), ylim=(0, 1.01))
    axes.set_title(title, fontsize=9, loc="left")
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
    parts = {
        "siam: first-layer filters": (twin, 16),
        "2ch: first-layer filters, the left patch's beside the right one's; opposite signs take "
        "the difference": (joint, 12),
    }
    mosaics = {title: _mosaic(filters, across) for title, (filters, across) in parts.items()}
    shares = [mosaic.shape[0] / mosaic.shape[1] for mosaic in mosaics.values()]
    canvas = Canvas(figsize=(10.0, 10.0 * sum(shares) + 1.0), dpi=120, layout="constrained")
    grid = canvas.subplots(len(parts), 1, squeeze=False, height_ratios=shares)[:, 0]
    for axes, (title, mosaic) in zip(grid, mosaics.items(), strict=True):
        axes.imshow(mosaic, cmap="gray", vmin=-1, vmax=1)
        axes.set_title(title, fontsize=10, loc="left")
        axes.set_axis_off()
    return canvas


def _mosaic(
    filters: Float[NDArray[np.float32], "maps channels high wide"], across: int
) -> Float[NDArray[np.float32], "height width"]:
    """Filters side by side, each scaled to its own greatest weight; NaN between them."""
    maps, _, high, _ = filters.shape
    most = np.maximum(np.abs(filters).max(axis=(1, 2, 3), keepdims=True), 1e-9)
    gap = np.full((maps, high, 1), np.nan, np.float32)
    channels = [one for channel in (filters / most).transpose(1, 0, 2, 3) for one in (channel, gap)]
    tiles = np.concatenate([*channels, gap], axis=2)
    rows = -(-maps // across)
    filled = np.full((rows * across, high + 1, tiles.shape[2]), np.nan, np.float32)
    filled[:maps, :high] = tiles
    lines = filled.reshape(rows, across, high + 1, -1).transpose(0, 2, 1, 3)
    return np.asarray(lines.reshape(rows * (high + 1), -1))


def draw_views(rows: Mapping[str, Sequence[UInt8[NDArray[np.uint8], "_ _"]]]) -> Canvas:
    """Patches under each other, a row a view, named at its left; smaller ones are enlarged."""
    canvas = Canvas(figsize=(11.6, 1.1 * len(rows)), dpi=120)
    grid = canvas.subplots(len(rows), 1, squeeze=False)[:, 0]
    canvas.subplots_adjust(left=0.17, right=0.99, bottom=0.01, top=0.99, hspace=0.06)
    largest = max(patch.shape[0] for patches in rows.values() for patch in patches)
    gap = np.full((largest, max(1, largest // 12)), 255, np.uint8)
    for axes, (name, patches) in zip(grid, rows.items(), strict=True):
        tiles = []
        for patch in patches:
            times = largest // patch.shape[0]
            tiles += [patch.repeat(times, axis=0).repeat(times, axis=1), gap]
        axes.imshow(np.concatenate(tiles[:-1], axis=1), cmap="gray", vmin=0, vmax=255)
        axes.set(xticks=[], yticks=[])
        axes.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
        axes.spines[:].set_visible(False)
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
