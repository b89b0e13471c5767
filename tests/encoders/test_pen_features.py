"""Every channel against derivatives written out point by point, and gradients by differences."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from gemel.encoders.pen_features import BROMLEY, CHANNELS, MODERN, SLOW, TINY, PenFeatures
from gemel.errors import SettingsError

Row = list[float]
POINTS = 23


def trajectories(count: int, points: int = POINTS, seed: int = 0) -> Tensor:
    """Smooth made-up writing, in float64."""
    rng = np.random.default_rng(seed)
    k = np.linspace(0, 1, points)
    out = []
    for _ in range(count):
        waves = [
            sum(rng.normal() * np.sin(f * 6 * k + rng.uniform(0, 6)) for f in (1, 2, 3))
            for _ in range(3)
        ]
        down = (np.sin(9 * k + rng.uniform(0, 6)) > -0.5).astype(float)
        out.append([waves[0], waves[1], rng.uniform(0.5, 3) * k, 1 + 0.3 * waves[2], down])
    return torch.tensor(np.array(out))


def difference(row: Row, step: float) -> Row:
    """Central differences; at the ends one-sided."""
    last = len(row) - 1
    return [
        (row[min(i + 1, last)] - row[max(i - 1, 0)]) / (min(i + 1, last) - max(i - 1, 0)) / step
        for i in range(len(row))
    ]


def smoothed(row: Row) -> Row:
    """The mean of three neighbours; beyond the ends the last value again."""
    last = len(row) - 1
    return [sum(row[min(max(i + k, 0), last)] for k in (-1, 0, 1)) / 3 for i in range(len(row))]


def mean(row: Sequence[float]) -> float:
    return sum(row) / len(row)


def deviation(row: Row) -> float:
    """With one less than the count below."""
    return math.sqrt(sum((v - mean(row)) ** 2 for v in row) / (len(row) - 1))


def standard(row: Row) -> Row:
    return [(v - mean(row)) / (deviation(row) + TINY) for v in row]


def unit(row: Row) -> Row:
    size = math.sqrt(mean([v * v for v in row]) + TINY)
    return [v / size for v in row]


def level(row: Row, size: float) -> Row:
    """Less the line fitted by least squares, over `size`."""
    slope, offset = np.polyfit(range(len(row)), row, 1)
    return [(v - slope * i - offset) / (size + TINY) for i, v in enumerate(row)]


def slow_channels(trajectory: list[Row]) -> dict[str, Row]:
    x, y, time, pressure, down = trajectory
    step = time[-1] / (len(time) - 1)

    def slope(row: Row) -> Row:
        return smoothed(difference(row, step))

    vx, vy = slope(x), slope(y)
    ax, ay = slope(vx), slope(vy)
    moving = range(len(x))
    speed = [math.sqrt(vx[i] ** 2 + vy[i] ** 2 + TINY) for i in moving]
    cosine, sine = ([v[i] / speed[i] for i in moving] for v in (vx, vy))
    turn = [cosine[i - 1] * cosine[i + 1] + sine[i - 1] * sine[i + 1] for i in range(1, len(x) - 1)]
    return {
        "pen": [2 * d - 1 for d in down],
        "level_x": level(x, deviation(y)),
        "level_y": level(y, deviation(y)),
        "speed": unit(speed),
        "centripetal": unit([(vx[i] * ay[i] - vy[i] * ax[i]) / speed[i] for i in moving]),
        "tangential": unit(slope(speed)),
        "direction": cosine,
        "curvature": [turn[0], *turn, turn[-1]],
        "x": standard(x),
        "y": standard(y),
        "velocity_x": standard(vx),
        "velocity_y": standard(vy),
        "acceleration_x": standard(ax),
        "acceleration_y": standard(ay),
        "pressure": standard(pressure),
        "pressure_change": standard(slope(pressure)),
        "cosine": cosine,
        "sine": sine,
        "log_speed": [math.log(v + SLOW) for v in speed],
    }


def test_every_channel_is_its_formula() -> None:
    batch = trajectories(4)
    found = PenFeatures(list(CHANNELS))(batch)
    assert found.shape == (4, len(CHANNELS), POINTS)
    for item, trajectory in enumerate(batch.tolist()):
        slow = slow_channels(trajectory)
        assert list(slow) == list(CHANNELS)
        for at, name in enumerate(CHANNELS):
            np.testing.assert_allclose(
                found[item, at].numpy(), slow[name], rtol=1e-7, atol=1e-9, err_msg=name
            )


def test_channels_come_in_the_order_that_was_asked_for() -> None:
    batch = trajectories(2)
    every = dict(zip(CHANNELS, PenFeatures(list(CHANNELS))(batch).unbind(1), strict=True))
    for names in (BROMLEY, MODERN, ("sine", "x")):
        found = PenFeatures(names)(batch)
        for at, name in enumerate(names):
            torch.testing.assert_close(found[:, at], every[name], rtol=0, atol=1e-12)
    assert not list(PenFeatures().parameters())


@pytest.mark.parametrize("name", list(CHANNELS))
def test_gradients_by_finite_differences(name: str) -> None:
    batch = trajectories(2, 12).requires_grad_()
    assert torch.autograd.gradcheck(PenFeatures([name]), (batch,), eps=1e-6, atol=1e-5)


def circle(radius: float, turns: float, seconds: float, points: int = 400) -> Tensor:
    k = torch.linspace(0, 1, points, dtype=torch.float64)
    angle = 2 * math.pi * turns * k
    ones = torch.ones(points, dtype=torch.float64)
    return torch.stack([radius * angle.cos(), radius * angle.sin(), seconds * k, ones, ones])[None]


def test_what_is_known_of_a_circle() -> None:
    """Speed 2 pi r n / T throughout, direction minus the sine, no change of speed."""
    found = PenFeatures(["speed", "log_speed", "direction", "tangential", "curvature"])(
        circle(1.5, 3, 2)
    )[0, :, 10:-10]
    assert found[0].tolist() == pytest.approx([1.0] * 380, abs=5e-3)
    speed = 2 * math.pi * 1.5 * 3 / 2
    assert found[1].exp().mean() == pytest.approx(speed + SLOW, rel=5e-3)
    k = torch.linspace(0, 1, 400, dtype=torch.float64)[10:-10]
    torch.testing.assert_close(found[2], -(6 * math.pi * k).sin(), rtol=0, atol=0.01)
    between = 2 * 2 * math.pi * 3 / 399  # the angle from the point before to the point after
    assert found[4].tolist() == pytest.approx([math.cos(between)] * 380, abs=1e-3)


def test_faster_writing_changes_the_logarithm_of_speed_alone() -> None:
    slow, fast = trajectories(1), trajectories(1)
    fast[:, 2] /= 2
    names = [name for name in MODERN if name != "log_speed"]
    torch.testing.assert_close(
        PenFeatures(names)(slow), PenFeatures(names)(fast), atol=1e-3, rtol=0
    )
    logs = [PenFeatures(["log_speed"])(each) for each in (slow, fast)]
    assert (logs[1] - logs[0]).median() == pytest.approx(math.log(2), abs=0.02)


@pytest.mark.parametrize("make", [lambda t: 0 * t, torch.ones_like])
def test_a_dot_gives_finite_channels_and_gradients(make: Callable[[Tensor], Tensor]) -> None:
    dot = make(trajectories(2)).float().requires_grad_()
    found = PenFeatures(list(CHANNELS))(dot)
    assert found.isfinite().all()
    found.sum().backward()
    assert dot.grad is not None
    assert dot.grad.isfinite().all()


@pytest.mark.parametrize("channels", [[], ["ink"], ["x", "colour"]])
def test_unknown_channels_are_refused(channels: list[str]) -> None:
    with pytest.raises(SettingsError, match="`channels` must be some of pen, level_x"):
        PenFeatures(channels)
