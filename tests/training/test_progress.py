"""What a run writes: a bar, JSON lines and TensorBoard's events, each record once."""

import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from gemel.errors import MissingExtraError, SettingsError
from gemel.training.progress import Record, Reporter

HISTORY: list[Record] = [
    {"step": 10, "seconds": 0.5, "loss": 2.0, "rate": 1e-3},
    {"step": 20, "seconds": 1.0, "loss": 1.5, "rate": 2e-3, "validation": 0.25},
]
NEXT: Record = {"step": 30, "seconds": 1.5, "loss": 1.0, "rate": 1e-3, "validation": 0.5}


def reporter(
    *,
    bar: bool = False,
    log: Path | None = None,
    tensorboard: Path | None = None,
    history: list[Record] | None = None,
) -> Reporter:
    return Reporter(bar=bar, log=log, tensorboard=tensorboard, history=history or [])


def test_nothing_asked_nothing_written(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with reporter(history=HISTORY) as silent:
        silent.step(0.5, 1.0)
        silent.record(NEXT)
    assert capfd.readouterr() == ("", "")
    assert not list(tmp_path.iterdir())


class TestLog:
    def read(self, log: Path) -> list[Record]:
        return [json.loads(line) for line in log.read_text("utf-8").splitlines()]

    def test_one_object_a_line_at_once(self, tmp_path: Path) -> None:
        """A line can be read as soon as it is written, while the run goes on."""
        log = tmp_path / "log.jsonl"
        with reporter(log=log) as lines:
            assert log.read_text() == ""
            for count, record in enumerate([*HISTORY, NEXT], start=1):
                lines.record(record)
                assert len(self.read(log)) == count
        assert self.read(log) == [*HISTORY, NEXT]
        assert log.read_text().endswith("}\n")

    def test_resumed_run_holds_each_step_once(self, tmp_path: Path) -> None:
        """The killed run had logged step 30, but its checkpoint was of step 20."""
        log = tmp_path / "log.jsonl"
        with reporter(log=log) as lines:
            for record in [*HISTORY, NEXT | {"loss": 9.0}]:
                lines.record(record)
        with reporter(log=log, history=HISTORY) as lines:
            assert self.read(log) == HISTORY
            lines.record(NEXT)
        assert self.read(log) == [*HISTORY, NEXT]

    def test_new_run_begins_anew(self, tmp_path: Path) -> None:
        log = tmp_path / "log.jsonl"
        for _ in range(2):
            with reporter(log=log) as lines:
                lines.record(NEXT)
        assert self.read(log) == [NEXT]

    def test_cannot_be_written(self, tmp_path: Path) -> None:
        for log in (tmp_path, tmp_path / "no" / "log.jsonl"):
            with pytest.raises(
                SettingsError, match=f"cannot write the log {log}: .*its folder must"
            ):
                reporter(log=log)

    def test_closed_when_the_run_fails(self, tmp_path: Path) -> None:
        """An open file would be warned of, and warnings are errors here."""
        lines = reporter(log=tmp_path / "log")
        lines.record(NEXT)
        with pytest.raises(RuntimeError, match="it failed"), lines:
            raise RuntimeError("it failed")
        assert self.read(tmp_path / "log") == [NEXT]
        assert lines._log is not None
        assert lines._log.closed


class TestBar:
    @pytest.fixture(autouse=True)
    def wide_screen(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COLUMNS", "160")

    def test_shows_loss_and_validation_on_stderr(self, capfd: pytest.CaptureFixture[str]) -> None:
        with reporter(bar=True) as bar:
            bar.step(0.25, 1.23456)
            bar.record({"step": 10, "loss": 1.2})
            bar.step(0.5, 0.5)
            bar.record(NEXT | {"validation": 0.876})
        out, err = capfd.readouterr()
        assert out == ""
        assert "training" in err
        assert "50 %" in err
        assert "loss 0.500  validation 87.6%" in err

    def test_before_the_first_figures(self, capfd: pytest.CaptureFixture[str]) -> None:
        with reporter(bar=True):
            pass
        assert "0 %" in (err := capfd.readouterr().err)
        assert "loss -  validation -" in err

    def test_resumed_history_is_not_shown_as_progress(
        self, capfd: pytest.CaptureFixture[str]
    ) -> None:
        with reporter(bar=True, history=HISTORY):
            pass
        assert "loss -" in capfd.readouterr().err

    @pytest.mark.parametrize("wrong", ["log", "tensorboard"])
    def test_no_bar_is_left_behind(self, tmp_path: Path, wrong: str) -> None:
        """Neither by a run that fails, nor by one that never begins."""
        (tmp_path / "file").write_text("")
        threads = set(threading.enumerate())
        place = tmp_path / "file" / "below"
        with pytest.raises(SettingsError, match="cannot write"):
            reporter(bar=True, **{wrong: place})  # type: ignore[arg-type]
        with pytest.raises(RuntimeError, match="it failed"), reporter(bar=True):
            raise RuntimeError("it failed")
        for thread in set(threading.enumerate()) - threads:
            thread.join(timeout=5)
            assert not thread.is_alive()


Scalars = Callable[[Path], dict[str, list[tuple[int, float]]]]


class TestTensorBoard:
    @pytest.fixture
    def scalars(self) -> Scalars:
        pytest.importorskip("tensorboard")
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        def read(folder: Path) -> dict[str, list[tuple[int, float]]]:
            events = EventAccumulator(str(folder))
            events.Reload()
            return {
                tag: [(event.step, round(event.value, 6)) for event in events.Scalars(tag)]
                for tag in events.Tags()["scalars"]
            }

        return read

    def test_events_are_the_records(self, tmp_path: Path, scalars: Scalars) -> None:
        with reporter(tensorboard=tmp_path / "board") as board:
            for record in [*HISTORY, NEXT]:
                board.record(record)
        assert scalars(tmp_path / "board") == {
            "loss": [(10, 2.0), (20, 1.5), (30, 1.0)],
            "rate": [(10, 1e-3), (20, 2e-3), (30, 1e-3)],
            "validation": [(20, 0.25), (30, 0.5)],
        }

    def test_resumed_run_holds_each_step_once(self, tmp_path: Path, scalars: Scalars) -> None:
        with reporter(tensorboard=tmp_path) as board:
            for record in [*HISTORY, NEXT | {"loss": 9.0}]:
                board.record(record)
        with reporter(tensorboard=tmp_path, history=HISTORY) as board:
            board.record(NEXT)
        got = scalars(tmp_path)
        assert got["loss"] == [(10, 2.0), (20, 1.5), (30, 1.0)]
        assert got["validation"] == [(20, 0.25), (30, 0.5)]

    def test_resumed_into_another_folder(self, tmp_path: Path, scalars: Scalars) -> None:
        with reporter(tensorboard=tmp_path, history=HISTORY) as board:
            board.record(NEXT)
        assert scalars(tmp_path)["loss"] == [(10, 2.0), (20, 1.5), (30, 1.0)]

    def test_not_installed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in [name for name in sys.modules if name.startswith("torch.utils.tensorboard")]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, "tensorboard", None)
        with pytest.raises(MissingExtraError, match=r"pip install 'gemel\[tensorboard\]'"):
            reporter(tensorboard=tmp_path / "board", log=tmp_path / "log", bar=True)
        assert not list(tmp_path.iterdir())

    def test_folder_is_a_file(self, tmp_path: Path) -> None:
        pytest.importorskip("tensorboard")
        (tmp_path / "file").write_text("here")
        message = f"cannot write for TensorBoard to {tmp_path}/file.*it must be a folder"
        for folder in (tmp_path / "file", tmp_path / "file" / "below"):
            with pytest.raises(SettingsError, match=message):
                reporter(tensorboard=folder)
