"""`items_csv`: a CSV with one item a row."""

import os
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gemel.checks import settle
from gemel.data.file_kinds import KNOWN, FileKind
from gemel.data.numbers import numbers_in
from gemel.data.table import BadRows, Row, Table, file_at, kind_in, none_left, read_table
from gemel.items import Items

_EXPECTED = "path,label[,group] (files) or label[,group] and columns of numbers"


def items_csv(
    path: str | os.PathLike[str],
    *,
    files: Sequence[FileKind] = KNOWN,
    skip_bad: bool = False,
    name: str | None = None,
) -> Items:
    """The items in the CSV at `path`, one a row below its header; no file is decoded yet.

    With the header `path,label[,group]` the items are files: pictures, or pen recordings where
    most paths end as theirs do; paths that are not absolute start at the folder of the CSV. With
    `label[,group]` and other columns, these hold numbers: the items are rows of them. Columns may
    stand in any order.

    Args:
        path: the CSV, in UTF-8.
        files: the kinds of files that there may be; see `folder`.
        skip_bad: go on without bad rows; they are listed in `skipped`.
        name: the name of the items; unless given, that of the file without its end.

    Raises:
        DataError: the file is no such CSV, or has no good row.
        BadItemsError: rows with more or fewer cells than the header, a file that is missing or of
            another kind than most, an empty label, a number that is none or not finite, the same
            row twice, one file under two labels, one label in two groups.
    """
    return items_of(read_table(path), files=files, skip_bad=skip_bad, name=name)


def items_of(
    table: Table,
    *,
    files: Sequence[FileKind] = KNOWN,
    skip_bad: bool = False,
    name: str | None = None,
) -> Items:
    """The items in `table`, as `items_csv` reads them."""
    features = [column for column in table.header if column not in ("path", "label", "group")]
    with_paths = "path" in table.header
    if "label" not in table.header or "" in table.header or bool(features) == with_paths:
        raise table.wrong_header(_EXPECTED)
    bad = BadRows(table)
    if with_paths:
        kind = kind_in(table, "path", files)
        found = [_file(table, row, kind, files, bad) for row in table.rows]
    else:
        found = [_row_of_numbers(table, row, features, bad) for row in table.rows]
    readable = [item for item in found if item.number not in bad.numbers]
    _check_repeats(readable, bad, files=with_paths)
    _check_groups(readable, bad)
    skipped = settle(str(table.path), bad.problems, skip_bad=skip_bad)
    numbers = bad.numbers
    good = [item for item in found if item.number not in numbers]
    if not good:
        raise none_left(table, skipped)
    return Items(
        values=[item.value for item in good]
        if with_paths
        else np.array([item.value for item in good], dtype=np.float64),
        labels=np.array([item.label for item in good]),
        groups=np.array([item.group for item in good]) if "group" in table.header else None,
        kind=kind.kind if with_paths else "numbers",
        name=name if name is not None else table.path.stem,
        origins=[item.origin for item in good],
        skipped=skipped,
    )


@dataclass(frozen=True)
class _Item:
    number: int
    value: Path | tuple[float, ...]
    key: Hashable  # alike where the values are: the path resolved, or the numbers
    label: str
    group: str
    origin: str


def _label_and_group(row: Row, bad: BadRows) -> tuple[str, str]:
    for column in ("label", "group"):
        if row.cells.get(column) == "":
            bad.add(row.number, f"the {column} is empty", f"give the {column}, or remove the row")
    return row.cells["label"], row.cells.get("group", "")


def _row_of_numbers(table: Table, row: Row, features: Sequence[str], bad: BadRows) -> _Item:
    label, group = _label_and_group(row, bad)
    numbers, faults = numbers_in((column, row.cells[column]) for column in features)
    if faults:
        bad.add(row.number, "; ".join(faults), "give a number such as 0.5, or remove the row")
    return _Item(row.number, numbers, numbers, label, group, table.where(row.number))


def _file(table: Table, row: Row, kind: FileKind, files: Sequence[FileKind], bad: BadRows) -> _Item:
    label, group = _label_and_group(row, bad)
    cell, where = row.cells["path"], table.where(row.number)
    if not cell:
        bad.add(
            row.number, "the path is empty", f"give the path of a {kind.what}, or remove the row"
        )
        return _Item(row.number, Path(), None, label, group, where)
    path, fault = file_at(table, cell, kind, files)
    if fault is not None:
        bad.add(row.number, *fault)
        return _Item(row.number, path, None, label, group, where)
    return _Item(row.number, path, path.resolve(), label, group, f"{path} ({where})")


def _check_repeats(items: Sequence[_Item], bad: BadRows, *, files: bool) -> None:
    """Rows said twice; and of files, those under two labels. Equal numbers may have two labels."""
    alike: dict[Hashable, list[_Item]] = defaultdict(list)
    for item in items:
        alike[item.key].append(item)
    for same in alike.values():
        first = same[0]
        other = next((item for item in same if item.label != first.label), None)
        if files and other is not None:
            for item in same:
                against = other if item.label == first.label else first
                bad.add(
                    item.number,
                    f"{item.value} has label {item.label!r} here and {against.label!r} "
                    f"in row {against.number}",
                    "keep the row with the right label",
                )
            continue
        seen: dict[tuple[str, str], int] = {}
        for item in same:
            earlier = seen.setdefault((item.label, item.group), item.number)
            if earlier != item.number:
                bad.add(item.number, f"says the same as row {earlier}", "remove one of them")


def _check_groups(items: Sequence[_Item], bad: BadRows) -> None:
    """A class belongs to one group: that of its first row."""
    first: dict[str, _Item] = {}
    for item in items:
        known = first.setdefault(item.label, item)
        if known.group != item.group:
            bad.add(
                item.number,
                f"class {item.label!r} is in group {item.group!r} here and in {known.group!r} in "
                f"row {known.number}",
                "give the class one group, or put the group in the label",
            )
