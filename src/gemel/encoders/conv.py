"""`Conv`: a few plain convolution blocks; small, fast, and strong on symbols."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from gemel.encoders._shapes import check_batch, check_counts, image_shape

BLOCKS = 4


class ConvBlock(nn.Module):
    """3x3 convolution, max-pooling by 2, batch normalisation, ReLU.

    Pooling comes before the normalisation: it leaves a quarter of the numbers to normalise, and
    training steps on CPUs are 1.7 times faster. A side that is 1 pixel already is not pooled.
    """

    def __init__(self, channels: int, maps: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, maps, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(maps)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch maps pooled_height pooled_width"]:
        """One block; sides are halved and rounded down, but not below 1."""
        x = self.conv(x)
        pool = (min(2, x.shape[2]), min(2, x.shape[3]))
        return F.relu(self.norm(F.max_pool2d(x, pool)))


class Conv(nn.Module):
    """Convolution blocks, then one linear layer to the embedding.

    The four-block encoder of few-shot learning (Vinyals et al. 2016, "Matching networks"), with
    pooling before the normalisation and a linear layer at the end.

    Args:
        width: feature maps of each of four blocks, or a sequence with the maps of each block.
        dim: D, the length of an embedding.

    Raises:
        SettingsError: a width or `dim` is no whole number of 1 or more.
    """

    def __init__(self, width: int | Sequence[int] = 64, dim: int = 128) -> None:
        super().__init__()
        self.widths = (width,) * BLOCKS if isinstance(width, int) else tuple(width)
        self.dim = dim
        check_counts("width", self.widths)
        check_counts("dim", [dim])
        self.shape: tuple[int, ...] = ()
        self.layers = nn.Sequential()

    def settings(self) -> dict[str, Any]:
        """The arguments that make this encoder again."""
        return {"width": list(self.widths), "dim": self.dim}

    def build(self, shape: tuple[int, ...]) -> None:
        """Make the layers for pictures of `shape` (channels, height, width).

        Raises:
            SettingsError: `shape` is no shape of a picture.
        """
        channels, height, width = image_shape(shape, "Conv")
        blocks: list[nn.Module] = []
        for maps in self.widths:
            blocks.append(ConvBlock(channels, maps))
            channels, height, width = maps, max(height // 2, 1), max(width // 2, 1)
        linear = nn.Linear(channels * height * width, self.dim)
        self.layers = nn.Sequential(*blocks, nn.Flatten(), linear)
        self.layers.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.shape = tuple(shape)

    def forward(
        self, batch: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch {self.dim}"]:
        """Embeddings of a batch of pictures.

        Raises:
            SettingsError: the layers are not built, or built for another shape.
        """
        check_batch(batch, self.shape, self)
        out: Tensor = self.layers(batch.contiguous(memory_format=torch.channels_last))
        return out
