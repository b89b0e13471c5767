"""What binary codes are judged by, and what they are judged beside."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

from gemel import inputs, metrics
from gemel.errors import DataError
from gemel.evaluation import Figure, accuracy, vote_credit
from gemel.items import Items
from gemel.model import Siamese

Points = Float[Tensor, "_ dim"]
UNIT = "pictures"


@dataclass(frozen=True)
class Split:
    """The items of a data set.

    Attributes:
        train: what is trained on, and the database.
        validation: what chooses k.
        test: the published test items.
    """

    train: Items
    validation: Items
    test: Items


@dataclass(frozen=True)
class Embeddings:
    """What a model makes of each part.

    Attributes:
        train: [N, D] of the database.
        validation: [V, D] of what chooses k.
        test: [T, D] of the test items.
    """

    train: Points
    validation: Points
    test: Points

    @classmethod
    def of(cls, model: Siamese, split: Split) -> "Embeddings":
        """Each item embedded once."""
        return cls(*map(model.embed, (split.train, split.validation, split.test)))


def nearest_pixels(given: inputs.Images) -> Siamese:
    """No training: the squared Euclidean distance of the pixels themselves."""
    return Siamese(given, nn.Flatten(), metrics.SquaredEuclidean(), block=256)


def hyperplanes(given: inputs.Images, bits: int, train: Items, seed: int) -> Siamese:
    """Locality-sensitive hashing: the side of random planes through the mean of the pictures.

    Charikar 2002, "Similarity estimation techniques from rounding algorithms".
    """
    mean = nearest_pixels(given).embed(train).double().mean(dim=0)
    planes = nn.Linear(len(mean), bits)
    with torch.no_grad():
        generator = torch.Generator().manual_seed(seed)
        planes.weight.copy_(torch.randn(bits, len(mean), generator=generator))
        planes.bias.copy_(-(planes.weight.double() @ mean))
    return Siamese(given, nn.Sequential(nn.Flatten(), planes), metrics.Hamming(), block=256)


def votes(
    points: Points,
    train: Items,
    asking: Points,
    items: Items,
    metric: metrics.Metric,
    most: Sequence[int],
) -> Float[NDArray[np.float64], "queries ks"]:
    """How right the vote of the k nearest of `train` is about each of `items`, for each k.

    References of one code are measured once, and vote together.
    """
    known = torch.where(points > 0, 1.0, -1.0) if isinstance(metric, metrics.CodeMetric) else points
    alone, place = np.unique(known.numpy(), axis=0, return_inverse=True)
    few = torch.from_numpy(alone)
    counts = np.zeros((len(few), len(train.classes)), dtype=np.int64)
    np.add.at(counts, (place.ravel(), train.class_ids), 1)
    metric = metric.eval()

    def rows(queries: NDArray[np.int64]) -> NDArray[Any]:
        with torch.no_grad():
            return metric.matrix(asking[queries], few).numpy()

    return vote_credit(rows, ids(items, train), counts, most=most)


def vote_error(
    points: Embeddings, split: Split, metric: metrics.Metric, seed: int, most: Sequence[int]
) -> Figure:
    """The share of test items whose nearest neighbours vote for another class.

    Args:
        points: of each part.
        split: the parts.
        metric: the distance.
        seed: stands beside the figure.
        most: the k among which validation items choose.
    """
    possible = [k for k in most if k <= len(split.train)]
    chosen = votes(points.train, split.train, points.validation, split.validation, metric, possible)
    best = possible[int(chosen.mean(axis=0).argmax())]
    credit = votes(points.train, split.train, points.test, split.test, metric, [best])
    return accuracy(
        1 - credit[:, 0],
        name=f"error of the vote of {best}",
        unit=UNIT,
        split=split.test.name,
        seed=seed,
    )


def nearest_mean(points: Points, train: Items, asking: Points) -> NDArray[np.int64]:
    """[Q] of each of `asking` [Q, D] the class, by number, whose mean embedding is nearest."""
    means = torch.stack(
        [points[train.class_ids == one].mean(dim=0) for one in range(len(train.classes))]
    )
    return torch.cdist(asking, means).argmin(dim=1).numpy()


def class_error(points: Embeddings, split: Split, seed: int) -> Figure:
    """The share of test items whose nearest class mean is of another class."""
    nearest = nearest_mean(points.train, split.train, points.test)
    return accuracy(
        (nearest != ids(split.test, split.train)).astype(np.float64),
        name="error of the nearest class mean",
        unit=UNIT,
        split=split.test.name,
        seed=seed,
    )


def ids(items: Items, train: Items) -> NDArray[np.int64]:
    """[N] the class of each of `items` by its number among those of `train`.

    Raises:
        DataError: a class is not among them.
    """
    unknown = sorted(set(items.classes) - set(train.classes))
    if unknown:
        raise DataError(f"{items.name} has {unknown[0]!r}, of which {train.name} has no item")
    return np.searchsorted(np.array(train.classes), items.labels).astype(np.int64)


def distinct(points: Points) -> str:
    """How many codes differ, among how many."""
    return f"{len(torch.unique(points > 0, dim=0)):,} of {len(points):,}"
