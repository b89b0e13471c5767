"""The ROC and the DET curve of judged pairs, the area under the one, and the equal error rate.

Everywhere `distance` [N] is lower for what is more alike, `same` [N] is True for pairs of one
thing, and a pair is accepted where distance <= threshold.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import ArrayLike, NDArray

from gemel.errors import EvaluationError
from gemel.evaluation.readings import EqualErrorRate, Reading

Distances = Float[NDArray[np.float64], " pairs"]
Sames = Bool[NDArray[np.bool_], " pairs"]


@dataclass(frozen=True, eq=False)
class Roc:
    """A receiver operating characteristic, from accepting nothing to accepting everything.

    Attributes:
        thresholds: [K] ascending distances; the first is -inf.
        false_accept_rate: [K] share of the different pairs with distance <= threshold.
        true_accept_rate: [K] share of the same pairs with distance <= threshold.
    """

    thresholds: Float[NDArray[np.float64], " points"]
    false_accept_rate: Float[NDArray[np.float64], " points"]
    true_accept_rate: Float[NDArray[np.float64], " points"]


@dataclass(frozen=True, eq=False)
class Det:
    """A detection error trade-off curve: what is missed, by what is wrongly accepted.

    Source: Martin, Doddington, Kamm, Ordowski, Przybocki 1997, "The DET curve in assessment of
    detection task performance", Eurospeech.

    Attributes:
        thresholds: [K] ascending distances; the first is -inf.
        false_accept_rate: [K] share of the different pairs with distance <= threshold.
        miss_rate: [K] share of the same pairs with distance > threshold.
    """

    thresholds: Float[NDArray[np.float64], " points"]
    false_accept_rate: Float[NDArray[np.float64], " points"]
    miss_rate: Float[NDArray[np.float64], " points"]

    def probits(self) -> Float[NDArray[np.float64], "points 2"]:
        """[K', 2] false accept and miss rate as normal deviates, the scale of the curve's axes.

        Points where a rate is 0 or 1 lie at infinity and are left out.
        """
        from scipy.special import ndtri

        points = np.stack([self.false_accept_rate, self.miss_rate], axis=1)
        inside = ((points > 0) & (points < 1)).all(axis=1)
        return np.asarray(ndtri(points[inside]))


def roc(distance: ArrayLike, same: ArrayLike, *, drop_collinear: bool = True) -> Roc:
    """The ROC of `distance` [N] and `same` [N].

    The points are those of scikit-learn's `roc_curve(same, -distance)`, thresholds negated.

    Args:
        distance: [N] lower is more alike.
        same: [N] booleans.
        drop_collinear: leave out points inside straight stretches of the curve; its area and the
            equal error rate stay the same.

    Raises:
        EvaluationError: see `check_pairs`.
    """
    pairs = SortedPairs.of(*check_pairs(distance, same))
    threshold = np.append(-np.inf, pairs.distance)
    accepted, wrongly = pairs.same_within, pairs.different_within
    if drop_collinear and len(pairs.distance) > 2:
        corner = (np.diff(accepted[1:], 2) != 0) | (np.diff(wrongly[1:], 2) != 0)
        kept = np.concatenate([[True, True], corner, [True]])
        threshold, accepted, wrongly = threshold[kept], accepted[kept], wrongly[kept]
    return Roc(
        thresholds=threshold,
        false_accept_rate=wrongly / wrongly[-1],
        true_accept_rate=accepted / accepted[-1],
    )


def det(distance: ArrayLike, same: ArrayLike) -> Det:
    """The DET curve of `distance` [N] and `same` [N], where pairs of one distance are one step.

    Only points inside level and upright stretches are left out: such stretches stay straight on
    probit axes, slanted ones do not.

    Raises:
        EvaluationError: see `check_pairs`.
    """
    curve = roc(distance, same, drop_collinear=False)
    rates = np.stack([curve.false_accept_rate, curve.true_accept_rate])
    moved: NDArray[np.bool_] = np.diff(rates) > 0  # [2, K - 1]
    turns = (moved[:, 1:] != moved[:, :-1]).any(axis=0) | moved[:, 1:].all(axis=0)
    kept = np.concatenate([[True], turns, [True]])
    return Det(
        thresholds=curve.thresholds[kept],
        false_accept_rate=curve.false_accept_rate[kept],
        miss_rate=1 - curve.true_accept_rate[kept],
    )


def auc(distance: ArrayLike, same: ArrayLike) -> float:
    """Area under the ROC: the chance that a same pair is nearer than a different one, ties half.

    Source: Hanley and McNeil 1982, "The meaning and use of the area under a receiver operating
    characteristic (ROC) curve", Radiology 143(1).

    Raises:
        EvaluationError: see `check_pairs`.
    """
    return SortedPairs.of(*check_pairs(distance, same)).auc()


def equal_error_rate(distance: ArrayLike, same: ArrayLike) -> float:
    """Where the share of different pairs accepted equals the share of same pairs refused.

    Between two neighbouring points of the ROC both shares are interpolated along the straight
    line that joins them: the figure is where the drawn curve meets the diagonal from (0, 1) to
    (1, 0). Pairs of one distance are accepted together, so one line joins before and after.

    Raises:
        EvaluationError: see `check_pairs`.
    """
    return SortedPairs.of(*check_pairs(distance, same)).read(EqualErrorRate())


@dataclass(frozen=True, eq=False)
class SortedPairs:
    """Judged pairs by ascending distance, ready to be summed under any weights.

    Attributes:
        distance: [K] the distinct distances.
        same_order: [S] the same pairs by distance, as indices of the given pairs.
        different_order: [D] the different pairs by distance.
        same_within: [K + 1] how many same pairs lie within no, the first, the second... distance.
        different_within: [K + 1] the same for different pairs.
        nearer: [D] how many same pairs are nearer than each different pair.
        as_near: [D] how many are nearer or tie with it; `nearer` itself where there are no ties.
    """

    distance: Float[NDArray[np.float64], " distinct"]
    same_order: Int[NDArray[np.int64], " sames"]
    different_order: Int[NDArray[np.int64], " differents"]
    same_within: Int[NDArray[np.int64], " cuts"]
    different_within: Int[NDArray[np.int64], " cuts"]
    nearer: Int[NDArray[np.int64], " differents"]
    as_near: Int[NDArray[np.int64], " differents"]

    @classmethod
    def of(cls, distance: Distances, same: Sames) -> "SortedPairs":
        """Sort pairs that `check_pairs` has passed."""
        order = np.argsort(distance, kind="stable")
        ranked, kind = distance[order], same[order]
        last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))  # of each distance
        nearer = np.searchsorted(ranked[kind], ranked[~kind], side="left")
        as_near = np.searchsorted(ranked[kind], ranked[~kind], side="right")
        return cls(
            distance=ranked[last],
            same_order=order[kind],
            different_order=order[~kind],
            same_within=np.append(0, np.cumsum(kind)[last]),
            different_within=np.append(0, np.cumsum(~kind)[last]),
            nearer=nearer,
            as_near=nearer if np.array_equal(nearer, as_near) else as_near,
        )

    def auc(
        self,
        same_weight: NDArray[np.int64] | None = None,
        different_weight: NDArray[np.int64] | None = None,
    ) -> float:
        """The area under the ROC of the pairs, each counted as often as its weight says.

        Args:
            same_weight: [S] in the order of `same_order`; None: each pair counts once.
            different_weight: [D] in the order of `different_order`.

        Returns:
            The area, or NaN where a kind of pair has no weight.
        """
        if same_weight is None:
            same_weight = np.ones(len(self.same_order), dtype=np.int64)
        if different_weight is None:
            different_weight = np.ones(len(self.different_order), dtype=np.int64)
        same = np.zeros(len(same_weight) + 1, dtype=np.int64)  # of the nearest 0, 1, 2... pairs
        np.cumsum(same_weight, out=same[1:])
        couples = float(same[-1]) * float(different_weight.sum())
        if not couples:
            return float("nan")
        won = same[self.nearer]  # [D] twice the weight of the same pairs that are nearer
        won += won if self.as_near is self.nearer else same[self.as_near]  # ties half
        return float(won @ different_weight) / (2 * couples)

    def read(self, reading: Reading) -> float:
        """The value of `reading` when each pair counts once."""
        rates = np.stack(
            [
                self.same_within / self.same_within[-1],
                self.different_within / self.different_within[-1],
            ]
        )
        after = int(np.argmax(reading.passed(rates)))
        return float(reading.value(rates[:, None, after - 1 : after + 1])[0])


def check_pairs(distance: ArrayLike, same: ArrayLike) -> tuple[Distances, Sames]:
    """`distance` as float64 [N] and `same` as bool [N], when figures can be had from them.

    Raises:
        EvaluationError: they are not [N] each, a distance is not finite, `same` is not boolean,
            there is no pair of one kind, or all distances are equal.
    """
    measured, truth = np.asarray(distance), np.asarray(same)
    if truth.dtype != np.bool_:
        raise EvaluationError(
            f"`same` must hold booleans, True where a pair is the same; got {truth.dtype}. "
            "If 1 means same: same == 1"
        )
    if measured.ndim != 1 or measured.shape != truth.shape:
        raise EvaluationError(
            f"`distance` has shape {measured.shape} and `same` {truth.shape}; "
            "both must be [N], one entry a pair"
        )
    check_finite(measured)
    for kind, count in (("same", int(truth.sum())), ("different", int((~truth).sum()))):
        if not count:
            raise EvaluationError(
                f"none of the {len(truth)} pairs is {kind}; verification needs pairs of both kinds"
            )
    if measured.min() == measured.max():
        raise EvaluationError(
            f"all {len(truth)} distances are {measured[0]}: nothing tells the pairs apart, which "
            "is chance (AUC 0.5, EER 50 %). The embeddings may have collapsed to one point"
        )
    return measured.astype(np.float64), truth


def check_finite(
    distance: NDArray[Any], *, what: str = "pair", rows: NDArray[np.int64] | None = None
) -> None:
    """Refuse distances that are NaN or infinite; the message counts them and names the first.

    Args:
        distance: [N] or [Q, N].
        what: the word for a place in it.
        rows: [Q] the numbers of its rows, where they are not 0, 1, 2...

    Raises:
        EvaluationError: as said.
    """
    bad = ~np.isfinite(distance)
    if bad.any():
        first = tuple(np.argwhere(bad)[0].tolist())
        row = first[0] if rows is None else int(rows[first[0]])
        place = ", ".join(map(str, (row, *first[1:])))
        raise EvaluationError(
            f"{int(bad.sum())} of {bad.size} distances are NaN or infinite, the first at {what} "
            f"{place} ({distance[first]}). Look at the embeddings of its items; training may "
            "have diverged"
        )
