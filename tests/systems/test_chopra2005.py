"""The quick form runs as told, and the traps of the paper's loss are avoided."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import gemel
from gemel import data
from gemel.errors import DataError, SettingsError
from gemel.losses import energy
from gemel.measure import evaluate
from gemel.systems import chopra2005, reproduce
from gemel.systems._people import draws
from gemel.systems.reproduction import Request, Table

PICTURES = ("pairs", "loss", "energies", "trade_off")


def shown(path: Path) -> bool:
    """Whether a picture has more than one tone, and more than a few."""
    with Image.open(path) as picture:
        return len(np.unique(np.asarray(picture.convert("L")))) > 50


@pytest.fixture(scope="module")
def made(
    data_folder: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Table, Path]:
    out = tmp_path_factory.mktemp("chopra")
    folder = data_folder("orl_faces").parent
    return reproduce("chopra2005", Request(folder, out, quick=True, say=lambda _: None)), out


def test_the_quick_form_has_every_row(made: tuple[Table, Path]) -> None:
    table, out = made
    assert [row.name.split(",")[0] for row in table.rows] == [
        "EER",
        "EER",
        "EER",
        *[f"false rejects at {rate} % false accepts" for rate in ("10", "7.5", "5")] * 2,
        "EER of the network before training",
    ]
    assert [row.published for row in table.rows[-4:-1]] == ["0.00 %", "1.00 %", "1.00 %"]
    assert table.rows[-1].cells[2:] == ("", "", "")
    for row in table.rows:
        assert len(row.cells) == len(table.columns) == 5
    eers = [cell.value for cell in table.rows[0].cells if isinstance(cell, gemel.evaluation.Figure)]
    assert all(0 < eer < 0.5 for eer in eers)
    assert eers[3] == pytest.approx(0.081, abs=0.001)  # of pixels, whatever was trained
    assert (out / "table.md").read_text(encoding="utf-8") == table.as_markdown()
    assert all(shown(out / f"{name}.png") for name in PICTURES)


def test_what_it_trains_is_an_ordinary_model(
    made: tuple[Table, Path], data_folder: Callable[[str], Path]
) -> None:
    _, out = made
    faces = data.orl_faces(data_folder("orl_faces"))
    draw = draws(faces, 1, 0)[0]
    papers = gemel.load(out / "energy-01.gemel")
    assert papers.dim == 50
    assert [list(stage) for stage in papers.encoder.stages] == [  # type: ignore[union-attr]
        *([15, 7, 2, 2], [45, 6, 4, 3], [250, 5, 1, 1])
    ]
    model = gemel.load(out / "faces.gemel")
    found = evaluate(model, draw.test)
    assert found.warnings == ()  # nobody tested was trained or calibrated on
    assert found.verification.same_count > 200
    assert model.calibration is not None
    same = model.compare(draw.test.values[0], draw.test.values[1])
    assert same.distance <= model.compare(draw.test.values[0], draw.test.values[-1]).distance
    with gemel.Gallery.open(out / "faces.gallery", model) as gallery:
        who = str(draw.test.labels[0])
        gallery.enrol(who, draw.test.values[0])
        assert gallery.identify(draw.test.values[0]).candidates[0].identity == who


def test_a_second_run_takes_what_is_there(
    made: tuple[Table, Path], data_folder: Callable[[str], Path]
) -> None:
    table, out = made
    said: list[str] = []
    folder = data_folder("orl_faces")
    again = reproduce("chopra2005", Request(folder, out, quick=True, resume=True, say=said.append))
    assert again.as_dict() == table.as_dict()
    assert sum("is there already" in line for line in said) == 5


def test_missing_faces_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected the data set orl_faces in .*gemel fetch"):
        reproduce("chopra2005", Request(tmp_path, tmp_path / "out", quick=True))


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    pictures = torch.rand(6, 1, 56, 46, generator=torch.Generator().manual_seed(0))
    return pictures, torch.tensor([0, 0, 1, 1, 2, 2])


@pytest.mark.parametrize("way", [chopra2005.PAPERS, chopra2005.OWN], ids=["paper's", "own"])
def test_a_step_draws_genuine_pairs_together(way: chopra2005.Way) -> None:
    torch.manual_seed(0)
    encoder = way.encoder()
    encoder.build((1, 56, 46))  # type: ignore[operator]
    loss = chopra2005.EveryPair(way.bound)
    pictures, labels = batch()
    genuine, impostor = [], []
    for _ in range(2):
        points = encoder(pictures)
        distance = loss.metric.matrix(points, points).detach()
        same = labels[:, None] == labels
        genuine.append(float(distance[same].sum() / 6))
        impostor.append(float(distance[~same].mean()))
        loss(points, labels).backward()
        with torch.no_grad():
            for weight in encoder.parameters():
                weight.sub_(1e-4 * weight.grad)
                weight.grad = None
    assert genuine[1] / impostor[1] < genuine[0] / impostor[0]


def test_the_loss_is_the_papers_over_all_pairs() -> None:
    points = torch.randn(5, 3, generator=torch.Generator().manual_seed(1))
    labels = torch.tensor([0, 1, 0, 1, 1])
    kinds: dict[bool, list[float]] = {True: [], False: []}
    for i in range(5):
        for j in range(i):
            e = float((points[i] - points[j]).abs().sum())
            genuine = bool(labels[i] == labels[j])
            cost = 2 / 7 * e**2 if genuine else 2 * 7 * np.exp(-2.77 * e / 7)
            kinds[genuine].append(cost)
    wanted = (np.mean(kinds[True]) + np.mean(kinds[False])) / 2
    assert float(chopra2005.EveryPair(7.0)(points, labels)) == pytest.approx(wanted, rel=1e-5)
    with pytest.raises(SettingsError):
        chopra2005.EveryPair(0.0)
    with pytest.raises(SettingsError, match="`nearest` is a share"):
        chopra2005.EveryPair(7.0, 0.0)
    nearest = np.mean(sorted(kinds[False], reverse=True)[:3])  # of six
    few = float(chopra2005.EveryPair(7.0, 0.5)(points, labels))
    assert few == pytest.approx((np.mean(kinds[True]) + nearest) / 2, rel=1e-5)


def test_alike_embeddings_cost_what_is_said_and_have_finite_gradients() -> None:
    points = torch.zeros(4, 50, requires_grad=True)
    loss = chopra2005.EveryPair(20.0)
    value = loss(points, torch.tensor([0, 0, 1, 1]))
    value.backward()
    assert value.item() == pytest.approx(loss.collapsed_value)
    assert points.grad is not None
    assert torch.isfinite(points.grad).all()


def test_both_kinds_cost_2q_at_their_worst() -> None:
    q = chopra2005.BOUND
    worst = [
        energy(torch.tensor([at]), torch.tensor([same]), q)
        for at, same in ((q, True), (0.0, False))
    ]
    assert [float(cost) for cost in worst] == pytest.approx([2 * q, 2 * q])
