"""What items and pairs must have: two classes, both kinds of pair, company in each class."""

import numpy as np
import pytest

from gemel.checks import check_both_kinds, check_classes, check_pairable, leave_out_lone, settle
from gemel.errors import BadItemsError, DataError, Problem
from gemel.items import Items, Pairs


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


def test_classes_of_one_item_are_left_out() -> None:
    full = of("a", "b", "b", "a")
    assert leave_out_lone(full) is full
    earlier = Problem("some.csv row 9", "bad")
    rest = leave_out_lone(of("a", "b", "lone", "b", "a", skipped=(earlier,)))
    assert rest.labels.tolist() == ["a", "b", "b", "a"]
    assert rest.values == ["0.png", "1.png", "3.png", "4.png"]
    assert [problem.where for problem in rest.skipped] == ["some.csv row 9", "some.csv row 4"]
    with pytest.raises(DataError, match="one class only, 'a' once 1 bad items"):
        leave_out_lone(of("a", "a", "b"))
    with pytest.raises(DataError, match="no items once 2 bad"):
        leave_out_lone(of("a", "b"))
