"""Votes of the nearest, against the mean over all orders of what ties."""

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.errors import EvaluationError, SettingsError
from gemel.evaluation import vote_credit


def slow_votes(distance: list[float], labels: list[int], k: int, classes: int) -> np.ndarray:
    """The mean votes over every order in which the distances rise."""
    orders = [
        order
        for order in permutations(range(len(distance)))
        if all(distance[a] <= distance[b] for a, b in pairwise(order))
    ]
    return np.mean(
        [np.bincount([labels[i] for i in order[:k]], minlength=classes) for order in orders], axis=0
    )


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=6),
    st.integers(0, 2),
)
@settings(deadline=None)
def test_credit_is_that_of_all_orders(items: list[tuple[int, int]], answer: int) -> None:
    distance, labels = [float(one) for one, _ in items], [label for _, label in items]
    ks = range(1, len(items) + 1)
    found = vote_credit(lambda _: np.array([distance]), [answer], labels, most=ks)
    for k, credit in zip(ks, found[0], strict=True):
        votes = slow_votes(distance, labels, k, 3)
        leading = np.isclose(votes, votes.max())
        assert credit == pytest.approx(leading[answer] / leading.sum())


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.lists(st.integers(0, 4), min_size=3, max_size=3)),
        min_size=1,
        max_size=5,
    ),
    st.integers(0, 3),
)
def test_counts_are_items_of_one_place(places: list[tuple[int, list[int]]], answer: int) -> None:
    places = [(distance, counts) for distance, counts in places if sum(counts)]
    if not places:
        return
    each = [(d, c) for d, counts in places for c, count in enumerate(counts) for _ in range(count)]
    most = range(1, len(each) + 1)
    slow = vote_credit(
        lambda _: np.array([[d for d, _ in each]]), [answer], [c for _, c in each], most=most
    )
    found = vote_credit(
        lambda _: np.array([[d for d, _ in places]]),
        [answer],
        np.array([counts for _, counts in places]),
        most=most,
    )
    np.testing.assert_allclose(found, slow)


def test_many_queries_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    from gemel.evaluation import neighbour_vote

    generator = np.random.default_rng(0)
    distance = generator.integers(0, 9, (40, 70))
    labels, answers = generator.integers(0, 4, 70), generator.integers(0, 4, 40)
    asked = []

    def rows(queries: np.ndarray) -> np.ndarray:
        asked.append(len(queries))
        return distance[queries]

    whole = vote_credit(rows, answers, labels, most=(1, 7, 70))
    monkeypatch.setattr(neighbour_vote, "AT_ONCE", 210)
    parts = vote_credit(rows, answers, labels, most=(1, 7, 70))
    assert np.array_equal(whole, parts)
    assert asked == [40, *[3] * 13, 1]
    most = np.bincount(labels, minlength=4)
    leading = most == most.max()
    assert np.allclose(whole[:, 2], leading[answers] / leading.sum())


@pytest.mark.parametrize("most", [(), (0,), (4,)])
def test_no_such_k(most: tuple[int, ...]) -> None:
    with pytest.raises(SettingsError, match="between 1 and the 3 references"):
        vote_credit(lambda _: np.zeros((1, 3)), [0], [0, 1, 1], most=most)


def test_what_cannot_be_voted_on() -> None:
    with pytest.raises(EvaluationError, match="a distance is NaN"):
        vote_credit(lambda _: np.array([[0, np.nan]]), [0], [0, 1], most=(1,))
    with pytest.raises(EvaluationError, match=r"expected distances \[1, 2\].*got \[1, 3\]"):
        vote_credit(lambda _: np.zeros((1, 3)), [0], [0, 1], most=(1,))
    for counts in ([[1, 0], [0, 0]], [[1, 0], [2, -1]], [[1.0, 0.0], [1.0, 0.0]]):
        with pytest.raises(EvaluationError, match="some above 0 in each row"):
            vote_credit(lambda _: np.zeros((1, 2)), [0], np.array(counts), most=(1,))
    with pytest.raises(EvaluationError, match="`labels` must be whole numbers"):
        vote_credit(lambda _: np.zeros((1, 2)), [0], ["a", "b"], most=(1,))
    with pytest.raises(EvaluationError, match="`answers` must be whole numbers"):
        vote_credit(lambda _: np.zeros((1, 2)), [-1], [0, 1], most=(1,))
