"""Trajectories against interpolation and scaling written out point by point."""

import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.data.pens import Recording, as_array, read_pen
from gemel.errors import DataError, SettingsError
from gemel.inputs import Input, Pens, prepare
from gemel.inputs.pens import ROWS


def between(times: list[float], values: list[float], at: float) -> float:
    """Linear interpolation."""
    for i in range(len(times) - 1):
        if times[i] <= at <= times[i + 1]:
            share = (at - times[i]) / (times[i + 1] - times[i])
            return values[i] * (1 - share) + values[i + 1] * share
    return values[-1]


def slow_pens(pen: Pens, recording: Recording) -> list[list[float]]:
    """The docstring of `Pens`, word by word."""
    time = [0.0]
    for before, after in zip(recording.t[:-1].tolist(), recording.t[1:].tolist(), strict=True):
        longest = math.inf if pen.longest_gap is None else pen.longest_gap
        time.append(time[-1] + min(after - before, longest))
    down = [float(touches) for touches in recording.down.tolist()]
    pressure = [1.0] * len(down)
    if recording.pressure is not None:
        touched = [p for p, d in zip(recording.pressure.tolist(), down, strict=True) if d]
        pressure = [p / (sum(touched) / len(touched)) for p in recording.pressure.tolist()]
    even = [time[-1] * k / (pen.points - 1) for k in range(pen.points)]
    columns = (recording.x.tolist(), recording.y.tolist(), pressure, down)
    x, y, force, touches = ([between(time, values, at) for at in even] for values in columns)
    x, y = ([value - sum(row) / len(row) for value in row] for row in (x, y))
    size = math.sqrt(sum(a * a + b * b for a, b in zip(x, y, strict=True)) / pen.points)
    return [[v / size for v in x], [v / size for v in y], even, force, touches]


def made(count: int, seed: int, *, pressure: bool = True) -> Recording:
    """A pen that moves at random, lifted now and then, with a pause."""
    rng = np.random.default_rng(seed)
    steps = rng.uniform(0.001, 0.03, count)
    steps[count // 2] = 0.4
    down = rng.random(count) < 0.8
    down[0] = True
    return Recording(
        x=rng.normal(500, 100, count).cumsum(),
        y=rng.normal(-2, 30, count),
        t=np.concatenate([[0.0], steps[1:].cumsum()]),
        pressure=rng.uniform(1, 900, count) * down if pressure else None,
        down=down,
    )


@settings(max_examples=40)
@given(
    count=st.integers(2, 40),
    points=st.integers(16, 60),
    gap=st.sampled_from([None, 0.01, 0.05]),
    pressure=st.booleans(),
    seed=st.integers(0, 999),
)
def test_it_is_its_docstring(
    count: int, points: int, gap: float | None, pressure: bool, seed: int
) -> None:
    pen, recording = Pens(points, longest_gap=gap), made(count, seed, pressure=pressure)
    found = pen.read(recording)
    assert (found.shape, found.dtype) == (pen.shape, np.float32)
    np.testing.assert_allclose(found, slow_pens(pen, recording), rtol=1e-4, atol=2e-5)


def test_place_size_and_origin_of_time_do_not_matter_and_pace_does() -> None:
    one = made(50, 1)
    table = as_array(one)
    moved = table * [7, 7, 1, 3, 1] + [1000, -50, 10**12, 0, 0]
    slower = table * [1, 1, 2, 1, 1]
    pen = Pens(64, longest_gap=None)
    np.testing.assert_allclose(pen.read(moved), pen.read(one), atol=1e-4)
    twice = pen.read(slower)
    np.testing.assert_allclose(twice[2], 2 * pen.read(one)[2], rtol=1e-5)
    np.testing.assert_allclose(twice[[0, 1, 3, 4]], pen.read(one)[[0, 1, 3, 4]], atol=1e-5)


def test_pauses_are_shortened() -> None:
    rows = [[float(k), 0.0, 10.0 * k, 1.0, 1.0] for k in range(10)]
    rows += [[10.0 + k, 0.0, 5090.0 + 10 * k, 1.0, 1.0] for k in range(10)]
    value = np.array(rows)
    assert Pens(longest_gap=0.05).read(value)[2, -1] == pytest.approx(0.09 + 0.05 + 0.09)
    assert Pens(longest_gap=None).read(value)[2, -1] == pytest.approx(5.18)


@pytest.mark.parametrize(
    ("pressure", "down"),
    [
        ([0, 0, 0], [1, 1, 1]),  # a device without it writes zeros
        ([5, 6, 7], [0, 0, 0]),  # never down
        ([1e-12, 0, 1e9], [1, 1, 0]),
        ([-3, -4, -5], [1, 1, 1]),
    ],
)
def test_a_pressure_that_is_none_is_1(pressure: list[float], down: list[int]) -> None:
    rows = [[k, 2 * k, 10 * k, pressure[k], down[k]] for k in range(3)]
    assert (Pens(16).read(np.array(rows, dtype=float))[3] == 1).all()


def test_a_dot_stays_a_dot() -> None:
    found = Pens(16).read([[[3, 4, 0], [3, 4, 10]]])
    assert (found[:2] == 0).all()
    assert (found[4] == 1).all()


@settings(max_examples=100)
@given(
    st.lists(
        st.tuples(st.floats(-1e15, 1e15), st.floats(-1e-9, 1e-9), *[st.floats(-1e15, 1e15)] * 2),
        min_size=2,
        max_size=8,
    )
)
def test_whatever_is_read_gives_finite_numbers(rows: list[tuple[float, ...]]) -> None:
    table = np.array([[x, y, 10.0 * k, p, d > 0] for k, (x, y, p, d) in enumerate(rows)])
    assert np.isfinite(Pens(16).read(table)).all()


def test_it_is_an_input_whose_settings_make_it_again() -> None:
    for pen in (Pens(), Pens(32, longest_gap=None), Pens(200, longest_gap=1)):
        assert isinstance(pen, Input)
        again = Pens(**json.loads(json.dumps(pen.settings())))
        assert (again.settings(), again.shape) == (pen.settings(), (5, pen.points))
        assert repr(again) == repr(pen)
    assert Pens.kind == "pens"
    assert ROWS == ("x", "y", "time", "pressure", "down")


def test_a_batch_is_what_was_stored() -> None:
    pen = Pens(16)
    stored = prepare(pen, [made(20, seed) for seed in range(3)])
    pen.learn(stored)
    batch = pen.tensor(stored.batch(np.array([2, 0])))
    assert torch.equal(batch, torch.from_numpy(np.stack([pen.read(made(20, s)) for s in (2, 0)])))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"points": 15}, "`points` must be 16 or more; got 15"),
        ({"longest_gap": 0}, "`longest_gap` must be above 0"),
        ({"longest_gap": -1.0}, "`longest_gap` must be above 0"),
        ({"longest_gap": math.nan}, "`longest_gap` must be above 0"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Pens(**settings)


def test_what_is_no_recording_is_refused_with_its_origin() -> None:
    with pytest.raises(DataError, match=r"signer 3: the bytes|signer 3: expected a pen recording"):
        Pens().read(b"hello", "signer 3")
    assert read_pen([[[1, 2, 3], [4, 5, 6]]]).x.tolist() == [1, 4]
