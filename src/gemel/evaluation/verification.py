"""Are these two the same? The figures of judged pairs, each with its interval.

Everywhere `distance` [N] is lower for what is more alike, `same` [N] is True for pairs of one
thing, and a pair is accepted where distance <= threshold.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike, NDArray

from gemel.errors import EvaluationError
from gemel.evaluation.cells import Share, Weights, cells_of, interval_over, over_draws
from gemel.evaluation.curves import Roc, SortedPairs, check_pairs, roc
from gemel.evaluation.intervals import (
    Figure,
    Refused,
    figure,
    figures_in,
    refusals_in,
    too_rare,
)
from gemel.evaluation.readings import EqualErrorRate, FalseAcceptRate, Reading, TrueAcceptRate
from gemel.evaluation.weighing import WeighedPairs

FALSE_ACCEPT_RATES = (1e-1, 1e-2, 1e-3, 1e-4)
TRUE_ACCEPT_RATE = 0.95


@dataclass(frozen=True, eq=False)
class Verification:
    """What `verification` measured.

    Attributes:
        auc: the share of couples, one same and one different pair, whose same pair is nearer.
        eer: equal error rate.
        fpr_at_95_tpr: share of the different pairs accepted where 95 % of the same pairs are;
            refused below 20 same pairs, where it would be that of all of them.
        tar_at_far: for each false accept rate asked for, it and the share of the same pairs
            accepted there; refused where too few different pairs support it.
        accuracy: share of pairs judged right at `threshold`; None where none was given.
        threshold: the threshold that the caller brought.
        roc: the curve.
        same_count: how many pairs are the same.
        different_count: how many are different.
    """

    auc: Figure
    eer: Figure
    fpr_at_95_tpr: Figure | Refused
    tar_at_far: tuple[tuple[float, Figure | Refused], ...]
    accuracy: Figure | None
    threshold: float | int | None
    roc: Roc
    same_count: int
    different_count: int

    @property
    def figures(self) -> tuple[Figure, ...]:
        """All figures there are."""
        return figures_in(*self._asked)

    @property
    def refused(self) -> tuple[Refused, ...]:
        """What the pairs do not support."""
        return refusals_in(*self._asked)

    @property
    def _asked(self) -> tuple[Figure | Refused | None, ...]:
        rates = (one for _, one in self.tar_at_far)
        return self.auc, self.eer, self.accuracy, self.fpr_at_95_tpr, *rates

    def __str__(self) -> str:
        counts = f"{self.same_count:,} same and {self.different_count:,} different pairs"
        methods = {one.method: None for one in self.figures}  # each once, in order
        last = f"{counts}; 95 % intervals: {'; '.join(methods)}"
        return "\n".join([*map(str, self.figures), *map(str, self.refused), last])

    def as_dict(self) -> dict[str, Any]:
        """For JSON: figures, refusals and counts, without the curve."""
        return {
            "figures": [one.as_dict() for one in self.figures],
            "refused": [one.as_dict() for one in self.refused],
            "threshold": self.threshold,
            "same": self.same_count,
            "different": self.different_count,
        }


def accuracy_at(distance: ArrayLike, same: ArrayLike, threshold: float | int) -> float:
    """Share of pairs judged right by accepting distance <= `threshold`.

    Raises:
        EvaluationError: `threshold` is NaN; else see `check_pairs`.
    """
    return float(judged_right(*check_pairs(distance, same), threshold).mean())


def best_threshold(distance: ArrayLike, same: ArrayLike) -> float:
    """The threshold at which most of these pairs are judged right. Use it on validation pairs.

    Accuracy measured on the same pairs would flatter: bring the threshold to other pairs.
    It lies halfway between the two distances that it parts; of several equally good cuts it is
    the one in the widest gap. Where refusing (accepting) every pair is best, it lies just below
    the smallest distance (at the largest).

    Raises:
        EvaluationError: see `check_pairs`.
    """
    pairs = SortedPairs.of(*check_pairs(distance, same))
    right = pairs.same_within - pairs.different_within  # and all different pairs, at every cut
    at = pairs.distance
    gap = np.concatenate([[0.0], np.diff(at), [0.0]])
    cut = int(np.lexsort((gap, right))[-1])
    if cut == 0:
        return float(np.nextafter(at[0], -np.inf))
    if cut == len(at):
        return float(at[-1])
    middle = float(at[cut - 1] + gap[cut] / 2)
    return middle if middle < at[cut] else float(at[cut - 1])


def verification(
    distance: ArrayLike,
    same: ArrayLike,
    *,
    threshold: float | int | None = None,
    false_accept_rates: Sequence[float | int] = FALSE_ACCEPT_RATES,
    left_identity: ArrayLike | None = None,
    right_identity: ArrayLike | None = None,
    split: str,
    seed: int,
    draws: int = 1000,
) -> Verification:
    """Judge pairs: AUC, EER, rates read from the ROC, and accuracy, with 95 % intervals.

    With identities the intervals come from a bootstrap over identities (see `IdentityCells`).
    Their number is that of the kind of pair that has fewer. Without identities the bootstrap is
    over pairs, same and different each by itself, and accuracy has Wilson's interval: too narrow
    where pairs share items or identities.

    TAR at a FAR is the largest true accept rate at a threshold whose false accept rate is not
    above it, and FPR at 95 % TPR the smallest false accept rate at a threshold that accepts 95 %:
    nothing is interpolated, pairs of one distance are accepted together, and each draw of the
    bootstrap has its own threshold. A TAR at a FAR that the different pairs are too few to
    measure is refused (see `too_rare`).

    Args:
        distance: [N] lower is more alike.
        same: [N] booleans.
        threshold: accept up to this distance. Choose it on other pairs (`best_threshold` of
            validation pairs); none is chosen here, and without one there is no accuracy.
        false_accept_rates: where the true accept rate is asked for, each between 0 and 1.
        left_identity: [N] an id (number or text) of what each pair's left item shows.
        right_identity: [N] the same for the right items; give both or neither.
        split: the name of what is judged.
        seed: of the bootstrap.
        draws: how many bootstrap resamples.

    Raises:
        EvaluationError: the pairs allow no figures (see `check_pairs`), `threshold` is NaN, or
            identities are given for one side only or contradict `same`.
        SettingsError: too few draws, or a rate that is none.
    """
    measured, truth = check_pairs(distance, same)
    right = None if threshold is None else judged_right(measured, truth, threshold)
    cells = cells_of(left_identity, right_identity, truth)
    pairs = SortedPairs.of(measured, truth)
    tars = [TrueAcceptRate(float(rate)) for rate in false_accept_rates]
    asked: list[Reading] = [EqualErrorRate(), FalseAcceptRate(TRUE_ACCEPT_RATE), *tars]
    refused = {one.name: why for one in asked if (why := _too_few(one, pairs)) is not None}
    readings = [one for one in asked if one.name not in refused]
    weighed = WeighedPairs.of(pairs, cells)

    def measure(weights: Weights) -> NDArray[np.float64]:
        return np.column_stack([weighed.areas(weights), weighed.read(weights, readings)])

    drawn = over_draws(cells, measure, draws=draws, seed=seed)
    sure: dict[str, Any] = {"count": len(truth), "unit": "pairs", "split": split, "seed": seed}
    names = ["AUC", *(one.name for one in readings)]
    values = [pairs.auc(), *map(pairs.read, readings)]
    found = {
        name: figure(
            name, value, interval_over(cells, column, value), percent=name != "AUC", **sure
        )
        for name, value, column in zip(names, values, drawn.T, strict=True)
    }
    accuracy = None
    if right is not None:
        correct = Share.of(cells, right, truth, ~truth)
        interval = correct.interval(cells, draws=draws, seed=seed)
        accuracy = figure(f"accuracy at {threshold:.4g}", correct.value, interval, **sure)
    rates = refused | found
    return Verification(
        auc=found["AUC"],
        eer=found["EER"],
        fpr_at_95_tpr=rates[asked[1].name],
        tar_at_far=tuple((one.at, rates[one.name]) for one in tars),
        accuracy=accuracy,
        threshold=threshold,
        roc=roc(measured, truth),
        same_count=len(pairs.same_order),
        different_count=len(pairs.different_order),
    )


def _too_few(reading: Reading, pairs: SortedPairs) -> Refused | None:
    if isinstance(reading, TrueAcceptRate):
        return too_rare(reading.name, reading.at, len(pairs.different_order), "different pairs")
    fewest = round(1 / (1 - TRUE_ACCEPT_RATE))
    if isinstance(reading, FalseAcceptRate) and len(pairs.same_order) < fewest:
        return Refused(
            reading.name,
            f"it rests on {len(pairs.same_order):,} same pairs; with fewer than {fewest} none may "
            "be refused, and the one farthest apart decides",
        )
    return None


def judged_right(
    distance: Float[NDArray[np.float64], " pairs"],
    same: Bool[NDArray[np.bool_], " pairs"],
    threshold: float | int,
) -> Bool[NDArray[np.bool_], " pairs"]:
    """Which of checked pairs are judged right by accepting distance <= `threshold`.

    Raises:
        EvaluationError: `threshold` is NaN.
    """
    if np.isnan(threshold):
        raise EvaluationError("`threshold` is NaN; give a distance, chosen on validation pairs")
    return np.equal(distance <= threshold, same)
