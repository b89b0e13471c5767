"""Retrieval: each item asks for its like among all others, or among references.

Recall@k, mAP, MAP@R, nDCG@k.

Where distances tie, a figure is its expected value over all orders of the tied items.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import ArrayLike, NDArray

from gemel.errors import EvaluationError, SettingsError
from gemel.evaluation.curves import check_finite
from gemel.evaluation.intervals import Figure, bootstrap, figure

Rows = Callable[[NDArray[np.int64]], NDArray[np.floating[Any]]]
"""From query indices [Q] to their distances to all items [Q, N]."""

_DISTANCES_AT_ONCE = 2**20


@dataclass(frozen=True)
class Retrieval:
    """What `retrieval` measured.

    Attributes:
        recall: recall@k for each k asked for.
        mean_average_precision: mAP.
        map_at_r: the same cut off at the number R of items of the query's class.
        r_precision: the share of its class among the query's R nearest.
        ndcg: nDCG@k for each k asked for.
        queries: how many items asked.
        left_out: how many did not, having no other item of their class.
    """

    recall: tuple[Figure, ...]
    mean_average_precision: Figure
    map_at_r: Figure
    r_precision: Figure
    ndcg: tuple[Figure, ...]
    queries: int
    left_out: int

    @property
    def figures(self) -> tuple[Figure, ...]:
        """All figures."""
        means = self.mean_average_precision, self.map_at_r, self.r_precision
        return (*self.recall, *means, *self.ndcg)

    def __str__(self) -> str:
        counts = (
            f"{self.queries:,} queries, {self.left_out:,} items left out (alone in their class)"
        )
        methods = {one.method: None for one in self.figures}  # each once, in order
        last = f"{counts}; 95 % intervals: {'; '.join(methods)}"
        return "\n".join([*map(str, self.figures), last])

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "figures": [one.as_dict() for one in self.figures],
            "queries": self.queries,
            "left_out": self.left_out,
        }


@dataclass(frozen=True, eq=False)
class RelevantRanks:
    """Where the relevant items stand when all items but the query are ordered by distance.

    Attributes:
        start: [R] for each relevant item the rank (from 0) at which its tie begins.
        size: [R] how many items are in its tie: itself, and all others of the same distance.
    """

    start: Int[NDArray[np.int64], " relevant"]
    size: Int[NDArray[np.int64], " relevant"]


def relevant_ranks(
    distance: Float[NDArray[Any], " items"],
    relevant: Bool[NDArray[np.bool_], " items"],
    query: int | None,
) -> RelevantRanks:
    """The ranks of the `relevant` [N] items by `distance` [N] from item `query`, which has none.

    `query` is None where what asks is not among the items.
    """
    others = distance.copy() if query is None else np.delete(distance, query)
    found = others[relevant if query is None else np.delete(relevant, query)]
    others.sort()
    start = np.searchsorted(others, found, side="left")
    return RelevantRanks(start, np.searchsorted(others, found, side="right") - start)


def recall_at(ranks: RelevantRanks, k: int) -> float:
    """The chance that a relevant item is among the nearest `k`: 0 or 1 where nothing ties.

    This is the recall@k of metric learning, also called hit rate, not the share of all relevant
    items that are found. Source: Jegou, Douze, Schmid 2011, "Product quantization for nearest
    neighbor search", TPAMI 33(1).

    Only the tie with the nearest relevant items decides. Of its m items, r of them relevant, s
    reach the first k; that all s are others has the chance (m - r)/m * (m - r - 1)/(m - 1) * ...
    of s factors.
    """
    first = int(ranks.start.min())
    tied = ranks.start == first
    size, right = int(ranks.size[tied][0]), int(tied.sum())
    drawn = np.arange(min(max(k - first, 0), size))
    return float(1 - np.prod(np.maximum(size - right - drawn, 0) / (size - drawn)))


def average_precision(ranks: RelevantRanks, within: int | None = None) -> float:
    """The sum of the precisions at the relevant items' ranks over the number of relevant items.

    Without ties it is scikit-learn's `average_precision_score`. `within` the nearest R, where R is
    the number of relevant items, it is MAP@R of one query: Musgrave, Belongie, Lim 2020, "A metric
    learning reality check", ECCV.

    In a tie of m items, r of them relevant and R relevant before it, the j-th place is relevant
    with chance r/m, and then R + 1 + (j - 1)(r - 1)/(m - 1) relevant items have been seen on
    average. Source: McSherry and Najork 2008, "Computing information retrieval performance
    measures efficiently in the presence of tied scores", ECIR. The sum over the places of 1/rank
    is a difference of digammas.
    """
    from scipy.special import digamma

    start, size = ranks.start, ranks.size
    places = size if within is None else np.clip(within - start, 0, size)  # that count
    ordered = np.sort(start)
    before = np.searchsorted(ordered, start, side="left")
    tied = np.searchsorted(ordered, start, side="right") - before
    inverse_ranks = digamma(start + places + 1) - digamma(start + 1)  # sum of 1 / (start + j)
    climb = (tied - 1) / np.maximum(size - 1, 1)
    seen = (before + 1) * inverse_ranks + climb * (places - (start + 1) * inverse_ranks)
    return float((seen / size).mean())


def r_precision(ranks: RelevantRanks) -> float:
    """The expected share of relevant items among the nearest R, where R is their number."""
    found = np.clip(len(ranks.start) - ranks.start, 0, ranks.size) / ranks.size
    return float(found.mean())


def ndcg_at(ranks: RelevantRanks, k: int) -> float:
    """The discounted cumulative gain of the nearest `k` over the best possible one.

    A relevant item gains 1 / log2(rank + 1), the others nothing; in a tie it gains the mean over
    the tie's places. It is scikit-learn's `ndcg_score`. Source: Jarvelin and Kekalainen 2002,
    "Cumulated gain-based evaluation of IR techniques", TOIS 20(4).
    """
    gains = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, k + 2)))])  # of the first n
    first, end = (np.minimum(at, k) for at in (ranks.start, ranks.start + ranks.size))
    found = ((gains[end] - gains[first]) / ranks.size).sum()
    return float(found / gains[min(len(ranks.start), k)])


def distances_to_all(
    embeddings: Float[NDArray[Any], "items dim"],
    matrix: Callable[[NDArray[Any], NDArray[Any]], NDArray[np.floating[Any]]],
) -> Rows:
    """Distances for `retrieval` from embeddings [N, D], made a few rows at a time.

    Args:
        embeddings: [N, D].
        matrix: from embeddings [Q, D] and [N, D] to distances [Q, N].
    """
    return lambda query: matrix(embeddings[query], embeddings)


def retrieval(
    distance: Rows | NDArray[Any],
    labels: ArrayLike,
    *,
    references: ArrayLike | None = None,
    at: Sequence[int] = (1, 5, 10),
    clusters: ArrayLike | None = None,
    cluster_unit: str = "classes",
    split: str,
    seed: int,
    draws: int = 1000,
) -> Retrieval:
    """Each item asks for items of its class among all others, or among `references`.

    The figures are recall@k, mAP, MAP@R, R-precision and nDCG@k.

    Items without another of their class do not ask, and are counted; they are still found by
    others. Intervals are a bootstrap over classes, whose queries share items.

    Args:
        distance: all distances [N, N], the query's row by the found item's column; or a function
            of query indices [Q] to [Q, N] (`distances_to_all`), called with bounded parts. With
            `references` they are [N, M] and [Q, M].
        labels: [N] the class of each item (number or text).
        references: [M] the class of each of some other items, which are found instead: none of
            those that ask is among them.
        at: the k of each recall@k and nDCG@k.
        clusters: [N] what the bootstrap draws instead of classes, such as alphabets.
        cluster_unit: what a cluster is, in the plural.
        split: the name of what is judged.
        seed: of the bootstrap.
        draws: how many bootstrap resamples.

    Raises:
        EvaluationError: no item has another of its class, a distance is not finite, or arrays
            do not fit together.
        SettingsError: a k below 1, or too few draws.
    """
    if not len(at) or min(at) < 1:
        raise SettingsError(f"`at` must hold one or more k of 1 or more; got {tuple(at)}")
    classes, known, asking = _classes(labels, references)
    shared = classes if clusters is None else np.asarray(clusters)
    if shared.shape != classes.shape:
        raise EvaluationError(f"`clusters` has shape {shared.shape}; expected {classes.shape}")
    scores = np.array(
        [
            [
                *(recall_at(ranks, k) for k in at),
                average_precision(ranks),
                average_precision(ranks, within=len(ranks.start)),
                r_precision(ranks),
                *(ndcg_at(ranks, k) for k in at),
            ]
            for ranks in _ranks_of_queries(
                distance, classes, known, asking, among=references is None
            )
        ]
    )  # [queries, figures]
    means = ["mAP", "MAP@R", "R-precision"]
    names = [*(f"recall@{k}" for k in at), *means, *(f"nDCG@{k}" for k in at)]
    figures = []
    for name, score in zip(names, scores.T, strict=True):
        interval = bootstrap(
            score, clusters=shared[asking], cluster_unit=cluster_unit, draws=draws, seed=seed
        )
        value = float(score.mean())
        figures.append(
            figure(name, value, interval, count=len(asking), unit="queries", split=split, seed=seed)
        )
    return Retrieval(
        recall=tuple(figures[: len(at)]),
        mean_average_precision=figures[len(at)],
        map_at_r=figures[len(at) + 1],
        r_precision=figures[len(at) + 2],
        ndcg=tuple(figures[-len(at) :]),
        queries=len(asking),
        left_out=len(classes) - len(asking),
    )


def _classes(
    labels: ArrayLike, references: ArrayLike | None
) -> tuple[
    Int[NDArray[np.int64], " items"],
    Int[NDArray[np.int64], " references"],
    Int[NDArray[np.int64], " queries"],
]:
    """The class number of each item and of what is found, and the items that can find one."""
    given = np.asarray(labels)
    found = given if references is None else np.asarray(references)
    for name, one in (("labels", given), ("references", found)):
        if one.ndim != 1:
            raise EvaluationError(f"`{name}` has shape {one.shape}; expected one entry an item [N]")
    names = np.unique(np.concatenate([given, found]))
    classes, known = (np.searchsorted(names, one).astype(np.int64) for one in (given, found))
    counts = np.bincount(known, minlength=len(names))
    asking = np.flatnonzero(counts[classes] > (references is None))
    if not len(asking):
        where = "another of its class" if references is None else "one of its class to find"
        raise EvaluationError(
            f"none of the {len(given)} items has {where}; retrieval needs at least one class of "
            f"{'two items' if references is None else 'an item and a reference'}"
        )
    return classes, known, asking


def _ranks_of_queries(
    distance: Rows | NDArray[Any],
    classes: Int[NDArray[np.int64], " items"],
    known: Int[NDArray[np.int64], " references"],
    asking: Int[NDArray[np.int64], " queries"],
    *,
    among: bool,
) -> Iterator[RelevantRanks]:
    """The ranks for each query, which is one of the references if `among`."""
    shape = (len(classes), len(known))
    if not callable(distance) and distance.shape != shape:
        raise EvaluationError(
            f"expected distances [{shape[0]}, {shape[1]}] for {len(classes)} labels; got "
            f"{distance.shape}"
        )
    step = max(_DISTANCES_AT_ONCE // len(known), 1)
    for start in range(0, len(asking), step):
        query = asking[start : start + step]
        rows = np.asarray(distance(query) if callable(distance) else distance[query])
        if rows.shape != (len(query), len(known)):
            raise EvaluationError(
                f"the distance function returned shape {rows.shape} for {len(query)} queries of "
                f"{len(known)} items; expected {(len(query), len(known))}"
            )
        if among:
            rows = rows.copy()
            rows[np.arange(len(query)), query] = 0  # its own distance is not read, and may be NaN
        check_finite(rows, what="query, item", rows=query)
        for row, item in zip(rows, query, strict=True):
            relevant = known == classes[item]
            yield relevant_ranks(row, relevant, int(item) if among else None)
