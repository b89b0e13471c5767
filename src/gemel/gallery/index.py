"""Who is near: search in memory, exact up to a size and by a graph (HNSW, faiss) beyond it.

An index holds embeddings in the form in which the metric's order is that of an inner product or of
a squared Euclidean distance, where there is such a form. It is derived from the store, and only
says which references are worth measuring: distances are then the metric's own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from numpy.typing import NDArray

from gemel import metrics
from gemel.errors import MissingExtraError
from gemel.gallery.coding import CodingName, Stored, Vectors
from gemel.items import Indices
from gemel.metrics import Metric
from gemel.metrics.base import built
from gemel.model import Siamese

EXACT_UP_TO = 200_000
"""The most references among which every one is looked at."""
BLOCK = 256  # references, evenly spread, whose least score stands for them
ROWS = 65_536  # references measured at a time, by the metric itself or as codes
NEIGHBOURS, BREADTH, CARE = 32, 128, 200  # of the graph: M, efSearch, efConstruction
STALE = 0.2  # the share of removed references at which a graph is made anew
EPS = float(np.finfo(np.float32).eps)
Vector = Float32[NDArray[np.float32], " dim"]
Scores = Float[NDArray[np.floating], " references"]


@dataclass(frozen=True)
class Near:
    """References by rising score; lower is nearer.

    Attributes:
        rows: their places in the index.
        scores: of each.
        complete: every reference with a score below this one is there (in a graph: as far as it
            finds them).
    """

    rows: Indices
    scores: Scores
    complete: float


@dataclass(frozen=True)
class Form:
    """How a metric is searched.

    Attributes:
        name: in words.
        squared: whether the score is a squared Euclidean distance, not minus an inner product.
        turned: from embeddings [N, D] to the form in which they are kept [N, K].
        stretch: the greatest factor by which `turned` makes a vector longer; 0 where the scores
            are whole numbers, and exact.
    """

    name: str
    squared: bool
    turned: Callable[[Vectors], NDArray[np.float32]]
    stretch: float


@runtime_checkable
class Index(Protocol):
    """Embeddings [N, D] in memory, by their places 0 to N - 1."""

    words: str

    def __len__(self) -> int:
        """N."""

    def add(self, embeddings: Stored) -> None:
        """Append embeddings, as they are stored."""

    def keep(self, kept: Bool[NDArray[np.bool_], " references"]) -> None:
        """Leave out all but some; the others move up."""

    def nearest(self, query: Vector, most: int) -> Near:
        """About the nearest `most` references, or more."""

    def slack(self, query: Vector) -> float:
        """By how much rounding may put two scores in another order than their distances."""


def form_of(metric: Metric) -> Form | None:
    """The form in which a metric is searched; None where every distance must be computed by it."""

    def normalised(vectors: Vectors) -> NDArray[np.float32]:
        found: NDArray[np.float32] = metric.normalise(torch.tensor(vectors)).numpy()
        return found

    def projected(vectors: Vectors) -> NDArray[np.float32]:
        wide, matrix = vectors.astype(np.float64), weights.cpu().numpy()
        found = wide * matrix if matrix.ndim == 1 else wide @ matrix.T
        return np.asarray(found, dtype=np.float32)

    kind = type(metric)  # a class of a user's own, made from one of these, may measure otherwise
    if kind is metrics.Cosine:
        return Form("inner products of unit vectors", False, normalised, 1.0)
    if kind is metrics.Hamming:
        return Form("inner products of codes of -1 and 1", False, normalised, 0.0)
    if kind in (metrics.Euclidean, metrics.SquaredEuclidean):
        return Form("squared distances", True, lambda vectors: vectors, 1.0)
    if isinstance(metric, metrics.Mahalanobis) and kind is metrics.Mahalanobis:
        weights = built(metric.projection, "Mahalanobis").detach().double()
        length = float(torch.linalg.vector_norm(weights))
        return Form("squared distances of projections", True, projected, max(length, 1.0))
    return None


def make_index(model: Siamese, count: int, exact_up_to: int, coding: CodingName) -> Index:
    """An empty index for `count` references, stored as `coding`.

    Raises:
        MissingExtraError: there are more than `exact_up_to`, the metric has a form for a graph,
            and faiss is not installed.
    """
    if coding == "bits":
        if isinstance(model.metric, metrics.AsymmetricHamming):
            return AsymmetricIndex(model.metric, model.dim)
        return CodeIndex(model.dim)
    form = form_of(model.metric)
    if form is None:
        return MetricIndex(model)
    if count <= exact_up_to:
        return ExactIndex(form, model.dim)
    return GraphIndex(form, model.dim)


class _Rows:
    """Rows [N, K] that grow and shrink in one array."""

    def __init__(self, dim: int, dtype: Any = np.float32) -> None:
        self._all = np.empty((0, dim), dtype=dtype)
        self._count = 0

    @property
    def rows(self) -> NDArray[Any]:
        return self._all[: self._count]

    def add(self, rows: NDArray[Any]) -> None:
        whole = self._count + len(rows)
        if whole > len(self._all):
            room = whole if not self._count else whole + whole // 4
            grown = np.empty((room, rows.shape[1]), dtype=self._all.dtype)
            grown[: self._count] = self.rows
            self._all = grown
        self._all[self._count : whole] = rows
        self._count = whole

    def keep(self, kept: NDArray[np.bool_]) -> None:
        self._all = self.rows[kept]
        self._count = len(self._all)


class _RowIndex:
    """What the indexes that hold rows as they are stored share."""

    _rows: _Rows

    def __len__(self) -> int:
        return len(self._rows.rows)

    def add(self, embeddings: Stored) -> None:
        """Append embeddings, as they are stored."""
        self._rows.add(embeddings)

    def keep(self, kept: Bool[NDArray[np.bool_], " references"]) -> None:
        """Leave out all but some; the others move up."""
        self._rows.keep(kept)


class ExactIndex:
    """Looks at every reference: one product of a matrix and a vector.

    It is NumPy's own sum of products, not BLAS, whose threads would wait for those of torch and
    faiss: see benchmarks/gallery_speed.py.

    Args:
        form: of the metric.
        dim: numbers an embedding.
    """

    def __init__(self, form: Form, dim: int) -> None:
        self.words = f"exact, {form.name}"
        self._form = form
        self._dim = dim
        self._rows: _Rows | None = None
        self._squares = np.empty(0, dtype=np.float32)  # of the lengths of the rows
        self._longest = 0.0

    def __len__(self) -> int:
        return 0 if self._rows is None else len(self._rows.rows)

    def add(self, embeddings: Stored) -> None:
        """Append embeddings."""
        turned = self._form.turned(embeddings)
        if self._rows is None:
            self._rows = _Rows(turned.shape[1])
        self._rows.add(turned)
        squares = np.einsum("nk,nk->n", turned, turned)
        self._squares = np.concatenate([self._squares, squares])
        self._longest = max(self._longest, _longest(embeddings))

    def keep(self, kept: Bool[NDArray[np.bool_], " references"]) -> None:
        """Leave out all but some; the others move up."""
        if self._rows is not None:
            self._rows.keep(kept)
            self._squares = self._squares[kept]

    def nearest(self, query: Vector, most: int) -> Near:
        """All references down to a score that at least `most` reach."""
        if self._rows is None:
            return Near(np.empty(0, np.int64), np.empty(0), np.inf)
        scores = np.einsum("nk,k->n", self._rows.rows, -self._form.turned(query[None])[0])
        if self._form.squared:
            scores += scores
            scores += self._squares
        return _least(scores, most)

    def slack(self, query: Vector) -> float:
        """Twice the rounding errors of two sums of products, at worst."""
        return _slack(self._form, self._dim, self._longest, query)


class CodeIndex(_RowIndex):
    """Looks at every code: the bits that differ are counted, 64 at a time.

    Args:
        dim: bits a code.
    """

    def __init__(self, dim: int) -> None:
        self.words = f"exact, {dim} bits"
        self._dim = dim
        self._rows = _Rows(-(-dim // 64), np.uint64)

    def add(self, embeddings: Stored) -> None:
        """Append codes, eight bits a byte."""
        self._rows.add(self._in_words(embeddings))

    def nearest(self, query: Vector, most: int) -> Near:
        """All references down to a distance that at least `most` reach."""
        rows, words = self._rows.rows, self._rows.rows.shape[1]
        asked = self._in_words(np.packbits(query > 0)[None])[0]
        counted = np.empty(len(rows), dtype=np.uint8 if self._dim < 256 else np.uint32)
        step = max(1, ROWS // words)  # a part at a time stays in the cache
        differ = np.empty((min(step, len(rows)), words), dtype=np.uint64)
        for start in range(0, len(rows), step):
            some = rows[start : start + step]
            found = np.bitwise_xor(some, asked, out=differ[: len(some)])
            if words == 1:
                np.bitwise_count(found[:, 0], out=counted[start : start + step])
            else:
                bits = np.bitwise_count(found)
                bits.sum(axis=1, dtype=counted.dtype, out=counted[start : start + step])
        return _least(counted, most)

    def slack(self, query: Vector) -> float:  # noqa: ARG002
        """0: counts are exact."""
        return 0.0

    def _in_words(self, packed: NDArray[np.uint8]) -> NDArray[np.uint64]:
        """[N, bytes] as [N, words] of 64 bits, filled up with zeros."""
        filled = np.zeros((len(packed), 8 * -(-self._dim // 64)), dtype=np.uint8)
        filled[:, : packed.shape[1]] = packed
        return filled.view(np.uint64)


class AsymmetricIndex(_RowIndex):
    """Real numbers against every code: what a byte of a code adds is looked up in a table.

    The table holds, for each byte of a code and each of its 256 values, minus the inner product of
    tanh(s u) with those eight bits; the order of the sums is that of the distances.

    Args:
        metric: the distance.
        dim: bits a code.
    """

    def __init__(self, metric: metrics.AsymmetricHamming, dim: int) -> None:
        self.words = f"exact, real numbers against {dim} bits"
        self._metric = metric
        self._dim = dim
        self._rows = _Rows(-(-dim // 8), np.uint8)
        every = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)  # [256, 8]
        self._signs = every.astype(np.float32) * 2 - 1

    def nearest(self, query: Vector, most: int) -> Near:
        """All references down to a score that at least `most` reach."""
        rows, width = self._rows.rows, self._rows.rows.shape[1]
        soft = np.zeros(8 * width, dtype=np.float32)
        soft[: self._dim] = self._metric.soft(torch.from_numpy(query[None])).numpy()[0]
        table = -soft.reshape(width, 8) @ self._signs.T  # [bytes, 256]
        scores = np.zeros(len(rows), dtype=np.float32)
        for start in range(0, len(rows), ROWS):  # a part at a time stays in the cache
            some = rows[start : start + ROWS]
            for place in range(width):
                scores[start : start + ROWS] += table[place].take(some[:, place])
        return _least(scores, most)

    def slack(self, query: Vector) -> float:  # noqa: ARG002
        """Twice the rounding errors of two sums of D products of numbers up to 1, at worst."""
        return 4 * (self._dim + 16) * self._dim * EPS


class MetricIndex(_RowIndex):
    """Measures every reference by the metric itself, a block at a time.

    Args:
        model: whose metric it is.
    """

    words = "exact, each distance by the metric itself"

    def __init__(self, model: Siamese) -> None:
        self._model = model
        self._rows = _Rows(model.dim)
        self._greatest = 0.0

    def nearest(self, query: Vector, most: int) -> Near:
        """All references down to a score that at least `most` reach."""
        rows, asked = self._rows.rows, torch.from_numpy(query[None])
        parts = [
            self._model.distances(asked, torch.from_numpy(rows[start : start + ROWS]))[0].numpy()
            for start in range(0, len(rows), ROWS)
        ]
        scores = np.concatenate([np.empty(0, np.float32), *parts])
        self._greatest = float(np.abs(scores).max(initial=0))
        return _least(scores, most)

    def slack(self, query: Vector) -> float:  # noqa: ARG002
        """What sums of another order differ by, with much to spare."""
        return 2e-5 * (1 + self._greatest)


class GraphIndex:
    """Follows a graph of neighbours, and may miss a near one: recall is measured, not promised.

    Malkov and Yashunin 2018, "Efficient and robust approximate nearest neighbor search using
    Hierarchical Navigable Small World graphs". What is removed stays in the graph, unseen, until
    it is a fifth of it.

    Args:
        form: of the metric.
        dim: numbers an embedding.

    Raises:
        MissingExtraError: faiss is not installed.
    """

    def __init__(self, form: Form, dim: int) -> None:
        self._faiss = _faiss()
        self.words = f"approximate (HNSW), {form.name}"
        self._form = form
        self._dim = dim
        self._graph: Any = None
        self._places = np.empty(0, dtype=np.int64)  # in the graph, of the rows that are left
        self._longest = 0.0

    def __len__(self) -> int:
        return len(self._places)

    def add(self, embeddings: Stored) -> None:
        """Append embeddings."""
        self._longest = max(self._longest, _longest(embeddings))
        self._add(self._form.turned(embeddings))

    def _add(self, turned: NDArray[np.float32]) -> None:
        if self._graph is None:
            measure = "METRIC_L2" if self._form.squared else "METRIC_INNER_PRODUCT"
            self._graph = self._faiss.IndexHNSWFlat(
                turned.shape[1], NEIGHBOURS, getattr(self._faiss, measure)
            )
            self._graph.hnsw.efConstruction = CARE
        first = self._graph.ntotal
        self._graph.add(np.ascontiguousarray(turned))
        self._places = np.concatenate([self._places, np.arange(first, self._graph.ntotal)])

    def keep(self, kept: Bool[NDArray[np.bool_], " references"]) -> None:
        """Leave out all but some; the others move up."""
        self._places = self._places[kept]
        if self._graph is not None and len(self) < (1 - STALE) * self._graph.ntotal:
            rows = self._graph.reconstruct_batch(self._places) if len(self) else None
            self._graph, self._places = None, np.empty(0, dtype=np.int64)
            if rows is not None:
                self._add(rows)

    def nearest(self, query: Vector, most: int) -> Near:
        """About the nearest `most` references, as far as the graph finds them."""
        if not len(self):
            return Near(np.empty(0, np.int64), np.empty(0), np.inf)
        wanted = min(-(-most * self._graph.ntotal // len(self)), self._graph.ntotal)
        self._graph.hnsw.efSearch = max(BREADTH, wanted)
        scores, places = self._graph.search(self._form.turned(query[None]), wanted)
        scores, places = scores[0][places[0] >= 0], places[0][places[0] >= 0]
        rows = np.searchsorted(self._places, places)
        there = self._places[np.minimum(rows, len(self) - 1)] == places
        whole = wanted == self._graph.ntotal
        scores = scores if self._form.squared else -scores
        complete = np.inf if whole else float(scores[-1])
        return Near(rows[there], scores[there].astype(np.float64), complete)

    def slack(self, query: Vector) -> float:
        """Twice the rounding errors of two sums of products, at worst."""
        return _slack(self._form, self._dim, self._longest, query)


def _faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise MissingExtraError(
            "a gallery of this size is searched by faiss, which is not installed: "
            "pip install 'gemel[gallery]'. Or search it exactly, which takes longer: "
            "Gallery.open(..., exact_up_to=10_000_000)"
        ) from error
    return faiss


def _least(scores: NDArray[Any], most: int) -> Near:
    """All scores up to the `most`-th least of the blocks' least ones, rising."""
    count = len(scores)
    if most >= count:
        rows, complete = np.arange(count), np.inf
    else:
        whole = count // BLOCK * BLOCK
        least = scores[:whole].reshape(BLOCK, -1).min(axis=0)
        if len(least) < most:  # few references: their own scores
            least, whole = scores, count
        limit = np.partition(least, most - 1)[most - 1]
        complete = float(limit)
        rows = np.flatnonzero(scores <= limit)
    rows = rows[np.argsort(scores[rows], kind="stable")]
    return Near(rows.astype(np.int64), scores[rows].astype(np.float64), complete)


def _slack(form: Form, dim: int, longest: float, query: Vector) -> float:
    """A bound of what rounding does to the difference of two scores.

    A sum of D products of float32 is off by D eps |u||v| at most (Higham 2002, "Accuracy and
    Stability of Numerical Algorithms", 3.1). The inner products are of unit vectors.
    """
    if not form.stretch:
        return 0.0
    sizes = (longest + _longest(query[None])) ** 2 if form.squared else 1.0
    return 4 * (dim + 8) * EPS * form.stretch**2 * sizes


def _longest(vectors: Vectors) -> float:
    return float(np.sqrt(np.einsum("nd,nd->n", vectors, vectors).max(initial=0)))
