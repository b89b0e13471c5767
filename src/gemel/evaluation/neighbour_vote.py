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
from scipy.sparse import csr_array

from gemel.errors import EvaluationError, SettingsError

Rows = Callable[[NDArray[np.int64]], NDArray[Any]]
"""From the numbers of some queries [Q] to their distances to all references [Q, N]."""
Counts = Any  # scipy.sparse.csr_array, which has no types
"""[references, classes] how many items of each class a reference stands for; most are 0."""
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
        labels: [N] the class of each reference; or, where a reference stands for several items at
            one place, such as those of one code, [N, C] how many it has of each class.
        most: the k, each at most the number of items.

    Returns:
        [Q, len(most)] credits.

    Raises:
        SettingsError: a k is below 1, or above the number of items.
        EvaluationError: classes are no whole numbers of 0 or more, a reference stands for no item,
            or a distance is NaN.
    """
    right = _classes("answers", answers)
    counts = _counts(labels, int(right.max(initial=0)) + 1)
    items = int(counts.sum())
    if not len(most) or min(most) < 1 or max(most) > items:
        raise SettingsError(
            f"each k must lie between 1 and the {items:,} references; got {tuple(most)}"
        )
    credit = np.empty((len(right), len(most)))
    step = max(1, AT_ONCE // counts.shape[0])
    for start in range(0, len(right), step):
        queries = np.arange(start, min(start + step, len(right)))
        found = distances(queries)
        if found.shape != (len(queries), counts.shape[0]):
            raise EvaluationError(
                f"expected distances [{len(queries)}, {counts.shape[0]}], of queries to "
                f"references; got {list(found.shape)}"
            )
        for query, row in zip(queries, found, strict=True):
            votes = _votes(row, counts, most)  # [ks, classes]
            leading = votes >= votes.max(axis=1, keepdims=True) - LEAST
            credit[query] = leading[:, right[query]] / leading.sum(axis=1)
    return credit


def _votes(
    distance: NDArray[Any], counts: Counts, most: Sequence[int]
) -> Float[NDArray[np.float64], "ks classes"]:
    """The votes of the k nearest for each class, for each k."""
    # Each reference stands for one item or more, so the k nearest items are no farther than this.
    enough = min(max(most), len(distance)) - 1
    last = np.partition(distance, enough)[enough]
    if np.isnan(distance).any():
        raise EvaluationError("a distance is NaN; expected numbers, lower for what is nearer")
    near = np.flatnonzero(distance <= last)
    near = near[np.argsort(distance[near])]
    ordered = distance[near]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))  # of the shells
    tally = np.add.reduceat(counts[near].toarray(), starts, axis=0)  # [shells, classes]
    sizes = tally.sum(axis=1)
    within = np.cumsum(sizes)
    nearer = np.cumsum(tally, axis=0) - tally
    votes = np.empty((len(most), counts.shape[1]))
    for place, k in enumerate(most):
        at = int(np.searchsorted(within, k))
        left = k - (within[at] - sizes[at])
        votes[place] = nearer[at] + left / sizes[at] * tally[at]
    return votes


def _counts(labels: ArrayLike, least: int) -> Counts:
    """How many items of each class each reference stands for, of `least` classes or more."""
    given = np.asarray(labels)
    if given.ndim != 2:
        known = _classes("labels", given)
        classes = max(least, int(known.max(initial=0)) + 1)
        ones = np.ones(len(known), dtype=np.int64)
        return csr_array((ones, (np.arange(len(known)), known)), shape=(len(known), classes))
    if given.dtype.kind not in "iu" or (given < 0).any() or not given.any(axis=1).all():
        raise EvaluationError(
            "the counts in `labels` must be whole numbers of 0 or more, some above 0 in each row; "
            f"got {given.dtype} of shape {given.shape}"
        )
    wide = np.pad(given.astype(np.int64), ((0, 0), (0, max(0, least - given.shape[1]))))
    return csr_array(wide)


def _classes(name: str, given: ArrayLike) -> Int[NDArray[np.int64], " items"]:
    found = np.asarray(given)
    if found.ndim != 1 or found.dtype.kind not in "iu" or (len(found) and found.min() < 0):
        raise EvaluationError(
            f"`{name}` must be whole numbers of 0 or more, one an item; got {found.dtype} of shape "
            f"{found.shape}"
        )
    return found.astype(np.int64)
