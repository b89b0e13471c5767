"""Dynamic time warping against the textbook's recursion, its axioms, and its gradient."""

import math
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import gemel
from gemel import encoders, inputs
from gemel.embedded import Embedded
from gemel.errors import SettingsError
from gemel.metrics import DTW, warping

Frames = list[list[float]]


def local(u: list[float], v: list[float], power: float | None = None) -> float:
    if power is None:
        return math.sqrt(sum((a - b) ** 2 for a, b in zip(u, v, strict=True)))
    each = [((a - b) ** 2 + 0.05**2) ** (power / 2) for a, b in zip(u, v, strict=True)]
    return sum(each) / len(each) - 0.05**power


def slow_dtw(u: Frames, v: Frames, power: float | None = None) -> float:
    """Sakoe and Chiba 1978, table I, symmetric, P = 0: g(i, j), then g(I, J) / (I + J)."""
    g: dict[tuple[int, int], float] = {}
    for i, j in product(range(len(u)), range(len(v))):
        d = local(u[i], v[j], power)
        if (i, j) == (0, 0):
            g[0, 0] = 2 * d
            continue
        g[i, j] = min(
            g.get((i, j - 1), math.inf) + d,
            g.get((i - 1, j - 1), math.inf) + 2 * d,
            g.get((i - 1, j), math.inf) + d,
        )
    return g[len(u) - 1, len(v) - 1] / (len(u) + len(v))


def every_path(i: int, j: int, frames: int) -> list[list[tuple[int, int, int]]]:
    """All paths from cell (i, j) to the last one: cells with their weights."""
    if i == j == frames - 1:
        return [[]]
    steps = [(i + 1, j + 1, 2), (i + 1, j, 1), (i, j + 1, 1)]
    return [
        [step, *rest]
        for step in steps
        if max(step[0], step[1]) < frames
        for rest in every_path(step[0], step[1], frames)
    ]


def brute_dtw(u: Frames, v: Frames) -> float:
    """The definition: the least weighted sum over all paths."""
    sums = [
        sum(weight * local(u[i], v[j]) for i, j, weight in [(0, 0, 2), *path])
        for path in every_path(0, 0, len(u))
    ]
    return min(sums) / (2 * len(u))


def draw(rows: int, frames: int, channels: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, frames * channels, generator=generator, dtype=torch.float64)


def frames_of(row: Tensor, channels: int) -> Frames:
    found: Frames = row.reshape(-1, channels).tolist()
    return found


@settings(max_examples=40)
@given(
    rows=st.integers(1, 4),
    frames=st.integers(1, 9),
    channels=st.integers(1, 3),
    seed=st.integers(0, 999),
    whole=st.booleans(),
    power=st.sampled_from([None, 0.5, 1.0]),
)
def test_it_is_the_textbook_recursion(
    rows: int, frames: int, channels: int, seed: int, whole: bool, power: float | None
) -> None:
    u, v = draw(rows, frames, channels, seed), draw(rows, frames, channels, seed + 1)
    if whole:
        u, v = u.round(), v.round()  # many ties
    metric = DTW(channels, power=power)
    expected = [
        slow_dtw(frames_of(a, channels), frames_of(b, channels), power)
        for a, b in zip(u, v, strict=True)
    ]
    assert metric(u, v).tolist() == pytest.approx(expected, abs=1e-12)
    found = metric(u.requires_grad_(), v)  # the sum along the path
    assert found.tolist() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("frames", [1, 2, 3, 4])
def test_no_path_is_shorter(frames: int) -> None:
    u, v = draw(5, frames, 2, 1), draw(5, frames, 2, 2)
    expected = [brute_dtw(frames_of(a, 2), frames_of(b, 2)) for a, b in zip(u, v, strict=True)]
    assert DTW(2)(u, v).tolist() == pytest.approx(expected, abs=1e-12)


def test_the_matrix_is_the_distance_of_each_from_every(monkeypatch: pytest.MonkeyPatch) -> None:
    u, v = draw(5, 6, 2, 1), draw(4, 6, 2, 2)
    metric = DTW(2)
    expected = [[slow_dtw(frames_of(a, 2), frames_of(b, 2)) for b in v] for a in u]
    np.testing.assert_allclose(metric.matrix(u, v).numpy(), expected, atol=1e-12)
    rows = torch.stack([metric(a.expand_as(v), v) for a in u])
    torch.testing.assert_close(metric.matrix(u, v), rows, rtol=0, atol=1e-14)
    monkeypatch.setattr(warping, "AT_ONCE", 3 * 36)  # three pairs at a time
    np.testing.assert_allclose(metric.matrix(u, v).numpy(), expected, atol=1e-12)
    assert metric(u[:4], v).tolist() == pytest.approx(np.diag(expected).tolist(), abs=1e-12)
    assert metric.matrix(u[:0], v).shape == (0, 4)
    assert metric(u[:0], v[:0]).shape == (0,)


def test_gradients_by_finite_differences() -> None:
    u, v = draw(3, 7, 2, 5).requires_grad_(), draw(3, 7, 2, 6).requires_grad_()
    assert torch.autograd.gradcheck(DTW(2), (u, v), eps=1e-7, atol=1e-6)
    assert torch.autograd.gradcheck(DTW(2, power=0.5), (u, v), eps=1e-7, atol=1e-5)
    assert torch.autograd.gradcheck(DTW(2).matrix, (u[:2], v), eps=1e-7, atol=1e-6)


def test_equal_sequences_are_at_0_with_a_finite_gradient() -> None:
    u = draw(2, 6, 3).requires_grad_()
    found = DTW(3)(u, u.detach().clone())
    assert found.tolist() == [0, 0]
    found.sum().backward()
    assert u.grad is not None
    assert u.grad.isfinite().all()


@settings(max_examples=30)
@given(seed=st.integers(0, 9999), frames=st.integers(1, 8))
def test_axioms_that_hold(seed: int, frames: int) -> None:
    u, v = draw(4, frames, 2, seed), draw(4, frames, 2, seed + 1)
    metric = DTW(2)
    assert (metric(u, v) >= 0).all()
    assert (metric(u, u) == 0).all()
    torch.testing.assert_close(metric(u, v), metric(v, u), rtol=0, atol=1e-13)
    for power in (0.3, 0.5, 1.0, 1.5):
        rounded = DTW(2, power=power)
        assert (rounded(u.float(), u.float()) < 1e-6).all()
        assert (rounded(u.float(), v.float()) >= 0).all()
    # no longer than moment by moment
    straight = (u - v).reshape(4, frames, 2).norm(dim=2).mean(dim=1)
    assert (metric(u, v) <= straight + 1e-12).all()


def test_axioms_that_fail() -> None:
    metric = DTW(1)
    early, late = torch.tensor([[0.0, 1.0, 1.0]]), torch.tensor([[0.0, 0.0, 1.0]])
    assert metric(early, late).item() == 0  # a frame that lasts longer costs nothing
    x, y, z = (torch.tensor([row]) for row in ([0.0, 0, 0], [0.0, 0, 2], [0.0, 2, 2]))
    assert metric(y, z).item() == 0
    assert metric(x, z).item() > metric(x, y).item() + metric(y, z).item()  # no triangle


def test_half_precision_is_widened_and_float64_stays() -> None:
    u, v = draw(2, 4, 2, 1), draw(2, 4, 2, 2)
    assert DTW(2)(u.bfloat16(), v.bfloat16()).dtype == torch.float32
    assert DTW(2).matrix(u.half(), v.half()).dtype == torch.float32
    assert DTW(2)(u, v).dtype == torch.float64


def test_settings_make_it_again_and_wrong_ones_are_refused() -> None:
    assert DTW(**DTW(7).settings()).channels == 7
    assert math.isinf(DTW(7).reach(70, unit_length=True))
    with pytest.raises(SettingsError, match="`channels` must be 1 or more; got 0"):
        DTW(0)
    with pytest.raises(SettingsError, match="`power` must be above 0"):
        DTW(2, power=0.0)
    for use in (
        lambda: DTW(3).build(10),
        lambda: DTW(3)(torch.zeros(1, 10), torch.zeros(1, 10)),
        lambda: DTW(3).matrix(torch.zeros(1, 10), torch.zeros(1, 10)),
    ):
        with pytest.raises(SettingsError, match="embeddings of 10 numbers are no frames of 3"):
            use()
    DTW(5).build(10)


def test_a_slow_distance_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    model = gemel.Siamese(inputs.Numbers(12), encoders.Dense(widths=(8,), dim=6), DTW(2))
    embedded = Embedded(model, inputs.prepare(model.input, rng.normal(size=(5, 12))))
    left, right = rng.integers(0, 5, 200), rng.integers(0, 5, 200)
    measured: list[int] = []
    plain = DTW.forward

    def counted(self: DTW, u: Tensor, v: Tensor) -> Tensor:
        measured.append(len(u))
        return plain(self, u, v)

    monkeypatch.setattr(DTW, "forward", counted)
    found = embedded.distances(left, right)
    assert sum(measured) <= 25
    expected = embedded.to_all(np.arange(5))[left, right]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_path_of_a_pair_is_told() -> None:
    generator = torch.Generator().manual_seed(3)
    u, v = torch.randn(2, 9 * 2, generator=generator)
    metric = DTW(2)
    i, j, apart = metric.aligned(u, v)
    steps = list(zip(i.tolist(), j.tolist(), strict=True))
    assert steps[0] == (0, 0)
    assert steps[-1] == (8, 8)
    total = 2 * float(apart[0])
    for (a, b), (c, d), one in zip(steps, steps[1:], apart[1:].tolist(), strict=False):
        assert (c - a, d - b) in ((0, 1), (1, 0), (1, 1))
        total += (c - a + d - b) * one
    assert total / 18 == pytest.approx(float(metric(u[None], v[None])), rel=1e-5)
    frames = u.view(9, 2)[i] - v.view(9, 2)[j]
    assert torch.allclose(apart, frames.norm(dim=1))
