"""Intervals: values against scipy and slow loops, and how often they hold the truth."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, norm, t

from gemel.errors import EvaluationError, SettingsError
from gemel.evaluation import Figure, bootstrap, students_t, wilson
from gemel.evaluation.intervals import (
    cluster_ids,
    figures_in,
    percentile_interval,
    refusals_in,
    resamples,
    too_rare,
    widened,
)


@pytest.mark.parametrize(
    ("successes", "count", "level"),
    [(0, 1, 0.95), (1, 1, 0.95), (7, 10, 0.9), (382, 400, 0.95), (400, 400, 0.99), (0, 50, 0.5)],
)
def test_wilson_is_scipys(successes: int, count: int, level: float) -> None:
    interval = wilson(successes, count, level=level)
    expected = binomtest(successes, count).proportion_ci(level, method="wilson")
    assert interval.low == pytest.approx(expected.low, abs=1e-12)
    assert interval.high == pytest.approx(expected.high, abs=1e-12)
    assert "Wilson" in interval.method


@settings(deadline=None)
@given(st.integers(1, 500), st.floats(0, 1))
def test_wilson_holds_its_share_and_stays_a_share(count: int, share: float) -> None:
    interval = wilson(share * count, count)
    assert 0 <= interval.low <= share + 1e-12
    assert share - 1e-12 <= interval.high <= 1


@pytest.mark.parametrize(("successes", "count"), [(0, 0), (-1, 4), (5, 4), (math.nan, 4)])
def test_wilson_refuses_impossible_counts(successes: float, count: int) -> None:
    with pytest.raises(EvaluationError, match="1 or more trials"):
        wilson(successes, count)


@pytest.mark.parametrize("level", [0, 1, 95, math.nan])
def test_level_is_a_share(level: float) -> None:
    with pytest.raises(SettingsError, match="between 0 and 1"):
        wilson(1, 2, level=level)
    with pytest.raises(SettingsError, match="between 0 and 1"):
        bootstrap([0, 1, 0, 1, 1], seed=0, level=level)


def test_wilson_holds_the_truth_in_95_of_100() -> None:
    hits = np.random.default_rng(0).binomial(60, 0.93, 2000)
    ends = {k: wilson(k, 60) for k in np.unique(hits).tolist()}
    held = np.mean([ends[k].low <= 0.93 <= ends[k].high for k in hits.tolist()])
    # The exact share of this discrete interval, from the binomial itself:
    exact = sum(
        math.comb(60, k) * 0.93**k * 0.07 ** (60 - k)
        for k in range(61)
        if wilson(k, 60).low <= 0.93 <= wilson(k, 60).high
    )
    assert held == pytest.approx(exact, abs=0.02)
    assert exact > 0.93


def test_bootstrap_is_a_slow_loop_over_clusters() -> None:
    generator = np.random.default_rng(1)
    ids = generator.integers(0, 12, 80)
    values = generator.random(80)
    interval = bootstrap(values, clusters=[f"c{i}" for i in ids], draws=500, seed=7)

    names = sorted({f"c{i}" for i in ids})
    draw = np.random.default_rng(7)
    chosen = draw.integers(0, len(names), (500, len(names)))
    means = []
    for row in chosen:
        pool: list[float] = []
        for c in row:
            pool += [v for v, i in zip(values, ids, strict=True) if f"c{i}" == names[c]]
        means.append(sum(pool) / len(pool))
    count = len(names)
    tail = norm.cdf(math.sqrt(count / (count - 1)) * t.ppf(0.025, count - 1))
    low, high = np.quantile(means, [tail, 1 - tail])
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=1e-12)
    assert interval.method == f"percentile bootstrap over {count} clusters, 500 draws"


def test_bootstrap_of_many_clusters_has_plain_tails() -> None:
    drawn = np.linspace(0, 1, 100_001)
    interval = percentile_interval(drawn, 0.5, clusters=1_000_000, cluster_unit="trials")
    assert (interval.low, interval.high) == pytest.approx((0.025, 0.975), abs=1e-4)
    few = percentile_interval(drawn, 0.5, clusters=10, cluster_unit="alphabets")
    assert few.low == pytest.approx(norm.cdf(math.sqrt(10 / 9) * t.ppf(0.025, 9)), abs=1e-6)


def test_bootstrap_over_clusters_holds_the_truth_where_one_over_trials_does_not() -> None:
    generator = np.random.default_rng(2)
    held = {"clusters": 0, "trials": 0}
    for repeat in range(200):
        skill = generator.beta(6, 2, 20)  # the mean is 0.75
        credit = (generator.random((20, 20)) < skill[:, None]).astype(float).ravel()
        ids = np.repeat(np.arange(20), 20)
        for key, clusters in (("clusters", ids), ("trials", None)):
            interval = bootstrap(credit, clusters=clusters, draws=300, seed=repeat)
            held[key] += interval.low <= 0.75 <= interval.high
    assert 184 <= held["clusters"] <= 199
    assert held["trials"] < 170


def test_resamples_have_the_right_sums_and_bounded_chunks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = list(resamples(30, draws=50, generator=np.random.default_rng(0)))
    assert len(whole) == 1
    monkeypatch.setattr("gemel.evaluation.intervals._ELEMENTS_AT_ONCE", 400)
    chunks = list(resamples(30, draws=50, generator=np.random.default_rng(0)))
    assert [len(chunk) for chunk in chunks] == [13, 13, 13, 11]
    np.testing.assert_array_equal(np.concatenate(chunks), whole[0])
    monkeypatch.setattr("gemel.evaluation.intervals._ELEMENTS_AT_ONCE", 3)
    assert len(list(resamples(30, draws=50, generator=np.random.default_rng(0)))) == 50
    small = np.concatenate(list(resamples(6, draws=5000, generator=np.random.default_rng(0))))
    assert small.shape == (5000, 6)
    assert (small.sum(axis=1) == 6).all()
    assert small.mean(axis=0) == pytest.approx(np.ones(6), abs=0.06)
    assert small.var() == pytest.approx(1 - 1 / 6, rel=0.05)  # multinomial


def test_same_seed_same_interval() -> None:
    values = np.random.default_rng(3).random(50)
    assert bootstrap(values, seed=4) == bootstrap(values, seed=4)
    assert bootstrap(values, seed=4) != bootstrap(values, seed=5)


@pytest.mark.parametrize("share", [0.0, 0.05, 1.0])
def test_where_all_draws_are_alike_it_is_wilsons(share: float) -> None:
    ids = np.repeat(np.arange(10), 40)
    interval = bootstrap(np.full(400, share), clusters=ids, cluster_unit="runs", seed=0)
    expected = wilson(share * 10, 10)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))
    assert interval.high - interval.low > 0.2
    assert interval.method.startswith("Wilson over 10 runs")


def test_a_constant_that_is_no_share_has_a_point_for_an_interval() -> None:
    interval = bootstrap(np.full(9, 2.5), seed=0)
    assert (interval.low, interval.high) == (2.5, 2.5)


def test_few_clusters_have_no_interval_and_say_so() -> None:
    interval = bootstrap([0, 1, 0, 1], clusters=[0, 0, 1, 1], cluster_unit="alphabets", seed=0)
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)
    assert interval.method == "no interval: 2 alphabets, 5 or more are needed"
    assert not math.isnan(bootstrap([0, 1, 0, 1, 1], seed=0).low)


@pytest.mark.parametrize("clusters", [5, 12, 1000])
def test_a_widened_p_value_is_a_twentieth_at_the_intervals_tails(clusters: int) -> None:
    tail = norm.cdf(math.sqrt(clusters / (clusters - 1)) * t.ppf(0.025, clusters - 1))
    assert widened(2 * float(tail), clusters) == pytest.approx(0.05, abs=1e-12)
    assert widened(1, clusters) == 1


def test_a_value_that_is_no_share_has_no_wilsons_interval() -> None:
    interval = bootstrap(np.zeros(9), seed=0, share=False)
    assert (interval.low, interval.high) == (0, 0)
    assert interval.method.startswith("percentile bootstrap")


def test_refusals_say_what_and_why() -> None:
    assert too_rare("TAR at FAR 0.1", 0.1, 300, "different pairs") is None
    refusal = too_rare("TAR at FAR 0.1", 0.1, 299, "different pairs")
    assert refusal is not None
    assert refusal.as_dict() == {
        "name": "TAR at FAR 0.1",
        "why": "it rests on 299 different pairs; 300 are needed for 30 errors to be expected "
        "(rule of 30)",
    }
    assert str(refusal) == f"TAR at FAR 0.1 not given: {refusal.why}"
    assert figures_in(FIGURE, refusal, None) == (FIGURE,)
    assert refusals_in(FIGURE, refusal, None) == (refusal,)


def test_draws_that_are_nan_are_left_out() -> None:
    drawn = np.append(np.full(500, np.nan), np.linspace(0, 1, 1001))
    interval = percentile_interval(drawn, 0.5, clusters=10**6, cluster_unit="identities")
    assert (interval.low, interval.high) == pytest.approx((0.025, 0.975), abs=1e-4)


@pytest.mark.parametrize("values", [[], [[0.0, 1.0]], [0.0, math.nan], [math.inf, 0.0]])
def test_bootstrap_refuses_what_has_no_mean(values: list[float]) -> None:
    with pytest.raises(EvaluationError, match="finite values"):
        bootstrap(values, seed=0)


def test_bootstrap_refuses_wrong_clusters_and_few_draws() -> None:
    with pytest.raises(EvaluationError, match=r"shape \(3,\); 2 values need \(2,\)"):
        bootstrap([0.0, 1.0], clusters=[1, 2, 3], seed=0)
    with pytest.raises(SettingsError, match="40 or more; got 39"):
        bootstrap([0.0, 1.0], draws=39, seed=0)


def test_cluster_ids_number_texts() -> None:
    assert cluster_ids(["b", "a", "b", "c"], 4).tolist() == [1, 0, 1, 2]
    with pytest.raises(EvaluationError, match=r"`folds` has shape \(1,\)"):
        cluster_ids(["b"], 4, what="folds")


FIGURE = Figure(
    name="20-way 1-shot accuracy",
    value=0.9134,
    low=0.8842,
    high=0.9391,
    count=400,
    unit="trials",
    split="omniglot/unseen",
    seed=0,
    method="Wilson, 400 independent trials",
)


def test_figure_reads_as_a_sentence() -> None:
    assert str(FIGURE) == (
        "20-way 1-shot accuracy 91.3 % [88.4, 93.9] (400 trials, split omniglot/unseen, seed 0)"
    )
    area = Figure("AUC", 0.98765, 0.9, 1.0, 12_000, "pairs", "faces", 3, "", percent=False)
    assert str(area) == "AUC 0.9877 [0.9000, 1.0000] (12,000 pairs, split faces, seed 3)"


def test_figure_without_interval_says_why_and_is_still_json() -> None:
    bare = Figure("EER", 0.1, math.nan, math.nan, 9, "pairs", "s", 0, "no interval: 2 runs")
    assert str(bare) == "EER 10.0 % [no interval: 2 runs] (9 pairs, split s, seed 0)"
    text = json.dumps(bare.as_dict(), allow_nan=False)
    assert json.loads(text)["low"] is None
    assert json.loads(json.dumps(FIGURE.as_dict())) == {
        "name": "20-way 1-shot accuracy",
        "value": 0.9134,
        "low": 0.8842,
        "high": 0.9391,
        "count": 400,
        "unit": "trials",
        "split": "omniglot/unseen",
        "seed": 0,
        "method": "Wilson, 400 independent trials",
        "percent": True,
    }


class TestStudentsT:
    @pytest.mark.parametrize("level", [0.5, 0.95, 0.99])
    @pytest.mark.parametrize("count", [2, 3, 10, 200])
    def test_it_is_scipys(self, count: int, level: float) -> None:
        values = np.random.default_rng(count).normal(0.9, 0.02, count)
        interval = students_t(values, unit="seeds", level=level)
        expected = t.interval(
            level, count - 1, loc=values.mean(), scale=values.std(ddof=1) / math.sqrt(count)
        )
        assert (interval.low, interval.high) == pytest.approx(expected, abs=1e-12)
        assert interval.method == f"Student's t over {count} seeds"

    def test_it_may_leave_the_shares(self) -> None:
        assert students_t([1.0, 0.9], unit="seeds").high > 1

    def test_equal_runs_have_no_width_and_one_run_no_interval(self) -> None:
        cut = students_t([1.0, 0.9], unit="seeds", share=True)
        assert (cut.low, cut.high) == (students_t([1.0, 0.9], unit="seeds").low, 1.0)
        assert students_t([0.0, 0.1], unit="seeds", share=True).low == 0
        alike = students_t([0.0, 0.0, 0.0], unit="draws", share=True)
        assert (alike.low, alike.high) == (wilson(0, 3).low, wilson(0, 3).high)
        equal = students_t([0.5, 0.5, 0.5], unit="draws")
        assert (equal.low, equal.high) == (0.5, 0.5)
        one = students_t([0.5], unit="draws")
        assert math.isnan(one.low)
        assert math.isnan(one.high)
        assert one.method == "no interval: 1 of draws, 2 or more are needed"

    def test_it_holds_the_truth_in_95_of_100(self) -> None:
        runs = np.random.default_rng(0).normal(0.3, 1, (2000, 4))
        held = [one.low <= 0.3 <= one.high for one in (students_t(r, unit="runs") for r in runs)]
        assert abs(np.mean(held) - 0.95) < 0.02

    @pytest.mark.parametrize("values", [[], [0.5, math.nan], [[0.5, 0.6]]])
    def test_what_is_no_row_of_numbers_is_refused(self, values: list[float]) -> None:
        with pytest.raises(EvaluationError, match="one or more finite values"):
            students_t(values, unit="seeds")

    def test_level_is_a_share(self) -> None:
        with pytest.raises(SettingsError, match="between 0 and 1"):
            students_t([1.0, 2.0], unit="seeds", level=1)
