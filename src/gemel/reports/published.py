"""Pictures of the published systems: bars beside published figures, ranked candidates, plates."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from numpy.typing import NDArray

from gemel.evaluation import Figure
from gemel.reports.pictures import GREY, PLAIN, RIGHT, WRONG

Grey = NDArray[np.generic]


@dataclass(frozen=True, eq=False)
class Ranked:
    """A query and the candidates for it.

    Attributes:
        query: its picture [H, W].
        candidates: a picture [H, W] of each.
        scores: of each, from 0 to 1; higher is more alike.
        answer: which of them it is.
    """

    query: Grey
    candidates: Sequence[Grey]
    scores: Sequence[float]
    answer: int

    @property
    def right(self) -> bool:
        """Whether the answer alone has the highest score."""
        return [i for i, s in enumerate(self.scores) if s == max(self.scores)] == [self.answer]


def draw_bars(bars: Mapping[str, Figure | float], ours: Sequence[str], title: str) -> Canvas:
    """Shares as bars, the highest on top, ours in colour and with their intervals."""
    canvas = Canvas(figsize=(7.2, 0.42 * len(bars) + 1.2), dpi=130, layout="constrained")
    axes = canvas.subplots()
    values = {name: one if isinstance(one, float) else one.value for name, one in bars.items()}
    names = sorted(values, key=lambda name: values[name])
    for place, name in enumerate(names):
        one, value = bars[name], 100 * values[name]
        axes.barh(place, value, color=PLAIN if name in ours else "#c8c8c8", height=0.66)
        end = value
        if isinstance(one, Figure) and not math.isnan(one.low):
            low, high = 100 * one.low, 100 * one.high
            axes.plot([low, high], [place, place], color="black", linewidth=1.2)
            end = max(end, high)
        axes.text(end + 0.8, place, f"{value:.1f} %", va="center", fontsize=8)
    axes.set(yticks=range(len(names)), xlim=(0, 108), title=title, xlabel="right, %")
    axes.set_yticklabels(names, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return canvas


def draw_ranked(cards: Sequence[Ranked], title: str) -> Canvas:
    """One row a query: the query, then its candidates with their scores, the highest first.

    The right one has a green frame and a tick; the query of a trial that went wrong a cross.
    """
    ways = max(len(card.candidates) for card in cards)
    canvas = Canvas(figsize=(0.62 * (ways + 1.6), 0.86 * len(cards) + 0.6), dpi=130)
    ratios = [1.0, 0.3, *[1.0] * ways]
    grid = canvas.subplots(
        len(cards), ways + 2, squeeze=False, gridspec_kw={"width_ratios": ratios}
    )
    canvas.subplots_adjust(left=0.01, right=0.99, top=1 - 0.62 / (len(cards) + 0.7), bottom=0.02)
    canvas.suptitle(title, fontsize=10, x=0.01, ha="left")
    for axes in grid.flat:
        axes.axis("off")
    for row, card in zip(grid, cards, strict=True):
        mark, colour = ("✓", RIGHT) if card.right else ("✗", WRONG)
        _framed(row[0], card.query, colour, 2.0)
        row[0].set_title(f"asked {mark}", fontsize=7, color=colour, pad=2)
        for axes, place in zip(row[2:], np.argsort(card.scores)[::-1].tolist(), strict=False):
            is_answer = place == card.answer
            _framed(
                axes,
                card.candidates[place],
                RIGHT if is_answer else GREY,
                2.0 if is_answer else 1.0,
            )
            said = f"{card.scores[place]:.2f}" + (" ✓" if is_answer else "")
            axes.set_title(said, fontsize=7, color=RIGHT if is_answer else GREY, pad=2)
    return canvas


def draw_plate(rows: Mapping[str, Sequence[Grey]], title: str) -> Canvas:
    """Rows of small pictures, each with its name on the left; every picture has its own scale."""
    most = max(map(len, rows.values()))
    canvas = Canvas(figsize=(0.6 * most + 1.6, 0.66 * len(rows) + 0.6), dpi=130)
    grid = canvas.subplots(len(rows), most, squeeze=False)
    left = 1.5 / (0.6 * most + 1.6)
    canvas.subplots_adjust(
        left=left, right=0.98, top=1 - 0.3 / (0.66 * len(rows) + 0.6), bottom=0.02
    )
    canvas.suptitle(title, fontsize=10, x=0.01, ha="left")
    for axes in grid.flat:
        axes.axis("off")
    for line, (name, pictures) in zip(grid, rows.items(), strict=True):
        line[0].text(-0.2, 0.5, name, transform=line[0].transAxes, ha="right", va="center", size=8)
        for axes, picture in zip(line, pictures, strict=False):
            axes.imshow(picture, cmap="gray_r", interpolation="nearest")
    return canvas


def draw_course(history: Sequence[Mapping[str, float | int]], title: str) -> Canvas:
    """The training loss of a run and, where it was measured, its validation figure, by the step."""
    canvas = Canvas(figsize=(6.4, 3.8), dpi=130, layout="constrained")
    axes = canvas.subplots()
    axes.plot(
        [one["step"] for one in history], [one["loss"] for one in history], color=GREY, linewidth=1
    )
    axes.set(xlabel="step", ylabel="training loss (grey)", title=title)
    judged = [one for one in history if "validation" in one]
    if judged:
        beside = axes.twinx()
        steps = [one["step"] for one in judged]
        beside.plot(steps, [100 * one["validation"] for one in judged], color=PLAIN, marker=".")
        beside.set_ylabel("validation, % right (blue)", color=PLAIN)
    return canvas


def _framed(axes: Axes, picture: Grey, colour: str, width: float) -> None:
    axes.axis("on")
    axes.imshow(picture, cmap="gray_r", interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    for side in axes.spines.values():
        side.set(color=colour, linewidth=width)
