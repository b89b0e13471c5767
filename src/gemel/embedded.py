"""The items of a data set as a model sees them, each embedded once, and distances among them."""

import numpy as np
import torch
from numpy.typing import NDArray

from gemel.evaluation import Compare, nearest_support, prototypes
from gemel.inputs import AnyPrepared
from gemel.items import SIDES, Indices, Side
from gemel.model import Siamese

AT_ONCE = 65_536  # pairs of embeddings measured at a time
JOINT_AT_ONCE = 1024  # pairs of items


class Embedded:
    """What a model makes of items, and the distances among them, by the items' numbers.

    Where a model has an encoder for each side, a distance is from an item on the left to one on
    the right; queries stand on the left and references on the right. A joint comparer runs its
    network for every pair that is asked for.

    Args:
        model: the model.
        prepared: N items that its input has read.
    """

    def __init__(self, model: Siamese, prepared: AnyPrepared) -> None:
        self.model = model
        self.prepared = prepared
        sides = () if model.is_joint else SIDES if model.is_sided else SIDES[:1]
        self._vectors: dict[Side, NDArray[np.float32]] = {
            side: model.embed_prepared(prepared.of(side), side).numpy() for side in sides
        }

    def vectors(self, side: Side = "left") -> NDArray[np.float32]:
        """[N, D] the embeddings of the items as `side` items; not of a joint comparer."""
        return self._vectors.get(side, self._vectors["left"])

    def distances(self, left: Indices, right: Indices) -> NDArray[np.float32]:
        """[M] from each item of `left` [M] to the item of `right` [M] in the same place."""
        if self.model.metric.slow:
            count = len(self.prepared)
            once, place = np.unique(left * count + right, return_inverse=True)
            if len(once) < len(left):
                return self.distances(once // count, once % count)[place]
        places = self.prepared.rows("left", left), self.prepared.rows("right", right)
        joint = self.model.is_joint
        measure, step = (self._joint, JOINT_AT_ONCE) if joint else (self._measured, AT_ONCE)
        parts = [
            measure(places[0][i : i + step], places[1][i : i + step])
            for i in range(0, len(left), step)
        ]
        return np.concatenate([np.empty(0, np.float32), *parts])

    def to_all(self, queries: Indices) -> NDArray[np.float32]:
        """[Q, N] from each item of `queries` [Q] to every item."""
        return self.to_some(queries, np.arange(len(self.prepared)))

    def to_some(self, queries: Indices, references: Indices) -> NDArray[np.float32]:
        """[Q, R] from each item of `queries` [Q] to each of `references` [R]."""
        if self.model.is_joint:
            pairs = np.repeat(queries, len(references)), np.tile(references, len(queries))
            return self.distances(*pairs).reshape(len(queries), len(references))
        found = self.model.distances(
            torch.from_numpy(self.vectors("left")[self.prepared.rows("left", queries)]),
            torch.from_numpy(self.vectors("right")[self.prepared.rows("right", references)]),
        )
        return np.asarray(found.numpy(), dtype=np.float32)

    def comparison(self, shots: int) -> Compare:
        """How a query meets its ways: the nearest reference, or the nearest mean of several.

        Of a joint comparer, which has nothing to take the mean of, always the nearest.
        """
        if shots == 1 or self.model.is_joint:
            return nearest_support(self.distances)
        with self.model.evaluating():
            left, right = (
                self.model.metric.normalise(torch.from_numpy(self.vectors(side))).numpy()
                for side in SIDES
            )
        return prototypes(right, self._between, queries=left)

    def _measured(self, left: Indices, right: Indices) -> NDArray[np.float32]:
        return self._between(self.vectors("left")[left], self.vectors("right")[right])

    def _between(self, u: NDArray[np.float32], v: NDArray[np.float32]) -> NDArray[np.float32]:
        model = self.model
        with model.evaluating():
            found = model.metric(*(torch.from_numpy(x).to(model.device) for x in (u, v)))
        return np.asarray(found.cpu().numpy(), dtype=np.float32)

    def _joint(self, left: Indices, right: Indices) -> NDArray[np.float32]:
        prepared = self.prepared
        sides = prepared.of("left").take(left), prepared.of("right").take(right)
        return self.model.pair_distances(*sides).numpy()
