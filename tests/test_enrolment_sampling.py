"""Pairs with forgeries, and whole enrolments: what they are of, in which order, how often."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.errors import DataError, SettingsError
from gemel.items import Items
from gemel.sampling import EnrolmentPairs, ForgeryPairs, Sampler
from gemel.sampling.subjects import subjects_of


def make(genuine: list[int], forged: list[int]) -> tuple[Items, np.ndarray]:
    """Items in mixed order, so many genuine and forged ones of each subject; which are genuine."""
    groups = np.repeat([f"s{i:02}" for i in range(len(genuine))], np.add(genuine, forged))
    own = np.concatenate([np.arange(g + f) < g for g, f in zip(genuine, forged, strict=True)])
    order = np.random.default_rng(0).permutation(len(groups))
    groups, own = groups[order], own[order]
    labels = np.where(own, groups, np.char.add(groups, " forged"))
    values = np.zeros((len(groups), 2))
    return Items(values, labels, groups, kind="numbers", name="made"), own


@given(
    genuine=st.lists(st.integers(2, 6), min_size=2, max_size=6),
    forged=st.integers(1, 4),
    step=st.integers(0, 30),
)
@settings(max_examples=40)
def test_forgery_pairs_are_what_they_say(genuine: list[int], forged: int, step: int) -> None:
    items, own = make(genuine, [forged] * len(genuine))
    sampler = ForgeryPairs(items, own, pairs=20, seed=3)
    assert isinstance(sampler, Sampler)
    batch = sampler.batch(step)
    groups = np.asarray(items.groups)
    assert own[batch.left].all()
    of_one = groups[batch.left] == groups[batch.right]
    kinds = Counter(zip(of_one.tolist(), own[batch.right].tolist(), strict=True))
    assert kinds == {(True, True): 10, (True, False): 8, (False, True): 2}
    assert (batch.same == (of_one & own[batch.right])).all()
    assert (batch.left != batch.right).all()
    again = ForgeryPairs(items, own, pairs=20, seed=3).batch(step)
    assert (again.left == batch.left).all()
    assert (again.right == batch.right).all()


def test_every_subject_comes_as_often() -> None:
    items, own = make([2, 30, 5], [1, 1, 20])
    sampler = ForgeryPairs(items, own, pairs=60, shares=(0.5, 0.5, 0))
    groups = np.asarray(items.groups)
    for kind in (True, False):
        batch = sampler.batch(4)
        counts = Counter(groups[batch.left[batch.same == kind]].tolist())
        assert counts == {"s00": 10, "s01": 10, "s02": 10}


def test_subjects_without_forgeries_are_forged_by_others_only() -> None:
    items, own = make([3, 3, 3], [0, 2, 0])
    groups = np.asarray(items.groups)
    batch = ForgeryPairs(items, own, pairs=40).batch(0)
    assert set(groups[batch.right[~own[batch.right]]]) == {"s01"}
    none, true = make([3, 3], [0, 0])
    with pytest.raises(SettingsError, match="no forgeries"):
        ForgeryPairs(none, true)
    assert len(ForgeryPairs(none, true, shares=(0.5, 0, 0.5)).batch(0).same) == 64


def test_enrolments_stand_in_their_order() -> None:
    items, own = make([8, 9, 7, 8, 10], [5] * 5)
    groups = np.asarray(items.groups)
    sampler = EnrolmentPairs(
        items, own, subjects=3, references=4, probes=2, forgeries=3, others=1, seed=1
    )
    batch = sampler.batch(7)
    each = 6 + 6 * 4
    assert len(batch.same) == 3 * each
    seen = []
    for start in range(0, 3 * each, each):
        left, right = batch.left[start : start + each], batch.right[start : start + each]
        same = batch.same[start : start + each]
        who = set(groups[left[:6]])
        assert len(who) == 1
        seen += list(who)
        references = list(dict.fromkeys([*left[:6].tolist(), *right[:6].tolist()]))
        assert len(references) == 4
        assert own[references].all()
        pairs = {frozenset(p) for p in zip(left[:6].tolist(), right[:6].tolist(), strict=True)}
        assert len(pairs) == 6
        kinds = []
        for claim in range(6):
            rows = slice(6 + 4 * claim, 10 + 4 * claim)
            assert sorted(left[rows].tolist()) == sorted(references)
            (probe,) = set(right[rows].tolist())
            assert probe not in references
            kinds.append((groups[probe] in who, bool(own[probe])))
        assert kinds == [(True, True)] * 2 + [(True, False)] * 3 + [(False, True)]
        assert same.tolist() == [True] * 14 + [False] * 16
    assert len(set(seen)) == 3


def test_references_and_genuine_probes_are_of_two_sessions() -> None:
    items, own = make([8] * 4, [2] * 4)
    sessions = np.zeros(len(items), dtype=np.int64)
    for subject in subjects_of(items, own, 2):
        sessions[subject.genuine[:4]], sessions[subject.genuine[4:]] = 1, 2
    sampler = EnrolmentPairs(
        items, own, sessions=sessions, subjects=4, references=3, probes=3, forgeries=2, others=1
    )
    firsts = set()
    for step in range(10):
        batch = sampler.batch(step)
        for start in range(0, 4 * 21, 21):
            (enrolled,) = set(sessions[batch.left[start : start + 21]].tolist())
            (asked,) = set(sessions[batch.right[start + 3 : start + 12]].tolist())
            assert {enrolled, asked} == {1, 2}
            firsts.add(enrolled)
    assert firsts == {1, 2}


def test_too_few_forgeries_are_filled_up_with_others() -> None:
    items, own = make([8, 8], [1, 0])
    batch = EnrolmentPairs(
        items, own, subjects=2, references=2, probes=1, forgeries=3, others=1
    ).batch(0)
    assert len(batch.same) == 2 * (1 + 5 * 2)
    assert int(batch.same.sum()) == 2 * 3


def test_what_is_refused() -> None:
    items, own = make([3, 3], [2, 2])
    with pytest.raises(DataError, match=r"two or more subjects with 7 genuine items.*'s00' has 3"):
        EnrolmentPairs(items, own)
    with pytest.raises(SettingsError, match="`references` must be 2 or more"):
        EnrolmentPairs(items, own, references=1)
    with pytest.raises(SettingsError, match="add up to 1"):
        ForgeryPairs(items, own, shares=(0.5, 0.4, 0.2))
    with pytest.raises(SettingsError, match="one boolean for each of 10 items"):
        ForgeryPairs(items, own[:4])
    with pytest.raises(SettingsError, match="`step` must be 0 or more"):
        ForgeryPairs(items, own).batch(-1)
    alone = Items(items.values, items.labels, kind="numbers", name="alone")
    with pytest.raises(SettingsError, match="no groups to say whose"):
        ForgeryPairs(alone, own)
    one, mine = make([5], [2])
    with pytest.raises(DataError, match="there is one"):
        ForgeryPairs(one, mine)
