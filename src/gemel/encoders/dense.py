"""`Dense`: linear layers, for rows of numbers."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from gemel.encoders._shapes import check_batch, check_counts
from gemel.errors import SettingsError


class Dense(nn.Module):
    """Linear layers with ReLU between them; pictures are flattened first.

    Args:
        widths: the length of each hidden layer; none makes one linear map.
        dim: D, the length of an embedding.

    Raises:
        SettingsError: a width or `dim` is no whole number of 1 or more.
    """

    def __init__(self, widths: Sequence[int] = (256,), dim: int = 64) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.dim = dim
        if self.widths:
            check_counts("widths", self.widths)
        check_counts("dim", [dim])
        self.shape: tuple[int, ...] = ()
        self.layers = nn.Sequential()

    def settings(self) -> dict[str, Any]:
        """The arguments that make this encoder again."""
        return {"widths": list(self.widths), "dim": self.dim}

    def build(self, shape: tuple[int, ...]) -> None:
        """Make the layers for items of `shape`, (features,) or any other.

        Raises:
            SettingsError: `shape` is empty or has a side below 1.
        """
        if not shape or min(shape) < 1:
            raise SettingsError(f"Dense takes items of shape (features,) or more; got {shape}")
        sizes = [prod(shape), *self.widths, self.dim]
        layers: list[nn.Module] = [nn.Flatten()]
        for inputs, outputs in pairwise(sizes):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-1])
        self.shape = tuple(shape)

    def forward(self, batch: Float[Tensor, "batch *shape"]) -> Float[Tensor, "batch {self.dim}"]:
        """Embeddings of a batch of items.

        Raises:
            SettingsError: the layers are not built, or built for another shape.
        """
        check_batch(batch, self.shape, self)
        out: Tensor = self.layers(batch)
        return out
