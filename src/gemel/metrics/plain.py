"""Distances without weights: Euclidean, squared Euclidean, Manhattan, cosine."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from gemel.metrics.base import NOISE, SHORTEST, Metric, squared_matrix, unit, wide, working_dtype


class Euclidean(Metric):
    """|u - v|, the length of the difference. All four axioms hold.

    At u = v the distance is exactly 0 and so is its gradient.
    """

    def forward(
        self, u: Float[Tensor, "batch dim"], v: Float[Tensor, "batch dim"]
    ) -> Float[Tensor, " batch"]:
        """The distance of each row of `u` [B, D] from the same row of `v` [B, D]: [B]."""
        distance: Tensor = torch.linalg.vector_norm(wide(u) - wide(v), dim=1)
        return distance

    def matrix(self, u: Float[Tensor, "N dim"], v: Float[Tensor, "M dim"]) -> Float[Tensor, "N M"]:
        """The distance of each row of `u` [N, D] from every row of `v` [M, D]: [N, M]."""
        squared, zero = squared_matrix(wide(u), wide(v))
        # Both fills are needed: the inner one keeps the root's infinite slope away from 0 * inf.
        return squared.masked_fill_(zero, 1).sqrt().masked_fill(zero, 0).to(wide(u).dtype)

    def reach(self, dim: int, *, unit_length: bool) -> float:  # noqa: ARG002
        """2 between unit vectors, else without limit."""
        return 2.0 if unit_length else math.inf


class SquaredEuclidean(Metric):
    """|u - v|^2 (FaceNet: Schroff, Kalenichenko, Philbin 2015, on unit vectors).

    All axioms hold but the triangle: of the points 0, 1 and 2 on a line, d(0, 2) = 4 > 1 + 1.
    """

    def forward(
        self, u: Float[Tensor, "batch dim"], v: Float[Tensor, "batch dim"]
    ) -> Float[Tensor, " batch"]:
        """The distance of each row of `u` [B, D] from the same row of `v` [B, D]: [B]."""
        return (wide(u) - wide(v)).square().sum(dim=1)

    def matrix(self, u: Float[Tensor, "N dim"], v: Float[Tensor, "M dim"]) -> Float[Tensor, "N M"]:
        """The distance of each row of `u` [N, D] from every row of `v` [M, D]: [N, M]."""
        squared, zero = squared_matrix(wide(u), wide(v))
        return squared.masked_fill_(zero, 0).to(wide(u).dtype)

    def reach(self, dim: int, *, unit_length: bool) -> float:  # noqa: ARG002
        """4 between unit vectors, else without limit."""
        return 4.0 if unit_length else math.inf


class Manhattan(Metric):
    """The sum of |u_j - v_j| over the numbers of an embedding. All four axioms hold."""

    def forward(
        self, u: Float[Tensor, "batch dim"], v: Float[Tensor, "batch dim"]
    ) -> Float[Tensor, " batch"]:
        """The distance of each row of `u` [B, D] from the same row of `v` [B, D]: [B]."""
        return (wide(u) - wide(v)).abs().sum(dim=1)

    def matrix(self, u: Float[Tensor, "N dim"], v: Float[Tensor, "M dim"]) -> Float[Tensor, "N M"]:
        """The distance of each row of `u` [N, D] from every row of `v` [M, D]: [N, M]."""
        return torch.cdist(wide(u), wide(v), p=1.0)

    def reach(self, dim: int, *, unit_length: bool) -> float:
        """2 sqrt(dim) between unit vectors, else without limit."""
        return 2.0 * math.sqrt(dim) if unit_length else math.inf


class Cosine(Metric):
    """1 - cos(u, v), between 0 (one direction) and 2 (opposite). Length does not count.

    The zero vector has no direction: it is at distance 1 from everything, itself included, and
    gets no gradient. For all other vectors:

    - d >= 0, d(x, x) = 0 and symmetry hold;
    - 0 only where equal fails: d((1, 0), (2, 0)) = 0;
    - the triangle fails: for directions at 0, 45 and 90 degrees d = 1 > 0.293 + 0.293.
      (The angle itself, arccos, satisfies it.)
    """

    def normalise(self, embeddings: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:
        """Each embedding divided by its length."""
        return unit(embeddings)

    def forward(
        self, u: Float[Tensor, "batch dim"], v: Float[Tensor, "batch dim"]
    ) -> Float[Tensor, " batch"]:
        """The distance of each row of `u` [B, D] from the same row of `v` [B, D]: [B]."""
        a, b = (x.to(working_dtype(x.device)) for x in (u, v))
        squared = a.square().sum(dim=1), b.square().sum(dim=1)
        pointless = (squared[0] <= SHORTEST**2) | (squared[1] <= SHORTEST**2)
        scale = [part.masked_fill(pointless, 1).rsqrt() for part in squared]
        cosine = (a * b).sum(dim=1) * (scale[0] * scale[1])
        return self._distance(cosine.masked_fill(pointless, 0)).to(wide(u).dtype)

    def matrix(self, u: Float[Tensor, "N dim"], v: Float[Tensor, "M dim"]) -> Float[Tensor, "N M"]:
        """The distance of each row of `u` [N, D] from every row of `v` [M, D]: [N, M]."""
        a, b = (unit(x.to(working_dtype(x.device))) for x in (u, v))
        return self._distance(a @ b.T).to(wide(u).dtype)

    @staticmethod
    def _distance(cosine: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        distance = 1 - cosine
        return distance.masked_fill_(distance <= NOISE * torch.finfo(cosine.dtype).eps, 0)

    def reach(self, dim: int, *, unit_length: bool) -> float:  # noqa: ARG002
        """2, between opposite directions."""
        return 2.0
