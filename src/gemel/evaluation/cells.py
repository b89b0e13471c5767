"""What a bootstrap of judged pairs draws: identities where they are known, otherwise pairs.

Pairs that always weigh the same in a draw are one cell.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from math import isqrt

import numpy as np
from jaxtyping import Bool, Int
from numpy.typing import ArrayLike, NDArray

from gemel.errors import EvaluationError
from gemel.evaluation.intervals import Interval, percentile_interval, resamples, wilson

Sames = Bool[NDArray[np.bool_], " pairs"]
Weights = Int[NDArray[np.int64], "some cells"]

_ELEMENTS_AT_ONCE = 2**21


@dataclass(frozen=True, eq=False)
class IdentityCells:
    """Who meets whom: pairs of the same two identities are one cell.

    A draw that holds identity a m_a times holds a pair of a and b m_a * m_b times, and a pair
    within a m_a times (the vertex bootstrap of Snijders and Borgatti 1999, "Non-parametric
    standard errors and tests for network statistics", Connections 22(2)).

    Attributes:
        identities: how many there are, in all pairs.
        fewest: how many there are in the kind of pair that has fewer.
        left: [C] for each cell, one identity, 0..identities-1.
        right: [C] the other.
        cell: [N] each pair's cell.
    """

    identities: int
    fewest: int
    left: Int[NDArray[np.int64], " cells"]
    right: Int[NDArray[np.int64], " cells"]
    cell: Int[NDArray[np.int64], " pairs"]
    unit: str = "identities"

    @property
    def count(self) -> int:
        """How many cells."""
        return len(self.left)

    def clusters_in(self, kind: Sames) -> int:
        """How many identities the pairs of `kind` [N] show."""
        held = np.unique(self.cell[kind])
        return len(np.unique(np.concatenate([self.left[held], self.right[held]])))

    def draws(self, draws: int, generator: np.random.Generator) -> Iterator[Weights]:
        """How often each cell's pairs occur in each of `draws` samples of identities, in parts.

        Raises:
            SettingsError: too few draws.
        """
        alone = self.left == self.right
        # A draw takes as much as it has cells, or bins, of which there are sqrt(N).
        rows = max(_ELEMENTS_AT_ONCE // max(self.count, isqrt(len(self.cell))), 1)
        for chunk in resamples(self.identities, draws=draws, generator=generator):
            for start in range(0, len(chunk), rows):
                times = chunk[start : start + rows]
                left, right = times[:, self.left], times[:, self.right]
                right[:, alone] = 1
                yield left * right


@dataclass(frozen=True, eq=False)
class PairCells:
    """Each pair a cell by itself; same and different pairs are drawn each by themselves.

    Attributes:
        same: [N] the kind of each pair.
        fewest: how many pairs there are of the kind that has fewer.
        cell: [N] 0..N-1.
    """

    same: Sames
    fewest: int
    cell: Int[NDArray[np.int64], " pairs"]
    unit: str = "pairs of each kind"

    @property
    def count(self) -> int:
        """How many cells."""
        return len(self.same)

    def clusters_in(self, kind: Sames) -> int:
        """How many pairs of `kind` [N] there are."""
        return int(kind.sum())

    def draws(self, draws: int, generator: np.random.Generator) -> Iterator[Weights]:
        """How often each pair occurs in each of `draws` samples of both kinds, in parts.

        Raises:
            SettingsError: too few draws.
        """
        kinds = [np.flatnonzero(self.same), np.flatnonzero(~self.same)]
        drawn = [
            chain.from_iterable(resamples(len(kind), draws=draws, generator=generator))
            for kind in kinds
        ]
        rows = max(_ELEMENTS_AT_ONCE // self.count, 1)
        for start in range(0, draws, rows):
            weights = np.empty((min(rows, draws - start), self.count), dtype=np.int64)
            for kind, times in zip(kinds, drawn, strict=True):
                weights[:, kind] = list(islice(times, len(weights)))
            yield weights


Cells = IdentityCells | PairCells


def cells_of(left: ArrayLike | None, right: ArrayLike | None, same: Sames) -> Cells:
    """The cells of pairs with `left` and `right` [N] identities, or without any.

    Raises:
        EvaluationError: identities of one side only, of another number of pairs, or such that
            contradict `same`.
    """
    if left is None and right is None:
        fewest = min(int(same.sum()), int((~same).sum()))
        return PairCells(same, fewest, np.arange(len(same)))
    names, first, second = identities_of(left, right, same)
    codes, cell = np.unique(first * len(names) + second, return_inverse=True)
    kinds = (np.concatenate([first[kind], second[kind]]) for kind in (same, ~same))
    return IdentityCells(
        identities=len(names),
        fewest=min(len(np.unique(kind)) for kind in kinds),
        left=codes // len(names),
        right=codes % len(names),
        cell=cell.astype(np.int64),
    )


def identities_of(
    left: ArrayLike | None, right: ArrayLike | None, same: Sames
) -> tuple[NDArray[np.generic], Int[NDArray[np.int64], " pairs"], Int[NDArray[np.int64], " pairs"]]:
    """The distinct identities, and for each pair the numbers of its two, the lower one first.

    Raises:
        EvaluationError: see `cells_of`.
    """
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
    return names, first, second


def over_draws(
    cells: Cells,
    measure: Callable[[Weights], NDArray[np.float64]],
    *,
    draws: int,
    seed: int,
) -> NDArray[np.float64]:
    """[draws, ...] what `measure` finds in each draw; it is given bounded parts of them.

    Raises:
        SettingsError: too few draws.
    """
    parts = cells.draws(draws, np.random.default_rng(seed))
    return np.concatenate([measure(weights) for weights in parts])


def interval_over(
    cells: Cells, drawn: NDArray[np.float64], value: float, *, share: bool = True
) -> Interval:
    """The interval of a figure from its values [draws] in the draws of `cells`.

    Args:
        cells: what was drawn.
        drawn: [draws] NaN where a draw had no figure.
        value: the figure itself.
        share: see `percentile_interval`.
    """
    return percentile_interval(
        drawn, value, clusters=cells.fewest, cluster_unit=cells.unit, share=share
    )


@dataclass(frozen=True, eq=False)
class Share:
    """A share of some pairs, such as those judged right, under any weights of the cells.

    Attributes:
        hits: [C] in each cell, how many of the pairs are.
        sizes: [kinds, C] in each cell, how many pairs of each kind could be.
        clusters: how many identities, or pairs, there are in the kind that has fewer.
    """

    hits: Int[NDArray[np.int64], " cells"]
    sizes: Int[NDArray[np.int64], "kinds cells"]
    clusters: int

    @classmethod
    def of(cls, cells: Cells, hit: Sames, *kinds: Sames) -> "Share":
        """The share of pairs that are `hit` [N], of all pairs of the `kinds`, masks [N]."""
        sizes = np.stack([np.bincount(cells.cell[kind], minlength=cells.count) for kind in kinds])
        counted = hit & np.any(kinds, axis=0)
        hits = np.bincount(cells.cell[counted], minlength=cells.count)
        return cls(hits, sizes, min(cells.clusters_in(kind) for kind in kinds))

    @property
    def value(self) -> float:
        """The share when each pair counts once."""
        return float(self.hits.sum() / self.sizes.sum())

    def read(self, weights: Weights) -> NDArray[np.float64]:
        """[some] the share in each draw; NaN where one of its kinds has no weight."""
        sizes = weights @ self.sizes.T  # [some, kinds]
        found = np.full(len(weights), np.nan)
        whole = (sizes > 0).all(axis=1)
        found[whole] = (weights @ self.hits)[whole] / sizes[whole].sum(axis=1)
        return found

    def interval(self, cells: Cells, *, draws: int, seed: int) -> Interval:
        """Over identities, or Wilson's, where each pair stands for itself.

        Raises:
            SettingsError: too few draws.
        """
        if isinstance(cells, PairCells):
            return wilson(float(self.hits.sum()), int(self.sizes.sum()))
        drawn = over_draws(cells, self.read, draws=draws, seed=seed)
        return percentile_interval(
            drawn, self.value, clusters=self.clusters, cluster_unit=cells.unit
        )
