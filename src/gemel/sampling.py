"""Which items meet in a batch.

A sampler keeps no state between batches: `batch(step)` follows from the data, the settings, the
seed and the step alone, so a resumed run needs only the number of its step. What is kept is the
plan of the current epoch, which can be made again at any time.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from gemel.checks import check_both_kinds, check_classes, check_pairable
from gemel.errors import DataError, SettingsError
from gemel.items import Indices, Items, Pairs, members_of_classes


@dataclass(frozen=True, eq=False)
class LabelBatch:
    """Items with their classes.

    Attributes:
        items: [B] indices of items; a class with few items may have one several times.
        labels: [B] the class of each, its place in `Items.classes`.
    """

    items: Indices
    labels: Indices


@dataclass(frozen=True, eq=False)
class PairBatch:
    """Pairs of items.

    Attributes:
        left: [B] indices of the left items.
        right: [B] indices of the right items.
        same: [B] True where both show the same thing.
    """

    left: Indices
    right: Indices
    same: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class TripletBatch:
    """Triplets of items.

    Attributes:
        anchor: [B] indices of items.
        positive: [B] for each anchor, another item of its class.
        negative: [B] for each anchor, an item of another class.
    """

    anchor: Indices
    positive: Indices
    negative: Indices


# What a stream of random numbers is drawn for; keeps the streams of one seed apart.
EPOCH, CLASS, STEP = range(3)

Batch = LabelBatch | PairBatch | TripletBatch


@runtime_checkable
class Sampler(Protocol):
    """What `fit` needs to know of a sampler."""

    @property
    def steps_per_epoch(self) -> int:
        """How many batches go through the data once."""
        ...

    def batch(self, step: int) -> Batch:
        """The batch of training step `step`, counted from 0 over all epochs."""
        ...


Plan = TypeVar("Plan")


class _Planned(ABC, Generic[Plan]):
    """Keeps the plan of the epoch that was asked for last."""

    def __init__(self, seed: int) -> None:
        if seed < 0:
            raise SettingsError(f"`seed` must be 0 or more; got {seed}")
        self.seed = seed
        self._current: tuple[int, Plan] | None = None

    @property
    @abstractmethod
    def steps_per_epoch(self) -> int: ...

    @abstractmethod
    def _plan(self, epoch: int) -> Plan: ...

    def __repr__(self) -> str:
        shown = {key: value for key, value in vars(self).items() if not key.startswith("_")}
        settings = ", ".join(f"{key}={value}" for key, value in shown.items())
        return f"{type(self).__name__}({settings})"

    def _place(self, step: int) -> tuple[Plan, int]:
        """The plan of the epoch that `step` is in, and the step's place in that epoch."""
        if step < 0:
            raise SettingsError(f"`step` must be 0 or more; got {step}")
        epoch, place = divmod(step, self.steps_per_epoch)
        if self._current is None or self._current[0] != epoch:
            self._current = (epoch, self._plan(epoch))
        return self._current[1], place


class ClassesByItems(_Planned[list[LabelBatch]]):
    """P classes times K items in each batch.

    An epoch is about one drawing of each item: it goes several times through all classes, so that
    every class comes up in each pass, and every item of a class with n items within
    ceil(n / per_class) passes. With `groups`, the classes of a batch come from few groups, chunks
    of each group's shuffled classes: they are hard to tell apart.

    A class with fewer than `per_class` items gives each once, and repeats of them if it has two or
    more. Where the data have no more than `classes` classes (and `groups` groups), each batch has
    all of them.

    Args:
        items: what to draw from.
        classes: P, how many classes are in a batch; a batch has fewer where a group has too few.
        per_class: K, how many items of each.
        groups: how many groups the classes of a batch come from, always different ones; None
            draws the classes without regard to groups.
        lone_classes: keep classes of one item, which can never be a positive pair: they are drawn
            as negatives, once in a batch. Otherwise they are refused.
        seed: draws all batches.

    Raises:
        SettingsError: `classes` is below 2 or no multiple of `groups`, `per_class` below 1, `seed`
            below 0, or `groups` is given for items that have none.
        BadItemsError: a class has one item, unless `lone_classes`; all such classes are named.
        DataError: fewer than two classes, or none with two items.
    """

    def __init__(
        self,
        items: Items,
        *,
        classes: int = 16,
        per_class: int = 4,
        groups: int | None = None,
        lone_classes: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__(seed)
        _check_at_least("classes", classes, 2)
        _check_at_least("per_class", per_class, 1)
        if groups is not None:
            _check_at_least("groups", groups, 1)
            if items.groups is None:
                raise SettingsError(
                    f"groups={groups} was asked for, but {items.name} has no groups: leave it out"
                )
            if classes % groups:
                raise SettingsError(
                    f"classes={classes} cannot be shared evenly by groups={groups}; choose a "
                    f"multiple, such as classes={groups * max(1, classes // groups)}"
                )
        self._members = _members(items, lone_classes=lone_classes or per_class == 1)
        self._groups = _groups(items, groups, classes)
        self.groups = min(groups or 1, len(self._groups))
        self.classes = classes
        self.per_class = per_class
        self._chunk = classes // self.groups
        chunks = [-(-len(group) // self._chunk) for group in self._groups]
        # A batch has one chunk of a group at most, so the largest group sets the least count.
        self._batches_per_pass = max(-(-sum(chunks) // self.groups), *chunks)
        per_pass = sum(min(per_class, len(members)) for members in self._members)
        self._passes = -(-len(items) // per_pass)

    @property
    def steps_per_epoch(self) -> int:
        """How many batches draw about as many items as there are."""
        return self._passes * self._batches_per_pass

    def batch(self, step: int) -> LabelBatch:
        """The batch of training step `step`.

        Raises:
            SettingsError: `step` is below 0.
        """
        plan, place = self._place(step)
        return plan[place]

    def _plan(self, epoch: int) -> list[LabelBatch]:
        generator = np.random.default_rng([self.seed, EPOCH, epoch])
        windows = [
            self._windows(class_id, epoch * self._passes) for class_id in range(len(self._members))
        ]
        batches = []
        for turn in range(self._passes):
            for due, extra in self._class_batches(generator):
                parts = [windows[class_id][turn] for class_id in due]
                parts += [self._any_window(class_id, generator) for class_id in extra]
                labels = np.repeat([*due, *extra], [len(part) for part in parts])
                batches.append(LabelBatch(np.concatenate(parts), labels.astype(np.int64)))
        return batches

    def _windows(self, class_id: int, first_pass: int) -> list[Indices]:
        """The items that a class gives in each pass of an epoch.

        The class's items are shuffled and cut in windows of `per_class`; when all windows have
        been drawn, they are shuffled anew. The number of the pass alone says which is due.
        """
        members = self._members[class_id]
        count = -(-len(members) // self.per_class)
        turns, places = divmod(np.arange(first_pass, first_pass + self._passes), count)
        windows: list[Indices] = []
        for turn in range(turns[0], turns[-1] + 1):
            generator = np.random.default_rng([self.seed, CLASS, class_id, turn])
            around = _take_around(generator.permutation(members), 0, count * self.per_class)
            windows.extend(around.reshape(count, -1)[places[turns == turn]])
        return windows

    def _any_window(self, class_id: int, generator: np.random.Generator) -> Indices:
        return _take_around(generator.permutation(self._members[class_id]), 0, self.per_class)

    def _class_batches(self, generator: np.random.Generator) -> list[tuple[list[int], list[int]]]:
        """One pass through all classes: per batch, the classes that are due and those that fill."""
        chunks: list[tuple[int, list[int], list[int]]] = []
        for group in generator.permutation(len(self._groups)):
            shuffled = generator.permutation(self._groups[group]).tolist()
            for start in range(0, len(shuffled), self._chunk):
                due = shuffled[start : start + self._chunk]
                lacking = min(self._chunk - len(due), start)
                fill = generator.permutation(shuffled[:start])[:lacking].tolist()
                chunks.append((int(group), due, fill))
        batches: list[tuple[list[int], list[int]]] = []
        for place in generator.permutation(self._batches_per_pass):
            # Chunks of one group stand side by side, so this stride takes each from another group.
            chosen = chunks[place :: self._batches_per_pass]
            present = {group for group, _, _ in chosen}
            absent = [group for group in range(len(self._groups)) if group not in present]
            extra = [class_id for _, _, fill in chosen for class_id in fill]
            due = [class_id for _, chunk, _ in chosen for class_id in chunk]
            # One class alone has no negatives: a group of one class gets company.
            lacking = max(self.groups - len(chosen), int(len(due) + len(extra) < 2))
            for group in generator.permutation(absent)[:lacking].tolist():
                room = min(self._chunk, self.groups * self._chunk - len(due) - len(extra))
                extra += generator.permutation(self._groups[group])[:room].tolist()
            batches.append((due, extra))
        return batches


class BalancedPairs(_Planned[tuple[Indices, Indices, Indices, Indices]]):
    """Pairs, half of them same and half different in each batch, shuffled.

    From `Items`, an epoch pairs each item once with another of its class and once with one of
    another class (where a class has an odd count, or half of all items, a few come up once more).
    From `Pairs`, an epoch draws every row, and those of the rarer kind several times.

    Args:
        data: items, or a table of pairs; a batch's indices point into its `values`.
        pairs: how many pairs are in a batch; an even number.
        lone_classes: keep classes of one item; they are in different pairs only. Otherwise they
            are refused.
        seed: draws all batches.

    Raises:
        SettingsError: `pairs` is odd or below 2, or `seed` below 0.
        BadItemsError: a class has one item, unless `lone_classes`; all such classes are named.
        DataError: fewer than two classes, none with two items, or a table without pairs of one
            kind.
    """

    def __init__(
        self, data: Items | Pairs, *, pairs: int = 64, lone_classes: bool = False, seed: int = 0
    ) -> None:
        super().__init__(seed)
        _check_at_least("pairs", pairs, 2)
        if pairs % 2:
            raise SettingsError(f"`pairs` must be even, half same and half different; got {pairs}")
        self.pairs = pairs
        self._data = data
        if isinstance(data, Items):
            self._members = _members(data, lone_classes=lone_classes)
            same = sum(-(-len(m) // 2) for m in self._members if len(m) > 1)
            different = -(-len(data) // 2)
        else:
            check_both_kinds(data)
            same = int(data.same.sum())
            different = len(data) - same
        self._steps = -(-max(same, different) // (pairs // 2))

    @property
    def steps_per_epoch(self) -> int:
        """How many batches draw every item, or every row, at least once."""
        return self._steps

    def batch(self, step: int) -> PairBatch:
        """The batch of training step `step`.

        Raises:
            SettingsError: `step` is below 0.
        """
        (same_left, same_right, left, right), place = self._place(step)
        half = self.pairs // 2
        rows = slice(place * half, (place + 1) * half)
        order = np.random.default_rng([self.seed, STEP, step]).permutation(self.pairs)
        return PairBatch(
            np.concatenate([same_left[rows], left[rows]])[order],
            np.concatenate([same_right[rows], right[rows]])[order],
            (np.arange(self.pairs) < half)[order],
        )

    def _plan(self, epoch: int) -> tuple[Indices, Indices, Indices, Indices]:
        generator = np.random.default_rng([self.seed, EPOCH, epoch])
        if isinstance(self._data, Items):
            same, different = self._pair_items(self._data.class_ids, generator)
        else:
            of_kind = (np.flatnonzero(self._data.same), np.flatnonzero(~self._data.same))
            same, different = ((self._data.left[r], self._data.right[r]) for r in of_kind)
        wanted = self._steps * (self.pairs // 2)
        same_rows = _shuffled_to(len(same[0]), wanted, generator)
        rows = _shuffled_to(len(different[0]), wanted, generator)
        return same[0][same_rows], same[1][same_rows], different[0][rows], different[1][rows]

    def _pair_items(
        self, class_ids: Indices, generator: np.random.Generator
    ) -> tuple[tuple[Indices, Indices], tuple[Indices, Indices]]:
        """Each item in one pair with its class, and in one with another class."""
        lefts, rights = [], []
        for members in self._members:
            if len(members) > 1:
                shuffled = generator.permutation(members)
                half = -(-len(members) // 2)
                lefts.append(shuffled[:half])
                rights.append(_take_around(shuffled, half, half))
        shuffled = generator.permutation(len(class_ids))
        half = -(-len(class_ids) // 2)
        left, right = shuffled[:half], _take_around(shuffled, half, half)
        different = (left, keep_classes_apart(left, right, class_ids, generator))
        return (np.concatenate(lefts), np.concatenate(rights)), different


class Triplets(_Planned[tuple[Indices, Indices, Indices]]):
    """Triplets: an anchor, a positive of its class, a negative of another class.

    In an epoch every item is an anchor (but those of lone classes), as often a positive, and every
    item a negative once, as far as the sizes of the classes allow.

    Args:
        items: what to draw from.
        triplets: how many are in a batch.
        lone_classes: keep classes of one item; they are negatives only. Otherwise they are
            refused.
        seed: draws all batches.

    Raises:
        SettingsError: `triplets` is below 1, or `seed` below 0.
        BadItemsError: a class has one item, unless `lone_classes`; all such classes are named.
        DataError: fewer than two classes, or none with two items.
    """

    def __init__(
        self, items: Items, *, triplets: int = 64, lone_classes: bool = False, seed: int = 0
    ) -> None:
        super().__init__(seed)
        _check_at_least("triplets", triplets, 1)
        self.triplets = triplets
        self._members = _members(items, lone_classes=lone_classes)
        self._class_ids = items.class_ids

    @property
    def steps_per_epoch(self) -> int:
        """How many batches draw every item at least once."""
        return -(-len(self._class_ids) // self.triplets)

    def batch(self, step: int) -> TripletBatch:
        """The batch of training step `step`.

        Raises:
            SettingsError: `step` is below 0.
        """
        (anchor, positive, negative), place = self._place(step)
        rows = slice(place * self.triplets, (place + 1) * self.triplets)
        return TripletBatch(anchor[rows], positive[rows], negative[rows])

    def _plan(self, epoch: int) -> tuple[Indices, Indices, Indices]:
        generator = np.random.default_rng([self.seed, EPOCH, epoch])
        shuffled = [generator.permutation(m) for m in self._members if len(m) > 1]
        anchors = np.concatenate(shuffled)
        positives = np.concatenate([np.roll(members, 1) for members in shuffled])
        wanted = self.steps_per_epoch * self.triplets
        rows = _shuffled_to(len(anchors), wanted, generator)
        negatives = _shuffled_to(len(self._class_ids), wanted, generator)
        anchors, positives = anchors[rows], positives[rows]
        negatives = keep_classes_apart(anchors, negatives, self._class_ids, generator)
        return anchors, positives, negatives


def keep_classes_apart(
    left: Indices, right: Indices, class_ids: Indices, generator: np.random.Generator
) -> Indices:
    """`right` [M] in an order that puts no item beside one of its own class in `left` [M].

    Rows in conflict swap their right sides with rows drawn by chance. Where one class is so
    frequent that no order is free of conflicts, items of other classes take the place of what is
    left over.
    """
    right = right.copy()
    of_left, of_right = class_ids[left], class_ids[right]
    for class_id in np.unique(of_left[of_left == of_right]):
        clashing = np.flatnonzero((of_left == class_id) & (of_right == class_id))
        others = generator.permutation(
            np.flatnonzero((of_left != class_id) & (of_right != class_id))
        )
        count = min(len(clashing), len(others))
        rows, mates = clashing[:count], others[:count]
        right[rows], right[mates] = right[mates], right[rows]
        left_over = clashing[count:]
        if len(left_over):
            right[left_over] = generator.choice(
                np.flatnonzero(class_ids != class_id), len(left_over)
            )
        of_right = class_ids[right]
    return right


def _members(items: Items, *, lone_classes: bool) -> Sequence[Indices]:
    """For each class its items; refuses data that cannot make positive and negative pairs."""
    check_classes(items)
    if not lone_classes:
        check_pairable(items)
    members = members_of_classes(items.class_ids)
    if all(len(m) < 2 for m in members):
        raise DataError(
            f"no class of {items.name} has two items, so nothing shows what is the same: "
            "add a second item to some classes"
        )
    return members


def _groups(items: Items, groups: int | None, classes: int) -> list[Indices]:
    """For each group its classes; all classes as one group where groups make no difference."""
    names = items.class_groups if groups is not None else ("",)
    if len(set(names)) <= (groups or 1) and len(items.classes) <= classes:
        names = ("",)
    if len(set(names)) == 1:
        return [np.arange(len(items.classes))]
    return members_of_classes(np.unique(names, return_inverse=True)[1])


def _take_around(shuffled: Indices, start: int, count: int) -> Indices:
    """`count` items from `start` on, going on from the beginning; an only item comes once."""
    if len(shuffled) == 1:
        return shuffled
    return shuffled[np.arange(start, start + count) % len(shuffled)]


def _shuffled_to(count: int, wanted: int, generator: np.random.Generator) -> Indices:
    """`wanted` of the numbers 0..count-1: all of them, shuffled anew as often as it takes."""
    rounds = [generator.permutation(count) for _ in range(-(-wanted // count))]
    return np.concatenate(rounds)[:wanted]


def _check_at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise SettingsError(f"`{name}` must be {least} or more; got {value}")
