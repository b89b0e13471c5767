"""Dynamic time warping: the distance of two sequences, whose frames may come sooner or later."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gemel.errors import SettingsError
from gemel.metrics.base import Metric, wide

AT_ONCE = 2**22
"""Local distances that are kept at a time."""

ROUNDED = 0.05
"""Differences of a channel below this count for less than their power."""

Power = float | int | None
Sequences = Float[Tensor, "pairs frames channels"]
Costs = Float[Tensor, "frames frames pairs"]
Sums = Float[Tensor, "steps pairs"]
Cells = Int[Tensor, "cells pairs"]


class DTW(Metric):
    """The mean distance of the frames of two sequences along the path that makes it least.

    An embedding is T frames of C numbers, one frame after the other. A path goes from the first
    frames of both to the last ones; each step moves on in one sequence, in the other, or in both:

        d(u, v) = min over paths of  sum over steps of w c(u_i, v_j)  /  2 T

    with w = 2 for a step in both and 1 for a step in one, so that all paths weigh 2 T. It is the
    symmetric form without a slope constraint of Sakoe and Chiba 1978, "Dynamic programming
    algorithm optimization for spoken word recognition" (IEEE ASSP 26); the gradient is that of the
    sum along the best path, held fixed. What two frames cost is

        c(a, b) = |a - b|,  or with a power p  the mean over channels of  |a_c - b_c|^p

    A power below 1 lets one channel that is far off count for less than several that are somewhat
    off (Aggarwal, Hinneburg, Keim 2001, "On the surprising behavior of distance metrics in high
    dimensional space"). It is rounded off below differences of `ROUNDED`, for a gradient.

    d >= 0, d(x, x) = 0 (with a power but for rounding) and symmetry hold. 0 only where equal fails
    (a frame that lasts longer costs nothing), and so does the triangle. A distance takes T^2 local
    ones.

    Args:
        channels: C.
        power: p, above 0; None takes the Euclidean distance of frames.

    Raises:
        SettingsError: `channels` is below 1 or, in `build`, no divisor of the embedding's length;
            or `power` is not above 0.
    """

    slow = True

    def __init__(self, channels: int, *, power: float | int | None = None) -> None:
        super().__init__()
        if power is not None and not power > 0:
            raise SettingsError(f"`power` must be above 0, or None; got {power}")
        if channels < 1:
            raise SettingsError(f"`channels` must be 1 or more; got {channels}")
        self.channels = channels
        self.power = power

    def build(self, dim: int, *, generator: torch.Generator | None = None) -> None:  # noqa: ARG002
        """Check that embeddings of `dim` numbers are frames; there are no weights."""
        self._check(dim)

    def settings(self) -> dict[str, Any]:
        """What `DTW(**settings)` needs to make this metric again."""
        return {"channels": self.channels, "power": self.power}

    def forward(
        self, u: Float[Tensor, "batch dim"], v: Float[Tensor, "batch dim"]
    ) -> Float[Tensor, " batch"]:
        """The distance of each row of `u` [B, D] from the same row of `v` [B, D]: [B]."""
        a, b = self._frames(u), self._frames(v)
        part = self._pairs_at_once(a.shape[1])
        found = [
            _distance(a[start : start + part], b[start : start + part], self.power)
            for start in range(0, len(a), part)
        ]
        return torch.cat(found) if found else wide(u).new_zeros(0)

    def matrix(self, u: Float[Tensor, "N dim"], v: Float[Tensor, "M dim"]) -> Float[Tensor, "N M"]:
        """The distance of each row of `u` [N, D] from every row of `v` [M, D]: [N, M]."""
        left, right = torch.meshgrid(torch.arange(len(u)), torch.arange(len(v)), indexing="ij")
        rows, columns = left.flatten(), right.flatten()
        a, b = wide(u), wide(v)
        part = self._pairs_at_once(max(1, u.shape[1] // self.channels))
        out = [
            self(a[rows[start : start + part]], b[columns[start : start + part]])
            for start in range(0, len(rows), part)
        ]
        return torch.cat(out).view(len(u), len(v)) if out else a.new_zeros(len(u), len(v))

    def aligned(
        self, u: Float[Tensor, " dim"], v: Float[Tensor, " dim"]
    ) -> tuple[Int[Tensor, " cells"], Int[Tensor, " cells"], Float[Tensor, " cells"]]:
        """The best path of one pair, from its beginning: frames of u and v, and how far apart."""
        with torch.no_grad():
            a, b = self._frames(u[None]), self._frames(v[None])
            costs = local_distances(a, b, self.power)
            rows, columns, weights = best_path(costs, accumulated(costs, keep=True))
            kept = weights[:, 0] > 0
            i, j = rows[kept, 0].flip(0), columns[kept, 0].flip(0)
        return i, j, costs[i, j, 0]

    def _frames(self, values: Float[Tensor, "batch dim"]) -> Sequences:
        self._check(values.shape[1])
        return wide(values).reshape(len(values), values.shape[1] // self.channels, self.channels)

    def _check(self, dim: int) -> None:
        if dim % self.channels:
            raise SettingsError(
                f"embeddings of {dim} numbers are no frames of {self.channels}: give DTW the "
                "channels of a frame that the encoder makes"
            )

    @staticmethod
    def _pairs_at_once(frames: int) -> int:
        return max(1, AT_ONCE // frames**2)


def _distance(a: Sequences, b: Sequences, power: Power) -> Float[Tensor, " pairs"]:
    whole = 2 * a.shape[1]
    wanted = torch.is_grad_enabled() and (a.requires_grad or b.requires_grad)
    with torch.no_grad():
        costs = local_distances(a, b, power)
        sums = accumulated(costs, keep=wanted)
    if not wanted:
        return sums[-1][-1] / whole
    i, j, weights = best_path(costs, sums)
    pair = torch.arange(len(a), device=a.device).expand_as(i)
    steps = cost(a[pair, i] - b[pair, j], 2, power)  # [cells, pairs]
    return (steps * weights).sum(dim=0) / whole


def cost(difference: Float[Tensor, "..."], axis: int, power: Power) -> Float[Tensor, "..."]:
    """What frames cost that differ so; `axis` is that of the channels."""
    if power is None:
        found: Tensor = torch.linalg.vector_norm(difference, dim=axis)
        return found
    rounded = (difference.square() + ROUNDED**2).pow(power / 2) - ROUNDED**power
    return rounded.mean(dim=axis).clamp(min=0)  # of float32 less a float64 constant


def local_distances(a: Sequences, b: Sequences, power: Power) -> Costs:
    """What each frame of the one costs beside each of the other.

    The pairs come last, so that the cells of an antidiagonal lie in rows, which is much faster.
    """
    left, right = a.permute(1, 2, 0).contiguous(), b.permute(1, 2, 0).contiguous()
    costs = left.new_empty(len(left), len(right), len(a))
    for frame, row in zip(left, costs, strict=True):
        squared = (right - frame).square_()  # as `cost`, in place and without a gradient
        if power is None:
            torch.sum(squared, dim=1, out=row)
            continue
        rounded = squared.add_(ROUNDED**2)
        rounded = rounded.sqrt_().sqrt_() if power == 0.5 else rounded.pow_(power / 2)
        torch.mean(rounded, dim=1, out=row)
    return costs.sqrt_() if power is None else costs.sub_(ROUNDED**power).clamp_(min=0)


def accumulated(costs: Costs, *, keep: bool) -> list[Sums]:
    """The least weighted sums to each cell, by antidiagonals.

    Returns:
        For k = 0 to 2 T a tensor [T + 1, pairs]: at i the least sum of a path through i frames of
        the one and k - i of the other sequence; infinity where there is none. Unless they are to
        be kept, the last two.
    """
    frames, _, pairs = costs.shape
    flat = costs.view(-1, pairs)  # in which an antidiagonal is every (T - 1)-th row
    start = costs.new_full((frames + 1, pairs), torch.inf)
    start[0] = 0
    found = [start, torch.full_like(start, torch.inf)]
    for k in range(2, 2 * frames + 1):
        low, high = max(1, k - frames), min(frames, k - 1)
        first = (low - 1) * frames + k - low - 1
        local = flat[first : first + (high - low) * (frames - 1) + 1 : max(1, frames - 1)]
        before = found[-1]
        sums = torch.full_like(start, torch.inf)
        own = sums[low : high + 1]
        torch.minimum(before[low - 1 : high], before[low : high + 1], out=own)
        torch.minimum(own, found[-2][low - 1 : high] + local, out=own)
        own += local
        found.append(sums)
        if not keep:
            del found[0]
    return found


def best_path(costs: Costs, sums: list[Sums]) -> tuple[Cells, Cells, Float[Tensor, "cells pairs"]]:
    """The cells (i, j) of each pair's best path, from the last to the first, and their weights.

    Paths are of different lengths: what is left of the shorter ones has weight 0.
    """
    frames, _, pairs = costs.shape
    table = torch.stack(sums)  # [2 T + 1, T + 1, pairs]
    pair = torch.arange(pairs, device=costs.device)
    i = torch.full_like(pair, frames)
    k = torch.full_like(pair, 2 * frames)
    cells = []
    while bool((k > 0).any()):
        going = k > 0
        row, column = (i - 1).clamp(min=0), (k - i - 1).clamp(min=0)
        both = table[(k - 2).clamp(min=0), row, pair] + costs[row, column, pair]
        before = (k - 1).clamp(min=0)
        left, up = table[before, row, pair], table[before, i, pair]
        diagonal = (both <= left) & (both <= up)
        first = ~diagonal & (left <= up)
        weights = torch.where(diagonal, 2.0, 1.0).to(costs) * going
        cells.append((row, column, weights))
        k = k - torch.where(diagonal, 2, 1) * going
        i = i - (diagonal | first).long() * going
    rows, columns, weights = (torch.stack(each) for each in zip(*cells, strict=True))
    return rows, columns, weights
