"""Numbers written as text."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from gemel.data.numbers import numbers_in, parse_row
from gemel.errors import DataError


def test_faults_are_named() -> None:
    cells = [("a", "1"), ("b", "x"), ("c", ""), ("d", "nan"), ("e", "1e39"), ("f", "-1e38")]
    values, faults = numbers_in(cells)
    assert faults == [
        "b is 'x', which is no number",
        "c is empty",
        "d is nan, which is no finite 32-bit number",
        "e is 1e39, which is no finite 32-bit number",
    ]
    assert values[0] == 1
    assert math.isnan(values[1])
    assert values[-1] == -1e38
    assert numbers_in([]) == ((), [])


@given(st.lists(st.floats(-3e38, 3e38), min_size=1, max_size=5), st.sampled_from([" ", ",", ", "]))
def test_a_row_comes_back_as_it_was_written(numbers: list[float], between: str) -> None:
    row = parse_row(between.join(map(repr, numbers)))
    assert row.dtype == np.float64
    assert_array_equal(row, numbers)


def test_rows_that_are_none() -> None:
    with pytest.raises(DataError, match=r"the row: expected a row of numbers .* got '': nothing"):
        parse_row("")
    with pytest.raises(
        DataError, match=r"the command line: .*number 2 is 'ada\.png', which is no num"
    ):
        parse_row("1 ada.png inf", where="the command line")
