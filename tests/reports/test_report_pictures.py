"""The pictures show what they were given: frames by right and wrong, curves, points."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from PIL import Image

from gemel.evaluation import roc, verification
from gemel.reports import pictures

GENERATOR = np.random.default_rng(0)


def ink() -> pictures.Picture:
    return GENERATOR.integers(0, 255, (9, 9)).astype(np.uint8)


def test_episode_marks_right_and_wrong() -> None:
    references = [ink() for _ in range(3)]
    queries = [ink() for _ in range(4)]
    episode = pictures.Episode("title", references, queries, [0, 0, 2, 1], [0, 1, 2, 1])
    canvas = pictures.draw_episodes([episode], "head")
    shown = [axes for axes in _all_axes(canvas) if axes.images]
    assert len(shown) == 7
    notes = {axes.get_title(): axes for axes in shown if axes.get_title()}
    assert sorted(axes.get_title() for axes in shown) == ["1", "2", "3", "✓", "✓", "✓", "✗ is 2"]
    wrong = notes["✗ is 2"]
    np.testing.assert_array_equal(np.asarray(wrong.images[0].get_array()), queries[1])
    assert wrong.spines["left"].get_edgecolor() == to_rgba(pictures.WRONG)
    assert notes["✓"].spines["left"].get_edgecolor() == to_rgba(pictures.RIGHT)


def test_roc_draws_each_curve() -> None:
    distance = np.concatenate([GENERATOR.normal(0, 1, 60), GENERATOR.normal(1, 1, 60)])
    same = np.repeat([True, False], 60)
    judged = verification(distance, same, split="x", seed=0, draws=50)
    curve = roc(distance, same)
    canvas = pictures.draw_roc({"one": (curve, judged.auc)}, "title")
    lines = canvas.axes[0].get_lines()
    np.testing.assert_array_equal(lines[0].get_ydata(), curve.true_accept_rate)
    assert f"AUC {judged.auc.value:.3f}" in str(lines[0].get_label())


def test_map_has_every_point_and_name() -> None:
    points = GENERATOR.normal(size=(30, 2))
    labels = [f"c{i % 10}" for i in range(30)]
    canvas = pictures.draw_map(points, labels, "title")
    axes = canvas.axes[0]
    found = np.concatenate([np.asarray(part.get_offsets()) for part in axes.collections])
    assert {tuple(row) for row in found.round(9)} == {tuple(row) for row in points.round(9)}
    assert {text.get_text() for text in axes.texts} == set(labels)


@pytest.mark.parametrize("count", [1, 2])
def test_saved_twice_the_same(tmp_path: Path, count: int) -> None:
    episode = pictures.Episode("title", [ink(), ink()], [ink()], [1], [0])
    for name in ("a.png", "b.png"):
        pictures.save(pictures.draw_episodes([episode] * count, "head"), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as picture:
        assert min(picture.size) > 100


def _all_axes(canvas: object) -> list[object]:
    return [axes for part in canvas.subfigs for axes in part.axes]  # type: ignore[attr-defined]
