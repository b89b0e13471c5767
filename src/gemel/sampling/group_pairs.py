"""`GroupPairs`: pairs inside groups, equally many of each group."""

import numpy as np

from gemel.errors import DataError, SettingsError
from gemel.items import Indices, Items, members_of_classes
from gemel.sampling.batches import PairBatch
from gemel.sampling.planning import Endless, check_halves


class GroupPairs(Endless):
    """Pairs of one group each, half of them same and half different, equally many of each group.

    A different pair shows two classes of one group, such as two characters of one alphabet, which
    are harder to tell apart than those of two. Every pair is drawn by its group, then by class,
    then by item, so that large groups and large classes count no more than small ones. As far as
    the batch is no multiple of the groups, chance says which have one pair more.

    Source: Koch, Zemel, Salakhutdinov 2015, section 3.1: "a uniform number of training examples
    per alphabet".

    Args:
        items: what to draw from; groups with fewer than two classes, or without a class of two
            items, are left out.
        pairs: how many pairs are in a batch; an even number.
        epoch: how many batches count as one epoch: pairs are drawn anew for ever.
        seed: draws all batches.

    Raises:
        SettingsError: `pairs` is odd or below 2, `epoch` below 1 or `seed` below 0, or the items
            have no groups.
        DataError: no group has two classes, one of them with two items.
    """

    def __init__(self, items: Items, *, pairs: int = 128, epoch: int = 100, seed: int = 0) -> None:
        check_halves(pairs)
        if items.groups is None:
            raise SettingsError(
                f"{items.name} has no groups to draw pairs within: take sampling.BalancedPairs"
            )
        self.pairs = pairs
        super().__init__(epoch, seed)
        classes = members_of_classes(items.class_ids)
        names = np.array(items.class_groups)
        grouped = [[classes[i] for i in np.flatnonzero(names == g)] for g in np.unique(names)]
        self._groups = [group for group in grouped if len(group) > 1 and max(map(len, group)) > 1]
        if not self._groups:
            raise DataError(
                f"no group of {items.name} has two classes, one of them with two items: pairs "
                "within groups need that"
            )

    def batch(self, step: int) -> PairBatch:
        """The batch of training step `step`.

        Raises:
            SettingsError: `step` is below 0.
        """
        generator = self._generator(step)
        half = self.pairs // 2
        places = np.concatenate([self._deal(half, generator) for _ in range(2)])
        drawn = np.array(
            [
                self._same(place, generator) if row < half else self._different(place, generator)
                for row, place in enumerate(places.tolist())
            ],
            dtype=np.int64,
        )
        order = generator.permutation(self.pairs)
        return PairBatch(drawn[order, 0], drawn[order, 1], (np.arange(self.pairs) < half)[order])

    def _deal(self, count: int, generator: np.random.Generator) -> Indices:
        """The groups of `count` pairs: each as often as the others, or once more."""
        return np.resize(generator.permutation(len(self._groups)), count)

    def _same(self, place: int, generator: np.random.Generator) -> Indices:
        able = [members for members in self._groups[place] if len(members) > 1]
        return generator.choice(able[generator.integers(len(able))], 2, replace=False)

    def _different(self, place: int, generator: np.random.Generator) -> Indices:
        group = self._groups[place]
        chosen = generator.choice(len(group), 2, replace=False)
        return np.array([generator.choice(group[one]) for one in chosen.tolist()])
