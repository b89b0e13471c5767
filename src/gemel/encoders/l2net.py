"""`L2Net`: the trunk of learned descriptors of small patches."""

from typing import Any

from torch import nn

from gemel.encoders._built import Built
from gemel.encoders._shapes import check_counts, image_shape
from gemel.encoders.lenet import Standardise
from gemel.errors import SettingsError

SMALLEST = 8


class L2Net(Built):
    """Six convolutions of 3 x 3, two of which halve the sides, and one over all that is left.

    Each is followed by batch normalisation without weights and, but the last, by a ReLU; each
    picture gets mean 0 and standard deviation 1 first. With the defaults and patches of 1 x 32 x
    32 it is the network of HardNet, 1,334,560 weights.

    Sources: Tian, Fan, Wu 2017, "L2-Net: deep learning of discriminative patch descriptor in
    Euclidean space"; Mishchuk, Mishkin, Radenovic, Matas 2017, "Working hard to know your
    neighbor's margins", for the dropout and the training: `losses.Triplet(metrics.Euclidean(),
    margin=1.0, mining=mining.hard)` on two items a class.

    Args:
        width: maps of the first two convolutions; the next pairs have two and four times as many.
        dim: D, the length of an embedding.
        stem_stride: 2 makes the first convolution one of 5 x 5 that halves the sides, too: about
            five times faster.
        dropout: the share of numbers that are dropped before the last convolution while training.
        unit_length: scale each embedding to length 1, as descriptors are.
        balanced: see `Conv`; its last normalisation does the same.

    Raises:
        SettingsError: a value is no whole number of 1 or more, or `dropout` not from 0 to below 1.
    """

    def __init__(
        self,
        width: int = 32,
        dim: int = 128,
        *,
        stem_stride: int = 1,
        dropout: float = 0.1,
        unit_length: bool = True,
        balanced: bool = False,
    ) -> None:
        super().__init__(dim, unit_length=unit_length, balanced=balanced)
        for name, value in (("width", width), ("stem_stride", stem_stride)):
            check_counts(name, [value])
        if not 0 <= dropout < 1:
            raise SettingsError(f"`dropout` must be from 0 to below 1; got {dropout}")
        self.width = width
        self.stem_stride = stem_stride
        self.dropout = dropout

    def settings(self) -> dict[str, Any]:
        """The arguments that make this encoder again."""
        return {
            "width": self.width,
            "stem_stride": self.stem_stride,
            "dropout": self.dropout,
            **super().settings(),
        }

    def _layers(self, shape: tuple[int, ...]) -> list[nn.Module]:
        channels, height, width = image_shape(shape, "L2Net")
        if min(height, width) < SMALLEST:
            raise SettingsError(
                f"L2Net takes pictures of {SMALLEST} x {SMALLEST} pixels or more; got {shape}"
            )
        layers: list[nn.Module] = [Standardise()]
        for stage in range(6):
            maps = self.width * 2 ** (stage // 2)
            side, stride = 3, 2 if stage in (2, 4) else 1
            if stage == 0 and self.stem_stride > 1:
                side, stride = 5, self.stem_stride
            layers += [
                nn.Conv2d(channels, maps, side, stride=stride, padding=side // 2, bias=False),
                nn.BatchNorm2d(maps, affine=False),
                nn.ReLU(),
            ]
            channels, height, width = maps, -(-height // stride), -(-width // stride)
        layers += [
            nn.Dropout(self.dropout),
            nn.Conv2d(channels, self.dim, (height, width), bias=False),
            nn.BatchNorm2d(self.dim, affine=False),
            nn.Flatten(),
        ]
        for layer in layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.orthogonal_(layer.weight, gain=0.6)
        return layers
