"""What every reproduction shares: what is asked for, the table that comes of it, its files."""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gemel.calibrating import calibrate
from gemel.data.sources import DATA_SETS, ELSEWHERE
from gemel.errors import DataError, SettingsError, TrainingError
from gemel.evaluation import Figure
from gemel.items import Items, Pairs
from gemel.model import Siamese, load
from gemel.training import fit
from gemel.training.checkpoint import path_for
from gemel.version import __version__

Cell = Figure | str
TABLE, FIGURES = "table.md", "figures.json"
QUICK = "This is the quick form, which shows that all works: its figures say nothing."


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes:
        name: what was measured.
        cells: for each column what came out: a figure with its interval, or words.
        published: the published figure, or "" where none is known.
    """

    name: str
    cells: tuple[Cell, ...]
    published: str = ""


@dataclass(frozen=True)
class Table:
    """What a reproduction found.

    Attributes:
        columns: what the cells of each row are of.
        rows: the figures.
        notes: what must be known to read them, a sentence or two each.
    """

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    def as_markdown(self) -> str:
        """The table, and the notes under it."""
        heads = ["measured", *self.columns, "published"]
        lines = [_line(heads), "|---" * len(heads) + "|"]
        lines += [_line([row.name, *map(shown, row.cells), row.published]) for row in self.rows]
        return "\n".join([*lines, "", *(f"- {note}" for note in self.notes)]).rstrip() + "\n"

    def __str__(self) -> str:
        rows = [["", *self.columns, "published"]]
        rows += [[row.name, *map(shown, row.cells), row.published] for row in self.rows]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        return "\n".join([*lines, *self.notes])

    def as_dict(self) -> dict[str, Any]:
        """For JSON: figures with all that they rest on."""
        rows = [
            {
                "name": row.name,
                "published": row.published,
                **{
                    column: cell.as_dict() if isinstance(cell, Figure) else cell
                    for column, cell in zip(self.columns, row.cells, strict=True)
                },
            }
            for row in self.rows
        ]
        return {"columns": list(self.columns), "rows": rows, "notes": list(self.notes)}


def shown(cell: Cell) -> str:
    """A cell as text: a figure's value and interval."""
    return cell if isinstance(cell, str) else cell.short


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


@dataclass(frozen=True)
class Request:
    """What a reproduction is asked for.

    Attributes:
        data: the folder that holds the data sets under their names, or that of the first one.
        out: the folder for models, pictures and the table.
        quick: a small form, to see that all works: its figures say nothing.
        paper_size: the paper's own sizes, where the full form has smaller ones; for a GPU.
        seed: of every random draw; a system of several seeds counts up from it.
        resume: take what is complete in `out`, and go on with what was stopped.
        say: gets each line to show.
        progress: show a progress bar while training.
        trained_for: seconds that each model took to train, in this run or the one that is resumed.
        ready: the files of models that have a threshold, so that they can be used.
    """

    data: Path
    out: Path
    quick: bool = False
    paper_size: bool = False
    seed: int = 0
    resume: bool = False
    say: Callable[[str], object] = field(default=print, repr=False)
    progress: bool = False
    trained_for: list[float] = field(default_factory=list, repr=False)
    ready: list[Path] = field(default_factory=list, repr=False)

    def folder(self, name: str) -> Path:
        """Where the data set `name` is: in `data`, `data` itself, or beside it.

        It may have another of its folders' names there.

        Raises:
            DataError: it is not there.
        """
        names = (name, *(DATA_SETS[name].folders if name in DATA_SETS else ()))
        for one in names:
            for place in (self.data / one, self.data, self.data.parent / one):
                if place.resolve().name == one and place.is_dir():
                    return place
        got = "a folder without it" if self.data.is_dir() else "no folder"
        is_another = self.data.resolve().name in (*DATA_SETS, *ELSEWHERE)
        place = (self.data.parent if is_another else self.data) / name
        remedy = (
            f"its publisher offers it at {ELSEWHERE[name]}: unpack it there"
            if name in ELSEWHERE
            else f"`gemel fetch {name} {place}` gets it from its publisher"
        )
        raise DataError(f"expected the data set {name} in {place}; {self.data} is {got}: {remedy}")

    def trained(
        self,
        name: str,
        make: Callable[[], Siamese],
        train: Items | Pairs,
        *,
        calibrate_on: Items | Pairs | None = None,
        false_accepts: float = 0.01,
        **settings: Any,
    ) -> Siamese:
        """A model trained by `fit(model, train, **settings)`, which lies in `out` as `name`.

        With `resume`, one that is complete there is taken as it is, and one that was stopped goes
        on from its checkpoint.

        Args:
            name: of the model's file.
            make: makes the untrained model.
            train: what it is trained on.
            calibrate_on: what gives it a threshold and probabilities, so that it can be used;
                nothing that it is tested on.
            false_accepts: the share of different pairs that its threshold accepts.
            **settings: of `fit`.

        Raises:
            TrainingError: what lies there is of another run.
        """
        path = self.out / f"{name}.gemel"
        model = make()
        asked = _digest(model, train, settings)
        if self.resume and path.exists() and not path_for(path).exists():
            self.say(f"{name}: {path} is there already")
            model = _complete(path, asked)
        else:
            self._fit(name, path, model, train, settings)
            model.training_summary["asked"] = asked
            model.save(path)
        self.trained_for.append(float(model.training_summary["seconds"]))
        if calibrate_on is not None and model.calibration is None:
            calibrate(model, calibrate_on, false_accepts=false_accepts, seed=self.seed)
            model.save(path)
        if model.calibration is not None:
            self.ready.append(path)
        return model

    def _fit(
        self, name: str, path: Path, model: Siamese, train: Items | Pairs, settings: dict[str, Any]
    ) -> None:
        begun = time.monotonic()
        done = fit(model, train, out=path, resume=self.resume, progress=self.progress, **settings)
        held = "" if done.validation is None else f", validation {100 * done.validation:.1f} %"
        seconds = time.monotonic() - begun
        self.say(f"{name}: {done.steps:,} steps, {seconds / 60:.1f} minutes{held}")


def _refuse_another(name: str, request: Request) -> None:
    """Overwrite nothing but what the same system made in the same form.

    Raises:
        SettingsError: the folder holds another's.
    """
    if not (request.out / FIGURES).exists():
        return
    try:
        there = json.loads((request.out / FIGURES).read_text(encoding="utf-8"))
        found = there["system"], there["quick"], there.get("paper_size", False), there["seed"]
    except (ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"{request.out / FIGURES} is not what a reproduction writes; give another --out"
        ) from error
    if found != (name, request.quick, request.paper_size, request.seed):
        form = "quick" if found[1] else "paper-size" if found[2] else "full"
        raise SettingsError(
            f"{request.out} holds the {form} form of {found[0]}, seed {found[3]}, which would be "
            "overwritten: give another --out, or remove it"
        )


def _digest(model: Siamese, train: Items | Pairs, settings: dict[str, Any]) -> str:
    """16 hex digits of the untrained model, the data, and how it is to be trained."""
    words = {key: repr(value) for key, value in settings.items() if key != "sampler"}
    if "sampler" in settings:
        words["sampler"] = repr(settings["sampler"](train))
    words["model"] = repr((model.input, model.encoder, model.metric, model.views))
    of = train.labels if isinstance(train, Items) else train.same
    words["data"] = f"{train.name}, {len(train.values)}, {_hash(of.tobytes())}"
    if isinstance(train.values, np.ndarray) and train.values.dtype != object:
        words["values"] = _hash(np.ascontiguousarray(train.values).tobytes())
    return _hash(json.dumps(words, sort_keys=True).encode())


def _hash(content: bytes) -> str:
    """16 hex digits."""
    return hashlib.sha256(content).hexdigest()[:16]


def _complete(path: Path, asked: str) -> Siamese:
    """The model that lies there already.

    Raises:
        TrainingError: it was trained otherwise than is asked for.
    """
    model = load(path)
    if model.training_summary.get("asked") != asked:
        raise TrainingError(
            f"{path} was trained on other data or with other settings than are asked for: it is of "
            "the quick form, of another seed or another system, or of another gemel. Leave "
            "--resume out to train anew, or give another --out"
        )
    return model


def run(name: str, make: Callable[[Request], Table], request: Request) -> Table:
    """Make the table of system `name`, and write it to `request.out` as text and as JSON.

    Raises:
        SettingsError: what lies in `request.out` is of another system or form.
    """
    _refuse_another(name, request)
    request.out.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    table = make(request)
    if request.quick:
        table = replace(table, notes=(QUICK, *table.notes))
    facts = {
        "system": name,
        "quick": request.quick,
        "paper_size": request.paper_size,
        "seed": request.seed,
        "minutes": round((time.monotonic() - begun) / 60, 1),
        "training_minutes": round(sum(request.trained_for) / 60, 1),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU",
        "threads": torch.get_num_threads(),
        "gemel": __version__,
        "torch": torch.__version__,
    }
    (request.out / TABLE).write_text(table.as_markdown(), encoding="utf-8")
    (request.out / FIGURES).write_text(
        json.dumps(facts | table.as_dict(), indent=2) + "\n", encoding="utf-8"
    )
    return table
