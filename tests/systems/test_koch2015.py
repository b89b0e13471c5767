"""Koch 2015: its split, its quick form, and the traps that others fell into."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import gemel
from gemel import Gallery, Siamese, encoders, inputs, losses, measure, metrics
from gemel.evaluation import Figure
from gemel.reports.published import Ranked
from gemel.systems import koch2015, reproduce
from gemel.systems.reproduction import Request, Table


@pytest.fixture(scope="module")
def root(data_folder: Callable[[str], Path]) -> Path:
    """The folder that holds Omniglot and MNIST."""
    data_folder("mnist")
    return data_folder("omniglot").parent


@pytest.fixture(scope="module")
def quick(root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Table, Path]:
    """The quick form's table and folder."""
    out = tmp_path_factory.mktemp("koch") / "out"
    said: list[str] = []
    table = reproduce("koch2015", Request(root, out, quick=True, say=said.append))
    assert any("paper-0" in line for line in said)
    return table, out


@pytest.fixture(scope="module")
def split(root: Path) -> koch2015.Split:
    return koch2015.read(Request(root, Path("unused")))


class TestSplit:
    def test_test_alphabets_are_those_of_lakes_runs(
        self, split: koch2015.Split, root: Path
    ) -> None:
        """By the pixels: every drawing of the runs is one of the test alphabets', two runs each."""
        known = {
            pixels.tobytes(): alphabet
            for pixels, alphabet in zip(
                split.test.values, koch2015.alphabets_of(split.test).tolist(), strict=True
            )
        }
        found = []
        for run in split.runs:
            of = {known[each.tobytes()] for each in (*run.references, *run.queries)}
            assert len(of) == 1
            found += of
        assert sorted(found) == sorted([*koch2015.TEST_ALPHABETS] * 2)

    def test_nothing_tested_is_trained_on_or_chooses_anything(self, split: koch2015.Split) -> None:
        parts = [split.train, split.validation, split.test]
        alphabets = [set(koch2015.alphabets_of(part).tolist()) for part in parts]
        assert [len(one) for one in alphabets] == [30, 10, 10]
        contents = [{each.tobytes() for each in part.values} for part in parts]
        for i, j in ((0, 1), (0, 2), (1, 2)):
            assert not alphabets[i] & alphabets[j]
            assert not contents[i] & contents[j]

    def test_drawers_are_the_papers_number(self, split: koch2015.Split) -> None:
        assert len(split.train) == 964 * 12
        assert set(split.train.details["drawer"].tolist()) == set(range(9, 21))
        assert set(split.validation.details["drawer"].tolist()) == {1, 2, 3, 4}


class TestQuickForm:
    def test_table(self, quick: tuple[Table, Path]) -> None:
        table, out = quick
        assert [row.name for row in table.rows] == list(koch2015.PUBLISHED)
        assert table.columns == ("the paper's recipe", "gemel's recipe", "nearest pixels")
        for row in table.rows:
            for cell in row.cells:
                assert isinstance(cell, Figure)
                assert 0 <= cell.low <= cell.value <= cell.high <= 1
        lake = table.rows[1].cells[2]
        assert isinstance(lake, Figure)
        assert lake.value == pytest.approx(0.2175)  # nearest pixels, whatever was trained
        assert "93.42 %" in (out / "table.md").read_text(encoding="utf-8")
        facts = json.loads((out / "figures.json").read_text(encoding="utf-8"))
        assert facts["quick"] is True
        assert facts["rows"][0]["published"] == "93.42 %"

    @pytest.mark.parametrize(
        "name", ["one_shot.png", "trials.png", "distortions.png", "filters.png", "course.png"]
    )
    def test_pictures_are_not_blank(self, quick: tuple[Table, Path], name: str) -> None:
        with Image.open(quick[1] / name) as picture:
            assert np.asarray(picture.convert("L")).std() > 5

    @pytest.mark.parametrize("name", ["paper-0", "gemel-0"])
    def test_models_are_ordinary_ones(
        self, quick: tuple[Table, Path], split: koch2015.Split, tmp_path: Path, name: str
    ) -> None:
        model = gemel.load(quick[1] / f"{name}.gemel")
        one, other = split.runs[0].references[:2]
        assert model.compare(one, other).verdict is not None
        few = split.test.take(np.arange(0, 400, 2))
        assert gemel.evaluate(model, few, trials=50).verification.auc.value > 0.4
        with Gallery.open(tmp_path / "one.gallery", model) as gallery:
            gallery.enrol("one", one)
            assert gallery.identify(one).identity == "one"


class TestTraps:
    def test_a_network_that_answers_one_constant_is_not_right(self, split: koch2015.Split) -> None:
        """Neither where the right answer stands nor a tie earns more than guessing does."""

        class Constant(nn.Module):
            def forward(self, batch: torch.Tensor) -> torch.Tensor:
                return torch.ones(len(batch), 4)

        model = Siamese(inputs.Images(8, channels=1), Constant(), metrics.Euclidean())
        assert measure.lake(model, split.runs).value == pytest.approx(1 / 20)
        answers = np.concatenate([run.answers for run in split.runs])
        assert len(set(answers.tolist())) == 20

    def test_a_tie_is_not_shown_as_right(self) -> None:
        picture = np.zeros((2, 2))
        assert Ranked(picture, [picture] * 3, [0.2, 0.7, 0.1], 1).right
        assert not Ranked(picture, [picture] * 3, [0.7, 0.7, 0.1], 1).right
        assert not Ranked(picture, [picture] * 3, [0.2, 0.7, 0.1], 0).right

    @pytest.mark.parametrize("same", [True, False])
    def test_a_step_moves_a_pair_the_right_way(self, same: bool) -> None:
        """`same` is True for the same: one step brings such a pair nearer, others farther."""
        generator = torch.Generator().manual_seed(0)
        pair = torch.rand(2, 1, 35, 35, generator=generator)
        model = Siamese(
            inputs.Images(35, channels=1),
            encoders.Koch(16, filters=((4, 5), (4, 4), (4, 3))),
            metrics.WeightedL1(),
        )
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)

        def distance() -> torch.Tensor:
            u, v = model.encoder(pair).chunk(2)
            found: torch.Tensor = model.metric(u, v)
            return found

        before = distance()
        losses.PairCrossEntropy()(before, torch.tensor([same])).backward()
        optimizer.step()
        assert (distance() < before).item() is same

    def test_equal_embeddings_have_finite_gradients(self) -> None:
        metric = metrics.WeightedL1()
        metric.build(3)
        u = torch.ones(2, 3, requires_grad=True)
        losses.PairCrossEntropy()(
            metric(u, u.detach().clone()), torch.tensor([True, False])
        ).backward()
        assert u.grad is not None
        assert torch.isfinite(u.grad).all()


def test_seeds_are_summed_up() -> None:
    def figure(value: float) -> Figure:
        return Figure("x", value, 0.0, 1.0, 400, "trials", "test", 0, "by hand")

    mean = koch2015.over_seeds("x", [figure(0.90), figure(0.94), figure(0.92)])
    assert mean.value == pytest.approx(0.92)
    half = 4.302653 * 0.02 / np.sqrt(3)  # Student's t of 2 degrees of freedom
    assert (mean.low, mean.high) == pytest.approx((0.92 - half, 0.92 + half), abs=1e-6)
    assert (mean.count, mean.unit) == (3, "seeds")
    assert koch2015.over_seeds("x", [figure(0.9)]) == figure(0.9)


def test_the_papers_network_has_the_papers_size() -> None:
    form = koch2015.PAPER
    model = Siamese(
        inputs.Images(form.size, channels=1),
        encoders.Koch(form.dim, filters=form.filters),
        metrics.WeightedL1(),
    )
    assert sum(weight.numel() for weight in model.parameters()) == 38_951_745
