"""The costs of thresholds against counts by hand, one pair after the other."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.evaluation.trade_off import ACCEPT_ROWS, REJECT_ROWS, TradeOff, rates_at, trade_off

Case = tuple[list[float], list[float], float]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Same and different distances, many of them tied, and the threshold of some different one."""
    some = st.lists(st.integers(-6, 40).map(lambda n: n / 4), min_size=1, max_size=60)
    same, different = draw(some), draw(some)
    return same, different, draw(st.sampled_from(different))


def counted(same: list[float], different: list[float], threshold: float) -> tuple[float, float]:
    wrongly = sum(1 for distance in different if distance <= threshold)
    missed = sum(1 for distance in same if distance > threshold)
    return wrongly / len(different), missed / len(same)


def made(same: list[float], different: list[float], threshold: float) -> tuple[TradeOff, ...]:
    return trade_off(np.array(same), np.array(different), threshold)


class TestRows:
    @given(cases())
    def test_are_what_is_counted(self, case: Case) -> None:
        same, different, threshold = case
        rows = made(same, different, threshold)
        for row in rows:
            assert row[1:] == counted(same, different, row.threshold)
        thresholds = [row.threshold for row in rows]
        assert threshold in thresholds
        assert all(low < high for low, high in pairwise(thresholds))
        assert set(thresholds[1:]) <= {*same, *different}
        assert rows == made(same[::-1], different[::-1], threshold)

    @given(cases())
    def test_reach_both_ends(self, case: Case) -> None:
        """The best that is had without a false accept, and without a false reject."""
        same, different, threshold = case
        rows = made(same, different, threshold)
        nearest = min(different)
        best = sum(1 for distance in same if distance >= nearest) / len(same)
        assert min(row.false_rejects for row in rows if row.false_accepts == 0) == best
        farthest = counted(same, different, max(same))[0]
        assert min(row.false_accepts for row in rows if row.false_rejects == 0) == farthest
        assert rows[0].false_accepts == 0
        assert rows[-1].threshold == max(*same, *different)
        assert rows[-1][1:] == (1.0, 0.0)

    @pytest.mark.parametrize("counts", [(10, 40), (3000, 700), (30_000, 50_000), (50, 400_000)])
    def test_low_rates_are_told_apart_as_well_as_high_ones(self, counts: tuple[int, int]) -> None:
        generator = np.random.default_rng(0)
        same, different = generator.normal(1, 0.5, counts[0]), generator.normal(3, 0.5, counts[1])
        rows = trade_off(same, different, float(np.quantile(different, 0.01)))
        assert len(rows) <= 192
        accepts, rejects = (
            np.array([row[column] * count for row in rows]).round()
            for column, count in ((1, counts[1]), (2, counts[0]))
        )
        factor = counts[1] ** (1 / (ACCEPT_ROWS - 1))
        assert (accepts[1:] <= factor * accepts[:-1] + 1.1).all()
        assert (rejects[:-1] - rejects[1:] <= (counts[0] - 1) / (REJECT_ROWS - 1) + 1).all()
        assert np.unique(accepts)[:4].tolist() == [0, 1, 2, 3]

    def test_kinds_that_do_not_overlap(self) -> None:
        rows = made([0.1, 0.2], [0.5, 0.7], 0.5)
        assert rows == ((0.1, 0, 0.5), (0.2, 0, 0), (0.5, 0.5, 0), (0.7, 1, 0))

    def test_a_different_pair_is_the_nearest(self) -> None:
        first, second, *_ = made([0.3, 0.4], [0.0, 0.5], 0.5)
        assert first == (np.nextafter(0.0, -1.0), 0, 1)
        assert second == (0.0, 0.5, 1)


class TestRatesAt:
    @given(cases(), st.integers(-50, 300).map(lambda n: n / 25))
    def test_are_never_less_than_what_is_counted(self, case: Case, at: float) -> None:
        same, different, threshold = case
        rows = made(same, different, threshold)
        said, wanted = rates_at(rows, at), counted(same, different, at)
        assert said[0] >= wanted[0]
        assert said[1] >= wanted[1]
        for row in rows:
            assert rates_at(rows, row.threshold) == row[1:]

    def test_between_rows_and_beyond(self) -> None:
        rows = made([0.1, 0.2], [0.5, 0.7], 0.5)
        assert rates_at(rows, 0.3) == (0.5, 0.0)
        assert rates_at(rows, 0.15) == (0.0, 0.5)
        assert rates_at(rows, -math.inf) == (0.0, 1.0)
        assert rates_at(rows, 9) == (1.0, 0.0)
