"""CIFAR-10 for `norouzi2012`: how well the codes of test pictures find training pictures.

The paper's codes of CIFAR-10 are linear, of some thousand learned features a picture, and are told
by the votes of the nearest. Here a network of convolutions sees the pictures themselves, mirrored
and shifted while training; its loss is the supervised contrastive one. The triplet hinge of relaxed
distances, which serves on digits, hardly learned in as many steps. The loss and its temperature
were chosen in short runs on 8,000 of the training pictures, by the mAP of the other 2,000.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gemel import data, encoders, inputs, losses, metrics, sampling
from gemel.evaluation import Figure, accuracy, retrieval
from gemel.evaluation.retrieval import Rows
from gemel.items import Items
from gemel.model import Siamese
from gemel.systems._codes import (
    UNIT,
    Points,
    distinct,
    hyperplanes,
    ids,
    nearest_mean,
    nearest_pixels,
    votes,
)
from gemel.systems.reproduction import Cell, Request, Row

GIVEN = inputs.Images(32, channels=3)
BITS, QUICK_BITS = (16, 64, 256), (64,)
WIDTHS = (32, 64, 128, 256)
STEPS, QUICK_STEPS, PER_CLASS, RATE = 900, 4, 16, 3e-3
TEMPERATURE = 0.3
NEIGHBOURS = 100
"""The k of the vote."""
LIGHT = inputs.Chain(
    [
        inputs.Flip(),
        inputs.Affine(rotation=0, scale=(1, 1), shear=0, shift=0.125, fill="reflection"),
    ]
)
PUBLISHED = "24.9, 24.1, 22.9 % at 64, 128, 256 bits"
"""Errors of the vote; remembered and not looked up in the paper."""


@dataclass(frozen=True)
class Found:
    """What a model makes of the pictures.

    Attributes:
        train: the training pictures, which are the database.
        known: [N, D] their embeddings.
        test: the test pictures, which ask.
        asking: [Q, D] their embeddings.
        metric: the distance.
        seed: of the bootstrap.
    """

    train: Items
    known: Points
    test: Items
    asking: Points
    metric: metrics.Metric
    seed: int

    def precision(self) -> Figure:
        """The mAP of test pictures that ask for the training pictures of their class."""

        def rows(queries: NDArray[np.int64]) -> NDArray[Any]:
            with torch.no_grad():
                return self.metric.eval().matrix(self.asking[queries], self.known).numpy()

        return self._mean_precision(rows)

    def class_precision(self) -> Figure:
        """The same of a code that only names the class, the one whose mean is nearest."""
        other = self._nearest_class()[:, None] != self.train.class_ids
        return self._mean_precision(lambda queries: other[queries].astype(np.float32))

    def vote_error(self) -> Figure:
        """How often the nearest training pictures vote for another class."""
        k = min(NEIGHBOURS, len(self.train))
        credit = votes(self.known, self.train, self.asking, self.test, self.metric, [k])
        return self._error(1 - credit[:, 0], f"error of the vote of {k}")

    def class_error(self) -> Figure:
        """How often the nearest class mean is of another class."""
        wrong = self._nearest_class() != ids(self.test, self.train)
        return self._error(wrong.astype(np.float64), "error of the nearest class mean")

    def _nearest_class(self) -> NDArray[np.int64]:
        return nearest_mean(self.known, self.train, self.asking)

    def _mean_precision(self, rows: Rows) -> Figure:
        return retrieval(
            rows,
            self.test.labels,
            references=self.train.labels,
            clusters=np.arange(len(self.test)),
            cluster_unit=UNIT,
            split=self.test.name,
            seed=self.seed,
        ).mean_average_precision

    def _error(self, wrong: NDArray[np.float64], name: str) -> Figure:
        return accuracy(wrong, name=name, unit=UNIT, split=self.test.name, seed=self.seed)


def rows_of_pictures(request: Request, lengths: Sequence[int]) -> tuple[list[Row], str]:
    """The rows of a table whose columns are `lengths` of codes, and what must be known of them."""
    train, test = read(request)

    def found(model: Siamese) -> Found:
        return Found(train, model.embed(train), test, model.embed(test), model.metric, request.seed)

    def row(name: str, cells: Mapping[int, Cell], published: str = "") -> Row:
        return Row(f"CIFAR-10: {name}", tuple(cells.get(b, "") for b in lengths), published)

    asked = QUICK_BITS if request.quick else BITS
    ours = {bits: found(trained(request, bits, train)) for bits in asked}
    planes = {b: found(hyperplanes(GIVEN, b, train, request.seed)) for b in lengths}
    flat = found(nearest_pixels(GIVEN))
    rows = [
        row("mAP, gemel's network", {b: one.precision() for b, one in ours.items()}),
        row("mAP, random hyperplanes", {b: one.precision() for b, one in planes.items()}),
        row("mAP, pixels, Euclidean", {lengths[0]: flat.precision()}),
        row(
            "mAP of the class itself as the code, 4 bits",
            {b: one.class_precision() for b, one in ours.items()},
        ),
        row(
            "error of the vote, gemel's network",
            {b: one.vote_error() for b, one in ours.items()},
            PUBLISHED,
        ),
        row(
            "error of the vote, random hyperplanes",
            {b: one.vote_error() for b, one in planes.items()},
        ),
        row("error of the vote, pixels, Euclidean", {lengths[0]: flat.vote_error()}),
        row(
            "error of the class itself as the code, 4 bits",
            {b: one.class_error() for b, one in ours.items()},
        ),
        row(
            "codes that differ, gemel's network",
            {b: distinct(one.known) for b, one in ours.items()},
        ),
    ]
    return rows, (
        f"CIFAR-10: {len(test):,} test pictures ask for those of their class among the "
        f"{len(train):,} training pictures; votes are of {NEIGHBOURS}. The published errors are of "
        "linear codes of learned features, with all 50,000 training pictures."
    )


def read(request: Request) -> tuple[Items, Items]:
    """The training and the test pictures; few of them for the quick form."""
    folder = request.folder("cifar10")
    every = 20 if request.quick else 1
    train, test = (
        whole.take(np.arange(0, len(whole), every), whole.name)
        for whole in (data.cifar10(folder, part=part) for part in ("train", "test"))
    )
    return train, test


def trained(request: Request, bits: int, train: Items) -> Siamese:
    """Codes of `bits`, learned from the training pictures."""
    return request.trained(
        f"cifar10-{bits}",
        lambda: Siamese(
            GIVEN,
            encoders.Conv(WIDTHS, bits, balanced=True),
            metrics.Hamming(),
            seed=request.seed,
            block=256,
        ),
        train,
        loss=losses.SupervisedContrastive(TEMPERATURE),
        sampler=partial(
            sampling.ClassesByItems, classes=10, per_class=PER_CLASS, seed=request.seed
        ),
        augment=LIGHT,
        validation=None,
        steps=QUICK_STEPS if request.quick else STEPS,
        rate=RATE,
        seed=request.seed,
    )
