"""Charts put values where their axes say."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pages import parsed

from gemel.reports.plot import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Axis, Plot, even_axis


@pytest.fixture
def plot() -> Plot:
    return Plot(
        Axis("across", 1e-4, 1, [(1e-4, "low"), (1, "high")], np.log10), even_axis("up", 0, 2)
    )


def test_places(plot: Plot) -> None:
    found = plot.places([1e-4, 1e-2, 1], [0, 1, 2])
    middle = [(LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2]
    np.testing.assert_allclose(
        found, [[LEFT, HEIGHT - BOTTOM], middle, [WIDTH - RIGHT, TOP]], atol=1e-9
    )


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_few_round_and_inside(low: float, wide: float) -> None:
    axis = even_axis("x", low, low + wide)
    places = np.array([place for place, _ in axis.ticks])
    assert 1 <= len(places) <= 8
    assert (places >= low - 1e-9 * wide - 1e-9 * abs(low)).all()
    assert (places <= low + wide + 1e-9 * wide + 1e-9 * abs(low)).all()


def test_what_is_drawn_can_be_read_back(plot: Plot) -> None:
    x, y = np.geomspace(1e-4, 1, 5000), np.linspace(0, 2, 5000)
    plot.line(x, y, 0, "a line", fill=True)
    plot.marks([1e-2], [1], 1, "<a mark>")
    plot.whisker(1e-2, 0.5, 1.5, 2)
    plot.rule(1e-2, "rule")
    plot.band(1e-3, 1e-2, "band")
    root = parsed(plot.svg("slug", "what", "says <what>"))
    assert root.find("desc", id="slug-desc")[0].text == "says <what>"
    line = root.find("path", class_="line s0")[0].attributes["d"]
    points = np.array(re.findall(r"([\d.]+) ([\d.]+)", str(line)), dtype=float)
    assert len(points) < 1000, "points that cannot be told apart are left out"
    np.testing.assert_allclose(points[[0, -1]], plot.places(x[[0, -1]], y[[0, -1]]), atol=0.06)
    slope = (points[1:, 1] - points[0, 1]) / (points[1:, 0] - points[0, 0])
    np.testing.assert_allclose(slope[20:], slope[-1], atol=0.02)
    at = plot.places(1e-2, 1)
    mark = root.find("path", class_="mark s1")[0].attributes["transform"]
    assert mark == f"translate({at[0]:.1f} {at[1]:.1f})"
    (low, _), (high, _) = plot.places([1e-3, 1e-2], [0, 0])
    band = root.find("rect", class_="band")[0].attributes
    assert float(str(band["x"])) == pytest.approx(low, abs=0.01)
    assert float(str(band["width"])) == pytest.approx(high - low, abs=0.01)
    assert [one.text for one in root.find("li")] == ["a line", "<a mark>", "rule", "band"]
    assert {"low", "high", "0", "0.5", "1", "1.5", "2", "across", "up"} == {
        one.text for one in root.find("text")
    }


def test_a_flat_range_has_a_tick() -> None:
    assert len(even_axis("x", 3, 3).ticks) >= 1
