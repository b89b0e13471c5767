"""What reproductions share: where data are looked for, the table's forms, models that resume."""

import json
import math
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import gemel
from gemel import Items, Siamese, encoders, inputs, metrics, sampling
from gemel.errors import DataError, SettingsError, TrainingError
from gemel.evaluation import Figure
from gemel.systems.reproduction import QUICK, Request, Row, Table, run, shown


def request(data: Path, out: Path, *, resume: bool = False) -> Request:
    said: list[str] = []
    return Request(data, out, resume=resume, say=said.append)


class TestFolder:
    def test_it_looks_in_the_folder_at_it_and_beside_it(self, tmp_path: Path) -> None:
        (tmp_path / "mnist").mkdir()
        (tmp_path / "omniglot").mkdir()
        for given in (tmp_path, tmp_path / "mnist", tmp_path / "omniglot"):
            assert request(given, tmp_path).folder("mnist") == tmp_path / "mnist"

    def test_what_lies_within_comes_first(self, tmp_path: Path) -> None:
        (tmp_path / "mnist" / "mnist").mkdir(parents=True)
        found = request(tmp_path / "mnist", tmp_path).folder("mnist")
        assert found == tmp_path / "mnist" / "mnist"

    def test_it_may_have_another_known_name(self, tmp_path: Path) -> None:
        (tmp_path / "cifar10_jpeg").mkdir()
        for given in (tmp_path, tmp_path / "cifar10_jpeg"):
            assert request(given, tmp_path).folder("cifar10") == tmp_path / "cifar10_jpeg"
        (tmp_path / "cifar10").mkdir()
        assert request(tmp_path, tmp_path).folder("cifar10") == tmp_path / "cifar10"

    def test_a_file_is_no_data_set(self, tmp_path: Path) -> None:
        (tmp_path / "mnist").write_text("")
        with pytest.raises(DataError):
            request(tmp_path, tmp_path).folder("mnist")

    def test_the_error_says_what_was_expected_and_what_to_do(self, tmp_path: Path) -> None:
        with pytest.raises(DataError) as caught:
            request(tmp_path, tmp_path).folder("mnist")
        place = tmp_path / "mnist"
        assert str(caught.value) == (
            f"expected the data set mnist in {place}; {tmp_path} is a folder without "
            f"it: `gemel fetch mnist {place}` gets it from its publisher"
        )
        with pytest.raises(DataError, match="nowhere is no folder: `gemel fetch mnist"):
            request(tmp_path / "nowhere", tmp_path).folder("mnist")


def figure(value: float, *, percent: bool = True) -> Figure:
    return Figure("f", value, value - 0.1, value + 0.1, 40, "digits", "test", 3, "made", percent)


class TestTable:
    table = Table(
        ("ours", "pixels"),
        (
            Row("accuracy", (figure(0.5), "12.3 %"), "92.0 %"),
            Row("a longer name", (figure(0.25, percent=False), figure(0.125))),
        ),
        ("A note.",),
    )

    def test_cells(self) -> None:
        assert shown(figure(0.5)) == "50.0 % [40.0, 60.0]"
        assert shown(figure(0.25, percent=False)) == "0.2500 [0.1500, 0.3500]"
        assert shown("words") == "words"

    def test_as_text(self) -> None:
        assert str(self.table).splitlines() == [
            "               ours                     pixels              published",
            "accuracy       50.0 % [40.0, 60.0]      12.3 %              92.0 %",
            "a longer name  0.2500 [0.1500, 0.3500]  12.5 % [2.5, 22.5]",
            "A note.",
        ]

    def test_as_markdown(self) -> None:
        assert self.table.as_markdown().splitlines() == [
            "| measured | ours | pixels | published |",
            "|---|---|---|---|",
            "| accuracy | 50.0 % [40.0, 60.0] | 12.3 % | 92.0 % |",
            "| a longer name | 0.2500 [0.1500, 0.3500] | 12.5 % [2.5, 22.5] |  |",
            "",
            "- A note.",
        ]
        assert Table(("a",), ()).as_markdown() == "| measured | a | published |\n|---|---|---|\n"

    def test_as_json(self) -> None:
        held = json.loads(json.dumps(self.table.as_dict()))
        assert held["columns"] == ["ours", "pixels"]
        assert held["notes"] == ["A note."]
        first = held["rows"][0]
        assert (first["name"], first["published"], first["pixels"]) == (
            "accuracy",
            "92.0 %",
            "12.3 %",
        )
        assert first["ours"] == figure(0.5).as_dict()

    def test_a_run_writes_it_with_what_it_rests_on(self, tmp_path: Path) -> None:
        asked = Request(tmp_path, tmp_path / "new" / "out", quick=True, seed=7)
        made = run("made", lambda _: self.table, asked)
        assert made.rows == self.table.rows
        assert made.notes == (QUICK, *self.table.notes)
        assert (asked.out / "table.md").read_text() == made.as_markdown()
        whole = Request(tmp_path, tmp_path / "whole")
        assert run("made", lambda _: self.table, whole) is self.table
        held = json.loads((asked.out / "figures.json").read_text())
        assert {key: held[key] for key in ("system", "quick", "seed", "gemel")} == {
            "system": "made",
            "quick": True,
            "seed": 7,
            "gemel": gemel.__version__,
        }
        assert held["minutes"] >= 0
        assert held["rows"] == json.loads(json.dumps(self.table.as_dict()["rows"]))

    def test_a_figure_without_an_interval_is_json(self) -> None:
        alone = Figure("f", 0.5, math.nan, math.nan, 1, "seeds", "test", 0, "no interval: 1 seed")
        text = json.dumps(Table(("a",), (Row("r", (alone,)),)).as_dict(), allow_nan=False)
        assert json.loads(text)["rows"][0]["a"]["low"] is None


class Interrupting:
    """A loss that presses Ctrl-C at a call; it calls itself by the same name whenever."""

    def __init__(self, at: int | None) -> None:
        self.at, self.calls = at, 0

    def __repr__(self) -> str:
        return "Interrupting()"

    def __call__(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        self.calls += 1
        if self.calls == self.at:
            os.kill(os.getpid(), signal.SIGINT)
        return gemel.losses.SupervisedContrastive()(embeddings, labels)


class TestOut:
    def test_what_another_made_is_not_overwritten(self, tmp_path: Path) -> None:
        asked = Request(tmp_path, tmp_path / "out", say=lambda _: None)
        table = Table(("ours",), (Row("a figure", ("1 %",)),))
        run("one", lambda _: table, asked)
        run("one", lambda _: table, asked)  # the same again
        kept = (asked.out / "table.md").read_text()
        for name, other in (
            ("two", asked),
            ("one", replace(asked, quick=True)),
            ("one", replace(asked, seed=1)),
            ("one", replace(asked, paper_size=True)),
        ):
            with pytest.raises(SettingsError, match="holds the full form of one, seed 0"):
                run(name, lambda _: pytest.fail("it was run"), other)
        assert (asked.out / "table.md").read_text() == kept
        (asked.out / "figures.json").write_text("[]")
        with pytest.raises(SettingsError, match="not what a reproduction writes"):
            run("one", lambda _: table, asked)


class TestTrained:
    def trained(self, asked: Request, items: Items, at: int | None = None, **more: Any) -> Siamese:
        def make() -> Siamese:
            net = encoders.Conv(width=(8, 16), dim=8)
            return Siamese(inputs.Images(16), net, metrics.Cosine(), seed=1)

        return asked.trained(
            "small",
            make,
            items,
            loss=Interrupting(at),
            sampler=lambda train: sampling.ClassesByItems(train, classes=4, per_class=2),
            **{"steps": 8, "validation": None, **more},
        )

    def test_the_model_lies_in_the_folder(self, symbols: Items, tmp_path: Path) -> None:
        said: list[str] = []
        model = self.trained(Request(tmp_path, tmp_path, say=said.append), symbols)
        assert alike(gemel.load(tmp_path / "small.gemel"), model)
        assert len(said) == 1
        assert said[0].startswith("small: 8 steps, 0.0 minutes")

    def test_a_complete_model_is_taken_as_it_is(self, symbols: Items, tmp_path: Path) -> None:
        model = self.trained(request(tmp_path, tmp_path), symbols)
        written = (tmp_path / "small.gemel").stat().st_mtime_ns
        said: list[str] = []
        again = self.trained(Request(tmp_path, tmp_path, resume=True, say=said.append), symbols)
        assert (tmp_path / "small.gemel").stat().st_mtime_ns == written
        assert alike(again, model)
        assert said == [f"small: {tmp_path / 'small.gemel'} is there already"]

    @pytest.mark.parametrize("other", [{"steps": 9}, {"seed": 1}, {"rate": 1e-3}])
    def test_a_model_of_another_run_is_not_taken(
        self, symbols: Items, tmp_path: Path, other: dict[str, int]
    ) -> None:
        self.trained(request(tmp_path, tmp_path), symbols)
        with pytest.raises(TrainingError, match="trained on other data or with other settings"):
            self.trained(request(tmp_path, tmp_path, resume=True), symbols, **other)

    def test_what_was_trained_and_not_calibrated_is_calibrated(
        self, symbols: Items, tmp_path: Path
    ) -> None:
        self.trained(request(tmp_path, tmp_path), symbols)
        asked = request(tmp_path, tmp_path, resume=True)
        other = gemel.data.drawn(alphabets=4, characters=6, drawers=4, size=16, seed=9, name="o")
        assert self.trained(asked, symbols, calibrate_on=other).calibration is not None
        kept = gemel.load(tmp_path / "small.gemel")
        assert kept.calibration is not None
        assert asked.trained_for == [kept.training_summary["seconds"]]

    def test_without_resume_it_is_trained_anew(self, symbols: Items, tmp_path: Path) -> None:
        self.trained(request(tmp_path, tmp_path), symbols)
        written = (tmp_path / "small.gemel").stat().st_mtime_ns
        self.trained(request(tmp_path, tmp_path), symbols)
        assert (tmp_path / "small.gemel").stat().st_mtime_ns > written

    def test_a_stopped_run_goes_on_to_the_same_bits(self, symbols: Items, tmp_path: Path) -> None:
        (tmp_path / "a").mkdir()
        (tmp_path / "b").mkdir()
        whole = self.trained(request(tmp_path, tmp_path / "a"), symbols)
        with pytest.raises(KeyboardInterrupt):
            self.trained(request(tmp_path, tmp_path / "b"), symbols, at=3)
        assert gemel.load(tmp_path / "b" / "small.gemel").training_summary["steps"] == 3
        resumed = self.trained(request(tmp_path, tmp_path / "b", resume=True), symbols)
        assert resumed.training_summary["steps"] == 8
        assert alike(resumed, whole)
        assert alike(gemel.load(tmp_path / "b" / "small.gemel"), whole)
        assert not (tmp_path / "b" / "small.gemel.checkpoint").exists()

    def test_resume_where_there_is_nothing_begins(self, symbols: Items, tmp_path: Path) -> None:
        model = self.trained(request(tmp_path, tmp_path, resume=True), symbols)
        assert model.training_summary["steps"] == 8


def alike(one: Siamese, other: Siamese) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)
