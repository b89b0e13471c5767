"""Reliability and calibration error, against loops over the pairs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.errors import EvaluationError, SettingsError
from gemel.evaluation import wilson
from gemel.evaluation.reliability import calibration_error, reliability


def stated(seed: int = 0, count: int = 600) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    probability = generator.random(count)
    return probability, generator.random(count) < probability


class TestReliability:
    def test_against_a_loop(self) -> None:
        probability, same = stated()
        order = np.argsort(probability)
        points = reliability(probability, same, bins=6)
        for number, point in enumerate(points):
            rows = order[100 * number : 100 * (number + 1)]
            assert point.count == 100
            assert point.stated == pytest.approx(probability[rows].mean())
            assert point.found == pytest.approx(same[rows].mean())
            span = wilson(int(same[rows].sum()), 100)
            assert (point.low, point.high) == (span.low, span.high)

    @given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1), st.integers(1, 9))
    def test_all_pairs_are_there_and_equal_ones_together(
        self, pairs: list[tuple[int, bool]], bins: int
    ) -> None:
        probability = np.array([p for p, _ in pairs]) / 6
        same = np.array([s for _, s in pairs])
        points = reliability(probability, same, bins=bins)
        assert sum(point.count for point in points) == len(pairs)
        assert len(points) <= min(bins, len(set(probability)))
        assert sum(point.found * point.count for point in points) == pytest.approx(same.sum())
        means = [point.stated for point in points]
        assert means == sorted(set(means))
        if bins == 1:
            assert points[0].stated == pytest.approx(probability.mean())


class TestCalibrationError:
    def test_against_its_definition(self) -> None:
        probability, same = stated()
        wrong = probability**2
        found = calibration_error(wrong, same, split="test", seed=0)
        points = reliability(wrong, same)
        wanted = sum(p.count / 600 * abs(p.stated - p.found) for p in points)
        assert found.value == pytest.approx(wanted)
        assert found.low < found.value < found.high
        assert (found.count, found.unit, found.split, found.seed) == (600, "pairs", "test", 0)
        assert found.method.startswith("inverted bootstrap over 600 pairs")

    def test_right_probabilities(self) -> None:
        """Their error is 0, which the interval holds, as it holds the figure and has a width."""
        holds = []
        for seed in range(50):
            probability, same = stated(seed, 400)
            found = calibration_error(probability, same, split="t", seed=seed, draws=100)
            holds.append(found.low == 0)
            assert 0 < found.value <= found.high
            assert 0.06 < found.high < 0.13  # 15 bins of 27 pairs, each off by about 0.08
        assert sum(holds) >= 46

    @pytest.mark.parametrize("power", [1.3, 2.0])
    def test_wrong_probabilities_by_how_much(self, power: float) -> None:
        """The interval holds the true error of its bins about as often as it says."""
        holds = []
        for seed in range(50):
            probability, same = stated(seed, 400)
            odds = (probability / (1 - probability)) ** power
            wrong = odds / (1 + odds)  # too sure of itself
            found = calibration_error(wrong, same, split="t", seed=seed, draws=100)
            assert found.low <= found.value <= found.high
            place = np.argsort(np.argsort(wrong)) * 15 // 400
            truth = np.abs(np.bincount(place, wrong - probability)).sum() / 400
            holds.append(found.low <= truth <= found.high)
        assert sum(holds) >= 43

    def test_the_end_is_never_below_the_figure(self) -> None:
        """Here all other bounds of the upper end are 0.2000, and the figure is 0.2003."""
        generator = np.random.default_rng(19)
        probability = generator.beta(1, 1, 60)
        same = generator.random(60) < probability
        odds = np.sqrt(probability / (1 - probability))
        found = calibration_error(odds / (1 + odds), same, split="t", seed=19, draws=100)
        assert found.high == found.value == pytest.approx(0.2003, abs=1e-4)

    def test_many_pairs_pin_it_down(self) -> None:
        probability, same = stated(0, 3000)
        wrong = calibration_error(probability**3, same, split="t", seed=0, draws=200)
        truth = 0.5 - 0.25  # the mean of p - p ** 3
        assert 0.2 < wrong.low < truth < wrong.high < 0.3

    def test_an_error_of_0_by_luck_is_not_sure(self) -> None:
        """Of 20 pairs stated 0.5 half are the same: the share may as well be 0.3 or 0.7."""
        same = np.arange(20) < 10
        found = calibration_error(np.full(20, 0.5), same, split="t", seed=0)
        assert (found.value, found.low) == (0, 0)
        spread = 0.5 / np.sqrt(20)
        assert found.high == pytest.approx(2.24 * spread, abs=0.05)  # 97.5 % of |normal|
        assert str(found).startswith(
            "expected calibration error, 15 equal-count bins 0.0 % [0.0, 2"
        )

    def test_clusters_widen_it(self) -> None:
        probability, same = stated()
        plain = calibration_error(probability**2, same, split="t", seed=0)
        tenfold = calibration_error(
            np.repeat(probability, 10) ** 2,
            np.repeat(same, 10),
            clusters=np.repeat(np.arange(600), 10),
            cluster_unit="subjects",
            split="t",
            seed=0,
        )
        assert tenfold.value == pytest.approx(plain.value)
        assert tenfold.high - tenfold.low == pytest.approx(plain.high - plain.low, rel=0.01)
        assert "600 subjects" in tenfold.method

    def test_an_end_is_where_the_found_error_is_no_surprise(self) -> None:
        """One bin of n pairs: the error is |mean|, and its ends those of a normal mean."""
        generator = np.random.default_rng(0)
        same = generator.random(400) < 0.5
        found = calibration_error(np.full(400, 0.75), same, split="t", seed=0, draws=4000)
        spread = 1.96 * same.std() / 20
        assert found.value == pytest.approx(abs(0.75 - same.mean()))
        assert found.low == pytest.approx(found.value - spread, abs=0.004)
        assert found.high == pytest.approx(found.value + spread, abs=0.004)

    def test_few_clusters_have_no_interval(self) -> None:
        probability, same = stated()
        found = calibration_error(
            probability, same, clusters=np.arange(600) % 4, cluster_unit="sites", split="t", seed=0
        )
        assert np.isnan(found.low)
        assert found.method == "no interval: 4 sites, 5 or more are needed"

    def test_all_right_and_sure(self) -> None:
        same = np.ones(50, dtype=bool)
        found = calibration_error(same.astype(float), same, split="t", seed=0)
        span = wilson(0, 50)
        assert (found.value, found.low, found.high) == (0, span.low, span.high)
        assert "all bootstrap draws are alike" in found.method


class TestErrors:
    @pytest.mark.parametrize(
        ("probability", "same"),
        [([0.5], [1]), ([0.5, 0.5], [True]), ([], np.empty(0, bool)), ([[0.5]], [[True]])],
    )
    def test_shapes(self, probability: list[float], same: list[bool]) -> None:
        with pytest.raises(EvaluationError, match=r"must be \[N\]"):
            reliability(probability, same)

    @pytest.mark.parametrize("value", [-0.1, 1.1, np.nan])
    def test_no_probability(self, value: float) -> None:
        with pytest.raises(EvaluationError, match=r"1 of 2 .* the first at pair 1"):
            calibration_error([0.5, value], [True, False], split="t", seed=0)

    def test_no_bin(self) -> None:
        with pytest.raises(SettingsError, match="`bins` must be 1 or more"):
            reliability([0.5], [True], bins=0)
