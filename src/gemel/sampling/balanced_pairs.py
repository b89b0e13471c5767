"""`BalancedPairs`: half same and half different."""

import numpy as np

from gemel.checks import check_both_kinds
from gemel.items import Indices, Items, Pairs
from gemel.sampling.batches import EPOCH, STEP, PairBatch
from gemel.sampling.planning import (
    Planned,
    check_halves,
    class_members,
    keep_classes_apart,
    shuffled_to,
    take_around,
)


class BalancedPairs(Planned[tuple[Indices, Indices, Indices, Indices]]):
    """Pairs, half of them same and half different in each batch, shuffled.

    From `Items`, an epoch pairs each item once with another of its class and once with one of
    another class (where a class has an odd count, or half of all items, a few come up once more).
    From `Pairs`, an epoch draws every row, and those of the rarer kind several times.

    Args:
        data: items, or a table of pairs; a batch's indices point into its `values`.
        pairs: how many pairs are in a batch; an even number.
        lone_classes: keep classes of one item; they are in different pairs only. Otherwise they
            are refused.
        seed: draws all batches.

    Raises:
        SettingsError: `pairs` is odd or below 2, or `seed` below 0.
        BadItemsError: a class has one item, unless `lone_classes`; all such classes are named.
        DataError: fewer than two classes, none with two items, or a table without pairs of one
            kind.
    """

    def __init__(
        self, data: Items | Pairs, *, pairs: int = 64, lone_classes: bool = False, seed: int = 0
    ) -> None:
        super().__init__(seed)
        check_halves(pairs)
        self.pairs = pairs
        self._data = data
        if isinstance(data, Items):
            self._members = class_members(data, lone_classes=lone_classes)
            same = sum(-(-len(m) // 2) for m in self._members if len(m) > 1)
            different = -(-len(data) // 2)
        else:
            check_both_kinds(data)
            same = int(data.same.sum())
            different = len(data) - same
        self._steps = -(-max(same, different) // (pairs // 2))

    @property
    def steps_per_epoch(self) -> int:
        """How many batches draw every item, or every row, at least once."""
        return self._steps

    def batch(self, step: int) -> PairBatch:
        """The batch of training step `step`.

        Raises:
            SettingsError: `step` is below 0.
        """
        (same_left, same_right, left, right), place = self._place(step)
        half = self.pairs // 2
        rows = slice(place * half, (place + 1) * half)
        order = np.random.default_rng([self.seed, STEP, step]).permutation(self.pairs)
        return PairBatch(
            np.concatenate([same_left[rows], left[rows]])[order],
            np.concatenate([same_right[rows], right[rows]])[order],
            (np.arange(self.pairs) < half)[order],
        )

    def _plan(self, epoch: int) -> tuple[Indices, Indices, Indices, Indices]:
        generator = np.random.default_rng([self.seed, EPOCH, epoch])
        if isinstance(self._data, Items):
            same, different = self._pair_items(self._data.class_ids, generator)
        else:
            of_kind = (np.flatnonzero(self._data.same), np.flatnonzero(~self._data.same))
            same, different = ((self._data.left[r], self._data.right[r]) for r in of_kind)
        wanted = self._steps * (self.pairs // 2)
        same_rows = shuffled_to(len(same[0]), wanted, generator)
        rows = shuffled_to(len(different[0]), wanted, generator)
        return same[0][same_rows], same[1][same_rows], different[0][rows], different[1][rows]

    def _pair_items(
        self, class_ids: Indices, generator: np.random.Generator
    ) -> tuple[tuple[Indices, Indices], tuple[Indices, Indices]]:
        """Each item in one pair with its class, and in one with another class."""
        lefts, rights = [], []
        for members in self._members:
            if len(members) > 1:
                shuffled = generator.permutation(members)
                half = -(-len(members) // 2)
                lefts.append(shuffled[:half])
                rights.append(take_around(shuffled, half, half))
        shuffled = generator.permutation(len(class_ids))
        half = -(-len(class_ids) // 2)
        left, right = shuffled[:half], take_around(shuffled, half, half)
        different = (left, keep_classes_apart(left, right, class_ids, generator))
        return (np.concatenate(lefts), np.concatenate(rights)), different
