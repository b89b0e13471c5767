"""Judging one-shot trials: from distances to credit, and from credit to a figure.

The credit of a trial is 1 for right, 0 for wrong and 1/n for a tie of n: what guessing among them
earns. Distances are lower for what is more alike.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike, NDArray

from gemel.errors import EvaluationError
from gemel.evaluation.episodes import Episodes
from gemel.evaluation.intervals import Figure, bootstrap, figure, wilson

Indices = NDArray[np.int64]
Distance = Callable[[Any, Any], NDArray[np.floating[Any]]]
"""From two equally long batches, [M] indices or [M, D] embeddings, to distances [M]."""
Compare = Callable[[Indices, Indices], NDArray[np.floating[Any]]]
"""From queries [T] and supports [T, ways, shots], both indices, to distances [T, ways]."""

_INDICES_AT_ONCE = 2**18


@dataclass(frozen=True, eq=False)
class FixedTrials:
    """Judged trials of published runs.

    Attributes:
        credit: [T] 1 for right, 0 for wrong, 1/n for a tie of n.
        run: [T] the number of each trial's run. Trials of a run share its references: give this
            to `accuracy` as clusters.
    """

    credit: Float[NDArray[np.float64], " trials"]
    run: Int[NDArray[np.int64], " trials"]


def score_trials(distances: ArrayLike, answer: ArrayLike) -> Float[NDArray[np.float64], " trials"]:
    """The credit [T] of trials from `distances` [T, ways] and the right way's number [T].

    1 where the right way alone is nearest, 1/n where it ties with n - 1 others for the nearest
    (what guessing among them earns), else 0. A trial with a NaN among its distances is wrong.

    Raises:
        EvaluationError: the shapes do not fit, or an answer is no way's number.
    """
    given, right = np.asarray(distances), np.asarray(answer)
    if given.ndim != 2 or right.shape != given.shape[:1] or right.dtype.kind not in "iu":
        raise EvaluationError(
            "expected distances [T, ways] and whole numbers [T] as answers; "
            f"got shapes {given.shape} and {right.shape} of {right.dtype}"
        )
    outside = np.flatnonzero((right < 0) | (right >= given.shape[1]))
    if len(outside):
        raise EvaluationError(
            f"the answer of trial {outside[0]} is {right[outside[0]]}; "
            f"with {given.shape[1]} ways it must lie between 0 and {given.shape[1] - 1}"
        )
    nearest = given == given.min(axis=1, keepdims=True)  # nowhere, if one is NaN
    hit = nearest[np.arange(len(given)), right]
    credit: NDArray[np.float64] = hit / np.maximum(nearest.sum(axis=1), 1)
    return credit


def one_shot_credit(episodes: Episodes, compare: Compare) -> Float[NDArray[np.float64], " trials"]:
    """The credit [T] of each trial, from `score_trials`.

    Args:
        episodes: the trials.
        compare: how a query meets its ways: `nearest_support(...)`, `prototypes(...)`, or any
            function from queries [T] and supports [T, ways, shots] to distances [T, ways]. It is
            called with bounded parts of the trials.

    Raises:
        EvaluationError: `compare` returns another shape.
    """
    trials, ways, shots = episodes.support.shape
    step = max(_INDICES_AT_ONCE // (ways * shots), 1)
    credit = np.empty(trials)
    for start in range(0, trials, step):
        part = slice(start, start + step)
        distances = np.asarray(compare(episodes.query[part], episodes.support[part]))
        expected = episodes.support[part].shape[:2]
        if distances.shape != expected:
            raise EvaluationError(
                f"the comparison returned shape {distances.shape}; these trials need {expected}"
            )
        credit[part] = score_trials(distances, episodes.answer[part])
    return credit


def nearest_support(distance: Distance | NDArray[Any]) -> Compare:
    """Compare with the nearest of a way's shots.

    Args:
        distance: a function of query indices [M] and support indices [M] to distances [M], or
            all distances [N, N], the query's row by the support's column.

    Returns:
        A comparison for `one_shot_credit`.
    """
    measure = distance if callable(distance) else _looked_up(distance)

    def compare(query: Indices, support: Indices) -> NDArray[np.floating[Any]]:
        asked = np.broadcast_to(query[:, None, None], support.shape)
        distances = _measured(measure, asked.ravel(), support.ravel())
        nearest: NDArray[np.floating[Any]] = distances.reshape(support.shape).min(axis=-1)
        return nearest  # [T, ways]

    return compare


def prototypes(
    embeddings: Float[NDArray[Any], "items dim"],
    distance: Distance,
    *,
    queries: Float[NDArray[Any], "items dim"] | None = None,
) -> Compare:
    """Compare with the mean of a way's shots.

    Source: Snell, Swersky, Zemel 2017, "Prototypical networks for few-shot learning".

    Args:
        embeddings: [N, D] of all items.
        distance: a function of embeddings [M, D] and [M, D] to distances [M].
        queries: [N, D] of all items as queries, where they are embedded in another way.

    Returns:
        A comparison for `one_shot_credit`.
    """
    asking = embeddings if queries is None else queries

    def compare(query: Indices, support: Indices) -> NDArray[np.floating[Any]]:
        means = embeddings[support].mean(axis=2)  # [T, ways, D]
        asked = np.repeat(asking[query], support.shape[1], axis=0)  # [T * ways, D]
        distances = _measured(distance, asked, means.reshape(asked.shape))
        return distances.reshape(support.shape[:2])

    return compare


def fixed_trials(distances: Sequence[ArrayLike], answers: Sequence[ArrayLike]) -> FixedTrials:
    """Judge published runs, such as Lake's 20 of 20 trials each.

    Args:
        distances: for each run [queries, references].
        answers: for each run [queries] the number of the right reference.

    Raises:
        EvaluationError: no run, or as many answers as runs are missing; else see `score_trials`.
    """
    if not len(distances) or len(distances) != len(answers):
        raise EvaluationError(
            f"expected distances and answers of each run; got {len(distances)} and {len(answers)}"
        )
    credits_ = [score_trials(*run) for run in zip(distances, answers, strict=True)]
    sizes = [len(credit) for credit in credits_]
    return FixedTrials(np.concatenate(credits_), np.repeat(np.arange(len(sizes)), sizes))


def accuracy(
    credit: ArrayLike,
    *,
    name: str = "accuracy",
    clusters: ArrayLike | None = None,
    cluster_unit: str = "clusters",
    unit: str = "trials",
    split: str,
    seed: int,
    draws: int = 1000,
) -> Figure:
    """The mean credit, with its 95 % interval.

    Args:
        credit: [T] of each trial, 0 to 1.
        name: of the figure, such as "20-way 1-shot accuracy".
        clusters: [T] ids of what trials share (alphabet, run, support set): the interval is then
            a bootstrap over them. None: the trials are independent; Wilson's interval if each
            was right or wrong, a bootstrap over trials if some credits are shares of ties.
        cluster_unit: what a cluster is, in the plural.
        unit: what a trial is, in the plural.
        split: the name of what was judged.
        seed: of the bootstrap; give the seed of the trials.
        draws: how many bootstrap resamples.

    Raises:
        EvaluationError: no trials, credits outside [0, 1], or another number of clusters.
        SettingsError: too few draws.
    """
    given = np.asarray(credit, dtype=np.float64)
    if given.ndim != 1 or not len(given) or not ((given >= 0) & (given <= 1)).all():
        raise EvaluationError(
            f"credits must be one or more numbers [T] between 0 and 1; got shape {given.shape}"
            + (f" from {given.min()} to {given.max()}" if given.size else "")
        )
    if clusters is None and np.isin(given, (0, 1)).all():
        interval = wilson(float(given.sum()), len(given))
    else:
        interval = bootstrap(
            given,
            clusters=clusters,
            cluster_unit=unit if clusters is None else cluster_unit,
            draws=draws,
            seed=seed,
        )
    mean = float(given.mean())
    return figure(name, mean, interval, count=len(given), unit=unit, split=split, seed=seed)


def _looked_up(matrix: NDArray[Any]) -> Distance:
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise EvaluationError(
            f"expected all distances [N, N] or a function of indices; got shape {matrix.shape}"
        )

    def measure(query: Indices, support: Indices) -> NDArray[np.floating[Any]]:
        largest = max(int(query.max()), int(support.max()))
        if largest >= len(matrix):
            raise EvaluationError(
                f"the trials point at item {largest}; the distances are of {len(matrix)} items. "
                "Both must be of the same items in the same order"
            )
        return np.asarray(matrix[query, support])

    return measure


def _measured(distance: Distance, left: Any, right: Any) -> NDArray[np.floating[Any]]:
    found = np.asarray(distance(left, right))
    if found.shape != (len(left),):
        raise EvaluationError(
            f"the distance function returned shape {found.shape} for {len(left)} pairs; "
            f"expected ({len(left)},)"
        )
    return found
