"""The quick form runs as told, and its figures are those of slow counts."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import gemel
from gemel import Pairs, Siamese, data, inputs, metrics
from gemel.encoders import Sides, Zagoruyko
from gemel.evaluation import Figure
from gemel.systems import _patch_trials as trials
from gemel.systems import reproduce, zagoruyko2015
from gemel.systems.reproduction import Request, Table

pytest.importorskip("cv2")
PICTURES = ("pairs", "mistakes", "roc", "filters", "views", "bars")


@pytest.fixture(scope="module")
def made(
    data_folder: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Table, Path]:
    out = tmp_path_factory.mktemp("zagoruyko")
    request = Request(data_folder("symbench").parent, out, quick=True, say=lambda _: None)
    return reproduce("zagoruyko2015", request), out


def test_the_quick_form_has_every_row(made: tuple[Table, Path]) -> None:
    table, out = made
    rows = {row.name: row for row in table.rows}
    assert set(zagoruyko2015.PUBLISHED) < set(rows)
    assert {"siam-SPP", "hardnet", "RootSIFT", "normalised cross-correlation"} < set(rows)
    assert rows["2ch-2stream"].published == "4.19 %"
    for row in table.rows:
        assert len(row.cells) == len(table.columns)
        assert all(isinstance(cell, Figure) and -1 <= cell.value <= 1 for cell in row.cells if cell)
    for name in PICTURES:
        with Image.open(out / f"{name}.png") as picture:
            assert len(np.unique(np.asarray(picture.convert("L")))) > 30


def test_the_descriptor_is_an_ordinary_model_with_a_threshold(made: tuple[Table, Path]) -> None:
    model = gemel.load(made[1] / "descriptor.gemel")
    patch = np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint8)
    assert model.calibration is not None
    assert model.compare(patch, patch).distance == pytest.approx(0, abs=1e-3)
    assert torch.linalg.vector_norm(model.embed([patch])) == pytest.approx(1, abs=1e-5)
    joint = gemel.load(made[1] / "2ch-2stream-1.gemel")
    assert joint.form.name == "joint comparer"
    assert gemel.load(made[1] / "pseudo-siam-1.gemel").form.name == "pseudo-twin"


def test_the_folds_keep_scenes_of_one_thing_together(data_folder: Callable[[str], Path]) -> None:
    folders = [data_folder(name) for name in trials.SETS]
    names = {scene.name for folder in folders for scene in data.scenes(folder)}
    tested = [scene for fold in trials.FOLDS for scene in fold]
    assert len(tested) == len(set(tested))
    assert set(tested) | set(trials.VALIDATION) < names
    assert not set(tested) & set(trials.VALIDATION)
    assert {"graf", "bdom"} <= set(trials.FOLDS[0])
    scenes = {scene.name: scene for folder in folders for scene in data.scenes(folder)}
    for fold in trials.FOLDS:
        learned = {scene.name for scene in trials.trained_on(scenes, fold)}
        assert len(learned) >= 10
        shown = {trials.group_of(scene) for scene in (*fold, *trials.VALIDATION)}
        assert not {trials.group_of(scene) for scene in learned} & shown
    assert trials.group_of("graffiti") == "graf"


def test_siam_2stream_ends_with_a_relu() -> None:
    encoder, metric = zagoruyko2015.Sizes(0.1).variants({})["siam-2stream"]()
    assert metric is not None
    twin = Siamese(inputs.Images(64), encoder, metric)
    embeddings = twin.embed(np.random.default_rng(0).integers(0, 256, (9, 64, 64), dtype=np.uint8))
    assert embeddings.min() == 0 < embeddings.max()


def slow_rate(distance: list[float], same: list[bool]) -> float:
    """Accept the nearest pairs, one distance after the other, until 95 % of the same ones are."""
    for threshold in sorted(set(distance)):
        kept = [d <= threshold for d in distance]
        if sum(k and s for k, s in zip(kept, same, strict=True)) >= 0.95 * sum(same):
            others = [k for k, s in zip(kept, same, strict=True) if not s]
            return sum(others) / len(others)
    raise AssertionError


def small_pairs(count: int = 60, seed: int = 0) -> Pairs:
    generator = np.random.default_rng(seed)
    base = generator.integers(0, 256, (count, 16, 16))
    seen = base + generator.normal(0, 60, base.shape)
    values = np.concatenate([base, seen.clip(0, 255)]).astype(np.uint8)
    left = np.tile(np.arange(count), 2)
    right = np.concatenate([np.arange(count), generator.permutation(count)]) + count
    return Pairs(values, left, right, left + count == right, name="small")


def test_fpr95_and_cross_correlation_by_slow_counts() -> None:
    pairs = small_pairs()
    found = trials.uncorrelated(pairs)
    for row in range(0, len(pairs), 17):
        a, b = (pairs.values[side[row]].ravel().astype(float) for side in (pairs.left, pairs.right))
        assert found[row] == pytest.approx(1 - np.corrcoef(a, b)[0, 1], abs=1e-5)
    noisy = np.random.default_rng(1).normal(size=len(pairs)) - pairs.same
    one = trials.Trials("small", pairs)
    expected = slow_rate(noisy.tolist(), pairs.same.tolist())
    assert one.rate(noisy) == pytest.approx(expected)
    figure = one.figure(noisy, 0)
    assert isinstance(figure, Figure)
    assert figure.value == pytest.approx(expected)


def test_means_and_differences_are_over_scenes() -> None:
    cut = next(iter(trials.CUTS))
    results = trials.Results({}, {}, 0)
    generator = np.random.default_rng(2)
    for number, scene in enumerate(("graf", "graffiti", "bdom", "metz", "bikes", "taj")):
        pairs = small_pairs(seed=number)
        results.trials[cut, scene] = trials.Trials(scene, pairs)
        for name, strength in (("good", 3.0), ("bad", 1.0)):
            noise = generator.normal(size=len(pairs))
            results.distances[name, cut, scene] = noise - strength * pairs.same
    rates = {
        name: [results.rate(name, cut, scene) for scene in results.scenes]
        for name in ("good", "bad")
    }
    assert results.mean("good", cut).value == pytest.approx(np.mean(rates["good"]))
    less = results.less("good", "bad", cut)
    assert less.value == pytest.approx(np.mean(rates["good"]) - np.mean(rates["bad"]))
    assert less.high < 0
    assert "5 groups of scenes" in less.method  # graf and graffiti are one


def test_the_variants_called_l2_are_the_branches_alone() -> None:
    layers = ((4, 7, 3, 2), (6, 5, 1, 2))
    patches = list(np.random.default_rng(0).integers(0, 256, (6, 64, 64)).astype(np.uint8))
    for encoder in (Zagoruyko(layers), Sides(Zagoruyko(layers), Zagoruyko(layers))):
        model = Siamese(inputs.Images(64), encoder, metrics.Decision((4,)))
        alone = trials.as_descriptor(model)
        left, right = (model.embed(patches, side) for side in ("left", "right"))
        left, right = (one / one.norm(dim=1, keepdim=True) for one in (left, right))
        pairs = Pairs(patches, np.arange(5), np.arange(5) + 1, np.arange(5) < 2, name="few")
        found = trials.distances_of(alone)(pairs)
        np.testing.assert_allclose(found, (left[:5] - right[1:]).norm(dim=1), atol=1e-5)
        assert getattr(model.side_encoder("left"), "unit_length", None) is False
