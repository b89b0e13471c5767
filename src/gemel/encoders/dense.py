"""`Dense`: linear layers, for rows of numbers."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Any

from torch import nn

from gemel.encoders._built import Built
from gemel.encoders._shapes import check_counts
from gemel.errors import SettingsError


class Dense(Built):
    """Linear layers with ReLU between them; pictures are flattened first.

    Args:
        widths: the length of each hidden layer; none makes one linear map.
        dim: D, the length of an embedding.
        unit_length: scale each embedding to length 1.
        balanced: give each number mean 0 and variance 1 over a training batch; for binary codes,
            whose bits are then 1 as often as 0.

    Raises:
        SettingsError: a width or `dim` is no whole number of 1 or more.
    """

    def __init__(
        self,
        widths: Sequence[int] = (256,),
        dim: int = 64,
        *,
        unit_length: bool = False,
        balanced: bool = False,
    ) -> None:
        super().__init__(dim, unit_length=unit_length, balanced=balanced)
        self.widths = tuple(widths)
        if self.widths:
            check_counts("widths", self.widths)

    def settings(self) -> dict[str, Any]:
        """The arguments that make this encoder again."""
        return {"widths": list(self.widths), **super().settings()}

    def _layers(self, shape: tuple[int, ...]) -> list[nn.Module]:
        if not shape or min(shape) < 1:
            raise SettingsError(f"Dense takes items of shape (features,) or more; got {shape}")
        layers: list[nn.Module] = [nn.Flatten()]
        for inputs, outputs in pairwise([prod(shape), *self.widths, self.dim]):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        return layers[:-1]
