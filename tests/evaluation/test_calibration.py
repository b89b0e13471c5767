"""Calibrations against order statistics, scipy's laws and sums over all couples of pairs."""

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, betabinom, binom

from gemel.errors import EvaluationError, SettingsError
from gemel.evaluation.calibration import Calibration, fit_calibration
from gemel.evaluation.false_accepts import pairs_needed
from gemel.evaluation.held_out_loss import identity_folds
from gemel.evaluation.probability_curves import fit_isotonic, fit_logistic


def drawn(seed: int = 0, same: int = 400, different: int = 500) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    kinds = np.repeat([True, False], [same, different])
    return generator.normal(np.where(kinds, 1.0, 3.0), 0.6), kinds


def calibrated(seed: int = 0, **settings: object) -> Calibration:
    distance, same = drawn(seed)
    return fit_calibration(distance, same, split="validation", seed=0, **settings)  # type: ignore[arg-type]


class TestThreshold:
    @pytest.mark.parametrize(("rate", "accepted"), [(0.01, 5), (0.05, 25), (0.25, 125)])
    def test_is_the_kth_smallest(self, rate: float, accepted: int) -> None:
        distance, same = drawn()
        found = calibrated(false_accepts=rate)
        assert found.accepted == accepted == math.floor(rate * 501)
        assert found.threshold == np.sort(distance[~same])[accepted - 1]

    def test_a_rate_that_rounding_puts_below_a_whole_number(self) -> None:
        distance, same = drawn(different=99)
        found = fit_calibration(distance, same, false_accepts=0.07, split="v", seed=0)
        assert found.accepted == 7  # 0.07 * 100 is 7.000000000000001, 0.29 * 100 28.999999999999996
        found = fit_calibration(distance, same, false_accepts=0.29, split="v", seed=0)
        assert found.accepted == 29

    def test_ties_are_never_half_accepted(self) -> None:
        distance, same = drawn()
        distance[~same] = np.round(distance[~same] * 2) / 2
        found = fit_calibration(distance, same, false_accepts=0.05, split="v", seed=0)
        inside = int((distance[~same] <= found.threshold).sum())
        following = np.unique(distance[~same])
        following = following[following > found.threshold][0]
        assert found.accepted == inside <= 25 < (distance[~same] <= following).sum()

    def test_ties_at_the_front_are_refused(self) -> None:
        distance, same = drawn()
        distance[np.flatnonzero(~same)[:30]] = 0.0
        with pytest.raises(EvaluationError, match=r"the 30 nearest of 500 .* distance 0:"):
            fit_calibration(distance, same, false_accepts=0.05, split="v", seed=0)

    @pytest.mark.parametrize(("rate", "needed"), [(0.01, 368), (0.001, 3688), (1e-4, 36_887)])
    def test_too_few_pairs(self, rate: float, needed: int) -> None:
        assert pairs_needed(rate) == needed
        assert (1 - rate) ** needed <= 0.025 < (1 - rate) ** (needed - 1)
        distance, same = drawn(different=needed - 1 if needed < 1000 else 500)
        message = rf"rate of {rate:g} needs {needed:,} or more different pairs; there are \d+,"
        with pytest.raises(EvaluationError, match=message):
            fit_calibration(distance, same, false_accepts=rate, split="v", seed=0)

    @pytest.mark.parametrize("different", [37, 100, 500, 870])
    def test_the_rate_that_is_named_can_be_had(self, different: int) -> None:
        distance, same = drawn(different=different)
        with pytest.raises(EvaluationError) as caught:
            fit_calibration(distance, same, false_accepts=1e-4, split="v", seed=0)
        named = re.search(r"carry a rate of (\S+) or more", str(caught.value))
        assert named is not None
        rate = float(named[1])
        assert fit_calibration(
            distance, same, false_accepts=rate, split="v", seed=0
        ).accepted == math.floor(rate * (different + 1))
        with pytest.raises(EvaluationError, match="different pairs; there are"):
            fit_calibration(distance, same, false_accepts=0.9 * rate, split="v", seed=0)

    def test_many_pairs_of_few_identities_are_said(self) -> None:
        distance, same = drawn()
        left = np.where(same, 0, np.arange(900) % 30)
        right = np.where(same, 0, 100 + np.arange(900) % 30)  # 30 couples, over and over
        distance[~same] = 3 + (left[~same] % 30) / 10  # each couple has one distance
        found = fit_calibration(
            distance,
            same,
            false_accepts=0.1,
            left_identity=left,
            right_identity=right,
            split="v",
            seed=0,
        )
        assert found.effective_count == pytest.approx(30, rel=0.1)
        (warning,) = found.warnings
        assert "the 500 different pairs share identities" in warning
        assert "rate of 0.1 needs 36" in warning


class TestRateInterval:
    def test_confidence_against_the_law_of_order_statistics(self) -> None:
        found = calibrated(false_accepts=0.05).rate_interval()
        assert found.low == pytest.approx(beta.ppf(0.025, 25, 476))
        assert found.high == pytest.approx(beta.ppf(0.975, 26, 475))
        # Clopper and Pearson's own words: the rates at which 25 or more, or fewer, are rare
        assert binom.sf(24, 500, found.low) == pytest.approx(0.025)
        assert binom.cdf(25, 500, found.high) == pytest.approx(0.025)

    def test_prediction_against_a_mixture(self) -> None:
        found = calibrated(false_accepts=0.05).rate_interval(200)
        for end, hits, tail in ((found.low, 25, 0.01), (found.high, 26, 0.99)):
            rates = beta(hits, 501 - hits).ppf((np.arange(2000) + 0.5) / 2000)
            chance = binom.cdf(np.arange(201)[:, None], 200, rates).mean(1)  # [counts]
            assert round(end * 200) == int(np.flatnonzero(chance >= tail)[0])
        plain = calibrated(false_accepts=0.05).rate_interval()
        assert found.low < plain.low < plain.high < found.high
        assert "98 % prediction for 200 other" in found.method

    def test_with_a_design_effect(self) -> None:
        distance, same = drawn()
        left, right = identities(20, same)
        found = fit_calibration(
            distance,
            same,
            false_accepts=0.05,
            left_identity=left,
            right_identity=right,
            split="v",
            seed=0,
        )
        count = found.effective_count
        assert count is not None
        assert count <= 500
        hits = 25 * count / 500
        assert found.rate_interval().low == pytest.approx(beta.ppf(0.025, hits, count - hits + 1))
        later = round(200 * count / 500)
        high = betabinom.ppf(0.99, later, hits + 1, count - hits) / later
        assert found.rate_interval(200).high == pytest.approx(high)

    def test_four_identities_give_none(self) -> None:
        distance, same = drawn()
        left, right = identities(4, same)
        found = fit_calibration(
            distance, same, left_identity=left, right_identity=right, split="v", seed=0
        )
        assert math.isnan(found.rate_interval().low)
        assert "4 identities, 5 or more" in str(found)
        assert json.loads(json.dumps(found.as_dict()))["rate_interval"] == [None, None]

    def test_among_none(self) -> None:
        with pytest.raises(SettingsError, match="`among` must be 1"):
            calibrated().rate_interval(0)


def identities(count: int, same: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    left = generator.integers(0, count, len(same))
    right = np.where(same, left, (left + generator.integers(1, count, len(same))) % count)
    return left, right


class TestClose:
    def test_is_the_interval_of_a_quantile(self) -> None:
        distance, same = drawn()
        found = calibrated(false_accepts=0.05)
        ordered = np.sort(distance[~same])
        low, high = (int(np.flatnonzero(ordered == end)[0]) + 1 for end in found.close)
        # the true quantile is below the r-th smallest where fewer than r pairs lie within it
        assert binom.cdf(low - 1, 500, 0.05) <= 0.025
        assert binom.sf(high - 1, 500, 0.05) <= 0.025
        assert binom.cdf(high - 1, 500, 0.05) - binom.cdf(low - 1, 500, 0.05) >= 0.95
        assert low < found.accepted < high

    def test_decides(self) -> None:
        found = calibrated(false_accepts=0.05)
        low, high = found.close
        assert low < found.threshold < high
        assert found.decide(low) == "same"
        assert found.decide(np.nextafter(low, 9)) == "too close to call"
        assert found.decide(found.threshold) == "too close to call"
        assert found.decide(high) == "different"
        assert found.decide(0.0) == "same"

    def test_explains(self) -> None:
        found = calibrated(false_accepts=0.05, prior=0.2)
        low, high = found.close
        for distance, words in (
            (0.0, f"is not above {low:.4f}, below which fewer than 5 % of different pairs"),
            (9.0, f"is not below {high:.4f}, within which more than 5 % of different pairs"),
            (found.threshold, f"lies between {low:.4f} and {high:.4f}: that is how well"),
        ):
            assert words in found.explain(distance)
            assert "where 20 % of all are" in found.explain(distance)
        assert calibrated().shape == "logistic"
        assert "over 99.9 % are the same" in calibrated().explain(-9.0)
        assert "under 0.001 % are the same" in calibrated().explain(9.0)

    def test_confidence_is_claimed_only_where_the_pairs_carry_it(self) -> None:
        """Of n pairs none lies below a distance with probability (1 - rate)^n: 95 % needs enough.

        The interval has 2.5 % at either end: log(0.025) / log(0.99) = 367.04 pairs at 1 %.
        """
        found = calibrated(false_accepts=0.01)
        for count, sure in ((367.0, False), (368.0, True), (10_000.0, True), (107.0, False)):
            one = replace(found, effective_count=count)
            said = one.explain(one.close[0])
            assert ("(95 % confidence)" in said) is sure
            assert (f"they tell as much as {count:,.0f} pairs" in said) is not sure
            assert "(95 % confidence)" in one.explain(one.close[1] + 1)

    def test_ties_leave_no_gap_beside_the_threshold(self) -> None:
        """Both ends of the interval are one tied distance; the threshold is below that tie."""
        distance = np.concatenate([np.linspace(0, 0.2, 50), np.full(9, 0.3), np.full(491, 0.5)])
        same = np.arange(550) < 50
        found = fit_calibration(distance, same, false_accepts=0.05, split="v", seed=0)
        assert found.threshold == 0.3
        assert found.close == (0.3, 0.5)
        assert [found.decide(d) for d in (0.3, 0.4, 0.5)] == [
            "same",
            "too close to call",
            "different",
        ]
        for one in (found, Calibration.from_dict({**found.as_dict(), "close": [0.5, 0.5]})):
            assert "distance 0.4000 lies between 0.3000 and 0.5000" in one.explain(0.4)
        high = replace(found, threshold=0.7, close=(0.3, 0.5))
        assert high.close == (0.3, 0.7)
        assert high.decide(0.6) == "too close to call"

    @given(st.integers(0, 1000), st.sampled_from([1, 2, 5, 100]))
    @settings(max_examples=40)
    def test_what_it_explains_is_true(self, seed: int, levels: int) -> None:
        distance, same = drawn(seed)
        distance = np.round(distance * levels) / levels
        try:
            found = fit_calibration(distance, same, false_accepts=0.1, split="v", seed=0)
        except EvaluationError:  # the nearest tie
            return
        low, high = found.close
        for at in np.linspace(distance.min() - 1, distance.max() + 1, 30):
            said = found.explain(at)
            assert ("is not above" in said) == (at <= low)
            assert ("lies between" in said) == (low < at < high)
            assert ("is not below" in said) == (at >= high and at > low)

    def test_nan(self) -> None:
        with pytest.raises(EvaluationError, match="the distance is NaN"):
            calibrated().decide(math.nan)
        with pytest.raises(EvaluationError, match="1 of 2 distances are NaN"):
            calibrated().probability([0.1, math.nan])


class TestProbability:
    @given(st.integers(0, 30), st.floats(0.01, 0.99))
    @settings(max_examples=15)
    def test_falls_with_distance(self, seed: int, prior: float) -> None:
        found = calibrated(seed, prior=prior)
        at = found.probability(np.linspace(-2, 6, 100))
        assert (np.diff(at) <= 1e-12).all()
        assert ((at > 0) & (at < 1)).all()

    def test_prior(self) -> None:
        distance, _ = drawn()
        found = calibrated()
        assert found.prior == found.share == 400 / 900
        np.testing.assert_array_equal(
            found.probability(distance), found.curve.probability(distance)
        )
        rare = found.probability(distance, prior=0.01)
        odds = rare / (1 - rare) / (found.probability(distance) / (1 - found.probability(distance)))
        np.testing.assert_allclose(odds, 1 / 99 / (400 / 500), rtol=1e-6)
        assert found.probability(1.0).shape == ()

    def test_chosen_by_held_out_log_loss(self) -> None:
        """A straight line for normal distances; for a bent law, steps."""
        assert calibrated().shape == "logistic"
        generator = np.random.default_rng(0)
        distance = generator.random(4000)
        same = generator.random(4000) < np.where(
            distance < 0.3, 0.9, 0.45 * (distance < 0.7) + 0.05
        )
        found = fit_calibration(distance, same, split="v", seed=0)
        assert found.shape == "isotonic"
        losses = dict(found.log_loss)
        assert losses["isotonic"] < losses["logistic"]
        assert "(held-out log loss: logistic" in str(found)

    def test_log_loss_against_a_loop(self) -> None:
        distance, same = drawn(same=60, different=90)
        left, right = identities(12, same)
        found = fit_calibration(
            distance,
            same,
            false_accepts=0.1,
            prior=0.3,
            left_identity=left,
            right_identity=right,
            split="v",
            seed=4,
        )
        assert found.folds == "5 folds that share no identity"
        fold = np.random.default_rng(4).permutation(12) % 5
        for name, fit in (("logistic", fit_logistic), ("isotonic", fit_isotonic)):
            losses: dict[bool, list[float]] = {True: [], False: []}
            for number in range(5):
                fitted = (fold[left] != number) & (fold[right] != number)
                curve = fit(distance[fitted], same[fitted])
                for pair in range(150):
                    if fold[left[pair]] == number == fold[right[pair]]:
                        p = float(curve.probability(distance[pair : pair + 1])[0])
                        share = float(same[fitted].mean())
                        p, q = p * 0.3 / share, (1 - p) * 0.7 / (1 - share)
                        p /= p + q
                        losses[bool(same[pair])].append(-math.log(p if same[pair] else 1 - p))
            wanted = 0.3 * np.mean(losses[True]) + 0.7 * np.mean(losses[False])
            assert dict(found.log_loss)[name] == pytest.approx(wanted)

    def test_one_far_same_pair_leaves_the_loss_finite(self) -> None:
        """Its probability rounds to 0 where others were fitted: -log of it would be infinite."""
        generator = np.random.default_rng(0)
        distance = np.concatenate(
            [generator.normal(0.5, 0.1, 1000), generator.normal(1.5, 0.1, 1000), [6.0]]
        )
        same = np.repeat([True, False, True], [1000, 1000, 1])
        found = fit_calibration(distance, same, split="v", seed=0)
        losses = dict(found.log_loss)
        assert 0.01 < losses["logistic"] < 1
        json.dumps(found.as_dict(), allow_nan=False)

    def test_folds_share_no_identity(self) -> None:
        same = drawn()[1]
        sides = np.stack(identities(25, same))
        judged = np.zeros(len(same), dtype=int)
        for fitted, held in identity_folds(sides, same, 0):
            assert not set(sides[:, fitted].ravel()) & set(sides[:, held].ravel())
            judged += held
        assert judged.max() == 1
        assert judged[same].all()

    def test_two_identities_are_held_out_by_pair(self) -> None:
        distance, same = drawn()
        left, right = identities(2, same)
        found = fit_calibration(
            distance, same, left_identity=left, right_identity=right, split="v", seed=0
        )
        assert found.folds == "5 folds of pairs"
        assert found.log_loss == calibrated().log_loss


class TestTradeOff:
    def test_is_of_these_pairs(self) -> None:
        distance, same = drawn()
        found = calibrated(false_accepts=0.05)
        for row in found.trade_off:
            assert row.false_accepts == (distance[~same] <= row.threshold).mean()
            assert row.false_rejects == (distance[same] > row.threshold).mean()
        (own,) = [row for row in found.trade_off if row.threshold == found.threshold]
        assert own.false_accepts == found.accepted / found.different_count
        assert found.rates_at(found.threshold) == own[1:]
        low, high = distance.min() - 1, int(distance.max()) + 1
        assert (found.rates_at(low), found.rates_at(high)) == ((0, 1), (1, 0))

    def test_of_an_older_file(self) -> None:
        found = calibrated()
        facts = json.loads(json.dumps(found.as_dict()))
        del facts["trade_off"]
        old = Calibration.from_dict(facts)
        assert old == replace(found, trade_off=())
        with pytest.raises(EvaluationError, match="keeps no trade-off: an older gemel made it"):
            old.rates_at(1.0)

    def test_nan(self) -> None:
        with pytest.raises(EvaluationError, match="the threshold is NaN"):
            calibrated().rates_at(math.nan)


class TestDict:
    @given(
        st.integers(0, 30),
        st.sampled_from([1e-30, 1.0, 1e30]),
        st.sampled_from([0.0, 3.0, 100.0, 1e8]),
    )
    @settings(max_examples=20)
    def test_is_always_json(self, seed: int, unit: float, far: float) -> None:
        """Without NaN or Infinity, which no other program reads; in any unit, and however far."""
        distance, same = drawn(seed)
        distance[seed % len(distance)] += far
        found = fit_calibration(distance * unit, same, split="v", seed=seed)
        assert Calibration.from_dict(json.loads(json.dumps(found.as_dict(), allow_nan=False)))

    @pytest.mark.parametrize("rate", [0.01, 0.2])
    def test_there_and_back_through_json(self, rate: float) -> None:
        found = calibrated(false_accepts=rate, warnings=("known items",), skipped=("a: empty",))
        facts = json.loads(json.dumps(found.as_dict()))
        assert Calibration.from_dict(facts) == found
        assert str(found).endswith("went on without 1 bad items:\n  a: empty\nwarning: known items")
        del facts["skipped"]
        assert Calibration.from_dict(facts) == replace(found, skipped=())

    def test_isotonic(self) -> None:
        generator = np.random.default_rng(0)
        distance = generator.random(2000)
        same = generator.random(2000) < np.where(distance < 0.5, 0.95, 0.02)
        found = fit_calibration(distance, same, split="v", seed=0)
        assert found.shape == "isotonic"
        assert Calibration.from_dict(json.loads(json.dumps(found.as_dict()))) == found


class TestErrors:
    def test_few_of_a_kind(self) -> None:
        distance, same = drawn(same=9)
        with pytest.raises(
            EvaluationError, match="10 or more pairs of each kind; there are 9 same"
        ):
            fit_calibration(distance, same, split="v", seed=0)

    def test_distances_that_are_similarities(self) -> None:
        distance, same = drawn()
        with pytest.raises(EvaluationError, match=r"chance or worse.*the other way round"):
            fit_calibration(-distance, same, split="v", seed=0)
        with pytest.raises(EvaluationError, match="chance or worse"):
            fit_calibration(distance, ~same, split="v", seed=0)

    @pytest.mark.parametrize("value", [0, 0.501, -0.1, math.nan])
    def test_rates(self, value: float) -> None:
        with pytest.raises(SettingsError, match="`false_accepts` must lie above 0"):
            calibrated(false_accepts=value)
        assert calibrated(false_accepts=0.5).accepted == 250

    @pytest.mark.parametrize("value", [0, 1, -0.1, 2.0, math.nan])
    def test_shares(self, value: float) -> None:
        with pytest.raises(SettingsError, match="`prior` must lie between 0 and 1"):
            calibrated(prior=value)
        with pytest.raises(SettingsError, match="`prior` must lie between 0 and 1"):
            calibrated().probability(1.0, prior=value)

    def test_identities_of_one_side(self) -> None:
        with pytest.raises(EvaluationError, match=r"`right_identity` has shape \(0,\)"):
            calibrated(left_identity=np.zeros(900, dtype=int))

    def test_identities_that_contradict(self) -> None:
        left, right = np.zeros(900, dtype=int), np.arange(900)
        with pytest.raises(EvaluationError, match="pair 1 is `same`, yet its identities are"):
            calibrated(left_identity=left, right_identity=right)

    def test_same_that_is_no_boolean(self) -> None:
        distance, same = drawn()
        with pytest.raises(EvaluationError, match="must hold booleans"):
            fit_calibration(distance, same.astype(int), split="v", seed=0)
