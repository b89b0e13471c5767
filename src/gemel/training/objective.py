"""From a batch of indices and its embeddings to the loss, for the three kinds of loss."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gemel.errors import SettingsError
from gemel.items import SIDES, Indices, Items, Pairs
from gemel.losses import (
    Contrastive,
    LabelLoss,
    LayerDecay,
    PairCrossEntropy,
    PairLoss,
    ProxyLoss,
    SupervisedContrastive,
    Triplet,
    TripletLoss,
)
from gemel.metrics import AsymmetricHamming, CodeMetric, Cosine, Hamming, LogitMetric, Metric
from gemel.model import Siamese
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


def default_loss(train: Items | Pairs, metric: Metric, dim: int) -> Loss:
    """A loss that trains what `metric` measures, its weights too, from what the data offers.

    Cross-entropy where the distance is a logit, as with weighted L1 and joint comparers, and, with
    a scale and a threshold that are learnt, where it is slow to compute, as with DTW. Else for
    items: supervised contrastive with the cosine, a triplet hinge with other metrics, with a margin
    of an eighth of the `dim` bits for Hamming distances, which training relaxes; for pairs:
    contrastive, with a margin of 0.5 for the cosine (distances go from 0 to 2), a quarter of the
    bits for Hamming distances, 1 for others.
    """
    if isinstance(metric, LogitMetric):
        return PairCrossEntropy()
    if metric.slow:  # losses of labelled items measure every pair of a batch
        return PairCrossEntropy(learn=True)
    if isinstance(train, Pairs):
        if isinstance(metric, AsymmetricHamming):
            raise SettingsError(
                "AsymmetricHamming has no gradient for the right item of a pair: train with "
                "Hamming, then set model.metric = metrics.AsymmetricHamming()"
            )
        bits = isinstance(metric, Hamming)
        margin = 0.5 if isinstance(metric, Cosine) else dim / 4 if bits else 1.0
        return Contrastive(margin=margin)
    if isinstance(metric, CodeMetric):
        return Triplet(Hamming(metric.slope), margin=dim / 8)
    return SupervisedContrastive() if isinstance(metric, Cosine) else Triplet(metric)


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


def make_ready(loss: Loss, model: Siamese, train: Items | Pairs, seed: int) -> None:
    """Make a loss's weights where it has one for each class, and refuse a margin out of reach.

    Raises:
        SettingsError: no pair of the model's embeddings can meet the margin, or a loss of classes
            is to learn from pairs.
    """
    within = loss.loss if isinstance(loss, LayerDecay) else loss
    if isinstance(within, ProxyLoss):
        _make_proxies(within, model, train, seed)
    if isinstance(loss, PairLoss | TripletLoss | LabelLoss):
        metric = getattr(within, "metric", model.metric)
        unit_length = all(getattr(model.side_encoder(side), "unit_length", False) for side in SIDES)
        loss.check_reach(metric.reach(model.dim, unit_length=unit_length), metric.least)


def _make_proxies(loss: ProxyLoss, model: Siamese, train: Items | Pairs, seed: int) -> None:
    if isinstance(train, Pairs):
        raise SettingsError(
            f"{name_of(loss)} learns one direction a class, and {train.name} holds pairs "
            "without classes; take a pair loss, such as gemel.losses.Contrastive()"
        )
    classes = len(train.classes)
    if loss.proxies is None:
        generator = torch.Generator().manual_seed(seed)
        loss.build(model.dim, classes, generator=generator)
    elif loss.proxies.shape != (classes, model.dim):
        raise SettingsError(
            f"{name_of(loss)} holds {loss.proxies.shape[0]} directions of {loss.proxies.shape[1]} "
            f"numbers, of another training; {train.name} has {classes} classes and the embeddings "
            f"{model.dim} numbers: make a new loss"
        )


def items_of(batch: Batch) -> Indices:
    """The items of a batch in one row, each side after the other."""
    if isinstance(batch, LabelBatch):
        return batch.items
    if isinstance(batch, PairBatch):
        return np.concatenate([batch.left, batch.right])
    return np.concatenate([batch.anchor, batch.positive, batch.negative])


def sides_of(batch: Batch, *, joint: bool) -> tuple[Indices, Indices]:
    """The items of a batch that stand on the left, and those on the right.

    Anchors stand on the left, positives and negatives on the right; of labelled items every other
    one on either side. For a joint comparer, which takes pairs, each anchor comes once with its
    positive and once with its negative.

    Raises:
        SettingsError: a batch of labelled items for a joint comparer.
    """
    if isinstance(batch, PairBatch):
        return batch.left, batch.right
    if isinstance(batch, TripletBatch):
        right = np.concatenate([batch.positive, batch.negative])
        return (np.tile(batch.anchor, 2) if joint else batch.anchor), right
    if joint:
        raise SettingsError(
            "a joint comparer has no embeddings for a loss of labelled items; take a pair loss, "
            "such as gemel.losses.PairCrossEntropy(), or gemel.losses.TripletHinge()"
        )
    return batch.items[::2], batch.items[1::2]


def compute(loss: Loss, model: Siamese, given: tuple[Tensor, ...], batch: Batch) -> Tensor:
    """The loss of a batch: a scalar.

    Args:
        loss: a pair, triplet or label loss, as the batch is.
        model: what kind of comparer it is, and its metric.
        given: of a twin the embeddings of `items_of(batch)`; with an encoder for each side those
            of `sides_of(batch)`, left and right; of a joint comparer their distances.
        batch: who they are.

    Raises:
        SettingsError: loss and batch are of different kinds, or the loss gives no scalar.
    """
    value = _apply(loss, model, given, batch)
    if not isinstance(value, Tensor) or value.ndim:
        raise SettingsError(
            f"the loss {name_of(loss)} must give one scalar tensor; it gave "
            f"{tuple(value.shape) if isinstance(value, Tensor) else value!r}"
        )
    return value


def _apply(loss: Loss, model: Siamese, given: tuple[Tensor, ...], batch: Batch) -> Any:
    device = given[0].device
    if isinstance(loss, PairLoss) and isinstance(batch, PairBatch):
        (distance,) = _distances(model, given, 1)
        return loss(distance, torch.from_numpy(batch.same).to(device))
    if isinstance(loss, TripletLoss) and isinstance(batch, TripletBatch):
        return loss(*_distances(model, given, 2))
    if not isinstance(loss, PairLoss | TripletLoss) and isinstance(batch, LabelBatch):
        return loss(_in_order(given), torch.from_numpy(batch.labels).to(device))
    wanted = {PairBatch: "pairs", TripletBatch: "triplets", LabelBatch: "labelled items"}
    raise SettingsError(
        f"{name_of(loss)} does not take batches of {wanted[type(batch)]}: give pair losses a "
        "BalancedPairs sampler, triplet losses Triplets, all others ClassesByItems"
    )


def _in_order(given: tuple[Tensor, ...]) -> Tensor:
    """The embeddings of labelled items in the order of the batch; sides take turns."""
    if len(given) == 1:
        return given[0]
    left, right = given
    whole = left.new_empty(len(left) + len(right), *left.shape[1:])
    whole[::2], whole[1::2] = left, right
    return whole


def _distances(model: Siamese, given: tuple[Tensor, ...], others: int) -> list[Tensor]:
    """From the first item of each pair or triplet to each of its `others`: so many of [B]."""
    if model.is_joint:
        return list(given[0].chunk(others))
    if model.is_sided:
        left, right = given
        return [model.metric(left, each) for each in right.chunk(others)]
    first, *rest = given[0].chunk(1 + others)
    return [model.metric(first, each) for each in rest]


def name_of(part: object) -> str:
    """A function's name, or what an object calls itself if that says its settings."""
    if hasattr(part, "__name__"):
        return str(part.__name__)
    own = type(part).__repr__ is not object.__repr__ and not isinstance(part, nn.Module)
    return repr(part) if own else type(part).__name__
