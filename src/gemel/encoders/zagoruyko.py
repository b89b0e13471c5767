"""`Zagoruyko`: the convolutions that compare image patches, with all that hangs on them."""

from collections.abc import Sequence
from itertools import chain, pairwise
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from gemel.encoders._built import Built
from gemel.encoders._shapes import check_counts, image_shape
from gemel.encoders.lenet import Standardise
from gemel.errors import SettingsError
from gemel.metrics import unit

Layers = tuple[tuple[int, int, int, int], ...]


class Centred(nn.Module):
    """Each channel of each picture less its own mean: of a pair of patches, each by itself."""

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """What is left once the means are gone."""
        return x - x.mean(dim=(2, 3), keepdim=True)


class CentreSurround(nn.Module):
    """Two streams, each with weights of its own, their numbers side by side.

    Args:
        centre: of the middle half of each side, as it is.
        surround: of the whole, halved by the means of 2 x 2 pixels.
    """

    def __init__(self, centre: nn.Module, surround: nn.Module) -> None:
        super().__init__()
        self.centre = centre
        self.surround = surround

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch numbers"]:
        """What both streams see."""
        centre, surround = views(x)
        return torch.cat([self.centre(centre), self.surround(surround)], dim=1)


def views(
    x: Float[Tensor, "batch channels height width"],
) -> tuple[
    Float[Tensor, "batch channels half_height half_width"],
    Float[Tensor, "batch channels half_height half_width"],
]:
    """The middle half of each side, and the whole halved by the means of 2 x 2 pixels."""
    height, width = (side // 2 for side in x.shape[2:])
    top, left = (x.shape[2] - height) // 2, (x.shape[3] - width) // 2
    return x[:, :, top : top + height, left : left + width], F.avg_pool2d(x, 2)


class Pyramid(nn.Module):
    """Spatial pyramid pooling: maxima over 1 x 1, 2 x 2 ... parts of maps of any size.

    He, Zhang, Ren, Sun 2014, "Spatial pyramid pooling in deep convolutional networks".

    Args:
        levels: the parts a side of each level.
    """

    def __init__(self, levels: Sequence[int]) -> None:
        super().__init__()
        self.levels = tuple(levels)

    def forward(
        self, x: Float[Tensor, "batch maps height width"]
    ) -> Float[Tensor, "batch numbers"]:
        """The maxima of all levels, one level after the other: maps times the sum of squares."""
        return torch.cat(
            [F.adaptive_max_pool2d(x, level).flatten(1) for level in self.levels], dim=1
        )


class Zagoruyko(Built):
    """The convolutions of "Learning to compare image patches via convolutional neural networks".

    Zagoruyko and Komodakis, CVPR 2015. Convolutions without padding, each with a ReLU, some with
    max-pooling by 2 after it; then, where there are any, linear layers with ReLUs between them.
    Each patch's own mean is taken away first. For patches of 64 x 64:

    | network | what it is made of | weights |
    |---|---|---|
    | 2ch | `Joint(Zagoruyko(hidden=(256, 1)))` | 979,169 |
    | 2ch-deep | `Joint(Zagoruyko(DEEP, hidden=(1,), ceil=True))` | 1,083,073 |
    | 2ch-2stream | `Joint(Zagoruyko(STREAM, hidden=(768, 1), streams=True))` | 2,353,153 |
    | siam | `Zagoruyko()`, `metrics.Decision((512,))` | 908,416 + 263,169 |
    | pseudo-siam | `Sides(Zagoruyko(), Zagoruyko())`, the same metric | twice + 263,169 |
    | siam-2stream | `Zagoruyko(TWIN_STREAM, streams=True, bounded=False)`, \
`metrics.Decision((1024,))` | 2,400,832 + 1,050,625 |
    | siam-l2 | the branch of siam with `unit_length=True`, `metrics.Euclidean()` | 908,416 |

    The first weights are those of He and others 2015 ("Delving deep into rectifiers"), biases 0.

    Args:
        layers: for each convolution its maps, the side of its filters, its stride, and 2 where
            max-pooling by 2 follows, else 1.
        hidden: the lengths of the linear layers; none leaves the last convolution's numbers.
        streams: two such stacks, one for the middle of a patch, one for the whole at half its
            size (`CentreSurround`).
        pyramid: the levels of spatial pyramid pooling over the last convolution's maps, such as
            (1, 2, 4): then patches of any size give embeddings of one length.
        ceil: where a side that is pooled is odd, its last pixel is pooled by itself; otherwise it
            is left out.
        normalised: batch normalisation without weights before each ReLU of the convolutions; not
            in the paper, and much faster to train.
        bounded: a ReLU after the last convolution, too.
        standardise: give each patch standard deviation 1, too; not in the paper.
        unit_length: scale each embedding to length 1.
        balanced: give each number mean 0 and variance 1 over a training batch; for binary codes,
            whose bits are then 1 as often as 0.

    Raises:
        SettingsError: a value is no whole number of 1 or more.
    """

    SIAM: ClassVar[Layers] = ((96, 7, 3, 2), (192, 5, 1, 2), (256, 3, 1, 1))
    DEEP: ClassVar[Layers] = (
        (96, 4, 3, 1),
        *((96, 3, 1, 1), (96, 3, 1, 1), (96, 3, 1, 2)),
        *((192, 3, 1, 1), (192, 3, 1, 1), (192, 3, 1, 1)),
    )
    STREAM: ClassVar[Layers] = ((96, 5, 1, 2), (96, 3, 1, 2), (192, 3, 1, 1), (192, 3, 1, 1))
    TWIN_STREAM: ClassVar[Layers] = ((96, 4, 2, 2), (192, 3, 1, 1), (256, 3, 1, 1), (256, 3, 1, 1))

    def __init__(
        self,
        layers: Sequence[Sequence[int]] = SIAM,
        hidden: Sequence[int] = (),
        *,
        streams: bool = False,
        pyramid: Sequence[int] = (),
        ceil: bool = False,
        normalised: bool = False,
        bounded: bool = True,
        standardise: bool = False,
        unit_length: bool = False,
        balanced: bool = False,
    ) -> None:
        if not layers or any(len(layer) != 4 for layer in layers):
            raise SettingsError(
                "`layers` must be (maps, side, stride, pooling) for each convolution; got "
                f"{list(layers)}"
            )
        check_counts("layers", list(chain.from_iterable(layers)))
        for name, values in (("hidden", hidden), ("pyramid", pyramid)):
            if values:
                check_counts(name, values)
        # without linear layers the length hangs on the shape of a patch, and is found in `build`
        super().__init__(
            hidden[-1] if hidden else layers[-1][0], unit_length=unit_length, balanced=balanced
        )
        self.convolutions: Layers = tuple((one[0], one[1], one[2], one[3]) for one in layers)
        self.hidden = tuple(hidden)
        self.streams = streams
        self.pyramid = tuple(pyramid)
        self.ceil = ceil
        self.normalised = normalised
        self.bounded = bounded
        self.standardise = standardise

    def settings(self) -> dict[str, Any]:
        """The arguments that make this encoder again."""
        made = {
            "layers": [list(one) for one in self.convolutions],
            "hidden": list(self.hidden),
            "streams": self.streams,
            "pyramid": list(self.pyramid),
            "ceil": self.ceil,
            "normalised": self.normalised,
            "bounded": self.bounded,
            "standardise": self.standardise,
            **super().settings(),
        }
        del made["dim"]
        return made

    def build(self, shape: tuple[int, ...]) -> None:
        """Make the layers for patches of `shape`, weights drawn from torch's generator.

        Raises:
            SettingsError: nothing is left of such patches.
        """
        channels, height, width = image_shape(shape, "Zagoruyko")
        self.dim = self.hidden[-1] if self.hidden else self._numbers(height, width)
        super().build((channels, height, width))

    def forward(self, batch: Float[Tensor, "batch *shape"]) -> Float[Tensor, "batch {self.dim}"]:
        """Embeddings [B, D] of a batch of patches; with a pyramid of any size that is seen whole.

        Raises:
            SettingsError: the layers are not built, or built for another shape.
        """
        if self.pyramid and self.shape and batch.ndim == 4 and batch.shape[1] == self.shape[0]:
            self._left(*batch.shape[2:])
            out: Tensor = self.layers(batch.contiguous(memory_format=torch.channels_last))
            return unit(out) if self.unit_length else out
        embedded: Tensor = super().forward(batch)
        return embedded

    def _layers(self, shape: tuple[int, ...]) -> list[nn.Module]:
        channels, height, width = image_shape(shape, "Zagoruyko")
        stacks = [self._stack(channels) for _ in range(2 if self.streams else 1)]
        lengths = [self._numbers(height, width), *self.hidden]
        heads: list[nn.Module] = []
        for before, after in pairwise(lengths):
            heads += [nn.Linear(before, after), nn.ReLU()]
        layers = [
            Standardise() if self.standardise else Centred(),
            CentreSurround(*stacks) if self.streams else stacks[0],
            *heads[:-1],
        ]
        for layer in nn.Sequential(*layers).modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        return layers

    def _stack(self, channels: int) -> nn.Sequential:
        """The convolutions, and what makes a row of numbers of their maps."""
        layers: list[nn.Module] = []
        for maps, side, stride, pooling in self.convolutions:
            layers.append(nn.Conv2d(channels, maps, side, stride=stride))
            if self.normalised:
                layers.append(nn.BatchNorm2d(maps, affine=False))
            layers.append(nn.ReLU())
            if pooling > 1:
                layers.append(nn.MaxPool2d(pooling, ceil_mode=self.ceil))
            channels = maps
        if not self.bounded:
            last = max(n for n, layer in enumerate(layers) if isinstance(layer, nn.ReLU))
            del layers[last]
        layers.append(Pyramid(self.pyramid) if self.pyramid else nn.Flatten())
        return nn.Sequential(*layers)

    def _numbers(self, height: int, width: int) -> int:
        """How many numbers the convolutions make of patches of this size."""
        high, wide = self._left(height, width)
        parts = sum(level**2 for level in self.pyramid) if self.pyramid else high * wide
        return self.convolutions[-1][0] * parts * (2 if self.streams else 1)

    def _left(self, height: int, width: int) -> tuple[int, int]:
        """The sides of the last maps.

        Raises:
            SettingsError: there is nothing left.
        """
        sides = [height, width]
        if self.streams:
            sides = [side // 2 for side in sides]
        for _, filter_side, stride, pooling in self.convolutions:
            sides = [(side - filter_side) // stride + 1 for side in sides]
            sides = [(side + (pooling - 1) * self.ceil) // pooling for side in sides]
            if min(sides) < 1:
                raise SettingsError(
                    f"Zagoruyko with layers {self.convolutions} leaves nothing of patches of "
                    f"{height} x {width}: make them larger, or give other layers"
                )
        return sides[0], sides[1]
