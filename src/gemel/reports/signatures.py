"""Pictures of signatures: their channels, where two differ, scores, and the trade-off of errors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure as Canvas
from numpy.typing import NDArray

from gemel.encoders.pen_features import PenFeatures
from gemel.reports.pictures import GREY, PALETTE, PLAIN, RIGHT, WRONG

Trajectory = Float[NDArray[np.floating], "5 points"]
Rates = Float[NDArray[np.float64], " cuts"]
STYLES = ("-", "--", "-.", ":")
DEGREES = (0.5, 40.0)
"""Per cent, the least and the greatest error that curves are shown at."""
TIES = 12
"""Lines that join a point to the point that it is compared with."""


@dataclass(frozen=True, eq=False)
class Aligned:
    """A signature beside a reference.

    Attributes:
        trajectory: [5, T] of the signature.
        reference: [cells] points of the reference.
        own: [cells] the points of the signature that they are compared with.
        apart: [cells] how far these are apart.
    """

    trajectory: Trajectory
    reference: Int[NDArray[np.int64], " cells"]
    own: Int[NDArray[np.int64], " cells"]
    apart: Float[NDArray[np.floating], " cells"]

    @property
    def of_points(self) -> Float[NDArray[np.float64], " _points"]:
        """[T] the mean distance of each point of the signature from what it is compared with."""
        count = self.trajectory.shape[1]
        summed = np.bincount(self.own, self.apart, minlength=count)
        return np.asarray(summed / np.maximum(np.bincount(self.own, minlength=count), 1))


def draw_channels(signatures: Mapping[str, Trajectory], channels: Sequence[str]) -> Canvas:
    """Each signature, coloured by its speed, above what a network sees of it."""
    canvas = Canvas(figsize=(5.2 * len(signatures), 8.2), dpi=120, layout="constrained")
    grid = canvas.subplots(
        len(channels) + 1,
        len(signatures),
        squeeze=False,
        height_ratios=[4.5, *[1] * len(channels)],
    )
    speeds = [_features(signature, ["speed"])[0] for signature in signatures.values()]
    fastest = float(max(np.quantile(speed, 0.98) for speed in speeds))
    for column, (name, signature) in enumerate(signatures.items()):
        strokes = _show_strokes(grid[0, column], signature, speeds[column], 0, fastest, "viridis")
        grid[0, column].set_title(f"{name}: {signature[2, -1]:.1f} s", fontsize=10)
        canvas.colorbar(
            strokes, ax=grid[0, column], label="speed over its root mean square", shrink=0.8
        )
        time = signature[2]
        rows = _features(signature, channels)
        for axes, channel, row in zip(grid[1:, column], channels, rows, strict=True):
            axes.plot(time, row, color=PLAIN, linewidth=1)
            axes.set_xlim(0, float(time[-1]))
            axes.tick_params(labelsize=6)
            axes.set_ylabel(channel.replace("_", " "), rotation=0, ha="right", fontsize=8)
        for axes in grid[1:-1, column]:
            axes.set_xticklabels([])
        grid[-1, column].set_xlabel("seconds", fontsize=8)
    return canvas


def draw_differences(reference: Trajectory, others: Mapping[str, Aligned]) -> Canvas:
    """Signatures beside a reference: their points coloured by how far they are from its own.

    Each point of a signature is compared with the points of the reference that warping puts it to;
    a few of these pairs are joined by lines.
    """
    canvas = Canvas(figsize=(8.6, 3.4 * len(others)), dpi=120, layout="constrained")
    canvas.suptitle("Left the reference; right who claims to be it, red where it differs", x=0.5)
    grid = canvas.subplots(len(others), 1, squeeze=False)[:, 0]
    worst = float(max(np.quantile(one.of_points, 0.98) for one in others.values()))
    shift = 4.4  # of root mean square sizes
    for axes, (name, one) in zip(grid, others.items(), strict=True):
        moved = one.trajectory.copy()
        moved[0] += shift
        _show_strokes(axes, reference, np.zeros(reference.shape[1]), 0, 1, "gray")
        coloured = _show_strokes(axes, moved, one.of_points, 0, worst, "turbo")
        for cell in np.linspace(0, len(one.own) - 1, TIES).astype(int):
            i, j = one.reference[cell], one.own[cell]
            ends = ([reference[0, i], moved[0, j]], [reference[1, i], moved[1, j]])
            axes.plot(*ends, color=GREY, linewidth=0.5, alpha=0.5, zorder=0)
        mean = float(one.of_points.mean())
        axes.set_title(f"{name}: a mean distance of {mean:.2f} a point", fontsize=10)
        canvas.colorbar(coloured, ax=axes, label="distance of a point", shrink=0.8)
    return canvas


def draw_scores(
    ways: Mapping[str, Mapping[str, Float[NDArray[np.floating], " _claims"]]],
) -> Canvas:
    """For each way of judging, how the distances of each kind of claim are spread."""
    canvas = Canvas(figsize=(4.8 * len(ways), 3.6), dpi=130, layout="constrained")
    for axes, (way, kinds) in zip(
        canvas.subplots(1, len(ways), squeeze=False)[0], ways.items(), strict=True
    ):
        low = min(float(np.quantile(claims, 0.005)) for claims in kinds.values())
        high = max(float(np.quantile(claims, 0.98)) for claims in kinds.values())
        edges = np.linspace(low, high, 41)
        for (kind, claims), colour, style in zip(
            kinds.items(), (RIGHT, WRONG, PLAIN), STYLES, strict=False
        ):
            share = np.full(len(claims), 100 / len(claims))
            inside = np.clip(claims, low, high)
            axes.hist(inside, edges, weights=share, color=colour, alpha=0.25, histtype="stepfilled")
            axes.hist(
                inside,
                edges,
                weights=share,
                color=colour,
                linestyle=style,
                histtype="step",
                linewidth=1.6,
                label=kind,
            )
        axes.set(title=way, xlabel="distance from the signer", ylabel="% of the claims of a kind")
        axes.grid(visible=True, alpha=0.3)
        axes.legend(fontsize=8)
    return canvas


def draw_curves(
    ways: Mapping[str, Sequence[tuple[Rates, Rates]]], published: tuple[float, float]
) -> Canvas:
    """False rejects against false accepts of skilled forgeries, the mean of several draws.

    Args:
        ways: for each way of judging the false rejects and accepts of each draw, by rising
            threshold.
        published: false accepts and false rejects of the paper, which is marked.
    """
    canvas = Canvas(figsize=(6.2, 5.2), dpi=130, layout="constrained")
    axes = canvas.subplots()
    grid = np.geomspace(DEGREES[0] / 100, DEGREES[1] / 100, 200)
    for number, (name, draws) in enumerate(ways.items()):
        mean = np.mean([np.interp(grid, accepts, rejects) for rejects, accepts in draws], axis=0)
        axes.plot(
            100 * grid,
            np.maximum(100 * mean, DEGREES[0] / 2),
            color=PALETTE[(0, 4, 7, 3, 1, 5)[number % 6]],
            linestyle=STYLES[number % len(STYLES)],
            linewidth=2,
            label=name,
        )
    at = (100 * published[0], 100 * published[1])
    axes.plot(*at, "*", color=GREY, markersize=12)
    axes.annotate(
        "Bromley 1993,\nother data", at, (-8, 8), textcoords="offset points", fontsize=8, ha="right"
    )
    axes.plot(DEGREES, DEGREES, color=GREY, linewidth=0.8, label="equal errors")
    axes.set(xscale="log", yscale="log", xlim=DEGREES, ylim=(DEGREES[0] / 2, 60))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
    axes.set(xlabel="skilled forgeries accepted, %", ylabel="genuine signatures refused, %")
    count = len(next(iter(ways.values())))
    over = f", mean of {count} draws" if count > 1 else ""
    axes.set_title(f"Unseen signers, one threshold{over}")
    axes.grid(visible=True, which="both", alpha=0.25)
    axes.legend(fontsize=8, loc="lower left")
    return canvas


def _features(
    signature: Trajectory, channels: Sequence[str]
) -> Float[NDArray[np.floating], "channels points"]:
    whole = torch.from_numpy(np.asarray(signature, dtype=np.float32))[None]
    return np.asarray(PenFeatures(channels)(whole)[0].numpy())


def _show_strokes(
    axes: Axes,
    signature: Trajectory,
    values: Float[NDArray[np.floating], " points"],
    low: float | int,
    high: float | int,
    colours: str,
) -> LineCollection:
    """Lines from point to point, coloured by `values`; dashed and thin where the pen is up."""
    points = signature[:2].T  # [T, 2]
    pieces = np.stack([points[:-1], points[1:]], axis=1)
    down = np.minimum(signature[4, :-1], signature[4, 1:]) > 0.5
    written = LineCollection(list(pieces[down]), cmap=colours, linewidths=2.2, capstyle="round")
    written.set_array(values[:-1][down])
    written.set_clim(float(low), float(high))
    axes.add_collection(written)
    lifted = LineCollection(list(pieces[~down]), colors=GREY, linewidths=0.7, linestyles=":")
    axes.add_collection(lifted)
    axes.set_aspect("equal")
    axes.autoscale_view()
    axes.invert_yaxis()
    axes.axis("off")
    return written
