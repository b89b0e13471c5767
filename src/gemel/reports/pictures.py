"""Episodes with right and wrong answers, the ROC, and a map of embeddings, as matplotlib figures.

Colours are of Okabe and Ito's palette, which colour-blind readers can tell apart; right and wrong
also differ by their mark.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from numpy.typing import NDArray

from gemel.evaluation import Figure, Roc

RIGHT, WRONG, PLAIN, GREY = "#009E73", "#D55E00", "#0072B2", "#666666"
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
MARKS = "os^Dv<>p"

Picture = UInt8[np.ndarray, "height width"]


@dataclass(frozen=True, eq=False)
class Episode:
    """One episode to show: references of each way, and queries with what was answered.

    Attributes:
        title: what kind of things they are.
        references: one picture [H, W] a way.
        queries: pictures [H, W].
        answers: for each query, the way it was given to.
        truths: for each query, the way it belongs to.
        names: what each way is called; default: 1, 2, 3...
    """

    title: str
    references: Sequence[Picture]
    queries: Sequence[Picture]
    answers: Sequence[int]
    truths: Sequence[int]
    names: Sequence[str] = ()

    def name(self, way: int) -> str:
        """What a way is called."""
        return self.names[way] if self.names else str(way + 1)


def draw_episodes(episodes: Sequence[Episode], title: str) -> Canvas:
    """A row of references for each episode, and under each the queries that were given to it.

    A query has a green frame and a tick where the answer is right, an orange frame and a cross
    where it is wrong, with an arrow to the way it belongs to.
    """
    ways = max(len(episode.references) for episode in episodes)
    depths = [_depth(episode) for episode in episodes]
    rows = sum(depth + 1 for depth in depths)
    canvas = Canvas(figsize=(0.52 * ways + 0.4, 0.6 * rows + 0.45 * len(episodes) + 0.5), dpi=130)
    heights = [0.7, *(depth + 1.6 for depth in depths)]
    head, *parts = np.ravel(
        np.asarray(canvas.subfigures(len(episodes) + 1, 1, height_ratios=heights))
    )
    head.text(0.02, 0.5, title, fontsize=11, va="center")
    for part, episode, depth in zip(parts, episodes, depths, strict=True):
        part.suptitle(episode.title, fontsize=9, x=0.02, y=0.99, ha="left", color=GREY)
        grid = part.subplots(depth + 1, ways, squeeze=False)
        part.subplots_adjust(
            left=0.02,
            right=0.98,
            top=1 - 0.42 / (depth + 1.6),
            bottom=0.03,
            wspace=0.12,
            hspace=0.3,
        )
        for axes in grid.flat:
            axes.axis("off")
        for way, picture in enumerate(episode.references):
            _show(grid[0, way], picture, GREY, 0.8)
            grid[0, way].set_title(episode.name(way), fontsize=7, color=GREY, pad=1.5)
        used = [1] * ways
        for picture, answer, truth in zip(
            episode.queries, episode.answers, episode.truths, strict=True
        ):
            right = answer == truth
            note = "✓" if right else f"✗ is {episode.name(truth)}"
            _query(grid[used[answer], answer], picture, note, RIGHT if right else WRONG)
            used[answer] += 1
    return canvas


def draw_roc(curves: dict[str, tuple[Roc, Figure]], title: str) -> Canvas:
    """ROC curves on a logarithmic axis of false accepts, with the AUC of each in the legend."""
    canvas = Canvas(figsize=(5.2, 4.4), dpi=130, layout="constrained")
    axes = canvas.subplots()
    for number, (name, (roc, area)) in enumerate(curves.items()):
        axes.plot(
            np.maximum(roc.false_accept_rate, 1e-5),
            roc.true_accept_rate,
            color=PALETTE[number % len(PALETTE)],
            linestyle=("-", "--", ":", "-.")[number % 4],
            label=f"{name}: AUC {area.value:.3f} {area.range}",
        )
    axes.plot(grid := np.logspace(-4, 0, 50), grid, color=GREY, linewidth=0.8, label="chance")
    axes.set(xscale="log", xlim=(1e-4, 1), ylim=(0, 1.01), title=title)
    axes.set(xlabel="false accepts (share of different pairs)")
    axes.set(ylabel="true accepts (share of same pairs)")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(loc="lower right" if len(curves) < 3 else "upper left", fontsize=8)
    return canvas


def draw_map(
    points: Float[NDArray[np.floating], "items 2"], labels: Sequence[str], title: str
) -> Canvas:
    """Embeddings in two dimensions; a class has one colour and mark, named at its middle."""
    canvas = Canvas(figsize=(6.4, 5.6), dpi=130, layout="constrained")
    axes = canvas.subplots()
    names = sorted(set(labels))
    owner = np.asarray(labels)
    for number, name in enumerate(names):
        mine = points[owner == name]
        axes.scatter(
            mine[:, 0],
            mine[:, 1],
            s=14,
            color=PALETTE[number % len(PALETTE)],
            marker=MARKS[(number // len(PALETTE) + number) % len(MARKS)],
            alpha=0.75,
            linewidths=0,
        )
        middle = np.median(mine, axis=0)
        axes.annotate(
            name,
            (float(middle[0]), float(middle[1])),
            fontsize=9,
            fontweight="bold",
            ha="center",
            va="center",
            bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.75},
        )
    axes.set(xticks=[], yticks=[], title=title)
    return canvas


def save(canvas: Canvas, path: Path) -> None:
    """Write a figure as PNG, the same bytes for the same figure."""
    canvas.savefig(path, metadata={"Software": None})


def _depth(episode: Episode) -> int:
    """The most queries that were given to one way."""
    return int(np.bincount(np.asarray(episode.answers), minlength=1).max())


def _query(axes: Axes, picture: Picture, note: str, colour: str) -> None:
    _show(axes, picture, colour, 2.0)
    axes.set_title(note, fontsize=7, color=colour, pad=1.5)


def _show(axes: Axes, picture: Picture, colour: str, width: float) -> None:
    axes.axis("on")
    axes.imshow(picture, cmap="gray_r", vmin=0, vmax=255, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    for side in axes.spines.values():
        side.set(color=colour, linewidth=width)
