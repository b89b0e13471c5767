"""The quick form runs as told; its trials are SVC2004's, its figures those of slow counts."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import gemel
from gemel import data
from gemel.evaluation import Figure, equal_error_rate
from gemel.items import Items
from gemel.systems import _signatures as signatures
from gemel.systems import bromley1993, reproduce
from gemel.systems.reproduction import Request, Table


@pytest.fixture(scope="module")
def items(data_folder: Callable[[str], Path]) -> Items:
    return data.svc2004(data_folder("svc2004"))


@pytest.fixture(scope="module")
def made(
    data_folder: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Table, Path]:
    out = tmp_path_factory.mktemp("bromley")
    request = Request(data_folder("svc2004").parent, out, quick=True, say=lambda _: None)
    return reproduce("bromley1993", request), out


def test_the_quick_form_has_every_row(made: tuple[Table, Path]) -> None:
    table, out = made
    assert len(table.columns) == 7
    assert len(table.rows) == 7
    assert table.rows[0].published == "95.5 % (532 signatures)"
    for row in table.rows:
        for cell in row.cells:
            assert cell == "" or isinstance(cell, Figure)
    plain, features = (table.columns.index(name) for name in ("plain warping", "features, warped"))
    for row in table.rows[1:3]:  # warping needs no training
        cells = [cell for cell in row.cells if isinstance(cell, Figure)]
        assert 0 <= cells[features].value < cells[plain].value < 0.4
    for name in ("channels", "differences", "scores", "trade_off"):
        with Image.open(out / f"{name}.png") as picture:
            assert len(np.unique(np.asarray(picture.convert("L")))) > 30


def test_what_it_trains_is_an_ordinary_model(made: tuple[Table, Path], items: Items) -> None:
    model = gemel.load(made[1] / "own-1.gemel")
    assert model.calibration is not None
    signed = [items.values[item] for item in range(12)]
    with gemel.Gallery.open(made[1] / "signers.gallery", model) as gallery:
        for one in signed[:3]:
            gallery.enrol("U01", one)
        gallery.enrol("U02", items.values[40])
        found = gallery.identify(signed[3]).candidates
        assert [candidate.identity for candidate in found] == ["U01", "U02"]


def test_draws_keep_signers_apart(items: Items) -> None:
    found = signatures.draws(items, 6, 0)
    tested = Counter()
    for draw in found:
        parts = [set(np.asarray(part.groups)) for part in (draw.train, draw.validation, draw.test)]
        assert [len(part) for part in parts] == [24, 6, 10]
        assert len(set.union(*parts)) == 40
        assert parts[1] <= set(signatures.CHOSEN_ON)
        assert not parts[2] & set(signatures.CHOSEN_ON)
        tested.update(parts[2])
    assert set(tested.values()) == {3}
    assert len(tested) == 20


def test_trials_are_those_of_the_competition(items: Items) -> None:
    draw = signatures.draws(items, 1, 0)[0]
    asked = signatures.trials(draw.test, 3, 0)
    assert len(asked) == 30
    details, groups = draw.test.details, np.asarray(draw.test.groups)
    for trial in asked:
        own = groups[trial.probes] == trial.signer
        genuine = details["genuine"][trial.probes]
        assert (groups[trial.references] == trial.signer).all()
        assert set(details["session"][trial.references]) == {1}
        assert len(set(trial.references)) == 5
        assert np.bincount(trial.kinds).tolist() == [10, 20, 20]
        assert (details["session"][trial.probes[trial.kinds == 0]] == 2).all()
        assert (own == (trial.kinds != signatures.OTHERS)).all()
        assert (genuine == (trial.kinds != signatures.SKILLED)).all()
        others = Counter(groups[trial.probes[trial.kinds == signatures.OTHERS]].tolist())
        assert len(others) == 9
        assert max(others.values()) - min(others.values()) <= 1
    pairs = signatures.validation_pairs(draw.validation)
    assert len(pairs) == 6 * (100 + 200)
    session = draw.validation.details["session"]
    assert (session[pairs.left] == 1).all()
    assert (session[pairs.right] == np.where(pairs.same, 2, 0)).all()


def test_figures_are_the_slow_ones() -> None:
    generator = np.random.default_rng(0)
    kind = generator.integers(0, 3, 300)
    distance = np.round(generator.normal(kind > 0, 1), 1)  # with ties
    signer = np.array(["a", "b", "c"])[generator.integers(0, 3, 300)]
    claims = signatures.Claims(distance, kind, signer)
    of = claims.against(signatures.SKILLED)
    chosen = kind < 2
    expected = equal_error_rate(distance[chosen], kind[chosen] == 0)
    assert of.equal_error() == pytest.approx(expected)
    each = [
        equal_error_rate(distance[chosen & (signer == s)], kind[chosen & (signer == s)] == 0)
        for s in "abc"
    ]
    assert signatures.by_signer(of, None) == pytest.approx(np.mean(each))
    weights = np.where(of.signer == "a", 2.0, 0.0) + (of.signer == "b")
    assert signatures.by_signer(of, weights) == pytest.approx((2 * each[0] + each[1]) / 3)
    forged, genuine = np.sort(distance[kind == 1]), distance[kind == 0]
    best = max(
        float((genuine <= cut).mean())
        for cut in [-9.0, *distance.tolist()]
        if (forged <= cut).mean() <= 0.2
    )
    assert of.genuine_accepts() == pytest.approx(best)
    two_of_ten = np.repeat([1, 0, 1], [2, 5, 8])
    edge = signatures.Claims(np.arange(15.0), two_of_ten, np.repeat("a", 15))
    assert edge.against(signatures.SKILLED).genuine_accepts() == 1  # 20 % exactly are accepted
    twice = np.concatenate([np.flatnonzero(chosen & (signer == s)) for s in "aab"])
    again = signatures.Claims(distance[twice], kind[twice], signer[twice])
    assert of.equal_error(weights) == pytest.approx(again.against(1).equal_error())
    assert of.genuine_accepts(weights) == pytest.approx(again.against(1).genuine_accepts())


def test_distances_are_those_of_the_model(items: Items) -> None:
    draw = signatures.draws(items, 1, 0)[0]
    asked = signatures.trials(draw.test, 1, 0)[:1]
    model = bromley1993.warping(bromley1993.PLAIN, None)
    found = signatures.distances(model, draw.test, asked)
    reference, probe = asked[0].references[2], asked[0].probes[17]
    expected = model.compare(draw.test.values[reference], draw.test.values[probe]).distance
    assert found[reference, probe] == pytest.approx(expected, rel=1e-5)
    assert np.isnan(found[asked[0].probes[0], asked[0].probes[1]])


def test_a_template_of_80_bytes_keeps_38_numbers() -> None:
    generator = np.random.default_rng(0)
    few = generator.normal(size=(200, 5))
    points = np.concatenate([few, few + 0.01 * generator.normal(size=(200, 5))], axis=1)
    kept = bromley1993.least_alike(points, 5)
    assert sorted(int(column) % 5 for column in kept) == [0, 1, 2, 3, 4]
    shares = bromley1993.stepped(np.array([-0.5, 0.0, 0.5, 1.0, 2.0]))
    assert shares.tolist() == [0.0, 0.0, 128 / 255, 1.0, 1.0]
