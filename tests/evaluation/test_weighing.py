"""The fast bootstrap against pairs really repeated, and against one draw at a time."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gemel.errors import EvaluationError
from gemel.evaluation import auc
from gemel.evaluation.cells import Share, cells_of, over_draws
from gemel.evaluation.curves import SortedPairs
from gemel.evaluation.readings import EqualErrorRate, FalseAcceptRate, Reading, TrueAcceptRate
from gemel.evaluation.weighing import WeighedPairs

READINGS: list[Reading] = [
    EqualErrorRate(),
    FalseAcceptRate(0.95),
    FalseAcceptRate(1.0),
    TrueAcceptRate(0.1),
    TrueAcceptRate(0.5),
]
Case = tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]


def case(seed: int, identities: int, count: int, levels: int) -> Case:
    """Pairs of few distances, hence many ties; both kinds are there."""
    generator = np.random.default_rng(seed)
    left = generator.integers(0, identities, count)
    same = generator.random(count) < 0.4
    same[:2] = True, False
    right = np.where(same, left, (left + generator.integers(1, identities, count)) % identities)
    distance = generator.integers(0, levels, count) + np.where(same, 0.0, levels / 4)
    distance[:2] = -1, 2 * levels
    return distance, same, left, right


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32),
    st.integers(2, 12),
    st.integers(2, 150),
    st.sampled_from([2, 5, 1000]),
    st.booleans(),
)
def test_it_is_the_figures_of_repeated_pairs(
    seed: int, identities: int, count: int, levels: int, by_pairs: bool
) -> None:
    distance, same, left, right = case(seed, identities, count, levels)
    cells = cells_of(None, None, same) if by_pairs else cells_of(left, right, same)
    pairs = SortedPairs.of(distance, same)
    weighed = WeighedPairs.of(pairs, cells)
    weights = np.random.default_rng(seed).integers(0, 3, (6, cells.count))
    areas, read = weighed.areas(weights), weighed.read(weights, READINGS)
    for draw in range(6):
        times = weights[draw][cells.cell]
        kinds = times[same].sum(), times[~same].sum()
        if not all(kinds):
            assert np.isnan(areas[draw])
            assert np.isnan(read[draw]).all()
            continue
        repeated = np.repeat(distance, times), np.repeat(same, times)
        if repeated[0].min() == repeated[0].max():
            assert areas[draw] == 0.5
            continue
        again = SortedPairs.of(*repeated)
        assert areas[draw] == again.auc()
        assert read[draw].tolist() == [again.read(reading) for reading in READINGS]


def test_a_kind_without_weight_in_any_draw_has_no_figures() -> None:
    distance, same, left, right = case(6, 9, 50, 5)
    cells = cells_of(left, right, same)
    weighed = WeighedPairs.of(SortedPairs.of(distance, same), cells)
    weights = np.zeros((3, cells.count), dtype=np.int64)
    assert np.isnan(weighed.read(weights, READINGS)).all()
    assert np.isnan(weighed.areas(weights)).all()


def test_a_great_tie_takes_no_great_memory() -> None:
    """A third of the pairs share one distance; only the pairs of narrow bins are looked at."""
    generator = np.random.default_rng(7)
    distance = np.concatenate([generator.random(20_000), np.full(10_000, 0.5)])
    same = generator.random(30_000) < 0.5
    left = generator.integers(0, 40, 30_000)
    right = np.where(same, left, (left + 1) % 40)
    cells = cells_of(left, right, same)
    weighed = WeighedPairs.of(SortedPairs.of(distance, same), cells)
    weights = np.concatenate(list(cells.draws(400, np.random.default_rng(0))))
    tracemalloc.start()
    weighed.read(weights, [EqualErrorRate()])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10e6  # the weights of the tie alone are 400 * 5,000 * 8 bytes


def test_both_ways_to_the_area_agree_to_the_bit() -> None:
    distance, same, left, right = case(1, 10, 3000, 400)
    pairs, cells = SortedPairs.of(distance, same), cells_of(left, right, same)
    weighed = WeighedPairs.of(pairs, cells)
    assert weighed.couples is not None
    weights = np.concatenate(list(cells.draws(50, np.random.default_rng(0))))
    slow = [
        pairs.auc(weight[cells.cell[pairs.same_order]], weight[cells.cell[pairs.different_order]])
        for weight in weights
    ]
    assert weighed.areas(weights).tolist() == slow
    many = case(1, 100, 3000, 400)
    assert WeighedPairs.of(pairs, cells_of(many[2], many[3], many[1])).couples is None
    assert weighed.areas(np.ones((1, cells.count), dtype=np.int64))[0] == auc(distance, same)


def test_draws_come_in_parts_and_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    _, same, left, right = case(2, 9, 200, 5)
    for cells in (cells_of(left, right, same), cells_of(None, None, same)):
        whole = list(cells.draws(60, np.random.default_rng(3)))
        assert [part.shape for part in whole] == [(60, cells.count)]
        monkeypatch.setattr("gemel.evaluation.cells._ELEMENTS_AT_ONCE", 25 * cells.count)
        parts = list(cells.draws(60, np.random.default_rng(3)))
        assert [len(part) for part in parts] == [25, 25, 10]
        np.testing.assert_array_equal(np.concatenate(parts), whole[0])
        monkeypatch.undo()


def test_a_draw_of_pairs_keeps_the_number_of_each_kind() -> None:
    _, same, _, _ = case(3, 9, 200, 5)
    cells = cells_of(None, None, same)
    weights = np.concatenate(list(cells.draws(50, np.random.default_rng(0))))
    assert (weights[:, same].sum(axis=1) == same.sum()).all()
    assert (weights[:, ~same].sum(axis=1) == (~same).sum()).all()


def test_a_draw_of_identities_multiplies() -> None:
    left, right = np.array([0, 0, 1, 2]), np.array([0, 1, 2, 2])
    cells = cells_of(left, right, np.array([True, False, False, True]))
    weights = np.concatenate(list(cells.draws(50, np.random.default_rng(4))))[:, cells.cell]
    drawn = np.random.default_rng(4).integers(0, 3, (50, 3))
    times = np.stack([(drawn == i).sum(axis=1) for i in range(3)], axis=1)
    expected = [times[:, 0], times[:, 0] * times[:, 1], times[:, 1] * times[:, 2], times[:, 2]]
    np.testing.assert_array_equal(weights, np.stack(expected, axis=1))


def test_shares_count_what_they_are_of() -> None:
    same = np.array([True, True, False, False, False])
    left, right = np.array([0, 1, 0, 1, 2]), np.array([0, 1, 1, 2, 3])
    cells = cells_of(left, right, same)
    hit = np.array([True, False, True, True, False])
    everything, of_same = Share.of(cells, hit, same, ~same), Share.of(cells, hit, same)
    assert (everything.value, of_same.value, of_same.clusters) == (3 / 5, 1 / 2, 2)
    weights = np.zeros((2, cells.count), dtype=np.int64)
    weights[:, cells.cell[[0, 1, 2]]] = [[3, 1, 2], [3, 1, 0]]
    assert everything.read(weights)[0] == 5 / 6
    assert of_same.read(weights)[0] == 3 / 4
    assert np.isnan(everything.read(weights)[1])  # it holds no different pair
    assert of_same.read(weights)[1] == 3 / 4


def test_misfit_identities_are_refused() -> None:
    same = np.array([True, False])
    with pytest.raises(EvaluationError, match="both sides"):
        cells_of([1, 2], None, same)
    with pytest.raises(EvaluationError, match="pair 0 is `same`"):
        cells_of([1, 2], [3, 4], same)


def test_parts_are_measured_one_after_another() -> None:
    _, same, left, right = case(5, 9, 200, 5)
    cells = cells_of(left, right, same)
    found = over_draws(cells, lambda weights: weights.sum(axis=1) * 1.0, draws=45, seed=6)
    expected = np.concatenate(list(cells.draws(45, np.random.default_rng(6)))).sum(axis=1)
    assert found.tolist() == expected.tolist()
