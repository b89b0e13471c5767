"""Pairs within groups: what they are of, how often each group comes, and what is refused."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.errors import DataError, SettingsError
from gemel.items import Items
from gemel.sampling import GroupPairs, Sampler


def make(sizes: list[int], groups: list[int]) -> Items:
    """Items of len(sizes) classes in mixed order; class i has sizes[i] and is in groups[i]."""
    labels = np.repeat([f"c{i:03d}" for i in range(len(sizes))], sizes)
    of = np.repeat([f"g{group}" for group in groups], sizes)
    order = np.random.default_rng(0).permutation(len(labels))
    return Items(np.zeros((len(labels), 2)), labels[order], of[order], kind="numbers", name="made")


@given(
    classes=st.lists(st.tuples(st.integers(1, 5), st.integers(0, 3)), min_size=2, max_size=14),
    seed=st.integers(0, 3),
    step=st.integers(0, 50),
)
@settings(max_examples=60)
def test_pairs_are_what_they_say(classes: list[tuple[int, int]], seed: int, step: int) -> None:
    sizes, groups = [size for size, _ in classes], [group for _, group in classes]
    items = make(sizes, groups)
    of = [[i for i, g in enumerate(groups) if g == group] for group in set(groups)]
    able = [one for one in of if len(one) > 1 and any(sizes[i] > 1 for i in one)]
    if not able:
        with pytest.raises(DataError, match="two classes"):
            GroupPairs(items, pairs=8)
        return
    batch = GroupPairs(items, pairs=24, seed=seed).batch(step)
    labels, group = items.labels, items.groups
    assert group is not None
    assert int(batch.same.sum()) == 12
    assert ((labels[batch.left] == labels[batch.right]) == batch.same).all()
    assert (group[batch.left] == group[batch.right]).all()
    assert (batch.left != batch.right).all()
    for kind in (batch.same, ~batch.same):
        counts = Counter(group[batch.left[kind]].tolist())
        assert len(counts) == min(12, len(able))
        assert max(counts.values()) - min(counts.values()) <= 1


def test_large_classes_and_groups_count_no_more_than_small_ones() -> None:
    """One group of two classes, with 2 and 60 items, beside one of 30 classes."""
    items = make([2, 60, *[3] * 30], [0, 0, *[1] * 30])
    sampler = GroupPairs(items, pairs=200, seed=1)
    batches = [sampler.batch(step) for step in range(20)]
    same = np.concatenate([items.labels[b.left[b.same]] for b in batches])
    counts = Counter(same.tolist())
    assert counts["c000"] + counts["c001"] == 1000
    assert counts["c000"] == pytest.approx(500, abs=5 * np.sqrt(250))
    ends = np.concatenate([b.left[b.same & (items.labels[b.left] == "c001")] for b in batches])
    assert len(set(ends.tolist())) == 60  # every item comes up


def test_follows_from_seed_and_step_alone() -> None:
    items = make([3] * 8, [0, 0, 0, 1, 1, 1, 2, 2])
    one, other = GroupPairs(items, pairs=16, seed=5), GroupPairs(items, pairs=16, seed=5)
    one.batch(3)
    assert all(
        np.array_equal(a, b)
        for a, b in zip(vars(one.batch(7)).values(), vars(other.batch(7)).values(), strict=True)
    )
    assert not np.array_equal(one.batch(7).left, one.batch(8).left)
    assert not np.array_equal(one.batch(7).left, GroupPairs(items, pairs=16, seed=6).batch(7).left)
    assert isinstance(one, Sampler)
    assert GroupPairs(items, epoch=17).steps_per_epoch == 17
    assert repr(one) == "GroupPairs(pairs=16, epoch=100, seed=5)"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"pairs": 7}, "even"),
        ({"pairs": 0}, "`pairs` must be 2 or more"),
        ({"epoch": 0}, "epoch"),
        ({"seed": -1}, "seed"),
    ],
)
def test_settings_out_of_range(words: dict[str, int], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        GroupPairs(make([2, 2], [0, 0]), **words)


def test_items_without_groups() -> None:
    items = Items(np.zeros((4, 2)), np.array(["a", "a", "b", "b"]), kind="numbers", name="plain")
    with pytest.raises(SettingsError, match="plain has no groups"):
        GroupPairs(items)


def test_steps_below_zero() -> None:
    with pytest.raises(SettingsError, match="`step`"):
        GroupPairs(make([2, 2], [0, 0])).batch(-1)
