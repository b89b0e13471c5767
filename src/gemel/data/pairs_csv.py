"""`pairs_csv`: a CSV with one pair a row."""

import os
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gemel.checks import check_both_kinds, refuse_flipped, settle
from gemel.data.file_kinds import KNOWN, FileKind
from gemel.data.numbers import numbers_in
from gemel.data.table import BadRows, Row, Table, file_at, kind_in, none_left, read_table
from gemel.items import SIDES, Kind, Pairs, Side

_EXPECTED = (
    "left,right,same (paths of pictures or pen recordings, or cells of numbers such as '0.1 0.2'); "
    "a side of numbers may be columns: left_1,...,left_F,right_1,...,right_F,same"
)
_SAME = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def pairs_csv(
    path: str | os.PathLike[str],
    *,
    files: Sequence[FileKind] = KNOWN,
    skip_bad: bool = False,
    name: str | None = None,
) -> Pairs:
    """The pairs in the CSV at `path`, one a row below its header; no file is decoded yet.

    Each side is a column of paths, which start at the folder of the CSV unless they are absolute:
    of pictures, or of pen recordings where most end as theirs do; or of rows of numbers in one
    cell ("0.1 0.2 0.3"); or one column a number, as in `left_1,...,left_F`. The two sides may
    differ, for a comparer with an encoder for each.
    `same` is true, yes or 1, or false, no or 0, in small or capital letters. Columns may stand
    in any order. Sides that are equal are one item.

    Args:
        path: the CSV, in UTF-8.
        files: the kinds of files that there may be; see `folder`.
        skip_bad: go on without bad rows; they are listed in `skipped`.
        name: the name of the pairs; unless given, that of the file without its end.

    Raises:
        DataError: the file is no such CSV; all its pairs are the same, or all different; or `same`
            seems to be the other way round, as three rows or more contradict others (an item
            differs from itself, or a is b, b is c, a is not c) and none does if read so.
        BadItemsError: rows with more or fewer cells than the header, a file that is missing or of
            another kind than most of its side, `same` with another value, a number that is none or
            not finite, sides of other lengths than most, the same row twice, rows that contradict
            each other.
    """
    return pairs_of(read_table(path), files=files, skip_bad=skip_bad, name=name)


def pairs_of(
    table: Table,
    *,
    files: Sequence[FileKind] = KNOWN,
    skip_bad: bool = False,
    name: str | None = None,
) -> Pairs:
    """The pairs in `table`, as `pairs_csv` reads them."""
    readers = _readers(table, files)
    kind, right_kind = readers["left"].kind, readers["right"].kind
    bad = BadRows(table)
    found = [_pair(row, readers, bad) for row in table.rows]
    _check_lengths([pair for pair in found if pair.number not in bad.numbers], readers, bad)
    numbers = bad.numbers
    _check_sense(table, [pair for pair in found if pair.number not in numbers])
    _check_repeats([pair for pair in found if pair.number not in numbers], bad)
    skipped = settle(str(table.path), bad.problems, skip_bad=skip_bad)
    numbers = bad.numbers
    good = [pair for pair in found if pair.number not in numbers]
    if not good:
        raise none_left(table, skipped)
    sides: dict[Hashable, _Side] = {}  # each item once, in the order of the rows
    for pair in good:
        sides.setdefault(pair.left.key, pair.left)
        sides.setdefault(pair.right.key, pair.right)
    place = {key: index for index, key in enumerate(sides)}
    values = [side.value for side in sides.values()]
    alike = kind == right_kind and len({side.length for side in sides.values()}) == 1
    pairs = Pairs(
        values=np.array(values, dtype=np.float64) if alike and kind == "numbers" else values,
        left=np.array([place[pair.left.key] for pair in good], dtype=np.int64),
        right=np.array([place[pair.right.key] for pair in good], dtype=np.int64),
        same=np.array([pair.same for pair in good], dtype=np.bool_),
        kind=kind,
        name=name if name is not None else table.path.stem,
        origins=[side.origin for side in sides.values()],
        skipped=skipped,
        right_kind=None if right_kind == kind else right_kind,
    )
    check_both_kinds(pairs)
    return pairs


@dataclass(frozen=True)
class _Side:
    value: Path | tuple[float, ...]
    key: Hashable  # alike where the values are: the path resolved, or the numbers
    origin: str
    faults: tuple[tuple[str, str], ...] = ()  # (what, remedy)
    length: int = 0  # how many numbers


@dataclass(frozen=True)
class _Pair:
    number: int
    left: _Side
    right: _Side
    same: bool


@dataclass(frozen=True)
class _Reader:
    """How one side of every row is read: a cell with a path or numbers, or a column a number."""

    table: Table
    side: Side
    columns: tuple[str, ...]
    files: Sequence[FileKind] = ()
    file: FileKind | None = None  # None: numbers

    @property
    def kind(self) -> Kind:
        return "numbers" if self.file is None else self.file.kind

    @classmethod
    def of(cls, table: Table, side: Side, files: Sequence[FileKind]) -> "_Reader":
        if side not in table.header:
            numbered = [name for name in table.header if name.startswith(f"{side}_")]
            wanted = tuple(f"{side}_{place}" for place in range(1, len(numbered) + 1))
            return cls(table, side, wanted)
        numeric = sum(_is_numbers(row.cells[side]) for row in table.rows)
        if 2 * numeric > len(table.rows):
            return cls(table, side, (side,))
        return cls(table, side, (side,), files, kind_in(table, side, files))

    def __call__(self, row: Row) -> _Side:
        if self.file is not None:
            return self._file_side(row, self.file)
        cells: list[tuple[str, str]]
        if self.columns == (self.side,):
            cells = [(self.columns[0], text) for text in row.cells[self.side].split()]
        else:
            cells = [(column, row.cells[column]) for column in self.columns]
        return _numbers_side(self.table, row, self.side, cells)

    def _file_side(self, row: Row, kind: FileKind) -> _Side:
        cell, where = row.cells[self.side], f"{self.table.where(row.number)} {self.side}"
        if not cell:
            remedy = f"give the path of a {kind.what}, or remove the row"
            return _Side(Path(), None, where, ((f"{self.side} is empty", remedy),))
        path, wrong = file_at(self.table, cell, kind, self.files)
        if wrong is not None:
            return _Side(path, None, where, (wrong,))
        return _Side(path, path.resolve(), f"{path} ({where})")


def _readers(table: Table, files: Sequence[FileKind]) -> dict[Side, _Reader]:
    """How both sides are read, by the header and the cells."""
    readers: dict[Side, _Reader] = {side: _Reader.of(table, side, files) for side in SIDES}
    columns = [column for reader in readers.values() for column in reader.columns]
    both = all(reader.columns for reader in readers.values())
    if not both or set(table.header) != {"same", *columns}:
        raise table.wrong_header(_EXPECTED)
    return readers


def _is_numbers(cell: str) -> bool:
    try:
        return len([float(text) for text in cell.split()]) > 0
    except ValueError:
        return False


def _numbers_side(table: Table, row: Row, side: str, cells: Sequence[tuple[str, str]]) -> _Side:
    numbers, faults = numbers_in(cells)
    what = "; ".join(faults) if cells else f"{side} is empty"
    remedy = "give numbers such as 0.5, or remove the row"
    faulty = ((what, remedy),) if what else ()
    return _Side(numbers, numbers, f"{table.where(row.number)} {side}", faulty, len(numbers))


def _pair(row: Row, readers: dict[Side, _Reader], bad: BadRows) -> _Pair:
    left, right = (readers[side](row) for side in SIDES)
    for fault in dict.fromkeys((*left.faults, *right.faults)):
        bad.add(row.number, *fault)
    given = row.cells["same"]
    same = _SAME.get(given.lower())
    if same is None:
        bad.add(
            row.number,
            f"`same` is {given!r}; expected true or false, yes or no, 1 or 0",
            "say whether left and right are the same",
        )
    return _Pair(row.number, left, right, bool(same))


def _check_lengths(pairs: Sequence[_Pair], readers: dict[Side, _Reader], bad: BadRows) -> None:
    sides = [side for side in SIDES if readers[side].kind == "numbers"]
    lengths = {pair.number: [getattr(pair, side).length for side in sides] for pair in pairs}
    usual = [Counter(column).most_common(1)[0][0] for column in zip(*lengths.values(), strict=True)]
    for number, found in lengths.items():
        if found != usual:
            told = [
                " and ".join(f"{count} {side}" for count, side in zip(each, sides, strict=True))
                for each in (found, usual)
            ]
            bad.add(
                number,
                f"its numbers: {told[0]}, where most rows have {told[1]}",
                "give all of one side equally many numbers",
            )


def _check_sense(table: Table, pairs: Sequence[_Pair]) -> None:
    """Refuse rows that contradict each other, and would not if `same` were the other way round."""
    place: dict[Hashable, int] = {}
    sides = [place.setdefault(side.key, len(place)) for p in pairs for side in (p.left, p.right)]
    left, right = np.array(sides, dtype=np.int64).reshape(-1, 2).T
    refuse_flipped(
        left,
        right,
        np.array([pair.same for pair in pairs], dtype=np.bool_),
        source=str(table.path),
        name=lambda pair: f"row {pairs[pair].number}",
    )


def _check_repeats(pairs: Sequence[_Pair], bad: BadRows) -> None:
    """Rows said twice, and rows of one pair, in either order, of which one must be wrong."""
    alike: dict[Hashable, list[_Pair]] = defaultdict(list)
    for pair in pairs:
        if pair.left.key == pair.right.key and not pair.same:
            bad.add(pair.number, "an item is said to differ from itself", "correct the row")
        else:
            alike[frozenset((pair.left.key, pair.right.key))].append(pair)
    for rows in alike.values():
        first = rows[0]
        other = next((pair for pair in rows if pair.same != first.same), None)
        if other is not None:
            for pair in rows:
                against = other if pair.same == first.same else first
                bad.add(
                    pair.number,
                    f"says {_word(pair)} where row {against.number} says {_word(against)} of the "
                    "same two",
                    "keep the row that is right",
                )
            continue
        seen: dict[Hashable, int] = {}
        for pair in rows:
            earlier = seen.setdefault((pair.left.key, pair.right.key), pair.number)
            if earlier != pair.number:
                bad.add(pair.number, f"says the same as row {earlier}", "remove one of them")


def _word(pair: _Pair) -> str:
    return "same" if pair.same else "different"
