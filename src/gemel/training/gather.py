"""Several processes that train as one: the loss sees all embeddings, batch norms all statistics.

With these, the gradients of N processes equal those of one process with the whole batch.
"""

from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class _GatherRows(torch.autograd.Function):
    """All processes' rows in rank order. Each process computes the same loss from them.

    The gradient of a process's own rows is multiplied by the number of processes, since
    distributed data parallel divides by it when it averages.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        ctx.rows = rows.shape[0]
        parts = [torch.empty_like(rows) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        start = dist.get_rank() * ctx.rows
        return grads[0][start : start + ctx.rows] * dist.get_world_size()


class _SumOverRanks(torch.autograd.Function):
    """The sum of a tensor over all processes; so is its gradient."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:  # noqa: ARG004 (torch's signature)
        total = value.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:  # noqa: ARG004
        total = grads[0].clone()
        dist.all_reduce(total)
        return total


def gather_rows(rows: Float[Tensor, "rows *dim"]) -> Float[Tensor, "all_rows *dim"]:
    """The rows of all processes, each of which holds equally many; differentiable."""
    gathered: Tensor = _GatherRows.apply(rows)  # type: ignore[no-untyped-call]
    return gathered


def agree(seconds: float, stop: bool) -> tuple[float, bool]:
    """Rank 0's clock, and whether any process was asked to stop: the same on all processes.

    Without it each process would follow its own clock: rates, validations and the last step
    would differ.
    """
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return seconds, stop
    said: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(said, (seconds, stop))
    return said[0][0], any(asked for _, asked in said)


def share_batch_norms(module: nn.Module) -> None:
    """Give every batch norm in `module` the statistics of the whole batch while it trains.

    torch's own SyncBatchNorm does this on CUDA only; this one works with any backend.
    """
    for part in module.modules():
        if isinstance(part, _BatchNorm):
            vars(part)["forward"] = _SharedNorm(part)


def unshare_batch_norms(module: nn.Module) -> None:
    """Undo `share_batch_norms`."""
    for part in module.modules():
        if isinstance(part, _BatchNorm):
            vars(part).pop("forward", None)


class _SharedNorm:
    """The forward pass of one batch norm over the batches of all processes."""

    def __init__(self, norm: _BatchNorm) -> None:
        self.norm = norm

    def __call__(self, x: Tensor) -> Tensor:
        norm = self.norm
        if not norm.training:
            return type(norm).forward(norm, x)
        kind, x = x.dtype, x.to(torch.promote_types(x.dtype, torch.float32))  # halves overflow
        axes = [axis for axis in range(x.ndim) if axis != 1]
        count = torch.tensor(
            x.numel() / x.shape[1] * dist.get_world_size(), dtype=x.dtype, device=x.device
        )
        shape = [1, -1] + [1] * (x.ndim - 2)
        mean = _SumOverRanks.apply(x.sum(axes)) / count  # type: ignore[no-untyped-call]
        centred = x - mean.view(shape)
        variance = _SumOverRanks.apply(centred.square().sum(axes)) / count  # type: ignore[no-untyped-call]
        self._update_running(mean.detach(), variance.detach() * count / (count - 1))
        out: Tensor = centred * torch.rsqrt(variance + norm.eps).view(shape)
        if norm.affine:
            out = out * norm.weight.view(shape) + norm.bias.view(shape)
        return out.to(kind)

    def _update_running(self, mean: Tensor, variance: Tensor) -> None:
        norm = self.norm
        if norm.running_mean is None or norm.running_var is None:
            return
        if norm.num_batches_tracked is not None:
            norm.num_batches_tracked.add_(1)
        if norm.momentum is None:
            share = 1.0 / float(norm.num_batches_tracked or 1)
        else:
            share = norm.momentum
        norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), share)
        norm.running_var.lerp_(variance.to(norm.running_var.dtype), share)
