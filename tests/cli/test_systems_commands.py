"""`gemel systems` and `gemel reproduce`, as a user types them."""

import json
import sys
from importlib import import_module
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gemel.cli import main
from gemel.cli.app import app
from gemel.data.sources import ELSEWHERE
from gemel.systems import SYSTEMS
from gemel.systems.reproduction import Request, Row, Table

runner = CliRunner()


def run(*words: object) -> str:
    result = runner.invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: object
) -> str:
    monkeypatch.setattr(sys, "argv", ["gemel", *map(str, words)])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    return capsys.readouterr().err


def test_systems_lists_all_with_what_they_need() -> None:
    text = run("systems")
    assert SYSTEMS
    for name, system in SYSTEMS.items():
        assert f"{name}  {system.paper}" in text
        assert f"shows: {system.shows}" in text
        quick, full = system.minutes
        needs = " and ".join(system.data)
        assert f"needs: {needs}; about {full:g} minutes on two cores, {quick:g} with" in text


def test_systems_as_json() -> None:
    held = json.loads(run("systems", "--json"))
    assert list(held) == list(SYSTEMS)
    for name, system in SYSTEMS.items():
        assert held[name]["paper"] == system.paper
        assert held[name]["data"] == list(system.data)
        assert held[name]["minutes"] == list(system.minutes)


@pytest.mark.parametrize("name", SYSTEMS)
def test_each_system_is_a_file_that_says_what_it_is(name: str) -> None:
    module = import_module(f"gemel.systems.{name}")
    assert callable(module.reproduce)
    assert len(module.__doc__ or "") > 500
    assert "done differently" in module.__doc__
    assert module.reproduce.__doc__
    assert SYSTEMS[name].data
    quick, full = SYSTEMS[name].minutes
    assert 0 < quick <= full


def test_a_system_that_is_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    told = refused(monkeypatch, capsys, "reproduce", "NOPE", "--data", tmp_path)
    assert told == f"gemel: no system 'NOPE'; there are {', '.join(SYSTEMS)}\n"


@pytest.mark.parametrize("name", SYSTEMS)
def test_without_its_data_it_says_what_it_needs_and_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str
) -> None:
    words = ("reproduce", name, "--data", tmp_path / "void", "--out", tmp_path / "out", "--quick")
    told = refused(monkeypatch, capsys, *words)
    needed = SYSTEMS[name].data[0]
    assert f"expected the data set {needed} in {tmp_path / 'void' / needed}" in told
    assert (ELSEWHERE.get(needed) or f"`gemel fetch {needed} ") in told


def test_a_folder_that_is_another_data_set_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "strange.txt").write_text("")
    words = ("reproduce", "hadsell2006", "--data", tmp_path, "--out", tmp_path / "out")
    told = refused(monkeypatch, capsys, *words)
    assert "no train-images-idx3-ubyte.gz" in told
    assert "got strange.txt" in told
    assert "gemel fetch mnist" in told


def test_reproduce_passes_on_what_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[Request] = []

    def reproduce(request: Request) -> Table:
        asked.append(request)
        request.say("a line")
        return Table(("ours",), (Row("a figure", ("1 %",), "2 %"),))

    name = "koch2015"
    for needed in SYSTEMS[name].data:
        (tmp_path / needed).mkdir()
    monkeypatch.setattr(import_module(f"gemel.systems.{name}"), "reproduce", reproduce)
    out = tmp_path / "out"
    words = ["--data", tmp_path, "--out", out, "--quick", "--seed", 5, "--resume"]
    text = run("reproduce", name, *words)
    assert "a line" in text
    assert "a figure  1 %   2 %" in text
    assert f"{out}/ holds the models, the pictures and this table" in text
    (request,) = asked
    assert (request.data, request.out, request.seed) == (tmp_path, out, 5)
    assert request.quick
    assert request.resume
    assert not request.paper_size
    assert "its figures say nothing" in text
    assert json.loads((out / "figures.json").read_text())["system"] == name
    monkeypatch.chdir(tmp_path)
    run("reproduce", name, "--data", tmp_path, "--paper-size")
    assert asked[1].out == Path(name)
    assert not asked[1].quick
    assert not asked[1].resume
    assert asked[1].paper_size
    assert "say nothing" not in (tmp_path / name / "table.md").read_text()


def test_only_systems_that_are_made_smaller_have_a_paper_size(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    told = refused(
        monkeypatch, capsys, "reproduce", "hadsell2006", "--data", tmp_path, "--paper-size"
    )
    assert "leave --paper-size out" in told
    (tmp_path / "omniglot").mkdir()
    (tmp_path / "mnist").mkdir()
    words = ["reproduce", "koch2015", "--data", tmp_path, "--paper-size", "--quick"]
    assert "give one of them" in refused(monkeypatch, capsys, *words)


def test_all_data_are_looked_for_before_the_long_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Omniglot is there, though empty; what is missing is MNIST, whose place is beside it."""
    (tmp_path / "omniglot").mkdir()
    told = refused(monkeypatch, capsys, "reproduce", "koch2015", "--data", tmp_path / "omniglot")
    assert f"`gemel fetch mnist {tmp_path / 'mnist'}`" in told


def test_ctrl_c_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def reproduce(request: Request) -> Table:
        raise KeyboardInterrupt

    (tmp_path / "mnist").mkdir()
    monkeypatch.setattr(import_module("gemel.systems.hadsell2006"), "reproduce", reproduce)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["gemel", "reproduce", "hadsell2006", "--data", str(tmp_path)])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 130
    assert "--resume goes on" in capsys.readouterr().err
