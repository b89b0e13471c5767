"""Warps of trajectories, each strength by itself against what it says."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from gemel.errors import SettingsError
from gemel.inputs import PenWarp
from gemel.inputs.pen_warp import KNOTS, _moved, at_moments

NONE = {"time": 0, "pace": 0, "rotation": 0, "scale": 0, "jitter": 0}
MANY, POINTS = 4000, 40


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(count: int = MANY) -> Tensor:
    """The same trajectory many times; its rows are x, y, time, pressure, down."""
    k = torch.linspace(0, 1, POINTS)
    rows = [k.cos() - 1, (3 * k).sin(), 2 * k, 1 + k, (k < 0.5).float()]
    return torch.stack(rows).expand(count, 5, POINTS).clone()


def warped(count: int = MANY, **strengths: float) -> Tensor:
    return PenWarp(**NONE | strengths)(batch(count), generator())


def test_without_strengths_nothing_changes() -> None:
    torch.testing.assert_close(warped(5), batch(5), rtol=0, atol=1e-5)


def test_rotation_turns_by_normal_degrees() -> None:
    found, given = warped(rotation=7), batch()
    point = 30
    turned = torch.atan2(found[:, 1, point], found[:, 0, point]) - torch.atan2(
        given[:, 1, point], given[:, 0, point]
    )
    turned = (turned + math.pi) % (2 * math.pi) - math.pi
    assert math.degrees(turned.std()) == pytest.approx(7, rel=0.05)
    assert math.degrees(turned.mean()) == pytest.approx(0, abs=0.4)
    torch.testing.assert_close(
        found[:, :2].square().sum(1), given[:, :2].square().sum(1), rtol=1e-4, atol=1e-5
    )
    assert torch.equal(found[:, 2], given[:, 2])
    torch.testing.assert_close(found[:, 3:], given[:, 3:], rtol=0, atol=1e-5)
    # all points of one trajectory turn alike, by a right-handed turn of x to y
    angle = turned[0]
    x, y = given[0, 0], given[0, 1]
    torch.testing.assert_close(found[0, 0], angle.cos() * x - angle.sin() * y, rtol=0, atol=1e-5)


def test_scale_multiplies_x_and_y_each_by_its_own() -> None:
    found, given = warped(scale=0.2), batch()
    logs = (found[:, :2, 20] / given[:, :2, 20]).log()
    assert logs.std(0).tolist() == pytest.approx([0.2, 0.2], rel=0.05)
    assert abs(np.corrcoef(logs.T.numpy())[0, 1]) < 0.05
    whole = found[:, :2, 1:] / given[:, :2, 1:]
    torch.testing.assert_close(whole, whole[:, :, :1].expand_as(whole), rtol=1e-3, atol=1e-3)


def test_pace_multiplies_the_time() -> None:
    found, given = warped(pace=0.3), batch()
    logs = (found[:, 2, -1] / given[:, 2, -1]).log()
    assert logs.std() == pytest.approx(0.3, rel=0.05)
    torch.testing.assert_close(
        found[:, 2], given[:, 2] * found[:, 2, -1:] / given[:, 2, -1:], rtol=1e-5, atol=1e-6
    )
    torch.testing.assert_close(found[:, [0, 1, 3, 4]], given[:, [0, 1, 3, 4]], rtol=0, atol=1e-5)


def test_jitter_is_added_to_x_and_y_of_each_point() -> None:
    added = warped(jitter=0.1) - batch()
    assert added[:, :2].std() == pytest.approx(0.1, rel=0.02)
    neighbours = np.corrcoef(added[:, 0, 5].numpy(), added[:, 0, 6].numpy())[0, 1]
    assert abs(neighbours) < 0.06
    assert added[:, 2:].abs().max() < 1e-5


def test_moments_never_run_back_and_keep_the_ends() -> None:
    knots = 0.5 * torch.randn(MANY, 1, KNOTS, generator=generator())
    moments = _moved(knots, POINTS)
    assert (moments.diff(dim=1) >= 0).all()
    assert (moments[:, 0] == 0).all()
    assert moments.max() <= 1
    gentle = _moved(0.02 * torch.randn(MANY, 1, KNOTS, generator=generator()), POINTS)
    assert gentle[:, -1].tolist() == pytest.approx([1.0] * MANY, abs=1e-6)
    knots = 0.01 * torch.tensor([[[1.0, -2.0, 0.5, 3.0, -1.0, 2.0]]])
    for k, moment in enumerate(_moved(knots, POINTS)[0].tolist()):
        even = k / (POINTS - 1)
        place = even * (KNOTS - 1)
        first = min(int(place), KNOTS - 2)
        share = place - first
        moved = knots[0, 0, first].item() * (1 - share) + knots[0, 0, first + 1].item() * share
        assert moment == pytest.approx(even + math.sin(math.pi * even) * moved, abs=1e-6)


def test_rows_at_moments_are_interpolated() -> None:
    rows = torch.randn(3, 2, 7, generator=generator(), dtype=torch.float64)
    moments = torch.rand(3, 7, generator=generator(1), dtype=torch.float64).sort(dim=1).values
    moments[0, 0], moments[0, -1] = 0, 1
    found = at_moments(rows, moments)
    for b in range(3):
        for r in range(2):
            expected = np.interp(moments[b].numpy() * 6, np.arange(7), rows[b, r].numpy())
            np.testing.assert_allclose(found[b, r].numpy(), expected, atol=1e-12)


def test_time_moves_what_was_written_and_not_the_clock() -> None:
    found, given = warped(time=0.06), batch()
    torch.testing.assert_close(found[:, 2], given[:, 2], rtol=0, atol=1e-5)
    shifted = (found[:, 3] - 1) * 1.0  # the pressure tells which moment is shown
    middle = shifted[:, POINTS // 2] - given[:, 3, POINTS // 2] + 1
    knot = (POINTS // 2) / (POINTS - 1) * (KNOTS - 1)
    share = knot - int(knot)
    spread = 0.06 * math.sqrt(share**2 + (1 - share) ** 2)
    assert middle.std() == pytest.approx(spread, rel=0.05)


def test_the_generator_decides_and_each_trajectory_has_its_own_draw() -> None:
    warp = PenWarp(jitter=0.01)
    given = batch(6)
    one = warp(given, generator(3))
    assert torch.equal(one, warp(given, generator(3)))
    assert not torch.equal(one, warp(given, generator(4)))
    assert torch.equal(given, batch(6))
    assert len({row.numpy().tobytes() for row in one}) == 6


@pytest.mark.parametrize("name", list(NONE))
def test_negative_strengths_are_refused(name: str) -> None:
    for value in (-0.1, math.inf, math.nan):
        with pytest.raises(SettingsError, match=f"`{name}` must be a number of 0 or more"):
            PenWarp(**{name: value})
