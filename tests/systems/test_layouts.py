"""What is measured of a map, against slow loops and maps whose figures are known."""

import numpy as np
import pytest

from gemel.systems.layouts import Judge, apart, from_middle, kept, same_copy, same_label

GENERATOR = np.random.default_rng(0)


def nearest(values: np.ndarray, item: int, count: int) -> list[int]:
    far = np.linalg.norm(values - values[item], axis=1)
    return [int(other) for other in np.argsort(far) if other != item][:count]


def test_kept_neighbours_against_a_slow_loop() -> None:
    points, values = GENERATOR.random((30, 2)), GENERATOR.random((30, 3))
    shares, chance = kept(points, values, 4)
    edges = {frozenset((i, j)) for i in range(30) for j in nearest(values, i, 4)}
    for item in range(30):
        found = [frozenset((item, other)) in edges for other in nearest(points, item, 4)]
        assert shares[item] == pytest.approx(np.mean(found))
    assert chance == pytest.approx(len(edges) / (30 * 29 / 2))
    assert kept(values[:, :2], np.pad(values[:, :2], ((0, 0), (0, 5))), 4)[0].min() == 1


def test_same_label_is_of_the_nearest_other() -> None:
    points = np.array([[0.0, 0], [1, 0], [1.5, 0], [9, 0]])
    assert same_label(points, np.array(["a", "b", "b", "a"])).tolist() == [0, 1, 1, 0]


def test_same_copy_against_a_slow_loop() -> None:
    copies, count = 3, 4
    points = GENERATOR.random((24, 2))
    found = []
    for item in range(24):
        others = [j for j in nearest(points, item, 23) if j // copies != item // copies][:count]
        found.append(np.mean([j % copies == item % copies for j in others]))
    expected = np.reshape(found, (8, copies)).mean(axis=1)
    np.testing.assert_allclose(same_copy(points, copies, count), expected)


def test_same_copy_of_maps_that_see_all_and_nothing() -> None:
    clusters = np.tile(np.array([[0.0, 0], [100, 0], [200, 0]]), (20, 1))
    noise = GENERATOR.random((60, 2))
    assert (same_copy(clusters + noise, 3, 5) == 1).all()
    blind = np.repeat(GENERATOR.random((400, 2)), 3, axis=0) + GENERATOR.normal(0, 1e-9, (1200, 2))
    assert same_copy(blind, 3, 5).mean() == pytest.approx(1 / 3, abs=0.05)


def test_apart_against_a_slow_loop() -> None:
    points = GENERATOR.random((12, 2))
    within, beyond = apart(points, 3)
    for item in range(4):
        own = range(3 * item, 3 * item + 3)
        near = [np.linalg.norm(points[i] - points[j]) for i in own for j in own if i < j]
        far = [
            np.linalg.norm(points[i] - points[j]) for i in own for j in range(12) if j not in own
        ]
        assert within[item] == pytest.approx(np.mean(near))
        assert beyond[item] == pytest.approx(np.mean(far))


def test_from_middle() -> None:
    assert from_middle(np.array([[0.0, 0], [6, 8]])).tolist() == [5, 5]


def test_judge_gives_each_figure_its_interval() -> None:
    above, below = GENERATOR.random(300), GENERATOR.random(300) + 1
    judge = Judge("made", "digits", 3)
    ratio, mean = judge.ratio("r", above, below), judge.mean("m", above)
    assert ratio.value == pytest.approx(above.sum() / below.sum())
    # the deviation of a ratio of means, by its first derivatives
    deviation = (above - ratio.value * below).std() / below.mean() / np.sqrt(300)
    assert ratio.low == pytest.approx(ratio.value - 1.96 * deviation, abs=0.3 * deviation)
    assert ratio.high == pytest.approx(ratio.value + 1.96 * deviation, abs=0.3 * deviation)
    assert (ratio.count, ratio.unit, ratio.split, ratio.seed) == (300, "digits", "made", 3)
    assert not ratio.percent
    assert mean.percent
    assert mean.low < mean.value == above.mean() < mean.high
    assert "bootstrap over 300 digits" in mean.method
