"""`GraphPairs`: pairs from a graph of neighbours that is given, instead of from labels.

Source: Hadsell, Chopra, LeCun 2006, "Dimensionality reduction by learning an invariant mapping",
CVPR: which items are alike is an input of the method, by whatever knowledge there is.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int
from numpy.typing import ArrayLike, NDArray

from gemel.errors import DataError
from gemel.items import Indices, Items
from gemel.sampling.batches import EPOCH, STEP, PairBatch
from gemel.sampling.planning import Planned, check_halves, shuffled_to


class GraphPairs(Planned[tuple[Indices, Indices]]):
    """Pairs from a graph, half of them neighbours and half not in each batch, shuffled.

    Two items are alike, `same`, where either is a neighbour of the other; all other pairs of two
    items are different. Labels are not looked at. An epoch draws each pair of neighbours once, and
    as many of the other pairs, each as likely as any other.

    Args:
        items: what to draw from.
        neighbours: for each item the indices of its neighbours: an array [N, K], such as that of
            `gemel.neighbours.nearest_neighbours`, or N rows of any length. An item may be named
            twice, or name itself: that adds nothing.
        pairs: how many pairs are in a batch; an even number.
        seed: draws all batches.

    Raises:
        SettingsError: `pairs` is odd or below 2, or `seed` below 0.
        DataError: not one row for each item, an index that is no item's, no two items are
            neighbours, or all are.
    """

    def __init__(
        self,
        items: Items,
        neighbours: Sequence[ArrayLike] | NDArray[np.integer],
        *,
        pairs: int = 64,
        seed: int = 0,
    ) -> None:
        super().__init__(seed)
        check_halves(pairs)
        self.pairs = pairs
        self._edges = _edges(items, neighbours)
        self._others = len(items) * (len(items) - 1) // 2 - len(self._edges)
        if not len(self._edges) or not self._others:
            kind, remedy = ("all", "fewer") if len(self._edges) else ("no", "some")
            raise DataError(
                f"{kind} two items of {items.name} are neighbours, so nothing shows what is "
                f"{'different' if len(self._edges) else 'the same'}: give {remedy} neighbours"
            )
        # It stands in a checkpoint's settings, so that no run goes on with another graph.
        self.graph = hashlib.sha256(self._edges.tobytes()).hexdigest()[:8]

    @property
    def edges(self) -> Int[NDArray[np.int64], "edges 2"]:
        """Each pair of neighbours once, the smaller index first."""
        return np.stack(_ends(self._edges), axis=1)

    @property
    def steps_per_epoch(self) -> int:
        """How many batches draw every pair of neighbours."""
        return -(-len(self._edges) // (self.pairs // 2))

    def batch(self, step: int) -> PairBatch:
        """The batch of training step `step`.

        Raises:
            SettingsError: `step` is below 0.
        """
        (same, different), place = self._place(step)
        half = self.pairs // 2
        rows = slice(place * half, (place + 1) * half)
        generator = np.random.default_rng([self.seed, STEP, step])
        order = generator.permutation(self.pairs)
        low, high = _ends(np.concatenate([same[rows], different[rows]])[order])
        swap = generator.random(self.pairs) < 0.5  # neither side has the smaller indices
        return PairBatch(
            np.where(swap, high, low),
            np.where(swap, low, high),
            (np.arange(self.pairs) < half)[order],
        )

    def _plan(self, epoch: int) -> tuple[Indices, Indices]:
        generator = np.random.default_rng([self.seed, EPOCH, epoch])
        wanted = self.steps_per_epoch * (self.pairs // 2)
        same = self._edges[shuffled_to(len(self._edges), wanted, generator)]
        return same, _others(self._edges, generator.integers(0, self._others, wanted))


def _edges(items: Items, neighbours: Sequence[ArrayLike] | NDArray[np.integer]) -> Indices:
    """The numbers of all pairs of neighbours, ascending; see `_ends`."""
    if len(neighbours) != len(items):
        raise DataError(
            f"`neighbours` has {len(neighbours)} rows for the {len(items)} items of {items.name}: "
            "give one row of indices for each item"
        )
    rows = [np.asarray(row) for row in neighbours]
    for item, row in enumerate(rows):
        whole = row.ndim == 1 and (row.dtype.kind in "iu" or not row.size)
        if not whole or (row.size and not 0 <= row.min() <= row.max() < len(items)):
            raise DataError(
                f"row {item} of `neighbours` must hold indices from 0 to {len(items) - 1}, those "
                f"of the {len(items)} items of {items.name}; got {row.tolist()!r}"
            )
    left = np.repeat(np.arange(len(items)), [len(row) for row in rows])
    right = np.concatenate([*rows, left[:0]]).astype(np.int64)
    low, high = np.minimum(left, right), np.maximum(left, right)
    return np.unique((high * (high - 1) // 2 + low)[low < high])


def _ends(numbers: Indices) -> tuple[Indices, Indices]:
    """The two items of pairs, the smaller first, from the pairs' numbers.

    Pairs low < high are numbered (0, 1), (0, 2), (1, 2), (0, 3)...: high (high - 1) / 2 + low.
    """
    high = ((1 + np.sqrt(1 + 8 * numbers.astype(np.float64))) / 2).astype(np.int64)
    high -= high * (high - 1) // 2 > numbers  # where the root was rounded
    high += high * (high + 1) // 2 <= numbers
    return numbers - high * (high - 1) // 2, high


def _others(edges: Indices, ranks: Indices) -> Indices:
    """The numbers of the pairs that have these `ranks` among all that are no edges.

    Before edge number k (from 0) lie `edges[k] - k` other pairs, so a pair of that rank or a
    greater one comes after it.
    """
    return ranks + np.searchsorted(edges - np.arange(len(edges)), ranks, side="right")
