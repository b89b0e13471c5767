"""The figures of judged pairs in many bootstrap draws at once, exactly.

The sorted pairs are cut into bins. For all draws together, one sparse product per kind of pair
says how much weight each bin holds, hence in which bin a figure is read; only the pairs of that
bin are then weighed one by one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from gemel.evaluation.cells import Cells, Weights
from gemel.evaluation.curves import SortedPairs
from gemel.evaluation.readings import Reading

_MOST_CELLS = 256  # of same pairs: each costs one pass over all pairs, once


@dataclass(frozen=True, eq=False)
class _Kind:
    """The same pairs, or the different pairs.

    Attributes:
        cell: [P] the cell of each pair, by distance.
        within: [K + 1] how many of them lie within each cut.
        sums: sparse [bins, cells] how many pairs of each cell lie in each bin.
    """

    cell: Int[NDArray[np.int64], " pairs"]
    within: Int[NDArray[np.int64], " cuts"]
    sums: Any

    @classmethod
    def of(
        cls,
        cell: Int[NDArray[np.int64], " pairs"],
        within: Int[NDArray[np.int64], " cuts"],
        edges: Int[NDArray[np.int64], " edges"],
        cells: int,
    ) -> "_Kind":
        from scipy.sparse import csr_array

        bins = np.repeat(np.arange(len(edges) - 1), np.diff(within[edges]))
        ones = np.ones(len(cell), dtype=np.int64)
        return cls(cell, within, csr_array((ones, (bins, cell)), shape=(len(edges) - 1, cells)))

    def at_edges(self, weights: Weights) -> Int[NDArray[np.int64], "edges some"]:
        """The weight within each edge of the bins, in each draw."""
        sums = self.sums @ np.ascontiguousarray(weights.T)
        return np.concatenate([np.zeros((1, len(weights)), dtype=np.int64), sums.cumsum(axis=0)])

    def inside(
        self,
        weights: Weights,
        before: Int[NDArray[np.int64], " some"],
        low: Int[NDArray[np.int64], " some"],
        high: Int[NDArray[np.int64], " some"],
    ) -> Int[NDArray[np.int64], "some width"]:
        """The weight within each cut from `low` on, before `high`, each draw in a bin of its own.

        Rows are as long as the widest bin needs; shorter ones repeat their last cut. What lies
        between the last cut and `high` is not looked at: with ties it may be very much.
        """
        begin, end = self.within[low][:, None], self.within[high - 1][:, None]
        places = begin + np.arange((end - begin).max())
        cells = self.cell[np.minimum(places, len(self.cell) - 1)]
        running = np.zeros((len(weights), places.shape[1] + 1), dtype=np.int64)
        np.cumsum(
            np.take_along_axis(weights, cells, axis=1) * (places < end), axis=1, out=running[:, 1:]
        )
        cuts = np.minimum(low[:, None] + np.arange((high - low).max()), high[:, None] - 1)
        inside = np.take_along_axis(running, self.within[cuts] - begin, axis=1)
        return np.asarray(before[:, None] + inside)


@dataclass(frozen=True, eq=False)
class _Couples:
    """Who wins against whom, where the pairs have few cells: their area is then one product.

    Attributes:
        same: [A] the cells that hold same pairs.
        different: [B] the cells that hold different pairs.
        won: [A, B] over all couples of a same pair of one cell and a different pair of the
            other, 2 for each whose same pair is nearer and 1 for each tie.
        sizes: [A] and [B], how many pairs each of these cells holds.
    """

    same: Int[NDArray[np.int64], " A"]
    different: Int[NDArray[np.int64], " B"]
    won: Float[NDArray[np.float64], "A B"]
    sizes: tuple[Int[NDArray[np.int64], " A"], Int[NDArray[np.int64], " B"]]

    @classmethod
    def of(cls, pairs: SortedPairs, cells: Cells) -> "_Couples | None":
        """None where there are too many cells for this to pay."""
        same, same_at = np.unique(cells.cell[pairs.same_order], return_inverse=True)
        different, at = np.unique(cells.cell[pairs.different_order], return_inverse=True)
        if len(same) > _MOST_CELLS or len(same) * len(different) > len(cells.cell):
            return None
        won = np.empty((len(same), len(different)))
        for number in range(len(same)):
            nearest = np.append(0, np.cumsum(same_at == number))  # of the nearest 0, 1, 2... pairs
            wins = nearest[pairs.nearer] + nearest[pairs.as_near]
            won[number] = np.bincount(at, wins, minlength=len(different))
        return cls(same, different, won, (np.bincount(same_at), np.bincount(at)))

    def areas(self, weights: Weights) -> Float[NDArray[np.float64], " some"]:
        """The area under the ROC in each draw. All sums are whole numbers, so they are exact."""
        same = weights[:, self.same].astype(np.float64)
        different = weights[:, self.different].astype(np.float64)
        won = ((same @ self.won) * different).sum(axis=1)
        count = (same @ self.sizes[0]) * (different @ self.sizes[1])
        empty = np.full(len(weights), np.nan)
        return np.asarray(np.divide(won, 2 * count, out=empty, where=count > 0))


@dataclass(frozen=True, eq=False)
class WeighedPairs:
    """Judged pairs, ready to be judged again under any weights of their cells.

    Attributes:
        pairs: sorted.
        edges: [bins + 1] the cuts at which the bins begin and end.
        same: the same pairs.
        different: the different pairs.
        couples: a short way to the area, where the cells are few.
    """

    pairs: SortedPairs
    edges: Int[NDArray[np.int64], " edges"]
    same: _Kind
    different: _Kind
    couples: _Couples | None

    @classmethod
    def of(cls, pairs: SortedPairs, cells: Cells) -> "WeighedPairs":
        """From sorted pairs and their cells."""
        within = pairs.same_within + pairs.different_within
        bins = max(round(float(within[-1]) ** 0.5), 1)
        wanted = np.linspace(0, within[-1], bins + 1)
        edges = np.unique(np.searchsorted(within, wanted)).astype(np.int64)
        same, different = (
            _Kind.of(cells.cell[order], within, edges, cells.count)
            for order, within in (
                (pairs.same_order, pairs.same_within),
                (pairs.different_order, pairs.different_within),
            )
        )
        return cls(pairs, edges, same, different, _Couples.of(pairs, cells))

    def areas(self, weights: Weights) -> Float[NDArray[np.float64], " some"]:
        """The area under the ROC in each draw; NaN where a kind of pair has no weight."""
        if self.couples is not None:
            return self.couples.areas(weights)
        one_by_one = [
            self.pairs.auc(weight[self.same.cell], weight[self.different.cell])
            for weight in weights
        ]
        return np.array(one_by_one)

    def read(
        self, weights: Weights, readings: Sequence[Reading]
    ) -> Float[NDArray[np.float64], "some readings"]:
        """Each reading in each draw; NaN where a kind of pair has no weight."""
        found = np.full((len(weights), len(readings)), np.nan)
        at_edges = np.stack([kind.at_edges(weights) for kind in (self.same, self.different)])
        usable = (at_edges[:, -1] > 0).all(axis=0)
        if not usable.any():
            return found
        weights, at_edges = weights[usable], at_edges[:, :, usable]
        rates = at_edges / at_edges[:, -1:]
        for column, reading in enumerate(readings):
            bins = np.argmax(reading.passed(rates), axis=0) - 1
            beside = self._beside(reading, weights, at_edges, bins)
            found[usable, column] = reading.value(beside)
        return found

    def _beside(
        self,
        reading: Reading,
        weights: Weights,
        at_edges: Int[NDArray[np.int64], "2 edges some"],
        bins: Int[NDArray[np.int64], " some"],
    ) -> Float[NDArray[np.float64], "2 some 2"]:
        """Both accept rates at the cuts before and after the reading, which is in `bins`."""
        low, high = self.edges[bins], self.edges[bins + 1]
        draws = np.arange(len(bins))
        rates = []
        for kind, edges in zip((self.same, self.different), at_edges, strict=True):
            within = kind.inside(weights, edges[bins, draws], low, high)
            within = np.column_stack([within, edges[bins + 1, draws]])
            rates.append(within / edges[-1][:, None])
        both = np.stack(rates)
        after = np.argmax(reading.passed(both), axis=1)
        return np.take_along_axis(both, np.stack([after - 1, after], axis=1)[None], axis=2)
