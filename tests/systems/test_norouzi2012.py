"""The quick form runs as told, and its figures are those of slow counts."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import gemel
from gemel import Items, Siamese, inputs, metrics
from gemel.evaluation import Figure
from gemel.systems import _cifar_codes, _codes, norouzi2012, reproduce
from gemel.systems.norouzi2012 import GIVEN
from gemel.systems.reproduction import Request, Table

PICTURES = ("codes", "errors", "distances", "bits")


@pytest.fixture(scope="module")
def made(
    data_folder: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Table, Path]:
    data_folder("cifar10_jpeg")
    out = tmp_path_factory.mktemp("norouzi")
    request = Request(data_folder("mnist").parent, out, quick=True, say=lambda _: None)
    return reproduce("norouzi2012", request), out


def test_the_quick_form_has_every_row(made: tuple[Table, Path]) -> None:
    table, out = made
    assert table.columns == ("64 bits",)
    rows = {row.name: row for row in table.rows}
    assert len(rows) == len(table.rows) == 25
    assert rows["error of the vote, two layers"].published == "1.45, 1.38, 1.27 %"
    for row in table.rows:
        for cell in row.cells:
            if isinstance(cell, Figure):
                assert 0 < cell.value < 1
            else:
                assert cell == "" or cell.endswith(("of 1,000", "of 500"))
    chance = rows["CIFAR-10: mAP, random hyperplanes"].cells[0]
    assert isinstance(chance, Figure)
    assert (chance.count, chance.split) == (200, "cifar10/test")
    for name in PICTURES:
        with Image.open(out / f"{name}.png") as picture:
            assert len(np.unique(np.asarray(picture.convert("L")))) > 30


def test_what_it_trains_is_an_ordinary_model(
    made: tuple[Table, Path], data_folder: Callable[[str], Path]
) -> None:
    model = gemel.load(made[1] / "network-64.gemel")
    digits = gemel.data.mnist(data_folder("mnist"), part="test").values[:3]
    assert model.codes(list(digits)).shape == (3, 8)
    assert model.calibration is not None
    with gemel.Gallery.open(made[1] / "codes.gallery", model) as gallery:
        gallery.enrol("seven", digits[0])
        assert gallery.identify(digits[0]).candidates[0].distance == 0
        assert gallery.stats().coding == "bits"


def test_the_vote_is_that_of_all_references() -> None:
    generator = np.random.default_rng(0)
    values = generator.integers(0, 256, (90, 28, 28)).astype(np.uint8)
    labels = np.array([str(n % 10) for n in range(90)])
    parts = [Items(values[k::3], labels[k::3], name=f"part {k}") for k in range(3)]
    split = _codes.Split(*parts)
    model = _codes.hyperplanes(GIVEN, 16, split.train, 0)
    for metric in (metrics.Hamming(), metrics.AsymmetricHamming()):
        points = _codes.Embeddings.of(model, split)
        found = _codes.vote_error(points, split, metric, 0, norouzi2012.MOST)
        metric.eval()
        known = model.embed(split.train)

        def errors(asking: Items, k: int, metric: metrics.Metric = metric) -> list[float]:
            wrong = []
            for point, label in zip(model.embed(asking), asking.labels, strict=True):
                distance = metric.matrix(point[None], known)[0].tolist()  # noqa: B023
                shells = sorted({round(one, 4) for one in distance})
                votes, left = {str(n): 0.0 for n in range(10)}, float(k)
                for shell in shells:
                    there = [i for i, one in enumerate(distance) if round(one, 4) == shell]
                    share = min(left, len(there)) / len(there)
                    for i in there:
                        votes[split.train.labels[i]] += share
                    left -= share * len(there)
                    if left <= 1e-9:
                        break
                best = [n for n, vote in votes.items() if vote > max(votes.values()) - 1e-9]
                wrong.append(1 - (label in best) / len(best))
            return wrong

        means = {k: float(np.mean(errors(split.validation, k))) for k in (1, 3, 10, 30)}
        best = min(means, key=lambda k: (round(means[k], 9), k))
        assert found.name == f"error of the vote of {best}"
        assert found.value == pytest.approx(np.mean(errors(split.test, best)))


def test_hyperplanes_pass_through_the_mean() -> None:
    values = np.random.default_rng(1).integers(0, 256, (40, 28, 28)).astype(np.uint8)
    items = Items(values, np.array([str(n % 10) for n in range(40)]), name="noise")
    model = _codes.hyperplanes(GIVEN, 64, items, 3)
    numbers = model.embed(items)
    torch.testing.assert_close(numbers.mean(dim=0), torch.zeros(64), atol=1e-3, rtol=0)
    assert not torch.equal(numbers, _codes.hyperplanes(GIVEN, 64, items, 4).embed(items))


def test_the_class_itself_as_the_code() -> None:
    """Where embeddings are classes apart, the nearest mean is always right."""
    labels = np.array([str(n % 10) for n in range(60)])
    values = np.zeros((60, 28, 28), dtype=np.uint8)
    values[np.arange(60), np.arange(60) % 10] = 255
    items = Items(values, labels, name="rows")
    model = Siamese(inputs.Images(28), nn.Flatten(), metrics.Euclidean())
    split = _codes.Split(items, items, items)
    points = _codes.Embeddings.of(model, split)
    assert _codes.class_error(points, split, 0).value == 0
    wrong = Items(values, np.roll(labels, 1), name="rows")
    assert _codes.class_error(points, _codes.Split(items, items, wrong), 0).value == 1


def test_test_pictures_find_training_pictures() -> None:
    """The mAP of codes and of named classes, counted by hand where nothing else ties."""
    generator = np.random.default_rng(2)
    labels = np.array(["cat", "dog", "ship"])
    train = Items(np.zeros((30, 4, 4, 3), np.uint8), labels[np.arange(30) % 3], name="train")
    test = Items(np.zeros((6, 4, 4, 3), np.uint8), labels[np.arange(6) % 3], name="test")
    known = torch.from_numpy(generator.normal(size=(30, 8)).astype(np.float32))
    asking = torch.from_numpy(generator.normal(size=(6, 8)).astype(np.float32))
    found = _cifar_codes.Found(train, known, test, asking, metrics.SquaredEuclidean(), 0)
    precisions, wrong = [], []
    for point, label in zip(asking, test.labels, strict=True):
        order = (known - point).square().sum(dim=1).argsort()
        right = train.labels[order.numpy()] == label
        precisions.append(np.mean([right[: at + 1].mean() for at in np.flatnonzero(right)]))
        means = [known[torch.from_numpy(train.labels == one)].mean(dim=0) for one in labels]
        nearest = labels[int(np.argmin([float((mean - point).norm()) for mean in means]))]
        wrong.append(nearest != label)
    assert found.precision().value == pytest.approx(np.mean(precisions))
    assert found.class_error().value == pytest.approx(np.mean(wrong))
    # Of the wrong ones all ten come after ten others, evenly spread among twenty.
    last = np.mean([_expected_precision(before=10, relevant=10, others=10)])
    expected = np.where(wrong, last, 1.0).mean()
    assert found.class_precision().value == pytest.approx(expected, abs=0.01)


def _expected_precision(*, before: int, relevant: int, others: int) -> float:
    """By drawing orders."""
    generator = np.random.default_rng(0)
    means = []
    for _ in range(4000):
        places = np.sort(generator.permutation(relevant + others)[:relevant]) + before
        means.append(np.mean(np.arange(1, relevant + 1) / (places + 1)))
    return float(np.mean(means))
