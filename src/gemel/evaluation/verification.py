"""Are these two the same? The figures of judged pairs, each with its interval.

Everywhere `distance` [N] is lower for what is more alike, `same` [N] is True for pairs of one
thing, and a pair is accepted where distance <= threshold.
"""

from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import ArrayLike, NDArray

from gemel.errors import EvaluationError
from gemel.evaluation.curves import Roc, SortedPairs, check_pairs, roc
from gemel.evaluation.intervals import (
    Figure,
    Interval,
    figure,
    percentile_interval,
    resamples,
    wilson,
)


@dataclass(frozen=True, eq=False)
class Verification:
    """What `verification` measured.

    Attributes:
        auc: the share of couples, one same and one different pair, whose same pair is nearer.
        eer: equal error rate.
        accuracy: share of pairs judged right at `threshold`; None where none was given.
        threshold: the threshold that the caller brought.
        roc: the curve.
        same_count: how many pairs are the same.
        different_count: how many are different.
    """

    auc: Figure
    eer: Figure
    accuracy: Figure | None
    threshold: float | int | None
    roc: Roc
    same_count: int
    different_count: int

    @property
    def figures(self) -> tuple[Figure, ...]:
        """All figures there are."""
        return tuple(one for one in (self.auc, self.eer, self.accuracy) if one is not None)

    def __str__(self) -> str:
        counts = f"{self.same_count:,} same and {self.different_count:,} different pairs"
        methods = {one.method: None for one in self.figures}  # each once, in order
        return "\n".join(
            [*map(str, self.figures), f"{counts}; 95 % intervals: {'; '.join(methods)}"]
        )

    def as_dict(self) -> dict[str, Any]:
        """For JSON: figures and counts, without the curve."""
        return {
            "figures": [one.as_dict() for one in self.figures],
            "threshold": self.threshold,
            "same": self.same_count,
            "different": self.different_count,
        }


def accuracy_at(distance: ArrayLike, same: ArrayLike, threshold: float | int) -> float:
    """Share of pairs judged right by accepting distance <= `threshold`.

    Raises:
        EvaluationError: `threshold` is NaN; else see `check_pairs`.
    """
    return float(_judged_right(*check_pairs(distance, same), threshold).mean())


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
    left_identity: ArrayLike | None = None,
    right_identity: ArrayLike | None = None,
    split: str,
    seed: int,
    draws: int = 1000,
) -> Verification:
    """Judge pairs: AUC, EER and, at a threshold from elsewhere, accuracy, with 95 % intervals.

    With identities the intervals come from a bootstrap over identities: a draw that holds
    identity a m_a times holds a pair of a and b m_a * m_b times, and a pair within a m_a times
    (the vertex bootstrap of Snijders and Borgatti 1999, "Non-parametric standard errors and tests
    for network statistics", Connections 22(2)). Their number is that of the kind of pair that has
    fewer. Without identities the bootstrap is over pairs, same and different each by itself, and
    accuracy has Wilson's interval: too narrow where pairs share items or identities.

    Args:
        distance: [N] lower is more alike.
        same: [N] booleans.
        threshold: accept up to this distance. Choose it on other pairs (`best_threshold` of
            validation pairs); none is chosen here, and without one there is no accuracy.
        left_identity: [N] an id (number or text) of what each pair's left item shows.
        right_identity: [N] the same for the right items; give both or neither.
        split: the name of what is judged.
        seed: of the bootstrap.
        draws: how many bootstrap resamples.

    Raises:
        EvaluationError: the pairs allow no figures (see `check_pairs`), `threshold` is NaN, or
            identities are given for one side only or contradict `same`.
        SettingsError: too few draws.
    """
    measured, truth = check_pairs(distance, same)
    right = None if threshold is None else _judged_right(measured, truth, threshold)
    identities = _Identities.of(left_identity, right_identity, truth)
    pairs = SortedPairs.of(measured, truth)
    values = pairs.figures().tolist()
    values += [] if right is None else [float(right.mean())]
    generator = np.random.default_rng(seed)
    if identities is None:
        found = _over_pairs(pairs, values, draws=draws, generator=generator)
        found += [] if right is None else [wilson(float(right.sum()), len(right))]
    else:
        found = _over_identities(pairs, values, identities, right, draws=draws, generator=generator)
    names = ["AUC", "EER"] + ([] if threshold is None else [f"accuracy at {threshold:.4g}"])
    figures = [
        figure(
            name,
            value,
            interval,
            count=len(truth),
            unit="pairs",
            split=split,
            seed=seed,
            percent=name != "AUC",
        )
        for name, value, interval in zip(names, values, found, strict=True)
    ]
    return Verification(
        auc=figures[0],
        eer=figures[1],
        accuracy=None if threshold is None else figures[2],
        threshold=threshold,
        roc=roc(measured, truth),
        same_count=len(pairs.same_order),
        different_count=len(pairs.different_order),
    )


def _judged_right(
    distance: Float[NDArray[np.float64], " pairs"],
    same: Bool[NDArray[np.bool_], " pairs"],
    threshold: float | int,
) -> Bool[NDArray[np.bool_], " pairs"]:
    if np.isnan(threshold):
        raise EvaluationError("`threshold` is NaN; give a distance, chosen on validation pairs")
    return np.equal(distance <= threshold, same)


@dataclass(frozen=True, eq=False)
class _Identities:
    """Who meets whom: pairs of the same two identities are one cell, and weigh the same.

    Attributes:
        count: how many identities there are, in all pairs.
        fewest: how many there are in the kind of pair that has fewer.
        left: [C] for each cell, one identity, 0..count-1.
        right: [C] the other.
        cell: [N] each pair's cell.
    """

    count: int
    fewest: int
    left: Int[NDArray[np.int64], " cells"]
    right: Int[NDArray[np.int64], " cells"]
    cell: Int[NDArray[np.int64], " pairs"]

    @classmethod
    def of(
        cls,
        left: ArrayLike | None,
        right: ArrayLike | None,
        same: Bool[NDArray[np.bool_], " pairs"],
    ) -> "_Identities | None":
        if left is None and right is None:
            return None
        sides = [np.asarray([] if side is None else side) for side in (left, right)]
        for key, side in zip(("left_identity", "right_identity"), sides, strict=True):
            if side.shape != same.shape:
                raise EvaluationError(
                    f"`{key}` has shape {side.shape}; {len(same)} pairs need ({len(same)},): "
                    "give the identities of both sides, or of neither"
                )
        names, ids = np.unique(np.concatenate(sides), return_inverse=True)
        first, second = np.sort(ids.reshape(2, -1).astype(np.int64), axis=0)
        wrong = np.flatnonzero(same & (first != second))
        if len(wrong):
            pair = int(wrong[0])
            raise EvaluationError(
                f"pair {pair} is `same`, yet its identities are {sides[0][pair]!r} and "
                f"{sides[1][pair]!r} ({len(wrong)} such pairs); mend `same` or the identities"
            )
        codes, cell = np.unique(first * len(names) + second, return_inverse=True)
        kinds = (np.concatenate([first[kind], second[kind]]) for kind in (same, ~same))
        return cls(
            count=len(names),
            fewest=min(len(np.unique(kind)) for kind in kinds),
            left=codes // len(names),
            right=codes % len(names),
            cell=cell.astype(np.int64),
        )

    def weights(
        self, times: Int[NDArray[np.int64], " identities"]
    ) -> Int[NDArray[np.int64], " cells"]:
        """[C] how often each cell's pairs occur when the identities occur `times`."""
        alone = self.left == self.right
        return np.where(alone, times[self.left], times[self.left] * times[self.right])


def _over_identities(
    pairs: SortedPairs,
    values: list[float],
    identities: _Identities,
    right: Bool[NDArray[np.bool_], " pairs"] | None,
    *,
    draws: int,
    generator: np.random.Generator,
) -> list[Interval]:
    """Intervals of AUC, EER and (with `right`) accuracy from draws of identities."""
    same_cell = identities.cell[pairs.same_order]
    different_cell = identities.cell[pairs.different_order]
    sizes = np.bincount(identities.cell)
    hits = None if right is None else np.bincount(identities.cell, right)
    drawn = np.empty((draws, len(values)))
    chunks = resamples(identities.count, draws=draws, generator=generator)
    for draw, times in enumerate(chain.from_iterable(chunks)):
        weight = identities.weights(times)
        drawn[draw, :2] = pairs.figures(weight[same_cell], weight[different_cell])
        if hits is not None:
            drawn[draw, 2] = weight @ hits / max(int(weight @ sizes), 1)
    drawn[np.isnan(drawn[:, 0])] = np.nan  # a draw without a kind of pair has no figure at all
    return [
        percentile_interval(column, value, clusters=identities.fewest, cluster_unit="identities")
        for column, value in zip(drawn.T, values, strict=True)
    ]


def _over_pairs(
    pairs: SortedPairs, values: list[float], *, draws: int, generator: np.random.Generator
) -> list[Interval]:
    """Intervals of AUC and EER from draws of same and of different pairs."""
    counts = len(pairs.same_order), len(pairs.different_order)
    chunks = (resamples(count, draws=draws, generator=generator) for count in counts)
    weights_of_kinds = (chain.from_iterable(chunk) for chunk in chunks)
    drawn = np.empty((draws, 2))
    for draw, weights in enumerate(zip(*weights_of_kinds, strict=True)):
        drawn[draw] = pairs.figures(*weights)
    return [
        percentile_interval(column, value, clusters=min(counts), cluster_unit="pairs of each kind")
        for column, value in zip(drawn.T, values[:2], strict=True)
    ]
