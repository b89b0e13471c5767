"""Verification by group: each group judged by itself at the shared threshold, and refusals."""

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gemel.errors import EvaluationError
from gemel.evaluation import (
    Figure,
    Refused,
    equal_error_rate,
    verification,
    verification_by_group,
    wilson,
)

Case = tuple[
    NDArray[np.float64], NDArray[np.bool_], NDArray[Any], NDArray[np.int64], NDArray[np.int64]
]


def pairs(seed: int = 0) -> Case:
    """Two large groups of 20 identities each, group b harder, and a small group c."""
    generator = np.random.default_rng(seed)
    group = np.repeat(["a", "b", "c"], [400, 300, 50])
    first = np.repeat([0, 20, 40], [400, 300, 50])
    same = generator.random(750) < 0.5
    same[700:] = np.arange(50) < 5
    left = first + generator.integers(0, 20, 750)
    right = np.where(same, left, first + (left - first + generator.integers(1, 20, 750)) % 20)
    distance = generator.normal(np.where(same, 0, np.where(group == "b", 1, 2)))
    return distance, same, group, left, right


def test_each_group_is_judged_by_itself_at_the_shared_threshold() -> None:
    distance, same, group, left, right = pairs()
    found = verification_by_group(
        distance,
        same,
        group,
        threshold=0.9,
        left_identity=left,
        right_identity=right,
        split="s",
        seed=2,
        draws=80,
    )
    assert [one.group for one in found.groups] == ["a", "b", "c"]
    for one in found.groups[:2]:
        of = group == one.group
        d, s = distance[of], same[of]
        assert (one.same_count, one.different_count) == (s.sum(), (~s).sum())
        figures = {
            "accuracy": (one.accuracy, ((d <= 0.9) == s).mean(), len(s)),
            "true accept rate": (one.true_accept_rate, (d <= 0.9)[s].mean(), s.sum()),
            "false accept rate": (one.false_accept_rate, (d <= 0.9)[~s].mean(), (~s).sum()),
            "EER": (one.eer, equal_error_rate(d, s), len(s)),
        }
        for name, (figure, value, count) in figures.items():
            assert isinstance(figure, Figure)
            assert figure.value == pytest.approx(value, abs=1e-12)
            assert (figure.name, figure.count) == (f"{name}, {one.group}", count)
            assert figure.low < figure.value < figure.high
            assert "bootstrap over 20 identities, 80 draws" in figure.method
        alone = verification(
            d,
            s,
            threshold=0.9,
            left_identity=left[of],
            right_identity=right[of],
            split="s",
            seed=2,
            draws=80,
        )
        assert isinstance(one.eer, Figure)
        assert isinstance(one.accuracy, Figure)
        assert alone.accuracy is not None
        assert (one.eer.low, one.eer.high) == (alone.eer.low, alone.eer.high)
        assert (one.accuracy.low, one.accuracy.high) == (alone.accuracy.low, alone.accuracy.high)


def test_small_groups_have_refusals_for_figures() -> None:
    distance, same, group, _, _ = pairs()
    found = verification_by_group(distance, same, group, threshold=0.9, split="s", seed=2)
    small = found.groups[2]
    assert [isinstance(one, Refused) for one in small.asked] == [True, True, False, True]
    assert str(small.true_accept_rate) == (
        "true accept rate, c not given: it has 5 pairs of a kind; 30 are needed"
    )
    assert (len(found.figures), len(found.refused)) == (9, 3)
    rate = small.false_accept_rate
    assert isinstance(rate, Figure)
    accepted = (distance <= 0.9)[(group == "c") & ~same].sum()
    expected = wilson(int(accepted), 45)
    assert (rate.low, rate.high) == (expected.low, expected.high)
    text = str(found)
    assert "c: 5 same and 45 different pairs, threshold 0.9" in text
    assert "  EER, c not given: it has 5 pairs of a kind" in text
    methods = list(dict.fromkeys(one.method for one in found.figures))
    assert len(methods) > 2
    assert text.splitlines()[-1] == "95 % intervals: " + "; ".join(methods)
    said = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert [len(one["figures"]) for one in said["groups"]] == [4, 4, 1]
    assert [len(one["refused"]) for one in said["groups"]] == [0, 0, 3]
    assert said["threshold"] == 0.9


def test_a_group_of_one_kind_or_of_one_distance_is_no_error() -> None:
    distance, same, group, left, right = pairs()
    distance[group == "b"] = 1
    same[group == "c"] = False
    right[group == "c"] = 40 + (left[group == "c"] - 39) % 20
    for identities in ((left, right), (None, None)):
        found = verification_by_group(
            distance,
            same,
            group,
            threshold=0.9,
            left_identity=identities[0],
            right_identity=identities[1],
            split="s",
            seed=0,
            draws=40,
        )
        assert isinstance(found.groups[2].false_accept_rate, Figure)
        assert str(found.groups[1].eer) == "EER, b not given: all its 300 distances are 1.0"
        assert isinstance(found.groups[1].accuracy, Figure)


def test_what_cannot_be_judged_is_refused() -> None:
    distance, same, group, left, _ = pairs()
    with pytest.raises(EvaluationError, match=r"`groups` has shape \(3,\)"):
        verification_by_group(distance, same, ["a"] * 3, threshold=1, split="s", seed=0)
    with pytest.raises(EvaluationError, match="`threshold` is NaN"):
        verification_by_group(distance, same, group, threshold=np.nan, split="s", seed=0)
    with pytest.raises(EvaluationError, match="both sides"):
        verification_by_group(
            distance, same, group, threshold=1, left_identity=left, split="s", seed=0
        )
    with pytest.raises(EvaluationError, match="none of the 750 pairs is different"):
        verification_by_group(
            distance, np.ones(750, dtype=np.bool_), group, threshold=1, split="s", seed=0
        )
