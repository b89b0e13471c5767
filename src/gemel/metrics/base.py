"""What all metrics share: the base class, and the arithmetic that keeps small distances right."""

import math
from abc import ABC, abstractmethod
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from gemel.errors import SettingsError

NOISE = 32  # rounding errors of a Gram product, in units of its precision
SHORTEST = 1e-12  # an embedding shorter than this counts as the zero vector


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

    `least` is the least distance there can be: 0, but minus infinity where it is a logit. `slow`
    says that a distance takes far longer than to read its embeddings: then none is measured twice,
    and training takes pairs.

    `type(metric)(**metric.settings())` and, where there are weights, `build(dim)` make an equal
    one but for the weights, which are in `state_dict()`.
    """

    least = 0.0
    slow = False

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

    def reach(self, dim: int, *, unit_length: bool) -> float:  # noqa: ARG002
        """The greatest distance there can be; infinity where there is no limit.

        Args:
            dim: the length of an embedding.
            unit_length: whether the embeddings are unit vectors.
        """
        return math.inf


class LogitMetric(Metric):
    """A metric whose distance is minus the logit of the probability that a pair is the same."""

    least = -math.inf

    def probability(self, distance: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """The probability that a pair is the same: sigmoid(-distance), of the same shape."""
        return torch.sigmoid(-wide(distance))


class NoMetric(LogitMetric):
    """Stands where a joint comparer has no metric: it takes both items, and gives a logit."""

    def forward(
        self,
        u: Float[Tensor, "batch dim"],  # noqa: ARG002
        v: Float[Tensor, "batch dim"],  # noqa: ARG002
    ) -> Float[Tensor, " batch"]:
        """Refused: there are no embeddings.

        Raises:
            SettingsError: always.
        """
        raise SettingsError(
            "a joint comparer takes both items at once: it has no embeddings, and no metric "
            "between them; use compare(a, b), or pair_distances"
        )

    def matrix(self, u: Float[Tensor, "N dim"], v: Float[Tensor, "M dim"]) -> Float[Tensor, "N M"]:
        """Refused, as `forward` is."""
        distance: Tensor = self(u, v)
        return distance


def built(weights: nn.Parameter | None, name: str) -> nn.Parameter:
    """`weights`, once they are made.

    Raises:
        SettingsError: they are not.
    """
    if weights is None:
        raise SettingsError(
            f"{name} has no weights yet: call build(dim) with the length of an embedding first "
            "(Siamese does so)"
        )
    return weights
