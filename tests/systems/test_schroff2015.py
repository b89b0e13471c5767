"""The quick form runs as told; embeddings lie on the sphere, and nothing breaks at distance 0."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import gemel
from gemel import data, losses, metrics
from gemel.evaluation import Figure
from gemel.measure import evaluate
from gemel.mining import semi_hard
from gemel.systems import reproduce, schroff2015
from gemel.systems._people import draws
from gemel.systems.reproduction import Request, Table

PICTURES = ("pairs", "distances", "trade_off", "one_picture", "sphere")


@pytest.fixture(scope="module")
def made(
    data_folder: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Table, Path]:
    out = tmp_path_factory.mktemp("schroff")
    folder = data_folder("orl_faces").parent
    return reproduce("schroff2015", Request(folder, out, quick=True, say=lambda _: None)), out


def test_the_quick_form_has_every_row(made: tuple[Table, Path]) -> None:
    table, out = made
    rows = {row.name: row.cells for row in table.rows}
    assert len(rows) == len(table.rows) == 18
    assert all(len(cells) == len(table.columns) == 5 for cells in rows.values())
    for name in (
        "EER",
        "rank 1 of 5 people, one picture of each enrolled",
        "accuracy by folds, a draw each",
    ):
        assert all(isinstance(cell, Figure) and 0 <= cell.value <= 1 for cell in rows[name])
    for name in ("accuracy by 10 folds, an alphabet each", "EER", "VAL at FAR 0.001"):
        cell = rows[f"unseen symbols: {name}"][0]
        assert isinstance(cell, Figure)
        assert cell.split == "drawn/unseen"
    assert "30,000 are needed" in str(rows["VAL at FAR 0.001"][0])
    for name in PICTURES:
        with Image.open(out / f"{name}.png") as picture:
            assert len(np.unique(np.asarray(picture.convert("L")))) > 50


def test_what_it_trains_is_an_ordinary_model(
    made: tuple[Table, Path], data_folder: Callable[[str], Path]
) -> None:
    _, out = made
    draw = draws(data.orl_faces(data_folder("orl_faces")), 1, 0)[0]
    model = gemel.load(out / "faces.gemel")
    assert evaluate(model, draw.test).warnings == ()  # nobody tested was trained on
    answer = model.compare(draw.test.values[0], draw.test.values[1])
    assert answer.probability is not None
    with gemel.Gallery.open(out / "faces.gallery", model) as gallery:
        who = str(draw.test.labels[0])
        gallery.enrol(who, draw.test.values[0])
        assert gallery.identify(draw.test.values[0]).candidates[0].identity == who
    between, chance = schroff2015.likeness(model, draw.test)
    assert np.allclose(np.diag(between), 1)
    assert ((between >= 0) & (between <= 1) & (chance >= 0) & (chance <= 1)).all()
    order = np.argsort(between[0])
    assert (np.diff(chance[0][order]) >= -1e-6).all()  # both order pairs alike


def test_embeddings_have_length_one_with_and_without_views() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (5, 112, 92), dtype=np.uint8)
    for views in (1, 4):
        model = schroff2015.network(0)
        model.views = views
        points = model.embed(list(pictures))
        assert torch.allclose(points.norm(dim=1), torch.ones(5), atol=1e-5)
        cosine = points @ points.T
        assert torch.allclose(model.distances(points, points), 2 - 2 * cosine, atol=1e-5)


def test_alike_embeddings_show_the_margin_and_finite_gradients() -> None:
    points = torch.nn.functional.normalize(torch.ones(6, 4), dim=1).requires_grad_()
    loss = losses.Triplet(metrics.SquaredEuclidean(), margin=0.2, mining=semi_hard)
    value = loss(points, torch.tensor([0, 0, 1, 1, 2, 2]))
    value.backward()
    assert value.item() == pytest.approx(0.2)
    assert points.grad is not None
    assert torch.isfinite(points.grad).all()


def test_symbols_of_the_test_are_of_other_alphabets(tmp_path: Path) -> None:
    train, unseen = schroff2015.symbols(Request(tmp_path, tmp_path, quick=True))
    assert train.groups is not None
    assert unseen.groups is not None
    assert not set(train.groups.tolist()) & set(unseen.groups.tolist())
    assert not set(train.classes) & set(unseen.classes)
    assert len(set(unseen.groups.tolist())) == schroff2015.FOLDS


def test_the_ring_of_the_sphere_is_at_its_distance() -> None:
    from gemel.systems._face_pictures import _circle

    eye = np.array([0.6, 0.0, -0.8])
    for squared in (0.3, 2.0, 4.0):
        ring = _circle(eye, squared)
        assert np.allclose((ring**2).sum(axis=1), 1)
        assert np.allclose(((ring - eye) ** 2).sum(axis=1), squared)
