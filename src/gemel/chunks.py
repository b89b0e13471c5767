"""A mean over the rows of a batch in bounded memory: each chunk's gradient is taken at once.

A loss that compares every item with every other one keeps tables of B x B numbers for its backward
pass. Here the rows come a chunk at a time; the gradient of a chunk is taken as soon as its value
is known, and only the sum of these gradients, as large as the embeddings, is kept.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK = 2**19  # numbers of one table that are in memory at a time


class Chunk(NamedTuple):
    """What a part of the rows adds to the mean.

    Attributes:
        total: the sum of the rows' values, a scalar.
        weight: by how much it counts in the mean: the number of rows, or of triplets.
        lowered: what the gradient is taken of, of any shape; often `total` itself.
        slopes: the slope of `total` in each number of `lowered`; None where that is `total`.
    """

    total: Tensor
    weight: Tensor | float | int
    lowered: Tensor
    slopes: Tensor | None = None


def mean_by_chunks(
    part: Callable[[Tensor, Tensor], Chunk],
    points: Float[Tensor, "batch dim"],
    rows: Int[Tensor, " rows"],
    *,
    step: int,
    learners: Sequence[Tensor] = (),
) -> Float[Tensor, ""]:
    """The sum of what `part` gives for all rows, divided by the sum of its weights, 1 at least.

    The gradient is known when this returns: the backward pass adds no memory, and the result
    cannot be differentiated twice.

    Args:
        part: `(points, some of the rows)` to their `Chunk`.
        points: [B, D] what the value depends on, besides `learners`.
        rows: [R] indices that `part` understands.
        step: how many rows `part` gets at a time.
        learners: weights that `part` uses and that learn as well.
    """
    leaf = points.detach().requires_grad_()
    leaves = [leaf, *learners]
    asked = torch.is_grad_enabled() and (points.requires_grad or bool(learners))
    gradients = [torch.zeros_like(one) for one in leaves] if asked else []
    total, count = leaf.new_zeros(()), leaf.new_zeros(())
    for some in torch.split(rows, max(1, step)):
        with torch.set_grad_enabled(asked):
            chunk = part(leaf, some)
        total += chunk.total.detach()
        count += chunk.weight
        if asked:
            parts = torch.autograd.grad(chunk.lowered, leaves, chunk.slopes, materialize_grads=True)
            for gradient, one in zip(gradients, parts, strict=True):
                gradient.add_(one)
    share = 1 / count.clamp(min=1)
    if not asked:
        return total * share
    known = [gradient.mul_(share) for gradient in gradients]
    result: Tensor = _Known.apply(total * share, known, points, *learners)  # type: ignore[no-untyped-call]
    return result


class _Known(torch.autograd.Function):
    """A loss whose gradients are already known."""

    @staticmethod
    def forward(ctx: Any, loss: Tensor, gradients: list[Tensor], *inputs: Tensor) -> Tensor:  # noqa: ARG004
        ctx.save_for_backward(*gradients)
        return loss.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, *(slope * gradient for gradient in ctx.saved_tensors)
