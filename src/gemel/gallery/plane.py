"""Enrolled embeddings in the plane, to look at."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from gemel.errors import SettingsError
from gemel.gallery.store import Store
from gemel.model import Siamese


@dataclass(frozen=True)
class Point:
    """A reference in the plane; x and y lie between -1 and 1."""

    reference: int
    identity: str
    x: float
    y: float


@dataclass(frozen=True)
class Plane:
    """References by the two directions in which their embeddings differ most.

    Attributes:
        points: the references that are shown.
        of: how many there are in all.
        explained: the share of the shown embeddings' variance along x, and along y.
    """

    points: tuple[Point, ...]
    of: int
    explained: tuple[float, float]


def plane(model: Siamese, store: Store, most: int) -> Plane:
    """At most `most` references, evenly chosen by their numbers, by principal components.

    Pearson 1901, "On lines and planes of closest fit to systems of points in space". What the
    metric does not see (the length, of a cosine) is taken away first. Each axis is turned so that
    its largest coordinate is positive.

    Raises:
        SettingsError: a joint comparer, which has no embeddings; or `most` is below 1.
    """
    if model.is_joint:
        raise SettingsError("a joint comparer has no embeddings, so there is no map of them")
    if most < 1:
        raise SettingsError(f"`most` must be 1 or more; got {most}")
    with store.snapshot():
        ids = store.ids()
        shown = ids[np.unique(np.linspace(0, len(ids) - 1, min(most, len(ids))).astype(np.int64))]
        kept = store.lookup(shown.tolist())
    coder = store.facts.coder
    rows = torch.tensor(coder.vectors(coder.stored([one.embedding for one in kept])))
    with model.evaluating():
        seen = model.metric.normalise(rows.to(model.device)).cpu().double().numpy()
    places, explained = _components(seen)
    points = tuple(
        Point(one.id, one.identity, float(x), float(y))
        for one, (x, y) in zip(kept, places, strict=True)
    )
    return Plane(points, len(ids), explained)


def _components(
    rows: NDArray[np.float64],
) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """[N, 2] coordinates from -1 to 1, and the share of the variance along each."""
    out, shares = np.zeros((len(rows), 2)), np.zeros(2)
    if not len(rows):
        return out, (0.0, 0.0)
    left, sizes, _ = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    count = min(2, len(sizes))
    found = left[:, :count] * sizes[:count]
    largest = found[np.abs(found).argmax(axis=0), np.arange(count)]
    found = found * np.where(largest < 0, -1.0, 1.0)
    whole = float((sizes**2).sum())
    if whole > 0:
        out[:, :count] = found / np.abs(found).max()
        shares[:count] = sizes[:count] ** 2 / whole
    return out, (float(shares[0]), float(shares[1]))
