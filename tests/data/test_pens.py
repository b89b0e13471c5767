"""Pen recordings: four formats and three kinds of values, read alike or refused in words."""

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gemel.data import pens, read_pen
from gemel.data.pens import Recording, as_array
from gemel.errors import DataError

Stroke = list[list[float]]
STROKES: list[Stroke] = [
    [[10, 20, 1000, 5], [11, 22.5, 1010, 6], [13, 21, 1020, 7]],
    [[30, -4, 1100, 2], [31, -5, 1110, 3]],
]
X = [10, 11, 13, 13, 30, 30, 31]
Y = [20, 22.5, 21, 21, -4, -4, -5]
T = [0, 0.010, 0.020, 0.021, 0.099, 0.100, 0.110]
PRESSURE = [5, 6, 7, 0, 0, 2, 3]
DOWN = [True, True, True, False, False, True, True]

SVC = """7
10 -20 1000 1 9 8 5
11 -22.5 1010 1 9 8 6
13 -21 1020 1 9 8 7
13 -21 1021 0 9 8 0
30 4 1099 0 9 8 0
30 4 1100 1 9 8 2
31 5 1110 1 9 8 3
"""
CSV = """\ufeffStroke,pressure, X ,y,t
a,5,10,20,1000
a,6,11,22.5,1010
a,7,13,21,1020
b,2,30,-4,1100
b,3,31,-5,1110
"""
INKML = """<?xml version="1.0" encoding="UTF-8"?>
<ink xmlns="http://www.w3.org/2003/InkML">
 <traceFormat><channel name="X"/><channel name="Y"/><channel name="F"/>
  <channel name="T" units="ms"/></traceFormat>
 <trace>10 20 5 1000, 11 22.5 6 1010, 13 21 7 1020</trace>
 <trace/>
 <trace>30 -4 2 1100, 31 -5 3 1110,</trace>
</ink>"""


def named(strokes: list[Stroke]) -> list[list[dict[str, float]]]:
    return [
        [dict(zip(("x", "y", "t", "pressure"), point, strict=False)) for point in stroke]
        for stroke in strokes
    ]


SAME = {
    "svc2004": SVC.encode(),
    "csv": CSV.encode(),
    "inkml": INKML.encode(),
    "inkml in seconds": INKML.replace('units="ms"', 'units="s"')
    .replace("1000", "1")
    .replace("1010", "1.01")
    .replace("1020", "1.02")
    .replace("1100", "1.1")
    .replace("1110", "1.11")
    .encode(),
    "json rows": json.dumps(STROKES).encode(),
    "json names": json.dumps({"strokes": named(STROKES), "pen": "mouse"}).encode(),
    "json points": json.dumps([{"points": stroke} for stroke in named(STROKES)] + [[]]).encode(),
    "strokes": STROKES,
    "named strokes": {"strokes": named(STROKES)},
    "array": np.array([X, Y, [1000 + 1000 * t for t in T], PRESSURE, DOWN]).T,
}


def written_as(value: Any, what: str = "it") -> str:
    """The refusal of a value."""
    with pytest.raises(DataError) as caught:
        read_pen(value, what)
    assert str(caught.value).startswith(what)
    return str(caught.value)


@pytest.mark.parametrize("how", SAME)
def test_every_format_gives_the_same_recording(how: str, tmp_path: Path) -> None:
    value = SAME[how]
    found = read_pen(value)
    assert found.x.tolist() == X
    assert found.y.tolist() == Y
    np.testing.assert_allclose(found.t, T, rtol=0, atol=1e-9)
    assert found.pressure is not None
    assert found.pressure.tolist() == PRESSURE
    assert found.down.tolist() == DOWN
    assert (found.still, found.back, len(found)) == (0, 0, 7)
    assert read_pen(found) is found
    if isinstance(value, bytes):
        file = tmp_path / "one"
        file.write_bytes(value)
        assert np.array_equal(as_array(read_pen(file)), as_array(found))
        assert np.array_equal(as_array(read_pen(str(file))), as_array(found))
        assert np.array_equal(as_array(read_pen(memoryview(value))), as_array(found))
    again = read_pen(as_array(found))
    assert np.array_equal(again.x, found.x)
    np.testing.assert_allclose(again.t, found.t, rtol=0, atol=1e-12)


def test_without_pressure_there_is_none_and_task_1_has_none() -> None:
    bare = [[point[:3] for point in stroke] for stroke in STROKES]
    count, *rows = SVC.strip().split("\n")
    task_1 = "\n".join([count, *(" ".join(row.split()[:4]) for row in rows)])
    csv = "t,x,y,stroke\n" + "".join(
        f"{t},{x},{y},{number}\n" for number, each in enumerate(bare) for x, y, t in each
    )
    plain = INKML.replace('<channel name="F"/>', "")
    for force in ("5 1", "6 1", "7 1", "2 1", "3 1"):
        plain = plain.replace(f" {force}", f" {force[2:]}")
    for value in (bare, task_1.encode(), csv.encode(), plain.encode()):
        found = read_pen(value)
        assert found.pressure is None
        assert (found.x.tolist(), found.down.tolist()) == (X, DOWN)
    assert as_array(read_pen(bare))[:, 3].tolist() == [1] * 7
    half = [[*STROKES[0][:2], STROKES[0][2][:3]], STROKES[1]]  # one point lacks it
    assert read_pen(half).pressure is None


def test_a_csv_may_say_where_the_pen_is_down_and_inkml_where_it_is_up() -> None:
    lines = ["x,y,t,down", "1,2,0,1", "2,2,10,0", "3,2,20,1.0"]
    assert read_pen("\n".join(lines).encode()).down.tolist() == [True, False, True]
    hovering = INKML.replace("<trace>30", '<trace type="penUp">30')
    assert read_pen(hovering.encode()).down.tolist() == [True] * 3 + [False] * 4


def slowly(times: list[float]) -> tuple[list[float], int, int]:
    """Seconds from the first, each later than the last by what it says, a millisecond at least."""
    out, latest = [0.0], times[0]
    for time in times[1:]:
        out.append(out[-1] + max((max(latest, time) - latest) / 1000, 0.001))
        latest = max(latest, time)
    steps = [b - a for a, b in pairwise(times)]
    return out, sum(step == 0 for step in steps), sum(step < 0 for step in steps)


@settings(max_examples=80)
@given(st.lists(st.integers(0, 900), min_size=2, max_size=12).filter(lambda t: max(t) > t[0]))
def test_time_that_stands_still_or_jitters_is_moved_on(times: list[int]) -> None:
    found = read_pen([[[0, 0, time] for time in times]])
    expected, still, back = slowly([float(time) for time in times])
    np.testing.assert_allclose(found.t, expected, rtol=0, atol=1e-9)
    assert (np.diff(found.t) >= 0.001 - 1e-12).all()
    assert (found.still, found.back) == (still, back)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "0 points; a pen recording has 2 to 100,000"),
        ([[]], "0 points"),
        ([[[1, 2, 3]]], "1 point; "),
        (b"0\n", "0 points"),
        (b"1\n1 2 3 1\n", "1 point;"),
        (b"x,y,t\n", "0 points"),
        (b"x,y,t\n1,2,3", "1 point;"),
        (b"<ink><trace/></ink>", "0 points"),
        (np.zeros((1, 3)), "1 point;"),
        (np.zeros((100_001, 3)), "100001 points; a pen recording has 2 to 100,000"),
        ([[[1, 2, 5], [2, 2, 5], [3, 2, 5]]], "its time never moves"),
        ([[[1, 2, 2000], [2, 2, 999]]], "the time of point 2 is 1.0 s before an earlier one"),
        ([[[0, 0, t] for t in (0, 900, 300, 2000, 999)]], "point 5 is 1.0 s before"),
        ([[[1, 2, 0], [2, 2, 600_001]]], "it takes 600 seconds, more than 600"),
        ([[[1, 2, 0], [2, math.nan, 1]]], "the y of point 2 is nan; expected a finite number"),
        ([[[1, 2, 0], [math.inf, 2, 1]]], "stroke 1: the x of point 2 is inf"),
        ([[[1, 2, 0], [1e300, 2, 1]]], "the x of point 2 is 1e+300"),
        ([[[1, 2, 0], [1, 2, -2e15]]], "the t of point 2 is -2000000000000000.0"),
        ([[[1, 2, 0], [1, 2, 10**400]]], "the t of point 2 is 1000"),
        ([[[1, 2, 0], [True, 2, 1]]], "the x of point 2 is True"),
        ([[[1, 2, 0], [None, 2, 1]]], "the x of point 2 is None"),
        ([[[1, 2, 0, 1], [1, 2, 1, "hard"]]], "the pressure of point 2 is 'hard'"),
        (np.array([[1, 2, 0], [1, math.nan, 1]]), "the y of point 2 is nan"),
        (b"x,y,t\n1,2,0\n1,two,1", "the y of point 2 is 'two'"),
        (b"2\n1 2 3 1\n1 2 q 1\n", "the t of point 2 is 'q'"),
        (b"3\n1 2 3 1\n1 2 4 1\n", "its first line promises 3 points, 2 follow; the file may be"),
        (b"1\n1 2 3 1\n1 2 4 1\n", "promises 1 points, 2 follow"),
        (b"2\n1 2 3 1\n1 2 4 1 5\n", "line 3: 5 numbers; SVC2004 has 4 (Task 1) or 7 (Task 2)"),
        (b"2\n1 2 3 1\n1 2 4 1 5 6 7\n", "line 3: 7 numbers"),
        (b"2\n1 2 3\n1 2 4\n", "line 2: 3 numbers"),
        (b"9" * 5000, "expected a pen recording: SVC2004's text, InkML"),
        (b"x,y\n1,2\n", "a CSV with the header x,y,t and any of pressure,down,stroke"),
        (b"x,y,t,x\n1,2,3,4\n", "it begins with 'x,y,t,x"),
        (b"x,y,t,colour\n1,2,3,4\n", "with the header x,y,t"),
        (b"x,y,t\n1,2,3\n1,2\n", "row 3: 2 cells, where the header has 3"),
        (b'x,y,t\n"1,2,3\n', "no CSV"),
        (b"hello", "it begins with 'hello'"),
        (b"", "expected a pen recording"),
        (b"\xff\xd8\xff\xe0", "got bytes that are no UTF-8 at 0"),
        (b"\x89PNG", "got bytes that are no UTF-8 at 0"),
        (b"[" * 100_000, "the JSON cannot be read"),
        (b'{"strokes": [', "the JSON cannot be read"),
        (b'{"ink": []}', 'or such a list as "strokes"'),
        (b"[3]", "stroke 1: expected a list of points, got int"),
        (b'["abc"]', "stroke 1: expected a list of points, got str"),
        (b'[{"dots": []}]', "stroke 1: expected a list of points, got NoneType"),
        (b"[[[1, 2]]]", "stroke 1 point 1: expected x, y, t in milliseconds"),
        (b'[[{"x": 1, "y": 2}]]', "stroke 1 point 1: expected x, y, t"),
        (b"[[[1, 2, 3, 4, 5]]]", "stroke 1 point 1"),
        (b'[["abc"]]', "stroke 1 point 1"),
        (b"<ink><trace>1 2 3, 1 2 4</ink>", "the XML cannot be read"),
        (b"<svg/>", "XML without a <trace>; expected InkML"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><ink/>', "a DOCTYPE or entities is not read"),
        (b"<!doctype ink><ink/>", "a DOCTYPE or entities is not read"),
        (b"<ink><trace>1 2 3, '1 2 4</trace></ink>", "trace 1: only explicit values"),
        (b"<ink><trace>1 2 3, !1 2 4</trace></ink>", "trace 1: only explicit values"),
        (b"<ink><trace>1 2 3, 1 2</trace></ink>", "trace 1 point 2: 2 numbers; the channels are"),
        (b"<ink><trace>1 2 3 4 5</trace></ink>", "trace 1 point 1: 5 numbers"),
        (
            b'<ink><traceFormat><channel name="X"/><channel name="Y"/></traceFormat>'
            b"<trace>1 2, 3 4</trace></ink>",
            "expected the channels X, Y and T (time), got X Y",
        ),
        (
            b'<ink><traceFormat><channel name="X"/><channel name="Y"/><channel name="T"/>'
            b'</traceFormat><traceFormat><channel name="T"/></traceFormat>'
            b"<trace>1 2 3, 3 4 5</trace></ink>",
            "different channels is not read; its formats are X Y T and T",
        ),
        (np.zeros((4, 2)), "expected an array [points, 3 to 5]"),
        (np.zeros((4, 6)), "of shape (4, 6)"),
        (np.zeros(4), "of shape (4,)"),
        (np.zeros((4, 3), dtype=complex), "got complex128"),
        (3, "expected a path, bytes, strokes or a NumPy array, got int"),
        (None, "got NoneType"),
    ],
)
def test_what_is_no_recording_is_refused_in_words(value: Any, message: str) -> None:
    assert message in written_as(value)


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    assert "no file" in written_as(tmp_path / "a.csv", "a.csv")
    assert "is a folder, not a pen recording" in written_as(tmp_path, "there")
    (tmp_path / "empty.csv").touch()
    with pytest.raises(DataError, match=r"empty.csv: .* is empty \(0 bytes\); put the pen rec"):
        read_pen(tmp_path / "empty.csv")
    with (tmp_path / "large.csv").open("wb") as file:
        file.truncate(pens.MOST_BYTES + 1)
    assert "20,000,001 bytes, more than 20,000,000" in written_as(tmp_path / "large.csv", "large")
    assert "20,000,001 bytes" in written_as(bytes(pens.MOST_BYTES + 1))


def sound(found: Recording) -> None:
    assert 2 <= len(found) <= pens.MOST_POINTS
    assert found.t[0] == 0
    assert (np.diff(found.t) > 0).all()
    assert found.t[-1] <= pens.LONGEST
    columns = (found.x, found.y, found.t, found.down, found.pressure)
    for column in columns:
        assert column is None or (len(column) == len(found) and np.isfinite(column).all())


def check_any(value: Any) -> None:
    """A recording, or an error that is meant."""
    try:
        sound(read_pen(value))
    except DataError:
        return


WORDS = (
    "<trace> </trace> <ink> </ink> 1 -2.5 , [ ] { } x,y,t ,stroke 1e99 nan 3 <traceFormat> "
    "</traceFormat> <channel/> \ufeff"
)
bits = st.sampled_from([*WORDS.encode().split(), b" ", b"\n", b"\r\n", b"\0", b'{"x":', b"\xe2"])


@settings(max_examples=400)
@example(b"\x1c0")  # white to a regular expression, not to int()
@given(st.binary(max_size=60) | st.lists(bits, max_size=25).map(b"".join))
def test_any_bytes_give_a_recording_or_an_error_that_is_meant(raw: bytes) -> None:
    check_any(raw)


@settings(max_examples=300)
@given(st.data())
def test_damaged_files_give_a_recording_or_an_error_that_is_meant(data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from([v for v in SAME.values() if isinstance(v, bytes)]))
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(len(whole), start + 40)))
    check_any(whole[:start] + data.draw(st.binary(max_size=4) | bits) + whole[end:])


numbers = st.floats() | st.integers() | st.none() | st.booleans() | st.text(max_size=3)
points = st.lists(numbers, max_size=5) | st.dictionaries(
    st.sampled_from(["x", "y", "t", "pressure"]), numbers
)


@settings(max_examples=300)
@given(st.lists(st.lists(points, max_size=4) | numbers, max_size=3))
def test_any_strokes_give_a_recording_or_an_error_that_is_meant(strokes: list[Any]) -> None:
    check_any(strokes)
    check_any(json.dumps(strokes).encode())


@settings(max_examples=150)
@given(
    st.lists(
        st.tuples(*[st.floats(-1e15, 1e15)] * 2, st.integers(0, 10**5), st.floats(0, 1)),
        min_size=2,
        max_size=9,
    )
)
def test_any_finite_points_in_order_are_read(rows: list[tuple[float, ...]]) -> None:
    ordered = sorted(rows, key=lambda row: row[2])
    if ordered[0][2] < ordered[-1][2]:
        found = read_pen([[list(row) for row in ordered]])
        sound(found)
        assert found.x.tolist() == [row[0] for row in ordered]
