"""What items and pairs must have: two classes, both kinds of pair, company in each class."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.checks import (
    check_any,
    check_both_kinds,
    check_classes,
    check_pairable,
    check_sense,
    contradictions,
    settle,
)
from gemel.errors import BadItemsError, DataError, Problem
from gemel.items import Items, Pairs, identities


def of(*labels: str, skipped: tuple[Problem, ...] = ()) -> Items:
    return Items(
        values=[f"{i}.png" for i in range(len(labels))],
        labels=np.array(labels, dtype=np.str_),
        name="some",
        origins=[f"some.csv row {i + 2}" for i in range(len(labels))],
        skipped=skipped,
    )


def pairs(*same: bool) -> Pairs:
    count = len(same)
    return Pairs(
        values=["a", "b"],
        left=np.zeros(count, dtype=np.int64),
        right=np.ones(count, dtype=np.int64),
        same=np.array(same, dtype=np.bool_),
    )


def test_settle() -> None:
    problem = Problem("a.png", "missing", "put it there")
    assert settle("x", [], skip_bad=False) == ()
    assert settle("x", [problem], skip_bad=True) == (problem,)
    with pytest.raises(BadItemsError, match="1 bad item in x") as caught:
        settle("x", [problem], skip_bad=False)
    assert caught.value.problems == (problem,)


def test_any_at_all() -> None:
    check_any(of("a"))
    with pytest.raises(DataError, match="some: expected items, got none; add some"):
        check_any(of())
    with pytest.raises(DataError, match=r"got none once 1 bad items are left out \(the first: r:"):
        check_any(of(skipped=(Problem("r", "bad"),)))


def test_two_classes_or_more() -> None:
    check_classes(of("a", "b"))
    with pytest.raises(
        DataError, match="some: expected two or more classes, got one class only, 'a'; "
    ):
        check_classes(of("a", "a"))
    with pytest.raises(DataError, match="got no items"):
        check_classes(of())
    with pytest.raises(DataError, match=r"'a' once 1 bad items are left out \(the first: r: bad\)"):
        check_classes(of("a", skipped=(Problem("r", "bad"),)))


def test_both_kinds_of_pair() -> None:
    check_both_kinds(pairs(True, False))
    with pytest.raises(
        DataError, match="pairs: expected pairs of both kinds, got 2 same and 0 diff"
    ):
        check_both_kinds(pairs(True, True))
    with pytest.raises(DataError, match="got 0 same and 1 different"):
        check_both_kinds(pairs(False))
    with pytest.raises(DataError, match="got 0 same and 0 different"):
        check_both_kinds(pairs())


def test_classes_of_one_item_are_named() -> None:
    check_pairable(of("a", "b", "b", "a"))
    with pytest.raises(BadItemsError) as caught:
        check_pairable(of("lone", "b", "b", "solo"))
    assert [str(problem) for problem in caught.value.problems] == [
        "some.csv row 2: the only item of class 'lone'; a pair of the same needs two "
        "(add another item of this class)",
        "some.csv row 5: the only item of class 'solo'; a pair of the same needs two "
        "(add another item of this class)",
    ]


Triple = tuple[int, int, bool]
triples = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7), st.booleans()), max_size=14)


def columns(rows: list[Triple]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    left, right, same = zip(*rows, strict=True) if rows else ((), (), ())
    return np.array(left, np.int64), np.array(right, np.int64), np.array(same, np.bool_)


def said(rows: list[Triple], count: int = 8) -> Pairs:
    left, right, same = columns(rows)
    return Pairs([f"{i}.png" for i in range(count)], left, right, same, name="table")


def closure(rows: list[Triple]) -> list[set[int]]:
    """For each item those it is the same as, by Warshall's three loops."""
    joined = [{i} for i in range(8)]
    for a, b, same in rows:
        if same:
            joined[a].add(b)
            joined[b].add(a)
    for k in range(8):
        for i in range(8):
            if k in joined[i]:
                joined[i] |= joined[k]
    return joined


@given(triples)
def test_identities_and_contradictions_against_three_loops(rows: list[Triple]) -> None:
    joined = closure(rows)
    left, right, same = columns(rows)
    found = identities(left, right, same, 8)
    assert [[found[i] == found[k] for k in range(8)] for i in range(8)] == [
        [k in joined[i] for k in range(8)] for i in range(8)
    ]
    wrong = [n for n, (a, b, same) in enumerate(rows) if not same and b in joined[a]]
    assert contradictions(left, right, same).tolist() == wrong


@given(
    st.lists(st.integers(0, 3), min_size=8, max_size=8),
    st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=40),
)
def test_consistent_pairs_raise_no_alarm(identity: list[int], rows: list[tuple[int, int]]) -> None:
    consistent = said([(a, b, identity[a] == identity[b]) for a, b in rows])
    check_sense(consistent)
    check_sense(consistent, content=np.array(identity))


@given(st.lists(st.integers(0, 2), min_size=8, max_size=8))
def test_all_pairs_flipped_are_refused(identity: list[int]) -> None:
    """Of three identities or fewer among eight items, all couples: three at least contradict."""
    rows = [(a, b, identity[a] != identity[b]) for a in range(8) for b in range(a)]
    if len(set(identity)) < 2:
        check_sense(said(rows))  # all different: nothing contradicts
        return
    if len(contradictions(*columns(rows))) >= 3:
        with pytest.raises(DataError, match="`same` seems to be the other way round"):
            check_sense(said(rows))


def test_the_pairs_are_named() -> None:
    rows = [(0, 0, False), (1, 1, False), (2, 2, False), (0, 1, True)]
    with pytest.raises(DataError) as caught:
        check_sense(said(rows))
    assert str(caught.value).startswith(
        "table: `same` seems to be the other way round. 3 pairs are said to be different though "
        "other pairs say, or their equal content shows (3 of them), that they are the same: "
        "0.png with 0.png; 1.png with 1.png; 2.png with 2.png, ..."
    )
    check_sense(said(rows[1:]))  # two are too few to say
    check_sense(said([*rows, (3, 3, True)]))  # the other way round contradicts too


def test_equal_content_counts_as_one_item() -> None:
    rows = [(0, 4, False), (1, 5, False), (2, 6, False), (0, 1, True)]
    check_sense(said(rows))
    with pytest.raises(DataError, match=r"3 of them.*0\.png with 4\.png"):
        check_sense(said(rows), content=np.array([9, 8, 7, 6, 9, 8, 7, 5]))
