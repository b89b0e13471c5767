"""The charts show the curves they are given."""

import re

import numpy as np
import pytest
from pages import Element, parsed

from gemel.evaluation import det, roc
from gemel.evaluation.reliability import reliability
from gemel.reports import curves

GENERATOR = np.random.default_rng(2)
SAME = np.repeat([True, False], 400)
DISTANCE = np.where(SAME, GENERATOR.normal(1, 0.6, 800), GENERATOR.normal(2, 0.6, 800)).astype(
    np.float32
)


def points(line: Element) -> np.ndarray:
    return np.array(re.findall(r"(-?[\d.]+) (-?[\d.]+)", str(line.attributes["d"])), dtype=float)


def test_roc_reads_off_the_curve() -> None:
    near = DISTANCE <= 1.4
    at = float(near[~SAME].mean()), float(near[SAME].mean())
    root = parsed(curves.roc_chart([("m", roc(DISTANCE, SAME), at)], 1e-2))
    for rate, said in ((0.01, "1 %"), (0.1, "10 %")):
        cut = np.sort(DISTANCE[~SAME])[int(rate * 400)]  # the first that may not be accepted
        reached = (DISTANCE[SAME] < cut).mean()
        assert f"{100 * reached:.4g} % at {said}" in root.find("desc")[0].text
    legend = [one.text for one in root.find("li")]
    assert legend == ["chance", "m", "the threshold"]


def test_det_falls() -> None:
    curve = det(DISTANCE, SAME)
    root = parsed(curves.det_chart([("m", curve, (0.1, 0.9)), ("n", curve, (0.1, 0.8))], 1e-2))
    drawn = points(root.find("path", class_="line s0")[0])
    assert (np.diff(drawn[:, 0]) >= 0).all()
    assert (np.diff(drawn[:, 1]) >= 0).all()  # downwards is more
    assert "threshold of n" in [one.text for one in root.find("li")]


def test_bins_hold_every_pair() -> None:
    edges, same, different = curves.distance_bins(DISTANCE, SAME)
    assert same.sum() == pytest.approx(1)
    assert different.sum() == pytest.approx(1)
    inside = (DISTANCE[SAME] >= edges[3]) & (DISTANCE[SAME] < edges[4])
    assert same[3] == pytest.approx(inside.mean())


@pytest.mark.parametrize("threshold", [None, 1.5, -3.0])
def test_distances_with_threshold_and_band(threshold: float | None) -> None:
    close = None if threshold is None else (threshold - 0.1, threshold + 0.1)
    drawn = curves.distance_chart(curves.distance_bins(DISTANCE, SAME), threshold, close)
    legend = [one.text for one in parsed(drawn).find("li")]
    both = ["same pairs", "different pairs"]
    assert legend == (both if threshold is None else ["too close to call", *both, "the threshold"])


def test_reliability_has_a_whisker_a_bin() -> None:
    stated = np.clip(GENERATOR.normal(0.5, 0.2, 800), 0, 1)
    bins = reliability(stated, SAME)
    root = parsed(curves.reliability_chart(bins))
    assert len(root.find("path", class_="whisker s0")) == len(bins)
    assert f"{100 * bins[0].found:.4g} % found" in root.find("desc")[0].text


@pytest.mark.parametrize("labels", [1, 2, 5, 90])
def test_cmc_ends_at_fifty(labels: int) -> None:
    rates = np.sort(GENERATOR.random(labels))
    rates[-1] = 1
    root = parsed(curves.cmc_chart([("m", rates)]))
    assert f"{100 * rates[0]:.4g}"[:3] in root.find("desc")[0].text
    ticks = [int(one.text) for one in root.find("text") if one.text.isdigit()]
    assert ticks[0] == 1
    assert max(ticks) <= max(min(labels, 50), 2)


def test_training_without_validation_has_one_chart() -> None:
    history = [{"step": step, "loss": 1 / step} for step in range(1, 30)]
    assert len(curves.training_charts(history)) == 1
    history[9]["validation"] = 0.5
    loss, validation = (parsed(one) for one in curves.training_charts(history))
    assert "From 1 at step 1 to 0.03448 at step 29" in loss.find("desc")[0].text
    assert len(validation.find("path", class_="mark s1")) == 1
    assert curves.training_charts([]) == []
