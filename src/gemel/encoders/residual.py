"""`Residual`: a small residual network, for photographs and larger pictures."""

from collections.abc import Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from gemel.encoders._built import Built
from gemel.encoders._shapes import check_counts, image_shape


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut (He et al. 2016, "Deep residual learning").

    Where the size changes, the shortcut takes the mean of each window; where the number of maps
    changes, a 1x1 convolution follows (He et al. 2019, "Bag of tricks", net D). The last
    normalisation starts at 0, so that the block starts as its shortcut (Goyal et al. 2017).
    """

    def __init__(self, channels: int, maps: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, maps, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(maps)
        self.conv2 = nn.Conv2d(maps, maps, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(maps)
        nn.init.zeros_(self.norm2.weight)
        # No 1x1 convolution with a stride: with few channels, oneDNN's kernel for its gradient
        # writes outside its memory (seen with torch 2.13 on AVX2, channels last).
        shortcut: list[nn.Module] = []
        if stride != 1:
            shortcut.append(nn.AvgPool2d(stride, ceil_mode=True, count_include_pad=False))
        if channels != maps:
            shortcut += [nn.Conv2d(channels, maps, 1, bias=False), nn.BatchNorm2d(maps)]
        self.shortcut = nn.Sequential(*shortcut)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch maps new_height new_width"]:
        """One block; sides are divided by the stride and rounded up."""
        inner = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(inner)) + self.shortcut(x))


class Residual(Built):
    """Stages of residual blocks, the mean over the picture, one linear layer to the embedding.

    Each stage after the first halves the sides and doubles the maps. The mean over the picture
    (global average pooling) lets one set of weights serve any size.

    Args:
        width: feature maps of the first stage.
        blocks: how many blocks each stage has.
        dim: D, the length of an embedding.
        stem_stride: 2 halves the pictures in the first convolution: four times faster, for
            pictures of about 64 pixels and more.
        unit_length: scale each embedding to length 1.
        balanced: give each number mean 0 and variance 1 over a training batch; for binary codes,
            whose bits are then 1 as often as 0.

    Raises:
        SettingsError: a value is no whole number of 1 or more.
    """

    def __init__(
        self,
        width: int = 32,
        blocks: Sequence[int] = (2, 2, 2),
        dim: int = 128,
        *,
        stem_stride: int = 1,
        unit_length: bool = False,
        balanced: bool = False,
    ) -> None:
        super().__init__(dim, unit_length=unit_length, balanced=balanced)
        self.width = width
        self.blocks = tuple(blocks)
        self.stem_stride = stem_stride
        check_counts("blocks", self.blocks)
        for name, value in (("width", width), ("stem_stride", stem_stride)):
            check_counts(name, [value])

    def settings(self) -> dict[str, Any]:
        """The arguments that make this encoder again."""
        return {
            "width": self.width,
            "blocks": list(self.blocks),
            "stem_stride": self.stem_stride,
            **super().settings(),
        }

    def _layers(self, shape: tuple[int, ...]) -> list[nn.Module]:
        channels = image_shape(shape, "Residual")[0]
        maps = self.width
        layers: list[nn.Module] = [
            nn.Conv2d(channels, maps, 3, stride=self.stem_stride, padding=1, bias=False),
            nn.BatchNorm2d(maps),
            nn.ReLU(),
        ]
        channels = maps
        for stage, count in enumerate(self.blocks):
            maps = self.width * 2**stage
            for block in range(count):
                stride = 2 if stage and not block else 1
                layers.append(ResidualBlock(channels, maps, stride))
                channels = maps
        return [*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, self.dim)]
