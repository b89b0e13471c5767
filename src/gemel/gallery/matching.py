"""From an item to the nearest enrolled identities, with the distances of `model.compare`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch

from gemel import metrics
from gemel.errors import GalleryError
from gemel.gallery import originals
from gemel.gallery.index import ExactIndex, Index, Near, make_index
from gemel.gallery.store import Kept, State, Store
from gemel.inputs import Prepared, input_of, joined, prepare
from gemel.items import Indices, Side
from gemel.model import Siamese

FIRST = 64  # references that a search asks for at first
ROW_BY_ROW = {
    metrics.Cosine,
    metrics.Euclidean,
    metrics.Hamming,
    metrics.Manhattan,
    metrics.SquaredEuclidean,
}
"""Metrics that give a pair the same bits alone and among others, on the CPU."""
ONE_BY_ONE = 1000
"""The most references that a joint comparer is asked about, one by one."""


@dataclass(frozen=True)
class Match:
    """A reference, and the distance of an item from it."""

    reference: int
    identity: str
    distance: float


@dataclass(frozen=True)
class Query:
    """An item to ask about, read and embedded.

    Attributes:
        item: the one item, as the input of the left side has read it.
        embedding: [1, D]; D is 0 of a joint comparer.
    """

    item: Prepared
    embedding: torch.Tensor


def read_query(model: Siamese, item: Any, side: Side = "left") -> Prepared:
    """A raw item as the input of a side reads it; what is asked about stands on the left.

    Raises:
        BadItemsError: it cannot be read.
    """
    return prepare(input_of(model.input, side), [item], None, name="what was asked about")


def queries(model: Siamese, items: Sequence[Prepared]) -> list[Query]:
    """Of items, each read alone, the queries: one batch for the network.

    Raises:
        GalleryError: an embedding is not finite.
    """
    if model.is_joint or not items:
        return [Query(item, torch.empty(1, 0)) for item in items]
    vectors = model.embed_prepared(joined(items), "left")
    check_finite(vectors.numpy(), [item.origins[0] for item in items])
    return [Query(item, vector[None]) for item, vector in zip(items, vectors, strict=True)]


@runtime_checkable
class Matcher(Protocol):
    """Measures an item against references, which stand on the right side."""

    @property
    def words(self) -> str:
        """How an item is looked for."""

    def nearest(self, query: Query, top: int) -> list[Match]:
        """The nearest reference of each of the nearest `top` identities, the nearest first."""

    def measure(self, query: Query, references: Sequence[int]) -> list[Match]:
        """The item against some references, the nearest first."""

    def make_graph(self) -> bool:
        """Make what a search of many follows, where the store keeps such; whether there is one."""

    def problems(self) -> list[str]:
        """Where what is in memory is not what is stored."""


class EmbeddingMatcher:
    """Of models with embeddings: an index in memory, kept up with the store.

    Args:
        model: what measures.
        store: where the references are.
        exact_up_to: how many references are searched exactly.
    """

    def __init__(self, model: Siamese, store: Store, exact_up_to: int) -> None:
        self._model = model
        self._store = store
        self._exact_up_to = exact_up_to
        self._state: State | None = None
        self._ids = np.empty(0, dtype=np.int64)
        self._identities = np.empty(0, dtype=np.int64)
        self._index: Index = make_index(model, 0, exact_up_to, store.facts.coding)

    @property
    def words(self) -> str:
        """How an item is looked for."""
        self._refresh()
        return self._index.words

    def nearest(self, query: Query, top: int) -> list[Match]:
        """The nearest reference of each of the nearest `top` identities, the nearest first."""
        with self._store.snapshot():
            self._refresh()
            with self._model.evaluating():
                worth = self._worth_measuring(query.embedding[0].numpy(), top)
                kept = self._store.lookup(worth.tolist())
                return _one_each(self._measured(query.embedding, kept), top)

    def measure(self, query: Query, references: Sequence[int]) -> list[Match]:
        """The item against some references, the nearest first."""
        with self._store.snapshot():
            self._store.state()  # refuses what was made anew
            with self._model.evaluating():
                return self._measured(query.embedding, self._store.lookup(references))

    def make_graph(self) -> bool:
        """Nothing is kept: the index is made in memory, at the first question."""
        return False

    def problems(self) -> list[str]:
        """Where what is in memory is not what is stored."""
        with self._store.snapshot():
            self._refresh()
            whole = self._store.block(0)
        found = []
        if not np.array_equal(whole.ids, self._ids) or len(self._index) != len(whole.ids):
            found.append("the index in memory does not hold the references of the file")
        bad = whole.ids[self._store.facts.coder.damaged(whole.embeddings)]
        found += [f"the embedding of reference {one} cannot be right" for one in bad.tolist()]
        return found

    def _measured(self, query: torch.Tensor, kept: Sequence[Kept]) -> list[Match]:
        """Every distance as `compare` has it; in evaluation mode."""
        metric, device = self._model.metric, self._model.device
        coder = self._store.facts.coder
        stored = coder.stored([one.embedding for one in kept])
        right = torch.tensor(coder.vectors(stored)).to(device)
        left = query.to(device)
        if type(metric) in ROW_BY_ROW and device.type == "cpu":
            distances = metric(left.expand(len(kept), -1), right).tolist()
        else:  # a product of matrices sums in another order than that of one row
            distances = [float(metric(left, row[None])) for row in right]
        return _in_order(kept, distances)

    def _worth_measuring(
        self, query: "np.ndarray[tuple[int], np.dtype[np.float32]]", top: int
    ) -> Indices:
        """The references that may be the nearest ones of the nearest `top` identities."""
        most = max(FIRST, 4 * top)
        while True:
            near, slack = self._index.nearest(query, most), self._index.slack(query)
            rows = worth_measuring(near, self._identities[near.rows], slack, top)
            if rows is not None:
                return self._ids[rows]
            most *= 8

    def _refresh(self) -> None:
        """Take over what this or another process has changed."""
        with self._store.snapshot():
            state = self._store.state()
            if state == self._state:
                return
            if self._state is not None and state.removals != self._state.removals:
                kept = np.isin(self._ids, self._store.ids())
                self._index.keep(kept)
                self._ids, self._identities = self._ids[kept], self._identities[kept]
            self._append(state)

    def _append(self, state: State) -> None:
        block = self._store.block(int(self._ids[-1]) if len(self._ids) else 0)
        count = len(self._ids) + len(block.ids)
        if count > self._exact_up_to and isinstance(self._index, ExactIndex):
            self._index = make_index(
                self._model, count, self._exact_up_to, self._store.facts.coding
            )
            self._ids, self._identities = self._ids[:0], self._identities[:0]
            block = self._store.block(0)
        if len(block.ids):
            with self._model.evaluating():
                self._index.add(block.embeddings)
        self._ids = np.concatenate([self._ids, block.ids])
        self._identities = np.concatenate([self._identities, block.identities])
        self._state = state


class PairMatcher:
    """Of joint comparers: every reference is read again, and meets the item in the network.

    Args:
        model: what measures.
        store: where the references and their originals are.
    """

    words = f"one by one through the network, up to {ONE_BY_ONE:,} references"

    def __init__(self, model: Siamese, store: Store) -> None:
        self._model = model
        self._store = store

    def nearest(self, query: Query, top: int) -> list[Match]:
        """The nearest reference of each of the nearest `top` identities, the nearest first."""
        with self._store.snapshot():
            ids = self._store.ids().tolist()
            if len(ids) > ONE_BY_ONE:
                raise GalleryError(
                    f"the gallery has {len(ids):,} references; a joint comparer is asked about "
                    f"{ONE_BY_ONE:,} at most, one by one: train a twin, which has embeddings"
                )
            return _one_each(self.measure(query, ids), top)

    def measure(self, query: Query, references: Sequence[int]) -> list[Match]:
        """The item against some references, the nearest first."""
        with self._store.snapshot():
            self._store.state()  # refuses what was made anew
            kept = self._store.lookup(references)
            if not kept:
                return []
            read = read_originals(self._model, self._store, [one.id for one in kept])
        asked = query.item.take(np.zeros(len(kept), np.int64))
        distances = self._model.pair_distances(asked, read)
        return _in_order(kept, distances.tolist())

    def make_graph(self) -> bool:
        """There is none: each reference is looked at."""
        return False

    def problems(self) -> list[str]:
        """Nothing: all is read anew every time."""
        return []


def worth_measuring(near: Near, identities: Indices, slack: float, top: int) -> Indices | None:
    """The rows that may be the nearest ones of the nearest `top` identities.

    Args:
        near: what a search found.
        identities: [M] the identity of each.
        slack: by how much rounding may put two scores in another order than their distances.
        top: how many identities are asked for.

    Returns:
        Rows of `near`; None where the search must find more to say it.
    """
    owners, first, owner = np.unique(identities, return_index=True, return_inverse=True)
    best = near.scores[first]  # of each identity, since the scores rise
    limit = np.partition(best, top - 1)[top - 1] if len(owners) >= top else np.inf
    if near.complete <= limit + slack and near.complete < np.inf:
        return None
    worth = (near.scores <= best[owner] + slack) & (near.scores <= limit + slack)
    if slack:
        return near.rows[worth]
    # scores are exact: of equal ones the oldest reference counts
    order = np.lexsort((near.rows[worth], near.scores[worth]))
    rows, owner = near.rows[worth][order], owner[worth][order]
    return rows[np.sort(np.unique(owner, return_index=True)[1])[:top]]


def _in_order(kept: Sequence[Kept], distances: Sequence[float]) -> list[Match]:
    """References and their distances, the nearest first; of equal ones the oldest."""
    matches = [
        Match(one.id, one.identity, distance) for one, distance in zip(kept, distances, strict=True)
    ]
    return sorted(matches, key=lambda match: (match.distance, match.reference))


def _one_each(matches: Sequence[Match], top: int) -> list[Match]:
    """Of matches in order the first of each identity, `top` at most."""
    best: dict[str, Match] = {}
    for match in matches:
        best.setdefault(match.identity, match)
    return list(best.values())[:top]


def read_originals(model: Siamese, store: Store, references: Sequence[int]) -> Prepared:
    """The kept items of some references, read by the input of the right side.

    Raises:
        GalleryError: one of them is missing.
        BadItemsError: some cannot be read.
    """
    given = input_of(model.input, "right")
    values = []
    for one in references:
        data = store.original(one)
        if data is None:
            raise GalleryError(f"the original of reference {one} is missing; enrol it again")
        values.append(originals.decoded(data, given.kind))
    origins = [f"the original of reference {one}" for one in references]
    return prepare(given, values, origins, name="the originals of the gallery")


def check_finite(
    vectors: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]", origins: Sequence[str]
) -> None:
    """Refuse embeddings [N, D] that are not finite.

    Raises:
        GalleryError: one is not.
    """
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        raise GalleryError(
            f"the embedding of {origins[int(bad[0])]} is not finite: the model's weights are "
            "damaged, or its training went wrong; train it anew"
        )
