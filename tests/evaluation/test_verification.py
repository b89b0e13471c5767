"""Verification: thresholds, figures, refusals, and the draws of identities behind intervals."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import norm, t

from gemel.errors import EvaluationError, SettingsError
from gemel.evaluation import (
    Figure,
    Refused,
    accuracy_at,
    auc,
    best_threshold,
    equal_error_rate,
    verification,
    wilson,
)
from gemel.evaluation.curves import SortedPairs
from gemel.evaluation.readings import FalseAcceptRate, TrueAcceptRate

Case = tuple[
    NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]
]  # distance, same, left, right


def people(seed: int, identities: int, pairs: int, *, spread: float = 0.5) -> Case:
    """Pairs among people, some of whom are harder than others in all their pairs."""
    generator = np.random.default_rng(seed)
    hard = generator.normal(0, spread, identities)
    left = generator.integers(0, identities, pairs)
    other = (left + generator.integers(1, identities, pairs)) % identities
    same = generator.random(pairs) < 0.5
    right = np.where(same, left, other)
    distance = generator.normal(np.where(same, 0, 1.5)) + np.where(same, 1, -0.5) * (
        hard[left] + hard[right]
    )
    return distance, same, left, right


def slow_tar(distance: NDArray[Any], same: NDArray[Any], far: float) -> float:
    """Try every threshold."""
    rates = [0.0]
    for cut in distance:
        if (distance[~same] <= cut).mean() <= far:
            rates.append(float((distance[same] <= cut).mean()))
    return max(rates)


def slow_fpr(distance: NDArray[Any], same: NDArray[Any], tpr: float) -> float:
    """Try every threshold."""
    return min(
        float((distance[~same] <= cut).mean())
        for cut in distance
        if (distance[same] <= cut).mean() >= tpr
    )


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=25),
)
def test_best_threshold_beats_every_other(values: list[tuple[int, bool]]) -> None:
    distance = np.array([value for value, _ in values] + [2, 5], dtype=np.float64)
    same = np.array([kind for _, kind in values] + [True, False])
    best = accuracy_at(distance, same, best_threshold(distance, same))
    tried = [((distance <= cut) == same).mean() for cut in np.arange(-0.5, 8, 0.5)]
    assert best == pytest.approx(max(tried))


def test_best_threshold_lies_in_the_middle_of_the_widest_gap() -> None:
    same = np.array([True, True, False, False])
    assert best_threshold([1, 2, 4, 5], same) == 3
    # Between the first two and between the last two are equally good cuts.
    assert best_threshold([1, 2, 4, 9], np.array([True, False, True, False])) == 6.5
    assert best_threshold([1, 6, 8, 9], np.array([True, False, True, False])) == 3.5


def test_best_threshold_may_refuse_or_accept_all() -> None:
    distance = np.array([1.0, 2.0, 3.0, 4.0])
    low = best_threshold(distance, np.array([False, False, True, False]))
    assert low < 1
    assert accuracy_at(distance, np.array([False, False, True, False]), low) == 0.75
    assert best_threshold(distance, np.array([True, False, True, True])) == 4


def test_best_threshold_parts_neighbouring_floats() -> None:
    low = 1.0
    for _ in range(2):  # the middle of one of the two is rounded up
        high = float(np.nextafter(low, 2.0))
        assert low <= best_threshold([low, high], np.array([True, False])) < high
        low = high


def test_accuracy_at_counts_the_threshold_itself_as_accepted() -> None:
    same = np.array([True, True, False, False])
    assert accuracy_at([1, 2, 2, 3], same, 2) == 0.75
    assert accuracy_at([1, 2, 2, 3], same, 1.9) == 0.75
    assert accuracy_at([1, 2, 2, 3], same, -math.inf) == 0.5
    with pytest.raises(EvaluationError, match="NaN"):
        accuracy_at([1, 2, 2, 3], same, math.nan)


def test_figures_are_the_plain_functions_and_counted() -> None:
    distance, same, left, right = people(0, 30, 400)
    judged = verification(
        distance,
        same,
        threshold=0.7,
        left_identity=left,
        right_identity=right,
        false_accept_rates=(0.01,),
        split="faces/unseen",
        seed=3,
        draws=200,
    )
    assert judged.auc.value == auc(distance, same)
    assert judged.eer.value == equal_error_rate(distance, same)
    assert judged.accuracy is not None
    assert judged.accuracy.value == accuracy_at(distance, same, 0.7)
    assert (judged.same_count, judged.different_count) == (same.sum(), (~same).sum())
    for one in judged.figures:
        assert one.low <= one.value <= one.high
        assert (one.count, one.unit, one.split, one.seed) == (400, "pairs", "faces/unseen", 3)
        assert one.method == "percentile bootstrap over 30 identities, 200 draws"
    lines = str(judged).splitlines()
    assert lines[0].startswith("AUC 0.")
    assert lines[1].startswith("EER ")
    assert " % [" in lines[1]
    assert lines[2].startswith("accuracy at 0.7 ")
    assert lines[3].startswith("FPR at 95 % TPR ")
    assert lines[4].startswith("TAR at FAR 0.01 not given: it rests on 193 different")
    assert lines[-1].endswith("95 % intervals: percentile bootstrap over 30 identities, 200 draws")
    assert f"{same.sum()} same and {(~same).sum()} different pairs" in lines[-1]
    said = json.loads(json.dumps(judged.as_dict(), allow_nan=False))
    names = ["AUC", "EER", "accuracy at 0.7", "FPR at 95 % TPR"]
    assert [one["name"] for one in said["figures"]] == names
    assert [one["name"] for one in said["refused"]] == ["TAR at FAR 0.01"]
    assert (said["threshold"], said["same"]) == (0.7, same.sum())


def test_no_threshold_no_accuracy() -> None:
    distance, same, _, _ = people(1, 30, 200)
    judged = verification(distance, same, split="s", seed=0, draws=100)
    assert judged.accuracy is None
    assert judged.threshold is None
    assert [one.name for one in judged.figures] == ["AUC", "EER", "FPR at 95 % TPR"]
    assert "accuracy" not in str(judged)


def test_intervals_over_identities_are_a_slow_loop() -> None:
    distance, same, left, right = people(2, 12, 90)
    names = np.array([f"p{i:02}" for i in range(12)])
    judged = verification(
        distance,
        same,
        threshold=0.7,
        left_identity=names[left],
        right_identity=names[right],
        split="s",
        seed=5,
        false_accept_rates=(0.7, 0.8),
        draws=150,
    )
    generator = np.random.default_rng(5)
    drawn = []
    for row in generator.integers(0, 12, (150, 12)):
        kept_distance, kept_same = [], []
        for d, s, a, b in zip(distance, same, left, right, strict=True):
            times_a, times_b = (row == a).sum(), (row == b).sum()
            times = times_a if a == b else times_a * times_b
            kept_distance += [d] * times
            kept_same += [s] * times
        repeated = np.array(kept_distance), np.array(kept_same)
        drawn.append(
            (
                auc(*repeated),
                equal_error_rate(*repeated),
                accuracy_at(*repeated, threshold=0.7),
                slow_fpr(*repeated, 0.95),
                slow_tar(*repeated, 0.7),
                slow_tar(*repeated, 0.8),
            )
        )
    tail = norm.cdf(math.sqrt(12 / 11) * t.ppf(0.025, 11))
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    assert [one.low for one in judged.figures] == pytest.approx(low.tolist(), abs=1e-12)
    assert [one.high for one in judged.figures] == pytest.approx(high.tolist(), abs=1e-12)


def test_which_side_an_identity_stands_on_does_not_matter() -> None:
    distance, same, left, right = people(3, 15, 200)
    swap = np.random.default_rng(0).random(200) < 0.5
    turned = np.where(swap, right, left), np.where(swap, left, right)
    one = verification(
        distance, same, left_identity=left, right_identity=right, split="s", seed=0, draws=50
    )
    two = verification(
        distance,
        same,
        left_identity=turned[0],
        right_identity=turned[1],
        split="s",
        seed=0,
        draws=50,
    )
    assert one.figures == two.figures


def test_intervals_over_pairs_are_about_the_textbooks() -> None:
    distance, same, _, _ = people(4, 1000, 1000, spread=0)
    judged = verification(distance, same, threshold=0.7, split="s", seed=0, draws=600)
    area, positives, negatives = judged.auc.value, same.sum(), (~same).sum()
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    variance = (  # Hanley and McNeil 1982, equation 1
        area * (1 - area) + (positives - 1) * (q1 - area**2) + (negatives - 1) * (q2 - area**2)
    ) / (positives * negatives)
    width = judged.auc.high - judged.auc.low
    assert width == pytest.approx(2 * 1.96 * math.sqrt(variance), rel=0.15)
    fewer = min(positives, negatives)
    assert judged.auc.method == (f"percentile bootstrap over {fewer} pairs of each kind, 600 draws")
    assert judged.accuracy is not None
    right = int(((distance <= 0.7) == same).sum())
    expected = wilson(right, 1000)
    assert (judged.accuracy.low, judged.accuracy.high) == (expected.low, expected.high)
    assert "; Wilson, 1,000 independent trials" in str(judged)


def test_identities_hold_the_truth_where_pairs_do_not() -> None:
    truth = np.mean([auc(*people(10_000 + i, 2000, 20_000)[:2]) for i in range(5)])
    held = {"identities": 0, "pairs": 0}
    for repeat in range(40):
        distance, same, left, right = people(repeat, 25, 500)
        for key, ids in (("identities", (left, right)), ("pairs", (None, None))):
            area = verification(
                distance,
                same,
                left_identity=ids[0],
                right_identity=ids[1],
                false_accept_rates=(),
                split="s",
                seed=repeat,
                draws=80,
            ).auc
            held[key] += area.low <= truth <= area.high
    assert held["identities"] >= 35  # 38 are expected of 40
    assert held["pairs"] <= 32


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 30))
def test_rates_are_those_of_every_threshold_tried(seed: int, levels: int) -> None:
    generator = np.random.default_rng(seed)
    same = np.arange(60) < 20
    distance = generator.integers(0, levels, 60) + np.where(same, 0.0, levels // 3)
    distance[-1] = 99
    pairs = SortedPairs.of(distance, same)
    for rate in (0.05, 0.1, 0.5, 0.9, 0.95):
        assert pairs.read(TrueAcceptRate(rate)) == slow_tar(distance, same, rate)
        assert pairs.read(FalseAcceptRate(rate)) == slow_fpr(distance, same, rate)


def test_rates_by_hand_treat_ties_together() -> None:
    """At 2 lie one different and five same pairs; a FAR of 3 % allows one of 1,000, of 40..."""
    same = np.repeat([True, True, False, False, False], [10, 10, 1, 1, 38])
    distance = np.repeat([1.0, 2.0, 2.0, 3.0, 4.0], [10, 10, 1, 1, 38])
    pairs = SortedPairs.of(distance, same)
    assert pairs.read(TrueAcceptRate(1 / 40)) == 1.0  # exactly that share is allowed
    assert pairs.read(TrueAcceptRate(0.02)) == 0.5  # the tie at 2 would be one too many
    assert pairs.read(FalseAcceptRate(0.5)) == 0
    assert pairs.read(FalseAcceptRate(0.51)) == 1 / 40
    assert pairs.read(TrueAcceptRate(0.99)) == 1


def test_rates_that_the_pairs_do_not_support_are_refused() -> None:
    same = np.repeat([True, False], [19, 3000])
    distance = np.random.default_rng(0).normal(np.where(same, 0, 2))
    judged = verification(distance, same, split="s", seed=0, draws=40)
    assert [rate for rate, _ in judged.tar_at_far] == [0.1, 0.01, 0.001, 0.0001]
    kinds = [isinstance(one, Figure) for _, one in judged.tar_at_far]
    assert kinds == [True, True, False, False]
    assert list(map(str, judged.refused)) == [
        "FPR at 95 % TPR not given: it rests on 19 same pairs; with fewer than 20 none may be "
        "refused, and the one farthest apart decides",
        "TAR at FAR 0.001 not given: it rests on 3,000 different pairs; 30,000 are needed for 30 "
        "errors to be expected (rule of 30)",
        "TAR at FAR 0.0001 not given: it rests on 3,000 different pairs; 300,000 are needed for "
        "30 errors to be expected (rule of 30)",
    ]
    assert str(judged.refused[1]) in str(judged)
    fewer = verification(distance[:-1], same[:-1], split="s", seed=0, draws=40)
    assert isinstance(fewer.tar_at_far[1][1], Refused)  # 2,999 do not do for 1 in 100


@pytest.mark.parametrize("rate", [0, 1, -0.1, math.nan])
def test_rates_that_are_none_are_refused(rate: float) -> None:
    distance, same, _, _ = people(9, 10, 50)
    with pytest.raises(SettingsError, match="lies between 0 and 1"):
        verification(distance, same, false_accept_rates=[rate], split="s", seed=0)
    with pytest.raises(SettingsError, match="above 0 and up to 1"):
        FalseAcceptRate(rate if rate != 1 else 1.5)


def test_perfect_figures_keep_a_width() -> None:
    same = np.arange(40) < 20
    distance = np.arange(40.0)
    judged = verification(distance, same, split="s", seed=0, draws=50)
    assert (judged.auc.value, judged.eer.value) == (1, 0)
    assert (judged.auc.low, judged.auc.high) == (wilson(20, 20).low, 1)
    assert (judged.eer.low, judged.eer.high) == (0, wilson(0, 20).high)
    assert judged.auc.method.startswith("Wilson over 20 pairs of each kind")


def test_few_identities_have_no_interval() -> None:
    distance, same, left, right = people(5, 4, 60)
    judged = verification(
        distance, same, left_identity=left, right_identity=right, split="s", seed=0, draws=50
    )
    assert all(math.isnan(one.low) for one in judged.figures)
    assert judged.eer.method == "no interval: 4 identities, 5 or more are needed"
    assert math.isfinite(judged.auc.value)


def test_the_rarer_kind_says_how_many_identities_there_are() -> None:
    distance, same, left, right = people(6, 40, 400)
    known = (~same) | (left < 3)  # same pairs of three people only
    judged = verification(
        distance[known],
        same[known],
        left_identity=left[known],
        right_identity=right[known],
        split="s",
        seed=0,
        draws=50,
    )
    assert judged.auc.method == "no interval: 3 identities, 5 or more are needed"


def test_draws_without_a_kind_of_pair_are_left_out() -> None:
    """Of 60 identities only 5 have same pairs: some draws hold none of them."""
    distance, same, left, right = people(7, 60, 2000)
    known = (~same) | (left < 5)
    judged = verification(
        distance[known],
        same[known],
        threshold=-100,  # accepts none: right for different pairs alone
        left_identity=left[known],
        right_identity=right[known],
        split="s",
        seed=0,
        draws=1000,
    )
    assert 0 < judged.auc.low < judged.auc.value < judged.auc.high < 1
    assert judged.accuracy is not None
    assert judged.accuracy.high < 1


def test_a_forgery_may_be_a_different_pair_of_one_identity() -> None:
    generator = np.random.default_rng(8)
    writer = generator.integers(0, 8, 100)
    same = generator.random(100) < 0.5
    distance = generator.normal(np.where(same, 0, 1))
    judged = verification(
        distance, same, left_identity=writer, right_identity=writer, split="s", seed=0, draws=50
    )
    assert judged.auc.low < judged.auc.value < judged.auc.high


def test_misfit_identities_are_refused() -> None:
    distance, same, left, right = people(9, 10, 50)
    with pytest.raises(EvaluationError, match=r"`right_identity` has shape \(0,.*both sides"):
        verification(distance, same, left_identity=left, split="s", seed=0)
    with pytest.raises(EvaluationError, match=r"`left_identity` has shape \(0,"):
        verification(distance, same, right_identity=right, split="s", seed=0)
    with pytest.raises(EvaluationError, match=r"`left_identity` has shape \(49,\); 50 pairs"):
        verification(
            distance, same, left_identity=left[1:], right_identity=right, split="s", seed=0
        )
    pair = int(np.flatnonzero(~same)[0])
    wrong = same.copy()
    wrong[pair] = True
    with pytest.raises(EvaluationError, match=rf"pair {pair} is `same`, yet.*1 such pairs"):
        verification(distance, wrong, left_identity=left, right_identity=right, split="s", seed=0)


def test_bad_settings_are_refused() -> None:
    distance, same, _, _ = people(9, 10, 50)
    with pytest.raises(SettingsError, match="40 or more"):
        verification(distance, same, split="s", seed=0, draws=3)
    with pytest.raises(EvaluationError, match="`threshold` is NaN"):
        verification(distance, same, threshold=math.nan, split="s", seed=0)
    with pytest.raises(EvaluationError, match="all 2 distances are 1"):
        verification([1, 1], [True, False], split="s", seed=0)
