"""`Items` and `Pairs`: the two things that all rooms hand around, and their class-disjoint splits.

Neither knows a file format, and neither needs torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gemel.errors import DataError, Problem, SettingsError

Kind = Literal["images", "numbers"]
Indices = NDArray[np.int64]
Texts = NDArray[np.str_]


@dataclass(frozen=True, eq=False)
class Items:
    """Things to compare, each with the label of what it is.

    Attributes:
        values: N raw items. Images: paths, open pictures, or uint8 arrays [H, W] or [H, W, C].
            Numbers: one array [N, F], or N rows [F].
        labels: [N] texts, the class or identity of each item.
        groups: [N] texts or None: what the classes belong to (an alphabet, a site, a family).
            All items of one class belong to one group.
        kind: what the values are: "images" or "numbers".
        name: the split's name; it stands beside every figure.
        origins: N texts or None: where each item came from ("photos/ada/1.png",
            "items.csv row 7").
        details: more facts of each item, such as `{"drawer": [N]}`.
        skipped: the bad items that the reader went on without.
    """

    values: Sequence[Any] | NDArray[Any]
    labels: Texts
    groups: Texts | None = None
    kind: Kind = "images"
    name: str = "items"
    origins: Sequence[str] | None = None
    details: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    skipped: tuple[Problem, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.values)
        object.__setattr__(self, "labels", _texts(self.labels, "labels", count))
        if self.groups is not None:
            object.__setattr__(self, "groups", _texts(self.groups, "groups", count))
        for key, column in {"origins": self.origins, **self.details}.items():
            if column is not None and len(column) != count:
                raise DataError(f"`{key}` has {len(column)} entries for {count} items")

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        groups = "" if self.groups is None else f", {len(set(self.groups.tolist()))} groups"
        return f"<Items {self.name!r}: {len(self)} {self.kind}, {len(self.classes)} classes{groups}>"

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The distinct labels, sorted."""
        return tuple(np.unique(self.labels).tolist())

    @cached_property
    def class_ids(self) -> Indices:
        """[N] the place of each item's label in `classes`."""
        return np.searchsorted(np.array(self.classes), self.labels).astype(np.int64)

    @cached_property
    def class_groups(self) -> tuple[str, ...]:
        """The group of each class, in the order of `classes`; one group "" where there are none.

        Raises:
            DataError: a class has items in two groups.
        """
        if self.groups is None:
            return ("",) * len(self.classes)
        first = np.zeros(len(self.classes), dtype=np.int64)
        first[self.class_ids[::-1]] = np.arange(len(self))[::-1]
        of_class = self.groups[first]
        astray = np.flatnonzero(of_class[self.class_ids] != self.groups)
        if len(astray):
            item = int(astray[0])
            raise DataError(
                f"class {self.labels[item]!r} is in group {of_class[self.class_ids[item]]!r} and, "
                f"at {self.origin(item)}, in group {self.groups[item]!r}; a class belongs to one "
                "group: put the group's name in the label, or give the group of all its items alike"
            )
        return tuple(of_class.tolist())

    def origin(self, item: int) -> str:
        """Where item number `item` came from, in words."""
        return self.origins[item] if self.origins is not None else f"{self.name} item {item}"

    def take(self, indices: ArrayLike, name: str | None = None) -> Self:
        """The items at `indices` [M], in that order, under `name` (unless None: the same name)."""
        chosen = np.asarray(indices)
        if chosen.dtype == np.bool_:
            chosen = np.flatnonzero(chosen)
        chosen = chosen.astype(np.int64)
        return replace(
            self,
            values=_take(self.values, chosen),
            labels=self.labels[chosen],
            groups=None if self.groups is None else self.groups[chosen],
            name=self.name if name is None else name,
            origins=None if self.origins is None else [self.origins[i] for i in chosen],
            details={key: column[chosen] for key, column in self.details.items()},
        )

    def split_classes(self, fraction: float = 0.8, *, seed: int = 0) -> tuple[Self, Self]:
        """Two parts that share no class: about `fraction` of the classes, and the others.

        Where there are groups, each gives the same share of its classes (to the nearest whole
        class, the remainder spread over the groups by chance).

        Raises:
            SettingsError: `fraction` is not between 0 and 1.
            DataError: there are fewer than two classes.
        """
        _check_fraction(fraction)
        if len(self.classes) < 2:
            raise DataError(
                f"{self.name} has {len(self.classes)} class; a split by class needs 2 or more. "
                "Add classes, or split by item: split_items()"
            )
        generator = np.random.default_rng(seed)
        order = _stratified_order(self.class_groups, generator)
        wanted = min(max(round(fraction * len(order)), 1), len(order) - 1)
        in_first = np.zeros(len(order), dtype=bool)
        in_first[order[:wanted]] = True
        first = in_first[self.class_ids]
        return self.take(first, f"{self.name}/train"), self.take(~first, f"{self.name}/unseen")

    def split_items(self, fraction: float = 0.8, *, seed: int = 0) -> tuple[Self, Self]:
        """Two parts that share classes but no item: about `fraction` of each class's items first.

        Figures from such a split say how *known* classes are recognised. A class of two or more
        items has at least one in each part; an only item goes to the first part.

        Raises:
            SettingsError: `fraction` is not between 0 and 1.
        """
        _check_fraction(fraction)
        generator = np.random.default_rng(seed)
        first = np.ones(len(self), dtype=bool)
        for members in members_of_classes(self.class_ids):
            if len(members) > 1:
                shuffled = generator.permutation(members)
                wanted = min(max(round(fraction * len(members)), 1), len(members) - 1)
                first[shuffled[wanted:]] = False
        return self.take(first, f"{self.name}/train"), self.take(~first, f"{self.name}/held-out")


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of items and whether the two are the same.

    Attributes:
        values: N raw items, as in `Items`; each item once, however many pairs it is in.
        left: [M] for each pair, the index of its left item in `values`.
        right: [M] the same for its right item.
        same: [M] booleans: True where both show the same thing.
        kind: what the values are.
        name: the split's name; it stands beside every figure.
        origins: N texts or None: where each item came from.
        skipped: the bad rows that the reader went on without.
    """

    values: Sequence[Any] | NDArray[Any]
    left: Indices
    right: Indices
    same: NDArray[np.bool_]
    kind: Kind = "images"
    name: str = "pairs"
    origins: Sequence[str] | None = None
    skipped: tuple[Problem, ...] = ()

    def __post_init__(self) -> None:
        same = np.asarray(self.same)
        if same.dtype != np.bool_:
            raise DataError(
                f"`same` must be an array of booleans, True where a pair is the same; got {same.dtype}"
            )
        object.__setattr__(self, "same", same)
        for key in ("left", "right"):
            column = np.asarray(getattr(self, key), dtype=np.int64)
            object.__setattr__(self, key, column)
            if len(column) != len(same):
                raise DataError(f"`{key}` has {len(column)} entries for {len(same)} pairs")
            if len(column) and not 0 <= column.min() <= column.max() < len(self.values):
                raise DataError(f"`{key}` points outside the {len(self.values)} items")

    def __len__(self) -> int:
        return len(self.same)

    def __repr__(self) -> str:
        return f"<Pairs {self.name!r}: {len(self)} pairs ({int(self.same.sum())} same) of {len(self.values)} {self.kind}>"

    def origin(self, item: int) -> str:
        """Where item number `item` of `values` came from, in words."""
        return self.origins[item] if self.origins is not None else f"{self.name} item {item}"

    def take(self, pairs: ArrayLike, name: str | None = None) -> Self:
        """The pairs numbered `pairs` [K] (or a mask [M]), with only the items they need."""
        chosen = np.asarray(pairs)
        chosen = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen.astype(np.int64)
        used, place = np.unique(
            np.concatenate([self.left[chosen], self.right[chosen]]), return_inverse=True
        )
        return replace(
            self,
            values=_take(self.values, used),
            left=place[: len(chosen)],
            right=place[len(chosen) :],
            same=self.same[chosen],
            name=self.name if name is None else name,
            origins=None if self.origins is None else [self.origins[i] for i in used],
        )

    def split_classes(self, fraction: float = 0.8, *, seed: int = 0) -> tuple[Self, Self]:
        """Two parts that share no identity: items joined by `same` pairs are one identity.

        Pairs between the two parts are left out: their count is the difference of the lengths.

        Raises:
            SettingsError: `fraction` is not between 0 and 1.
            DataError: all pairs hang together in one identity, or a part is left without pairs of
                one kind.
        """
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        _check_fraction(fraction)
        size = len(self.values)
        joined = coo_array(
            (np.ones(int(self.same.sum())), (self.left[self.same], self.right[self.same])),
            shape=(size, size),
        )
        count, identity = connected_components(joined, directed=False)
        order = np.random.default_rng(seed).permutation(count)
        in_first = np.zeros(count, dtype=bool)
        in_first[order[: min(max(round(fraction * count), 1), count - 1)]] = True
        left, right = in_first[identity[self.left]], in_first[identity[self.right]]
        parts = (
            self.take(left & right, f"{self.name}/train"),
            self.take(~left & ~right, f"{self.name}/unseen"),
        )
        for part in parts:
            if not part.same.any() or part.same.all():
                raise DataError(
                    f"{self.name}: a split by identity leaves {part.name} with {len(part)} pairs, "
                    f"{int(part.same.sum())} of them same; both parts need both kinds. "
                    "Give a CSV of each part yourself, or split by pair: split_items()"
                )
        return parts

    def split_items(self, fraction: float = 0.8, *, seed: int = 0) -> tuple[Self, Self]:
        """Two parts by pair, same and different alike: the items of one may be in the other.

        Raises:
            SettingsError: `fraction` is not between 0 and 1.
        """
        _check_fraction(fraction)
        generator = np.random.default_rng(seed)
        first = np.zeros(len(self), dtype=bool)
        for kind in (True, False):
            members = generator.permutation(np.flatnonzero(self.same == kind))
            first[members[: round(fraction * len(members))]] = True
        return self.take(first, f"{self.name}/train"), self.take(~first, f"{self.name}/held-out")


def join(parts: Sequence[Items], name: str) -> Items:
    """All items of `parts` in one `Items` called `name`; equal labels become one class.

    Raises:
        DataError: the parts are of different kinds, or only some of them have groups.
    """
    kinds = {part.kind for part in parts}
    if len(kinds) != 1 or len({part.groups is None for part in parts}) != 1:
        raise DataError(
            f"cannot join {', '.join(map(repr, parts))}: all must be of one kind, "
            "and all or none must have groups"
        )
    grouped = parts[0].groups is not None
    shared = set.intersection(*(set(part.details) for part in parts))
    return Items(
        values=[value for part in parts for value in part.values],
        labels=np.concatenate([part.labels for part in parts]),
        groups=np.concatenate([part.groups for part in parts if part.groups is not None])
        if grouped
        else None,
        kind=parts[0].kind,
        name=name,
        origins=[part.origin(i) for part in parts for i in range(len(part))],
        details={key: np.concatenate([part.details[key] for part in parts]) for key in shared},
        skipped=tuple(problem for part in parts for problem in part.skipped),
    )


def members_of_classes(class_ids: Indices) -> list[Indices]:
    """For each class 0..C-1, the ascending indices of its items, from `class_ids` [N]."""
    order = np.argsort(class_ids, kind="stable")
    starts = np.searchsorted(class_ids[order], np.arange(1, class_ids.max(initial=-1) + 1))
    return np.split(order, starts)


def _texts(values: ArrayLike, key: str, count: int) -> Texts:
    texts = np.asarray(values).astype(np.str_)
    if texts.shape != (count,):
        raise DataError(f"`{key}` has shape {texts.shape}; {count} items need ({count},)")
    return texts


def _take(values: Sequence[Any] | NDArray[Any], indices: Indices) -> Sequence[Any] | NDArray[Any]:
    return values[indices] if isinstance(values, np.ndarray) else [values[i] for i in indices]


def _check_fraction(fraction: float) -> None:
    if not 0 < fraction < 1:
        raise SettingsError(f"`fraction` must lie between 0 and 1, both apart; got {fraction}")


def _stratified_order(groups: Sequence[str], generator: np.random.Generator) -> Indices:
    """The classes in an order of which every beginning holds the same share of each group."""
    names = np.asarray(groups)
    rank = np.empty(len(names))
    for name in np.unique(names):
        members = generator.permutation(np.flatnonzero(names == name))
        rank[members] = (np.arange(len(members)) + generator.random()) / len(members)
    return np.argsort(rank, kind="stable")
