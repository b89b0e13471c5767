"""The Hamming distance of binary codes, and what stands in for it while training."""

from typing import Any

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from gemel.errors import SettingsError
from gemel.metrics.base import Metric, wide


def codes(embeddings: Float[Tensor, "batch dim"]) -> Bool[Tensor, "batch dim"]:
    """The binary code of each embedding: True where a number is above 0."""
    return embeddings > 0


def pack(bits: Bool[Tensor, "batch dim"]) -> UInt8[Tensor, "batch bytes"]:
    """Eight bits a byte, the first one highest; the last byte is filled up with zeros."""
    batch, dim = bits.shape
    width = -(-dim // 8)
    whole = torch.zeros(batch, 8 * width, dtype=torch.uint8, device=bits.device)
    whole[:, :dim] = bits
    weights = 2 ** torch.arange(7, -1, -1, device=bits.device, dtype=torch.uint8)
    return (whole.view(batch, width, 8) * weights).sum(dim=2, dtype=torch.uint8)


def unpack(packed: UInt8[Tensor, "batch bytes"], dim: int) -> Bool[Tensor, "batch {dim}"]:
    """The `dim` bits that `pack` made bytes of."""
    places = torch.arange(7, -1, -1, device=packed.device, dtype=torch.uint8)
    return ((packed[:, :, None] >> places) & 1).flatten(1)[:, :dim].bool()


class CodeMetric(Metric):
    """What distances of binary codes share.

    Args:
        slope: s of tanh(s u), which stands for bits that are not rounded.

    Raises:
        SettingsError: `slope` is not positive.
    """

    def __init__(self, slope: float | int = 1.0) -> None:
        super().__init__()
        if slope <= 0:
            raise SettingsError(f"`slope` must be above 0; got {slope}")
        self.slope = slope

    def soft(self, values: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:
        """tanh(s u), between -1 and 1."""
        return torch.tanh(self.slope * wide(values))

    def reach(self, dim: int, *, unit_length: bool) -> float:  # noqa: ARG002
        """`dim`: all bits differ, and none is in doubt."""
        return float(dim)

    def settings(self) -> dict[str, Any]:
        """What makes this metric again."""
        return {"slope": self.slope}


class Hamming(CodeMetric):
    """How many of the D bits of two codes differ; a bit is whether a number is above 0.

    That count has no gradient, so in training mode its relaxation stands in (Norouzi, Fleet and
    Salakhutdinov 2012 train real numbers for the codes of their signs, too):

        d(u, v) = (D - tanh(s u) . tanh(s v)) / 2

    which is the count itself where the numbers are far from 0. In evaluation mode, where distances
    are counts: d >= 0, d(x, x) = 0, symmetry and the triangle hold, between codes all four axioms.
    0 only where equal fails between embeddings: those with the same signs are one code. The
    relaxation keeps d >= 0, symmetry and the triangle, but d(x, x) > 0.

    Args:
        slope: s; the greater, the nearer the relaxation is to the count, and the smaller its
            gradient far from 0.

    Raises:
        SettingsError: `slope` is not positive.
    """

    def normalise(self, embeddings: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:
        """The codes as -1 and 1: the mean of several is the vote on each bit."""
        return self._signs(wide(embeddings))

    def forward(
        self, u: Float[Tensor, "batch dim"], v: Float[Tensor, "batch dim"]
    ) -> Float[Tensor, " batch"]:
        """The distance of each row of `u` [B, D] from the same row of `v` [B, D]: [B]."""
        a, b = self._signs(wide(u)), self._signs(wide(v))
        return (u.shape[1] - (a * b).sum(dim=1)) / 2

    def matrix(self, u: Float[Tensor, "N dim"], v: Float[Tensor, "M dim"]) -> Float[Tensor, "N M"]:
        """The distance of each row of `u` [N, D] from every row of `v` [M, D]: [N, M]."""
        a, b = self._signs(wide(u)), self._signs(wide(v))
        return (u.shape[1] - a @ b.T) / 2

    def _signs(self, values: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:
        """-1 and 1 for the bits; between them while training."""
        return self.soft(values) if self.training else _signs(values)


class AsymmetricHamming(CodeMetric):
    """How far real numbers are from a binary code: the left item is not rounded, the right one is.

        d(u, v) = |tanh(s u) - h(v)|^2 / 4,    h(v) = -1 or 1

    which is the number of bits that differ where u is far from 0, and less or more where a bit of
    u is in doubt (Norouzi, Fleet and Salakhutdinov 2012, "asymmetric Hamming distance"). It costs
    no more room than codes: what is stored is the right item's code, what is asked about keeps its
    numbers. d >= 0; d(x, x) > 0, no symmetry, no triangle. It has a gradient for u only: train with
    `Hamming`, and ask with this one.

    Args:
        slope: s; the greater, the more u is rounded, too.

    Raises:
        SettingsError: `slope` is not positive.
    """

    def forward(
        self, u: Float[Tensor, "batch dim"], v: Float[Tensor, "batch dim"]
    ) -> Float[Tensor, " batch"]:
        """The distance of each row of `u` [B, D] from the code of the same row of `v`: [B]."""
        a, b = self.soft(u), _signs(wide(v))
        return ((a - b).square().sum(dim=1)) / 4

    def matrix(self, u: Float[Tensor, "N dim"], v: Float[Tensor, "M dim"]) -> Float[Tensor, "N M"]:
        """The distance of each row of `u` [N, D] from the code of every row of `v`: [N, M]."""
        a, b = self.soft(u), _signs(wide(v))
        length = a.square().sum(dim=1, keepdim=True)
        return ((length + u.shape[1] - 2 * (a @ b.T)) / 4).clamp(min=0)


def _signs(values: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:
    """-1 and 1 for the bits."""
    return codes(values).to(values.dtype) * 2 - 1
