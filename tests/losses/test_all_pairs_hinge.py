"""The hinge of all pairs of a batch, against a slow count of it."""

import pytest
import torch

from gemel.errors import DataError, SettingsError
from gemel.losses import AllPairsHinge
from gemel.metrics import Decision, Euclidean


def slow(points: torch.Tensor, labels: list[int], threshold: float, margin: float) -> float:
    pulled, pushed = [], []
    for u, a in zip(points[::2], labels[::2], strict=True):
        for v, b in zip(points[1::2], labels[1::2], strict=True):
            score = threshold - float(((u - v) ** 2).sum().sqrt())
            (pulled if a == b else pushed).append(max(0.0, margin + score * (-1 if a == b else 1)))
    active = [one for one in pushed if one > 0]
    return (sum(pulled) / len(pulled) + sum(active) / max(1, len(active))) / 2


def test_it_is_the_slow_count() -> None:
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(12, 3, generator=generator)
    labels = [0, 0, 1, 1, 2, 2, 3, 3, 1, 1, 4, 4]
    for threshold, margin in ((1.0, 0.5), (2.0, 1.0), (0.0, 0.01)):
        loss = AllPairsHinge(Euclidean(), threshold=threshold, margin=margin)
        found = float(loss(points, torch.tensor(labels)))
        assert found == pytest.approx(slow(points, labels, threshold, margin), abs=1e-5)


def test_its_gradient_is_that_of_differences() -> None:
    metric = Decision((4,))
    metric.build(2, generator=torch.Generator().manual_seed(0))
    loss = AllPairsHinge(metric.double().train())
    points = torch.randn(8, 2, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3])
    assert torch.autograd.gradcheck(lambda x: loss(x, labels), (points,))


def test_the_metric_s_weights_are_trained_through_it() -> None:
    metric = Decision((4,))
    metric.build(2, generator=torch.Generator().manual_seed(0))
    points = torch.randn(4, 2, generator=torch.Generator().manual_seed(1))
    AllPairsHinge(metric.train())(points, torch.tensor([0, 0, 1, 1])).backward()
    assert all(weight.grad is not None for weight in metric.parameters())


def test_what_it_refuses() -> None:
    loss = AllPairsHinge(Euclidean())
    points = torch.zeros(4, 2)
    for labels in ([0, 0, 0, 0], [0, 1, 2, 3]):
        with pytest.raises(DataError, match="needs same pairs and different ones"):
            loss(points, torch.tensor(labels))
    with pytest.raises(SettingsError, match="`margin` must be positive"):
        AllPairsHinge(Euclidean(), margin=0.0)
    assert "threshold=0, margin=1" in repr(loss)
