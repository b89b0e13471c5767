"""`Triplets`: an anchor, a positive of its class, a negative of another."""

import numpy as np

from gemel.items import Indices, Items
from gemel.sampling.batches import EPOCH, TripletBatch
from gemel.sampling.planning import (
    Planned,
    check_at_least,
    class_members,
    keep_classes_apart,
    shuffled_to,
)


class Triplets(Planned[tuple[Indices, Indices, Indices]]):
    """Triplets: an anchor, a positive of its class, a negative of another class.

    In an epoch every item is an anchor (but those of lone classes), as often a positive, and every
    item a negative once, as far as the sizes of the classes allow.

    Args:
        items: what to draw from.
        triplets: how many are in a batch.
        lone_classes: keep classes of one item; they are negatives only. Otherwise they are
            refused.
        seed: draws all batches.

    Raises:
        SettingsError: `triplets` is below 1, or `seed` below 0.
        BadItemsError: a class has one item, unless `lone_classes`; all such classes are named.
        DataError: fewer than two classes, or none with two items.
    """

    def __init__(
        self, items: Items, *, triplets: int = 64, lone_classes: bool = False, seed: int = 0
    ) -> None:
        super().__init__(seed)
        check_at_least("triplets", triplets, 1)
        self.triplets = triplets
        self._members = class_members(items, lone_classes=lone_classes)
        self._class_ids = items.class_ids

    @property
    def steps_per_epoch(self) -> int:
        """How many batches draw every item at least once."""
        return -(-len(self._class_ids) // self.triplets)

    def batch(self, step: int) -> TripletBatch:
        """The batch of training step `step`.

        Raises:
            SettingsError: `step` is below 0.
        """
        (anchor, positive, negative), place = self._place(step)
        rows = slice(place * self.triplets, (place + 1) * self.triplets)
        return TripletBatch(anchor[rows], positive[rows], negative[rows])

    def _plan(self, epoch: int) -> tuple[Indices, Indices, Indices]:
        generator = np.random.default_rng([self.seed, EPOCH, epoch])
        shuffled = [generator.permutation(m) for m in self._members if len(m) > 1]
        anchors = np.concatenate(shuffled)
        positives = np.concatenate([np.roll(members, 1) for members in shuffled])
        wanted = self.steps_per_epoch * self.triplets
        rows = shuffled_to(len(anchors), wanted, generator)
        negatives = shuffled_to(len(self._class_ids), wanted, generator)
        anchors, positives = anchors[rows], positives[rows]
        negatives = keep_classes_apart(anchors, negatives, self._class_ids, generator)
        return anchors, positives, negatives
