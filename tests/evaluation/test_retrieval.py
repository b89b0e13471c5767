"""Retrieval: scikit-learn, hand-made cases, and all orders of tied items one by one."""

import json
import math
import sys
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, ndcg_score

from gemel.errors import EvaluationError, SettingsError
from gemel.evaluation import bootstrap, distances_to_all, retrieval
from gemel.evaluation.retrieval import (
    RelevantRanks,
    average_precision,
    ndcg_at,
    r_precision,
    recall_at,
    relevant_ranks,
)


def ranks_of(distance: list[float], relevant: list[bool]) -> RelevantRanks:
    """Ranks with the query put in the middle, at a distance that would upset them."""
    place = len(distance) // 2
    with_query = np.insert(np.array(distance, dtype=np.float64), place, -99)
    return relevant_ranks(with_query, np.insert(np.array(relevant), place, True), place)


def slow(distance: list[float], relevant: list[bool], k: int) -> tuple[float, ...]:
    """Means over all orders that the distances allow: hit@k, AP, AP@R, R-precision, nDCG@k."""
    rows = []
    count = sum(relevant)
    for order in permutations(range(len(distance))):
        steps = [distance[i] for i in order]
        if steps == sorted(steps):
            found = [relevant[i] for i in order]
            seen = [one * sum(found[: i + 1]) / (i + 1) for i, one in enumerate(found)]
            gains = [1 / math.log2(i + 2) for i in range(len(found))]
            gained = sum(gain for gain, one in zip(gains[:k], found[:k], strict=True) if one)
            rows.append(
                (
                    any(found[:k]),
                    sum(seen) / count,
                    sum(seen[:count]) / count,
                    sum(found[:count]) / count,
                    gained / sum(gains[: min(count, k)]),
                )
            )
    return tuple(np.mean(rows, axis=0).tolist())


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=5))
def test_ties_are_worth_the_mean_over_their_orders(values: list[tuple[int, bool]]) -> None:
    distance = [float(value) for value, _ in values] + [1.0]
    relevant = [one for _, one in values] + [True]
    ranks = ranks_of(distance, relevant)
    for k in (1, 2, 3, 9):
        ours = (
            recall_at(ranks, k),
            average_precision(ranks),
            average_precision(ranks, within=sum(relevant)),
            r_precision(ranks),
            ndcg_at(ranks, k),
        )
        assert ours == pytest.approx(slow(distance, relevant, k), abs=1e-12)


def test_hand_made_ranks() -> None:
    ranks = ranks_of([4, 1, 3, 2], [True, False, True, False])  # order: no no yes yes
    assert [recall_at(ranks, k) for k in (1, 2, 3, 4)] == [0, 0, 1, 1]
    assert average_precision(ranks) == pytest.approx((1 / 3 + 2 / 4) / 2)
    tied = ranks_of([1, 1, 1, 1], [True, False, False, False])
    assert [recall_at(tied, k) for k in (1, 2, 4, 7)] == pytest.approx([1 / 4, 1 / 2, 1, 1])
    assert average_precision(tied) == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4)
    assert average_precision(ranks_of([5], [True])) == 1
    # Of two relevant items the second is third: MAP@R sees the first alone, nDCG@3 both.
    ranks = ranks_of([1, 2, 3], [True, False, True])
    assert (average_precision(ranks, within=2), r_precision(ranks)) == (1 / 2, 1 / 2)
    assert ndcg_at(ranks, 3) == pytest.approx(1.5 / (1 + 1 / math.log2(3)))
    assert ndcg_at(ranks, 1) == 1


def test_without_ties_it_is_scikit_learns() -> None:
    generator = np.random.default_rng(0)
    for _ in range(20):
        distance = generator.permutation(200).astype(float)
        relevant = generator.random(200) < 0.1
        relevant[3] = True
        ranks = ranks_of(distance.tolist(), relevant.tolist())
        assert average_precision(ranks) == pytest.approx(
            average_precision_score(relevant, -distance), abs=1e-12
        )


def test_ndcg_is_scikit_learns_with_ties_and_without() -> None:
    generator = np.random.default_rng(1)
    for levels in (3, 10, 1000):
        distance = generator.integers(0, levels, 60).astype(float)
        relevant = generator.random(60) < 0.2
        relevant[3] = True
        ranks = ranks_of(distance.tolist(), relevant.tolist())
        for k in (1, 5, 10, 100):
            expected = ndcg_score(relevant[None].astype(float), -distance[None], k=k)
            assert ndcg_at(ranks, k) == pytest.approx(expected, abs=1e-12)


def places(seed: int, classes: int = 8) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Points on a coarse grid, so that distances tie, of classes with one to six items."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), np.arange(classes) % 6 + 1)
    points = generator.integers(0, 4, (classes, 2))[labels] + generator.integers(
        -1, 2, (len(labels), 2)
    )
    return points.astype(np.float64), labels


def manhattan(left: NDArray[Any], right: NDArray[Any]) -> NDArray[np.floating[Any]]:
    return np.asarray(np.abs(left[:, None] - right[None]).sum(axis=-1))


def test_figures_are_means_over_the_items_that_can_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    points, labels = places(1)
    matrix = manhattan(points, points)
    judged = retrieval(matrix, labels, at=(1, 3), split="omniglot/unseen", seed=4, draws=100)
    asking = [i for i, label in enumerate(labels) if (labels == label).sum() > 1]
    recalls: dict[int, list[float]] = {1: [], 3: []}
    precisions, others = [], []
    for query in asking:
        ranks = relevant_ranks(matrix[query], labels == labels[query], query)
        for k, column in recalls.items():
            column.append(recall_at(ranks, k))
        precisions.append(average_precision(ranks))
        cut = average_precision(ranks, within=int((labels == labels[query]).sum()) - 1)
        others.append([cut, r_precision(ranks), ndcg_at(ranks, 1), ndcg_at(ranks, 3)])
    assert [one.value for one in judged.figures] == pytest.approx(
        [np.mean(recalls[1]), np.mean(recalls[3]), np.mean(precisions), *np.mean(others, axis=0)]
    )
    names = ["recall@1", "recall@3", "mAP", "MAP@R", "R-precision", "nDCG@1", "nDCG@3"]
    assert [one.name for one in judged.figures] == names
    assert [one.name for one in judged.ndcg] == names[-2:]
    assert (judged.map_at_r.name, judged.r_precision.name) == ("MAP@R", "R-precision")
    assert (judged.queries, judged.left_out) == (len(asking), 2) == (len(labels) - 2, 2)
    expected = bootstrap(
        precisions, clusters=labels[asking], cluster_unit="classes", seed=4, draws=100
    )
    mean = judged.mean_average_precision
    assert (mean.low, mean.high) == (expected.low, expected.high)
    assert mean.method == "percentile bootstrap over 6 classes, 100 draws"
    assert (mean.count, mean.unit) == (len(asking), "queries")
    lines = str(judged).splitlines()
    assert lines[0].startswith("recall@1 ")
    assert lines[2].endswith(f"({len(asking)} queries, split omniglot/unseen, seed 4)")
    assert lines[-1] == (
        f"{len(asking)} queries, 2 items left out (alone in their class); "
        "95 % intervals: percentile bootstrap over 6 classes, 100 draws"
    )
    assert json.loads(json.dumps(judged.as_dict()))["left_out"] == 2

    sizes = []

    def matrix_of(left: NDArray[Any], right: NDArray[Any]) -> NDArray[np.floating[Any]]:
        sizes.append(left.shape)
        return manhattan(left, right)

    module = sys.modules["gemel.evaluation.retrieval"]  # the package shows the function
    monkeypatch.setattr(module, "_DISTANCES_AT_ONCE", 10 * len(labels))
    parts = retrieval(
        distances_to_all(points, matrix_of),
        [f"c{label}" for label in labels],
        at=(1, 3),
        split="omniglot/unseen",
        seed=4,
        draws=100,
    )
    assert parts == judged
    assert sizes == [(10, 2), (10, 2), (len(asking) - 20, 2)]


def test_the_querys_row_counts_not_its_column() -> None:
    matrix = np.array([[0, 1, 2], [1, 0, 2], [1, 2, 0]], dtype=float)
    labels = ["a", "b", "a"]  # 0 finds 2 second, 2 finds 0 first
    assert retrieval(matrix, labels, at=(1,), split="s", seed=0).recall[0].value == 0.5
    matrix[0, 1] = 3
    assert retrieval(matrix, labels, at=(1,), split="s", seed=0).recall[0].value == 1
    assert retrieval(matrix.T, labels, at=(1,), split="s", seed=0).recall[0].value == 0.5  # ties


def test_its_own_distance_does_not_count() -> None:
    points, labels = places(2)
    matrix = manhattan(points, points)
    plain = retrieval(matrix, labels, split="s", seed=0, draws=50)
    for own in (np.nan, np.inf, -5.0):
        odd = matrix.copy()
        np.fill_diagonal(odd, own)
        assert retrieval(odd, labels, split="s", seed=0, draws=50) == plain
        assert np.array_equal(np.diag(odd), np.full(len(odd), own), equal_nan=True)


def test_collapsed_embeddings_earn_chance() -> None:
    labels = np.repeat(np.arange(10), 3)
    judged = retrieval(np.zeros((30, 30)), labels, at=(1,), split="s", seed=0)
    assert judged.recall[0].value == pytest.approx(2 / 29)


def test_others_are_found_where_there_are_references() -> None:
    generator = np.random.default_rng(3)
    distance = generator.random((12, 30))
    labels = np.repeat(["a", "b", "c", "nowhere"], 3)
    known = np.array(["a", "b", "c", "elsewhere", "b"])[np.arange(30) % 5]
    found = retrieval(distance, labels, references=known, split="s", seed=0)
    assert (found.queries, found.left_out) == (9, 3)
    precision = [
        average_precision_score(known == label, -row)
        for label, row in zip(labels[:9], distance[:9], strict=True)
    ]
    assert found.mean_average_precision.value == pytest.approx(np.mean(precision))
    hits = [
        label in known[np.argsort(row)[:5]]
        for label, row in zip(labels[:9], distance[:9], strict=True)
    ]
    assert found.recall[1].value == pytest.approx(np.mean(hits))
    by_rows = retrieval(lambda query: distance[query], labels, references=known, split="s", seed=0)
    assert by_rows.as_dict() == found.as_dict()
    with pytest.raises(EvaluationError, match=r"expected distances \[12, 29\]"):
        retrieval(distance, labels, references=known[1:], split="s", seed=0)
    with pytest.raises(EvaluationError, match="one of its class to find"):
        retrieval(distance, labels, references=np.array(["d"] * 30), split="s", seed=0)


def test_clusters_may_be_wider_than_classes() -> None:
    points, labels = places(3, classes=18)
    judged = retrieval(
        manhattan(points, points),
        labels,
        clusters=labels // 3,
        cluster_unit="alphabets",
        split="s",
        seed=0,
        draws=50,
    )
    assert judged.recall[0].method == "percentile bootstrap over 6 alphabets, 50 draws"


def test_what_cannot_be_judged_is_refused() -> None:
    labels = np.array([0, 0, 1, 1])
    good = np.zeros((4, 4))
    with pytest.raises(EvaluationError, match="none of the 3 items has another of its class"):
        retrieval(good[:3, :3], [1, 2, 3], split="s", seed=0)
    with pytest.raises(EvaluationError, match=r"`labels` has shape \(2, 2\)"):
        retrieval(good, labels.reshape(2, 2), split="s", seed=0)
    with pytest.raises(EvaluationError, match=r"expected distances \[4, 4\].*got \(3, 4\)"):
        retrieval(good[:3], labels, split="s", seed=0)
    with pytest.raises(EvaluationError, match=r"returned shape \(4, 3\) for 4 queries of 4"):
        retrieval(lambda query: good[query, :3], labels, split="s", seed=0)
    with pytest.raises(EvaluationError, match=r"`clusters` has shape \(3,\); expected \(4,\)"):
        retrieval(good, labels, clusters=[1, 2, 3], split="s", seed=0)
    bad = good.copy()
    bad[2, 3] = np.nan
    with pytest.raises(EvaluationError, match=r"1 of 16 distances.*first at query, item 2, 3"):
        retrieval(bad, labels, split="s", seed=0)
    for at in [(), (0,), (5, -1)]:
        with pytest.raises(SettingsError, match="`at` must hold"):
            retrieval(good, labels, at=at, split="s", seed=0)
