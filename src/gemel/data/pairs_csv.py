"""`pairs_csv`: a CSV with one pair a row."""

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gemel.checks import check_both_kinds, refuse_flipped, settle
from gemel.data.numbers import numbers_in
from gemel.data.table import BadRows, Row, Table, none_left, picture_at, read_table
from gemel.items import Kind, Pairs

_EXPECTED = (
    "left,right,same (paths of pictures, or cells of numbers such as '0.1 0.2') "
    "or left_1,...,left_F,right_1,...,right_F,same"
)
_SAME = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def pairs_csv(
    path: str | os.PathLike[str], *, skip_bad: bool = False, name: str | None = None
) -> Pairs:
    """The pairs in the CSV at `path`, one a row below its header; no picture is decoded yet.

    With the header `left,right,same` both sides are paths of pictures, which start at the
    folder of the CSV unless they are absolute, or both are rows of numbers in one cell
    ("0.1 0.2 0.3"). With `left_1,...,left_F,right_1,...,right_F,same` they are rows of numbers.
    `same` is true, yes or 1, or false, no or 0, in small or capital letters. Columns may stand
    in any order. Sides that are equal are one item.

    Args:
        path: the CSV, in UTF-8.
        skip_bad: go on without bad rows; they are listed in `skipped`.
        name: the name of the pairs; unless given, that of the file without its end.

    Raises:
        DataError: the file is no such CSV; all its pairs are the same, or all different; or `same`
            seems to be the other way round, as three rows or more contradict others (an item
            differs from itself, or a is b, b is c, a is not c) and none does if read so.
        BadItemsError: rows with more or fewer cells than the header, a picture that is missing,
            `same` with another value, a number that is none or not finite, sides of other lengths
            than most, the same row twice, rows that contradict each other.
    """
    return pairs_of(read_table(path), skip_bad=skip_bad, name=name)


def pairs_of(table: Table, *, skip_bad: bool = False, name: str | None = None) -> Pairs:
    """The pairs in `table`, as `pairs_csv` reads them."""
    kind, read_side = _side_reader(table)
    bad = BadRows(table)
    found = [_pair(row, read_side, bad) for row in table.rows]
    if kind == "numbers":
        _check_lengths([pair for pair in found if pair.number not in bad.numbers], bad)
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
    pairs = Pairs(
        values=np.array(values, dtype=np.float64) if kind == "numbers" else values,
        left=np.array([place[pair.left.key] for pair in good], dtype=np.int64),
        right=np.array([place[pair.right.key] for pair in good], dtype=np.int64),
        same=np.array([pair.same for pair in good], dtype=np.bool_),
        kind=kind,
        name=name if name is not None else table.path.stem,
        origins=[side.origin for side in sides.values()],
        skipped=skipped,
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


_ReadSide = Callable[[Row, str], _Side]


def _side_reader(table: Table) -> tuple[Kind, _ReadSide]:
    """What the sides are, by the header and the cells, and how one is read."""
    if set(table.header) == {"left", "right", "same"}:
        cells = [row.cells[side] for row in table.rows for side in ("left", "right")]
        numeric = sum(_is_numbers(cell) for cell in cells)
        if 2 * numeric > len(cells):
            return "numbers", lambda row, side: _numbers_side(
                table, row, side, [(side, text) for text in row.cells[side].split()]
            )
        return "images", lambda row, side: _picture_side(table, row, side)
    features = (len(table.header) - 1) // 2
    columns = {
        side: [f"{side}_{feature}" for feature in range(1, features + 1)]
        for side in ("left", "right")
    }
    if features == 0 or set(table.header) != {"same", *columns["left"], *columns["right"]}:
        raise table.wrong_header(_EXPECTED)
    return "numbers", lambda row, side: _numbers_side(
        table, row, side, [(column, row.cells[column]) for column in columns[side]]
    )


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


def _picture_side(table: Table, row: Row, side: str) -> _Side:
    cell, where = row.cells[side], f"{table.where(row.number)} {side}"
    if not cell:
        fault = (f"{side} is empty", "give the path of a picture, or remove the row")
        return _Side(Path(), None, where, (fault,))
    path, wrong = picture_at(table, cell)
    if wrong is not None:
        return _Side(path, None, where, (wrong,))
    return _Side(path, path.resolve(), f"{path} ({where})")


def _pair(row: Row, read_side: _ReadSide, bad: BadRows) -> _Pair:
    left, right = read_side(row, "left"), read_side(row, "right")
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


def _check_lengths(pairs: Sequence[_Pair], bad: BadRows) -> None:
    lengths = Counter(side.length for pair in pairs for side in (pair.left, pair.right))
    usual = lengths.most_common(1)[0][0] if lengths else 0
    for pair in pairs:
        if (pair.left.length, pair.right.length) != (usual, usual):
            bad.add(
                pair.number,
                f"left has {pair.left.length} numbers and right {pair.right.length}, "
                f"where most sides have {usual}",
                "give all sides equally many numbers",
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
