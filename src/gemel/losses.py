"""Losses: what training lowers. Each formula is a plain function, each class holds its settings.

Three kinds, told apart by what they take; all return a scalar:

- `PairLoss`: `(distance [B], same [B])`;
- `TripletLoss`: `(d_ap [B], d_an [B])`, anchor to positive and anchor to negative;
- `LabelLoss`: `(embeddings [B, D], labels [B])`. Any other callable counts as one of these, such
  as the losses of pytorch-metric-learning.

`same` is True where two items show the same thing. The papers write it as a number, and not all
alike: Chopra's and Hadsell's Y is 0 for a same pair, Koch's y is 1. So a number is refused here.
Half precision is widened to float32 first.
"""

import math
from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from gemel.errors import DataError, SettingsError
from gemel.metrics import Metric, unit, wide
from gemel.mining import Mining, mined_triplet, semi_hard


def contrastive(
    distance: Float[Tensor, " batch"], same: Tensor, margin: float
) -> Float[Tensor, ""]:
    """Hadsell, Chopra and LeCun 2006: d^2 / 2 of a same pair, max(0, margin - d)^2 / 2 of others.

    Args:
        distance: [B], not negative; the paper's is Euclidean.
        same: [B] booleans.
        margin: beyond this distance different pairs are left alone.

    Returns:
        The mean over the pairs (the paper has their sum).

    Raises:
        DataError: `same` is not one boolean for each distance, or there is no pair.
    """
    _check_same(distance, same)
    d = wide(distance)
    return torch.where(same, d.square(), (margin - d).clamp(min=0).square()).mean() / 2


def pair_cross_entropy(
    distance: Float[Tensor, " batch"],
    same: Tensor,
    scale: float | Tensor = 1.0,
    threshold: float | Tensor = 0.0,
) -> Float[Tensor, ""]:
    """Minus the log-likelihood of `same` where p(same) = sigmoid(scale * (threshold - d)).

    Koch, Zemel and Salakhutdinov 2015, without its weight decay; scale 1 and threshold 0 with the
    distances of `metrics.WeightedL1` are the paper's formula exactly.

    Args:
        distance: [B] real numbers.
        same: [B] booleans.
        scale: positive; how fast the probability falls with the distance.
        threshold: the distance at which the probability is 1/2.

    Returns:
        The mean over the pairs.

    Raises:
        DataError: `same` is not one boolean for each distance, or there is no pair.
    """
    _check_same(distance, same)
    logit = scale * (threshold - wide(distance))
    return F.binary_cross_entropy_with_logits(logit, same.to(logit.dtype))


def triplet_hinge(
    d_ap: Float[Tensor, " batch"], d_an: Float[Tensor, " batch"], margin: float
) -> Float[Tensor, ""]:
    """max(0, d(a, p) - d(a, n) + margin), Weinberger and Saul 2009, Schroff and others 2015.

    Args:
        d_ap: [B] from anchor to positive.
        d_an: [B] from anchor to negative.
        margin: by how much the negative must be farther.

    Returns:
        The mean over *all* triplets, those with hinge 0 included.

    Raises:
        DataError: there is no triplet.
    """
    if len(d_ap) == 0:
        raise DataError("a batch of no triplets has no loss; give one triplet or more")
    return (wide(d_ap) - wide(d_an) + margin).clamp(min=0).mean()


def supervised_contrastive(
    embeddings: Float[Tensor, "batch dim"], labels: Tensor, temperature: float
) -> Float[Tensor, ""]:
    """Khosla and others 2020, equation 2: the mean over the positives stands outside the log.

    With z the embeddings scaled to length 1 (it is done here), P(i) the other items of i's class:

        loss_i = -1/|P(i)| sum_{p in P(i)} log( exp(z_i.z_p / t) / sum_{a != i} exp(z_i.z_a / t) )

    Args:
        embeddings: [B, D].
        labels: [B] whole numbers.
        temperature: t; the lower, the more the hardest pairs count.

    Returns:
        The mean over the anchors that have a positive (the paper has the sum); others are left
        out as anchors, and stay in as negatives.

    Raises:
        DataError: no two items share a label, or `labels` are not B whole numbers.
    """
    _check_labels(embeddings, labels)
    z = unit(wide(embeddings))  # [B, D]
    with torch.autocast(z.device.type, enabled=False):
        logits = z @ z.T / temperature  # [B, B]
    positive = labels[:, None] == labels  # [B, B]
    positive.fill_diagonal_(False)
    count = positive.sum(dim=1)  # [B]
    anchors = count > 0
    if not anchors.any():
        raise DataError(
            f"no two of the {len(labels)} items in the batch share a label, so there is nothing "
            "to pull together. Draw P classes x K items, K of 2 or more (ClassesByItems)"
        )
    log_sum = logits.fill_diagonal_(-torch.inf).logsumexp(dim=1)  # [B]
    mean_positive = logits.masked_fill(~positive, 0).sum(dim=1) / count.clamp(min=1)  # [B]
    return (log_sum - mean_positive)[anchors].mean()


class PairLoss(nn.Module, ABC):
    """The base of the losses of `(distance [B], same [B])`."""

    @abstractmethod
    def forward(self, distance: Float[Tensor, " batch"], same: Tensor) -> Float[Tensor, ""]:
        """The mean loss of pairs at `distance` [B]; `same` [B] is True for same pairs."""


class TripletLoss(nn.Module, ABC):
    """The base of the losses of `(d_ap [B], d_an [B])`."""

    @abstractmethod
    def forward(
        self, d_ap: Float[Tensor, " batch"], d_an: Float[Tensor, " batch"]
    ) -> Float[Tensor, ""]:
        """The mean loss of triplets: distances [B] to the positive, and to the negative."""


class LabelLoss(nn.Module, ABC):
    """The base of the losses of `(embeddings [B, D], labels [B])`."""

    @abstractmethod
    def forward(self, embeddings: Float[Tensor, "batch dim"], labels: Tensor) -> Float[Tensor, ""]:
        """The loss of a batch of `embeddings` [B, D] with whole numbers `labels` [B]."""


class Contrastive(PairLoss):
    """Hadsell's contrastive loss; see `contrastive`.

    Args:
        margin: beyond this distance different pairs are left alone. On unit vectors it must be
            below 2 for the Euclidean distance, or no different pair ever gets there.

    Raises:
        SettingsError: `margin` is not positive.
    """

    def __init__(self, margin: float = 1.0) -> None:
        super().__init__()
        self.margin = _positive("margin", margin)

    def forward(self, distance: Float[Tensor, " batch"], same: Tensor) -> Float[Tensor, ""]:
        """See `contrastive`."""
        return contrastive(distance, same, self.margin)

    @property
    def collapsed_value(self) -> float:
        """The loss of a balanced batch all of whose distances are 0."""
        return self.margin**2 / 4

    def extra_repr(self) -> str:
        """The settings in words."""
        return f"margin={self.margin}"


class PairCrossEntropy(PairLoss):
    """Cross-entropy on the probability that a pair is the same; see `pair_cross_entropy`.

    For `metrics.WeightedL1` the standard settings are exact, and it learns its own scale. For other
    metrics give a scale and a threshold to suit the distances, and let them be learned: they are
    then weights of this loss, and the optimiser needs `loss.parameters()` beside the model's.

    Args:
        scale: how fast the probability falls with the distance.
        threshold: the distance at which the probability is 1/2.
        learn: whether both are learned; the scale stays positive, for its logarithm is learned.

    Raises:
        SettingsError: `scale` is not positive, or `threshold` is not finite.
    """

    def __init__(self, *, scale: float = 1.0, threshold: float = 0.0, learn: bool = False) -> None:
        super().__init__()
        if not math.isfinite(threshold):
            raise SettingsError(f"`threshold` must be a finite distance; got {threshold}")
        log_scale = torch.tensor(math.log(_positive("scale", scale)))
        self.log_scale = nn.Parameter(log_scale, requires_grad=learn)
        self.threshold = nn.Parameter(torch.tensor(float(threshold)), requires_grad=learn)

    def forward(self, distance: Float[Tensor, " batch"], same: Tensor) -> Float[Tensor, ""]:
        """See `pair_cross_entropy`."""
        return pair_cross_entropy(distance, same, self.log_scale.exp(), self.threshold)

    def probability(self, distance: Float[Tensor, " batch"]) -> Float[Tensor, " batch"]:
        """The probability [B] that a pair at `distance` [B] is the same."""
        return torch.sigmoid(self.log_scale.exp() * (self.threshold - wide(distance)))

    def extra_repr(self) -> str:
        """The settings in words."""
        scale, threshold = self.log_scale.exp().item(), self.threshold.item()
        return f"scale={scale:g}, threshold={threshold:g}, learn={self.log_scale.requires_grad}"


class TripletHinge(TripletLoss):
    """The triplet hinge, as the mean over all triplets given; see `triplet_hinge`.

    Args:
        margin: by how much the negative must be farther than the positive.

    Raises:
        SettingsError: `margin` is not positive.
    """

    def __init__(self, margin: float = 0.2) -> None:
        super().__init__()
        self.margin = _positive("margin", margin)

    def forward(
        self, d_ap: Float[Tensor, " batch"], d_an: Float[Tensor, " batch"]
    ) -> Float[Tensor, ""]:
        """See `triplet_hinge`."""
        return triplet_hinge(d_ap, d_an, self.margin)

    @property
    def collapsed_value(self) -> float:
        """The loss where all distances are alike."""
        return self.margin

    def extra_repr(self) -> str:
        """The settings in words."""
        return f"margin={self.margin}"


class Triplet(LabelLoss):
    """The triplet hinge over triplets mined in the batch; see `mining.mined_triplet`.

    The mean is over the *active* triplets, those with a hinge above 0: averaging over all of them
    would lower the learning rate as training goes on. Memory is bounded whatever the batch.

    Args:
        metric: gives the distances; usually the model's own, so that its weights learn as well.
        margin: by how much a negative must be farther than a positive.
        mining: which triplets count: `mining.semi_hard`, `mining.hard`, `mining.all_triplets`, or
            a function of the same form.

    Raises:
        SettingsError: `margin` is not positive.
    """

    def __init__(self, metric: Metric, *, margin: float = 0.2, mining: Mining = semi_hard) -> None:
        super().__init__()
        self.metric = metric
        self.margin = _positive("margin", margin)
        self.mining = mining

    def forward(self, embeddings: Float[Tensor, "batch dim"], labels: Tensor) -> Float[Tensor, ""]:
        """See `mining.mined_triplet`."""
        _check_labels(embeddings, labels)
        return mined_triplet(
            embeddings, labels, self.metric, mining=self.mining, margin=self.margin
        )

    @property
    def collapsed_value(self) -> float:
        """The loss where all distances are alike."""
        return self.margin

    def extra_repr(self) -> str:
        """The settings in words."""
        return f"margin={self.margin}, mining={getattr(self.mining, '__name__', self.mining)}"


class SupervisedContrastive(LabelLoss):
    """Khosla's supervised contrastive loss; see `supervised_contrastive`.

    Args:
        temperature: the lower, the more the hardest pairs count.

    Raises:
        SettingsError: `temperature` is not positive.
    """

    def __init__(self, temperature: float = 0.1) -> None:
        super().__init__()
        self.temperature = _positive("temperature", temperature)

    def forward(self, embeddings: Float[Tensor, "batch dim"], labels: Tensor) -> Float[Tensor, ""]:
        """See `supervised_contrastive`."""
        return supervised_contrastive(embeddings, labels, self.temperature)

    def extra_repr(self) -> str:
        """The settings in words."""
        return f"temperature={self.temperature}"


def _positive(name: str, value: float) -> float:
    if not 0 < value < math.inf:
        raise SettingsError(f"`{name}` must be positive and finite; got {value}")
    return float(value)


def _check_same(distance: Tensor, same: Tensor) -> None:
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


def _check_labels(embeddings: Tensor, labels: Tensor) -> None:
    if labels.is_floating_point() or labels.dtype == torch.bool:
        raise DataError(f"`labels` must be whole numbers, as in `class_ids`; got {labels.dtype}")
    if labels.shape != embeddings.shape[:1]:
        raise DataError(
            f"`labels` has shape {tuple(labels.shape)} for {len(embeddings)} embeddings; "
            f"they need ({len(embeddings)},)"
        )
