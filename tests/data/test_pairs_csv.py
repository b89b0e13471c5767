"""A CSV of pairs: pictures or numbers, and every way in which a row can be bad."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import refusals
from numpy.testing import assert_array_equal

from gemel.data.pairs_csv import pairs_csv
from gemel.errors import DataError


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name in "abcd":
        (tmp_path / f"{name}.png").write_bytes(b"not decoded")
    return tmp_path


def written(home: Path, *lines: str) -> Path:
    return refusals.written(home / "some.csv", *lines)


problems = partial(refusals.problems, pairs_csv)
refusal = partial(refusals.refusal, pairs_csv)


def test_pictures(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    path = written(
        home, "same,left,right", "yes,a.png,b.png", f"NO,{home}/b.png,c.png", "0,./d.png,a.png"
    )
    pairs = pairs_csv(path)
    assert [value.name for value in pairs.values] == ["a.png", "b.png", "c.png", "d.png"]
    assert all(isinstance(value, Path) and value.is_absolute() for value in pairs.values)
    assert pairs.left.tolist() == [0, 1, 3]
    assert pairs.right.tolist() == [1, 2, 0]  # each item once, however many pairs it is in
    assert pairs.same.tolist() == [True, False, False]
    assert (pairs.kind, pairs.name, pairs.skipped) == ("images", "some", ())
    assert pairs.origin(1) == f"{home}/b.png ({path} row 2 right)"
    assert pairs_csv(str(path), name="others").name == "others"


@pytest.mark.parametrize("word", ["true", "True", "TRUE", "1", "yes", "Yes", " yes "])
@pytest.mark.parametrize("other", ["false", "False", "FALSE", "0", "no", "NO"])
def test_words_for_same(home: Path, word: str, other: str) -> None:
    path = written(home, "left,right,same", f"a.png,b.png,{word}", f"a.png,c.png,{other}")
    assert pairs_csv(path).same.tolist() == [True, False]


@pytest.mark.parametrize("word", ["", "2", "-1", "maybe", "1.0", "t", "nan", "truefalse"])
def test_other_words_for_same(home: Path, word: str) -> None:
    path = written(home, "left,right,same", "a.png,b.png,1", f"a.png,c.png,{word}", "a.png,d.png,0")
    assert problems(path) == [f"3: `same` is {word!r}; expected true or false, yes or no, 1 or 0"]
    rest = pairs_csv(path, skip_bad=True)
    assert rest.same.tolist() == [True, False]
    assert [value.name for value in rest.values] == ["a.png", "b.png", "d.png"]
    assert [problem.where for problem in rest.skipped] == [f"{path} row 3"]


def test_numbers_in_cells(home: Path) -> None:
    path = written(home, "left,right,same", "0.5 1,2 3e1,no", " 2   30.0,-1 0,yes", "7 8,7 8,yes")
    pairs = pairs_csv(path)
    assert pairs.kind == "numbers"
    assert isinstance(pairs.values, np.ndarray)
    assert pairs.values.dtype == np.float64
    assert_array_equal(pairs.values, [[0.5, 1], [2, 30], [-1, 0], [7, 8]])
    assert pairs.left.tolist() == [0, 1, 3]
    assert pairs.right.tolist() == [1, 2, 3]
    assert pairs.origin(2) == f"{path} row 3 right"


def test_numbers_in_columns(home: Path) -> None:
    header = "right_2,left_1,same,Left_2,right_1"
    pairs = pairs_csv(written(home, header, "4,1,yes,2,3", "9,3,no,4,1"))
    assert_array_equal(pairs.values, [[1, 2], [3, 4], [1, 9]])
    assert pairs.left.tolist() == [0, 1]
    assert pairs.right.tolist() == [1, 2]
    single = pairs_csv(written(home, "left_1,right_1,same", "1,2,yes", "1,3,no"))
    assert_array_equal(single.values, [[1], [2], [3]])


def test_more_than_nine_columns_keep_their_order(home: Path) -> None:
    names = [f"{side}_{i}" for side in ("left", "right") for i in range(1, 12)]
    rows = [",".join(map(str, [*range(22), 1])), ",".join(map(str, [*range(100, 122), 0]))]
    pairs = pairs_csv(written(home, ",".join([*names, "same"]), *rows))
    assert_array_equal(pairs.values[0], np.arange(11))
    assert_array_equal(pairs.values[1], np.arange(11, 22))


@pytest.mark.parametrize(
    "header",
    [
        "left,right",
        "left,right,same,note",
        "left,same",
        "same",
        "left_1,left_3,right_1,same",
        "left_1,right_2,same",
        "left_0,right_0,same",
        "left_1,right_1,left,same",
        "path,label",
        "left;right;same",
    ],
)
def test_wrong_headers(home: Path, header: str) -> None:
    path = written(home, header, ",".join("1" * len(header.split(","))))
    message = refusal(path)
    assert message.startswith(f"{path}: expected the header left,right,same (paths of pictures")
    assert f"found {header!r}" in message


def test_every_bad_row_of_pictures_is_named(home: Path) -> None:
    path = written(
        home,
        "left,right,same",
        "a.png,b.png,yes",
        "gone.png,lost.png,perhaps",  # 3
        "gone.png,gone.png,yes",  # 4: said once
        ",b.png,no",  # 5
        "a.png,b.png",  # 6
        "0.1 0.2,0.3 0.4,no",  # 7: numbers among pictures
        "a.png,c.png,no",
    )
    assert problems(path) == [
        "6: 2 cells, where the header has 3 (left,right,same)",
        "3: no file gone.png",
        "3: no file lost.png",
        "3: `same` is 'perhaps'; expected true or false, yes or no, 1 or 0",
        "4: no file gone.png",
        "5: left is empty",
        "7: no file 0.1 0.2",
        "7: no file 0.3 0.4",
    ]
    rest = pairs_csv(path, skip_bad=True)
    assert rest.same.tolist() == [True, False]
    assert len(rest.skipped) == 8


def test_every_bad_row_of_numbers_is_named(home: Path) -> None:
    path = written(
        home,
        "left,right,same",
        "1 2,3,yes",  # 2: the first row does not rule
        "1 2,3 4,yes",
        "1 nan,3 4,yes",  # 4
        "a.png,3 4,yes",  # 5
        "1 2,,no",  # 6
        "1 2 3,4 5 6,no",  # 7
        "1 2,5 6,no",
    )
    assert problems(path) == [
        "2: its numbers: 2 left and 1 right, where most rows have 2 left and 2 right",
        "4: left is nan, which is no finite 32-bit number",
        "5: left is 'a.png', which is no number",
        "6: right is empty",
        "7: its numbers: 3 left and 3 right, where most rows have 2 left and 2 right",
    ]
    rest = pairs_csv(path, skip_bad=True)
    assert_array_equal(rest.values, [[1, 2], [3, 4], [5, 6]])
    path = written(home, "left_1,right_1,same", "1,2,yes", "1,x,no", ",2,no", "1,3,no")
    assert problems(path) == ["3: right_1 is 'x', which is no number", "4: left_1 is empty"]


def test_rows_twice_and_rows_that_contradict(home: Path) -> None:
    path = written(
        home,
        "left,right,same",
        "a.png,b.png,yes",
        "a.png,c.png,no",
        "a.png,./b.png,1",  # 4: row 2 again
        "b.png,a.png,yes",  # the other way round is a pair of its own
        "c.png,d.png,no",  # 6
        "d.png,c.png,yes",  # 7: the contrary
        "c.png,d.png,no",  # 8
        "d.png,d.png,no",  # 9
        "d.png,d.png,yes",
    )
    assert problems(path) == [
        "4: says the same as row 2",
        "6: says different where row 7 says same of the same two",
        "7: says same where row 6 says different of the same two",
        "8: says different where row 7 says same of the same two",
        "9: an item is said to differ from itself",
    ]
    rest = pairs_csv(path, skip_bad=True)
    assert rest.same.tolist() == [True, False, True, True]
    assert [value.name for value in rest.values] == ["a.png", "b.png", "c.png", "d.png"]


def test_pairs_of_one_kind_only(home: Path) -> None:
    path = written(home, "left,right,same", "a.png,b.png,yes", "a.png,c.png,yes")
    assert refusal(path).startswith(
        "some: expected pairs of both kinds, got 2 same and 0 different"
    )


def test_no_good_row(home: Path) -> None:
    path = written(home, "left,right,same", "gone.png,b.png,yes", "a.png,c.png,so")
    with pytest.raises(DataError, match="none of its 2 rows is good; the first problem: "):
        pairs_csv(path, skip_bad=True)
    path = written(home, "left_1,right_1,same", "x,y,yes")
    assert problems(path) == [
        "2: left_1 is 'x', which is no number",
        "2: right_1 is 'y', which is no number",
    ]


def test_a_split_shares_no_identity(home: Path) -> None:
    lines = [f"{i},{i + 0.5},yes" for i in range(20)] + [f"{i},{i + 1},no" for i in range(19)]
    pairs = pairs_csv(written(home, "left_1,right_1,same", *lines))
    train, unseen = pairs.split_classes(0.5, seed=0)
    shared = {float(v[0]) for v in train.values} & {float(v[0]) for v in unseen.values}
    assert shared == set()


def test_same_the_other_way_round(home: Path) -> None:
    lines = [f"{i},{i},0" for i in range(3)] + ["0,1,1", "1,2,1"]
    message = refusal(written(home, "left_1,right_1,same", *lines))
    assert "some.csv: `same` seems to be the other way round. 3 pairs are" in message
    assert "row 2; row 3; row 4, ..." in message
    assert "Swap true and false (1 and 0)" in message
    # by transitivity: 0 = 1, 1 = 2, yet 0 differs from 2; three times
    lines = [f"{n}{a},{n}{b},{s}" for n in (1, 2, 3) for a, b, s in ("011", "121", "020")]
    message = refusal(written(home, "left_1,right_1,same", *lines))
    assert "row 4; row 7; row 10, ..." in message
    with pytest.raises(DataError, match="the other way round"):
        pairs_csv(home / "some.csv", skip_bad=True)


def test_two_bad_rows_are_no_other_reading(home: Path) -> None:
    path = written(home, "left_1,right_1,same", "1,1,0", "2,2,0", "1,2,0", "1,3,1")
    assert problems(path) == [
        "2: an item is said to differ from itself",
        "3: an item is said to differ from itself",
    ]
