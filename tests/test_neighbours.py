"""Neighbours against brute force; pairs of a graph: none left out, none paired wrongly."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gemel
from gemel import neighbours, sampling
from gemel.errors import DataError, SettingsError
from gemel.items import Items
from gemel.neighbours import nearest_neighbours
from gemel.sampling import GraphPairs, graph_pairs


def make(count: int, labels: list[str] | None = None) -> Items:
    return Items(
        np.zeros((count, 2)), np.array(labels or ["a"] * count), kind="numbers", name="made"
    )


def slow_nearest(values: np.ndarray, count: int) -> list[list[int]]:
    found = []
    for item in range(len(values)):
        far = [
            (int(((values[item].astype(int) - values[other].astype(int)) ** 2).sum()), other)
            for other in range(len(values))
            if other != item
        ]
        found.append([other for _, other in sorted(far)[:count]])
    return found


def slow_edges(rows: list[list[int]]) -> set[tuple[int, int]]:
    return {(min(i, j), max(i, j)) for i, row in enumerate(rows) for j in row if i != j}


def epoch(sampler: GraphPairs, number: int = 0) -> list[sampling.PairBatch]:
    steps = sampler.steps_per_epoch
    return [sampler.batch(step) for step in range(number * steps, (number + 1) * steps)]


class TestNearest:
    @pytest.mark.parametrize("at_once", [1, 100, 2**22])
    @pytest.mark.parametrize("most", [2, 255])
    def test_against_brute_force(
        self, monkeypatch: pytest.MonkeyPatch, at_once: int, most: int
    ) -> None:
        monkeypatch.setattr(neighbours, "_DISTANCES_AT_ONCE", at_once)
        pictures = np.random.default_rng(1).integers(0, most, (41, 3, 4)).astype(np.uint8)
        pictures[7] = pictures[3]  # with two tones there are many ties besides
        for count in (1, 5, 40):
            assert nearest_neighbours(pictures, count).tolist() == slow_nearest(pictures, count)

    def test_of_items_that_are_all_alike_the_first(self) -> None:
        found = nearest_neighbours(np.ones((4, 3)), 2)
        assert found.tolist() == [[1, 2], [0, 2], [0, 1], [0, 1]]

    def test_large_pixels_are_told_apart_exactly(self) -> None:
        """Squares of many bright pixels are beyond the whole numbers of float32."""
        pictures = np.full((3, 1024), 255, np.uint8)
        pictures[1, 0], pictures[2, :2] = 252, 253
        assert nearest_neighbours(pictures, 1).tolist() == [[2], [2], [1]]

    def test_what_cannot_be_is_refused_in_words(self) -> None:
        with pytest.raises(DataError, match="3 items have at most 2 neighbours each; got count=3"):
            nearest_neighbours(np.zeros((3, 2)), 3)
        with pytest.raises(SettingsError, match="`count` must be 1 or more; got 0"):
            nearest_neighbours(np.zeros((3, 2)), 0)
        with pytest.raises(DataError, match="item 1 has numbers that are not finite"):
            nearest_neighbours(np.array([[0.0], [np.nan], [1.0]]), 1)


graphs = st.integers(3, 9).flatmap(
    lambda n: st.lists(st.lists(st.integers(0, n - 1), max_size=5), min_size=n, max_size=n).filter(
        lambda rows: 0 < len(slow_edges(rows)) < n * (n - 1) // 2
    )
)


class TestGraphPairs:
    @given(rows=graphs, pairs=st.sampled_from([2, 6, 32]), number=st.integers(0, 3))
    @settings(max_examples=60)
    def test_an_epoch_is_all_edges_and_what_is_none(
        self, rows: list[list[int]], pairs: int, number: int
    ) -> None:
        sampler = GraphPairs(make(len(rows)), rows, pairs=pairs, seed=5)
        edges = slow_edges(rows)
        assert sorted(map(tuple, sampler.edges.tolist())) == sorted(edges)
        drawn: Counter[tuple[int, int]] = Counter()
        for batch in epoch(sampler, number):
            assert len(batch.same) == pairs
            assert batch.same.sum() == pairs // 2
            for left, right, same in zip(batch.left, batch.right, batch.same, strict=True):
                assert left != right
                pair = (min(left, right), max(left, right))
                assert (pair in edges) == same
                drawn.update([pair] if same else [])
        assert set(drawn) == edges
        assert max(drawn.values()) - min(drawn.values()) <= 1

    def test_all_other_pairs_are_equally_likely(self) -> None:
        rows = [[1, 3], [], [4], [], [0], []]
        sampler = GraphPairs(make(6), rows, pairs=2000)
        batch = sampler.batch(0)
        pairs = np.sort(np.stack([batch.left, batch.right], 1)[~batch.same], axis=1)
        drawn = Counter(map(tuple, pairs.tolist()))
        assert set(drawn) == set(combinations(range(6), 2)) - slow_edges(rows)
        assert min(drawn.values()) > 1000 / 11 * 0.6
        assert 0.4 < (batch.left < batch.right).mean() < 0.6
        assert 0.4 < batch.same[:1000].mean() < 0.6

    def test_pairs_of_many_items_are_numbered_without_a_slip(self) -> None:
        high = np.array([1, 2, 3, 94_906_267, 2**31 - 1, 2**31])
        for low in (np.zeros_like(high), high // 2, high - 1):
            found = graph_pairs._ends(high * (high - 1) // 2 + low)
            assert np.array_equal(found, [low, high])

    def test_a_batch_follows_from_its_step_alone(self) -> None:
        values = np.random.default_rng(0).random((40, 3))
        graph = nearest_neighbours(values, 3)
        straight, other = (GraphPairs(make(40), graph, pairs=8, seed=2) for _ in range(2))
        steps = 3 * straight.steps_per_epoch
        wanted = [columns(straight.batch(step)) for step in range(steps)]
        for step in np.random.default_rng(1).permutation(steps):
            assert columns(other.batch(int(step))) == wanted[step]
        again = GraphPairs(make(40), graph, pairs=8, seed=3)
        assert [columns(again.batch(step)) for step in range(steps)] != wanted
        assert isinstance(straight, sampling.Sampler)
        for column in vars(straight.batch(0)).values():
            assert column.dtype in (np.int64, np.bool_)

    def test_labels_are_not_looked_at(self) -> None:
        graph = nearest_neighbours(np.random.default_rng(0).random((20, 3)), 2)
        one = GraphPairs(make(20, ["a", "b"] * 10), graph, pairs=4)
        other = GraphPairs(make(20, ["a"] * 10 + ["b"] * 10), graph, pairs=4)
        for step in range(20):
            assert columns(one.batch(step)) == columns(other.batch(step))

    def test_its_words_tell_one_graph_from_another(self) -> None:
        one, two, same = (
            repr(GraphPairs(make(4), rows, pairs=6, seed=7))
            for rows in ([[1], [2], [], []], [[1], [3], [], []], [[0, 1, 1], [0], [1], []])
        )
        assert "pairs=6" in one
        assert "seed=7" in one
        assert one == same
        assert one != two

    @pytest.mark.parametrize(
        ("rows", "words"),
        [
            ([[1], [0]], "`neighbours` has 2 rows for the 3 items of made"),
            ([[1], [3], []], r"row 1 of `neighbours` must hold indices from 0 to 2.*got \[3\]"),
            ([[1], [0], [-1]], r"row 2 of `neighbours`.*got \[-1\]"),
            ([[1], [0.5], []], r"row 1 of `neighbours`.*got \[0.5\]"),
            ([[[1]], [], []], "row 0 of `neighbours`"),
            ([[0], [], []], "no two items of made are neighbours, so .* the same: give some"),
            (
                [[1, 2], [2], []],
                "all two items of made are neighbours, so .* different: give fewer",
            ),
        ],
    )
    def test_graphs_that_cannot_be_are_refused(self, rows: list[list[int]], words: str) -> None:
        with pytest.raises(DataError, match=words):
            GraphPairs(make(3), rows)

    def test_settings_that_cannot_be_are_refused(self) -> None:
        rows = [[1], [], []]
        with pytest.raises(SettingsError, match=r"`pairs` must be even, .* got 5"):
            GraphPairs(make(3), rows, pairs=5)
        with pytest.raises(SettingsError, match="`pairs` must be 2 or more; got 0"):
            GraphPairs(make(3), rows, pairs=0)
        with pytest.raises(SettingsError, match="`seed` must be 0 or more; got -1"):
            GraphPairs(make(3), rows, seed=-1)
        with pytest.raises(SettingsError, match="`step` must be 0 or more; got -1"):
            GraphPairs(make(3), rows).batch(-1)


def test_it_is_a_public_room() -> None:
    assert gemel.sampling.GraphPairs is GraphPairs


def columns(batch: sampling.PairBatch) -> list[list[int]]:
    return [column.tolist() for column in vars(batch).values()]
