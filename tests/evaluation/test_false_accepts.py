"""The effective count of pairs against a sum over all couples of them, and the refused rates."""

import math

import numpy as np
import pytest
from scipy.stats import t

from gemel.errors import SettingsError
from gemel.evaluation.false_accepts import checked_rate, effective_count, percent


def different_identities(count: int, pairs: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    left = generator.integers(0, count, pairs)
    return left, (left + generator.integers(1, count, pairs)) % count


class TestEffectiveCount:
    def test_against_a_sum_over_all_couples_of_pairs(self) -> None:
        generator = np.random.default_rng(0)
        left, right = different_identities(9, 80)
        accepted = generator.random(80) < np.where((left < 3) & (right < 6), 0.9, 0.02)
        share = accepted.mean()
        total = 0.0
        for a in range(80):
            for b in range(80):
                if {left[a], right[a]} & {left[b], right[b]}:
                    total += (accepted[a] - share) * (accepted[b] - share)
        effect = total * 9 / 8 / (80 * share * (1 - share))
        assert effect > 1
        effect *= (t.ppf(0.975, 8) / t.ppf(0.975, 79)) ** 2
        found, method = effective_count(accepted, np.stack([left, right]))
        assert found == pytest.approx(80 / effect)
        assert "80 pairs of 9 identities" in method

    def test_a_pair_within_one_identity_counts_once(self) -> None:
        sides = np.stack([np.arange(100), np.arange(100)])
        found, _ = effective_count(np.arange(100) < 20, sides)
        assert found == pytest.approx(100, rel=0.02)

    def test_pairs_that_share_nothing_count_in_full(self) -> None:
        accepted = np.arange(500) < 20
        sides = np.arange(1000).reshape(2, 500)
        found, _ = effective_count(accepted, sides)
        assert found == pytest.approx(500, rel=0.01)

    def test_each_pair_given_ten_times(self) -> None:
        sides = np.tile(np.arange(200).reshape(2, 100), 10)
        accepted = np.tile(np.arange(100) < 20, 10)
        found, _ = effective_count(accepted, sides)
        assert found == pytest.approx(100, rel=0.05)


@pytest.mark.parametrize("value", [0, 0.501, -0.1, math.nan])
def test_rates_that_are_none(value: float) -> None:
    with pytest.raises(SettingsError, match="`false_accepts` must lie above 0"):
        checked_rate(value)
    assert checked_rate(0.5) == 0.5


@pytest.mark.parametrize(
    ("share", "words"),
    [(0, "0 %"), (1e-6, "under 0.001 %"), (0.001, "0.1 %"), (0.5, "50 %"), (1, "over 99.9 %")],
)
def test_a_share_in_words(share: float, words: str) -> None:
    assert percent(share) == words
