"""Helpers of the tests of losses: drawn rows, and gradients of slow loops."""

from collections.abc import Callable

import torch
from torch import Tensor

Rows = list[list[float]]


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def differences(loss: Callable[[Rows], float], x: Tensor, h: float = 1e-6) -> Tensor:
    """The gradient [B, D] of a slow loss by central differences."""
    gradient = torch.zeros_like(x)
    for place in torch.ones_like(x).nonzero().tolist():
        step = torch.zeros_like(x)
        step[tuple(place)] = h
        gradient[tuple(place)] = (loss((x + step).tolist()) - loss((x - step).tolist())) / (2 * h)
    return gradient


def assert_like_slow(
    loss: Callable[[Tensor], Tensor], slow: Callable[[Rows], float], x: Tensor
) -> None:
    """The value and the gradient of `loss` at `x` are those of `slow`."""
    leaf = x.clone().requires_grad_()
    value = loss(leaf)
    assert abs(value.item() - slow(x.tolist())) <= 1e-9 * max(1, abs(value.item()))
    (3 * value).backward()
    torch.testing.assert_close(leaf.grad, 3 * differences(slow, x), rtol=1e-5, atol=1e-7)
