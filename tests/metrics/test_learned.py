"""The small network that compares: symmetric by construction, and nothing more."""

import pytest
import torch
from torch import Tensor

from gemel.errors import SettingsError
from gemel.metrics import Learned


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def learned(dim: int = 3, *widths: int) -> Learned:
    metric = Learned(widths or (5, 4))
    metric.build(dim, generator=torch.Generator().manual_seed(0))
    return metric.double()


def slow(metric: Learned, u: list[float], v: list[float]) -> float:
    """The network, number by number."""
    values = [abs(a - b) for a, b in zip(u, v, strict=True)]
    values += [a * b for a, b in zip(u, v, strict=True)]
    linears = list(metric.layers)[::2]
    for place, layer in enumerate(linears):
        rows = zip(layer.weight.tolist(), layer.bias.tolist(), strict=True)
        values = [bias + sum(w * x for w, x in zip(row, values, strict=True)) for row, bias in rows]
        if place < len(linears) - 1:
            values = [max(0.0, value) for value in values]
    return -values[0]


def test_values_are_those_of_slow_loops() -> None:
    metric, u, v = learned(), draw(4, 3), draw(5, 3, seed=1)
    wanted = [[slow(metric, a, b) for b in v.tolist()] for a in u.tolist()]
    torch.testing.assert_close(metric.matrix(u, v), torch.tensor(wanted, dtype=torch.float64))
    torch.testing.assert_close(metric(u, v[:4]), metric.matrix(u, v[:4]).diagonal())


def test_it_is_symmetric_to_the_bit() -> None:
    metric, u, v = learned().float(), draw(50, 3).float(), draw(50, 3, seed=1).float()
    assert torch.equal(metric(u, v), metric(v, u))


def test_gradients_are_those_of_finite_differences() -> None:
    metric, u, v = learned(), draw(3, 3).requires_grad_(), draw(3, 3, seed=1).requires_grad_()
    weights = tuple(metric.parameters())
    assert torch.autograd.gradcheck(lambda *x: metric(*x[:2]), (u, v, *weights))
    equal = draw(2, 3).requires_grad_()
    metric(equal, equal).sum().backward()
    assert equal.grad is not None
    assert equal.grad.isfinite().all()


def test_the_other_axioms_fail() -> None:
    """A network that gives |u - v|^2 as its logit calls the farthest points the nearest."""
    metric = Learned(widths=())
    metric.build(1)
    metric.load_state_dict(
        {"layers.0.weight": torch.tensor([[2.0, 0.0]]), "layers.0.bias": torch.tensor([-1.0])}
    )
    x = torch.tensor([[0.0], [0.5], [1.0]])
    d = metric.matrix(x, x)
    assert d[0, 0] == 1  # d(x, x) is no 0
    assert d[0, 1] == 0  # 0 where not equal
    assert d[0, 2] < 0
    assert d[0, 0] > d[0, 2] + d[2, 0]  # no triangle


def test_a_matrix_is_made_in_bounded_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    metric, u, v = learned(), draw(7, 3), draw(5, 3, seed=1)
    whole, seen = metric.matrix(u, v), []
    monkeypatch.setattr("gemel.metrics.learned.AT_ONCE", 2 * v.numel())
    metric.register_forward_hook(lambda _, given, __: seen.append(len(given[0])))
    assert torch.equal(metric.matrix(u, v), whole)
    assert max(seen) == 10


def test_probability_settings_and_weights() -> None:
    metric, u, v = learned(3, 6), draw(4, 3), draw(4, 3, seed=1)
    again = Learned(**metric.settings())
    again.build(3)
    again.double().load_state_dict(metric.state_dict())
    assert torch.equal(again(u, v), metric(u, v))
    torch.testing.assert_close(metric.probability(metric(u, v)), torch.sigmoid(-metric(u, v)))
    other = Learned((6,))
    other.build(3, generator=torch.Generator().manual_seed(0))
    for name, value in other.double().state_dict().items():
        assert torch.equal(value, metric.state_dict()[name])


def test_errors() -> None:
    with pytest.raises(SettingsError, match=r"call build\(dim\)"):
        Learned()(draw(2, 3), draw(2, 3))
    with pytest.raises(SettingsError, match=r"`widths` must be 1 or more each; got \[4, 0\]"):
        Learned((4, 0))
