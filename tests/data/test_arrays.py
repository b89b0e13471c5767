"""Arrays and tensors in memory: what is taken, how it is kept, and what is refused."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from gemel.data.arrays import arrays, pair_arrays
from gemel.errors import BadItemsError, DataError

RANDOM = np.random.default_rng(0)
DRAWINGS = RANDOM.integers(0, 256, (4, 5, 6), dtype=np.uint8)
ROWS = RANDOM.normal(size=(4, 3))
LABELS = ["b", "a", "a", "b"]


def problems(*given: Any, call: Any = arrays, **settings: Any) -> list[str]:
    with pytest.raises(BadItemsError) as caught:
        call(*given, **settings)
    return [str(problem) for problem in caught.value.problems]


def test_pictures() -> None:
    items = arrays(DRAWINGS, LABELS)
    assert items.values is DRAWINGS  # nothing is copied
    assert items.labels.tolist() == LABELS
    assert (items.kind, items.name, items.groups) == ("images", "arrays", None)
    assert items.origin(2) == "arrays item 2"
    assert items.skipped == ()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pictures_with_channels(channels: int) -> None:
    values = RANDOM.integers(0, 256, (4, 5, 6, channels), dtype=np.uint8)
    assert_array_equal(arrays(values, LABELS).values, values)


def test_other_pictures_are_kept_with_8_bits() -> None:
    for values in (
        DRAWINGS / 255,
        (DRAWINGS / 255).astype(np.float32),
        DRAWINGS.astype(np.uint16) * 257,
        torch.from_numpy(DRAWINGS),
        torch.from_numpy(DRAWINGS / 255).requires_grad_(),
    ):
        kept = arrays(values, LABELS).values
        assert isinstance(kept, np.ndarray)
        assert kept.dtype == np.uint8
        assert_array_equal(kept, DRAWINGS)
    assert_array_equal(arrays(DRAWINGS > 99, LABELS).values, (DRAWINGS > 99) * 255)


def test_numbers() -> None:
    items = arrays(ROWS, LABELS, name="rows")
    assert items.kind == "numbers"
    assert items.values is ROWS
    for values, dtype in (
        (ROWS.astype(np.float32), np.float32),
        (torch.from_numpy(ROWS).float(), np.float32),
        (np.arange(12).reshape(4, 3), np.float64),
        (torch.arange(12).view(4, 3), np.float64),
        (ROWS > 0, np.float64),
        (ROWS.astype(np.float16), np.float64),
        (ROWS.tolist(), np.float64),
    ):
        kept = arrays(values, LABELS).values
        assert isinstance(kept, np.ndarray)
        assert kept.dtype == dtype
        assert_array_equal(kept, np.asarray(values))


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ((7, 10, 7, 7), ["7", "10", "7", "7"]),
        (np.array([1, 0, 0, 2]), ["1", "0", "0", "2"]),
        (torch.tensor([1, 0, 0, 2]), ["1", "0", "0", "2"]),
        (np.array(["x", " y ", "x", "x"]), ["x", "y", "x", "x"]),
        (np.array(["x", "yy", "x", "x"], dtype=object), ["x", "yy", "x", "x"]),
    ],
)
def test_labels(labels: Any, expected: list[str]) -> None:
    assert arrays(ROWS, labels).labels.tolist() == expected
    groups = arrays(ROWS, ["a", "b", "c", "d"], groups=labels).groups
    assert groups is not None
    assert groups.tolist() == expected


def test_missing_labels_and_groups() -> None:
    found = problems(ROWS, ["a", None, "", float("nan")], groups=["g", "g", " ", "h"], name="rows")
    assert found == [
        "rows item 1: the label is empty (give it)",
        "rows item 2: the label is empty (give it)",
        "rows item 2: the group is empty (give it)",
        "rows item 3: the label is empty (give it)",
    ]


def test_numbers_that_are_none() -> None:
    values = ROWS.copy()
    values[1, 2], values[3, 0] = np.nan, -np.inf
    found = problems(values, LABELS)
    assert [line.split(" (")[0] for line in found] == [
        "arrays item 1: a number is NaN or infinite",
        "arrays item 3: a number is NaN or infinite",
    ]
    items = arrays(values, LABELS, groups=[5, 6, 7, 8], skip_bad=True)
    assert_array_equal(items.values, ROWS[[0, 2]])
    assert items.labels.tolist() == ["b", "a"]
    assert items.groups is not None
    assert items.groups.tolist() == ["5", "7"]
    assert items.origin(1) == "arrays item 2"  # as the user counts
    assert [problem.where for problem in items.skipped] == ["arrays item 1", "arrays item 3"]


def test_pixels_that_are_none() -> None:
    values = DRAWINGS / 255
    values[0, 0, 0], values[2] = np.nan, values[2] * 255
    found = problems(values, LABELS)
    assert found[0].startswith("arrays item 0: a pixel is NaN or infinite")
    assert found[1].startswith("arrays item 2: pixels: expected floats from 0 to 1, got 0 to 2")
    assert len(found) == 2
    assert_array_equal(arrays(values, LABELS, skip_bad=True).values, DRAWINGS[[1, 3]])


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.zeros(4), r"`values` must be pictures .* got \[4\]"),
        (np.zeros((4, 3, 8, 8)), r"got \[4, 3, 8, 8\]; channels come last.*permute"),
        (np.zeros((4, 1, 8, 8, 3)), r"got \[4, 1, 8, 8, 3\]"),
        (np.zeros((0, 3)), r"got \[0, 3\]"),
        (np.zeros((4, 0, 3)), r"got \[4, 0, 3\]"),
        (np.zeros((4, 8, 8), dtype=np.int64), "`values`: expected uint8, .* got int64"),
        (np.zeros((4, 3), dtype=np.complex128), "`values` must hold numbers; got complex128"),
        ([["a"], ["b"], ["c"], ["d"]], "`values` must hold numbers; got <U1"),
        ([[1, 2], [3]], "`values` is no array: .*rows of equal length"),
        (torch.zeros(4, 3, dtype=torch.bfloat16), "`values` is no array: .*NumPy has"),
    ],
)
def test_values_that_are_refused(values: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        arrays(values, LABELS)


def test_labels_that_are_refused() -> None:
    for labels in (LABELS[:3], np.zeros((4, 1)), torch.zeros(5)):
        with pytest.raises(DataError, match="`labels` must have one entry for each of the 4 items"):
            arrays(ROWS, labels)
    with pytest.raises(DataError, match=r"`groups` must have one entry .* got \[2\]"):
        arrays(ROWS, LABELS, groups=["a", "b"])
    assert arrays(ROWS, [1, 1, 1, 1]).classes == ("1",)  # enough to enrol somebody
    with pytest.raises(DataError, match="arrays: expected items, got none once 4 bad items"):
        arrays(ROWS, ["", "", "", ""], skip_bad=True)


# Pairs


def test_pairs_of_numbers() -> None:
    pairs = pair_arrays(ROWS[[0, 1, 0]], ROWS[[2, 0, 3]], np.array([True, False, False]))
    assert_array_equal(pairs.values, ROWS[[0, 1, 2, 3]])  # each item once
    assert pairs.left.tolist() == [0, 1, 0]
    assert pairs.right.tolist() == [2, 0, 3]
    assert pairs.same.tolist() == [True, False, False]
    assert (pairs.kind, pairs.name) == ("numbers", "pairs")
    assert [pairs.origin(i) for i in range(4)] == [
        *("pairs pair 0 left", "pairs pair 1 left", "pairs pair 0 right", "pairs pair 2 right")
    ]


def test_pairs_of_pictures_and_tensors() -> None:
    left, right = torch.from_numpy(DRAWINGS / 255), torch.from_numpy(DRAWINGS[::-1] / 255)
    pairs = pair_arrays(left, right, torch.tensor([True, False, False, True]), name="drawings")
    assert pairs.kind == "images"
    assert isinstance(pairs.values, np.ndarray)
    assert pairs.values.dtype == np.uint8
    assert_array_equal(pairs.values, DRAWINGS)
    assert pairs.right.tolist() == [3, 2, 1, 0]
    for place in range(4):
        assert_array_equal(pairs.values[pairs.right[place]], DRAWINGS[::-1][place])


def test_bad_pairs() -> None:
    left, right = ROWS.copy(), ROWS[::-1].copy()
    left[0, 0], right[0, 1], right[2, 2] = np.inf, np.nan, np.nan
    same = np.array([True, False, True, True])
    found = problems(left, right, same, call=pair_arrays)
    assert [line.split(" (")[0] for line in found] == [
        "pairs pair 0: left: a number is NaN or infinite",
        "pairs pair 0: right: a number is NaN or infinite",
        "pairs pair 2: right: a number is NaN or infinite",
    ]
    rest = pair_arrays(left, right, same, skip_bad=True)
    assert rest.same.tolist() == [False, True]
    assert_array_equal(rest.values[rest.left], left[[1, 3]])
    assert_array_equal(rest.values[rest.right], right[[1, 3]])
    assert rest.origin(0) == "pairs pair 1 left"
    assert len(rest.skipped) == 3


def test_pairs_that_are_refused() -> None:
    same = np.array([True, False, True, True])
    with pytest.raises(DataError, match=r"one shape and type; got \[4, 3\] float64 and \[4, 2\]"):
        pair_arrays(ROWS, ROWS[:, :2], same)
    with pytest.raises(DataError, match=r"float64 and .* float32"):
        pair_arrays(ROWS, ROWS.astype(np.float32), same)
    with pytest.raises(DataError, match=r"must hold 4 booleans.* got \[4\] int64.* same == 1"):
        pair_arrays(ROWS, ROWS[::-1], same.astype(np.int64))
    with pytest.raises(DataError, match=r"must hold 4 booleans.* got \[3\] bool"):
        pair_arrays(ROWS, ROWS[::-1], same[:3])
    with pytest.raises(DataError, match="got 4 same and 0 different"):
        pair_arrays(ROWS, ROWS[::-1], np.ones(4, dtype=np.bool_))
    with pytest.raises(DataError, match="got 0 same and 0 different once 8 bad items"):
        pair_arrays(ROWS * np.nan, ROWS * np.nan, same, skip_bad=True)
