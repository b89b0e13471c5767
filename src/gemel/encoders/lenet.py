"""`LeNet`: convolutions, subsampling with learned gains, and a scaled tanh."""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from gemel.encoders._built import Built
from gemel.encoders._shapes import check_counts, image_shape
from gemel.errors import SettingsError

Stages = tuple[tuple[int, int, int, int], ...]
AMPLITUDE, SLOPE = 1.7159, 2 / 3
FLATTEST = 0.01
"""The least standard deviation that a picture is divided by, of values from 0 to 1."""


class ScaledTanh(nn.Module):
    """1.7159 tanh(2x/3), which gives 1 for 1 and -1 for -1.

    Source: LeCun, Bottou, Orr, Müller 1998, "Efficient BackProp", section 4.4.
    """

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Values between -1.7159 and 1.7159."""
        return AMPLITUDE * torch.tanh(SLOPE * x)


class Standardise(nn.Module):
    """Each picture less its mean, divided by its standard deviation: light does not count.

    Source: LeCun, Bottou, Orr, Müller 1998, section 4.3, where inputs have mean 0 and variance 1.
    """

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Mean 0 and deviation 1; a picture of one tone becomes all 0."""
        deviation, mean = torch.std_mean(x, (1, 2, 3), keepdim=True, correction=0)
        return (x - mean) / deviation.clamp(min=FLATTEST)


class Subsample(nn.Module):
    """The mean of each patch, times a learned gain, plus a learned bias, one pair a map.

    Args:
        maps: feature maps.
        patch: (height, width) of a patch in pixels; patches do not overlap.
    """

    def __init__(self, maps: int, patch: tuple[int, int]) -> None:
        super().__init__()
        self.patch = patch
        self.gain = nn.Parameter(torch.ones(maps, 1, 1))
        self.bias = nn.Parameter(torch.zeros(maps, 1, 1))

    def forward(
        self, x: Float[Tensor, "batch maps height width"]
    ) -> Float[Tensor, "batch maps low narrow"]:
        """Each side divided by the patch's, rounded down."""
        return F.avg_pool2d(x, self.patch) * self.gain + self.bias


class LeNet(Built):
    """The kind of network that the first Siamese systems for images were built of.

    Each stage is a convolution without padding, a scaled tanh and, where its patch is larger than
    one pixel, subsampling with another scaled tanh; one linear layer gives the embedding. First
    weights are drawn uniformly with a standard deviation of one over the root of the fan-in.

    Sources: LeCun, Bottou, Bengio, Haffner 1998, "Gradient-based learning applied to document
    recognition", for the layers; Chopra, Hadsell, LeCun 2005 and Hadsell, Chopra, LeCun 2006 for
    `CHOPRA` (pictures of 56 x 46, dim 50) and `HADSELL` (32 x 32, dim 2). In Chopra's network the
    second convolution sees some of the first one's maps; here every map sees all.

    Args:
        dim: D, the length of an embedding.
        stages: for each convolution its maps, the side of its filter, and height and width of
            the patch that is averaged after it (1, 1: none).
        bounded: pass the embedding through the scaled tanh, too: its numbers then lie between
            -1.7159 and 1.7159.
        standardise: give each picture mean 0 and standard deviation 1 first.
        unit_length: scale each embedding to length 1.
        balanced: give each number mean 0 and variance 1 over a training batch; for binary codes,
            whose bits are then 1 as often as 0.

    Raises:
        SettingsError: a value is no whole number of 1 or more.
    """

    CHOPRA: ClassVar[Stages] = ((15, 7, 2, 2), (45, 6, 4, 3), (250, 5, 1, 1))
    HADSELL: ClassVar[Stages] = ((15, 6, 3, 3), (30, 9, 1, 1))

    def __init__(
        self,
        dim: int = 50,
        *,
        stages: Sequence[Sequence[int]] = CHOPRA,
        bounded: bool = False,
        standardise: bool = False,
        unit_length: bool = False,
        balanced: bool = False,
    ) -> None:
        super().__init__(dim, unit_length=unit_length, balanced=balanced)
        for stage in stages:
            check_counts("stages", list(stage))
        if not stages or any(len(stage) != 4 for stage in stages):
            raise SettingsError(
                "`stages` must be (maps, side, patch height, patch width) for each convolution; "
                f"got {list(stages)}"
            )
        self.stages: Stages = tuple((s[0], s[1], s[2], s[3]) for s in stages)
        self.bounded = bounded
        self.standardise = standardise

    def settings(self) -> dict[str, Any]:
        """The arguments that make this encoder again."""
        return {
            "stages": [list(stage) for stage in self.stages],
            "bounded": self.bounded,
            "standardise": self.standardise,
            **super().settings(),
        }

    def _layers(self, shape: tuple[int, ...]) -> list[nn.Module]:
        channels, height, width = image_shape(shape, "LeNet")
        layers: list[nn.Module] = [Standardise()] if self.standardise else []
        for maps, side, low, narrow in self.stages:
            layers += [nn.Conv2d(channels, maps, side), ScaledTanh()]
            if low * narrow > 1:
                layers += [Subsample(maps, (low, narrow)), ScaledTanh()]
            channels = maps
            height, width = (height - side + 1) // low, (width - side + 1) // narrow
            if min(height, width) < 1:
                raise SettingsError(
                    f"LeNet with stages {self.stages} leaves nothing of pictures of shape "
                    f"{shape}: make them larger, or give other stages"
                )
        layers += [nn.Flatten(), nn.Linear(channels * height * width, self.dim)]
        if self.bounded:
            layers.append(ScaledTanh())
        for layer in layers:
            if isinstance(layer, nn.Conv2d | nn.Linear):
                draw_by_fan_in(layer)
        return layers


def draw_by_fan_in(layer: nn.Conv1d | nn.Conv2d | nn.Linear) -> None:
    """Weights of zero mean and standard deviation fan-in ** -1/2 (Efficient BackProp, 4.6)."""
    bound = math.sqrt(3 / layer.weight[0].numel())
    nn.init.uniform_(layer.weight, -bound, bound)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
