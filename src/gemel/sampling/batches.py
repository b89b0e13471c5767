"""What meets in a batch, and what `fit` needs to know of a sampler."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from gemel.items import Indices


@dataclass(frozen=True, eq=False)
class LabelBatch:
    """Items with their classes.

    Attributes:
        items: [B] indices of items; a class with few items may have one several times.
        labels: [B] the class of each, its place in `Items.classes`.
    """

    items: Indices
    labels: Indices


@dataclass(frozen=True, eq=False)
class PairBatch:
    """Pairs of items.

    Attributes:
        left: [B] indices of the left items.
        right: [B] indices of the right items.
        same: [B] True where both show the same thing.
    """

    left: Indices
    right: Indices
    same: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class TripletBatch:
    """Triplets of items.

    Attributes:
        anchor: [B] indices of items.
        positive: [B] for each anchor, another item of its class.
        negative: [B] for each anchor, an item of another class.
    """

    anchor: Indices
    positive: Indices
    negative: Indices


# What a stream of random numbers is drawn for; keeps the streams of one seed apart.
EPOCH, CLASS, STEP = range(3)

Batch = LabelBatch | PairBatch | TripletBatch


@runtime_checkable
class Sampler(Protocol):
    """What `fit` needs to know of a sampler."""

    @property
    def steps_per_epoch(self) -> int:
        """How many batches go through the data once."""
        ...

    def batch(self, step: int) -> Batch:
        """The batch of training step `step`, counted from 0 over all epochs."""
        ...
