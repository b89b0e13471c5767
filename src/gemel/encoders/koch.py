"""`Koch`: the encoder of Koch, Zemel and Salakhutdinov (2015)."""

from collections.abc import Sequence
from itertools import chain
from typing import Any, ClassVar

from torch import nn

from gemel.encoders._built import Built
from gemel.encoders._shapes import check_counts, image_shape
from gemel.errors import SettingsError

Filters = tuple[tuple[int, int], ...]


class Koch(Built):
    """The convolutions and the sigmoid layer of "Siamese neural networks for one-shot image
    recognition" (ICML deep learning workshop 2015).

    Convolutions are without padding and followed by ReLU, all but the last also by max-pooling by
    2; the embedding is a linear layer and a sigmoid, so its values lie in 0..1. With the defaults
    and pictures of 1 x 105 x 105 this is the paper's best net: 38,947,648 weights, and 38,951,745
    with the 4,097 of `WeightedL1`, the metric that belongs to it.

    Args:
        dim: D, the length of an embedding.
        filters: for each convolution, its feature maps and the side of its filter in pixels.
            `Koch.PAPER` takes pictures of 65 x 65 and more; `Koch.REDUCED`, for 35 x 35, follows
            the paper's description of its MNIST net, whose sizes it does not give: use it with
            `dim=2048`.
        paper_weights: draw the first weights as the paper does: convolutions from a normal
            distribution with standard deviation 0.01, the linear layer with 0.2, all biases with
            mean 0.5 and standard deviation 0.01. It starts slowly, since 0.2 saturates the
            sigmoids; otherwise torch's own scaling by fan-in is used.
        unit_length: scale each embedding to length 1.
        balanced: give each number mean 0 and variance 1 over a training batch; for binary codes,
            whose bits are then 1 as often as 0.

    Raises:
        SettingsError: a value is no whole number of 1 or more.
    """  # noqa: D205

    PAPER: ClassVar[Filters] = ((64, 10), (128, 7), (128, 4), (256, 4))
    REDUCED: ClassVar[Filters] = ((64, 5), (128, 4), (128, 3))

    def __init__(
        self,
        dim: int = 4096,
        *,
        filters: Sequence[Sequence[int]] = PAPER,
        paper_weights: bool = False,
        unit_length: bool = False,
        balanced: bool = False,
    ) -> None:
        super().__init__(dim, unit_length=unit_length, balanced=balanced)
        check_counts("filters", list(chain.from_iterable(filters)))
        if any(len(pair) != 2 for pair in filters):
            raise SettingsError(
                f"`filters` must be (maps, side) for each convolution; got {list(filters)}"
            )
        self.filters: Filters = tuple((pair[0], pair[1]) for pair in filters)
        self.paper_weights = paper_weights

    def settings(self) -> dict[str, Any]:
        """The arguments that make this encoder again."""
        return {
            "filters": [list(pair) for pair in self.filters],
            "paper_weights": self.paper_weights,
            **super().settings(),
        }

    @property
    def smallest(self) -> int:
        """The side in pixels of the smallest square picture that the convolutions leave 1 of."""
        side = 1
        for place, (_, filter_side) in enumerate(reversed(self.filters)):
            side = (side if place == 0 else 2 * side) + filter_side - 1
        return side

    def _layers(self, shape: tuple[int, ...]) -> list[nn.Module]:
        channels, height, width = image_shape(shape, "Koch")
        if min(height, width) < self.smallest:
            raise SettingsError(
                f"Koch with filters {self.filters} needs pictures of {self.smallest} x "
                f"{self.smallest} or more; got {height} x {width}: make them larger, or use "
                "filters=Koch.REDUCED, or Conv"
            )
        layers: list[nn.Module] = []
        for place, (maps, side) in enumerate(self.filters):
            layers += [nn.Conv2d(channels, maps, side), nn.ReLU()]
            channels, height, width = maps, height - side + 1, width - side + 1
            if place < len(self.filters) - 1:
                layers.append(nn.MaxPool2d(2))
                height, width = height // 2, width // 2
        layers += [nn.Flatten(), nn.Linear(channels * height * width, self.dim), nn.Sigmoid()]
        if self.paper_weights:
            draw_paper_weights(layers)
        return layers


def draw_paper_weights(layers: Sequence[nn.Module]) -> None:
    """Draw weights and biases as section 3.2 of Koch et al. 2015 does, in place."""
    for layer in layers:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.normal_(layer.weight, 0.0, 0.01 if isinstance(layer, nn.Conv2d) else 0.2)
            if layer.bias is not None:
                nn.init.normal_(layer.bias, 0.5, 0.01)
