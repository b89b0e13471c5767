"""Accuracy by folds: each fold is judged at the threshold that is best for the others."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import ArrayLike, NDArray

from gemel.errors import EvaluationError, SettingsError
from gemel.evaluation.cells import identities_of
from gemel.evaluation.curves import check_pairs
from gemel.evaluation.intervals import Figure, cluster_ids, figure, students_t
from gemel.evaluation.verification import best_threshold, judged_right

LEFT_OUT = -1


@dataclass(frozen=True, eq=False)
class FoldAccuracy:
    """What `fold_accuracy` measured.

    Attributes:
        accuracy: the mean over the folds of each fold's accuracy.
        standard_error: of that mean.
        folds: [F] the accuracy of each fold.
        thresholds: [F] the threshold of each, chosen on the others.
        counts: [F] how many pairs each has.
        left_out: how many pairs were in no fold, as their identities were in two.
        how: where the folds came from.
    """

    accuracy: Figure
    standard_error: float
    folds: Float[NDArray[np.float64], " folds"]
    thresholds: Float[NDArray[np.float64], " folds"]
    counts: Int[NDArray[np.int64], " folds"]
    left_out: int
    how: str

    def __str__(self) -> str:
        return (
            f"{self.accuracy}\nstandard error {100 * self.standard_error:.2f} %; {self.how}; "
            f"{self.left_out:,} pairs left out; 95 % interval: {self.accuracy.method}"
        )

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "figures": [self.accuracy.as_dict()],
            "standard_error": self.standard_error,
            "folds": self.folds.tolist(),
            "thresholds": self.thresholds.tolist(),
            "counts": self.counts.tolist(),
            "left_out": self.left_out,
            "how": self.how,
        }


def fold_accuracy(
    distance: ArrayLike,
    same: ArrayLike,
    *,
    folds: int | ArrayLike = 10,
    left_identity: ArrayLike | None = None,
    right_identity: ArrayLike | None = None,
    split: str,
    seed: int,
) -> FoldAccuracy:
    """Accuracy of judging each fold at the `best_threshold` of the pairs of all other folds.

    The mean, its standard error s / sqrt(F) and the folds themselves are those of Huang, Ramesh,
    Berg, Learned-Miller 2007, "Labeled Faces in the Wild" (which has 10 given folds). The interval
    is Student's with F - 1 degrees of freedom; where all folds are alike it is Wilson's, each
    fold one trial.

    Args:
        distance: [N] lower is more alike.
        same: [N] booleans.
        folds: [N] the fold of each pair (number or text); or how many to make. Made with
            identities, each identity is in one fold alone, and a pair of two folds is left out of
            both (many different pairs are: take few folds); without, same and different pairs are
            dealt out evenly and folds may share what they show.
        left_identity: [N] an id of what each pair's left item shows. With given folds identities
            are not looked at.
        right_identity: [N] the same for the right items; give both or neither.
        split: the name of what is judged.
        seed: of the folds, where they are made.

    Raises:
        EvaluationError: the pairs allow no figures, a fold is empty or leaves none of one kind to
            the threshold of another, or arrays do not fit together.
        SettingsError: fewer than two folds.
    """
    measured, truth = check_pairs(distance, same)
    number, how = _folds(folds, truth, left_identity, right_identity, np.random.default_rng(seed))
    counts = np.bincount(number[number != LEFT_OUT])
    accuracies, thresholds = np.empty(len(counts)), np.empty(len(counts))
    for fold in range(len(counts)):
        tested = number == fold
        others = ~tested & (number != LEFT_OUT)
        thresholds[fold] = _threshold(measured[others], truth[others], fold)
        right = judged_right(measured[tested], truth[tested], float(thresholds[fold]))
        accuracies[fold] = right.mean()
    error = float(accuracies.std(ddof=1) / math.sqrt(len(counts)))
    mean = float(accuracies.mean())
    judged = int(counts.sum())
    return FoldAccuracy(
        accuracy=figure(
            f"accuracy by {len(counts)} folds",
            mean,
            students_t(accuracies, unit="folds", share=True),
            count=judged,
            unit="pairs",
            split=split,
            seed=seed,
        ),
        standard_error=error,
        folds=accuracies,
        thresholds=thresholds,
        counts=counts,
        left_out=len(truth) - judged,
        how=how,
    )


def _folds(
    folds: int | ArrayLike,
    same: Bool[NDArray[np.bool_], " pairs"],
    left: ArrayLike | None,
    right: ArrayLike | None,
    generator: np.random.Generator,
) -> tuple[Int[NDArray[np.int64], " pairs"], str]:
    """The fold of each pair, or LEFT_OUT, and in words where the folds came from."""
    wanted = folds
    if not isinstance(wanted, int):
        number = cluster_ids(wanted, len(same), what="folds")
        wanted, how = int(number.max()) + 1, "folds as given"
    elif left is None and right is None:
        number = np.empty(len(same), dtype=np.int64)
        for kind in (same, ~same):
            number[kind] = generator.permutation(int(kind.sum())) % max(wanted, 1)
        how = "folds of pairs dealt at random: they may share identities"
    else:
        names, first, second = identities_of(left, right, same)
        fold_of = generator.permutation(len(names)) % max(wanted, 1)
        number = np.where(fold_of[first] == fold_of[second], fold_of[first], LEFT_OUT)
        how = f"no identity is in two folds ({len(names):,} identities dealt at random)"
    if wanted < 2:
        raise SettingsError(f"there must be 2 or more folds; got {wanted}")
    empty = np.flatnonzero(np.bincount(number[number != LEFT_OUT], minlength=wanted) == 0)
    if len(empty):
        raise EvaluationError(
            f"{len(empty)} of {wanted} folds hold no pair of the {len(same)}; take fewer folds"
        )
    return number, how


def _threshold(
    distance: Float[NDArray[np.float64], " others"],
    same: Bool[NDArray[np.bool_], " others"],
    fold: int,
) -> float:
    try:
        return best_threshold(distance, same)
    except EvaluationError as error:
        raise EvaluationError(
            f"no threshold for fold {fold} can be chosen on the other folds: {error}"
        ) from error
