"""Numbers: standardised by the training items, and refused where they are none."""

import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gemel.errors import DataError, SettingsError
from gemel.inputs import Input, Numbers, numbers, prepare


def learnt(rows: np.ndarray) -> Numbers:
    made = Numbers(rows.shape[1])
    made.learn(prepare(made, rows))
    return made


@given(
    rows=hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 12), st.integers(1, 4)),
        elements=st.integers(-(10**6), 10**6).map(lambda number: np.float32(number / 1000)),
    )
)
@settings(max_examples=50, deadline=None)
def test_standardises_by_the_training_items(rows: np.ndarray) -> None:
    made = learnt(rows)
    assert made.mean is not None
    assert made.sd is not None
    for column, values in enumerate(rows.T.astype(np.float64).tolist()):
        mean = math.fsum(values) / len(values)
        sd = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))
        assert made.mean[column] == pytest.approx(mean, abs=1e-9)
        if max(values) == min(values):
            assert made.sd[column] == 0
            expected = [0.0] * len(values)
        else:
            assert made.sd[column] == pytest.approx(sd, rel=1e-6)
            expected = [(value - mean) / sd for value in values]
        out = made.tensor(torch.from_numpy(rows))[:, column]
        np.testing.assert_allclose(out.numpy(), expected, rtol=1e-4, atol=1e-4)


def test_scales_far_apart_and_steady_columns() -> None:
    generator = np.random.default_rng(0)
    rows = generator.normal([0, 1e6, 1e-6, 0.1, 12345.678], [1, 10, 1e-7, 0, 0], (200, 5))
    out = learnt(rows).tensor(torch.from_numpy(rows.astype(np.float32)))
    np.testing.assert_allclose(out.mean(0).numpy(), 0, atol=0.02)
    np.testing.assert_allclose(out.std(0).numpy(), [1, 1, 1, 0, 0], atol=0.02)
    assert (out[:, 3:] == 0).all()


def test_learns_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(1).normal(3, 2, (50, 3))
    whole = learnt(rows)
    monkeypatch.setattr(numbers, "ROWS", 7)
    parts = learnt(rows)
    assert parts.mean == pytest.approx(whole.mean)
    assert parts.sd == pytest.approx(whole.sd)


def test_settings_make_it_again_to_the_bit() -> None:
    rows = np.random.default_rng(2).normal(3, 2, (50, 3)).astype(np.float32)
    made = learnt(rows)
    again = Numbers(**json.loads(json.dumps(made.settings())))
    stored = torch.from_numpy(rows)
    assert torch.equal(again.tensor(stored), made.tensor(stored))
    assert repr(again) == "Numbers(3, standardised)"
    before = again.settings()
    again.learn(prepare(again, rows + 5))
    assert again.settings() == before  # what was learnt stays: the weights hang on it


def test_numbers_are_passed_on_until_it_learns() -> None:
    made = Numbers(2)
    stored = torch.tensor([[1.0, 7.0]])
    assert torch.equal(made.tensor(stored), stored)
    assert made.settings() == {"features": 2, "mean": None, "sd": None}
    assert repr(made) == "Numbers(2, as they are)"


def test_is_an_input() -> None:
    made = Numbers(4)
    assert isinstance(made, Input)
    assert (made.kind, made.shape, made.dtype) == ("numbers", (4,), "float32")


@pytest.mark.parametrize("value", [[1, 2], (1.0, 2.0), np.array([1, 2], np.int16), ["1", "2"]])
def test_reads_rows(value: Any) -> None:
    row = Numbers(2).read(value)
    assert row.dtype == np.float32
    assert row.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([1, 2, 3], r"row 7: expected 2 numbers in a row; got shape \(3,\)"),
        ([[1, 2]], r"row 7: expected 2 numbers in a row; got shape \(1, 2\)"),
        (5, r"row 7: expected 2 numbers in a row; got shape \(\)"),
        ("a.png", "row 7: expected 2 numbers; got 'a.png'"),
        (None, r"row 7: "),
        ([1, [2, 3]], r"row 7: expected 2 numbers; got \[1, \[2, 3\]\]"),
        ([1, math.nan], "row 7: number 2 is nan; it must be finite"),
        ([-math.inf, 2], "row 7: number 1 is -inf"),
        ([1, 1e300], "row 7: number 2 is 1e.300; .*within the range of float32"),
    ],
)
def test_names_what_is_no_row(value: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        Numbers(2).read(value, "row 7")
    with pytest.raises(DataError, match=r"^(expected|number)"):
        Numbers(2).read(value)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"features": 0}, "`features` must be 1 or more; got 0"),
        ({"features": 2, "mean": [0, 0]}, "both `mean` and `sd`, or neither"),
        ({"features": 2, "mean": [0], "sd": [1, 1]}, "`mean` has 1 numbers for 2 features"),
        ({"features": 2, "mean": [0, 0], "sd": [1, 1, 1]}, "`sd` has 3 numbers"),
        ({"features": 1, "mean": [math.nan], "sd": [1]}, "`mean` must be finite"),
        ({"features": 1, "mean": [0], "sd": [-1]}, "`sd` must be 0 or more; got -1"),
    ],
)
def test_impossible_settings(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        Numbers(**wrong)
