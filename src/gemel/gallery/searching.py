"""Search in the database: pgvector finds who may be near, over half the bytes of each embedding."""

import struct

import numpy as np
from jaxtyping import Float32
from numpy.typing import NDArray

from gemel.gallery.coding import Vectors
from gemel.gallery.index import EPS, Form, Near, Vector, form_of
from gemel.gallery.matching import FIRST, EmbeddingMatcher, worth_measuring
from gemel.gallery.store import Forms, Searchable, SearchingStore, Shape, Store
from gemel.items import Indices
from gemel.model import Siamese

WIDEST = 16_000  # numbers in a column of pgvector's halfvec
NO_GRAPH = "there is no graph yet: gemel gallery graph makes it"
WIDEST_GRAPH = {"inner product": 4_000, "distance": 4_000, "bits": 64_000}
Turned = Float32[NDArray[np.float32], "references width"]


def matcher_of(model: Siamese, store: Store, exact_up_to: int) -> EmbeddingMatcher:
    """Searches in the store where it can search and the metric has a form, else in memory."""
    form = form_of(model.metric)
    if form is not None and isinstance(store, SearchingStore):
        shape = shape_of(form, model.dim)
        if shape.order == "bits" or shape.width <= WIDEST:
            return StoreMatcher(model, store, exact_up_to, form, shape)
    return EmbeddingMatcher(model, store, exact_up_to)


def shape_of(form: Form, dim: int) -> Shape:
    """How the forms of embeddings of `dim` numbers are kept."""
    width = form.turned(np.zeros((1, dim), dtype=np.float32)).shape[1]
    if not form.stretch:
        return Shape("bits", width)
    return Shape("distance" if form.squared else "inner product", width)


class StoreMatcher(EmbeddingMatcher):
    """Of a store that searches by itself: nothing is in memory, and opening takes no time.

    Where half precision cannot hold a form, all is searched in memory, as elsewhere.

    Args:
        model: what measures.
        store: where the references are.
        exact_up_to: how many references are searched exactly.
        form: in which the metric is searched.
        shape: in which the store keeps it.
    """

    def __init__(
        self, model: Siamese, store: SearchingStore, exact_up_to: int, form: Form, shape: Shape
    ) -> None:
        super().__init__(model, store, exact_up_to)
        self._searching = store
        self._form = form
        self._shape = shape
        self._too_wide: str | None = None
        if shape.width > WIDEST_GRAPH[shape.order]:
            self._too_wide = (
                f"pgvector's HNSW takes up to {WIDEST_GRAPH[shape.order]:,} numbers, "
                f"these are {shape.width:,}"
            )
        store.prepare(shape, self._forms)
        self._known = store.searchable()

    @property
    def words(self) -> str:
        """How an item is looked for."""
        self._store.state()  # refuses what was made anew
        known = self._searching.searchable()
        if not known.whole:
            return f"{super().words}, in memory: some numbers are beyond half precision"
        if self._graphed(known):
            return f"approximate (HNSW, pgvector), {self._form.name}"
        more = f"; {self._too_wide or NO_GRAPH}" if known.count > self._exact_up_to else ""
        return f"exact (pgvector), {self._form.name}{more}"

    def make_graph(self) -> bool:
        """Whether there is a graph now, for as many references as there are."""
        return self._worthwhile(self._searching.searchable()) and self._searching.make_graph()

    def problems(self) -> list[str]:
        """Where what is in memory is not what is stored; forms are the store's own to look at."""
        return [] if self._searching.searchable().whole else super().problems()

    def _graphed(self, known: Searchable) -> bool:
        """Whether a graph is followed."""
        return self._worthwhile(known) and self._searching.graph()

    def _worthwhile(self, known: Searchable) -> bool:
        """Whether a graph would be followed, if there were one."""
        return known.count > self._exact_up_to and known.whole and self._too_wide is None

    def _refresh(self) -> None:
        """Nothing is in memory that could be old, unless a form is beyond half precision."""
        self._store.state()
        self._known = self._searching.searchable()
        if not self._known.whole:
            super()._refresh()

    def _worth_measuring(self, query: Vector, top: int) -> Indices:
        known, asked = self._known, self._forms(query[None])
        if not known.whole or asked.rows[0] is None:
            super()._refresh()
            return super()._worth_measuring(query, top)
        text = self._text(query)
        slack = self._slack(known, asked)
        graph = self._graphed(known)
        most = max(FIRST, 4 * top)
        while True:
            ids, identities, scores = self._searching.near(text, most, graph=graph)
            if graph and len(ids) < min(most, known.count):
                graph = False  # it was followed to its end
                continue
            complete = float(scores[-1]) if len(ids) == most else np.inf
            worth = worth_measuring(Near(ids, scores, complete), identities, slack, top)
            if worth is not None:
                return worth
            most *= 8

    def _forms(self, vectors: Vectors) -> Forms:
        """What the store keeps of embeddings, and the bounds of its rounding."""
        with self._model.evaluating():
            turned = self._form.turned(vectors)
        longest = float(np.linalg.norm(vectors.astype(np.float64), axis=1).max(initial=0))
        if self._shape.order == "bits":
            return Forms([_bits(row > 0) for row in turned], longest, 0.0)
        with np.errstate(over="ignore"):
            half = turned.astype(np.float16)
        held = np.isfinite(half.sum(axis=1, dtype=np.float64))
        off = np.linalg.norm((half - turned.astype(np.float64))[held], axis=1)
        rows = [_halves(row) if fits else None for row, fits in zip(half, held, strict=True)]
        return Forms(rows, longest, float(off.max(initial=0)))

    def _slack(self, known: Searchable, asked: Forms) -> float:
        """By how much rounding may put two scores in another order than their distances.

        For unit vectors |u'v' - uv| <= |u' - u||v'| + |u||v' - v|; for distances the triangle
        inequality holds. Sums of D products are off by D eps |u||v| at most (Higham 2002,
        "Accuracy and Stability of Numerical Algorithms", 3.1).
        """
        if self._shape.order == "bits":
            return 0.0
        half = asked.rounding * (1 + known.rounding) + known.rounding
        sums = 2 * (self._shape.width + self._model.dim + 16) * EPS
        if self._shape.order == "distance":
            sums *= self._form.stretch * (known.longest + asked.longest)
        return 2 * (half + sums)

    def _text(self, query: Vector) -> str:
        """The form of a query, as PostgreSQL writes it."""
        with self._model.evaluating():
            turned = self._form.turned(query[None])[0]
        if self._shape.order == "bits":
            return "".join("1" if one else "0" for one in (turned > 0).tolist())
        return str(turned.astype(np.float16).tolist())


def _halves(row: NDArray[np.float16]) -> bytes:
    """As pgvector's halfvec_recv takes it: the width, a zero, and the numbers."""
    return struct.pack(">hh", len(row), 0) + row.astype(">f2").tobytes()


def _bits(row: NDArray[np.bool_]) -> bytes:
    """As PostgreSQL's bit_recv takes it: the width, and the bits."""
    return struct.pack(">i", len(row)) + np.packbits(row).tobytes()
