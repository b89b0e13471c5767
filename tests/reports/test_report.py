"""A report's figures are those of the evaluation; its parts are there when the data allow them."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pages import Element, rows, sound
from torch import nn

import gemel
from gemel import Items, Pairs, Siamese, encoders, inputs, metrics
from gemel.errors import Problem, SettingsError
from gemel.evaluation import Figure, Refused
from gemel.measure import Evaluation
from gemel.reports import Asked, report, write_report
from gemel.reports.same_or_different import operating_point

ASKED = Asked("some/model.gemel", "data/symbols", ways=5, trials=60, seed=2)
ALL = ["short", "model", "training", "figures", "verification", "identification", "groups"]
ALL += ["mistakes", "confusion", "map", "episodes", "again"]


def judged(model: Siamese, data: Items | Pairs) -> Evaluation:
    return gemel.evaluate(model, data, ways=5, trials=60, seed=2)


@pytest.fixture(scope="module")
def trained(symbols: Items) -> Siamese:
    model = Siamese(
        inputs.Images(16, channels=1), encoders.Conv(width=(8, 16), dim=3), metrics.Cosine()
    )
    first, second = (
        symbols.take(symbols.groups == group) for group in np.unique(symbols.groups)[:2]
    )
    gemel.fit(model, first, validation=second, steps=4, seed=0)
    return model


@pytest.fixture(scope="module")
def calibrated(trained: Siamese, symbols: Items) -> Siamese:
    chosen = np.isin(symbols.groups, np.unique(symbols.groups)[1:3])
    gemel.calibrate(trained, symbols.take(chosen), false_accepts=0.1)
    return trained


@pytest.fixture(scope="module")
def found(calibrated: Siamese, symbols: Items) -> Evaluation:
    chosen = np.isin(symbols.groups, np.unique(symbols.groups)[[0, 3, 4, 5]])
    return judged(calibrated, symbols.take(chosen))


@pytest.fixture(scope="module")
def page(found: Evaluation) -> Element:
    return sound(report(found, ASKED))


def sections(root: Element) -> list[str]:
    return [str(one.attributes["id"]) for one in root.find("section") if "id" in one.attributes]


def plain(data: Any, **more: Any) -> Siamese:
    """Nearest pixels or numbers, without threshold or training."""
    given = inputs.Images(16, channels=1) if data.kind == "images" else inputs.Numbers(3)
    return Siamese(given, nn.Flatten(), metrics.Euclidean(), **more)


class TestFigures:
    def test_each_stands_in_the_table(self, found: Evaluation, page: Element) -> None:
        told = rows(page, "figures-table")
        assert len(told) == len(found.figures)
        for cells, figure in zip(told, found.figures, strict=True):
            texts = [cell.text for cell in cells]
            assert texts[0] == figure.name
            assert float(str(cells[1].find("data")[0].attributes["value"])) == figure.value
            assert texts[2] == ("none" if np.isnan(figure.low) else figure.range)
            assert texts[3] == f"{figure.count:,} {figure.unit}"
            assert texts[4:] == [figure.split, str(figure.seed), figure.method]

    def test_refused_ones_stand_with_their_reason(self, found: Evaluation, page: Element) -> None:
        assert found.refused
        for one in found.refused:
            assert f"{one.name} is not given: {one.why}" in page.text

    def test_headlines_are_figures(self, found: Evaluation, page: Element) -> None:
        values = {repr(one.value) for one in found.figures}
        cards = page.find("ul", class_="cards")[0].find("data")
        assert len(cards) == 6
        assert {one.attributes["value"] for one in cards} <= values

    def test_groups(self, found: Evaluation, page: Element) -> None:
        assert found.groups is not None
        told = {cells[0].text: cells for cells in rows(page, "groups-table")}
        assert set(told) == {one.group for one in found.groups.groups}
        for group in found.groups.groups:
            cells = told[group.group]
            assert [one.text for one in cells[1:3]] == [
                f"{group.same_count:,}",
                f"{group.different_count:,}",
            ]
            for cell, asked in zip(cells[3:], group.asked, strict=True):
                if isinstance(asked, Refused):
                    assert cell.text == "not given"
                else:
                    assert cell.find("data")[0].attributes["value"] == repr(asked.value)

    def test_operating_point_is_counted(self, found: Evaluation, page: Element) -> None:
        point, pairs = operating_point(found), found.judged
        assert point is not None
        assert isinstance(point.true_accept_rate, Figure)
        assert isinstance(point.false_accept_rate, Figure)
        near = pairs.distance <= found.verification.threshold
        assert point.true_accept_rate.value == pytest.approx(near[pairs.same].mean())
        assert point.false_accept_rate.value == pytest.approx(near[~pairs.same].mean())
        values = [
            one.attributes["value"]
            for one in page.find("section", id="verification")[0].find("data")
        ]
        assert repr(point.false_accept_rate.value) in values

    def test_distances_are_counted(self, found: Evaluation, page: Element) -> None:
        told = rows(page, "distances-table")
        for column, kind in ((1, True), (2, False)):
            assert sum(float(cells[column].text[:-2]) for cells in told) == pytest.approx(
                100, abs=0.3
            )
            low, high = map(float, told[5][0].text.split(" to "))
            mine = found.judged.distance[found.judged.same == kind]
            inside = ((mine >= low) & (mine < high)).mean()
            assert float(told[5][column].text[:-2]) == pytest.approx(100 * inside, abs=0.5)

    def test_reliability_counts_every_pair(self, found: Evaluation, page: Element) -> None:
        counts = [int(cells[3].text.replace(",", "")) for cells in rows(page, "reliability-table")]
        assert sum(counts) == len(found.judged.same)


class TestParts:
    def test_all_there(self, page: Element) -> None:
        assert sections(page) == ALL
        assert [one.attributes["href"] for one in page.find("nav")[0].find("a")] == [
            f"#{one}" for one in ALL
        ]

    def test_says_what_was_trained(self, found: Evaluation, page: Element) -> None:
        model = found.judged.embedded.model
        told = page.find("section", id="model")[0].text
        assert model.fingerprint in told
        assert "SupervisedContrastive" in told
        settings = json.loads(page.find("section", id="model")[0].find("pre")[0].text)
        assert settings == model.training_summary["settings"]

    def test_warnings_come_first(self, found: Evaluation, page: Element) -> None:
        box = page.find("header")[0].find("section", class_="warnings")[0]
        assert found.warnings
        for warning in found.warnings:
            assert warning in box.text

    def test_the_sphere_turns(self, page: Element, found: Evaluation) -> None:
        drawing = page.find("svg", class_="points turning")[0]
        assert drawing.attributes["tabindex"] == "0"
        places = [
            [float(value) for value in str(one.attributes["data-at"]).split()]
            for one in drawing.find("path")
        ]
        np.testing.assert_allclose(np.linalg.norm(places, axis=1), 1, atol=2e-4)
        vectors = found.judged.embedded.vectors()
        vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        assert len(places) == len(vectors)  # all are on the map: turning keeps what lies between
        wanted = np.sort((vectors @ vectors.T).ravel())
        np.testing.assert_allclose(
            np.sort((np.array(places) @ np.array(places).T).ravel()), wanted, atol=1e-3
        )
        assert len(page.find("script")) == 1

    def test_policy_lets_only_the_own_script_run(self, page: Element) -> None:
        import base64
        import hashlib

        code = page.find("script")[0].text
        digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
        policy = next(
            str(one.attributes["content"])
            for one in page.find("meta")
            if one.attributes.get("http-equiv") == "Content-Security-Policy"
        )
        assert f"script-src 'sha256-{digest}'" in policy
        assert "default-src 'none'" in policy

    def test_without_groups_threshold_training(self, symbols: Items) -> None:
        bare = Items(symbols.values[:72], symbols.labels[:72], name="bare")
        root = sound(report(judged(plain(bare), bare), ASKED))
        gone = {"training", "groups"}
        assert sections(root) == [one for one in ALL if one not in gone]
        assert "The model has no threshold" in root.text
        assert "says nothing of a training" in root.text
        assert not root.find("path", class_="rule")
        assert not root.find("script")
        assert not root.find("section", class_="warnings")

    def test_joint_comparer_has_no_search(self, symbols: Items) -> None:
        few = symbols.take(np.arange(36))
        model = Siamese(
            inputs.Images(16, channels=1), encoders.Joint(encoders.Conv(width=(4,), dim=1))
        )
        asked = Asked("m", "d", ways=3, trials=8)
        found = gemel.evaluate(model, few, ways=3, trials=8)
        told = sections(sound(report(found, asked)))
        assert {"confusion", "map", "identification"}.isdisjoint(told)
        assert "episodes" in told

    def test_pairs(self, symbols: Items) -> None:
        left, right, same = gemel.trials.item_pairs(symbols.take(np.arange(60)), seed=0)
        pairs = Pairs(symbols.values[:60], left, right, same, name="pairs")
        root = sound(report(judged(plain(pairs), pairs), ASKED))
        assert sections(root) == ["short", "model", "figures", "verification", "mistakes", "again"]
        assert root.find("img")

    def test_numbers(self) -> None:
        generator = np.random.default_rng(0)
        values = np.repeat(generator.normal(size=(8, 3)) * 5, 6, axis=0)
        values += generator.normal(size=(48, 3))
        items = Items(values, np.repeat([f"c{i}" for i in range(8)], 6), kind="numbers")
        root = sound(report(judged(plain(items), items), ASKED))
        assert not root.find("img")
        texts = {one.text for one in root.find("span", class_="row")}
        assert texts <= {", ".join(f"{value:.3g}" for value in row) for row in values}
        assert len(texts) > 10
        assert "In space" in root.text  # three numbers, but no unit sphere
        assert "On the sphere" not in root.text

    def test_two_numbers_are_their_own_map(self) -> None:
        generator = np.random.default_rng(0)
        values = generator.normal(size=(30, 2)) + np.repeat(np.arange(6) * 4, 5)[:, None]
        items = Items(values, np.repeat(list("abcdef"), 5), kind="numbers")
        model = Siamese(inputs.Numbers(2), nn.Identity(), metrics.Euclidean())
        root = sound(report(judged(model, items), ASKED))
        assert "The two numbers of each embedding" in root.text
        places = np.array(
            [
                [float(value) for value in str(one.attributes["transform"])[10:-1].split()]
                for one in root.find("svg", class_="points")[0].find("path")
            ]
        )
        wanted = values - (values.min(0) + values.max(0)) / 2
        wanted *= 180 / (np.ptp(values, axis=0).max() / 2)
        np.testing.assert_allclose(places * (1, -1), wanted, atol=0.11)

    def test_skipped_items_are_told(self, found: Evaluation) -> None:
        bad = replace(found, skipped=(Problem("row <7>", "is no picture"),))
        assert "row <7>" in sound(report(bad, ASKED)).find("header")[0].text

    def test_the_command_does_it_again(self, page: Element) -> None:
        told = page.find("section", id="again")[0].find("pre")[0].text
        assert told == (
            "gemel evaluate some/model.gemel data/symbols --ways 5 --shots 1 --trials 60 --seed 2"
        )
        odd = Asked("a b.gemel", "d", within_groups=False, skip_bad=True, against="c").command
        assert odd == (
            "gemel compare-models 'a b.gemel' c d --shots 1 --trials 400 --no-within-groups "
            "--seed 0 --skip-bad"
        )


HOSTILE = [
    "<script>alert('x')</script>",
    '"><img src=x onerror=alert(1)>',
    "</svg></style></title>&lt;",
    "\u202eright to left\u202c",
    "שלום עולם",
    "😀 emoji 🏳️‍🌈",
    "very " * 400 + "long",
    "a\x00b\x1b[31mc",
]


def test_hostile_names(symbols: Items, trained: Siamese, tmp_path: Path) -> None:
    labels = np.array([HOSTILE[i // 6 % len(HOSTILE)] for i in range(96)])
    items = Items(
        symbols.values[120:],
        labels,
        groups=np.array([f"<i>{label[:20]}" for label in labels]),
        name="</p><script>",
        origins=[f"<b>{i}\udc80" for i in range(96)],
    )
    asked = Asked("<model>", "'data'<script>", ways=4, within_groups=False, trials=20)
    found = gemel.evaluate(trained, items, ways=4, within_groups=False, trials=20)
    path = tmp_path / "report.html"
    write_report(found, path, asked)
    root = sound(path.read_text(encoding="utf-8"))
    assert len(root.find("script")) == 1
    assert not root.find("i")
    assert len(root.find("style")) == 1
    assert "<script>alert('x')</script>" in root.text
    assert "very " * 20 not in root.text


@pytest.mark.parametrize("wrong", [{"seed": 3}, {"trials": 59}, {"shots": 2}, {"ways": 4}])
def test_other_settings_than_measured(found: Evaluation, wrong: dict[str, int]) -> None:
    with pytest.raises(SettingsError, match="measured was 5-way 1-shot"):
        report(found, replace(ASKED, **wrong))


def test_same_input_same_bytes(found: Evaluation) -> None:
    assert report(found, ASKED) == report(found, ASKED)


def test_small(found: Evaluation) -> None:
    assert len(report(found, ASKED).encode()) < 600_000


def test_in_a_browser(found: Evaluation, tmp_path: Path) -> None:
    if shutil.which("chromium") is None:
        pytest.skip("chromium is not installed")
    import subprocess

    path = tmp_path / "report.html"
    write_report(found, path, ASKED)
    words = ["--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]
    words += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=2000"]
    done = subprocess.run(
        ["chromium", *words, "--dump-dom", path.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "CONSOLE" not in done.stderr
    # the script has run: it sets how dark each point is
    assert 'class="mark s0" transform=' in done.stdout
    assert 'style="opacity:' in done.stdout
