"""What the readers of CSV files share: the text, its rows, paths in cells, and bad rows."""

import codecs
import csv
import io
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gemel.data.file_kinds import FileKind, kind_among
from gemel.data.files import file_fault
from gemel.errors import DataError, Problem

_KNOWN = re.compile(r"(path|label|group|same|(left|right)(_\d+)?)", re.IGNORECASE)


@dataclass(frozen=True)
class Row:
    """One row: its number as a spreadsheet shows it (the header is row 1), and cells by column."""

    number: int
    cells: dict[str, str]


@dataclass(frozen=True)
class Table:
    """A CSV file with a header.

    Attributes:
        path: the file, as the user wrote it.
        header: the names of the columns, those with a meaning in small letters.
        rows: the rows with as many cells as the header, blanks around the cells taken off.
        ragged: the rows with more or fewer.
    """

    path: Path
    header: tuple[str, ...]
    rows: tuple[Row, ...]
    ragged: tuple[Problem, ...] = ()

    def where(self, number: int) -> str:
        """Row `number` in words."""
        return f"{self.path} row {number}"

    def wrong_header(self, expected: str) -> DataError:
        """The error of a header that is not what `expected` says."""
        found = ",".join(self.header)
        hint = ""
        if len(self.header) == 1 and re.search(r"[;\t]", found):
            hint = "; the columns must be separated by commas: save it so"
        elif "" in self.header:
            hint = "; a column has no name (pandas needs to_csv(index=False))"
        return DataError(
            f"{self.path}: expected the header {expected}, found {found!r}{hint}. "
            "The first row must name the columns"
        )


@dataclass
class BadRows:
    """The problems found in the rows of a table."""

    table: Table
    found: list[tuple[int, Problem]] = field(default_factory=list)

    def add(self, number: int, what: str, remedy: str) -> None:
        """Row `number` is bad."""
        self.found.append((number, Problem(self.table.where(number), what, remedy)))

    @property
    def numbers(self) -> set[int]:
        """The numbers of the bad rows."""
        return {number for number, _ in self.found}

    @property
    def problems(self) -> list[Problem]:
        """All problems: ragged rows, then the others in the order of the rows."""
        ordered = sorted(self.found, key=lambda entry: entry[0])
        return [*self.table.ragged, *(problem for _, problem in ordered)]


def read_table(path: str | os.PathLike[str]) -> Table:
    """The CSV file at `path`: UTF-8 (with or without a byte order mark), commas, a header.

    Raises:
        DataError: there is no such file, it is no UTF-8 text or no CSV, it has no row below the
            header, or two columns of one name.
    """
    file = Path(path)
    records = _records(file, _text(file))
    if not records:
        raise DataError(f"{file}: the file is empty; expected a header and rows below it")
    names = tuple(_column(name) for name in records[0][1])
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(
            f"{file}: the header has {twice[0]!r} twice, in {','.join(names)!r}; "
            "columns need different names"
        )
    if len(records) == 1:
        raise DataError(f"{file}: no rows below the header {','.join(names)!r}; add some")
    table = Table(file, names, ())
    ragged = tuple(
        Problem(
            table.where(number),
            f"{len(cells)} cells, where the header has {len(names)} ({','.join(names)})",
            "give each column one cell, and put cells with commas in double quotes",
        )
        for number, cells in records[1:]
        if len(cells) != len(names)
    )
    rows = tuple(
        Row(number, {name: cell.strip() for name, cell in zip(names, cells, strict=True)})
        for number, cells in records[1:]
        if len(cells) == len(names)
    )
    return Table(file, names, rows, ragged)


def kind_in(table: Table, column: str, files: Sequence[FileKind]) -> FileKind:
    """The kind of file that most paths in a column name."""
    return kind_among([Path(row.cells[column]) for row in table.rows], files)


def file_at(
    table: Table, cell: str, kind: FileKind, files: Sequence[FileKind]
) -> tuple[Path, tuple[str, str] | None]:
    """The path in `cell`, taken from the folder of the CSV, and what is wrong with its file."""
    path = table.path.parent / cell
    other = next((each for each in files if each.has(path)), kind)
    if other != kind:
        fault = f"{path} is a {other.what} by its name, where most rows have {kind.what}s"
        return path, (fault, "put items of two kinds into two files")
    return path, file_fault(path, kind.what)


def none_left(table: Table, problems: Sequence[Problem]) -> DataError:
    """The error of a table whose rows are all bad."""
    return DataError(
        f"{table.path}: none of its {len(table.rows) + len(table.ragged)} rows is good; "
        f"the first problem: {problems[0]}"
    )


def _column(name: str) -> str:
    name = name.strip()
    return name.lower() if _KNOWN.fullmatch(name) else name


def _text(path: Path) -> str:
    if path.is_dir():
        raise DataError(f"{path} is a folder; expected a CSV file. Folders are read by folder()")
    try:
        raw = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the path
        raise DataError(f"{path}: the CSV cannot be opened: {error}") from error
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise DataError(f"{path}: expected UTF-8 text, found UTF-16; save it as UTF-8")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path} line {line}: expected UTF-8 text, found the byte 0x{raw[error.start]:02x}; "
            "save it as UTF-8 (in Excel: 'CSV UTF-8')"
        ) from error


def _records(path: Path, text: str) -> list[tuple[int, list[str]]]:
    """The records of `text` that are not blank, with their numbers from 1."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        return [(number, cells) for number, cells in enumerate(reader, start=1) if any(cells)]
    except csv.Error as error:
        raise DataError(
            f"{path} line {reader.line_num}: not a row of a CSV: {error}; "
            "check the double quotes there"
        ) from error
