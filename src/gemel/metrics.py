"""Metrics: from two embeddings to a distance. Lower is always more alike.

Each metric has two verbs that agree: `metric(u, v)` gives the distance of each row of u from the
same row of v, and `metric.matrix(u, v)` of each row of u from every row of v. Half precision is
widened to float32 first, float64 stays; no distance or gradient is NaN where two embeddings are
equal. The matrices of Euclidean, cosine and Mahalanobis distances are Gram products in float64:
distances below about 1e-7 of the embeddings' length read as exactly 0.

The four axioms of a metric: d >= 0 and d(x, x) = 0; d = 0 only where x = y; d(x, y) = d(y, x);
the triangle d(x, z) <= d(x, y) + d(y, z). Each docstring says which of them hold between
embeddings. Between *items* the second one never holds by itself: an encoder may map two items to
one embedding.

| metric | >= 0 and d(x, x) = 0 | 0 only where equal | symmetric | triangle | weights |
|---|---|---|---|---|---|
| Euclidean, Manhattan | yes | yes | yes | yes | none |
| SquaredEuclidean | yes | yes | yes | no | none |
| Cosine | yes (not at the zero vector) | no | yes | no | none |
| Mahalanobis | yes | only where L has full rank | yes | yes | L |
| WeightedL1 | no | no | yes | no | alpha, bias |
"""

from abc import ABC, abstractmethod
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from gemel.errors import SettingsError

NOISE = 32  # rounding errors of a Gram product, in units of its precision
SHORTEST = 1e-12  # an embedding shorter than this counts as the zero vector
TINY = 2.0**-100  # keeps the slope of a weight that is exactly zero


def wide(values: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """`values` in float32 at least: half precision is widened, float64 stays."""
    return values if values.dtype == torch.float64 else values.float()


def working_dtype(device: torch.device) -> torch.dtype:
    """The precision for differences of large numbers: float64 wherever the device has it."""
    return torch.float32 if device.type == "mps" else torch.float64


def unit(values: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:
    """Each row divided by its length; the zero vector stays zero, with gradient 0."""
    length = torch.linalg.vector_norm(values, dim=1, keepdim=True)  # [B, 1]
    return torch.where(length > SHORTEST, values / length.clamp(min=SHORTEST), 0 * values.detach())


def squared_matrix(
    u: Float[Tensor, "N dim"], v: Float[Tensor, "M dim"]
) -> tuple[Float[Tensor, "N M"], Bool[Tensor, "N M"]]:
    """Squared Euclidean distances, and where they are zero but for rounding.

    |u|^2 + |v|^2 - 2 u.v, in float64 where the device has it: nothing of size N x M x dim is made.
    Where the second result is True the first one is noise and may be negative.
    """
    a, b = (x.to(working_dtype(x.device)) for x in (u, v))
    length = a.square().sum(dim=1, keepdim=True)  # [N, 1]
    squared = torch.addmm(length, a, b.T, alpha=-2)  # [N, M]
    squared += b.square().sum(dim=1)
    # |u| and |v| are alike where u and v are, so the length of u alone tells the noise.
    return squared, squared <= NOISE * torch.finfo(squared.dtype).eps * length.detach()


class Metric(nn.Module, ABC):
    """The base of all metrics. Lower is more alike.

    `type(metric)(**metric.settings())` and, where there are weights, `build(dim)` make an equal
    one but for the weights, which are in `state_dict()`.
    """

    @abstractmethod
    def forward(
        self, u: Float[Tensor, "batch dim"], v: Float[Tensor, "batch dim"]
    ) -> Float[Tensor, " batch"]:
        """The distance of each row of `u` [B, D] from the same row of `v` [B, D]: [B]."""

    @abstractmethod
    def matrix(self, u: Float[Tensor, "N dim"], v: Float[Tensor, "M dim"]) -> Float[Tensor, "N M"]:
        """The distance of each row of `u` [N, D] from every row of `v` [M, D]: [N, M]."""

    def normalise(self, embeddings: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:
        """Embeddings with all that the distance does not look at taken away, to be averaged."""
        return embeddings

    def build(self, dim: int, *, generator: torch.Generator | None = None) -> None:
        """Make the weights for embeddings of `dim` numbers; nothing to do where there are none.

        Args:
            dim: the length of an embedding.
            generator: what random weights are drawn from; None draws from torch's own generator,
                which the caller has seeded.
        """

    def settings(self) -> dict[str, Any]:
        """What `type(self)(**settings)` needs to make this metric again."""
        return {}


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
        a, b = (unit(x.to(working_dtype(x.device))) for x in (u, v))
        return self._distance((a * b).sum(dim=1)).to(wide(u).dtype)

    def matrix(self, u: Float[Tensor, "N dim"], v: Float[Tensor, "M dim"]) -> Float[Tensor, "N M"]:
        """The distance of each row of `u` [N, D] from every row of `v` [M, D]: [N, M]."""
        a, b = (unit(x.to(working_dtype(x.device))) for x in (u, v))
        return self._distance(a @ b.T).to(wide(u).dtype)

    @staticmethod
    def _distance(cosine: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        distance = 1 - cosine
        return distance.masked_fill_(distance <= NOISE * torch.finfo(cosine.dtype).eps, 0)


class Mahalanobis(Metric):
    """|L (u - v)| with a learned L [rank, D]: the root of (u - v)' M (u - v), M = L'L.

    L is learned, never M, so that M cannot lose its positive semi-definiteness. L starts as the
    identity; where `rank` is less than D, as `rank` orthonormal directions at random.

    d >= 0, d(x, x) = 0, symmetry and the triangle hold. 0 only where equal fails where L has not
    full rank, always where `rank` < D: two points that differ only in a direction which L drops
    are at distance 0. L can grow without bound under losses with a margin: give it weight decay.

    Args:
        rank: the number of rows of L; None makes L square.

    Raises:
        SettingsError: `rank` is less than 1 or, in `build`, greater than the embedding's length.
    """

    projection: nn.Parameter | None

    def __init__(self, rank: int | None = None) -> None:
        super().__init__()
        if rank is not None and rank < 1:
            raise SettingsError(f"`rank` must be 1 or more, or None for a square L; got {rank}")
        self.rank = rank
        self.register_parameter("projection", None)

    def build(self, dim: int, *, generator: torch.Generator | None = None) -> None:
        """Make L for embeddings of `dim` numbers; see `Metric.build`."""
        rank = dim if self.rank is None else self.rank
        if rank > dim:
            raise SettingsError(
                f"`rank` is {rank}, but the embeddings have only {dim} numbers; "
                f"choose {dim} or less, or None for a square L"
            )
        if rank == dim:
            self.projection = nn.Parameter(torch.eye(dim))
        else:
            directions = torch.linalg.qr(torch.randn(dim, rank, generator=generator)).Q
            self.projection = nn.Parameter(directions.T.contiguous())

    def forward(
        self, u: Float[Tensor, "batch dim"], v: Float[Tensor, "batch dim"]
    ) -> Float[Tensor, " batch"]:
        """The distance of each row of `u` [B, D] from the same row of `v` [B, D]: [B]."""
        difference = self._project(wide(u) - wide(v))
        distance: Tensor = torch.linalg.vector_norm(difference, dim=1).to(wide(u).dtype)
        return distance

    def matrix(self, u: Float[Tensor, "N dim"], v: Float[Tensor, "M dim"]) -> Float[Tensor, "N M"]:
        """The distance of each row of `u` [N, D] from every row of `v` [M, D]: [N, M]."""
        return Euclidean().matrix(self._project(u), self._project(v)).to(wide(u).dtype)

    def settings(self) -> dict[str, Any]:
        """What `Mahalanobis(**settings)` needs to make this metric again."""
        return {"rank": self.rank}

    def _project(self, values: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch rank"]:
        weights = _built(self.projection, "Mahalanobis")
        dtype = working_dtype(values.device)
        return values.to(dtype) @ weights.to(dtype).T


class WeightedL1(Metric):
    """Koch, Zemel and Salakhutdinov 2015: a learned weight for each |u_j - v_j|.

    The paper's probability that a pair is the same is p = sigmoid(logit) with

        logit = bias + sum_j alpha_j |u_j - v_j|

    (the printed formula has no bias; without one p(x, x) would be 1/2 whatever is learned). As
    everywhere here lower is more alike, so the distance is the logit turned round, a real number:

        distance = -logit,  p = probability(distance) = sigmoid(-distance)

    It is not squeezed into 0..1, where far pairs would round to one value and tie. `alpha` starts
    at -2/D and `bias` at 1: a greater |u_j - v_j| means less alike, equal embeddings start at
    p = 0.73, and embeddings of unit variance that differ at random at about p = 0.2. The start
    needs no random numbers; learning may make any alpha positive.

    Symmetry holds. The others fail: d(x, x) = -bias, which is -1 at the start and no 0; so the
    least distance is no sign of equality; and for x = y = z the triangle asks -1 <= -1 - 1.
    """

    alpha: nn.Parameter | None
    bias: nn.Parameter | None

    def __init__(self) -> None:
        super().__init__()
        self.register_parameter("alpha", None)
        self.register_parameter("bias", None)

    def build(self, dim: int, *, generator: torch.Generator | None = None) -> None:  # noqa: ARG002
        """Make `alpha` [dim] and `bias` []; both start at fixed values, so nothing is drawn."""
        self.alpha = nn.Parameter(torch.full((dim,), -2.0 / dim))
        self.bias = nn.Parameter(torch.tensor(1.0))

    def forward(
        self, u: Float[Tensor, "batch dim"], v: Float[Tensor, "batch dim"]
    ) -> Float[Tensor, " batch"]:
        """The distance -logit of each row of `u` [B, D] from the same row of `v` [B, D]: [B]."""
        alpha, bias = self._weights(wide(u).dtype)
        return -(bias + ((wide(u) - wide(v)).abs() * alpha).sum(dim=1))

    def matrix(self, u: Float[Tensor, "N dim"], v: Float[Tensor, "M dim"]) -> Float[Tensor, "N M"]:
        """The distance -logit of each row of `u` [N, D] from every row of `v` [M, D]: [N, M]."""
        a, b = wide(u), wide(v)
        alpha, bias = self._weights(a.dtype)
        logit = bias.expand(len(a), len(b))
        # |alpha| |u - v| is the Manhattan distance of scaled rows, for either sign of alpha.
        for sign, chosen in ((1, alpha >= 0), (-1, alpha < 0)):
            columns = chosen.nonzero().squeeze(1)
            scale = sign * alpha[columns] + TINY
            near = torch.cdist(a[:, columns] * scale, b[:, columns] * scale, p=1.0)
            logit = logit + sign * near  # [N, M]
        return -logit

    def probability(self, distance: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """The probability that a pair is the same: sigmoid(-distance), of the same shape."""
        return torch.sigmoid(-wide(distance))

    def _weights(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        alpha, bias = _built(self.alpha, "WeightedL1"), _built(self.bias, "WeightedL1")
        return alpha.to(dtype), bias.to(dtype)


def _built(weights: nn.Parameter | None, name: str) -> nn.Parameter:
    if weights is None:
        raise SettingsError(
            f"{name} has no weights yet: call build(dim) with the length of an embedding first "
            "(Siamese does so)"
        )
    return weights
