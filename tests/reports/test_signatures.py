"""Pictures of signatures show what they are given."""

import numpy as np
import pytest

from gemel.reports.signatures import (
    Aligned,
    draw_channels,
    draw_curves,
    draw_differences,
    draw_scores,
)


def made(points: int = 40) -> np.ndarray:
    """A wave of two seconds, with the pen up in its middle."""
    at = np.linspace(0, 2, points)
    down = np.abs(at - 1) > 0.1
    rows = [at - 1, np.sin(6 * at), at, np.ones(points), down.astype(float)]
    return np.stack(rows)


def test_the_distance_of_a_point_is_the_mean_of_its_cells() -> None:
    own, apart = np.array([0, 0, 1, 3]), np.array([1.0, 3.0, 5.0, 7.0])
    one = Aligned(made(4), np.array([0, 1, 2, 3]), own, apart)
    assert one.of_points.tolist() == [2.0, 5.0, 0.0, 7.0]


def test_channels_have_a_strip_each() -> None:
    canvas = draw_channels({"one": made(), "two": made()}, ["speed", "curvature"])
    strips = [axes for axes in canvas.axes if axes.get_ylabel() in ("speed", "curvature")]
    assert len(strips) == 4
    for axes in strips:
        assert len(axes.lines[0].get_ydata()) == 40
    strokes = canvas.axes[0].collections
    assert len(strokes[0].get_segments()) + len(strokes[1].get_segments()) == 39
    assert len(strokes[1].get_segments()) == int((made()[4, :-1] * made()[4, 1:] == 0).sum())


def test_differences_colour_each_piece_by_its_distance() -> None:
    every, apart = np.arange(40), np.linspace(0, 2, 40)
    canvas = draw_differences(made(), {"claim": Aligned(made(), every, every, apart)})
    axes = canvas.axes[0]
    coloured = axes.collections[2]
    written = np.minimum(made()[4, :-1], made()[4, 1:]) > 0.5
    assert np.asarray(coloured.get_array()).tolist() == apart[:-1][written].tolist()
    assert axes.get_title() == "claim: a mean distance of 1.00 a point"
    assert len(axes.lines) == 12


def test_scores_are_shares_of_a_kind() -> None:
    generator = np.random.default_rng(0)
    kinds = {"genuine": generator.normal(size=50), "forged": 2 + generator.normal(size=90)}
    canvas = draw_scores({"a way": kinds, "another": kinds})
    assert [axes.get_title() for axes in canvas.axes] == ["a way", "another"]
    heights = [patch.get_xy()[:, 1].max() for patch in canvas.axes[0].patches]
    assert all(0 < height <= 100 for height in heights)
    assert [t.get_text() for t in canvas.axes[0].get_legend().get_texts()] == ["genuine", "forged"]


def test_curves_are_the_mean_of_draws() -> None:
    accepts = np.linspace(0, 1, 101)
    draws = [(1 - accepts, accepts), (0.5 * (1 - accepts), accepts)]
    axes = draw_curves({"way": draws}, (0.2, 0.045)).axes[0]
    x, y = (np.asarray(data) for data in axes.lines[0].get_data())
    assert y == pytest.approx(0.75 * (100 - x))
    assert axes.lines[1].get_xydata().tolist() == [[20.0, 4.5]]
    assert axes.get_title() == "Unseen signers, one threshold, mean of 2 draws"
