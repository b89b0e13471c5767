"""Maps show the points they were given: each in its colour, pictures where there is room."""

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure as Canvas
from matplotlib.offsetbox import AnnotationBbox

from gemel.reports import maps
from gemel.reports.maps import Panel
from gemel.reports.pictures import PALETTE

GENERATOR = np.random.default_rng(0)


def all_axes(canvas: Canvas) -> list[Axes]:
    canvas.draw_without_rendering()
    return canvas.get_axes()


def drawn(axes: Axes) -> dict[tuple[float, ...], np.ndarray]:
    """By colour, the points that stand in it, sorted."""
    found: dict[tuple[float, ...], list[np.ndarray]] = {}
    for one in axes.collections:
        colour = tuple(np.round(one.get_facecolor()[0][:3], 6))
        found.setdefault(colour, []).append(np.asarray(one.get_offsets()))
    return {colour: _sorted(np.concatenate(parts)) for colour, parts in found.items()}


def _sorted(points: np.ndarray) -> np.ndarray:
    return points[np.lexsort(points.T)]


def rounded(colour: str) -> tuple[float, ...]:
    return tuple(np.round(to_rgb(colour), 6))


def test_each_point_has_the_colour_of_its_label() -> None:
    points = GENERATOR.random((50, 2))
    labels = GENERATOR.choice(["4", "9"], 50)
    panel = Panel("map", points, labels.tolist(), ["4", "9"])
    (axes,) = all_axes(maps.draw_panels([[panel]], "title"))
    assert axes.get_title() == "map"
    shown = drawn(axes)
    for number, name in enumerate(["4", "9"]):
        np.testing.assert_allclose(shown[rounded(PALETTE[number])], _sorted(points[labels == name]))
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["4", "9"]


def test_steps_of_a_quantity_go_from_dark_to_light() -> None:
    names = ["-3", "0", "3"]
    points = GENERATOR.random((30, 2))
    panel = Panel("map", points, names * 10, names, ordered=True)
    (axes,) = all_axes(maps.draw_panels([[panel]], "title"))
    shown = drawn(axes)
    light = [float(np.dot(colour, [0.2126, 0.7152, 0.0722])) for colour in shown]
    assert len(shown) == 3
    assert light == sorted(light)
    for place, mine in enumerate(shown.values()):
        np.testing.assert_allclose(mine, _sorted(points[place::3]))


def test_maps_to_be_compared_have_one_scale() -> None:
    wide, narrow = GENERATOR.random((40, 2)) * [10, 4], GENERATOR.random((40, 2)) * 0.01
    panels = [
        Panel(name, points, ["a"] * 40, ["a"]) for name, points in (("w", wide), ("n", narrow))
    ]
    first, second = all_axes(maps.draw_panels([panels], "title", share=True))
    assert np.ptp(first.get_xlim()) == pytest.approx(np.ptp(second.get_xlim()))
    assert np.ptp(first.get_xlim()) >= 10
    for axes, points in ((first, wide), (second, narrow)):
        assert axes.get_xlim()[0] <= points[:, 0].min()
        assert axes.get_xlim()[1] >= points[:, 0].max()


def test_pictures_stand_at_their_points_and_leave_each_other_room() -> None:
    points = np.concatenate([GENERATOR.random((300, 2)), np.full((50, 2), 0.5)])
    pictures = GENERATOR.integers(0, 255, (350, 6, 6)).astype(np.uint8)
    labels = GENERATOR.choice(["4", "9"], 350).tolist()
    (axes,) = all_axes(maps.draw_with_pictures(points, labels, pictures, "title"))
    shown = [one for one in axes.get_children() if isinstance(one, AnnotationBbox)]
    assert 100 < len(shown) < 301
    places = np.array([one.xy for one in shown])
    gaps = np.abs(places[:, None] - places).max(axis=2) + np.eye(len(places))
    assert gaps.min() > 0.03
    for one in shown:
        ink = np.asarray(one.offsetbox.get_data())
        (item,) = np.flatnonzero((points == one.xy).all(axis=1))[:1]
        candidates = np.flatnonzero((points == points[item]).all(axis=1))
        assert any((ink[..., 3] == pictures[i] / 255).all() for i in candidates)
        assert ink[0, 0, :3] in np.array([to_rgb(PALETTE[0]), to_rgb(PALETTE[1])])


def test_a_map_of_one_point_can_be_drawn() -> None:
    canvas = maps.draw_with_pictures(
        np.zeros((3, 2)), ["a"] * 3, np.zeros((3, 4, 4), np.uint8), "t"
    )
    shown = [one for one in all_axes(canvas)[0].get_children() if isinstance(one, AnnotationBbox)]
    assert len(shown) == 1


def test_springs_are_drawn_as_given() -> None:
    distances = np.linspace(0, 1, 5)
    springs = {"near": (distances**2, -distances), "far": (1 - distances, 1 - distances)}
    history = [(10 * step, 1 / step) for step in range(1, 46)]
    cost, force, curve = all_axes(maps.draw_springs(distances, springs, history, "title"))
    for axes, which in ((cost, 0), (force, 1)):
        lines = {line.get_label(): line for line in axes.lines}
        for name, values in springs.items():
            np.testing.assert_array_equal(lines[name].get_ydata(), values[which])
    raw, smooth = (np.asarray(line.get_xydata()) for line in curve.lines)
    np.testing.assert_array_equal(raw, history)
    np.testing.assert_allclose(smooth, [np.mean(history[i : i + 3], axis=0) for i in range(43)])
