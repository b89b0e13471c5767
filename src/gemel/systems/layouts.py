"""What is measured of a map in the plane: one number an item, and the figures made of them.

Copies of an item, such as the same picture moved by several steps, stand side by side: `copies` of
the first item, then those of the second.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike, NDArray

from gemel.evaluation import Figure, Interval, bootstrap, figure
from gemel.evaluation.intervals import percentile_interval, resamples
from gemel.items import Texts
from gemel.neighbours import nearest_neighbours

Points = Float[NDArray[np.floating[Any]], "items 2"]
Values = NDArray[np.float64]


def kept(points: Points, values: ArrayLike, count: int) -> tuple[Values, float]:
    """How well the map keeps neighbourhoods: one share an item [N], and that of chance.

    Of the `count` nearest on the map, the share that are neighbours by `values` [N, ...]: two are
    where either is among the other's `count` nearest.
    """
    rows = np.arange(len(points))[:, None]
    alike = np.zeros((len(points), len(points)), dtype=bool)
    alike[rows, nearest_neighbours(values, count)] = True
    alike |= alike.T
    found = np.asarray(alike[rows, nearest_neighbours(points, count)].mean(axis=1))
    return found, float(alike.sum() / (len(alike) * (len(alike) - 1)))


def same_label(points: Points, labels: Texts) -> Values:
    """1 where the nearest other item on the map has an item's label, else 0: [N]."""
    return np.asarray(labels[nearest_neighbours(points, 1)[:, 0]] == labels, dtype=np.float64)


def same_copy(points: Points, copies: int, count: int) -> Values:
    """Of the `count` nearest that are no copies of the same item, the share of the same copy.

    It is the mean over an item's copies: [N / copies].
    """
    item = np.arange(len(points))[:, None]
    near = nearest_neighbours(points, count + copies - 1)
    own = near // copies == item // copies
    others = np.take_along_axis(near, np.argsort(own, axis=1, kind="stable"), axis=1)[:, :count]
    alike = others % copies == item % copies
    return np.asarray(alike.mean(axis=1).reshape(-1, copies).mean(axis=1))


def apart(points: Points, copies: int) -> tuple[Values, Values]:
    """How far an item's copies lie from each other, and from other items' copies.

    Returns:
        For each item the mean distance between two of its copies, and from one of its copies to
        one of another item: [N / copies] each.
    """
    own = points.reshape(-1, copies, 2)
    upper = np.triu_indices(copies, 1)
    within, beyond = np.empty(len(own)), np.empty(len(own))
    for item, places in enumerate(own):
        distance = np.linalg.norm(places[:, None] - places, axis=-1)
        within[item] = distance[upper].mean()
        total = np.linalg.norm(places[:, None] - points, axis=-1).sum() - distance.sum()
        beyond[item] = total / (copies * (len(points) - copies))
    return within, beyond


def from_middle(points: Points) -> Values:
    """The distance of each point from the middle of all: [N]."""
    return np.asarray(np.linalg.norm(points - points.mean(axis=0), axis=1))


@dataclass(frozen=True)
class Judge:
    """Makes figures of one number an item; their intervals are a bootstrap over the items.

    Attributes:
        split: the name of what is judged.
        unit: what an item is, in the plural.
        seed: of the bootstrap.
    """

    split: str
    unit: str
    seed: int

    def mean(self, name: str, values: Values, *, percent: bool = True) -> Figure:
        """The mean of `values` [N]."""
        interval = bootstrap(values, cluster_unit=self.unit, seed=self.seed, share=percent)
        return self._figure(name, float(values.mean()), interval, len(values), percent=percent)

    def ratio(self, name: str, above: Values, below: Values) -> Figure:
        """The mean of `above` [N] over that of `below` [N]."""
        generator = np.random.default_rng(self.seed)
        drawn = [
            (times @ above) / (times @ below)
            for times in resamples(len(above), draws=1000, generator=generator)
        ]
        value = float(above.mean() / below.mean())
        interval = percentile_interval(
            np.concatenate(drawn), value, clusters=len(above), cluster_unit=self.unit, share=False
        )
        return self._figure(name, value, interval, len(above), percent=False)

    def _figure(
        self, name: str, value: float, interval: Interval, count: int, *, percent: bool
    ) -> Figure:
        return figure(
            name,
            value,
            interval,
            count=count,
            unit=self.unit,
            split=self.split,
            seed=self.seed,
            percent=percent,
        )
