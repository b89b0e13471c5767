"""The formats of pen recordings, each to points as they are written.

Every function raises DataError for what is of another format, naming `origin`.
"""

import csv
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray

from gemel.errors import DataError

LARGEST = 1e15
"""Of any number, with either sign; milliseconds since 1970 are 2e12."""
JITTER = 50.0
"""Milliseconds that a stroke may begin before the one before it ends."""
LIFTING = 1.0
"""Milliseconds, at most, from a stroke's last point to the pen being up."""

Column = Float[NDArray[np.float64], " points"]
Ends = Float[NDArray[np.float64], " ends"]


@dataclass(frozen=True)
class Points:
    """Points as they are written, times in milliseconds."""

    x: Column
    y: Column
    t: Column
    pressure: Column | None
    down: Bool[NDArray[np.bool_], " points"]


def points_in(raw: bytes, origin: str) -> Points:
    """The points in the bytes of a file, by what they begin with."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{origin}: expected a pen recording as text (SVC2004, CSV, InkML or JSON), got bytes "
            f"that are no UTF-8 at {error.start}"
        ) from error
    start = text.lstrip()[:1]
    if start == "<":
        return _inkml(text, origin)
    if start in ("[", "{"):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{origin}: the JSON cannot be read: {error}") from error
        return points_of_strokes(found, origin)
    lines = text.split("\n")
    if re.fullmatch(r"[ \t\r]*[0-9]{1,9}[ \t\r]*", lines[0]):
        return _svc2004(lines, origin)
    return _csv(text, origin)


def _svc2004(lines: Sequence[str], origin: str) -> Points:
    """SVC2004's text: x, y upward, time in ms, button, and in Task 2 three more columns."""
    rows = [line.split() for line in lines[1:] if line.strip()]
    if len(rows) != int(lines[0]):
        raise DataError(
            f"{origin}: its first line promises {int(lines[0])} points, {len(rows)} follow; the "
            "file may be cut short: get it anew"
        )
    for number, row in enumerate(rows, start=2):
        if len(row) not in (4, 7) or len(row) != len(rows[0]):
            raise DataError(
                f"{origin} line {number}: {len(row)} numbers; SVC2004 has 4 (Task 1) or 7 (Task 2) "
                "in each line, as many in all"
            )
    names = ("x", "y", "t", "button", "azimuth", "altitude", "pressure")
    table = {
        name: _numbers([row[at] for row in rows], name, origin)
        for at, name in enumerate(names[: len(rows[0]) if rows else 4])
    }
    return Points(table["x"], -table["y"], table["t"], table.get("pressure"), table["button"] != 0)


def _csv(text: str, origin: str) -> Points:
    """A CSV with a header; between rows whose `stroke` differs the pen is up."""
    try:
        records = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except csv.Error as error:
        raise DataError(f"{origin}: no CSV: {error}") from error
    header = [name.strip().lower() for name in records[0]] if records else []
    known = ("x", "y", "t", "pressure", "down", "stroke")
    if not {"x", "y", "t"} <= set(header) <= set(known) or len(set(header)) < len(header):
        raise DataError(
            f"{origin}: expected a pen recording: SVC2004's text, InkML, JSON strokes, or a CSV "
            f"with the header x,y,t and any of pressure,down,stroke (t in milliseconds); it begins "
            f"with {text[:40]!r}"
        )
    for number, row in enumerate(records[1:], start=2):
        if len(row) != len(header):
            raise DataError(
                f"{origin} row {number}: {len(row)} cells, where the header has {len(header)}"
            )
    cells = {name: [row[at].strip() for row in records[1:]] for at, name in enumerate(header)}
    table = {n: _numbers(cells[n], n, origin) for n in known[:-1] if n in cells}
    count = len(records) - 1
    down = table["down"] != 0 if "down" in table else np.ones(count, np.bool_)
    points = Points(table["x"], table["y"], table["t"], table.get("pressure"), down)
    if "stroke" not in cells:
        return points
    ends = [at for at in range(1, count) if cells["stroke"][at] != cells["stroke"][at - 1]]
    return _lifted(points, ends)


def _inkml(text: str, origin: str) -> Points:
    """The traces of InkML (W3C 2011), with explicit values: no differences, no entities."""
    if re.search(r"<!(DOCTYPE|ENTITY)", text, re.IGNORECASE):
        raise DataError(f"{origin}: InkML with a DOCTYPE or entities is not read; remove them")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise DataError(f"{origin}: the XML cannot be read: {error}") from error
    names, scale = _channels(root, origin)
    traces = [node for node in root.iter() if _local(node.tag) == "trace"]
    if not traces:
        raise DataError(f"{origin}: XML without a <trace>; expected InkML")
    strokes = [
        _trace(trace, names, scale, f"{origin} trace {place}")
        for place, trace in enumerate(traces, start=1)
    ]
    return _joined([stroke for stroke in strokes if len(stroke.x)], origin)


def _channels(root: Any, origin: str) -> tuple[list[str], float]:
    """The names of the channels, and how many milliseconds the unit of time is."""
    formats = [
        [node for node in each if _local(node.tag) == "channel"]
        for each in root.iter()
        if _local(each.tag) == "traceFormat"
    ]
    found = [[str(channel.get("name")).upper() for channel in each] for each in formats if each]
    names = found[0] if found else ["X", "Y", "T", "F"]
    if any(other != names for other in found[1:]) or len(set(names)) < len(names):
        raise DataError(
            f"{origin}: InkML whose traces have different channels is not read; its formats are "
            f"{' and '.join(' '.join(each)[:60] for each in found[:2])}"
        )
    if not {"X", "Y", "T"} <= set(names):
        raise DataError(
            f"{origin}: expected the channels X, Y and T (time), got {' '.join(names)}: record "
            "with time, which tells forgeries"
        )
    units = {
        channel.get("units")
        for each in formats
        for channel in each
        if str(channel.get("name")).upper() == "T"
    }
    return names, 1000.0 if units == {"s"} else 1.0


def _trace(trace: Any, names: Sequence[str], scale: float, where: str) -> Points:
    rows = [point.split() for point in (trace.text or "").split(",") if point.strip()]
    if any(re.search(r"['\"!*?]", word) for row in rows for word in row):
        raise DataError(f"{where}: only explicit values are read, not differences ('), or (!)")
    needed = 1 + max(names.index(name) for name in "XYT")
    for at, row in enumerate(rows, start=1):
        if not needed <= len(row) <= len(names):
            raise DataError(
                f"{where} point {at}: {len(row)} numbers; the channels are {' '.join(names)}"
            )
    x, y, t = (
        _numbers([row[names.index(name)] for row in rows], name.lower(), where) for name in "XYT"
    )
    pressure = None
    if "F" in names and all(len(row) > names.index("F") for row in rows):
        pressure = _numbers([row[names.index("F")] for row in rows], "pressure", where)
    down = np.full(len(rows), trace.get("type") != "penUp")
    return Points(x, y, t * scale, pressure, down)


def _local(tag: Any) -> str:
    """The name of an XML element without its namespace."""
    return str(tag).rpartition("}")[2]


def points_of_strokes(value: Any, origin: str) -> Points:
    """Strokes as a web canvas gives them."""
    if isinstance(value, Mapping):
        value = value.get("strokes")
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise DataError(
            f"{origin}: expected a list of strokes, each a list of points "
            '{"x": 1, "y": 2, "t": 3} (t in milliseconds), or such a list as "strokes"'
        )
    strokes = []
    for number, stroke in enumerate(value, start=1):
        where = f"{origin} stroke {number}"
        points = stroke.get("points") if isinstance(stroke, Mapping) else stroke
        if not isinstance(points, Sequence) or isinstance(points, str):
            raise DataError(f"{where}: expected a list of points, got {type(points).__name__}")
        rows = [_point(point, f"{where} point {at}") for at, point in enumerate(points, start=1)]
        if rows:
            strokes.append(_stroke(rows, where))
    return _joined(strokes, origin)


def _point(point: Any, where: str) -> Sequence[Any]:
    """x, y, t and, where it is given, pressure."""
    if isinstance(point, Mapping) and {"x", "y", "t"} <= set(point):
        named = [point["x"], point["y"], point["t"]]
        return [*named, point["pressure"]] if "pressure" in point else named
    if isinstance(point, Sequence) and not isinstance(point, str) and len(point) in (3, 4):
        return point
    raise DataError(
        f"{where}: expected x, y, t in milliseconds and perhaps pressure, got {point!r:.60}"
    )


def _stroke(rows: Sequence[Sequence[Any]], where: str) -> Points:
    columns = [_numbers([row[at] for row in rows], name, where) for at, name in enumerate("xyt")]
    force = [row[3] for row in rows if len(row) > 3]
    pressure = _numbers(force, "pressure", where) if len(force) == len(rows) else None
    return Points(columns[0], columns[1], columns[2], pressure, np.ones(len(rows), np.bool_))


def points_of_array(array: NDArray[Any], origin: str) -> Points:
    """An array [P, 3 to 5]."""
    if array.ndim != 2 or not 3 <= array.shape[1] <= 5 or array.dtype.kind not in "iuf":
        raise DataError(
            f"{origin}: expected an array [points, 3 to 5] of x, y, t in milliseconds, pressure, "
            f"down; got {array.dtype} of shape {array.shape}"
        )
    table = [
        _numbers(column, name, origin)
        for column, name in zip(array.T.tolist(), ("x", "y", "t", "pressure", "down"), strict=False)
    ]
    return Points(
        table[0],
        table[1],
        table[2],
        table[3] if len(table) > 3 else None,
        table[4] != 0 if len(table) > 4 else np.ones(len(array), np.bool_),
    )


def _numbers(cells: Sequence[Any], name: str, where: str) -> Column:
    """Finite numbers, of texts or numbers.

    Raises:
        DataError: one is none, not finite, or too large; the first such is named.
    """
    found = np.empty(len(cells))
    for at, cell in enumerate(cells):
        try:
            found[at] = math.nan if isinstance(cell, bool) or "_" in str(cell) else float(cell)
        except (TypeError, ValueError, OverflowError):
            found[at] = math.nan
        if not abs(found[at]) <= LARGEST:
            raise DataError(
                f"{where}: the {name} of point {at + 1} is {cell!r:.30}; expected a finite number, "
                f"{LARGEST:g} at most"
            )
    return found


def _joined(strokes: Sequence[Points], origin: str) -> Points:
    """Strokes one after the other, with the pen up between them.

    Raises:
        DataError: a stroke begins before the one before it ends.
    """
    if not strokes:
        empty = np.empty(0)
        return Points(empty, empty, empty, None, np.empty(0, np.bool_))
    for number, (one, following) in enumerate(pairwise(strokes), start=2):
        behind = float(one.t[-1] - following.t[0])
        if behind > JITTER:
            raise DataError(
                f"{origin} stroke {number}: it begins {behind:.0f} ms before the one before it "
                "ends; times must go on from stroke to stroke, in milliseconds"
            )
    x, y, t = (np.concatenate([getattr(stroke, name) for stroke in strokes]) for name in "xyt")
    forces = [stroke.pressure for stroke in strokes if stroke.pressure is not None]
    whole = Points(
        x,
        y,
        t,
        np.concatenate(forces) if len(forces) == len(strokes) else None,
        np.concatenate([stroke.down for stroke in strokes]),
    )
    ends = np.cumsum([len(stroke.x) for stroke in strokes])[:-1].tolist()
    return _lifted(whole, ends)


def _lifted(points: Points, ends: Sequence[int]) -> Points:
    """With two points of a lifted pen before each of `ends`: where it went up and comes down."""
    at = np.asarray(ends, dtype=np.int64)
    pause = points.t[at] - points.t[at - 1]
    edge = np.minimum(LIFTING, np.maximum(pause, 0) / 3)  # of the pause, in ms

    def with_two(column: Column, last: Ends, first: Ends) -> NDArray[np.float64]:
        return np.insert(column, np.repeat(at, 2), np.stack([last, first], axis=1).ravel())

    none = np.zeros(len(at))
    return Points(
        with_two(points.x, points.x[at - 1], points.x[at]),
        with_two(points.y, points.y[at - 1], points.y[at]),
        with_two(points.t, points.t[at - 1] + edge, points.t[at] - edge),
        None if points.pressure is None else with_two(points.pressure, none, none),
        with_two(points.down.astype(float), none, none) != 0,
    )
