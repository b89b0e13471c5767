"""Samplers: pure in the step, nothing left out, nothing paired wrongly."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.errors import BadItemsError, DataError, SettingsError
from gemel.items import Items, Pairs
from gemel.sampling import (
    BalancedPairs,
    ClassesByItems,
    LabelBatch,
    PairBatch,
    Sampler,
    TripletBatch,
    Triplets,
)
from gemel.sampling.planning import keep_classes_apart


def make(sizes: list[int], groups: list[int] | None = None, seed: int = 0) -> Items:
    """Items of len(sizes) classes in mixed order; class i has sizes[i] and is in groups[i]."""
    labels = np.repeat([f"c{i:03d}" for i in range(len(sizes))], sizes)
    order = np.random.default_rng(seed).permutation(len(labels))
    of_item = None if groups is None else np.repeat([f"g{g}" for g in groups], sizes)[order]
    return Items(np.zeros((len(labels), 2)), labels[order], of_item, kind="numbers", name="made")


def epoch(sampler: Sampler, number: int = 0) -> list[LabelBatch | PairBatch | TripletBatch]:
    steps = sampler.steps_per_epoch
    return [sampler.batch(step) for step in range(number * steps, (number + 1) * steps)]


def columns(batch: LabelBatch | PairBatch | TripletBatch) -> list[list[int]]:
    return [column.tolist() for column in vars(batch).values()]


class_sizes = st.lists(st.integers(1, 9), min_size=2, max_size=12).filter(lambda s: max(s) > 1)

SAMPLERS: list[Callable[..., Sampler]] = [
    lambda items, seed=0: ClassesByItems(items, classes=4, per_class=3, seed=seed),
    lambda items, seed=0: ClassesByItems(items, classes=4, per_class=3, groups=2, seed=seed),
    lambda items, seed=0: BalancedPairs(items, pairs=6, seed=seed),
    lambda items, seed=0: Triplets(items, triplets=5, seed=seed),
    lambda items, seed=0: BalancedPairs(table(items), pairs=6, seed=seed),
]


def table(items: Items) -> Pairs:
    generator = np.random.default_rng(3)
    left, right = generator.integers(0, len(items), (2, 90))
    return Pairs(items.values, left, right, items.class_ids[left] == items.class_ids[right])


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_batch_follows_from_its_step_alone(sampler: Callable[..., Sampler]) -> None:
    items = make([4, 5, 6, 2, 3, 7, 4], [0, 0, 1, 1, 2, 2, 3])
    straight = sampler(items)
    wanted = [columns(straight.batch(step)) for step in range(3 * straight.steps_per_epoch)]
    other = sampler(items)
    state = np.random.get_state()[1].copy()  # noqa: NPY002 (the global one must not move)
    for step in np.random.default_rng(0).permutation(len(wanted)):
        assert columns(other.batch(int(step))) == wanted[step]
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    again = sampler(items, seed=1)
    assert [columns(again.batch(step)) for step in range(len(wanted))] != wanted
    assert len({str(batch) for batch in wanted}) > 0.9 * len(wanted)
    for column in vars(straight.batch(0)).values():
        assert column.dtype in (np.int64, np.bool_)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_settings_are_shown_and_wrong_steps_refused(sampler: Callable[..., Sampler]) -> None:
    items = make([4, 5, 6, 2], [0, 0, 1, 1])
    shown = repr(sampler(items, seed=7))
    assert shown == repr(sampler(items, seed=7))
    assert "seed=7" in shown
    assert shown != repr(sampler(items, seed=8))
    with pytest.raises(SettingsError, match="`step` must be 0 or more; got -1"):
        sampler(items).batch(-1)
    with pytest.raises(SettingsError, match="`seed` must be 0 or more; got -2"):
        sampler(items, seed=-2)


class TestClassesByItems:
    @given(
        sizes=class_sizes,
        classes=st.sampled_from([2, 4, 6]),
        per_class=st.integers(2, 5),
        groups=st.sampled_from([None, 1, 2]),
        data=st.data(),
    )
    @settings(max_examples=60, deadline=None)
    def test_what_a_batch_and_an_epoch_hold(
        self,
        sizes: list[int],
        classes: int,
        per_class: int,
        groups: int | None,
        data: st.DataObject,
    ) -> None:
        of_class = data.draw(st.lists(st.integers(0, 4), min_size=len(sizes), max_size=len(sizes)))
        items = make(sizes, of_class)
        sampler = ClassesByItems(
            items, classes=classes, per_class=per_class, groups=groups, lone_classes=True
        )
        drawn: Counter[int] = Counter()
        for batch in epoch(sampler, 3):
            assert isinstance(batch, LabelBatch)
            assert (items.class_ids[batch.items] == batch.labels).all()
            present = Counter(batch.labels.tolist())
            assert 2 <= len(present) <= max(classes, 2)
            drawn.update(present.keys())
            for class_id, count in present.items():
                own = batch.items[batch.labels == class_id]
                assert count == (1 if sizes[class_id] == 1 else per_class)
                assert len(set(own.tolist())) == min(per_class, sizes[class_id])
            if groups is not None:
                available = len(set(of_class))
                in_batch = {of_class[class_id] for class_id in present}
                # A group of one class gets company, where it would be alone.
                alone = groups == 1 and any(of_class.count(group) == 1 for group in in_batch)
                assert len(in_batch) == min(groups, available) or (alone and len(in_batch) == 2)
            elif classes >= len(sizes):
                assert len(present) == len(sizes)
            else:
                assert len(present) == classes
        assert set(drawn) == set(range(len(sizes)))

    @given(sizes=class_sizes, per_class=st.integers(1, 4), start=st.integers(0, 5))
    @settings(max_examples=40, deadline=None)
    def test_every_item_comes_within_its_bound(
        self, sizes: list[int], per_class: int, start: int
    ) -> None:
        items = make(sizes)
        sampler = ClassesByItems(
            items, classes=3, per_class=per_class, groups=None, lone_classes=True
        )
        # Windows are cut anew after each round, so any 2 rounds less one hold each item.
        bound = 2 * -(-max(sizes) // per_class) - 1
        seen: set[int] = set()
        for number in range(start, start + bound):
            for batch in epoch(sampler, number):
                seen.update(batch.items.tolist())
        assert seen == set(range(len(items)))

    def test_equal_classes_give_each_item_once_an_epoch(self) -> None:
        items = make([6] * 8, [0, 0, 0, 0, 1, 1, 1, 1])
        for groups in (None, 1, 2):
            sampler = ClassesByItems(items, classes=4, per_class=3, groups=groups)
            assert sampler.steps_per_epoch == 4
            for number in range(3):
                drawn = np.concatenate([batch.items for batch in epoch(sampler, number)])
                assert sorted(drawn.tolist()) == list(range(48))

    def test_groups_are_all_different_and_share_the_classes(self) -> None:
        of_class = [0] * 9 + [1] * 4 + [2] * 5 + [3] * 2 + [4]
        items = make([4] * len(of_class), of_class)
        sampler = ClassesByItems(items, classes=6, per_class=2, groups=3)
        for batch in epoch(sampler) + epoch(sampler, 1):
            classes = sorted(set(batch.labels.tolist()))
            counts = Counter(of_class[c] for c in classes)
            assert len(counts) == 3
            assert all(counts[g] == (1 if g == 4 else 2) for g in counts)

    def test_one_group_that_dominates_still_meets_others(self) -> None:
        of_class = [0] * 20 + [1, 2]
        sampler = ClassesByItems(make([2] * 22, of_class), classes=4, per_class=2, groups=2, seed=5)
        drawn: Counter[int] = Counter()
        for batch in epoch(sampler):
            classes = set(batch.labels.tolist())
            assert len({of_class[c] for c in classes}) == 2
            drawn.update(classes)
        assert all(drawn[c] == 1 for c in range(20))

    def test_a_group_of_one_class_gets_company(self) -> None:
        sampler = ClassesByItems(make([3, 3, 3], [0, 1, 1]), classes=2, per_class=2, groups=1)
        assert all(len(set(batch.labels.tolist())) == 2 for batch in epoch(sampler))

    def test_few_classes_are_all_in_every_batch(self) -> None:
        for groups in (None, 4):
            sampler = ClassesByItems(
                make([3] * 6, [0, 0, 0, 0, 0, 1]), classes=16, per_class=3, groups=groups
            )
            assert sampler.steps_per_epoch == 1
            assert all(
                set(sampler.batch(step).labels.tolist()) == set(range(6)) for step in range(4)
            )

    def test_classes_are_drawn_alike_whatever_their_size(self) -> None:
        sampler = ClassesByItems(make([2, 40, 5, 9, 3, 3]), classes=3, per_class=2)
        counts = Counter(c for batch in epoch(sampler) for c in set(batch.labels.tolist()))
        assert len(set(counts.values())) == 1

    @pytest.mark.parametrize(
        ("wrong", "words"),
        [
            ({"classes": 1}, "`classes` must be 2 or more; got 1"),
            ({"per_class": 0}, "`per_class` must be 1 or more; got 0"),
            ({"groups": 0}, "`groups` must be 1 or more; got 0"),
            ({"classes": 16, "groups": 3}, "choose a multiple, such as classes=15"),
            ({"classes": 2, "groups": 3}, "such as classes=3"),
        ],
    )
    def test_impossible_settings(self, wrong: dict[str, int], words: str) -> None:
        with pytest.raises(SettingsError, match=words):
            ClassesByItems(make([3, 3, 3], [0, 1, 2]), **wrong)

    def test_groups_need_groups(self) -> None:
        with pytest.raises(SettingsError, match="groups=2 was asked for, but made has no groups"):
            ClassesByItems(make([3, 3]), groups=2)


class TestBalancedPairs:
    @given(sizes=class_sizes, pairs=st.sampled_from([2, 4, 10]), number=st.integers(0, 3))
    @settings(max_examples=60, deadline=None)
    def test_half_are_same_and_every_item_is_drawn(
        self, sizes: list[int], pairs: int, number: int
    ) -> None:
        items = make(sizes)
        sampler = BalancedPairs(items, pairs=pairs, lone_classes=True)
        seen: dict[bool, Counter[int]] = {True: Counter(), False: Counter()}
        for batch in epoch(sampler, number):
            assert isinstance(batch, PairBatch)
            assert len(batch.left) == len(batch.right) == len(batch.same) == pairs
            assert batch.same.sum() == pairs // 2
            truth = items.class_ids[batch.left] == items.class_ids[batch.right]
            assert (batch.same == truth).all()
            assert (batch.left != batch.right).all()
            for kind in (True, False):
                seen[kind].update(batch.left[batch.same == kind].tolist())
                seen[kind].update(batch.right[batch.same == kind].tolist())
        for item in range(len(items)):
            alone = sizes[items.class_ids[item]] == 1
            assert (seen[True][item] == 0) == alone
        if 2 * max(sizes) <= len(items):
            assert set(seen[False]) == set(range(len(items)))
        assert set(seen[True]) | set(seen[False]) == set(range(len(items)))

    def test_items_are_drawn_evenly(self) -> None:
        items = make([6, 4, 8, 6])
        sampler = BalancedPairs(items, pairs=8)
        assert sampler.steps_per_epoch == 3
        for number in range(4):
            for kind in (True, False):
                sides = [
                    side[batch.same == kind]
                    for batch in epoch(sampler, number)
                    for side in (batch.left, batch.right)
                ]
                assert sorted(np.concatenate(sides).tolist()) == list(range(24))

    def test_all_pairs_come_up_in_the_long_run(self) -> None:
        items = make([3, 3])
        sampler = BalancedPairs(items, pairs=2)
        met = {
            frozenset((int(batch.left[i]), int(batch.right[i])))
            for number in range(60)
            for batch in epoch(sampler, number)
            for i in range(2)
        }
        assert len(met) == 15

    def test_kinds_and_sides_are_shuffled(self) -> None:
        sampler = BalancedPairs(make([4] * 20), pairs=40)
        orders = np.stack([sampler.batch(step).same for step in range(40)])
        assert (orders.mean(0) > 0.15).all()
        assert (orders.mean(0) < 0.85).all()

    @given(
        same=st.lists(st.booleans(), min_size=2, max_size=40).filter(lambda s: 0 < sum(s) < len(s)),
        pairs=st.sampled_from([2, 6]),
        number=st.integers(0, 2),
    )
    @settings(max_examples=40, deadline=None)
    def test_every_row_of_a_table_is_drawn_each_epoch(
        self, same: list[bool], pairs: int, number: int
    ) -> None:
        count = len(same)
        left, right = np.arange(count), np.arange(count) + count
        rows = Pairs(np.zeros((2 * count, 3)), left, right, np.array(same), kind="numbers")
        drawn: Counter[int] = Counter()
        for batch in epoch(BalancedPairs(rows, pairs=pairs), number):
            assert (batch.right - batch.left == count).all()
            assert (batch.same == np.array(same)[batch.left]).all()
            assert batch.same.sum() == pairs // 2
            drawn.update(batch.left.tolist())
        assert set(drawn) == set(range(count))
        for kind in (True, False):
            times = [drawn[row] for row in range(count) if same[row] == kind]
            assert max(times) - min(times) <= 1

    def test_odd_counts_and_one_kind_are_refused(self) -> None:
        for wrong in (5, 0):
            with pytest.raises(SettingsError, match=f"`pairs` must be .*got {wrong}"):
                BalancedPairs(make([2, 2]), pairs=wrong)
        for same in (True, False):
            rows = Pairs(np.zeros((4, 3)), np.array([0, 1]), np.array([2, 3]), np.full(2, same))
            with pytest.raises(DataError, match="pairs of both kinds"):
                BalancedPairs(rows)


class TestTriplets:
    @given(sizes=class_sizes, triplets=st.integers(1, 9), number=st.integers(0, 3))
    @settings(max_examples=60, deadline=None)
    def test_triplets_are_triplets_and_every_item_is_drawn(
        self, sizes: list[int], triplets: int, number: int
    ) -> None:
        items = make(sizes)
        anchors, positives, negatives = Counter[int](), Counter[int](), Counter[int]()
        for batch in epoch(Triplets(items, triplets=triplets, lone_classes=True), number):
            assert isinstance(batch, TripletBatch)
            assert len(batch.anchor) == triplets
            of_anchor = items.class_ids[batch.anchor]
            assert (of_anchor == items.class_ids[batch.positive]).all()
            assert (batch.anchor != batch.positive).all()
            assert (of_anchor != items.class_ids[batch.negative]).all()
            anchors.update(batch.anchor.tolist())
            positives.update(batch.positive.tolist())
            negatives.update(batch.negative.tolist())
        for item in range(len(items)):
            lone = sizes[items.class_ids[item]] == 1
            assert (anchors[item] == 0) == lone
            assert (positives[item] == 0) == lone
        assert set(anchors) | set(negatives) == set(range(len(items)))
        repeats = sum(negatives.values()) - len(items)
        if min(sizes) > 1 and 2 * max(sizes) + repeats <= len(items):
            assert set(negatives) == set(range(len(items)))

    def test_each_role_is_shared_evenly(self) -> None:
        sampler = Triplets(make([4, 6, 5, 3]), triplets=6)
        batches = epoch(sampler, 1)
        for role in ("anchor", "positive", "negative"):
            drawn = np.concatenate([getattr(batch, role) for batch in batches])
            assert sorted(drawn.tolist()) == list(range(18))

    def test_no_triplets_are_refused(self) -> None:
        with pytest.raises(SettingsError, match="`triplets` must be 1 or more; got 0"):
            Triplets(make([2, 2]), triplets=0)


@pytest.mark.parametrize("kind", [ClassesByItems, BalancedPairs, Triplets])
def test_data_without_pairs_are_refused(kind: Callable[..., Sampler]) -> None:
    with pytest.raises(BadItemsError, match="only item of class 'c001'") as caught:
        kind(make([3, 1, 2, 1]))
    assert len(caught.value.problems) == 2
    kind(make([3, 1, 2, 1]), lone_classes=True)
    with pytest.raises(DataError, match="two or more classes"):
        kind(make([5]))
    with pytest.raises(DataError, match="no class of made has two items"):
        kind(make([1, 1, 1]), lone_classes=True)


@given(
    class_ids=st.lists(st.integers(0, 3), min_size=2, max_size=30),
    seed=st.integers(0, 99),
    data=st.data(),
)
@settings(max_examples=80, deadline=None)
def test_classes_are_kept_apart(class_ids: list[int], seed: int, data: st.DataObject) -> None:
    ids = np.array(class_ids)
    if len(set(class_ids)) == 1:
        ids[0] += 1
    place = st.integers(0, len(ids) - 1)
    left = np.array(data.draw(st.lists(place, min_size=1, max_size=30)))
    right = np.array(data.draw(st.lists(place, min_size=len(left), max_size=len(left))))
    before = right.copy()
    out = keep_classes_apart(left, right, ids, np.random.default_rng(seed))
    assert (right == before).all()
    assert (ids[left] != ids[out]).all()
    both = Counter(ids[left].tolist()) + Counter(ids[right].tolist())
    if max(both.values()) <= len(left):  # an order without conflicts exists
        assert sorted(out.tolist()) == sorted(right.tolist())
