"""What all losses share: the three kinds, what each says of itself, and their checks."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gemel.errors import DataError, SettingsError


@dataclass(frozen=True)
class About:
    """What a loss says of itself, for the table of losses.

    Attributes:
        formula: of one pair, triplet or anchor; the loss is the mean.
        use: when to take it.
        source: the paper.
    """

    formula: str
    use: str
    source: str


class _Loss(nn.Module, ABC):
    """What the three kinds have in common."""

    about: ClassVar[About]
    takes: ClassVar[str]

    def check_reach(self, greatest: float | int, least: float | int = 0.0) -> None:
        """Refuse distances that the loss is not made for, and a margin that they cannot meet.

        On unit vectors `greatest` is 2 for the cosine and the Euclidean distance, 4 for its square.
        A margin of `greatest` itself is met, by opposite points only; so not by three classes.

        Args:
            greatest: the greatest distance that the metric can give.
            least: the least; 0, or minus infinity where the distance is a logit.

        Raises:
            SettingsError: no pair or triplet at all can meet the margin, or the loss needs
                distances of 0 and more and the metric gives others.
        """


class PairLoss(_Loss):
    """The base of the losses of `(distance [B], same [B])`."""

    takes = "distance [B], same [B]"

    @abstractmethod
    def forward(self, distance: Float[Tensor, " batch"], same: Tensor) -> Float[Tensor, ""]:
        """The mean loss of pairs at `distance` [B]; `same` [B] is True for same pairs."""


class TripletLoss(_Loss):
    """The base of the losses of `(d_ap [B], d_an [B])`."""

    takes = "d_ap [B], d_an [B]"

    @abstractmethod
    def forward(
        self, d_ap: Float[Tensor, " batch"], d_an: Float[Tensor, " batch"]
    ) -> Float[Tensor, ""]:
        """The mean loss of triplets: distances [B] to the positive, and to the negative."""


class LabelLoss(_Loss):
    """The base of the losses of `(embeddings [B, D], labels [B])`."""

    takes = "embeddings [B, D], labels [B]"

    @abstractmethod
    def forward(self, embeddings: Float[Tensor, "batch dim"], labels: Tensor) -> Float[Tensor, ""]:
        """The loss of a batch of `embeddings` [B, D] with whole numbers `labels` [B]."""


def positive(name: str, value: float | int) -> float:
    """`value` as a float; SettingsError unless it is positive and finite."""
    if not 0 < value < math.inf:
        raise SettingsError(f"`{name}` must be positive and finite; got {value}")
    return float(value)


def finite(name: str, value: float | int) -> float:
    """`value` as a float; SettingsError unless it is finite."""
    if not math.isfinite(value):
        raise SettingsError(f"`{name}` must be a finite distance; got {value}")
    return float(value)


def check_not_negative(loss: nn.Module, least: float | int) -> None:
    """Raise SettingsError where distances can be less than 0."""
    if least < 0:
        raise SettingsError(
            f"{type(loss).__name__} is made for distances of 0 and more; those of this metric are "
            "logits, which go below 0: take PairCrossEntropy, or PairHinge"
        )


def check_margin(loss: nn.Module, margin: float, greatest: float | int) -> None:
    """Raise SettingsError where `margin`, the distance that `loss` asks for, is out of reach."""
    if margin > greatest:
        raise SettingsError(
            f"{type(loss).__name__} asks for a distance of {margin:g}, and this metric's distances "
            f"end at {greatest:g}: no pair can meet that. Give a smaller margin, below {greatest:g}"
        )


def check_same(distance: Tensor, same: Tensor) -> None:
    """Raise DataError unless `same` is one boolean for each distance, and there is a pair."""
    if same.dtype != torch.bool:
        raise DataError(
            "`same` must hold booleans, True where a pair is the same; got "
            f"{same.dtype}. Papers differ in what 0 and 1 mean: write `y == 1` or `y == 0`"
        )
    if same.shape != distance.shape or len(same) == 0:
        raise DataError(
            f"`same` has shape {tuple(same.shape)} for distances of shape "
            f"{tuple(distance.shape)}; both must be [B], with one pair or more"
        )


def check_labels(embeddings: Tensor, labels: Tensor) -> None:
    """Raise DataError unless `labels` are one whole number for each embedding."""
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise DataError(f"`labels` must be whole numbers, as in `class_ids`; got {labels.dtype}")
    if labels.shape != embeddings.shape[:1]:
        raise DataError(
            f"`labels` has shape {tuple(labels.shape)} for {len(embeddings)} embeddings; "
            f"they need ({len(embeddings)},)"
        )
