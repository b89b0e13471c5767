"""Accuracy by folds: a slow loop over given folds, folds that are made, and refusals."""

import json
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import sem, t

from gemel.errors import EvaluationError, SettingsError
from gemel.evaluation import best_threshold, fold_accuracy, wilson


def pairs(seed: int, count: int = 400) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    generator = np.random.default_rng(seed)
    same = generator.random(count) < 0.5
    return generator.normal(np.where(same, 0, 1.5)), same


def slow(
    distance: NDArray[Any], same: NDArray[Any], folds: NDArray[Any]
) -> tuple[list[float], list[float]]:
    accuracies, thresholds = [], []
    for fold in sorted(set(folds.tolist()) - {-1}):
        tested, others = folds == fold, (folds != fold) & (folds != -1)
        thresholds.append(best_threshold(distance[others], same[others]))
        accuracies.append(float(((distance[tested] <= thresholds[-1]) == same[tested]).mean()))
    return accuracies, thresholds


def test_given_folds_are_a_slow_loop_and_a_students_interval() -> None:
    distance, same = pairs(0)
    folds = np.random.default_rng(1).integers(0, 10, 400)
    found = fold_accuracy(distance, same, folds=[f"f{i}" for i in folds], split="lfw", seed=3)
    accuracies, thresholds = slow(distance, same, folds)
    assert found.folds.tolist() == accuracies
    assert found.thresholds.tolist() == thresholds
    assert found.counts.tolist() == np.bincount(folds).tolist()
    assert found.accuracy.value == pytest.approx(np.mean(accuracies))
    assert found.standard_error == pytest.approx(sem(accuracies))
    low, high = t.interval(0.95, 9, np.mean(accuracies), sem(accuracies))
    assert (found.accuracy.low, found.accuracy.high) == pytest.approx((low, high))
    assert (found.accuracy.count, found.left_out, found.how) == (400, 0, "folds as given")
    lines = str(found).splitlines()
    assert lines[0].startswith("accuracy by 10 folds ")
    assert lines[1] == (
        f"standard error {100 * found.standard_error:.2f} %; folds as given; 0 pairs left out; "
        "95 % interval: Student's t over 10 folds"
    )
    said = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert said["folds"] == accuracies
    assert said["figures"][0]["value"] == found.accuracy.value


def test_the_threshold_of_a_fold_does_not_see_the_fold() -> None:
    """Fold 0 has a scale of its own, on which the others' threshold is worth nothing."""
    distance, same = pairs(1)
    folds = np.arange(400) % 4
    distance[folds == 0] += 100
    found = fold_accuracy(distance, same, folds=folds, split="s", seed=0)
    assert found.folds[0] == (~same[folds == 0]).mean()  # all are refused
    assert found.thresholds[0] < 10


def test_made_folds_have_as_many_pairs_of_each_kind() -> None:
    distance, same = pairs(2, 403)
    found = fold_accuracy(distance, same, folds=7, split="s", seed=5)
    again = fold_accuracy(distance, same, folds=7, split="s", seed=5)
    other = fold_accuracy(distance, same, folds=7, split="s", seed=6)
    assert found.folds.tolist() == again.folds.tolist() != other.folds.tolist()
    assert found.counts.max() - found.counts.min() <= 2
    assert (found.counts.sum(), found.left_out) == (403, 0)
    assert "may share identities" in found.how


def test_made_folds_share_no_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    distance, same = pairs(3, 1000)
    generator = np.random.default_rng(4)
    left = generator.integers(0, 40, 1000)
    right = np.where(same, left, (left + generator.integers(1, 40, 1000)) % 40)
    judged: list[tuple[NDArray[Any], NDArray[Any]]] = []
    asked = distance.tolist()

    def watched(some: NDArray[Any], kinds: NDArray[Any]) -> float:
        judged.append((some, kinds))
        return best_threshold(some, kinds)

    monkeypatch.setattr("gemel.evaluation.folds.best_threshold", watched)
    found = fold_accuracy(
        distance, same, folds=4, left_identity=left, right_identity=right, split="s", seed=0
    )
    assert found.left_out == 1000 - found.counts.sum() > 200
    assert found.how == "no identity is in two folds (40 identities dealt at random)"
    kept = set(np.concatenate([some for some, _ in judged]).tolist())
    seen: list[set[int]] = []  # who is in each fold: in no training part but in the others
    for some, _ in judged:
        tested = [asked.index(value) for value in kept - set(some.tolist())]
        seen.append({int(side[pair]) for pair in tested for side in (left, right)})
    assert sum(map(len, seen)) == len(set.union(*seen)) == 40


def test_folds_that_are_all_alike_keep_a_width() -> None:
    same = np.arange(40) % 2 == 0
    found = fold_accuracy(np.where(same, 0.0, 1.0), same, folds=5, split="s", seed=0)
    assert (found.accuracy.value, found.standard_error) == (1, 0)
    assert (found.accuracy.low, found.accuracy.high) == (wilson(5, 5).low, 1)
    assert found.accuracy.method == "Wilson over 5 folds, as all are alike"


def test_an_interval_stays_a_share() -> None:
    same = np.arange(80) % 2 == 0
    distance = np.where(same, 0.0, 1.0)
    distance[0] = 3
    found = fold_accuracy(distance, same, folds=np.arange(80) // 2 % 4, split="s", seed=0)
    assert found.accuracy.value < found.accuracy.high == 1
    assert found.accuracy.low > 0.9


def test_student_holds_the_truth_in_95_of_100() -> None:
    truth = 0.7733726  # of the best threshold, 0.75: the normal distribution at 0.75
    held = 0
    for repeat in range(150):
        distance, same = pairs(1000 + repeat, 600)
        one = fold_accuracy(distance, same, split="s", seed=repeat).accuracy
        held += one.low <= truth <= one.high
    assert 132 <= held <= 149


@pytest.mark.parametrize("folds", [1, 0, -3, [7] * 400])
def test_fewer_than_two_folds_are_refused(folds: Any) -> None:
    distance, same = pairs(5)
    with pytest.raises(SettingsError, match="2 or more folds"):
        fold_accuracy(distance, same, folds=folds, split="s", seed=0)


def test_folds_that_do_not_fit_are_refused() -> None:
    distance, same = pairs(6)
    with pytest.raises(EvaluationError, match=r"`folds` has shape \(3,\); 400 values need"):
        fold_accuracy(distance, same, folds=[1, 2, 3], split="s", seed=0)
    with pytest.raises(EvaluationError, match="of 401 folds hold no pair of the 400; take fewer"):
        fold_accuracy(distance, same, folds=401, split="s", seed=0)
    with pytest.raises(EvaluationError, match=r"fold 0 can be chosen.*none of the .* is same"):
        fold_accuracy(distance, same, folds=np.where(same, 0, 1), split="s", seed=0)
    with pytest.raises(EvaluationError, match="both sides"):
        fold_accuracy(distance, same, left_identity=same, split="s", seed=0)
    distance[4] = math.nan
    with pytest.raises(EvaluationError, match="first at pair 4"):
        fold_accuracy(distance, same, split="s", seed=0)
