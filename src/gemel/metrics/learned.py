"""Distances with weights that training learns: Mahalanobis, weighted L1, small networks."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gemel.errors import SettingsError
from gemel.metrics.base import LogitMetric, Metric, built, wide, working_dtype
from gemel.metrics.plain import Euclidean

TINY = 2.0**-100  # keeps the slope of a weight that is exactly zero
AT_ONCE = 2**20  # numbers that the network compares at a time


class Mahalanobis(Metric):
    """|L (u - v)| with a learned L [rank, D]: the root of (u - v)' M (u - v), M = L'L.

    L is learned, never M, so that M cannot lose its positive semi-definiteness. It is full, of low
    rank, or diagonal (a weight for each number of an embedding). L starts as the identity; where
    `rank` is less than D, as `rank` orthonormal directions at random.

    d >= 0, d(x, x) = 0, symmetry and the triangle hold. 0 only where equal fails where L has not
    full rank, always where `rank` < D: two points that differ only in a direction which L drops
    are at distance 0. L can grow without bound under losses with a margin: give it weight decay.

    Args:
        rank: the number of rows of L; None makes L square.
        diagonal: L has no numbers beside its diagonal.

    Raises:
        SettingsError: `rank` is less than 1 or, in `build`, greater than the embedding's length;
            or both are given.
    """

    projection: nn.Parameter | None

    def __init__(self, rank: int | None = None, *, diagonal: bool = False) -> None:
        super().__init__()
        if rank is not None and (rank < 1 or diagonal):
            raise SettingsError(
                f"`rank` must be 1 or more, or None for a square or diagonal L; got {rank}"
                + (" with diagonal=True: give one of them" if diagonal else "")
            )
        self.rank = rank
        self.diagonal = diagonal
        self.register_parameter("projection", None)

    def build(self, dim: int, *, generator: torch.Generator | None = None) -> None:
        """Make L for embeddings of `dim` numbers, [dim] where diagonal; see `Metric.build`."""
        rank = dim if self.rank is None else self.rank
        if rank > dim:
            raise SettingsError(
                f"`rank` is {rank}, but the embeddings have only {dim} numbers; "
                f"choose {dim} or less, or None for a square L"
            )
        if self.diagonal:
            self.projection = nn.Parameter(torch.ones(dim))
        elif rank == dim:
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
        return {"rank": self.rank, "diagonal": self.diagonal}

    def _project(self, values: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch rank"]:
        dtype = working_dtype(values.device)
        weights = built(self.projection, "Mahalanobis").to(dtype)
        values = values.to(dtype)
        return values * weights if self.diagonal else values @ weights.T


class WeightedL1(LogitMetric):
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

    def _weights(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        alpha, bias = built(self.alpha, "WeightedL1"), built(self.bias, "WeightedL1")
        return alpha.to(dtype), bias.to(dtype)


class _Network(LogitMetric):
    """What metrics share whose distance is minus the one output of a small network."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.widths = tuple(widths)
        if any(width < 1 for width in self.widths):
            raise SettingsError(f"`widths` must be 1 or more each; got {list(widths)}")
        self.layers = nn.Sequential()

    def build(self, dim: int, *, generator: torch.Generator | None = None) -> None:
        """Make the layers for embeddings of `dim` numbers, drawn by their fan-in."""
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise([2 * dim, *self.widths, 1]):
            linear = nn.Linear(inputs, outputs)
            bound = inputs**-0.5
            for weights in linear.parameters():
                nn.init.uniform_(weights, -bound, bound, generator=generator)
            layers += [linear, nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-1])

    def matrix(self, u: Float[Tensor, "N dim"], v: Float[Tensor, "M dim"]) -> Float[Tensor, "N M"]:
        """The distance of each row of `u` [N, D] from every row of `v` [M, D]: [N, M]."""
        rows = max(1, AT_ONCE // max(1, v.numel()))
        parts = [
            self(part.repeat_interleave(len(v), dim=0), v.repeat(len(part), 1))
            for part in torch.split(u, rows)
        ]
        return torch.cat(parts).reshape(len(u), len(v))

    def settings(self) -> dict[str, Any]:
        """What makes this metric again."""
        return {"widths": list(self.widths)}

    def _beside(
        self, one: Float[Tensor, "batch dim"], other: Float[Tensor, "batch dim"]
    ) -> Float[Tensor, " batch"]:
        """Minus the network's output for the numbers of both, side by side."""
        if not len(self.layers):
            built(None, type(self).__name__)
        score: Tensor = self.layers(torch.cat([one, other], dim=1))
        return -wide(score.squeeze(1))


class Learned(_Network):
    """A small network over |u - v| and u * v: a learned nonlinear comparison.

    Its output is the logit of the probability that the pair is the same, so as with `WeightedL1`

        distance = -logit,  p = probability(distance) = sigmoid(-distance)

    and cross-entropy (`losses.PairCrossEntropy`) trains it. Exchanging u and v changes neither
    |u - v| nor u * v, so it is symmetric by construction, to the bit. The other axioms fail: a
    distance is any real number, d(x, x) is what was learned and no 0, and nothing keeps the
    triangle. An index that needs a metric cannot serve it: search with the cosine of the
    embeddings, and order the nearest by this distance.

    `matrix` makes N x M x 2D numbers, a bounded part at a time; a gradient through it keeps all.

    Args:
        widths: the length of each hidden layer.

    Raises:
        SettingsError: a width is below 1.
    """

    def __init__(self, widths: Sequence[int] = (64,)) -> None:
        super().__init__(widths)

    def forward(
        self, u: Float[Tensor, "batch dim"], v: Float[Tensor, "batch dim"]
    ) -> Float[Tensor, " batch"]:
        """The distance -logit of each row of `u` [B, D] from the same row of `v` [B, D]: [B]."""
        a, b = wide(u), wide(v)
        return self._beside((a - b).abs(), a * b)


class Decision(_Network):
    """A small network over u and v side by side (Zagoruyko and Komodakis 2015, "decision network").

    Its output is a score, greater for more alike; the distance is minus the score. The hinge of
    the paper (`losses.PairHinge(threshold=0, margin=1)`) or cross-entropy trains it.

    Nothing makes such a network symmetric. With `both_orders` the distance is the mean of both
    orders in evaluation mode, as that of `encoders.Joint` is; without, d(u, v) is not d(v, u): so
    for two encoders, of which each knows its own place. All other axioms fail, as for `Learned`.

    `matrix` makes N x M x 2D numbers, a bounded part at a time; a gradient through it keeps all.

    Args:
        widths: the length of each hidden layer.
        both_orders: measure in both orders.

    Raises:
        SettingsError: a width is below 1.
    """

    def __init__(self, widths: Sequence[int] = (512,), *, both_orders: bool = True) -> None:
        super().__init__(widths)
        self.both_orders = both_orders

    def forward(
        self, u: Float[Tensor, "batch dim"], v: Float[Tensor, "batch dim"]
    ) -> Float[Tensor, " batch"]:
        """The distance, minus the score, of each row of `u` from the same row of `v`: [B]."""
        distance = self._beside(wide(u), wide(v))
        if self.training or not self.both_orders:
            return distance
        return (distance + self._beside(wide(v), wide(u))) / 2

    def settings(self) -> dict[str, Any]:
        """What `Decision(**settings)` needs to make this metric again."""
        return {**super().settings(), "both_orders": self.both_orders}
