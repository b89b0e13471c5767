"""`Items` and `Pairs`: the two things that all rooms hand around, and their class-disjoint splits.

Neither knows a file format, and neither needs torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from os import PathLike
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gemel.errors import DataError, Problem, SettingsError

Kind = str
"""What items are: "images", "numbers", "pens", or any other word that an input of yours takes."""
Side = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("left", "right")
Indices = NDArray[np.int64]
Texts = NDArray[np.character]  # np.str_ has a dtype for each length, and beartype wants it equal


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
        count = f"{len(self)} {self.kind}, {len(self.classes)} classes"
        return f"<Items {self.name!r}: {count}{groups}>"

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
            label, other = str(self.labels[item]), str(self.groups[item])
            group = str(of_class[self.class_ids[item]])
            raise DataError(
                f"class {label!r} is in group {group!r} and, at {self.origin(item)}, in group "
                f"{other!r}; a class belongs to one group: put the group's name in the label, or "
                "give the group of all its items alike"
            )
        return tuple(of_class.tolist())

    def kind_of(self, side: Side) -> Kind:  # noqa: ARG002
        """What the items are: the same on either side of a pair."""
        return self.kind

    def origin(self, item: int) -> str:
        """Where item number `item` came from, in words."""
        return _origin(self, item)

    def take(self, indices: ArrayLike, name: str | None = None) -> "Items":
        """The items at `indices` [M] (or a mask [N]), in that order, under `name` if it is given.

        Raises:
            DataError: an index is no item's, or the mask is not one boolean for each item.
        """
        chosen = _chosen(indices, f"the items taken of {self.name}", len(self))
        return replace(
            self,
            values=_take(self.values, chosen),
            labels=self.labels[chosen],
            groups=None if self.groups is None else self.groups[chosen],
            name=self.name if name is None else name,
            origins=None if self.origins is None else [self.origins[i] for i in chosen],
            details={key: column[chosen] for key, column in self.details.items()},
        )

    def keep_items(self, items: Indices) -> "Items":
        """Only the items numbered `items`, ascending: what is left when bad ones are skipped."""
        return self.take(items)

    def split_classes(self, fraction: float = 0.8, *, seed: int = 0) -> tuple["Items", "Items"]:
        """Two parts that share no class: about `fraction` of the classes, and the others.

        Where there are groups, each gives that share of its classes, rounded down or up by chance
        so that the total is right.

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
        first = _stratified(self.class_groups, fraction, generator)[self.class_ids]
        return self.take(first, f"{self.name}/train"), self.take(~first, f"{self.name}/unseen")

    def split_items(self, fraction: float = 0.8, *, seed: int = 0) -> tuple["Items", "Items"]:
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
        right_kind: what the right items are, where they are of another kind than the left ones.
    """

    values: Sequence[Any] | NDArray[Any]
    left: Indices
    right: Indices
    same: NDArray[np.bool_]
    kind: Kind = "images"
    name: str = "pairs"
    origins: Sequence[str] | None = None
    skipped: tuple[Problem, ...] = ()
    right_kind: Kind | None = None

    def __post_init__(self) -> None:
        same = np.asarray(self.same)
        if same.dtype != np.bool_ or same.ndim != 1:
            raise DataError(
                "`same` must be an array [M] of booleans, True where a pair is the same; "
                f"got {same.dtype} of shape {same.shape}"
            )
        object.__setattr__(self, "same", same)
        for key in ("left", "right"):
            column = _indices(getattr(self, key), f"`{key}`", len(self.values))
            object.__setattr__(self, key, column)
            if len(column) != len(same):
                raise DataError(f"`{key}` has {len(column)} entries for {len(same)} pairs")
        if self.origins is not None and len(self.origins) != len(self.values):
            raise DataError(
                f"`origins` has {len(self.origins)} entries for {len(self.values)} items"
            )
        both = np.intersect1d(self.left, self.right)
        if self.kind_of("left") != self.kind_of("right") and len(both):
            raise DataError(
                f"{self.origin(int(both[0]))} stands on both sides of pairs whose left items are "
                f"{self.kind} and whose right items are {self.right_kind}"
            )

    def __len__(self) -> int:
        return len(self.same)

    def __repr__(self) -> str:
        count = f"{len(self)} pairs ({int(self.same.sum())} same)"
        kinds = " and ".join(dict.fromkeys([self.kind_of("left"), self.kind_of("right")]))
        return f"<Pairs {self.name!r}: {count} of {len(self.values)} {kinds}>"

    @cached_property
    def identities(self) -> Indices:
        """[N] the identity of each item: items joined by `same` pairs are one."""
        return identities(self.left, self.right, self.same, len(self.values))

    def kind_of(self, side: Side) -> Kind:
        """What the items of one side are."""
        return self.right_kind if side == "right" and self.right_kind is not None else self.kind

    def origin(self, item: int) -> str:
        """Where item number `item` of `values` came from, in words."""
        return _origin(self, item)

    def take(self, pairs: ArrayLike, name: str | None = None) -> "Pairs":
        """The pairs numbered `pairs` [K] (or a mask [M]), with only the items they need.

        Raises:
            DataError: a number is no pair's, or the mask is not one boolean for each pair.
        """
        chosen = _chosen(pairs, f"the pairs taken of {self.name}", len(self))
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

    def keep_items(self, items: Indices) -> "Pairs":
        """Only the items numbered `items`, ascending, and the pairs of which both are kept."""
        place = np.full(len(self.values), -1)
        place[items] = np.arange(len(items))
        whole = (place[self.left] >= 0) & (place[self.right] >= 0)
        return replace(
            self,
            values=_take(self.values, items),
            left=place[self.left[whole]],
            right=place[self.right[whole]],
            same=self.same[whole],
            origins=None if self.origins is None else [self.origins[i] for i in items],
        )

    def split_classes(self, fraction: float = 0.8, *, seed: int = 0) -> tuple["Pairs", "Pairs"]:
        """Two parts that share no identity: items joined by `same` pairs are one identity.

        Pairs between the two parts are left out: their count is the difference of the lengths.

        Raises:
            SettingsError: `fraction` is not between 0 and 1.
            DataError: all pairs hang together in one identity, or a part is left without pairs of
                one kind.
        """
        _check_fraction(fraction)
        identity = self.identities
        count = int(identity.max(initial=-1)) + 1
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

    def split_items(self, fraction: float = 0.8, *, seed: int = 0) -> tuple["Pairs", "Pairs"]:
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


def identities(left: Indices, right: Indices, same: NDArray[np.bool_], count: int) -> Indices:
    """[count] the identity of each item, 0, 1, 2...: items joined by `same` pairs are one."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    joined = coo_array((np.ones(int(same.sum())), (left[same], right[same])), shape=(count, count))
    return np.asarray(connected_components(joined, directed=False)[1], dtype=np.int64)


def members_of_classes(class_ids: Indices) -> list[Indices]:
    """For each class 0..C-1, the ascending indices of its items, from `class_ids` [N]."""
    if len(class_ids) == 0:
        return []
    order = np.argsort(class_ids, kind="stable")
    starts = np.searchsorted(class_ids[order], np.arange(1, class_ids.max() + 1))
    return np.split(order, starts)


def _origin(data: Items | Pairs, item: int) -> str:
    if data.origins is not None:
        return data.origins[item]
    value = data.values[item]
    return str(value) if isinstance(value, str | PathLike) else f"{data.name} item {item}"


def _texts(values: ArrayLike, key: str, count: int) -> Texts:
    try:
        texts = np.asarray(values).astype(np.str_)
    except ValueError as error:
        raise DataError(f"`{key}` must be one text for each item: {error}") from error
    if texts.shape != (count,):
        raise DataError(f"`{key}` has shape {texts.shape}; {count} items need ({count},)")
    return texts


def _indices(values: ArrayLike, what: str, count: int) -> Indices:
    numbers = np.asarray(values)
    if numbers.ndim != 1 or (numbers.size and numbers.dtype.kind not in "iu"):
        raise DataError(
            f"{what} must be whole numbers [M]; got {numbers.dtype} of shape {numbers.shape}"
        )
    outside = numbers[(numbers < 0) | (numbers >= count)]
    if len(outside):
        raise DataError(f"{what} must be 0 or more and below {count}; got {outside[0]}")
    return numbers.astype(np.int64)


def _chosen(values: ArrayLike, what: str, count: int) -> Indices:
    mask = np.asarray(values)
    if mask.dtype != np.bool_:
        return _indices(values, what, count)
    if mask.shape != (count,):
        raise DataError(f"{what}: the mask has shape {mask.shape}; {count} need ({count},)")
    return np.flatnonzero(mask)


def _take(values: Sequence[Any] | NDArray[Any], indices: Indices) -> Sequence[Any] | NDArray[Any]:
    return values[indices] if isinstance(values, np.ndarray) else [values[i] for i in indices]


def _check_fraction(fraction: float) -> None:
    if not 0 < fraction < 1:
        raise SettingsError(f"`fraction` must lie between 0 and 1, both apart; got {fraction}")


def _stratified(
    groups: Sequence[str], fraction: float, generator: np.random.Generator
) -> NDArray[np.bool_]:
    """[C] True for `fraction` of the classes: of each group that share, rounded down or up.

    Which groups are rounded up is drawn with the lost fractions as weights, so that the total is
    right to the nearest whole class; neither the first part nor the rest is empty.
    """
    names, group = np.unique(np.asarray(groups), return_inverse=True)
    total = min(max(round(fraction * len(group)), 1), len(group) - 1)
    exact = fraction * np.bincount(group)
    counts = np.floor(exact).astype(np.int64)
    lost = exact - counts
    spare = total - counts.sum()
    if spare:
        counts[generator.choice(len(names), spare, replace=False, p=lost / lost.sum())] += 1
    first = np.zeros(len(group), dtype=bool)
    for number, members in enumerate(members_of_classes(group)):
        first[generator.permutation(members)[: counts[number]]] = True
    return first
