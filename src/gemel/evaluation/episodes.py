"""One-shot recognition: N ways, K shots, one query; which way is it? This file draws the trials."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int
from numpy.typing import ArrayLike, NDArray

from gemel.errors import EvaluationError, SettingsError


@dataclass(frozen=True, eq=False)
class Episodes:
    """T trials, each an index of a query and the indices of N ways x K shots to choose from.

    Attributes:
        support: [T, ways, shots] indices of the references; all of one way are of one class.
        query: [T] index of what is to be recognised; it is never in its own support.
        answer: [T] which way is of the query's class.
        support_set: [T] trials of one number share a support, so they are no independent trials.
        seed: the seed they were drawn with.
        left_out: how many classes could not take part: too few items, or too small a group.
    """

    support: Int[NDArray[np.int64], "trials ways shots"]
    query: Int[NDArray[np.int64], " trials"]
    answer: Int[NDArray[np.int64], " trials"]
    support_set: Int[NDArray[np.int64], " trials"]
    seed: int
    left_out: int = 0

    def __len__(self) -> int:
        return len(self.query)


def draw_episodes(
    labels: ArrayLike,
    *,
    ways: int,
    shots: int,
    trials: int,
    groups: ArrayLike | None = None,
    within_groups: bool = False,
    drawers: ArrayLike | None = None,
    queries: int | None = None,
    seed: int,
) -> Episodes:
    """Draw trials: `ways` classes, `shots` references of each, and a query of one of them.

    Classes, items and the right answer's place are uniform; each trial is drawn anew. The trials
    of Lake 2015 and Koch 2015 are `ways=20, shots=1, queries=1, within_groups=True, drawers=...`:
    20 drawings by one hand, each asked for once among the 20 of another.

    Args:
        labels: [N] the class of each item (number or text).
        ways: classes to choose from.
        shots: references of each class.
        trials: how many queries in all.
        groups: [N] what the classes belong to, such as alphabets; read if `within_groups`.
        within_groups: take the classes of a trial from one group. The groups take turns, so each
            has the same number of trials (to within one support set). Groups with too few
            classes take no part.
        drawers: [N] who made each item. When given, all references of a trial are by one drawer
            and its query is by another.
        queries: None: a support of its own for each trial. Q: each support is shared by
            `ways * Q` trials, which ask Q times for each way, in random order.
        seed: of all draws.

    Raises:
        SettingsError: a count is too small, or `trials` is no multiple of `ways * queries`.
        EvaluationError: too few classes have enough items, or arrays do not fit together.
    """
    per_set = _trials_per_support(ways, shots, trials, queries)
    if within_groups and groups is None:
        raise SettingsError("`within_groups` needs `groups`: the group of each item")
    table = _Table.of(labels, groups if within_groups else None, drawers)
    wanted = shots, 1 if queries is None else queries
    pools = table.pools(ways, *wanted)
    generator = np.random.default_rng(seed)
    turns = generator.permutation(len(pools))[np.arange(trials // per_set) % len(pools)]
    classes, by = _draw_classes([pools[turn] for turn in turns], ways, generator)
    support, query = table.draw_items(classes, by, *wanted, generator)
    # Each way's queries stand side by side; the trials take them in random order.
    order = np.tile(np.arange(ways * wanted[1]), (len(classes), 1))
    order = generator.permuted(order, axis=1)[:, :per_set]  # [sets, per_set]
    asked = np.take_along_axis(query.reshape(len(classes), -1), order, axis=1)
    return Episodes(
        support=np.repeat(support, per_set, axis=0),
        query=asked.ravel(),
        answer=(order // wanted[1]).ravel(),
        support_set=np.repeat(np.arange(len(classes)), per_set),
        seed=seed,
        left_out=len(table.counts) - sum(len(pool.classes) for pool in pools),
    )


def _trials_per_support(ways: int, shots: int, trials: int, queries: int | None) -> int:
    least = {"ways": (ways, 2), "shots": (shots, 1), "trials": (trials, 1)}
    if queries is not None:
        least["queries"] = (queries, 1)
    for key, (value, low) in least.items():
        if value < low:
            raise SettingsError(f"`{key}` must be {low} or more; got {value}")
    per_support = 1 if queries is None else ways * queries
    if trials % per_support:
        raise SettingsError(
            f"{trials} trials cannot be shared out: a support of {ways} ways asked {queries} "
            f"times each has {per_support}; take a multiple, such as "
            f"{-(-trials // per_support) * per_support}"
        )
    return per_support


@dataclass(frozen=True, eq=False)
class _Pool:
    """Classes that may meet in a trial, and by whose hand.

    Attributes:
        classes: [P] those that fit at least one of `pairs`.
        for_support: [P, drawers] which drawers have enough references of each.
        for_query: [P, drawers] which have enough queries.
        pairs: [pairs, 2] drawers, of references and of queries, who share enough classes.
        best: the most classes that any two drawers share.
    """

    classes: Int[NDArray[np.int64], " classes"]
    for_support: Bool[NDArray[np.bool_], "classes drawers"]
    for_query: Bool[NDArray[np.bool_], "classes drawers"]
    pairs: Int[NDArray[np.int64], "pairs 2"]
    best: int

    @classmethod
    def of(
        cls,
        classes: Int[NDArray[np.int64], " all"],
        for_support: Bool[NDArray[np.bool_], "all drawers"],
        for_query: Bool[NDArray[np.bool_], "all drawers"],
        *,
        ways: int,
        by_drawer: bool,
    ) -> "_Pool":
        shared = for_support.T.astype(np.float64) @ for_query  # [drawers, drawers] in classes
        if by_drawer:
            np.fill_diagonal(shared, 0)
        usable = shared >= ways
        fits = ((for_support.astype(np.float64) @ usable > 0) & for_query).any(axis=1)
        return cls(
            classes=classes[fits],
            for_support=for_support[fits],
            for_query=for_query[fits],
            pairs=np.argwhere(usable),
            best=int(shared.max()),
        )


@dataclass(frozen=True, eq=False)
class _Table:
    """The items sorted into cells, one for each class and drawer.

    Attributes:
        order: [N] item indices, cell by cell.
        counts: [C, D] items of each class by each drawer (D is 1 where drawers do not count).
        starts: [C, D] where each cell begins in `order`.
        group: [C] the group of each class, all 0 where groups do not count.
        group_names: the groups; one, "", where they do not count.
        by_drawer: whether query and references must be by different drawers.
    """

    order: Int[NDArray[np.int64], " items"]
    counts: Int[NDArray[np.int64], "classes drawers"]
    starts: Int[NDArray[np.int64], "classes drawers"]
    group: Int[NDArray[np.int64], " classes"]
    group_names: tuple[str, ...]
    by_drawer: bool

    @classmethod
    def of(cls, labels: ArrayLike, groups: ArrayLike | None, drawers: ArrayLike | None) -> "_Table":
        classes, class_of = _distinct_values("labels", labels, None)
        drawn_by, drawer_of = _distinct_values("drawers", drawers, len(class_of))
        names, group_of = _distinct_values("groups", groups, len(class_of))
        group = np.zeros(len(classes), dtype=np.int64)
        group[class_of] = group_of
        stray = np.flatnonzero(group[class_of] != group_of)
        if len(stray):
            item = int(stray[0])
            raise EvaluationError(
                f"class {classes[class_of[item]]} is in two groups, {names[group_of[item]]} (item "
                f"{item}) and {names[group[class_of[item]]]}; give it a label of its own in each"
            )
        cell = class_of * len(drawn_by) + drawer_of
        counts = np.bincount(cell, minlength=len(classes) * len(drawn_by))
        shape = len(classes), len(drawn_by)
        return cls(
            order=np.argsort(cell, kind="stable"),
            counts=counts.reshape(shape),
            starts=(np.cumsum(counts) - counts).reshape(shape),
            group=group,
            group_names=tuple(map(str, names)),
            by_drawer=drawers is not None,
        )

    def pools(self, ways: int, shots: int, queries: int) -> list[_Pool]:
        """The groups that have enough classes with enough items."""
        least = (shots, queries) if self.by_drawer else (shots + queries, shots + queries)
        pools = []
        for group in range(len(self.group_names)):
            members = np.flatnonzero(self.group == group)
            counts = self.counts[members]
            enough = counts >= least[0], counts >= least[1]
            pools.append(_Pool.of(members, *enough, ways=ways, by_drawer=self.by_drawer))
        usable = [pool for pool in pools if len(pool.pairs)]
        if not usable:
            raise EvaluationError(self._too_few([pool.best for pool in pools], ways, *least))
        return usable

    def _too_few(self, best: list[int], ways: int, references: int, queries: int) -> str:
        need = (
            f"at least {references} items by one drawer and {queries} by another"
            if self.by_drawer
            else f"at least {references} items"
        )
        largest = int(np.argmax(best))
        if len(self.group_names) > 1:
            found = (
                f"none of {len(self.group_names)} groups has as many, "
                f"the largest, {self.group_names[largest]!r}, has {best[largest]}"
            )
        else:
            found = f"{best[largest]} of {len(self.counts)} have"
        across = ", or classes of all groups: within_groups=False" if best[1:] else ""
        return (
            f"{ways} ways need {ways} classes of {need}; {found}. "
            f"Take fewer ways or shots, or more items{across}"
        )

    def draw_items(
        self,
        classes: Int[NDArray[np.int64], "sets ways"],
        by: Int[NDArray[np.int64], "sets 2"],
        shots: int,
        queries: int,
        generator: np.random.Generator,
    ) -> tuple[
        Int[NDArray[np.int64], "sets ways shots"], Int[NDArray[np.int64], "sets ways queries"]
    ]:
        """References and queries of each way, all different items."""
        cells = [(classes, by[:, side, None]) for side in (0, 1)]
        if self.by_drawer:
            support, query = (
                _distinct(self.counts[cell], count, generator)
                for cell, count in zip(cells, (shots, queries), strict=True)
            )
        else:
            places = _distinct(self.counts[cells[0]], shots + queries, generator)
            support, query = places[..., :shots], places[..., shots:]
        support = self.order[self.starts[cells[0]][..., None] + support]
        query = self.order[self.starts[cells[1]][..., None] + query]
        return support, query


def _draw_classes(
    pools: list[_Pool], ways: int, generator: np.random.Generator
) -> tuple[Int[NDArray[np.int64], "sets ways"], Int[NDArray[np.int64], "sets 2"]]:
    """For each set its classes, and the drawers of its references and of its queries."""
    classes = np.empty((len(pools), ways), dtype=np.int64)
    by = np.empty((len(pools), 2), dtype=np.int64)
    for number, pool in enumerate(pools):
        by[number] = pool.pairs[generator.integers(len(pool.pairs))]
        left, right = by[number]
        fit = np.flatnonzero(pool.for_support[:, left] & pool.for_query[:, right])
        classes[number] = pool.classes[generator.choice(fit, ways, replace=False)]
    return classes, by


def _distinct(
    sizes: Int[NDArray[np.int64], "sets ways"], count: int, generator: np.random.Generator
) -> Int[NDArray[np.int64], "sets ways count"]:
    """For each size n, `count` different numbers from 0..n-1, all orders equally likely."""
    drawn = np.empty((*sizes.shape, count), dtype=np.int64)
    for done in range(count):
        place = generator.integers(0, sizes - done)  # among those not drawn yet
        for earlier in np.moveaxis(np.sort(drawn[..., :done], axis=-1), -1, 0):
            place += place >= earlier
        drawn[..., done] = place
    return drawn


def _distinct_values(
    key: str, values: ArrayLike | None, count: int | None
) -> tuple[NDArray[np.generic], Int[NDArray[np.int64], " items"]]:
    """The distinct values and each item's place among them; one value where there are none."""
    given = np.full(count or 0, "") if values is None else np.asarray(values)
    if given.ndim != 1 or not len(given) or (count is not None and len(given) != count):
        wanted = "one entry an item [N]" if count is None else f"({count},)"
        raise EvaluationError(f"`{key}` has shape {given.shape}; expected {wanted}")
    distinct, places = np.unique(given, return_inverse=True)
    return distinct, places.astype(np.int64)
