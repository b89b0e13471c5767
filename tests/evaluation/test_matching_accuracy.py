"""The accuracy of matches against a slow count of them."""

import math

import numpy as np
import pytest

from gemel.errors import EvaluationError, SettingsError
from gemel.evaluation import matching_accuracy, reprojection_errors, right_shares

HOMOGRAPHY = np.array([[0.9, 0.2, 30.0], [-0.1, 1.1, 12.0], [-4e-3, 1e-4, 1.0]])


def slow_errors(left: np.ndarray, right: np.ndarray) -> list[float]:
    errors = []
    for (x, y), (u, v) in zip(left.tolist(), right.tolist(), strict=True):
        a, b, c = (row[0] * x + row[1] * y + row[2] for row in HOMOGRAPHY.tolist())
        errors.append(math.inf if c <= 0 else math.hypot(a / c - u, b / c - v))
    return errors


def test_errors_and_shares_are_those_of_a_slow_count() -> None:
    generator = np.random.default_rng(0)
    pairs = []
    for count in (40, 7, 0, 25, 90):
        left = generator.uniform(0, 270, (count, 2))  # the horizon is near x = 250
        x, y, depth = HOMOGRAPHY @ np.vstack([left.T, np.ones(count)])
        right = np.stack([x, y], 1) / depth[:, None] + generator.normal(0, 2.5, (count, 2))
        found = reprojection_errors(left, right, HOMOGRAPHY)
        np.testing.assert_allclose(found, slow_errors(left, right))
        pairs.append(found)
    assert np.isinf(np.concatenate(pairs)).any()
    expected = [
        [sum(error <= bound for error in pair) / max(len(pair), 1) for bound in (1, 3, 5)]
        for pair in pairs
    ]
    np.testing.assert_allclose(right_shares(pairs), expected)
    figures = matching_accuracy(pairs, split="made", seed=3)
    assert [one.name for one in figures] == [f"matching accuracy at {k} px" for k in (1, 3, 5)]
    for one, column in zip(figures, np.transpose(expected), strict=True):
        assert one.value == pytest.approx(sum(column) / 5)
        assert one.low < one.value < one.high
        assert (one.count, one.unit, one.split) == (5, "pairs of pictures", "made")
        assert "bootstrap over 5 pairs of pictures" in one.method
    # the sign of a homography's numbers says nothing
    np.testing.assert_allclose(
        reprojection_errors(left, right, -2 * HOMOGRAPHY), slow_errors(left, right)
    )


def test_an_error_of_the_bound_is_right() -> None:
    assert right_shares([[1.0, 3.0, 3.0000001, np.inf]], (1, 3)).tolist() == [[0.25, 0.5]]


def test_pairs_of_one_thing_are_drawn_together() -> None:
    pairs = [[0.0]] * 6 + [[9.0]] * 6
    alone = matching_accuracy(pairs, split="made", seed=0)[0]
    groups = np.repeat(np.arange(6), 2)
    together = matching_accuracy(pairs, groups=groups, split="made", seed=0)[0]
    assert together.value == alone.value == 0.5
    assert together.high - together.low > 1.2 * (alone.high - alone.low)
    assert "6 groups of pictures" in together.method


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(EvaluationError, match="one pair of pictures or more; got 0"):
        right_shares([])
    with pytest.raises(EvaluationError, match=r"pair 1: .* shape \[2\] with 1 negative or NaN"):
        right_shares([[1.0], [2.0, np.nan]])
    with pytest.raises(SettingsError, match=r"`pixels` must be numbers above 0; got \(1, 0\)"):
        right_shares([[1.0]], (1, 0))
    with pytest.raises(EvaluationError, match="2 values need"):
        matching_accuracy([[1.0], [2.0]], groups=[0], split="made", seed=0)


def test_the_corner_of_a_picture_may_lie_beyond_the_horizon() -> None:
    """A street: the sky is at the corner, and what is right lies below the horizon."""
    homography = np.array([[1, 1.5, -300], [0, 4, -600], [0, 0.01, -1]])
    left = np.random.default_rng(0).uniform([0, 150], [400, 300], (50, 2))
    x, y, depth = homography @ np.concatenate([left, np.ones((50, 1))], axis=1).T
    right = np.stack([x, y], axis=1) / depth[:, None]
    assert (depth > 0).all()
    assert reprojection_errors(left, right, homography) == pytest.approx(np.zeros(50), abs=1e-9)
    sky = np.array([[200.0, 50.0]])
    assert reprojection_errors(sky, sky, homography).tolist() == [np.inf]
