"""`ClassesByItems`: P classes times K items in each batch."""

import numpy as np

from gemel.errors import SettingsError
from gemel.items import Indices, Items, members_of_classes
from gemel.sampling.batches import CLASS, EPOCH, LabelBatch
from gemel.sampling.planning import Planned, check_at_least, class_members, take_around


class ClassesByItems(Planned[list[LabelBatch]]):
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
        check_at_least("classes", classes, 2)
        check_at_least("per_class", per_class, 1)
        if groups is not None:
            check_at_least("groups", groups, 1)
            if items.groups is None:
                raise SettingsError(
                    f"groups={groups} was asked for, but {items.name} has no groups: leave it out"
                )
            if classes % groups:
                raise SettingsError(
                    f"classes={classes} cannot be shared evenly by groups={groups}; choose a "
                    f"multiple, such as classes={groups * max(1, classes // groups)}"
                )
        self._members = class_members(items, lone_classes=lone_classes or per_class == 1)
        self._groups = groups_of(items, groups, classes)
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
            around = take_around(generator.permutation(members), 0, count * self.per_class)
            windows.extend(around.reshape(count, -1)[places[turns == turn]])
        return windows

    def _any_window(self, class_id: int, generator: np.random.Generator) -> Indices:
        return take_around(generator.permutation(self._members[class_id]), 0, self.per_class)

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


def groups_of(items: Items, groups: int | None, classes: int) -> list[Indices]:
    """For each group its classes; all classes as one group where groups make no difference."""
    names = items.class_groups if groups is not None else ("",)
    if len(set(names)) <= (groups or 1) and len(items.classes) <= classes:
        names = ("",)
    if len(set(names)) == 1:
        return [np.arange(len(items.classes))]
    return members_of_classes(np.unique(names, return_inverse=True)[1])
