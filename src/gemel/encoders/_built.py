"""What gemel's own encoders share: layers that `build` makes for the shape of one item."""

from abc import ABC, abstractmethod
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gemel.encoders._shapes import check_batch, check_counts
from gemel.metrics import unit


class Built(nn.Module, ABC):
    """An encoder whose layers wait for the shape of one item.

    Args:
        dim: D, the length of an embedding.
        unit_length: divide each embedding by its length, so that all lie on the unit sphere.
        balanced: give each number mean 0 and variance 1 over a training batch (Ioffe, Szegedy
            2015, without weights), and afterwards by what was seen in training, before the length
            is divided by.

    Raises:
        SettingsError: `dim` is no whole number of 1 or more.
    """

    def __init__(self, dim: int, *, unit_length: bool, balanced: bool) -> None:
        super().__init__()
        check_counts("dim", [dim])
        self.dim = dim
        self.unit_length = unit_length
        self.balanced = balanced
        self.shape: tuple[int, ...] = ()
        self.layers = nn.Sequential()

    @abstractmethod
    def _layers(self, shape: tuple[int, ...]) -> list[nn.Module]:
        """The layers from items of `shape` to embeddings."""

    def settings(self) -> dict[str, Any]:
        """The arguments that make this encoder again."""
        made = {"dim": self.dim, "unit_length": self.unit_length}
        return made | {"balanced": True} if self.balanced else made  # older files do not know it

    def build(self, shape: tuple[int, ...]) -> None:
        """Make the layers for items of `shape`, weights drawn from torch's generator.

        Raises:
            SettingsError: this encoder takes no items of that shape.
        """
        layers = nn.Sequential(*self._layers(shape))
        if self.balanced:
            layers.append(nn.BatchNorm1d(self.dim, affine=False))
        if len(shape) == 3:
            layers.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.layers, self.shape = layers, tuple(shape)

    def forward(self, batch: Float[Tensor, "batch *shape"]) -> Float[Tensor, "batch {self.dim}"]:
        """Embeddings [B, D] of a batch of items [B, *shape].

        Raises:
            SettingsError: the layers are not built, or built for another shape.
        """
        check_batch(batch, self.shape, self)
        if batch.ndim == 4:
            batch = batch.contiguous(memory_format=torch.channels_last)
        out: Tensor = self.layers(batch)
        return unit(out) if self.unit_length else out
