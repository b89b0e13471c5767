"""Pictures of the systems on faces: the worst pairs, distances, what a threshold costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from numpy.typing import NDArray

from gemel.items import Items, members_of_classes
from gemel.reports.pictures import GREY, PALETTE, RIGHT, WRONG, Picture
from gemel.systems._faces import (
    FALSE_ACCEPTS,
    Judged,
    Points,
    all_pairs,
    equal_error_threshold,
)
from gemel.systems._people import Draw

ACROSS = 7
"""How many pairs a row shows."""
GRID = np.linspace(0, 1, 501)
STYLES = ("-", "--", ":", "-.")


@dataclass(frozen=True, eq=False)
class Pair:
    """Two pictures and what is said of them.

    Attributes:
        left: a picture.
        right: a picture.
        left_name: whose the left one is.
        right_name: whose the right one is.
        distance: what the model says.
        share: the same as a share of the distance at which errors are equal.
    """

    left: Picture
    right: Picture
    left_name: str
    right_name: str
    distance: float
    share: float


def extreme_pairs(draws: Sequence[Draw], found: Sequence[Judged]) -> dict[str, list[Pair]]:
    """The pairs that each kind goes most wrong and most right with, over all draws.

    Models measure by scales of their own, so pairs are ordered by their share of the threshold
    at which that model's errors are equal. Of a person, or of two, one pair is shown.
    """
    kinds: dict[bool, list[Pair]] = {True: [], False: []}
    for draw, judged in zip(draws, found, strict=True):
        limit = equal_error_threshold(judged)
        left, right, same = all_pairs(draw.test)
        pictures, names = draw.test.values, draw.test.labels
        for a, b, alike, distance in zip(left, right, same, judged.distance.tolist(), strict=True):
            pair = Pair(
                pictures[a], pictures[b], str(names[a]), str(names[b]), distance, distance / limit
            )
            kinds[bool(alike)].append(pair)
    genuine = sorted(kinds[True], key=lambda pair: pair.share)
    impostor = sorted(kinds[False], key=lambda pair: pair.share)
    return {
        "one person, taken for two: the farthest apart": _distinct(genuine[::-1]),
        "two people, taken for one: the nearest": _distinct(impostor),
        "one person, the nearest": _distinct(genuine),
        "two people, the farthest apart": _distinct(impostor[::-1]),
    }


def _distinct(pairs: Sequence[Pair]) -> list[Pair]:
    """The first few pairs, one of the same people each."""
    kept: dict[tuple[str, str], Pair] = {}
    for pair in pairs:
        kept.setdefault((pair.left_name, pair.right_name), pair)
        if len(kept) == ACROSS:
            break
    return list(kept.values())


def draw_pairs(rows: Mapping[str, Sequence[Pair]], title: str, word: str) -> Canvas:
    """Rows of pairs of pictures; under each who they are, and how far apart.

    Args:
        rows: by what they show.
        title: of the whole.
        word: what the distance is called, such as "E".
    """
    canvas = Canvas(figsize=(1.62 * ACROSS, 1.55 * len(rows) + 0.45), dpi=110)
    heights = [0.45, *[1.55] * len(rows)]
    parts = np.ravel(np.asarray(canvas.subfigures(len(rows) + 1, 1, height_ratios=heights)))
    parts[0].text(0.02, 0.35, title, fontsize=9)
    for part, (name, pairs) in zip(parts[1:], rows.items(), strict=True):
        part.suptitle(name, fontsize=9, x=0.02, ha="left", y=0.99, color=GREY)
        grid = np.ravel(np.asarray(part.subplots(1, ACROSS, squeeze=False)))
        part.subplots_adjust(left=0.02, right=0.98, top=0.85, bottom=0.20, wspace=0.12)
        for axes in grid:
            axes.axis("off")
        for axes, pair in zip(grid, pairs, strict=False):
            _show_pair(axes, pair, word)
    return canvas


def _show_pair(axes: Axes, pair: Pair, word: str) -> None:
    gap = np.full((pair.left.shape[0], 4), 255, np.uint8)
    axes.imshow(np.hstack([pair.left, gap, pair.right]), cmap="gray", vmin=0, vmax=255)
    one = pair.left_name == pair.right_name
    wrong = (pair.share > 1) == one
    who = pair.left_name if one else f"{pair.left_name} and {pair.right_name}"
    axes.axis("on")
    axes.set(xticks=[], yticks=[])
    axes.set_xlabel(
        f"{who}\n{word} {pair.distance:.3g}, {pair.share:.2f} t", fontsize=7, labelpad=2
    )
    for side in axes.spines.values():
        side.set(color=WRONG if wrong else RIGHT, linewidth=2)


def draw_histograms(before: Judged, after: Judged, title: str, axis: str) -> Canvas:
    """How far apart same and different pairs are, before and after training.

    Args:
        before: of the network with its first weights.
        after: of the trained one, on the same pairs.
        title: of the whole.
        axis: what the distance is.
    """
    canvas = Canvas(figsize=(8.4, 3.4), dpi=130, layout="constrained")
    canvas.suptitle(title, fontsize=11)
    for axes, (name, judged) in zip(
        canvas.subplots(1, 2), (("before training", before), ("after", after)), strict=True
    ):
        edges = np.linspace(0, float(judged.distance.max()), 41)
        for kind, colour, style, said in (
            (True, PALETTE[0], "-", "same person"),
            (False, PALETTE[5], "--", "two people"),
        ):
            shares = np.histogram(judged.distance[judged.same == kind], edges)[0]
            axes.stairs(shares / shares.sum(), edges, color=colour, fill=True, alpha=0.25)
            axes.stairs(shares / shares.sum(), edges, color=colour, linestyle=style, label=said)
        limit = equal_error_threshold(judged)
        axes.axvline(limit, color=GREY, linewidth=1, label=f"equal errors, at {limit:.3g}")
        axes.set(title=f"{name}: EER {100 * judged.eer:.1f} %", xlabel=axis, xlim=(0, edges[-1]))
        axes.set(ylabel="share of the pairs of a kind")
        axes.legend(fontsize=8)
    return canvas


def draw_trade_off(ways: Mapping[str, Sequence[Judged]], title: str) -> Canvas:
    """False rejects against false accepts: the mean over draws, and each draw of the first way."""
    canvas = Canvas(figsize=(5.6, 4.6), dpi=130, layout="constrained")
    axes = canvas.subplots()
    for number, (name, found) in enumerate(ways.items()):
        curves = np.stack([_rejects(one) for one in found])  # [draws, grid]
        colour = PALETTE[(0, 5, 2, 3)[number % 4]]
        if not number:
            axes.plot(100 * GRID, 100 * curves.T, color=colour, linewidth=0.6, alpha=0.35)
            at = np.array(FALSE_ACCEPTS)
            marks = np.interp(at, GRID, curves.mean(axis=0))
            axes.plot(100 * at, 100 * marks, "o", color=colour)
            for x, y in zip(100 * at, 100 * marks, strict=True):
                axes.annotate(f"{y:.1f} %", (x, y), (4, 5), textcoords="offset points", fontsize=8)
        axes.plot(
            100 * GRID,
            100 * curves.mean(axis=0),
            color=colour,
            linestyle=STYLES[number % 4],
            linewidth=2,
            label=f"{name}, mean of {len(found)} draws",
        )
    for rate in FALSE_ACCEPTS:
        axes.axvline(100 * rate, color=GREY, linewidth=0.6, linestyle=":")
    axes.plot([0, 100], [0, 100], color=GREY, linewidth=0.8, label="equal errors")
    axes.set(xlim=(0, 30), ylim=(0, 50), title=title)
    axes.set(xlabel="false accepts, % of pairs of two people")
    axes.set(ylabel="false rejects, % of pairs of one person")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize=8)
    return canvas


def _rejects(judged: Judged) -> Float[NDArray[np.float64], " grid"]:
    """The share of same pairs refused, where at most each share of `GRID` is falsely accepted."""
    different = np.sort(judged.distance[~judged.same])
    allowed = np.floor(GRID * len(different) + 1e-9).astype(np.int64)
    # as many as are allowed, less those that tie with the next one
    limit = np.append(different, np.inf)[allowed]
    same = np.sort(judged.distance[judged.same])
    return np.asarray(1 - np.searchsorted(same, limit, "left") / len(same))


def draw_similarity(
    items: Items,
    similarity: Float[NDArray[np.floating], "items items"],
    probability: Float[NDArray[np.floating], "items items"],
    least: float,
) -> Canvas:
    """One enrolled picture a person, and who asks: three of the person, the three nearest others.

    Args:
        items: pictures of a few people.
        similarity: (1 + cos) / 2 of every two.
        probability: the calibrated one, that both show one person.
        least: the similarity from which two are taken for one person.
    """
    people = members_of_classes(items.class_ids)
    canvas = Canvas(figsize=(8.2, 1.72 * len(people) + 0.75), dpi=110)
    canvas.suptitle(
        "One picture of each unseen person enrolled; beside it who asks: three pictures of the "
        "person,\nthe three most alike of others. s: similarity (1 + cos) / 2; "
        f"p: calibrated probability; accepted from s = {least:.2f}",
        fontsize=9,
    )
    grid = canvas.subplots(len(people), 7, squeeze=False)
    canvas.subplots_adjust(left=0.02, right=0.98, top=0.90, bottom=0.05, wspace=0.1, hspace=0.35)
    for row, mine in zip(grid, people, strict=True):
        enrolled = int(mine[0])
        others = np.setdiff1d(np.arange(len(items)), mine)
        nearest = others[np.argsort(-similarity[enrolled, others])][:3]
        label = str(items.labels[enrolled])
        _show_face(row[0], items.values[enrolled], f"{label}, enrolled", GREY)
        for axes, asks in zip(row[1:], [*mine[[1, len(mine) // 2, -1]], *nearest], strict=True):
            s, p = float(similarity[enrolled, asks]), float(probability[enrolled, asks])
            right = (s >= least) == (asks in mine)
            note = f"{items.labels[asks]}: s {s:.2f}, p {p:.2f}"
            _show_face(axes, items.values[asks], note, RIGHT if right else WRONG)
    return canvas


def _show_face(axes: Axes, picture: Picture, note: str, colour: str) -> None:
    axes.imshow(picture, cmap="gray", vmin=0, vmax=255)
    axes.set(xticks=[], yticks=[])
    axes.set_xlabel(note, fontsize=7, labelpad=2)
    for side in axes.spines.values():
        side.set(color=colour, linewidth=2)


def draw_sphere(before: Points, after: Points, labels: Sequence[str], margin: float) -> Canvas:
    """Embeddings of three numbers on their sphere, seen from one anchor, before and after training.

    The ring is what semi-hard mining looks into: from the squared distance of the farthest
    positive to `margin` beyond it.

    Args:
        before: [N, 3] of length 1, with the first weights.
        after: [N, 3] with the trained ones.
        labels: [N] who each shows.
        margin: of the triplet loss, in squared distance.
    """
    canvas = Canvas(figsize=(10.4, 5.4), dpi=120)
    owner = np.asarray(labels)
    anchor = _middle_one(after, owner)
    for place, (name, points) in enumerate((("before training", before), ("after", after)), 1):
        axes = canvas.add_subplot(1, 2, place, projection="3d")
        _show_sphere(axes, points, owner, anchor, margin)
        axes.set_title(name)
    canvas.suptitle(
        f"Embeddings of {len(set(owner.tolist()))} people on the unit sphere, near the anchor",
        fontsize=11,
    )
    handles, said = axes.get_legend_handles_labels()
    canvas.legend(handles, said, loc="lower center", ncols=5, fontsize=8)
    canvas.subplots_adjust(left=0, right=1, top=0.9, bottom=0.06, wspace=0)
    return canvas


def _middle_one(points: Points, owner: NDArray[Any]) -> int:
    """The point that is nearest to the others of its class."""
    squared = ((points[:, None] - points[None]) ** 2).sum(axis=2)  # [N, N]
    same = owner[:, None] == owner
    return int(np.argmin((squared * same).sum(axis=1) / same.sum(axis=1)))


def _show_sphere(
    axes: Any, points: Points, owner: NDArray[Any], anchor: int, margin: float
) -> None:
    eye = points[anchor]
    turn, rise = np.meshgrid(np.linspace(0, 2 * np.pi, 37), np.linspace(-np.pi / 2, np.pi / 2, 19))
    ball = np.cos(rise) * np.cos(turn), np.cos(rise) * np.sin(turn), np.sin(rise)
    axes.plot_wireframe(*ball, color=GREY, linewidth=0.25, alpha=0.35)
    squared = ((points - eye) ** 2).sum(axis=1)
    positive = owner == owner[anchor]
    edge = float(squared[positive].max())
    ring = np.stack([_circle(eye, away) for away in np.linspace(edge, min(edge + margin, 4.0), 5)])
    axes.plot_surface(*ring.transpose(2, 0, 1), color="#F0E442", alpha=0.45, shade=False, ccount=72)
    axes.plot(*ring[0].T, color="#B8AE00", label=f"ring of the margin, {margin:g}")
    axes.plot(*ring[-1].T, color="#B8AE00")
    positive[anchor] = False
    far = points @ eye < 0
    for chosen, colour, mark, said in (
        (positive, RIGHT, "o", "positives: the anchor's person"),
        (owner != owner[anchor], WRONG, "^", "negatives: other people"),
    ):
        for hidden in (True, False):
            some = points[chosen & (far == hidden)]
            axes.scatter(
                *some.T,
                color=colour,
                marker=mark,
                s=26,
                alpha=0.25 if hidden else 0.95,
                linewidths=0,
                label=None if hidden else said,
                depthshade=False,
            )
    axes.scatter(
        *eye[:, None], color=PALETTE[0], marker="*", s=170, label="anchor", depthshade=False
    )
    axes.view_init(
        elev=float(np.degrees(np.arcsin(np.clip(eye[2], -1, 1)))) + 18,
        azim=float(np.degrees(np.arctan2(eye[1], eye[0]))) + 24,
    )
    axes.set_box_aspect((1, 1, 1), zoom=1.6)
    axes.set_axis_off()


def _circle(eye: Float[NDArray[np.floating], " 3"], squared: float | np.floating) -> Points:
    """[K, 3] all points of the unit sphere at a squared distance from `eye`."""
    cosine = 1 - squared / 2
    aside = np.linalg.svd(eye[None])[2][1:]  # [2, 3] at right angles to `eye`
    turn = np.linspace(0, 2 * np.pi, 120)
    around = np.cos(turn)[:, None] * aside[0] + np.sin(turn)[:, None] * aside[1]
    return np.asarray(cosine * eye + np.sqrt(np.maximum(0, 1 - cosine**2)) * around)
