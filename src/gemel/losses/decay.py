"""Weight decay that differs from layer to layer, as a part of any loss."""

import math
from collections.abc import Callable, Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from gemel.errors import SettingsError
from gemel.losses.base import About, LabelLoss, PairLoss, TripletLoss
from gemel.metrics import wide

Layers = Mapping[nn.Module | nn.Parameter, float | int]


class LayerDecay(nn.Module):
    """A loss plus the sum over layers of weight * |w|^2, as in Koch and others 2015.

        loss = LayerDecay(losses.PairCrossEntropy(), {encoder.layers[0]: 1e-4, metric: 1e-3})

    It is of the same kind as the loss inside: around a pair loss it is a `PairLoss`, around any
    callable that is neither a pair nor a triplet loss a `LabelLoss`. |w|^2 is over all weights of
    a module, biases and parts of parts included; for some of them name the parameter itself. The
    decay of the optimiser (`training.AdamW(weight_decay=...)`) comes on top. The layers stay the
    model's: they are not among the loss's own weights.

    Args:
        loss: any loss.
        layers: the weight of each module or parameter; they may be built later.

    Raises:
        SettingsError: there is no layer, or a weight is negative or not finite.
    """

    about: ClassVar[About] = About(
        "loss + Σ_layer λ_layer · w·w",
        "around any loss, to decay each layer by its own weight",
        "Koch, Zemel, Salakhutdinov 2015",
    )

    def __new__(
        cls,
        loss: Callable[..., Tensor] | None = None,
        layers: Layers | None = None,  # noqa: ARG004 (for __init__)
    ) -> "LayerDecay":
        """The class that is of the kind of `loss`; a copy knows it already, and gives none."""
        if cls is not LayerDecay:
            return super().__new__(cls)
        kinds: tuple[tuple[type, type[LayerDecay]], ...] = (
            (PairLoss, PairLayerDecay),
            (TripletLoss, TripletLayerDecay),
        )
        for kind, made in kinds:
            if isinstance(loss, kind):
                return super().__new__(made)
        return super().__new__(LabelLayerDecay)

    def __init__(self, loss: Callable[..., Tensor], layers: Layers) -> None:
        super().__init__()
        if not layers:
            raise SettingsError("LayerDecay needs a layer: give {module: weight, ...}")
        for layer, weight in layers.items():
            if not 0 <= weight < math.inf:
                raise SettingsError(
                    f"the decay of {type(layer).__name__} must be 0 or more, and finite; "
                    f"got {weight}"
                )
        self.loss = loss
        self._layers = tuple(layers.items())  # in a tuple, so that they stay the model's

    def forward(self, *batch: Tensor) -> Tensor:
        """The loss of the batch plus the decay: a scalar.

        Raises:
            SettingsError: a layer has no weights.
        """
        value = self.loss(*batch)
        return value + self.decay().to(value)

    def decay(self) -> Tensor:
        """The sum over layers of weight * |w|^2.

        Raises:
            SettingsError: a layer has no weights.
        """
        return torch.stack([weight * _square(layer) for layer, weight in self._layers]).sum()

    def check_reach(self, greatest: float | int, least: float | int = 0.0) -> None:
        """See the loss inside."""
        if isinstance(self.loss, PairLoss | TripletLoss | LabelLoss):
            self.loss.check_reach(greatest, least)

    def extra_repr(self) -> str:
        """The decays in words."""
        words = (f"{type(layer).__name__}: {weight:g}" for layer, weight in self._layers)
        return f"decay={{{', '.join(words)}}}"


class PairLayerDecay(LayerDecay, PairLoss):
    """Around a pair loss."""


class TripletLayerDecay(LayerDecay, TripletLoss):
    """Around a triplet loss."""


class LabelLayerDecay(LayerDecay, LabelLoss):
    """Around a label loss, or any callable."""


def _square(layer: nn.Module | nn.Parameter) -> Tensor:
    weights = [layer] if isinstance(layer, nn.Parameter) else list(layer.parameters())
    if not weights:
        raise SettingsError(
            f"{type(layer).__name__} has no weights to decay: build the model first (Siamese does "
            "so), or leave this layer out"
        )
    return torch.stack([wide(weight).square().sum() for weight in weights]).sum()
