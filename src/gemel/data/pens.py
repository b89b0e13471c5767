"""`read_pen`: whatever a user calls a pen recording, as points with times.

Four formats are told apart by what is in them:

- SVC2004: a line with the number of points, then for each a line with x, y, time, button and, in
  Task 2, azimuth, altitude, pressure.
- A CSV of points: a header `x,y,t` and any of `pressure`, `down` (1 or 0), `stroke`.
- InkML: `<trace>` elements whose points have the channels X, Y, T and perhaps F, the force.
- JSON strokes: a list of strokes, or an object with such a list as `strokes`; a stroke is a list
  of points `{"x", "y", "t", "pressure"}` or `[x, y, t, pressure]`, the last not always there.

Times are milliseconds from any origin, y grows downward as on a screen (SVC2004's, which grows
upward, is turned). In SVC2004 the pen is followed while it is up; elsewhere it is up between two
strokes.
"""

import csv
import io
import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray

from gemel.data.files import file_fault
from gemel.errors import DataError

SUFFIXES = (".txt", ".csv", ".inkml", ".json")
"""The ends of the file names that pen recordings have, in small or capital letters."""

MOST_POINTS = 100_000
MOST_BYTES = 20_000_000
LONGEST = 600.0  # seconds
FURTHEST_BACK = 1.0
"""Seconds that time may step back: more is no jitter of a clock."""
TICK = 0.001
"""Seconds between two points whose times are equal, or step back."""

Column = Float[NDArray[np.float64], " points"]
Ends = Float[NDArray[np.float64], " ends"]


@dataclass(frozen=True, eq=False)
class Recording:
    """What a pen wrote: P points in the order of time.

    Attributes:
        x: [P] in any unit, to the right.
        y: [P] in the same unit, downward.
        t: [P] seconds from the first point, rising.
        pressure: [P] in any unit; None where the device has none.
        down: [P] whether the pen touches.
        still: how many times were equal to the one before, and were moved on by a millisecond.
        back: how many times stepped back, and were moved on by a millisecond.
    """

    x: Column
    y: Column
    t: Column
    pressure: Column | None
    down: Bool[NDArray[np.bool_], " points"]
    still: int = 0
    back: int = 0

    def __len__(self) -> int:
        return len(self.x)


def read_pen(value: Any, origin: str = "") -> Recording:
    """The pen recording in `value`.

    Args:
        value: a path, the bytes of a file, strokes as JSON gives them, an array [P, 3 to 5] of x,
            y, t in milliseconds, pressure, down; or a `Recording`.
        origin: where it came from, for messages; unless given, its path.

    Raises:
        DataError: it cannot be opened or is of none of the formats; it has no or one point, or
            more than `MOST_POINTS`; a number that is none or not finite; time that steps back by
            more than a second, never moves, or goes on for more than ten minutes.
    """
    if isinstance(value, Recording):
        return value
    if isinstance(value, np.ndarray):
        return _checked(_columns(value, origin or "the array"), origin or "the array")
    if isinstance(value, str | os.PathLike):
        path = Path(value)
        fault = file_fault(path, "pen recording")
        if fault is not None:
            raise DataError(f"{origin or path}: {fault[0]}; {fault[1]}")
        return _parsed(path.read_bytes(), origin or str(path))
    if isinstance(value, bytes | bytearray | memoryview):
        return _parsed(bytes(value), origin or "the bytes")
    if isinstance(value, Sequence | Mapping):
        return _checked(_from_strokes(value, origin or "the strokes"), origin or "the strokes")
    raise DataError(
        f"{origin or 'the pen recording'}: expected a path, bytes, strokes or a NumPy array, got "
        f"{type(value).__name__}"
    )


def as_array(recording: Recording) -> Float[NDArray[np.float64], "points 5"]:
    """A recording as an array that `read_pen` reads: x, y, t in ms, pressure, down."""
    pressure = recording.down.astype(float) if recording.pressure is None else recording.pressure
    columns = (recording.x, recording.y, 1000 * recording.t, pressure, recording.down)
    return np.stack([np.asarray(column, np.float64) for column in columns], axis=1)


@dataclass(frozen=True)
class _Points:
    """Points as they are written, times in milliseconds."""

    x: Column
    y: Column
    t: Column
    pressure: Column | None
    down: Bool[NDArray[np.bool_], " points"]


def _parsed(raw: bytes, origin: str) -> Recording:
    """The recording in the bytes of a file, by what they begin with."""
    if len(raw) > MOST_BYTES:
        raise DataError(f"{origin}: {len(raw):,} bytes, more than {MOST_BYTES:,}; cut it to a part")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{origin}: expected a pen recording as text (SVC2004, CSV, InkML or JSON), got bytes "
            f"that are no UTF-8 at {error.start}"
        ) from error
    start = text.lstrip()[:1]
    if start == "<":
        return _checked(_inkml(text, origin), origin)
    if start in ("[", "{"):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{origin}: the JSON cannot be read: {error}") from error
        return _checked(_from_strokes(found, origin), origin)
    lines = text.split("\n")
    if re.fullmatch(r"\s*\d+\s*", lines[0]):
        return _checked(_svc2004(lines, origin), origin)
    return _checked(_csv(text, origin), origin)


def _svc2004(lines: Sequence[str], origin: str) -> _Points:
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
    return _Points(table["x"], -table["y"], table["t"], table.get("pressure"), table["button"] != 0)


def _csv(text: str, origin: str) -> _Points:
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
    points = _Points(table["x"], table["y"], table["t"], table.get("pressure"), down)
    if "stroke" not in cells:
        return points
    ends = [at for at in range(1, count) if cells["stroke"][at] != cells["stroke"][at - 1]]
    return _lifted(points, ends)


def _inkml(text: str, origin: str) -> _Points:
    """The traces of InkML (W3C 2011), with explicit values: no differences, no entities."""
    if re.search(r"<!(DOCTYPE|ENTITY)", text, re.IGNORECASE):
        raise DataError(f"{origin}: InkML with a DOCTYPE or entities is not read; remove them")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise DataError(f"{origin}: the XML cannot be read: {error}") from error
    names = [
        str(node.get("name")).upper() for node in root.iter() if _local(node.tag) == "channel"
    ] or ["X", "Y", "T", "F"]
    units = {
        str(node.get("name")).upper(): node.get("units")
        for node in root.iter()
        if _local(node.tag) == "channel"
    }
    traces = [node for node in root.iter() if _local(node.tag) == "trace"]
    if not traces:
        raise DataError(f"{origin}: XML without a <trace>; expected InkML")
    strokes = []
    for place, trace in enumerate(traces, start=1):
        where = f"{origin} trace {place}"
        rows = [point.split() for point in (trace.text or "").split(",") if point.strip()]
        if any(re.search(r"['\"!*?]", word) for row in rows for word in row):
            raise DataError(f"{where}: only explicit values are read, not differences ('), or (!)")
        if any(len(row) > len(names) or len(row) < 3 for row in rows) or "T" not in names:
            raise DataError(
                f"{where}: expected points with the channels X, Y and T (time); the channels are "
                f"{' '.join(names)}: record with time, which tells forgeries"
            )
        columns = {
            name: _numbers([row[at] for row in rows if at < len(row)], name, where)
            for at, name in enumerate(names)
        }
        scale = 1000.0 if units.get("T") == "s" else 1.0
        pressure = columns.get("F")
        strokes.append(
            _Points(
                columns["X"],
                columns["Y"],
                columns["T"] * scale,
                pressure if pressure is not None and len(pressure) == len(rows) else None,
                np.full(len(rows), trace.get("type") != "penUp"),
            )
        )
    return _joined(strokes)


def _local(tag: Any) -> str:
    """The name of an XML element without its namespace."""
    return str(tag).rpartition("}")[2]


def _from_strokes(value: Any, origin: str) -> _Points:
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
    return _joined(strokes)


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


def _stroke(rows: Sequence[Sequence[Any]], where: str) -> _Points:
    columns = [_numbers([row[at] for row in rows], name, where) for at, name in enumerate("xyt")]
    force = [row[3] for row in rows if len(row) > 3]
    pressure = _numbers(force, "pressure", where) if len(force) == len(rows) else None
    return _Points(columns[0], columns[1], columns[2], pressure, np.ones(len(rows), np.bool_))


def _columns(array: NDArray[Any], origin: str) -> _Points:
    """An array [P, 3 to 5]."""
    if array.ndim != 2 or not 3 <= array.shape[1] <= 5 or array.dtype.kind not in "iufb":
        raise DataError(
            f"{origin}: expected an array [points, 3 to 5] of x, y, t in milliseconds, pressure, "
            f"down; got {array.dtype} of shape {array.shape}"
        )
    table = array.astype(np.float64)
    return _Points(
        table[:, 0],
        table[:, 1],
        table[:, 2],
        table[:, 3] if table.shape[1] > 3 else None,
        table[:, 4] != 0 if table.shape[1] > 4 else np.ones(len(table), np.bool_),
    )


def _numbers(cells: Sequence[Any], name: str, where: str) -> Column:
    """Finite numbers, of texts or numbers.

    Raises:
        DataError: one is none, or not finite; the first such is named.
    """
    found = np.empty(len(cells))
    for at, cell in enumerate(cells):
        try:
            found[at] = float("nan") if isinstance(cell, bool) else float(cell)
        except (TypeError, ValueError, OverflowError):
            found[at] = math.nan
        if not math.isfinite(found[at]):
            raise DataError(
                f"{where}: the {name} of point {at + 1} is {cell!r:.30}; expected a finite number"
            )
    return found


def _joined(strokes: Sequence[_Points]) -> _Points:
    """Strokes one after the other, with the pen up between them."""
    if not strokes:
        empty = np.empty(0)
        return _Points(empty, empty, empty, None, np.empty(0, np.bool_))
    x, y, t = (np.concatenate([getattr(stroke, name) for stroke in strokes]) for name in "xyt")
    forces = [stroke.pressure for stroke in strokes if stroke.pressure is not None]
    whole = _Points(
        x,
        y,
        t,
        np.concatenate(forces) if len(forces) == len(strokes) else None,
        np.concatenate([stroke.down for stroke in strokes]),
    )
    ends = np.cumsum([len(stroke.x) for stroke in strokes])[:-1].tolist()
    return _lifted(whole, ends)


def _lifted(points: _Points, ends: Sequence[int]) -> _Points:
    """With two points of a lifted pen before each of `ends`: where it went up and comes down."""
    at = np.asarray(ends, dtype=np.int64)
    pause = points.t[at] - points.t[at - 1]
    edge = np.minimum(1000 * TICK, np.maximum(pause, 0) / 3)  # of the pause, in ms

    def with_two(column: Column, last: Ends, first: Ends) -> NDArray[np.float64]:
        return np.insert(column, np.repeat(at, 2), np.stack([last, first], axis=1).ravel())

    none = np.zeros(len(at))
    return _Points(
        with_two(points.x, points.x[at - 1], points.x[at]),
        with_two(points.y, points.y[at - 1], points.y[at]),
        with_two(points.t, points.t[at - 1] + edge, points.t[at] - edge),
        None if points.pressure is None else with_two(points.pressure, none, none),
        with_two(points.down.astype(float), none, none) != 0,
    )


def _checked(points: _Points, origin: str) -> Recording:
    """A recording whose time rises, or the error that says why there is none."""
    if not 2 <= len(points.x) <= MOST_POINTS:
        raise DataError(
            f"{origin}: {len(points.x)} point{'s' * (len(points.x) != 1)}; a pen recording has 2 "
            f"to {MOST_POINTS:,}: remove it"
        )
    seconds = (points.t - points.t[0]) / 1000
    steps = np.diff(seconds)
    if steps.min() < -FURTHEST_BACK:
        at = int(steps.argmin()) + 2
        raise DataError(
            f"{origin}: the time of point {at} is {-steps.min():.1f} s before the one before it; "
            "points must come in the order of time, in milliseconds"
        )
    if not (steps > 0).any():
        raise DataError(f"{origin}: its time never moves; record the time of each point, in ms")
    risen = np.maximum.accumulate(seconds)
    moved = np.maximum(np.diff(risen), TICK)
    time = np.concatenate([[0.0], np.cumsum(moved)])
    if time[-1] > LONGEST:
        raise DataError(
            f"{origin}: it takes {time[-1]:,.0f} seconds, more than {LONGEST:.0f}; times are in "
            "milliseconds: divide them, or cut the recording"
        )
    return Recording(
        points.x,
        points.y,
        time,
        points.pressure,
        points.down,
        still=int((steps == 0).sum()),
        back=int((steps < 0).sum()),
    )
