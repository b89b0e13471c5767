"""What a run tells while it goes on: a bar, a log of JSON lines, TensorBoard."""

import json
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from gemel.errors import MissingExtraError, SettingsError

Record = dict[str, Any]


class Reporter:
    """Shows and writes the records of a run. Everything is optional.

    Args:
        bar: whether a progress bar is shown.
        log: a file that gets one JSON object a record.
        tensorboard: a folder for TensorBoard's events.
        history: the records of the run so far, where it is resumed: the log is written anew
            from them, so that it holds each step once.

    Raises:
        MissingExtraError: `tensorboard` is given and TensorBoard is not installed.
        SettingsError: `log` or `tensorboard` cannot be written.
    """

    def __init__(
        self, *, bar: bool, log: Path | None, tensorboard: Path | None, history: list[Record]
    ) -> None:
        with ExitStack() as opened:
            self._board = _board(tensorboard, anew=bool(history)) if tensorboard else None
            if self._board is not None:
                opened.callback(self._board.close)
            self._log = opened.enter_context(_writable(log)) if log else None
            for record in history:
                self._write(record)
            self._bar = opened.enter_context(_Bar()) if bar else None
            self._open = opened.pop_all()

    def __enter__(self) -> "Reporter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def step(self, progress: float, loss: float) -> None:
        """Move the bar to `progress` (0 to 1)."""
        if self._bar is not None:
            self._bar.move(progress, loss)

    def record(self, record: Record) -> None:
        """Write one record, and show its validation figure if it has one."""
        self._write(record)
        if self._bar is not None and "validation" in record:
            self._bar.validated(record["validation"])

    def _write(self, record: Record) -> None:
        if self._log is not None:
            self._log.write(json.dumps(record) + "\n")
            self._log.flush()
        if self._board is not None:
            for name in ("loss", "rate", "validation"):
                if name in record:
                    self._board.add_scalar(name, record[name], record["step"])


class _Bar:
    """A progress bar with time left, loss and validation figure."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("training"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeRemainingColumn(),
            TextColumn("loss {task.fields[loss]}  validation {task.fields[validation]}"),
            console=Console(stderr=True),
            refresh_per_second=4,
        )
        self._task = self._bar.add_task("", total=1.0, loss="-", validation="-")

    def __enter__(self) -> "_Bar":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def move(self, progress: float, loss: float) -> None:
        self._bar.update(self._task, completed=progress, loss=f"{loss:.3f}")

    def validated(self, figure: float) -> None:
        self._bar.update(self._task, validation=f"{figure:.1%}")


def _writable(log: Path) -> TextIO:
    try:
        return log.open("w", encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"cannot write the log {log}: {error}; its folder must exist and be writable"
        ) from error


def _board(folder: Path, *, anew: bool) -> Any:
    """A writer to `folder`; `anew` makes TensorBoard forget what an earlier one wrote there."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtraError(
            "writing for TensorBoard needs an extra: pip install 'gemel[tensorboard]'"
        ) from error
    try:
        return SummaryWriter(str(folder), purge_step=0 if anew else None)
    except OSError as error:
        raise SettingsError(
            f"cannot write for TensorBoard to {folder}: {error}; it must be a folder, or none yet"
        ) from error
