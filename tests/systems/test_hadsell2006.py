"""DrLIM: its graphs and springs against the paper's words, and its quick form on MNIST."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import gemel
from gemel import Items, data
from gemel.neighbours import nearest_neighbours
from gemel.sampling import GraphPairs
from gemel.systems import hadsell2006, reproduce
from gemel.systems.hadsell2006 import NEIGHBOURS, SHIFTS, Attraction, digits, shifted, with_prior
from gemel.systems.reproduction import Request, Table

PICTURES = ("digits.png", "shifts.png", "loss.png", "collapse.png")
MODELS = ("plain", "collapsed", "shifted-pixels", "shifted-prior")


@pytest.fixture(scope="module")
def made(
    data_folder: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Table]:
    out = tmp_path_factory.mktemp("hadsell2006")
    request = Request(data_folder("mnist"), out, quick=True, say=lambda _: None)
    return out, reproduce("hadsell2006", request)


@pytest.fixture(scope="module")
def few(data_folder: Callable[[str], Path]) -> Items:
    return digits(data.mnist(data_folder("mnist"), part="test"), 30, seed=0)


class TestQuickForm:
    def test_the_table_has_all_rows(self, made: tuple[Path, Table]) -> None:
        out, table = made
        assert table.columns == ("DrLIM", "PCA", "chance")
        assert len(table.rows) == 8
        for row in table.rows:
            figure = row.cells[0]
            assert isinstance(figure, gemel.evaluation.Figure)
            assert figure.low <= figure.value <= figure.high
            assert figure.count == 120
            assert figure.split == "mnist/test, 4 and 9"
            assert figure.name == row.name
        held = json.loads((out / "figures.json").read_text())
        assert [row["name"] for row in held["rows"]] == [row.name for row in table.rows]
        assert (out / "table.md").read_text() == table.as_markdown()

    def test_even_few_steps_show_what_the_paper_shows(self, made: tuple[Path, Table]) -> None:
        spread, collapsed, *moved = [row.cells[0].value for row in made[1].rows[2:]]
        assert collapsed < spread / 2
        pixels_ratio, pixels_alike, prior_ratio, prior_alike = moved
        assert prior_ratio < pixels_ratio
        assert prior_alike < 0.5 < pixels_alike

    @pytest.mark.parametrize("name", PICTURES)
    def test_pictures_are_not_blank(self, made: tuple[Path, Table], name: str) -> None:
        pixels = np.asarray(Image.open(made[0] / name).convert("RGB"))
        assert min(pixels.shape[:2]) > 300
        ink = (pixels < 200).any(axis=2)
        assert 0.002 < ink.mean() < 0.5
        assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 50

    @pytest.mark.parametrize("name", MODELS)
    def test_models_are_ordinary_files(
        self, made: tuple[Path, Table], few: Items, name: str
    ) -> None:
        model = gemel.load(made[0] / f"{name}.gemel")
        points = model.embed(few)
        assert points.shape == (60, 2)
        assert points.isfinite().all()
        wanted = (points[0] - points[1]).norm().item()
        found = model.compare(few.values[0], few.values[1])
        assert found.distance == pytest.approx(wanted, rel=1e-3)
        judged = gemel.evaluate(model, few, seed=0)
        assert 0 <= judged.retrieval.recall[0].value <= 1


class TestData:
    def test_digits_are_4s_and_9s_with_an_empty_border(
        self, data_folder: Callable[[str], Path]
    ) -> None:
        whole = data.mnist(data_folder("mnist"), part="test")
        some, again, other = (digits(whole, 40, seed) for seed in (0, 0, 1))
        assert sorted(some.labels.tolist()) == ["4"] * 40 + ["9"] * 40
        values = np.asarray(some.values)
        assert values.shape == (80, 32, 32)
        assert not values[:, [0, 1, 30, 31]].any()
        assert not values[:, :, [0, 1, 30, 31]].any()
        assert (values == again.values).all()
        assert (values != other.values).any()
        held = {picture.tobytes() for picture in np.asarray(whole.values)}
        assert all(np.ascontiguousarray(v[2:30, 2:30]).tobytes() in held for v in values)
        assert len(digits(whole, 5000, 0)) == 982 + 1009

    def test_shifts_move_each_picture_and_drop_what_leaves_it(self) -> None:
        values = np.random.default_rng(0).integers(1, 255, (3, 32, 32)).astype(np.uint8)
        moved = shifted(Items(values, np.array(["4", "9", "4"]), name="made"))
        assert len(moved) == 15
        assert moved.labels.tolist() == ["4"] * 5 + ["9"] * 5 + ["4"] * 5
        for copy, (picture, shift) in enumerate((p, s) for p in range(3) for s in SHIFTS):
            assert moved.details["shift"][copy] == shift
            for column in range(32):
                old = column - shift
                expected = values[picture][:, old] if 0 <= old < 32 else np.zeros(32)
                assert (moved.values[copy][:, column] == expected).all()


def test_prior_knowledge_joins_all_shifts_of_a_picture_and_of_its_neighbours() -> None:
    near = [[1], [2], [1], [0]]
    graph = with_prior(np.array(near))
    assert graph.shape == (20, 10)
    for copy, row in enumerate(graph.tolist()):
        pictures = [copy // 5, *near[copy // 5]]
        assert sorted(row) == sorted(
            5 * picture + shift for picture in pictures for shift in range(5)
        )
    items = Items(np.zeros((20, 1)), np.repeat(["4", "9"], 10), kind="numbers")
    edges = GraphPairs(items, graph).edges
    joined = {(0, 0), (1, 1), (2, 2), (3, 3), (0, 1), (1, 2), (0, 3)}
    assert {(low // 5, high // 5) for low, high in edges.tolist()} == joined
    assert len(edges) == 4 * 10 + 3 * 25


def test_labels_make_no_difference_to_the_weights(few: Items, tmp_path: Path) -> None:
    near = nearest_neighbours(few.values, NEIGHBOURS)
    mixed = np.random.default_rng(0).permutation(few.labels)
    assert (mixed != few.labels).any()
    models = []
    for name, labels in (("as-they-are", few.labels), ("permuted", mixed)):
        items = Items(few.values, labels, name="few")
        request = Request(tmp_path, tmp_path, say=lambda _: None)
        models.append(hadsell2006.learned(request, name, items, near, pairs=8, steps=5))
    for one, other in zip(*(model.parameters() for model in models), strict=True):
        assert torch.equal(one, other)


def test_springs_are_the_papers_formulas() -> None:
    distances = torch.tensor([0.0, 0.25, 0.75, 1.0, 1.5])
    cost, force = hadsell2006.spring(distances, same=True)
    np.testing.assert_allclose(cost, [0, 0.03125, 0.28125, 0.5, 1.125])
    np.testing.assert_allclose(force, [0, -0.25, -0.75, -1, -1.5])
    cost, force = hadsell2006.spring(distances, same=False)
    np.testing.assert_allclose(cost, [0.5, 0.28125, 0.03125, 0, 0])
    np.testing.assert_allclose(force, [1, 0.75, 0.25, 0, 0])


def test_attraction_is_the_loss_of_neighbours_alone() -> None:
    distance = torch.tensor([0.5, 2.0, 1.0])
    same = torch.tensor([True, False, True])
    assert Attraction()(distance, same).item() == pytest.approx((0.125 + 0.5) / 3)


@pytest.mark.parametrize("same", [True, False])
def test_two_pictures_in_one_place_have_a_finite_gradient(same: bool) -> None:
    place = torch.tensor([[0.3, -0.2]], requires_grad=True)
    distance = gemel.metrics.Euclidean()(place, place.detach())
    gemel.losses.Contrastive(1.0)(distance, torch.tensor([same])).backward()
    assert place.grad is not None
    assert place.grad.isfinite().all()


def test_principal_components_are_those_of_the_training_pictures() -> None:
    generator = np.random.default_rng(0)
    values = generator.integers(0, 255, (60, 4, 4)).astype(np.uint8)
    train = Items(values[:40], np.array(["4"] * 40))
    new = Items(values[40:], np.array(["4"] * 20))
    flat = values.reshape(60, -1) / 255
    middle = flat[:40].mean(axis=0)
    _, _, axes = np.linalg.svd(flat[:40] - middle)
    found = hadsell2006.principal(train, new)
    expected = (flat[40:] - middle) @ axes[:2].T
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-9)
