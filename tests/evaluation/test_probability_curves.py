"""The two curves against slow fits made from their definitions."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit, log_expit, logit
from sklearn.isotonic import IsotonicRegression

from gemel.evaluation.probability_curves import (
    Isotonic,
    Logistic,
    curve_of,
    fit_isotonic,
    fit_logistic,
    log_losses,
    prior_shift,
)

Pair = tuple[float, bool]


def targets(same: np.ndarray) -> np.ndarray:
    sames, others = same.sum(), (~same).sum()
    return np.where(same, (sames + 1) / (sames + 2), 1 / (others + 2))


def drawn(seed: int, count: int = 300) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    same = generator.random(count) < 0.4
    return generator.normal(np.where(same, 2.0, 5.0), 1.5), same


def both_kinds(pairs: list[Pair]) -> bool:
    return len({kind for _, kind in pairs}) == 2


some_pairs = st.lists(
    st.tuples(st.integers(0, 12).map(float), st.booleans()), min_size=2, max_size=25
).filter(both_kinds)


def columns(pairs: list[Pair]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([d for d, _ in pairs]), np.array([s for _, s in pairs])


def falling_by_brute_force(distance: np.ndarray, target: np.ndarray) -> np.ndarray:
    """At each pair the least, over starts before it, of the greatest mean, over ends after it.

    The max-min formula of isotonic regression (Robertson, Wright and Dykstra 1988), turned round.
    """
    at = np.unique(distance)
    found = {
        x: min(
            max(target[(distance >= first) & (distance <= last)].mean() for last in at[at >= x])
            for first in at[at <= x]
        )
        for x in at
    }
    return np.array([found[x] for x in distance])


class TestLogistic:
    @pytest.mark.parametrize("seed", range(4))
    def test_against_a_general_optimiser(self, seed: int) -> None:
        distance, same = drawn(seed)
        target = targets(same)

        def loss(weights: np.ndarray) -> float:
            odds = weights[0] + weights[1] * distance
            return float((np.logaddexp(0, odds) - target * odds).sum())

        wanted = minimize(loss, [0.0, 0.0], method="Nelder-Mead", tol=1e-12).x
        found = fit_logistic(distance, same)
        assert (found.intercept, found.slope) == pytest.approx(tuple(wanted), rel=1e-4)
        np.testing.assert_allclose(
            found.probability(distance), expit(wanted[0] + wanted[1] * distance), atol=1e-5
        )

    @pytest.mark.parametrize("scale", [1e-6, 1e6])
    def test_units_do_not_matter(self, scale: float) -> None:
        distance, same = drawn(0)
        plain, scaled = fit_logistic(distance, same), fit_logistic(distance * scale, same)
        assert scaled.slope * scale == pytest.approx(plain.slope)
        assert scaled.intercept == pytest.approx(plain.intercept)

    def test_parted_kinds_give_finite_numbers(self) -> None:
        distance = np.concatenate([np.linspace(0, 1, 50), np.linspace(9, 10, 50)])
        same = np.repeat([True, False], 50)
        found = fit_logistic(distance, same).probability(np.array([0.0, 10.0]))
        assert 0.9 < found[0] < 1
        assert 0 < found[1] < 0.1

    def test_never_rises(self) -> None:
        distance, same = drawn(0)
        found = fit_logistic(-distance, same)
        assert found.slope == 0
        assert expit(found.intercept) == pytest.approx(targets(same).mean())

    @given(some_pairs)
    @settings(max_examples=40)
    def test_the_slope_of_its_loss_is_zero(self, pairs: list[Pair]) -> None:
        distance, same = columns(pairs)
        found = fit_logistic(distance, same)
        excess = found.probability(distance) - targets(same)
        assert excess.mean() == pytest.approx(0, abs=1e-7)
        if found.slope < 0:
            assert (excess * distance).mean() == pytest.approx(0, abs=1e-6)


class TestIsotonic:
    @given(some_pairs)
    @settings(max_examples=40)
    def test_against_the_max_min_formula(self, pairs: list[Pair]) -> None:
        distance, same = columns(pairs)
        wanted = falling_by_brute_force(distance, targets(same))
        np.testing.assert_allclose(
            fit_isotonic(distance, same).probability(distance), wanted, atol=1e-12
        )

    def test_against_scikit_learn_between_the_pairs_too(self) -> None:
        distance, same = drawn(1)
        other = IsotonicRegression(increasing=False, out_of_bounds="clip")
        other.fit(distance, targets(same))
        at = np.linspace(distance.min() - 1, distance.max() + 1, 500)
        np.testing.assert_allclose(
            fit_isotonic(distance, same).probability(at), other.predict(at), atol=1e-6
        )

    @given(some_pairs)
    @settings(max_examples=40)
    def test_falls_and_stays_within_what_the_counts_allow(self, pairs: list[Pair]) -> None:
        distance, same = columns(pairs)
        found = fit_isotonic(distance, same)
        assert all(a < b for a, b in pairwise(found.distances))
        at = found.probability(np.linspace(-1, 14, 200))
        assert (np.diff(at) <= 1e-12).all()
        assert at.min() >= 1 / ((~same).sum() + 2) - 1e-12
        assert at.max() <= (same.sum() + 1) / (same.sum() + 2) + 1e-12


class TestPriorShift:
    @given(st.floats(0.01, 0.99), st.floats(0.01, 0.99))
    def test_is_the_change_of_the_prior_log_odds(self, share: float, prior: float) -> None:
        assert prior_shift(share, prior) == pytest.approx(logit(prior) - logit(share), abs=1e-12)

    def test_the_same_share_changes_nothing(self) -> None:
        assert prior_shift(0.3, 0.3) == 0

    def test_against_counting(self) -> None:
        """Of 100 pairs at one distance half are the same; with a tenth of the same pairs, 1/11."""
        assert expit(logit(0.5) + prior_shift(0.5, 1 / 11)) == pytest.approx(5 / 55)


class TestLogOdds:
    @pytest.mark.parametrize(
        "curve", [Logistic(0.5, -2.0), Isotonic((0.0, 1.0, 4.0), (0.9, 0.2, 0.1))]
    )
    def test_are_those_of_the_probability(self, curve: Logistic | Isotonic) -> None:
        at = np.linspace(-2, 6, 50)
        np.testing.assert_allclose(curve.log_odds(at), logit(curve.probability(at)), rtol=1e-9)
        np.testing.assert_allclose(curve.probability(at), expit(curve.log_odds(at)), rtol=1e-12)

    def test_far_out_probabilities_keep_their_digits(self) -> None:
        found = Logistic(0.0, -1.0).probability(np.array([50.0, 600.0, 1e6]))
        np.testing.assert_allclose(found, expit(-np.array([50.0, 600.0, 1e6])), rtol=1e-12)
        assert found[0] > 0

    @pytest.mark.parametrize("same", [True, False])
    def test_losses_are_finite_where_probabilities_round_to_0_and_1(self, same: bool) -> None:
        odds = np.array([-1e5, -800.0, -40.0, -1.0, 0.0, 1.0, 40.0, 800.0, 1e5])
        found = log_losses(odds, np.full(9, same))
        np.testing.assert_allclose(found, -log_expit(odds if same else -odds), rtol=1e-12)
        assert np.isfinite(found).all()


@pytest.mark.parametrize(
    ("name", "curve"),
    [("logistic", Logistic(0.5, -2.0)), ("isotonic", Isotonic((0.0, 1.0), (0.9, 0.2)))],
)
def test_there_and_back(name: str, curve: Logistic | Isotonic) -> None:
    assert curve_of(name, curve.as_dict()) == curve
