"""Classification by the votes of the k nearest items (Cover and Hart 1967).

Distances of binary codes tie by the hundred. Those that tie for the last places share what places
are left: with m nearer ones each of the n that tie has (k - m) / n of a vote. So the outcome hangs
on no order. Classes with equally many votes share the credit.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike, NDArray

from gemel.errors import EvaluationError, SettingsError

Rows = Callable[[NDArray[np.int64]], NDArray[Any]]
"""From the numbers of some queries [Q] to their distances to all references [Q, N]."""
AT_ONCE = 2**24  # distances
LEAST = 1e-9  # votes by which a class leads


def vote_credit(
    distances: Rows,
    answers: ArrayLike,
    labels: ArrayLike,
    *,
    most: Sequence[int],
) -> Float[NDArray[np.float64], "queries ks"]:
    """How right each query's vote is: 1 for the right class, 1/n where it ties with n - 1 others.

    Args:
        distances: of queries to references; lower is nearer.
        answers: [Q] the class of each query, a whole number of 0 or more.
        labels: [N] the class of each reference.
        most: the k, each at most N.

    Returns:
        [Q, len(most)] credits.

    Raises:
        SettingsError: a k is below 1, or above N.
        EvaluationError: classes are no whole numbers of 0 or more, or a distance is NaN.
    """
    right, known = _classes("answers", answers), _classes("labels", labels)
    if not len(most) or min(most) < 1 or max(most) > len(known):
        raise SettingsError(
            f"each k must lie between 1 and the {len(known):,} references; got {tuple(most)}"
        )
    count = int(max(right.max(initial=0), known.max(initial=0))) + 1
    credit = np.empty((len(right), len(most)))
    step = max(1, AT_ONCE // len(known))
    for start in range(0, len(right), step):
        queries = np.arange(start, min(start + step, len(right)))
        found = distances(queries)
        if found.shape != (len(queries), len(known)):
            raise EvaluationError(
                f"expected distances [{len(queries)}, {len(known)}], of queries to references; got "
                f"{list(found.shape)}"
            )
        for query, row in zip(queries, found, strict=True):
            votes = _votes(row, known, count, most)  # [ks, classes]
            leading = votes >= votes.max(axis=1, keepdims=True) - LEAST
            credit[query] = leading[:, right[query]] / leading.sum(axis=1)
    return credit


def _votes(
    distance: NDArray[Any], labels: Int[NDArray[np.int64], " N"], classes: int, most: Sequence[int]
) -> Float[NDArray[np.float64], "ks classes"]:
    """The votes of the k nearest for each class, for each k."""
    last = np.partition(distance, max(most) - 1)[max(most) - 1]
    if np.isnan(distance).any():
        raise EvaluationError("a distance is NaN; expected numbers, lower for what is nearer")
    near = np.flatnonzero(distance <= last)
    _, shell = np.unique(distance[near], return_inverse=True)
    shells = int(shell.max()) + 1
    tally = np.bincount(shell * classes + labels[near], minlength=shells * classes)
    tally = tally.reshape(shells, classes)
    sizes = tally.sum(axis=1)
    within = np.cumsum(sizes)
    nearer = np.cumsum(tally, axis=0) - tally
    votes = np.empty((len(most), classes))
    for place, k in enumerate(most):
        at = int(np.searchsorted(within, k))
        left = k - (within[at] - sizes[at])
        votes[place] = nearer[at] + left / sizes[at] * tally[at]
    return votes


def _classes(name: str, given: ArrayLike) -> Int[NDArray[np.int64], " items"]:
    found = np.asarray(given)
    if found.ndim != 1 or found.dtype.kind not in "iu" or (len(found) and found.min() < 0):
        raise EvaluationError(
            f"`{name}` must be whole numbers of 0 or more, one an item; got {found.dtype} of shape "
            f"{found.shape}"
        )
    return found.astype(np.int64)
