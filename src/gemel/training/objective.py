"""From a batch of indices and its embeddings to the loss, for the three kinds of loss."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from gemel.errors import SettingsError
from gemel.items import Indices, Items, Pairs
from gemel.losses import (
    Contrastive,
    PairCrossEntropy,
    PairLoss,
    SupervisedContrastive,
    Triplet,
    TripletLoss,
)
from gemel.metrics import Cosine, Metric, WeightedL1
from gemel.sampling import (
    BalancedPairs,
    Batch,
    ClassesByItems,
    LabelBatch,
    PairBatch,
    Sampler,
    TripletBatch,
    Triplets,
)

Loss = Callable[..., Tensor]


def default_loss(train: Items | Pairs, metric: Metric) -> Loss:
    """A loss that trains what `metric` measures, its weights too, from what the data offers.

    Cross-entropy for weighted L1, whose distance is a logit. Else for items: supervised
    contrastive with the cosine, a triplet hinge with other metrics; for pairs: contrastive, with
    a margin of 0.5 for the cosine (distances go from 0 to 2) and 1 for others.
    """
    if isinstance(metric, WeightedL1):
        return PairCrossEntropy()
    cosine = isinstance(metric, Cosine)
    if isinstance(train, Pairs):
        return Contrastive(margin=0.5 if cosine else 1.0)
    return SupervisedContrastive() if cosine else Triplet(metric)


def default_sampler(
    train: Items | Pairs, loss: Loss, seed: int, *, lone_classes: bool = False
) -> Sampler:
    """The batches that `loss` needs, of about 256 items, from what the training data offers.

    Classes of one item are refused, unless `lone_classes`: then they only serve as others.

    Raises:
        BadItemsError: a class has one item only.
        SettingsError: the loss needs labels and the data is a table of pairs.
    """
    if isinstance(loss, PairLoss):
        return BalancedPairs(train, pairs=128, lone_classes=lone_classes, seed=seed)
    if isinstance(train, Pairs):
        raise SettingsError(
            f"{type(loss).__name__} needs items with labels, and {train.name} holds pairs; "
            "for pairs use a pair loss, such as gemel.losses.Contrastive()"
        )
    if isinstance(loss, TripletLoss):
        return Triplets(train, triplets=85, lone_classes=lone_classes, seed=seed)
    groups = 4 if len(set(train.class_groups)) >= 4 else None
    return ClassesByItems(
        train, classes=64, per_class=4, groups=groups, lone_classes=lone_classes, seed=seed
    )


def items_of(batch: Batch) -> Indices:
    """The items of a batch in one row, each side after the other."""
    if isinstance(batch, LabelBatch):
        return batch.items
    if isinstance(batch, PairBatch):
        return np.concatenate([batch.left, batch.right])
    return np.concatenate([batch.anchor, batch.positive, batch.negative])


def compute(
    loss: Loss, metric: Metric, embeddings: Float[Tensor, "items dim"], batch: Batch
) -> Tensor:
    """The loss of the embeddings of `items_of(batch)`: a scalar.

    Raises:
        SettingsError: loss and batch are of different kinds, or the loss gives no scalar.
    """
    value = _apply(loss, metric, embeddings, batch)
    if not isinstance(value, Tensor) or value.ndim:
        raise SettingsError(
            f"the loss {name_of(loss)} must give one scalar tensor; it gave "
            f"{tuple(value.shape) if isinstance(value, Tensor) else value!r}"
        )
    return value


def _apply(loss: Loss, metric: Metric, embeddings: Float[Tensor, "items dim"], batch: Batch) -> Any:
    device = embeddings.device
    if isinstance(loss, PairLoss) and isinstance(batch, PairBatch):
        left, right = embeddings.chunk(2)
        return loss(metric(left, right), torch.from_numpy(batch.same).to(device))
    if isinstance(loss, TripletLoss) and isinstance(batch, TripletBatch):
        anchor, positive, negative = embeddings.chunk(3)
        return loss(metric(anchor, positive), metric(anchor, negative))
    if not isinstance(loss, PairLoss | TripletLoss) and isinstance(batch, LabelBatch):
        return loss(embeddings, torch.from_numpy(batch.labels).to(device))
    wanted = {PairBatch: "pairs", TripletBatch: "triplets", LabelBatch: "labelled items"}
    raise SettingsError(
        f"{name_of(loss)} does not take batches of {wanted[type(batch)]}: give pair losses a "
        "BalancedPairs sampler, triplet losses Triplets, all others ClassesByItems"
    )


def name_of(part: object) -> str:
    """A function's name, or what an object calls itself if that says its settings."""
    if hasattr(part, "__name__"):
        return str(part.__name__)
    own = type(part).__repr__ is not object.__repr__ and not isinstance(part, nn.Module)
    return repr(part) if own else type(part).__name__
