"""Comparing two models: slow flips and draws, the textbook's tests, and chance under the null."""

import json
import math
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest, norm, t

from gemel.errors import EvaluationError, SettingsError
from gemel.evaluation import (
    auc,
    bootstrap,
    compare_paired,
    compare_paired_verification,
    equal_error_rate,
    verification,
)


def credits_of(
    seed: int, clusters: int, trials: int, gain: float = 0.0
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Two models on clusters, some of which suit the one or the other."""
    generator = np.random.default_rng(seed)
    ids = np.repeat(np.arange(clusters), trials)
    level = generator.uniform(0.5, 0.8, clusters)[ids]
    tilt = generator.normal(0, 0.1, clusters)[ids] + gain / 2
    draw = generator.random(len(ids))
    first, second = (draw < level + sign * tilt for sign in (1, -1))
    return first.astype(float), second.astype(float), ids


def test_few_clusters_are_flipped_in_every_way() -> None:
    first, second, ids = credits_of(0, 7, 30, gain=0.1)
    found = compare_paired(
        first,
        second,
        name="20-way 1-shot accuracy",
        clusters=[f"a{i}" for i in ids],
        cluster_unit="alphabets",
        split="omniglot",
        seed=1,
        draws=200,
    )
    sums = [(first - second)[ids == i].sum() for i in range(7)]
    flips = [abs(np.dot(signs, sums)) for signs in product((1, -1), repeat=7)]
    assert found.p_value == np.mean(np.array(flips) >= abs(sum(sums)) - 1e-9)
    assert found.difference == pytest.approx(first.mean() - second.mean())
    assert (found.first, found.second) == (first.mean(), second.mean())
    interval = bootstrap(
        first - second, clusters=ids, cluster_unit="alphabets", seed=1, draws=200, share=False
    )
    assert (found.low, found.high) == (interval.low, interval.high)
    assert found.test == "all sign flips of 7 alphabets that differ"
    text = str(found)
    assert text.startswith("20-way 1-shot accuracy ")
    assert f" %, difference {100 * found.difference:+.1f} [" in text
    assert "(210 trials, split omniglot, seed 1; percentile bootstrap over 7 alphabets" in text
    assert json.loads(json.dumps(found.as_dict()))["p_value"] == found.p_value


def test_many_clusters_are_about_the_exact_distribution() -> None:
    """Whole-number sums of 26 clusters: all 2 ** 26 flips, by convolving one after another."""
    first, second, ids = credits_of(1, 30, 20, gain=0.04)
    found = compare_paired(first, second, clusters=ids, split="s", seed=0)
    chance = np.ones(1)
    for gain in np.abs(np.bincount(ids, first - second)).astype(int):
        step = np.zeros(2 * gain + 1)
        step[[0, -1]] += 0.5
        chance = np.convolve(chance, step / step.sum())
    total = np.arange(len(chance)) - len(chance) // 2
    expected = chance[np.abs(total) >= abs((first - second).sum())].sum()
    assert 0.01 < expected < 0.9
    assert found.p_value == pytest.approx(expected, abs=0.02)
    assert found.test == "10,000 random sign flips of 26 clusters that differ"


@pytest.mark.parametrize(("wins", "losses"), [(9, 2), (5, 5), (40, 18)])
def test_right_or_wrong_trials_have_mcnemars_exact_test(wins: int, losses: int) -> None:
    first = np.repeat([1, 0, 1, 0], [wins, losses, 30, 8]).astype(float)
    second = np.repeat([0, 1, 1, 0], [wins, losses, 30, 8]).astype(float)
    found = compare_paired(first, second, split="s", seed=0, draws=10_000)
    exact = binomtest(wins, wins + losses).pvalue
    assert found.p_value == pytest.approx(exact, abs=1e-12 if wins + losses <= 12 else 0.01)
    other = compare_paired(second, first, split="s", seed=0, draws=10_000)
    assert other.difference == -found.difference
    assert other.p_value == found.p_value


def test_a_p_value_is_never_zero_and_alike_models_have_one() -> None:
    first = np.ones(200)
    found = compare_paired(first, np.zeros(200), split="s", seed=0, draws=99)
    assert found.p_value == 1 / 100
    alike = compare_paired(first, first, split="s", seed=0, draws=99)
    assert (alike.p_value, alike.difference, alike.low, alike.high) == (1, 0, 0, 0)


def test_sign_flips_reject_chance_as_often_as_they_say() -> None:
    values = []
    for repeat in range(400):
        first, second, ids = credits_of(100 + repeat, 14, 12)
        one = compare_paired(first, second, clusters=ids, split="s", seed=repeat, draws=199)
        values.append(one.p_value)
    assert 0.02 <= np.mean(np.array(values) <= 0.05) <= 0.08  # 0.05 and 3 of its errors
    assert 0.42 <= np.mean(np.array(values) <= 0.5) <= 0.58


def test_sign_flips_see_a_gain_of_20_points() -> None:
    seen = 0
    for repeat in range(40):
        first, second, ids = credits_of(900 + repeat, 14, 40, gain=0.2)
        one = compare_paired(first, second, clusters=ids, split="s", seed=repeat, draws=199)
        seen += one.p_value <= 0.05 and one.difference > 0
    assert seen > 32


def judged_twice(
    seed: int, identities: int, pairs: int, gain: float = 0.0
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_], Any, Any]:
    """Two models' distances of the same pairs of identities, some of them hard for both."""
    generator = np.random.default_rng(seed)
    hard = generator.normal(0, 0.4, (3, identities))
    left = generator.integers(0, identities, pairs)
    same = generator.random(pairs) < 0.5
    other = (left + generator.integers(1, identities, pairs)) % identities
    right = np.where(same, left, other)
    shared = generator.normal(size=pairs)
    models = []
    for model, more in ((1, gain), (2, 0.0)):
        load = (hard[0] + hard[model])[left] + (hard[0] + hard[model])[right]
        noise = 0.7 * shared + 0.7 * generator.normal(size=pairs)
        models.append(np.where(same, load, 1.5 + more - load / 2) + noise)
    return models[0], 3 * models[1] - 1, same, left, right


def test_both_models_are_judged_in_the_same_draws() -> None:
    first, second, same, left, right = judged_twice(0, 12, 90)
    found = compare_paired_verification(
        first, second, same, left_identity=left, right_identity=right, split="s", seed=5, draws=60
    )
    drawn = []
    for row in np.random.default_rng(5).integers(0, 12, (60, 12)):
        times = np.array(
            [
                (row == a).sum() * (1 if a == b else (row == b).sum())
                for a, b in zip(left, right, strict=True)
            ]
        )
        one, two, kind = (np.repeat(array, times) for array in (first, second, same))
        drawn.append(
            (
                auc(one, kind) - auc(two, kind),
                equal_error_rate(one, kind) - equal_error_rate(two, kind),
            )
        )
    alone = [verification(one, same, split="s", seed=0, draws=40) for one in (first, second)]
    for one, column, figure in zip(found, np.array(drawn).T, ("auc", "eer"), strict=True):
        assert (one.first, one.second) == tuple(getattr(model, figure).value for model in alone)
        assert one.difference == one.first - one.second
        apart = np.abs(column - one.difference)
        plain = ((apart >= abs(one.difference) - 1e-12).sum() + 1) / 61
        expected = 2 * t.cdf(norm.ppf(plain / 2) * math.sqrt(11 / 12), 11)
        assert one.p_value == pytest.approx(expected)
        assert one.p_value > plain
        assert min(column) <= one.low < one.high <= max(column)
        assert one.test == "bootstrap of the difference, shifted to 0, over 12 identities"
    assert (found[0].name, found[1].name) == ("AUC", "EER")
    assert str(found[0]).startswith(f"AUC {found[0].first:.4f} and {found[0].second:.4f}, diff")


def delong(first: NDArray[Any], second: NDArray[Any], same: NDArray[Any]) -> float:
    """DeLong, DeLong, Clarke-Pearson 1988: the two-sided p-value of equal areas."""
    rows, columns = [], []
    for distance in (first, second):
        a, b = distance[same][:, None], distance[~same][None]
        won = (a < b) + 0.5 * (a == b)
        rows.append(won.mean(axis=1))
        columns.append(won.mean(axis=0))
    difference = rows[0].mean() - rows[1].mean()
    variance = (rows[0] - rows[1]).var(ddof=1) / same.sum()
    variance += (columns[0] - columns[1]).var(ddof=1) / (~same).sum()
    return float(2 * norm.sf(abs(difference) / math.sqrt(variance)))


def test_over_pairs_it_is_about_delongs_test() -> None:
    first, second, same, _, _ = judged_twice(1, 500, 500, gain=0.1)
    area = compare_paired_verification(first, second, same, split="s", seed=0, draws=800)[0]
    expected = delong(first, second, same)
    assert 0.02 < expected < 0.9
    assert area.p_value == pytest.approx(expected, abs=0.05)


def test_verification_rejects_chance_about_as_often_as_it_says() -> None:
    values = []
    for repeat in range(100):
        first, second, same, left, right = judged_twice(100 + repeat, 15, 150)
        found = compare_paired_verification(
            first,
            second,
            same,
            left_identity=left,
            right_identity=right,
            split="s",
            seed=repeat,
            draws=60,
        )
        values.append([one.p_value for one in found])
    assert (np.mean(np.array(values) <= 0.05, axis=0) <= 0.11).all()  # 0.05 and 3 of its errors
    halves = np.mean(np.array(values) <= 0.5, axis=0)
    assert ((halves >= 0.3) & (halves <= 0.65)).all()
    first, second, same, left, right = judged_twice(99, 30, 2000, gain=1.5)
    found = compare_paired_verification(
        first, second, same, left_identity=left, right_identity=right, split="s", seed=0, draws=99
    )
    assert found[0].p_value == pytest.approx(2 * t.cdf(norm.ppf(1 / 200) * math.sqrt(29 / 30), 29))
    assert found[0].low > 0 > found[1].high


def test_the_same_model_twice_does_not_differ() -> None:
    first, _, same, left, right = judged_twice(2, 15, 150)
    for one in compare_paired_verification(
        first, first, same, left_identity=left, right_identity=right, split="s", seed=0, draws=40
    ):
        assert (one.difference, one.p_value, one.low, one.high) == (0, 1, 0, 0)


def test_few_identities_have_no_p_value_and_say_so() -> None:
    first, second, same, left, right = judged_twice(3, 4, 80)
    area = compare_paired_verification(
        first, second, same, left_identity=left, right_identity=right, split="s", seed=0, draws=40
    )[0]
    assert math.isnan(area.p_value)
    assert math.isnan(area.low)
    assert area.test == "no p-value: 4 identities, 5 or more are needed"
    assert area.as_dict()["p_value"] is None
    assert "[no interval: 4 identities" in str(area)


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(EvaluationError, match=r"same trials.*\(2,\) and \(3,\)"):
        compare_paired([1, 0], [1, 0, 1], split="s", seed=0)
    with pytest.raises(EvaluationError, match=r"`clusters` has shape \(1,\)"):
        compare_paired([1, 0], [1, 0], clusters=[1], split="s", seed=0)
    with pytest.raises(EvaluationError, match="finite values"):
        compare_paired([1, math.nan], [1, 0], split="s", seed=0)
    with pytest.raises(SettingsError, match="40 or more"):
        compare_paired([1, 0], [1, 0], split="s", seed=0, draws=3)
    first, second, same, _, _ = judged_twice(4, 15, 150)
    with pytest.raises(EvaluationError, match=r"\(149,\) and `same` \(150,\)"):
        compare_paired_verification(first, second[1:], same, split="s", seed=0)
    with pytest.raises(EvaluationError, match="all 150 distances"):
        compare_paired_verification(first, np.ones(150), same, split="s", seed=0)
