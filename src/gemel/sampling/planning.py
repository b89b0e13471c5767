"""What samplers share: the plan of an epoch, and the small things that plans are made of."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

import numpy as np

from gemel.checks import check_classes, check_pairable
from gemel.errors import DataError, SettingsError
from gemel.items import Indices, Items, members_of_classes
from gemel.sampling.batches import STEP

Plan = TypeVar("Plan")


class Seeded:
    """Has a seed, and shows its settings."""

    def __init__(self, seed: int) -> None:
        check_at_least("seed", seed, 0)
        self.seed = seed

    def __repr__(self) -> str:
        shown = {key: value for key, value in vars(self).items() if not key.startswith("_")}
        settings = ", ".join(f"{key}={value}" for key, value in shown.items())
        return f"{type(self).__name__}({settings})"


class Endless(Seeded):
    """Draws every batch by itself, for ever; an epoch is as long as it is asked for."""

    def __init__(self, epoch: int, seed: int) -> None:
        check_at_least("epoch", epoch, 1)
        self.epoch = epoch
        super().__init__(seed)

    @property
    def steps_per_epoch(self) -> int:
        """As it was asked for."""
        return self.epoch

    def _generator(self, step: int) -> np.random.Generator:
        """What the batch of `step` is drawn from."""
        check_at_least("step", step, 0)
        return np.random.default_rng([self.seed, STEP, step])


class Planned(Seeded, ABC, Generic[Plan]):
    """Keeps the plan of the epoch that was asked for last."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._current: tuple[int, Plan] | None = None

    @property
    @abstractmethod
    def steps_per_epoch(self) -> int:
        """How many batches go through the data once."""

    @abstractmethod
    def _plan(self, epoch: int) -> Plan: ...

    def _place(self, step: int) -> tuple[Plan, int]:
        """The plan of the epoch that `step` is in, and the step's place in that epoch."""
        check_at_least("step", step, 0)
        epoch, place = divmod(step, self.steps_per_epoch)
        if self._current is None or self._current[0] != epoch:
            self._current = (epoch, self._plan(epoch))
        return self._current[1], place


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


def class_members(items: Items, *, lone_classes: bool) -> Sequence[Indices]:
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


def take_around(shuffled: Indices, start: int, count: int) -> Indices:
    """`count` items from `start` on, going on from the beginning; an only item comes once."""
    if len(shuffled) == 1:
        return shuffled
    return shuffled[np.arange(start, start + count) % len(shuffled)]


def shuffled_to(count: int, wanted: int, generator: np.random.Generator) -> Indices:
    """`wanted` of the numbers 0..count-1: all of them, shuffled anew as often as it takes."""
    rounds = [generator.permutation(count) for _ in range(-(-wanted // count))]
    return np.concatenate(rounds)[:wanted]


def check_at_least(name: str, value: int, least: int) -> None:
    """Refuse a setting below `least`.

    Raises:
        SettingsError: it is.
    """
    if value < least:
        raise SettingsError(f"`{name}` must be {least} or more; got {value}")


def check_halves(pairs: int) -> None:
    """Refuse a batch of pairs that is not half same and half different.

    Raises:
        SettingsError: `pairs` is odd or below 2.
    """
    check_at_least("pairs", pairs, 2)
    if pairs % 2:
        raise SettingsError(f"`pairs` must be even, half same and half different; got {pairs}")
