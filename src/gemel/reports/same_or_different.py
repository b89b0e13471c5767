"""The part of a report on telling same from different: curves, distances, reliability."""

import numpy as np
from numpy.typing import NDArray

from gemel.evaluation import Figure, Refused, det, verification_by_group
from gemel.evaluation.groups import GroupFigures
from gemel.evaluation.reliability import reliability
from gemel.measure import Evaluation
from gemel.reports import curves
from gemel.reports.html import Html, escaped, join, tag
from gemel.reports.page import Section, chart, rests_on, table, with_interval

NAME = "this model"


def same_or_different(evaluation: Evaluation) -> Section:
    """ROC, DET, distances, and reliability where the model is calibrated."""
    verified, judged = evaluation.verification, evaluation.judged
    point = operating_point(evaluation)
    at = None
    if verified.threshold is not None:
        near = judged.distance <= verified.threshold
        at = float(near[~judged.same].mean()), float(near[judged.same].mean())
    low = lowest_rate(verified.different_count)
    curve = det(judged.distance, judged.same)
    drawn = [
        chart(
            curves.roc_chart([(NAME, verified.roc, at)], low),
            "ROC curve",
            join(
                "Each point is a threshold; the nearer to the upper left corner, the better. Area ",
                _in_full(verified.auc),
                ".",
            ),
        ),
        chart(
            curves.det_chart([(NAME, curve, at)], low),
            "DET curve",
            join(
                "Both kinds of error, on axes that make the curve of a usual model straight; the "
                "nearer to the lower left corner, the better. Equal error rate ",
                _in_full(verified.eer),
                ".",
            ),
        ),
        _distances(evaluation),
        *_reliability(evaluation),
    ]
    intro = tag("p", "Are two items the same? ", _at_threshold(point, verified.threshold))
    charts = tag("div", *drawn, class_="charts")
    return Section("verification", "Telling same from different", join(intro, charts))


def lowest_rate(different: int) -> float:
    """The left end of a logarithmic axis of false accepts: what one different pair makes."""
    return float(min(1e-2, max(1e-4, 10.0 ** np.floor(np.log10(1 / different)))))


def operating_point(evaluation: Evaluation) -> GroupFigures | None:
    """Both accept rates at the model's threshold, with intervals; None where it has none."""
    verified, judged = evaluation.verification, evaluation.judged
    if verified.threshold is None:
        return None
    left, right = judged.identities
    whole = verification_by_group(
        judged.distance,
        judged.same,
        np.full(len(judged.same), "all pairs"),
        threshold=verified.threshold,
        left_identity=left,
        right_identity=right,
        split=judged.data.name,
        seed=verified.auc.seed,
    )
    return whole.groups[0]


def _at_threshold(point: GroupFigures | None, threshold: float | int | None) -> Html:
    if point is None:
        return escaped(
            "The model has no threshold, so no operating point is marked: nothing was held out in "
            "training, and it is not calibrated."
        )
    return join(
        f"At the threshold {threshold:.4f}, which came with the model: ",
        _rate(point.true_accept_rate, "of the same pairs are accepted"),
        "; ",
        _rate(point.false_accept_rate, "of the different pairs are, wrongly"),
        ".",
    )


def _rate(found: Figure | Refused, words: str) -> Html:
    if isinstance(found, Refused):
        return join(f"what share {words} is not given: {found.why}")
    return join(with_interval(found), f" {words} (", rests_on(found), ")")


def _in_full(figure: Figure) -> Html:
    return join(with_interval(figure), " (", rests_on(figure), ")")


def _distances(evaluation: Evaluation) -> Html:
    verified, judged = evaluation.verification, evaluation.judged
    bins = curves.distance_bins(judged.distance, judged.same)
    known = judged.embedded.model.calibration
    reading = (
        f"The {verified.same_count:,} same and {verified.different_count:,} different pairs "
        f"(split {judged.data.name}, seed {verified.auc.seed}) by their distance. The less the "
        "two overlap, the better; what lies left of the threshold is taken for the same."
    )
    drawn = curves.distance_chart(bins, verified.threshold, None if known is None else known.close)
    return chart(drawn, "Distances", reading, _bins_table(bins))


def _bins_table(
    bins: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
) -> Html:
    edges, same, different = bins
    rows = [
        [f"{low:.4f} to {high:.4f}", f"{100 * one:.2f} %", f"{100 * other:.2f} %"]
        for low, high, one, other in zip(edges[:-1], edges[1:], same, different, strict=True)
    ]
    head = ["distance", "of the same pairs", "of the different pairs"]
    return table("distances-table", "Pairs by distance", head, rows)


def _reliability(evaluation: Evaluation) -> list[Html]:
    judged, error = evaluation.judged, evaluation.calibration_error
    known = judged.embedded.model.calibration
    if known is None or error is None:
        return []
    prior = float(judged.same.mean())  # the calibration error is measured with it too
    points = reliability(known.probability(judged.distance, prior=prior), judged.same)
    rows = [
        [
            f"{100 * one.stated:.1f} %",
            f"{100 * one.found:.1f} %",
            f"[{100 * one.low:.1f}, {100 * one.high:.1f}]",
            f"{one.count:,}",
        ]
        for one in points
    ]
    head = ["stated", "found", "95 % interval", "pairs"]
    reading = join(
        "Of the pairs that the model calls 80 % likely to be the same, 80 % should be: points on "
        "the dotted line are right, points under it are too sure of sameness. Expected "
        "calibration error ",
        _in_full(error),
        ", at the share of same pairs among those that were judged.",
    )
    numbers = table("reliability-table", "Pairs by stated probability", head, rows)
    return [chart(curves.reliability_chart(points), "Reliability", reading, numbers)]
