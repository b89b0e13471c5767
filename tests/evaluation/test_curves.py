"""ROC, DET, AUC and EER: against scikit-learn, hand-made cases, slow references and laws."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.metrics import det_curve, roc_auc_score, roc_curve

from gemel.errors import EvaluationError
from gemel.evaluation import auc, det, equal_error_rate, roc
from gemel.evaluation.curves import SortedPairs, check_finite

Case = tuple[NDArray[np.float64], NDArray[np.bool_]]


def case(seed: int, count: int, levels: int) -> Case:
    """Random pairs whose distances take few `levels`, so that many tie."""
    generator = np.random.default_rng(seed)
    same = generator.random(count) < 0.4
    same[:2] = True, False
    distance = generator.integers(0, levels, count) + ~same * (levels / 4)
    distance[:2] = 0, levels * 2
    return distance.astype(np.float64), same


@st.composite
def pairs(draw: st.DrawFn) -> Case:
    values = draw(st.lists(st.tuples(st.integers(-8, 8), st.booleans()), min_size=2, max_size=40))
    distance = np.array([value for value, _ in values] + [-3, 5], dtype=np.float64)
    return distance, np.array([same for _, same in values] + [True, False])


def slow_auc(distance: NDArray[Any], same: NDArray[Any], weight: NDArray[Any]) -> float:
    won = total = 0.0
    for a, wa in zip(distance[same], weight[same], strict=True):
        for b, wb in zip(distance[~same], weight[~same], strict=True):
            won += wa * wb * ((a < b) + 0.5 * (a == b))
            total += wa * wb
    return won / total


def slow_eer(distance: NDArray[Any], same: NDArray[Any], weight: NDArray[Any]) -> float:
    """Walk along the ROC's line pieces until false accepts and false refusals meet."""
    points = [(0.0, 1.0)]
    for threshold in sorted(set(distance.tolist())):
        accepted = distance <= threshold
        points.append(
            (
                weight[accepted & ~same].sum() / weight[~same].sum(),
                weight[~accepted & same].sum() / weight[same].sum(),
            )
        )
    for (x0, y0), (x1, y1) in pairwise(points):
        if x1 >= y1:
            # x0 + s (x1 - x0) = y0 + s (y1 - y0)
            s = (y0 - x0) / ((x1 - x0) - (y1 - y0))
            return float(x0 + s * (x1 - x0))
    raise AssertionError


@pytest.mark.parametrize(("count", "levels"), [(2, 3), (5, 2), (50, 4), (300, 20), (2000, 10**6)])
@pytest.mark.parametrize("drop", [True, False])
def test_roc_is_scikit_learns(count: int, levels: int, drop: bool) -> None:
    distance, same = case(count, count, levels)
    ours = roc(distance, same, drop_collinear=drop)
    false_accept, true_accept, scores = roc_curve(same, -distance, drop_intermediate=drop)
    np.testing.assert_array_equal(ours.false_accept_rate, false_accept)
    np.testing.assert_array_equal(ours.true_accept_rate, true_accept)
    np.testing.assert_array_equal(ours.thresholds, -scores)


@pytest.mark.parametrize(("count", "levels"), [(2, 3), (5, 2), (50, 4), (300, 20), (200, 10**6)])
def test_det_is_scikit_learns(count: int, levels: int) -> None:
    """Theirs goes from accepting all to none, and begins and ends where an error is still 0."""
    distance, same = case(count, count, levels)
    ours = det(distance, same)
    false_accept, miss, scores = det_curve(same, -distance)
    theirs = {
        point: float(-score)
        for point, score in zip(zip(false_accept, miss, strict=True), scores, strict=True)
    }
    mine = list(zip(ours.false_accept_rate.tolist(), ours.miss_rate.tolist(), strict=True))
    assert mine[0] == (0, 1)
    assert mine[-1] == (1, 0)
    full = roc(distance, same, drop_collinear=False)
    every = np.stack([full.false_accept_rate, 1 - full.true_accept_rate], axis=1)
    # Every point of the full curve lies on a level or upright stretch between kept points...
    for x, y in every:
        ends = np.array(mine)
        before = ends[(ends[:, 0] <= x + 1e-12) & (ends[:, 1] >= y - 1e-12)][-1]
        after = ends[(ends[:, 0] >= x - 1e-12) & (ends[:, 1] <= y + 1e-12)][0]
        assert x == pytest.approx(before[0]) or y == pytest.approx(before[1])
        assert x == pytest.approx(after[0]) or y == pytest.approx(after[1])
    # ... and every corner of scikit-learn's is one of ours, with its threshold.
    inside = np.array([point for point in mine if 0 < point[0] < 1 and 0 < point[1] < 1])
    for (x, y), threshold in zip(mine[1:], ours.thresholds[1:].tolist(), strict=True):
        if x > 0 and y > 0:
            near = [at for at in theirs if at == pytest.approx((x, y), abs=1e-12)]
            assert theirs[near[0]] == threshold
    probits = norm.ppf(inside.reshape(-1, 2))
    np.testing.assert_allclose(ours.probits(), probits, atol=1e-12)


def test_a_hand_made_det() -> None:
    same = np.array([True, True, False, True, False, False])
    curve = det([1, 2, 3, 3, 4, 5], same)  # two same, then one of each, then two different
    assert curve.thresholds.tolist() == [-np.inf, 2, 3, 5]
    assert curve.false_accept_rate.tolist() == [0, 0, 1 / 3, 1]
    assert curve.miss_rate.tolist() == pytest.approx([1, 1 / 3, 0, 0])
    assert curve.probits().shape == (0, 2)


@pytest.mark.parametrize(("count", "levels"), [(2, 3), (5, 2), (50, 4), (300, 20), (2000, 10**6)])
def test_auc_is_scikit_learns(count: int, levels: int) -> None:
    distance, same = case(count + 1, count, levels)
    assert auc(distance, same) == pytest.approx(roc_auc_score(same, -distance), abs=1e-12)


def test_hand_made_figures() -> None:
    same = np.array([True, True, False, False])
    assert auc([1, 2, 3, 4], same) == 1
    assert equal_error_rate([1, 2, 3, 4], same) == 0
    assert auc([4, 3, 2, 1], same) == 0
    assert equal_error_rate([4, 3, 2, 1], same) == 1
    assert auc([1, 3, 2, 4], same) == 0.75
    assert equal_error_rate([1, 3, 2, 4], same) == 0.5
    # One tie of three different and one same: the line from (0, 1/2) to (3/4, 0) meets the
    # diagonal where s * 3/4 = 1/2 - s/2, at 3/10.
    same = np.array([True, True, False, False, False, False])
    assert equal_error_rate([1, 2, 2, 2, 2, 9], same) == pytest.approx(0.3)
    assert auc([1, 2, 2, 2, 2, 9], same) == pytest.approx((4 + 1 + 3 / 2) / 8)


@settings(max_examples=40, deadline=None)
@given(pairs())
def test_figures_are_those_of_slow_loops(drawn: Case) -> None:
    distance, same = drawn
    ones = np.ones(len(same))
    assert auc(distance, same) == pytest.approx(slow_auc(distance, same, ones), abs=1e-12)
    error = equal_error_rate(distance, same)
    assert error == pytest.approx(slow_eer(distance, same, ones), abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(pairs(), st.integers(0, 2**32))
def test_a_weighted_area_is_that_of_repeated_pairs(drawn: Case, seed: int) -> None:
    distance, same = drawn
    weight = np.random.default_rng(seed).integers(0, 4, len(same))
    weight[-2:] += 1  # both kinds keep some weight
    ordered = SortedPairs.of(distance, same)
    area = ordered.auc(weight[ordered.same_order], weight[ordered.different_order])
    assert area == pytest.approx(slow_auc(distance, same, weight), abs=1e-12)


def test_a_kind_without_weight_has_no_area() -> None:
    ordered = SortedPairs.of(np.array([1.0, 2.0, 3.0]), np.array([True, False, False]))
    assert np.isnan(ordered.auc(np.array([0]), np.array([1, 1])))
    assert np.isnan(ordered.auc(np.array([1]), np.array([0, 0])))


@settings(max_examples=40, deadline=None)
@given(pairs())
def test_auc_knows_only_the_order(drawn: Case) -> None:
    distance, same = drawn
    assert auc(np.exp(distance / 3) - 7, same) == pytest.approx(auc(distance, same), abs=1e-12)
    assert equal_error_rate(distance**3 + distance, same) == pytest.approx(
        equal_error_rate(distance, same), abs=1e-12
    )


@settings(max_examples=40, deadline=None)
@given(pairs())
def test_flipped_labels_or_distances_mirror_the_figures(drawn: Case) -> None:
    distance, same = drawn
    area, error = auc(distance, same), equal_error_rate(distance, same)
    assert auc(distance, ~same) == pytest.approx(1 - area, abs=1e-12)
    assert auc(-distance, same) == pytest.approx(1 - area, abs=1e-12)
    assert equal_error_rate(-distance, same) == pytest.approx(1 - error, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(pairs())
def test_area_under_the_roc_is_the_auc(drawn: Case) -> None:
    curve = roc(*drawn)
    area = np.trapezoid(curve.true_accept_rate, curve.false_accept_rate)
    assert area == pytest.approx(auc(*drawn), abs=1e-12)


def test_float32_distances_and_lists_are_welcome() -> None:
    distance, same = case(0, 200, 17)
    assert auc(distance.astype(np.float32), same) == auc(distance, same)
    assert auc(distance.tolist(), same.tolist()) == auc(distance, same)
    assert auc(np.array([1, 2]), np.array([True, False])) == 1


@pytest.mark.parametrize(
    ("distance", "same", "message"),
    [
        ([1.0, 2.0], [1, 0], r"booleans.*got int64.*same == 1"),
        ([1.0, 2.0, 3.0], [True, False], r"shape \(3,\) and `same` \(2,\)"),
        ([[1.0, 2.0]], [[True, False]], r"must be \[N\]"),
        ([1.0, 2.0], [True, True], "none of the 2 pairs is different"),
        ([1.0, 2.0], [False, False], "none of the 2 pairs is same"),
        ([1.0, np.nan, np.inf], [True, False, True], "2 of 3 distances.*first at pair 1 .nan."),
        ([0.5, 0.5, 0.5], [True, False, True], r"all 3 distances are 0.5.*chance.*AUC 0.5"),
    ],
)
@pytest.mark.parametrize("measure", [roc, det, auc, equal_error_rate])
def test_pairs_without_figures_are_refused(
    measure: Any, distance: list[float], same: list[bool], message: str
) -> None:
    with pytest.raises(EvaluationError, match=message):
        measure(distance, same)


def test_no_pairs_at_all_are_refused() -> None:
    with pytest.raises(EvaluationError, match="none of the 0 pairs is same"):
        auc([], np.zeros(0, dtype=np.bool_))


def test_a_bad_entry_of_a_matrix_is_named_by_its_row() -> None:
    matrix = np.zeros((2, 3))
    matrix[1, 2] = -np.inf
    with pytest.raises(EvaluationError, match=r"1 of 6 distances.*first at query, item 1, 2"):
        check_finite(matrix, what="query, item")
    with pytest.raises(EvaluationError, match="first at query, item 40, 2"):
        check_finite(matrix, what="query, item", rows=np.array([7, 40]))
