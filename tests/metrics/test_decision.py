"""The decision network over two embeddings, against its own layers written out."""

import pytest
import torch

from gemel.errors import SettingsError
from gemel.metrics import Decision


def made(**settings: bool) -> Decision:
    metric = Decision((5,), **settings)
    metric.build(3, generator=torch.Generator().manual_seed(0))
    return metric.requires_grad_(False)


def slow(metric: Decision, u: torch.Tensor, v: torch.Tensor) -> float:
    first, _, last = metric.layers
    hidden = [
        max(0.0, float(row @ torch.cat([u, v]) + bias))
        for row, bias in zip(first.weight, first.bias, strict=True)
    ]
    return -(
        sum(h * float(w) for h, w in zip(hidden, last.weight[0], strict=True)) + last.bias.item()
    )


def test_it_is_minus_the_score_in_both_orders() -> None:
    u, v = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(1))
    metric = made().eval()
    for a, b, found in zip(u, v, metric(u, v), strict=True):
        assert float(found) == pytest.approx(
            (slow(metric, a, b) + slow(metric, b, a)) / 2, abs=1e-5
        )
    torch.testing.assert_close(metric(u, v), metric(v, u))
    ordered = made(both_orders=False).eval()
    for a, b, found in zip(u, v, ordered(u, v), strict=True):
        assert float(found) == pytest.approx(slow(ordered, a, b), abs=1e-5)
    torch.testing.assert_close(made().train()(u, v), ordered(u, v))
    assert not torch.allclose(ordered(u, v), ordered(v, u))


def test_its_matrix_holds_all_pairs_and_its_gradient_is_that_of_differences() -> None:
    metric = made().eval()
    u, v = torch.randn(4, 3), torch.randn(5, 3)
    whole = metric.matrix(u, v)
    for row in range(4):
        torch.testing.assert_close(whole[row], metric(u[row].expand(5, 3), v))
    double = made().double().eval()
    point = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: double(x, v[:2].double()), (point,))


def test_made_again_by_its_settings() -> None:
    assert Decision((4, 2), both_orders=False).settings() == {
        "widths": [4, 2],
        "both_orders": False,
    }
    with pytest.raises(SettingsError, match="`widths` must be 1 or more"):
        Decision((0,))
    with pytest.raises(SettingsError, match="Decision has no weights yet"):
        Decision()(torch.zeros(1, 2), torch.zeros(1, 2))
