"""Items and pairs: what they refuse, what they take, and splits that share no class."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jaxtyping
import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from gemel.errors import DataError, Problem, SettingsError
from gemel.items import Items, Pairs, join, members_of_classes


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Leave the types of arguments unchecked, as they are outside the tests."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


FRACTIONS = st.floats(0, 1, exclude_min=True, exclude_max=True)
SEEDS = st.integers(0, 2**32)
SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=8)


def made(sizes: list[int], *, items: int = 1, grouped: bool = True) -> Items:
    """Groups of `sizes` classes, each of `items` items; the value of an item is its number."""
    labels = [f"{g}/{c}" for g, size in enumerate(sizes) for c in range(size)] * items
    return Items(
        values=list(range(len(labels))),
        labels=np.array(labels),
        groups=np.array([label.split("/")[0] for label in labels]) if grouped else None,
        origins=[f"row {i}" for i in range(len(labels))],
        details={"drawer": np.arange(len(labels)) * 10},
        name="made",
    )


def pairs_of(
    size: int, edges: list[tuple[int, int, bool]], values: Any = None, **facts: Any
) -> Pairs:
    left, right, same = zip(*edges, strict=True) if edges else ((), (), ())
    return Pairs(
        values=[f"v{i}" for i in range(size)] if values is None else values,
        left=np.array(left, dtype=np.int64),
        right=np.array(right, dtype=np.int64),
        same=np.array(same, dtype=np.bool_),
        **facts,
    )


def tangle(seed: int) -> tuple[int, list[tuple[int, int, bool]]]:
    """8 to 40 items, chains of same pairs among neighbours, and many different pairs."""
    generator = np.random.default_rng(seed)
    size = int(generator.integers(8, 41))
    start = generator.integers(size, size=size // 2)
    stop = np.minimum(start + generator.integers(0, 3, size=size // 2), size - 1)
    edges = [(int(i), int(j), True) for i, j in zip(start, stop, strict=True)]
    edges += [(int(i), int(j), False) for i, j in generator.integers(size, size=(5 * size, 2))]
    return size, edges


def told(pairs: Pairs) -> list[tuple[Any, Any, bool]]:
    """The pairs by value, whatever their numbering."""
    return [
        (pairs.values[i], pairs.values[j], bool(same))
        for i, j, same in zip(pairs.left, pairs.right, pairs.same, strict=True)
    ]


class TestItems:
    def test_classes_are_sorted_and_numbered(self) -> None:
        items = Items(values=[0, 1, 2, 3], labels=np.array(["b", "a", "c", "a"]))
        assert items.classes == ("a", "b", "c")
        assert items.class_ids.tolist() == [1, 0, 2, 0]
        assert items.class_ids.dtype == np.int64
        assert items.class_groups == ("", "", "")
        assert len(items) == 4

    @pytest.mark.usefixtures("unchecked")
    def test_labels_of_any_kind_become_texts(self) -> None:
        items = Items(values=[0, 1], labels=np.array([7, 12]))  # type: ignore[arg-type]
        assert items.labels.tolist() == ["7", "12"]
        assert items.classes == ("12", "7")

    def test_none(self) -> None:
        items = Items(values=[], labels=np.array([], dtype=np.str_))
        assert (len(items), items.classes, items.class_groups) == (0, (), ())
        assert items.class_ids.shape == (0,)
        assert [len(part) for part in items.split_items()] == [0, 0]

    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.text(st.characters(codec="ascii", exclude_characters="\0")), max_size=12))
    def test_class_ids_name_the_labels(self, labels: list[str]) -> None:
        items = Items(values=labels, labels=np.array(labels, dtype=np.str_))
        assert [items.classes[i] for i in items.class_ids] == labels
        assert list(items.classes) == sorted(set(labels))

    @settings(deadline=None)
    @given(st.lists(st.integers(0, 6), max_size=20))
    def test_members_of_classes(self, ids: list[int]) -> None:
        members = members_of_classes(np.array(ids, dtype=np.int64))
        slow = [[i for i, c in enumerate(ids) if c == k] for k in range(max(ids, default=-1) + 1)]
        assert [list(each) for each in members] == slow

    def test_groups_of_classes(self) -> None:
        items = Items(
            values=[0, 1, 2, 3],
            labels=np.array(["z", "x", "y", "z"]),
            groups=np.array(["g2", "g1", "g1", "g2"]),
        )
        assert items.class_groups == ("g1", "g1", "g2")

    def test_class_in_two_groups(self) -> None:
        items = Items(
            values=[0, 1, 2],
            labels=np.array(["x", "y", "x"]),
            groups=np.array(["north", "north", "south"]),
            origins=["a.csv row 2", "a.csv row 3", "a.csv row 4"],
        )
        message = "class 'x' is in group 'north' and, at a.csv row 4, in group 'south'; .*label"
        with pytest.raises(DataError, match=message):
            _ = items.class_groups
        with pytest.raises(DataError, match=message):
            items.split_classes()

    def test_origin(self) -> None:
        """As it is given; else the path that the value is; else its number."""
        assert made([2]).origin(1) == "row 1"
        items = Items(values=[5, "b.png", Path("c.png")], labels=np.array(["a"] * 3), name="box")
        assert [items.origin(i) for i in range(3)] == ["box item 0", "b.png", "c.png"]

    def test_in_words(self) -> None:
        assert repr(made([2, 1], items=2)) == "<Items 'made': 6 images, 3 classes, 2 groups>"
        plain = Items(values=np.zeros((2, 3)), labels=np.array(["a", "a"]), kind="numbers")
        assert repr(plain) == "<Items 'items': 2 numbers, 1 classes>"

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"labels": ["a"]}, r"`labels` has shape \(1,\); 2 items need \(2,\)"),
            ({"labels": [["a", "b"]]}, r"`labels` has shape \(1, 2\)"),
            ({"labels": [["a"], ["b", "c"]]}, "`labels` must be one text for each item"),
            ({"labels": [b"\xff", b"a"]}, "`labels` must be one text for each item.*ascii"),
            ({"groups": ["g"] * 3}, r"`groups` has shape \(3,\)"),
            ({"origins": ["here"]}, "`origins` has 1 entries for 2 items"),
            ({"details": {"drawer": np.zeros(3)}}, "`drawer` has 3 entries for 2 items"),
        ],
    )
    @pytest.mark.usefixtures("unchecked")
    def test_refuses(self, wrong: dict[str, Any], message: str) -> None:
        with pytest.raises(DataError, match=message):
            Items(**({"values": [0, 1], "labels": ["a", "b"]} | wrong))


class TestTake:
    def test_every_column_follows(self) -> None:
        problem = Problem("row 9", "no label")
        items = replace(made([3, 2], items=2), skipped=(problem,))
        part = items.take([4, 0, 4])
        assert part.values == [4, 0, 4]
        assert part.labels.tolist() == ["1/1", "0/0", "1/1"]
        assert part.groups is not None
        assert part.groups.tolist() == ["1", "0", "1"]
        assert part.origins == ["row 4", "row 0", "row 4"]
        assert part.details["drawer"].tolist() == [40, 0, 40]
        assert (part.name, part.skipped) == ("made", (problem,))

    def test_derived_facts_are_computed_anew(self) -> None:
        items = made([3])
        assert items.classes == ("0/0", "0/1", "0/2")
        assert items.take([2]).classes == ("0/2",)
        assert items.take([2]).class_ids.tolist() == [0]

    def test_array_values_stay_an_array(self) -> None:
        values = np.arange(12.0).reshape(4, 3)
        part = Items(values=values, labels=np.array(list("abcd")), kind="numbers").take(
            [3, 1], "few"
        )
        np.testing.assert_array_equal(part.values, values[[3, 1]])
        assert (part.kind, part.name, part.groups, part.origins) == ("numbers", "few", None, None)

    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.booleans(), min_size=6, max_size=6))
    def test_mask_is_the_same_as_its_indices(self, mask: list[bool]) -> None:
        items = made([6])
        assert items.take(mask).values == items.take(np.flatnonzero(mask)).values
        assert items.take(mask).values == [i for i in range(6) if mask[i]]

    def test_nothing(self) -> None:
        assert len(made([4]).take([])) == 0
        assert len(made([4]).take(np.zeros(4, dtype=bool))) == 0

    @pytest.mark.parametrize(
        ("indices", "message"),
        [
            ([0, 4], "the items taken of made must be 0 or more and below 4; got 4"),
            ([-1], "the items taken of made must be 0 or more and below 4; got -1"),
            ([0.5], r"the items taken of made must be whole numbers \[M\]; got float64"),
            ([[0, 1]], r"whole numbers \[M\]; got int64 of shape \(1, 2\)"),
            (["0"], r"must be whole numbers \[M\]; got <U1"),
            ([True, False], r"made: the mask has shape \(2,\); 4 need \(4,\)"),
        ],
    )
    def test_refuses(self, indices: Any, message: str) -> None:
        with pytest.raises(DataError, match=message):
            made([4]).take(indices)

    def test_keep_items(self) -> None:
        kept = made([4]).keep_items(np.array([0, 3]))
        assert (kept.values, kept.labels.tolist(), kept.name) == ([0, 3], ["0/0", "0/3"], "made")


class TestSplitClasses:
    @given(sizes=SIZES.filter(lambda sizes: sum(sizes) > 1), fraction=FRACTIONS, seed=SEEDS)
    @settings(max_examples=60, deadline=None)
    def test_no_class_in_both_and_each_item_in_one(
        self, sizes: list[int], fraction: float, seed: int
    ) -> None:
        items = made(sizes, items=2)
        first, rest = items.split_classes(fraction, seed=seed)
        assert not set(first.classes) & set(rest.classes)
        assert sorted([*first.values, *rest.values]) == list(items.values)
        assert list(first.values) == sorted(first.values)
        total = sum(sizes)
        assert len(first.classes) == min(max(round(fraction * total), 1), total - 1)
        assert rest.classes
        assert (first.name, rest.name) == ("made/train", "made/unseen")

    @given(sizes=SIZES.filter(lambda sizes: sum(sizes) > 1), fraction=FRACTIONS, seed=SEEDS)
    @settings(max_examples=60, deadline=None)
    def test_each_group_gives_its_share_within_one_class(
        self, sizes: list[int], fraction: float, seed: int
    ) -> None:
        first, _ = made(sizes).split_classes(fraction, seed=seed)
        total = sum(sizes)
        nudged = not 1 <= round(fraction * total) <= total - 1  # a part would have been empty
        for group, size in enumerate(sizes):
            got = sum(label.startswith(f"{group}/") for label in first.classes)
            assert abs(got - fraction * size) < 1 + nudged

    def test_one_large_group_among_many_small(self) -> None:
        """The small ones must not push their rounding onto the large one."""
        items = made([60, *[3] * 40])
        for seed in range(20):
            first, _ = items.split_classes(0.5, seed=seed)
            counts = [sum(first.groups == str(group)) for group in range(41)]
            assert counts[0] == 30
            assert set(counts[1:]) == {1, 2}

    def test_rounding_favours_no_group(self) -> None:
        """Ten groups of one class, half of them taken: each about half of the time."""
        items = made([1] * 10)
        taken = np.zeros(10)
        for seed in range(200):
            taken[items.split_classes(0.5, seed=seed)[0].values] += 1
        assert taken.sum() == 1000
        assert np.abs(taken - 100).max() < 35  # five standard deviations

    def test_seed_decides(self) -> None:
        items = made([8, 8], items=2)
        splits = [tuple(items.split_classes(0.5, seed=seed)[0].values) for seed in range(20)]
        assert splits == [tuple(items.split_classes(0.5, seed=s)[0].values) for s in range(20)]
        assert len(set(splits)) == 20

    def test_without_groups(self) -> None:
        first, rest = made([10], items=3, grouped=False).split_classes(0.7, seed=1)
        assert (len(first.classes), len(rest.classes), len(first)) == (7, 3, 21)

    @pytest.mark.parametrize("fraction", [0.0, 1.0, -0.2, 1.5, float("nan")])
    def test_fraction(self, fraction: float) -> None:
        message = f"`fraction` must lie between 0 and 1, both apart; got {fraction}"
        for split in (made([4]).split_classes, made([4]).split_items):
            with pytest.raises(SettingsError, match=re.escape(message)):
                split(fraction)

    def test_one_class(self) -> None:
        with pytest.raises(DataError, match=r"made has 1 class; .*split_items\(\)"):
            made([1], items=5).split_classes()


class TestSplitItems:
    @given(
        counts=st.lists(st.integers(1, 12), min_size=1, max_size=6), fraction=FRACTIONS, seed=SEEDS
    )
    @settings(max_examples=40, deadline=None)
    def test_each_class_gives_its_share(
        self, counts: list[int], fraction: float, seed: int
    ) -> None:
        labels = np.array([f"c{k}" for k, count in enumerate(counts) for _ in range(count)])
        items = Items(values=list(range(len(labels))), labels=labels)
        first, rest = items.split_items(fraction, seed=seed)
        assert sorted([*first.values, *rest.values]) == list(items.values)
        for k, count in enumerate(counts):
            wanted = 1 if count == 1 else min(max(round(fraction * count), 1), count - 1)
            assert (first.labels == f"c{k}").sum() == wanted
        assert (first.name, rest.name) == ("items/train", "items/held-out")

    def test_seed_decides(self) -> None:
        items = made([3], items=20)
        splits = [tuple(items.split_items(0.5, seed=seed)[0].values) for seed in range(20)]
        assert splits == [tuple(items.split_items(0.5, seed=s)[0].values) for s in range(20)]
        assert len(set(splits)) == 20


class TestPairs:
    def test_facts(self) -> None:
        pairs = pairs_of(3, [(0, 1, True), (1, 2, False), (0, 2, True)], name="p")
        assert len(pairs) == 3
        assert repr(pairs) == "<Pairs 'p': 3 pairs (2 same) of 3 images>"
        assert pairs.origin(2) == "v2"
        assert pairs_of(2, [], values=[4, 5], name="p").origin(1) == "p item 1"
        assert pairs_of(1, [], origins=["a.png"]).origin(0) == "a.png"

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"same": np.array([0, 1])}, r"`same` must be .*booleans, .*got int64 of shape \(2,\)"),
            ({"same": np.array([[True, False]])}, r"got bool of shape \(1, 2\)"),
            ({"left": np.array([0])}, "`left` has 1 entries for 2 pairs"),
            ({"right": np.array([0, 1, 1])}, "`right` has 3 entries for 2 pairs"),
            ({"left": np.array([0, 3])}, "`left` must be 0 or more and below 3; got 3"),
            ({"right": np.array([-1, 0])}, "`right` must be 0 or more and below 3; got -1"),
            ({"left": np.array([0.0, 1.5])}, r"`left` must be whole numbers \[M\]; got float64"),
            ({"origins": ["a", "b"]}, "`origins` has 2 entries for 3 items"),
        ],
    )
    @pytest.mark.usefixtures("unchecked")
    def test_refuses(self, wrong: dict[str, Any], message: str) -> None:
        right: dict[str, Any] = {
            "values": ["a", "b", "c"],
            "left": np.array([0, 1]),
            "right": np.array([1, 2]),
            "same": np.array([True, False]),
        }
        with pytest.raises(DataError, match=message):
            Pairs(**(right | wrong))

    def test_take_keeps_only_what_it_needs(self) -> None:
        edges = [(4, 1, True), (0, 3, False), (1, 1, True), (2, 4, False)]
        pairs = pairs_of(5, edges, origins=[f"row {i}" for i in range(5)], name="p")
        part = pairs.take([3, 0], "few")
        assert told(part) == [("v2", "v4", False), ("v4", "v1", True)]
        assert part.values == ["v1", "v2", "v4"]
        assert part.origins == ["row 1", "row 2", "row 4"]
        assert (part.name, pairs.take([0]).name) == ("few", "p")
        assert told(pairs.take(np.array([True, False, False, True]))) == [
            ("v4", "v1", True),
            ("v2", "v4", False),
        ]
        assert len(pairs.take([]).values) == 0

    def test_take_of_an_array(self) -> None:
        values = np.arange(8.0).reshape(4, 2)
        part = pairs_of(4, [(0, 3, True)], values, kind="numbers").take([0])
        np.testing.assert_array_equal(part.values, values[[0, 3]])
        assert part.kind == "numbers"

    def test_take_refuses(self) -> None:
        pairs = pairs_of(2, [(0, 1, True), (1, 0, False)], name="p")
        with pytest.raises(
            DataError, match="the pairs taken of p must be 0 or more and below 2; got 2"
        ):
            pairs.take([2])
        with pytest.raises(DataError, match=r"the pairs taken of p: the mask has shape \(3,\)"):
            pairs.take([True, True, False])

    @given(graph=SEEDS.map(tangle), chance=st.floats(0, 1), seed=SEEDS)
    @settings(max_examples=30, deadline=None)
    def test_keep_items(
        self, graph: tuple[int, list[tuple[int, int, bool]]], chance: float, seed: int
    ) -> None:
        size, edges = graph
        rows = [f"row {i}" for i in range(size)]
        kept = np.flatnonzero(np.random.default_rng(seed).random(size) < chance)
        part = pairs_of(size, edges, origins=rows, name="p").keep_items(kept)
        assert (part.values, part.origins) == ([f"v{i}" for i in kept], [rows[i] for i in kept])
        whole = [(i, j, same) for i, j, same in edges if {i, j} <= set(kept.tolist())]
        assert told(part) == [(f"v{i}", f"v{j}", same) for i, j, same in whole]
        assert part.name == "p"

    def test_keep_items_without_origins(self) -> None:
        part = pairs_of(3, [(0, 2, True), (1, 2, False)]).keep_items(np.array([0, 2]))
        assert (told(part), part.origins) == ([("v0", "v2", True)], None)


def identities(size: int, edges: list[tuple[int, int, bool]]) -> list[int]:
    """Union-find by hand: for each item, the smallest item that `same` pairs join it to."""
    parent = list(range(size))

    def root(item: int) -> int:
        while parent[item] != item:
            item = parent[item]
        return item

    for i, j, same in edges:
        if same:
            low, high = sorted((root(i), root(j)))
            parent[high] = low
    return [root(item) for item in range(size)]


class TestSplitPairs:
    @given(graph=SEEDS.map(tangle), fraction=st.floats(0.3, 0.7), seed=SEEDS)
    @settings(max_examples=80, deadline=None)
    def test_by_identity_against_union_find(
        self, graph: tuple[int, list[tuple[int, int, bool]]], fraction: float, seed: int
    ) -> None:
        size, edges = graph
        pairs = pairs_of(size, edges, name="p")
        identity = {f"v{i}": each for i, each in enumerate(identities(size, edges))}
        try:
            parts = pairs.split_classes(fraction, seed=seed)
        except DataError as error:
            assert "both parts need both kinds" in str(error)  # noqa: PT017
            reject()  # too many of these would fail the test
        held = [{identity[value] for value in part.values} for part in parts]
        assert not held[0] & held[1]
        side = {each: number for number, part in enumerate(held) for each in part}
        for number, part in enumerate(parts):
            # Every pair whose two identities are on this side is here, in order, as often as given.
            inside = [
                (f"v{i}", f"v{j}", same)
                for i, j, same in edges
                if side.get(identity[f"v{i}"]) == side.get(identity[f"v{j}"]) == number
            ]
            assert told(part) == inside
            assert {same for _, _, same in inside} == {True, False}
        assert [part.name for part in parts] == ["p/train", "p/unseen"]

    def test_no_same_pair_is_lost(self) -> None:
        """Same pairs lie within one identity, so only different ones fall between the parts."""
        edges = [(3 * k, 3 * k + 1, True) for k in range(20)]
        edges += [(3 * k + 1, 3 * k + 2, True) for k in range(20)]
        edges += [(3 * k, 3 * n, False) for k in range(20) for n in range(k)]
        first, rest = pairs_of(60, edges).split_classes(0.75, seed=2)
        assert (len(first.values), len(rest.values)) == (45, 15)
        assert (first.same.sum(), rest.same.sum()) == (30, 10)
        assert ((~first.same).sum(), (~rest.same).sum()) == (15 * 14 // 2, 5 * 4 // 2)

    def test_by_identity_seed_decides(self) -> None:
        edges = [(2 * k, 2 * k + 1, True) for k in range(12)]
        edges += [(2 * k, 2 * n, False) for k in range(12) for n in range(k)]
        pairs = pairs_of(24, edges)
        splits = [tuple(pairs.split_classes(0.5, seed=seed)[0].values) for seed in range(10)]
        assert splits == [tuple(pairs.split_classes(0.5, seed=s)[0].values) for s in range(10)]
        assert len(set(splits)) == 10

    @pytest.mark.parametrize(
        ("edges", "message"),
        [
            ([(0, 1, True), (1, 2, True), (2, 3, False)], r"leaves p/\w+ with . pairs, . of them"),
            ([(0, 1, False), (2, 3, False)], "0 of them same; both parts need both kinds"),
            ([], r"p/train with 0 pairs, .* split by pair: split_items\(\)"),
        ],
    )
    def test_by_identity_impossible(self, edges: list[tuple[int, int, bool]], message: str) -> None:
        with pytest.raises(DataError, match=message):
            pairs_of(4, edges, name="p").split_classes(0.5)

    def test_all_pairs_of_one_identity(self) -> None:
        edges = [(0, 1, True), (1, 2, True), (0, 2, False)]
        with pytest.raises(DataError, match="p: a split by identity leaves p/train with 0 pairs"):
            pairs_of(3, edges, name="p").split_classes()

    @given(same=st.integers(0, 20), other=st.integers(0, 20), fraction=FRACTIONS, seed=SEEDS)
    @settings(max_examples=40, deadline=None)
    def test_by_pair(self, same: int, other: int, fraction: float, seed: int) -> None:
        edges = [(2 * k, 2 * k + 1, k < same) for k in range(same + other)]
        pairs = pairs_of(max(1, 2 * (same + other)), edges, name="p")
        first, rest = pairs.split_items(fraction, seed=seed)
        assert sorted(told(first) + told(rest)) == sorted(told(pairs))
        assert first.same.sum() == round(fraction * same)
        assert (~first.same).sum() == round(fraction * other)
        assert (first.name, rest.name) == ("p/train", "p/held-out")

    def test_by_pair_seed_decides(self) -> None:
        pairs = pairs_of(60, [(2 * k, 2 * k + 1, k % 2 == 0) for k in range(30)])
        splits = [tuple(told(pairs.split_items(0.5, seed=seed)[0])) for seed in range(10)]
        assert splits == [tuple(told(pairs.split_items(0.5, seed=s)[0])) for s in range(10)]
        assert len(set(splits)) == 10

    @pytest.mark.parametrize("fraction", [0.0, 1.0, 2.0])
    def test_fraction(self, fraction: float) -> None:
        pairs = pairs_of(2, [(0, 1, True)])
        for split in (pairs.split_classes, pairs.split_items):
            with pytest.raises(SettingsError, match=f"`fraction` .*; got {fraction}"):
                split(fraction)


class TestJoin:
    def test_equal_labels_become_one_class(self) -> None:
        problem = Problem("row 3", "no label")
        first = Items(
            values=["a", "b"],
            labels=np.array(["x", "y"]),
            origins=["one", "two"],
            details={"drawer": np.array([1, 2]), "page": np.array([5, 6])},
        )
        second = Items(
            values=[3],
            labels=np.array(["longer than x"]),
            details={"drawer": np.array([3])},
            name="second",
            skipped=(problem,),
        )
        third = replace(second, labels=np.array(["x"]), skipped=())
        whole = join([first, second, third], "whole")
        assert whole.values == ["a", "b", 3, 3]
        assert whole.labels.tolist() == ["x", "y", "longer than x", "x"]
        assert whole.classes == ("longer than x", "x", "y")
        assert whole.origins == ["one", "two", "second item 0", "second item 0"]
        assert {key: list(column) for key, column in whole.details.items()} == {
            "drawer": [1, 2, 3, 3]
        }
        assert (whole.name, whole.groups, whole.skipped) == ("whole", None, (problem,))

    def test_undoes_a_split(self) -> None:
        items = made([5, 4], items=3)
        whole = join(items.split_classes(0.5), "again")
        order = np.argsort(whole.values)
        back = whole.take(order)
        assert list(back.values) == list(items.values)
        for key in ("labels", "groups", "origins"):
            assert list(getattr(back, key)) == list(getattr(items, key))
        assert whole.class_groups == items.class_groups

    def test_refuses(self) -> None:
        numbers = Items(values=np.zeros((1, 2)), labels=np.array(["a"]), kind="numbers", name="n")
        for parts in ([made([2]), numbers], [made([2]), made([2], grouped=False)], []):
            with pytest.raises(DataError, match=r"cannot join .*all must be of one kind") as caught:
                join(parts, "whole")
            assert all(repr(part) in str(caught.value) for part in parts)

    def test_class_astray_is_found_in_the_whole(self) -> None:
        parts = [
            Items(values=[1], labels=np.array(["x"]), groups=np.array([g]), name=g) for g in "gh"
        ]
        with pytest.raises(DataError, match="class 'x' is in group 'g' and, at h item 0"):
            _ = join(parts, "whole").class_groups


class TestSplitGroups:
    def made(self, sizes: list[int]) -> Items:
        groups = np.repeat([f"g{i}" for i in range(len(sizes))], sizes)
        labels = np.array([f"{group}/{i}" for i, group in enumerate(groups)])
        return Items(np.zeros((len(labels), 1)), labels, groups, kind="numbers")

    @pytest.mark.parametrize(("fraction", "count"), [(0.8, 4), (0.5, 2), (0.01, 1), (0.99, 4)])
    def test_whole_groups_go_to_either_part(self, fraction: float, count: int) -> None:
        items = self.made([3, 1, 4, 2, 5])
        first, rest = items.split_groups(fraction, seed=1)
        taken = [set(part.groups.tolist()) for part in (first, rest)]
        assert len(taken[0]) == count
        assert taken[0].isdisjoint(taken[1])
        assert len(first) + len(rest) == len(items)
        assert first.labels.tolist() == items.split_groups(fraction, seed=1)[0].labels.tolist()
        others = {tuple(items.split_groups(fraction, seed=s)[0].groups.tolist()) for s in range(9)}
        assert len(others) > 1

    def test_one_group_or_none_is_refused(self) -> None:
        for items in (self.made([4]), Items(np.zeros((2, 1)), np.array(["a", "b"]))):
            with pytest.raises(DataError, match="a split by group needs 2 or more"):
                items.split_groups()
        with pytest.raises(SettingsError, match="`fraction` must lie between 0 and 1"):
            self.made([1, 1]).split_groups(1.0)
