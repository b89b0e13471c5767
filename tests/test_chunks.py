"""A mean by chunks equals the mean at once, in value and gradient."""

import pytest
import torch
from torch import Tensor

from gemel.chunks import Chunk, mean_by_chunks


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("step", [0, 1, 3, 100])
@pytest.mark.parametrize("slopes", [False, True])
def test_the_mean_of_all_rows(step: int, slopes: bool) -> None:
    x, weight = draw(7, 3).requires_grad_(), draw(3).requires_grad_()

    def part(points: Tensor, rows: Tensor) -> Chunk:
        products = points[rows] @ points.T * (points @ weight)
        total = products.square().sum()
        return Chunk(total, len(rows), *((products, 2 * products.detach()) if slopes else (total,)))

    value = mean_by_chunks(part, x, torch.arange(7), step=step, learners=[weight])
    wanted = (x @ x.T * (x @ weight)).square().sum() / 7
    torch.testing.assert_close(value, wanted)
    for one, other in zip(
        torch.autograd.grad(3 * value, [x, weight]),
        torch.autograd.grad(3 * wanted, [x, weight]),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_weights_learn_though_points_do_not() -> None:
    x, weight = draw(4, 3), draw(3).requires_grad_()

    def part(points: Tensor, rows: Tensor) -> Chunk:
        total = (points[rows] @ weight).sum()
        return Chunk(total, len(rows), total)

    mean_by_chunks(part, x, torch.arange(4), step=2, learners=[weight]).backward()
    torch.testing.assert_close(weight.grad, x.mean(0))


def test_nothing_counted_is_zero() -> None:
    def part(points: Tensor, rows: Tensor) -> Chunk:
        total = (0 * points[rows]).sum()
        return Chunk(total, 0, total)

    x = draw(4, 3).requires_grad_()
    value = mean_by_chunks(part, x, torch.arange(4), step=2)
    value.backward()
    assert value.item() == 0
    assert (x.grad == 0).all()
