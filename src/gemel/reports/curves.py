"""The charts of a report: ROC, DET, distances, reliability, CMC, training."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gemel.evaluation import Det, Roc
from gemel.evaluation.reliability import Bin
from gemel.reports.html import Html
from gemel.reports.plot import Axis, Plot, even_axis

BINS = 48
DET_TICKS = (1e-4, 1e-3, 1e-2, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95)
MOST_RANKS = 50
Point = tuple[float, float]


def share_said(share: float) -> str:
    """A share as a tick: "0.1 %"."""
    return f"{100 * share:.4g} %"


def roc_chart(curves: Sequence[tuple[str, Roc, Point | None]], low: float) -> Html:
    """ROC curves on a logarithmic axis of false accepts, from `low` to all.

    Args:
        curves: of each its name, the curve, and the false and true accept rate at the threshold.
        low: the smallest false accept rate that is drawn.
    """
    decades = 10.0 ** np.arange(round(np.log10(low)), 1)
    across = Axis(
        "different pairs accepted (false accepts)",
        low,
        1,
        [(float(rate), share_said(float(rate))) for rate in decades],
        np.log10,
    )
    plot = Plot(across, even_axis("same pairs accepted", 0, 1, percent=True))
    plot.line(np.geomspace(low, 1), np.geomspace(low, 1), 7, "chance")
    for number, (name, curve, _) in enumerate(curves):
        rate = np.maximum(curve.false_accept_rate, low / 2)
        plot.line(rate, curve.true_accept_rate, number, name)
    for number, (name, _, at) in enumerate(curves):
        if at is not None:
            where = "the threshold" if len(curves) == 1 else f"threshold of {name}"
            plot.marks(max(at[0], low), at[1], number, where)
    what = "; ".join(
        f"{name} accepts " + ", ".join(_read_off(curve, rate) for rate in decades[:-1])
        for name, curve, _ in curves
    )
    return plot.svg("roc", "ROC curve", f"Same pairs accepted by false accepts: {what}.")


def _read_off(curve: Roc, rate: float) -> str:
    """The true accept rate where no more than `rate` of different pairs are accepted."""
    reached = curve.true_accept_rate[curve.false_accept_rate <= rate * (1 + 1e-9)].max()
    return f"{share_said(round(float(reached), 4))} at {share_said(rate)}"


def det_chart(curves: Sequence[tuple[str, Det, Point | None]], low: float) -> Html:
    """DET curves: misses by false accepts, both on probit axes."""
    from scipy.special import ndtri

    high = 0.6
    for _, curve, _ in curves:
        worst = np.minimum(curve.false_accept_rate, curve.miss_rate).max()
        high = max(high, min(0.98, 1.5 * float(worst)))
    ticks = [(rate, share_said(rate)) for rate in DET_TICKS if low <= rate <= high]
    plot = Plot(
        Axis("different pairs accepted (false accepts)", low, high, ticks, ndtri),
        Axis("same pairs refused (misses)", low, high, ticks, ndtri),
    )
    ends = low / 4, 1 - 1e-6
    for number, (name, curve, _) in enumerate(curves):
        accepted, missed = (np.clip(r, *ends) for r in (curve.false_accept_rate, curve.miss_rate))
        plot.line(accepted, missed, number, name)
    line = np.linspace(low, high)
    plot.line(line, line, 7, "equal errors")
    for number, (name, _, at) in enumerate(curves):
        if at is not None:
            where = "the threshold" if len(curves) == 1 else f"threshold of {name}"
            plot.marks(max(at[0], low), max(1 - at[1], low), number, where)
    said = "Nearer to the lower left corner is better; the equal error rate is on the diagonal."
    return plot.svg("det", "DET curve", said)


def distance_bins(
    distance: NDArray[np.float32], same: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Edges [B + 1], and the share of the same [B] and of the different pairs [B] between them."""
    edges = np.linspace(float(distance.min()), float(distance.max()), BINS + 1)
    of_kind = [np.histogram(distance[kind], edges)[0] / kind.sum() for kind in (same, ~same)]
    return edges, of_kind[0], of_kind[1]


def distance_chart(
    bins: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    threshold: float | int | None,
    close: Point | None,
) -> Html:
    """How far apart same and different pairs are."""
    edges, same, different = bins
    low, high = float(edges[0]), float(edges[-1])
    if threshold is not None:  # it may lie outside of all pairs
        low, high = min(low, threshold), max(high, threshold)
    top = 1.05 * float(max(same.max(), different.max()))
    plot = Plot(
        even_axis("distance", low, high), even_axis("share of its kind", 0, top, percent=True)
    )
    if close is not None:
        plot.band(*close, "too close to call")
    for number, (name, shares) in enumerate((("same pairs", same), ("different pairs", different))):
        x, y = np.repeat(edges, 2), np.concatenate([[0], np.repeat(shares, 2), [0]])
        plot.line(x, y, number, name, fill=True)
    if threshold is not None:
        plot.rule(float(threshold), "the threshold")
    return plot.svg(
        "distances", "Distances of same and of different pairs", "The table below has the counts."
    )


def reliability_chart(points: Sequence[Bin]) -> Html:
    """The share found same by the probability stated."""
    plot = Plot(
        even_axis("probability stated", 0, 1, percent=True),
        even_axis("share found to be the same", 0, 1, percent=True),
    )
    plot.line([0, 1], [0, 1], 7, "as stated")
    for point in points:
        plot.whisker(point.stated, point.low, point.high, 0)
    plot.line([one.stated for one in points], [one.found for one in points], 0)
    plot.marks(
        [one.stated for one in points], [one.found for one in points], 0, "found, 95 % interval"
    )
    said = "; ".join(f"{share_said(p.stated)} stated, {share_said(p.found)} found" for p in points)
    return plot.svg("reliability", "Reliability diagram", f"{said}.")


def cmc_chart(curves: Sequence[tuple[str, NDArray[np.float64]]]) -> Html:
    """The identification rate by rank, up to 50."""
    ranks = min(MOST_RANKS, max(len(curve) for _, curve in curves))
    least = min(float(curve[0]) for _, curve in curves)
    step = max(1, round(ranks / 6))
    ticks = [(rank, str(rank)) for rank in (1, *range(1 + step, ranks + 1, step))]
    plot = Plot(
        Axis("rank", 1, max(ranks, 2), ticks),
        even_axis(
            "right class at that rank or before", np.floor(10 * least - 0.01) / 10, 1, percent=True
        ),
    )
    for number, (name, curve) in enumerate(curves):
        shown = curve[:ranks]
        plot.line(np.arange(1, len(shown) + 1), shown, number, name)
        plot.marks(np.arange(1, len(shown) + 1, step), shown[::step], number)
    said = ", ".join(
        f"{share_said(round(float(curves[0][1][rank - 1]), 4))} at rank {rank}"
        for rank in (1, 2, 5, 10, 20, 50)
        if rank <= len(curves[0][1])
    )
    return plot.svg("cmc", "Cumulative match characteristic", f"{said}.")


def training_charts(history: Sequence[dict[str, Any]]) -> list[Html]:
    """The loss by step, and the validation figure where there is one."""
    found = []
    for key, label, series in (("loss", "training loss", 0), ("validation", "validation", 1)):
        points = [(one["step"], one[key]) for one in history if key in one]
        if not points:
            continue
        steps, values = (np.array(column, dtype=np.float64) for column in zip(*points, strict=True))
        spread = float(values.max() - values.min()) or abs(float(values[0])) or 1.0
        low, high = float(values.min()) - 0.05 * spread, float(values.max()) + 0.05 * spread
        percent = key == "validation"
        plot = Plot(
            even_axis("step", 0, float(steps.max())),
            even_axis(label, low, min(high, 1.0) if percent else high, percent=percent),
            height=220,
        )
        plot.line(steps, values, series)
        if percent or len(points) < 12:
            plot.marks(steps, values, series)
        said = (
            f"From {values[0]:.4g} at step {steps[0]:.0f} to {values[-1]:.4g} at step "
            f"{steps[-1]:.0f}; lowest {values.min():.4g}, highest {values.max():.4g}."
        )
        found.append(plot.svg(f"training-{key}", f"{label.capitalize()} by step", said))
    return found
