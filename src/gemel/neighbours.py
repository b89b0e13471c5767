"""Who is nearest to whom, by the numbers of the items themselves."""

import numpy as np
from jaxtyping import Int
from numpy.typing import ArrayLike, NDArray

from gemel.errors import DataError, SettingsError
from gemel.items import Indices

_DISTANCES_AT_ONCE = 2**22


def nearest_neighbours(values: ArrayLike, count: int) -> Int[NDArray[np.int64], "items {count}"]:
    """For each of `values` [N, ...] the `count` others nearest to it, the nearest first.

    Distances are Euclidean over all numbers of a value, computed in float64 a few rows at a time;
    between whole numbers, such as pixels, they are exact. Of equally near ones the first are taken.

    Raises:
        SettingsError: `count` is below 1.
        DataError: there are no `count` others, or a number is not finite.
    """
    if count < 1:
        raise SettingsError(f"`count` must be 1 or more; got {count}")
    given = np.asarray(values, dtype=np.float64)
    rows = given.reshape(len(given), -1)
    if len(rows) <= count:
        raise DataError(
            f"{len(rows)} items have at most {len(rows) - 1} neighbours each; got count={count}: "
            "ask for fewer, or give more items"
        )
    if not np.isfinite(rows).all():
        item = int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])
        raise DataError(f"item {item} has numbers that are not finite, so nothing is near to it")
    rows = rows[:, rows.min(axis=0) < rows.max(axis=0)]  # where all are alike, nothing differs
    squares = (rows * rows).sum(axis=1)
    found = np.empty((len(rows), count), dtype=np.int64)
    step = max(_DISTANCES_AT_ONCE // len(rows), 1)
    for start in range(0, len(rows), step):
        block = slice(start, min(start + step, len(rows)))
        distance = rows[block] @ rows.T
        distance *= -2
        distance += squares  # less the row's own square, which orders nothing
        distance[np.arange(len(distance)), np.arange(block.start, block.stop)] = np.inf
        found[block] = _smallest(distance, count)
    return found


def _smallest(distance: NDArray[np.float64], count: int) -> Indices:
    """The columns of the `count` smallest of each row, in order; of ties the first."""
    limit = np.partition(distance, count - 1, axis=1)[:, count - 1 : count]
    rows, columns = np.nonzero(distance <= limit)
    order = np.lexsort((columns, distance[rows, columns], rows))
    first = np.searchsorted(rows, np.arange(len(distance)))
    nearest: Indices = columns[order][first[:, None] + np.arange(count)]
    return nearest
