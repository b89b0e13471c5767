"""Pictures of the published systems: what is drawn where, and in which colour."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure as Canvas

from gemel.evaluation import Figure
from gemel.reports import pictures
from gemel.reports.published import Ranked, draw_bars, draw_course, draw_plate, draw_ranked

INK = np.eye(6)


def texts(canvas: Canvas) -> list[str]:
    return [
        text.get_text()
        for axes in canvas.get_axes()
        for text in [axes.title, *axes.texts]
        if text.get_text()
    ]


def drawn(canvas: Canvas, tmp_path: Path) -> None:
    pictures.save(canvas, tmp_path / "one.png")
    assert (tmp_path / "one.png").stat().st_size > 1000


class TestBars:
    def test_highest_on_top_and_ours_in_colour(self, tmp_path: Path) -> None:
        ours = Figure("x", 0.8, 0.7, 0.85, 400, "trials", "test", 0, "by hand")
        canvas = draw_bars({"low": 0.2, "ours": ours, "high": 0.9}, ["ours"], "Title")
        (axes,) = canvas.get_axes()
        assert [label.get_text() for label in axes.get_yticklabels()] == ["low", "ours", "high"]
        widths = [bar.get_width() for bar in axes.patches]
        assert widths == pytest.approx([20, 80, 90])
        colours = [bar.get_facecolor() for bar in axes.patches]
        assert colours[0] == colours[2] != colours[1]
        (line,) = axes.lines
        assert list(line.get_xdata()) == pytest.approx([70, 85])
        assert "80.0 %" in texts(canvas)
        drawn(canvas, tmp_path)

    def test_no_interval_no_line(self) -> None:
        one = Figure("x", 0.5, np.nan, np.nan, 1, "seeds", "test", 0, "none")
        (axes,) = draw_bars({"ours": one}, ["ours"], "Title").get_axes()
        assert not axes.lines


class TestRanked:
    def test_candidates_stand_by_their_scores(self, tmp_path: Path) -> None:
        card = Ranked(INK, [INK, 2 * INK, 3 * INK], [0.1, 0.9, 0.5], answer=2)
        canvas = draw_ranked([card], "Title")
        shown = [axes for axes in canvas.get_axes() if axes.images]
        assert [axes.images[0].get_array().max() for axes in shown] == [1, 2, 3, 1]
        assert [axes.get_title() for axes in shown] == ["asked ✗", "0.90", "0.50 ✓", "0.10"]
        drawn(canvas, tmp_path)

    def test_right_ones_have_a_tick(self) -> None:
        card = Ranked(INK, [INK, INK], [0.1, 0.9], answer=1)
        assert texts(draw_ranked([card], "Title"))[0] == "asked ✓"


def test_plate_has_a_row_for_each_name(tmp_path: Path) -> None:
    canvas = draw_plate({"first": [INK, INK, INK], "second": [INK]}, "Title")
    assert len([axes for axes in canvas.get_axes() if axes.images]) == 4
    assert texts(canvas) == ["first", "second"]
    drawn(canvas, tmp_path)


def test_course_shows_loss_and_validation(tmp_path: Path) -> None:
    history = [
        {"step": 10, "loss": 2.0},
        {"step": 20, "loss": 1.0, "validation": 0.5},
        {"step": 30, "loss": 0.5, "validation": 0.75},
    ]
    canvas = draw_course(history, "Title")
    loss, beside = canvas.get_axes()
    assert list(loss.lines[0].get_ydata()) == [2.0, 1.0, 0.5]
    assert list(beside.lines[0].get_xdata()) == [20, 30]
    assert list(beside.lines[0].get_ydata()) == [50, 75]
    drawn(canvas, tmp_path)
    assert len(draw_course(history[:1], "Title").get_axes()) == 1
