"""Time-delay networks for pen recordings: the paper's, a dilated one, and one that keeps time."""

from collections.abc import Sequence
from itertools import chain
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from gemel.encoders._built import Built
from gemel.encoders._shapes import check_counts
from gemel.encoders.lenet import ScaledTanh, draw_by_fan_in
from gemel.encoders.pen_features import BROMLEY, MODERN, PenFeatures
from gemel.errors import SettingsError

Stages = tuple[tuple[int, int, int, int], ...]


class TDNN(Built):
    """The time-delay network of the first Siamese network: convolutions over time, no linear layer.

    Each stage is a convolution over time without padding, a mean over neighbouring moments where
    that is asked for, and a scaled tanh; the embedding is all that the last stage gives, so its
    length follows from the trajectory's (`Siamese.dim`). First weights are drawn uniformly with a
    standard deviation of one over the root of the fan-in.

    Source: Bromley, Guyon, LeCun, Säckinger, Shah 1993, "Signature verification using a 'Siamese'
    time delay neural network" (NIPS 6). With trajectories of 200 points `ONE` has their layers of
    64 and 19 moments, 304 numbers and 3,004 weights; `TWO`, made for 80 bytes, fits what is known
    of their second one: 76 numbers.

    Args:
        stages: for each convolution its maps, its width and its stride in moments, and over how
            many moments the mean is taken (1: none).
        channels: what is looked at; names of `pen_features.CHANNELS`.
        unit_length: scale each embedding to length 1.

    Raises:
        SettingsError: a value is no whole number of 1 or more, or there is no such channel.
    """

    ONE: ClassVar[Stages] = ((12, 11, 3, 1), (16, 10, 3, 1))
    TWO: ClassVar[Stages] = ((12, 9, 1, 3), (4, 8, 1, 3))

    def __init__(
        self,
        stages: Sequence[Sequence[int]] = ONE,
        *,
        channels: Sequence[str] = BROMLEY,
        unit_length: bool = False,
    ) -> None:
        super().__init__(1, unit_length=unit_length, balanced=False)  # `build` knows the length
        check_counts("stages", list(chain.from_iterable(stages)))
        if any(len(stage) != 4 for stage in stages):
            raise SettingsError(
                f"`stages` must be (maps, width, stride, mean) for each convolution; got {stages}"
            )
        self.stages: Stages = tuple((s[0], s[1], s[2], s[3]) for s in stages)
        self.features = PenFeatures(channels)

    def settings(self) -> dict[str, Any]:
        """The arguments that make this encoder again."""
        return {
            "stages": [list(stage) for stage in self.stages],
            "channels": list(self.features.channels),
            "unit_length": self.unit_length,
        }

    def _layers(self, shape: tuple[int, ...]) -> list[nn.Module]:
        points = trajectory_points(shape, "TDNN")
        layers: list[nn.Module] = [self.features]
        maps = len(self.features.channels)
        for wanted, width, stride, mean in self.stages:
            convolution = nn.Conv1d(maps, wanted, width, stride=stride)
            draw_by_fan_in(convolution)
            layers += [convolution, *([nn.AvgPool1d(mean)] if mean > 1 else []), ScaledTanh()]
            maps, points = wanted, ((points - width) // stride + 1) // mean
            if points < 1:
                raise SettingsError(
                    f"TDNN with stages {self.stages} leaves nothing of {shape[1]} points: give "
                    "inputs.Pens more points (the paper has 200), or other stages"
                )
        self.dim = maps * points
        return [*layers, nn.Flatten()]


class DilatedBlock(nn.Module):
    """A dilated convolution over time beside a shortcut, which keeps the number of moments."""

    def __init__(self, width: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, width)
        self.convolution = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "batch width points"]
    ) -> Float[Tensor, "batch width points"]:
        """As many moments as came in."""
        out: Tensor = x + self.dropout(F.relu(self.convolution(self.norm(x))))
        return out


class MeanAndDeviation(nn.Module):
    """Of each map its mean and standard deviation over time.

    Source: Snyder and others 2018, "X-vectors" (statistics pooling).
    """

    def forward(self, x: Float[Tensor, "batch width points"]) -> Float[Tensor, "batch both"]:
        """[B, 2 width]."""
        deviation, mean = torch.std_mean(x, dim=2, correction=0)
        return torch.cat([mean, deviation], dim=1)


class DilatedTDNN(Built):
    """A time-delay network with dilated convolutions, and one embedding of the whole recording.

    Dilation lets few layers see far (van den Oord and others 2016, "WaveNet"); mean and deviation
    over time make one vector of what they find, whenever it was written.

    Args:
        width: maps of each layer.
        dim: D, the length of an embedding.
        dilations: of each block; 1, 2, 4, 8 and 16 see 67 moments.
        dropout: the share of a block's outputs that is left out in training.
        channels: what is looked at; names of `pen_features.CHANNELS`.
        unit_length: scale each embedding to length 1.
        balanced: give each number mean 0 and variance 1 over a training batch.

    Raises:
        SettingsError: a value is no whole number of 1 or more, `dropout` is not from 0 to below 1,
            or there is no such channel.
    """

    def __init__(
        self,
        width: int = 64,
        dim: int = 64,
        *,
        dilations: Sequence[int] = (1, 2, 4, 8, 16),
        dropout: float | int = 0.0,
        channels: Sequence[str] = MODERN,
        unit_length: bool = False,
        balanced: bool = False,
    ) -> None:
        super().__init__(dim, unit_length=unit_length, balanced=balanced)
        check_counts("width", [width])
        check_counts("dilations", dilations)
        if not 0 <= dropout < 1:
            raise SettingsError(f"`dropout` must be from 0 to below 1; got {dropout}")
        self.width = width
        self.dilations = tuple(dilations)
        self.dropout = dropout
        self.features = PenFeatures(channels)

    def settings(self) -> dict[str, Any]:
        """The arguments that make this encoder again."""
        return {
            "width": self.width,
            "dilations": list(self.dilations),
            "dropout": self.dropout,
            "channels": list(self.features.channels),
            **super().settings(),
        }

    def _layers(self, shape: tuple[int, ...]) -> list[nn.Module]:
        trajectory_points(shape, "DilatedTDNN")
        return [
            self.features,
            nn.Conv1d(len(self.features.channels), self.width, 5, padding=2),
            *(DilatedBlock(self.width, d, float(self.dropout)) for d in self.dilations),
            nn.GroupNorm(1, self.width),
            nn.ReLU(),
            MeanAndDeviation(),
            nn.Linear(2 * self.width, self.dim),
        ]


class AlignedTDNN(Built):
    """One linear time-delay layer that keeps every moment, for `metrics.DTW`.

    Each moment's channels are weighed, and added to what a convolution over the moments around
    makes of them. The convolution starts at zero and the weights at one: before training the
    embedding is the features themselves, one moment after the other, and its distance is plain
    dynamic time warping. `dim` is channels times points. So few weights (510 with the defaults)
    can be learned from a few dozen hands, where deeper networks learn the hands by heart.

    Args:
        width: moments that the convolution sees; odd.
        channels: what is looked at; names of `pen_features.CHANNELS`.
        dropout: the chance that a channel is left out of a whole batch in training.

    Raises:
        SettingsError: `width` is even or below 1, `dropout` is not from 0 to below 1, or there is
            no such channel.
    """

    def __init__(
        self,
        width: int = 5,
        *,
        channels: Sequence[str] = MODERN,
        dropout: float | int = 0.0,
    ) -> None:
        super().__init__(1, unit_length=False, balanced=False)  # `build` knows the length
        check_counts("width", [width])
        if width % 2 == 0:
            raise SettingsError(f"`width` must be odd, to keep every moment; got {width}")
        if not 0 <= dropout < 1:
            raise SettingsError(f"`dropout` must be from 0 to below 1; got {dropout}")
        self.width = width
        self.dropout = dropout
        self.features = PenFeatures(channels)

    def settings(self) -> dict[str, Any]:
        """The arguments that make this encoder again."""
        return {
            "width": self.width,
            "channels": list(self.features.channels),
            "dropout": self.dropout,
        }

    def _layers(self, shape: tuple[int, ...]) -> list[nn.Module]:
        count = len(self.features.channels)
        self.dim = count * trajectory_points(shape, "AlignedTDNN")
        dropped = [WholeChannels(float(self.dropout))] if self.dropout else []
        return [self.features, *dropped, WeighedAndDelayed(count, self.width), ByMoment()]


class WeighedAndDelayed(nn.Module):
    """A weight for each channel, beside a convolution that starts at zero."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels, 1))
        self.delay = nn.Conv1d(channels, channels, width, padding=width // 2, bias=False)
        nn.init.zeros_(self.delay.weight)

    def forward(
        self, x: Float[Tensor, "batch channels points"]
    ) -> Float[Tensor, "batch channels points"]:
        """As many channels and moments as came in."""
        out: Tensor = x * self.weight + self.delay(x)
        return out


class WholeChannels(nn.Module):
    """In training leaves out channels at random, of all items alike; the others grow."""

    def __init__(self, chance: float) -> None:
        super().__init__()
        self.chance = chance

    def forward(
        self, x: Float[Tensor, "batch channels points"]
    ) -> Float[Tensor, "batch channels points"]:
        """In evaluation as it came in."""
        if not self.training:
            return x
        kept = torch.rand(1, x.shape[1], 1, device=x.device) >= self.chance
        return x * kept / (1 - self.chance)


class ByMoment(nn.Module):
    """All channels of the first moment, then of the second, ..."""

    def forward(self, x: Float[Tensor, "batch channels points"]) -> Float[Tensor, "batch dim"]:
        """[B, points x channels]."""
        return x.transpose(1, 2).flatten(1)


def trajectory_points(shape: tuple[int, ...], encoder: str) -> int:
    """The points of trajectories of `shape`.

    Raises:
        SettingsError: it is no shape of a trajectory.
    """
    if len(shape) != 2 or shape[0] != 5:
        raise SettingsError(
            f"{encoder} takes trajectories of shape (5, points), as inputs.Pens makes them; got "
            f"{shape}"
        )
    return shape[1]
