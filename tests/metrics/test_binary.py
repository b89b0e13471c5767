"""Hamming distances of codes, counted bit by bit, and the relaxation that training uses."""

import math
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gemel.errors import SettingsError
from gemel.metrics import AsymmetricHamming, Hamming, codes

rows = hnp.arrays(np.float64, (3, 5), elements=st.floats(-3, 3, allow_subnormal=False))


def slow(u: list[float], v: list[float], slope: float | None) -> float:
    if slope is None:
        return sum((a > 0) != (b > 0) for a, b in zip(u, v, strict=True))
    inner = sum(math.tanh(slope * a) * math.tanh(slope * b) for a, b in zip(u, v, strict=True))
    return (len(u) - inner) / 2


@given(x=rows, training=st.booleans())
@settings(max_examples=50, deadline=None)
def test_values_are_those_of_slow_loops(x: np.ndarray, training: bool) -> None:
    metric, u = Hamming(slope=1.5).train(training), torch.from_numpy(x)
    wanted = torch.tensor(
        [[slow(a, b, 1.5 if training else None) for b in x.tolist()] for a in x.tolist()],
        dtype=torch.float64,
    )
    torch.testing.assert_close(metric.matrix(u, u), wanted)
    torch.testing.assert_close(metric(u[:2], u[1:]), wanted.diagonal(1))


@given(x=rows, training=st.booleans())
@settings(max_examples=50, deadline=None)
def test_axioms(x: np.ndarray, training: bool) -> None:
    u = torch.from_numpy(x)
    d = Hamming().train(training).matrix(u, u)
    assert torch.equal(d, d.T) or torch.allclose(d, d.T, rtol=0, atol=1e-12)
    assert (d >= 0).all()
    for i, j, k in product(range(3), repeat=3):
        assert d[i, k] <= d[i, j] + d[j, k] + 1e-12
    if not training:
        alike = (codes(u)[:, None] == codes(u)[None]).all(dim=2)
        assert torch.equal(d == 0, alike)
        assert (d <= Hamming().reach(5, unit_length=False)).all()


def test_embeddings_with_the_same_signs_are_one_code() -> None:
    u, v = torch.tensor([[1.0, -2.0, 0.0]]), torch.tensor([[9.0, -0.1, -1.0]])
    assert Hamming().eval()(u, v).item() == 0
    assert Hamming().train()(u, u).item() > 0


def test_the_relaxation_nears_the_count_and_has_its_gradient() -> None:
    generator = torch.Generator().manual_seed(0)
    u, v = (torch.randn(4, 6, generator=generator, dtype=torch.float64) for _ in range(2))
    count = Hamming().eval()(u, v)
    torch.testing.assert_close(Hamming(slope=1e4).train()(u, v), count, atol=1e-3, rtol=0)
    relaxed = Hamming().train()
    assert torch.autograd.gradcheck(relaxed, (u.requires_grad_(), v.requires_grad_()))
    assert torch.autograd.gradcheck(relaxed.matrix, (u, v))


def test_the_mean_of_views_is_the_vote_on_each_bit() -> None:
    views = torch.tensor([[5.0, 1.0], [-0.1, 1.0], [-0.1, -1.0]])
    voted = Hamming().eval().normalise(views).mean(0, keepdim=True)
    assert codes(voted).tolist() == [[False, True]]


def test_settings_and_errors() -> None:
    assert Hamming(**Hamming(2.5).settings()).slope == 2.5
    assert Hamming().reach(64, unit_length=True) == 64
    with pytest.raises(SettingsError, match="`slope` must be above 0; got 0"):
        Hamming(0)


@given(x=rows)
@settings(max_examples=50, deadline=None)
def test_real_numbers_against_codes_are_those_of_slow_loops(x: np.ndarray) -> None:
    metric, u = AsymmetricHamming(slope=1.5), torch.from_numpy(x)

    def far(a: list[float], b: list[float]) -> float:
        bits = [1 if one > 0 else -1 for one in b]
        return sum((math.tanh(1.5 * p) - q) ** 2 for p, q in zip(a, bits, strict=True)) / 4

    wanted = torch.tensor([[far(a, b) for b in x.tolist()] for a in x.tolist()]).double()
    torch.testing.assert_close(metric.matrix(u, u).double(), wanted, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(
        metric(u[:2], u[1:]).double(), wanted.diagonal(1), atol=1e-6, rtol=1e-5
    )
    assert (metric.matrix(u, u) >= 0).all()
    assert (metric.matrix(u, u) <= metric.reach(5, unit_length=False)).all()


def test_real_numbers_far_from_0_give_the_count() -> None:
    generator = torch.Generator().manual_seed(0)
    u, v = (100 * torch.randn(20, 33, generator=generator).sign() for _ in range(2))
    torch.testing.assert_close(AsymmetricHamming().matrix(u, v), Hamming().eval().matrix(u, v))
    again = AsymmetricHamming(**AsymmetricHamming(0.3).settings())
    assert again.slope == 0.3
    with pytest.raises(SettingsError, match="`slope` must be above 0; got 0"):
        AsymmetricHamming(0)


def test_real_numbers_against_codes_have_a_gradient() -> None:
    u = torch.randn(4, 6, dtype=torch.float64, requires_grad=True)
    v = torch.randn(4, 6, dtype=torch.float64)
    metric = AsymmetricHamming(0.8)
    assert torch.autograd.gradcheck(lambda one: metric(one, v), u)
    assert torch.autograd.gradcheck(lambda one: metric.matrix(one, v), u)
