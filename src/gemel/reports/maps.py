"""Learned maps in two dimensions: with their pictures laid over, side by side, and their loss."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure as Canvas
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from numpy.typing import NDArray

from gemel.reports.pictures import GREY, MARKS, PALETTE, RIGHT, WRONG

Points = Float[NDArray[np.floating[Any]], "items 2"]
Values = Float[NDArray[np.floating[Any]], " distances"]
Spring = tuple[Values, Values]
"""Of one kind of pair, at each of several distances: what it costs, and what pushes it apart."""
SHOWN = 3000  # points of a panel; more only hide each other


@dataclass(frozen=True, eq=False)
class Panel:
    """One map among several.

    Attributes:
        title: what it is.
        points: [N, 2] where the items lie.
        labels: [N] what the colour of each tells.
        names: the labels, in the order of the legend.
        ordered: the labels are steps of one quantity: their colours go from dark to light.
    """

    title: str
    points: Points
    labels: Sequence[str]
    names: Sequence[str]
    ordered: bool = False


def draw_with_pictures(
    points: Points,
    labels: Sequence[str],
    pictures: UInt8[np.ndarray, "items height width"],
    title: str,
) -> Canvas:
    """Points in the colour of their class, and over them as many pictures as find room.

    Args:
        points: [N, 2] where the items lie.
        labels: [N] the class of each.
        pictures: [N, H, W] ink bright on 0; it is drawn in the colour of the class.
        title: stands above.
    """
    canvas = Canvas(figsize=(9, 8.4), dpi=130, layout="constrained")
    axes = canvas.subplots()
    names = sorted(set(labels))
    _scatter(axes, Panel(title, points, labels, names), size=9.0, alpha=0.3)
    low, high = points.min(axis=0), points.max(axis=0)
    places = (points - low) / np.maximum(high - low, 1e-12)
    for item in _with_room(places, apart=0.032):
        colour = to_rgb(PALETTE[names.index(labels[item]) % len(PALETTE)])
        ink = np.empty((*pictures.shape[1:], 4))
        ink[..., :3] = colour
        ink[..., 3] = pictures[item] / 255
        image = OffsetImage(ink, zoom=26 / max(pictures.shape[1:]), interpolation="bilinear")
        place = (float(points[item, 0]), float(points[item, 1]))
        axes.add_artist(AnnotationBbox(image, place, frameon=False, pad=0))
    axes.set_title(title, fontsize=11)
    axes.legend(loc="best", fontsize=10, markerscale=2.5)
    return canvas


def draw_panels(rows: Sequence[Sequence[Panel]], title: str, *, share: bool = False) -> Canvas:
    """Maps side by side, in rows of equally many; a row's legend stands at its right end.

    Args:
        rows: the maps.
        title: stands above all.
        share: all maps have the scale of the widest.
    """
    wide, tall = len(rows[0]), len(rows)
    canvas = Canvas(figsize=(4.1 * wide + 1, 4.1 * tall + 0.5), dpi=120, layout="constrained")
    canvas.suptitle(title, fontsize=12)
    grid = canvas.subplots(tall, wide, squeeze=False)
    reach = max(float(np.ptp(one.points, axis=0).max()) for row in rows for one in row) * 0.55
    for line, row in zip(grid, rows, strict=True):
        for axes, panel in zip(line, row, strict=True):
            _scatter(axes, panel, size=5.0, alpha=0.6)
            axes.set_title(panel.title, fontsize=10)
            if share:
                across, up = (panel.points.min(axis=0) + panel.points.max(axis=0)) / 2
                axes.set_aspect("equal", adjustable="box")
                axes.set(xlim=(across - reach, across + reach), ylim=(up - reach, up + reach))
        legend = line[-1].legend(
            loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=9, markerscale=3, frameon=False
        )
        for handle in legend.legend_handles:
            if handle is not None:
                handle.set_alpha(1)
    return canvas


def draw_springs(
    distances: Values,
    springs: Mapping[str, Spring],
    history: Sequence[tuple[int, float]],
    title: str,
) -> Canvas:
    """What a pair costs and how it is pushed at each distance, and how the loss fell in training.

    Args:
        distances: [K] between the two of a pair.
        springs: for each kind of pair its name, and its cost and force at each distance.
        history: (step, loss) of the training.
        title: stands above.
    """
    canvas = Canvas(figsize=(12.6, 4), dpi=120, layout="constrained")
    canvas.suptitle(title, fontsize=12)
    cost, push, curve = canvas.subplots(1, 3)
    for (name, values), colour, line in zip(springs.items(), (RIGHT, WRONG), "-:", strict=True):
        for axes, each in zip((cost, push), values, strict=True):
            axes.plot(distances, each, color=colour, linestyle=line, linewidth=2, label=name)
    cost.set(xlabel="distance on the map", ylabel="loss of a pair", ylim=(0, None))
    push.set(xlabel="distance on the map", ylabel="force: above 0 apart, below 0 together")
    push.axhline(0, color=GREY, linewidth=0.8)
    steps, losses = np.asarray(history, dtype=np.float64).reshape(-1, 2).T
    curve.plot(steps, losses, color=PALETTE[4], linewidth=0.8)
    window = max(len(steps) // 15, 1)
    smooth = (np.convolve(each, np.full(window, 1 / window), "valid") for each in (steps, losses))
    curve.plot(*smooth, color=PALETTE[0], linewidth=2, label=f"mean of {window} records")
    curve.set(xlabel="step of training", ylabel="mean loss of a batch", ylim=(0, None))
    for axes in (cost, push, curve):
        axes.grid(visible=True, alpha=0.3)
        axes.legend(fontsize=9)
    return canvas


def _scatter(axes: Axes, panel: Panel, *, size: float, alpha: float) -> None:
    """The points, those of all labels mixed, so that none lies over all others."""
    order = np.random.default_rng(0).permutation(len(panel.points))[:SHOWN]
    owner = np.asarray(panel.labels)[order]
    colours = _colours(panel)
    for name, colour in colours.items():
        axes.scatter([], [], s=size, color=colour, linewidths=0, alpha=alpha, label=name)
    for part in np.array_split(np.arange(len(order)), 12):
        for number, (name, colour) in enumerate(colours.items()):
            mine = panel.points[order[part[owner[part] == name]]]
            mark = MARKS[0] if panel.ordered else MARKS[number % len(MARKS)]
            axes.scatter(
                mine[:, 0], mine[:, 1], s=size, color=colour, marker=mark, alpha=alpha, linewidths=0
            )
    axes.set(xticks=[], yticks=[])
    axes.set_aspect("equal", adjustable="datalim")  # distances are what a map shows


def _colours(panel: Panel) -> dict[str, tuple[float, float, float]]:
    if not panel.ordered:
        return {n: to_rgb(PALETTE[i % len(PALETTE)]) for i, n in enumerate(panel.names)}
    shades = colormaps["plasma"](np.linspace(0, 0.9, len(panel.names)))
    return {name: to_rgb(tuple(shade[:3])) for name, shade in zip(panel.names, shades, strict=True)}


def _with_room(places: Points, *, apart: float) -> list[int]:
    """Items of which no two are nearer than `apart` along both axes, in an order by chance."""
    chosen: list[int] = []
    taken = np.empty((0, 2))
    for item in np.random.default_rng(0).permutation(len(places)).tolist():
        if not (np.abs(taken - places[item]).max(axis=1, initial=0) < apart).any() or not chosen:
            chosen.append(item)
            taken = np.concatenate([taken, places[item : item + 1]])
    return chosen
