"""Which items of a test set meet: pairs, episodes, and probes against a gallery."""

import numpy as np
from numpy.typing import NDArray

from gemel.errors import EvaluationError
from gemel.evaluation import Episodes, draw_episodes
from gemel.items import Indices, Items, members_of_classes
from gemel.model import Siamese

MOST_PAIRS = 30_000
"""How many pairs of each kind verification draws from labelled items, at most: enough for the true
accept rate at a false accept rate of 0.001 by the rule of 30."""
MOST_JOINT_PAIRS = 2_000
"""The same for a joint comparer, which runs its network for every pair."""


def draw_item_episodes(
    items: Items,
    *,
    ways: int | None,
    shots: int,
    trials: int,
    within_groups: bool,
    seed: int,
    queries: int | None = None,
) -> Episodes:
    """Episodes of `items`; where a drawer is known, references are by one and the query by another.

    Without `ways` there are `default_ways`; `within_groups` counts where there are groups.

    Raises:
        EvaluationError: too few classes have enough items.
    """
    inside = within_groups and items.groups is not None
    return draw_episodes(
        items.class_ids,
        ways=default_ways(items, within_groups=inside, shots=shots) if ways is None else ways,
        shots=shots,
        trials=trials,
        groups=items.groups,
        within_groups=inside,
        drawers=items.details.get("drawer") if shots == 1 and queries is None else None,
        queries=queries,
        seed=seed,
    )


def default_ways(items: Items, *, within_groups: bool, shots: int = 1) -> int:
    """20, or as many classes as have `shots` + 1 items: of one group where trials stay within."""
    able = np.bincount(items.class_ids, minlength=len(items.classes)) > shots  # [classes]
    if not within_groups:
        return max(2, min(20, int(able.sum())))
    _, group = np.unique(items.class_groups, return_inverse=True)  # [classes]
    return max(2, min(20, int(np.bincount(group[able], minlength=1).max())))


def item_pairs(
    items: Items, *, most: int = MOST_PAIRS, seed: int = 0
) -> tuple[Indices, Indices, NDArray[np.bool_]]:
    """Up to `most` pairs of each kind, drawn from labelled items: left [M], right [M], same [M].

    There are equally many of both kinds, and no pair comes twice. A same pair is drawn by item,
    then by another item of its class, so that no class is left out; a different pair by two
    items. No item is paired with itself.

    Raises:
        EvaluationError: no class has two items, or there is one class only.
    """
    ids = items.class_ids
    counts = np.bincount(ids)
    paired = np.flatnonzero(counts[ids] > 1)
    if not len(paired) or len(counts) < 2:
        raise EvaluationError(
            f"{items.name} has {len(counts)} classes, of which {(counts > 1).sum()} have two or "
            "more items; verification needs two classes, and one class with two items"
        )
    generator = np.random.default_rng(seed)
    count = min(2 * most, 20 * len(items))
    order = np.argsort(ids, kind="stable")
    place = np.empty(len(ids), dtype=np.int64)
    place[order] = np.arange(len(ids))
    start = np.searchsorted(ids[order], np.arange(len(counts)))  # [classes]

    left = np.resize(generator.permutation(paired), count)
    size, first = counts[ids[left]], start[ids[left]]
    step = generator.integers(1, size)  # another member, never the item itself
    right = order[first + (place[left] - first + step) % size]

    other = np.resize(generator.permutation(len(ids)), count)
    outside = len(ids) - counts[ids[other]]
    jump = generator.integers(0, outside)  # over the item's own class
    against = order[(start[ids[other]] + counts[ids[other]] + jump) % len(ids)]
    same_pairs = _distinct(left, right)
    different_pairs = _distinct(other, against)
    each = min(most, len(same_pairs), len(different_pairs))
    pairs = np.concatenate([same_pairs[:each], different_pairs[:each]])
    return pairs[:, 0], pairs[:, 1], np.repeat([True, False], each)


def many_different_pairs(
    items: Items, *, same: int, different: int, seed: int
) -> tuple[Indices, Indices, NDArray[np.bool_]]:
    """Same pairs as `item_pairs` draws them, and different ones for themselves: left, right, same.

    Classes of few items allow few same pairs and yet many different ones, which is what a low
    false accept rate takes to be measured.

    Args:
        items: what the pairs are of.
        same: up to so many same pairs.
        different: up to so many different ones, drawn evenly from all of them.
        seed: of the draws.

    Raises:
        EvaluationError: as `item_pairs`.
    """
    left, right, alike = item_pairs(items, most=same, seed=seed)
    generator = np.random.default_rng([seed, 1])
    others = np.sort(generator.integers(0, len(items), (2 * different, 2)), axis=1)
    others = others[items.class_ids[others[:, 0]] != items.class_ids[others[:, 1]]]
    _, first = np.unique(others, axis=0, return_index=True)
    others = others[np.sort(first)[:different]]
    return (
        np.concatenate([left[alike], others[:, 0]]),
        np.concatenate([right[alike], others[:, 1]]),
        np.repeat([True, False], [int(alike.sum()), len(others)]),
    )


def _distinct(left: Indices, right: Indices) -> Indices:
    """The pairs [M, 2] in their order, each once, whichever side its items stand on."""
    pairs = np.stack([left, right], axis=1)
    _, first = np.unique(np.sort(pairs, axis=1), axis=0, return_index=True)
    return pairs[np.sort(first)]


def most_pairs(model: Siamese) -> int:
    """How many pairs of each kind are drawn to judge `model`, at most."""
    return MOST_JOINT_PAIRS if model.is_joint else MOST_PAIRS


def gallery_and_probes(items: Items, *, known: float = 0.5, seed: int) -> tuple[Indices, Indices]:
    """One reference each of some classes, and who asks: all other items.

    Half of the classes are enrolled with one item, drawn by chance; the other items of these
    classes are known probes, and all items of the rest are unknown ones. A class of one item is
    never enrolled.

    Args:
        items: the test set.
        known: the share of the classes with two or more items that is enrolled, two at least.
        seed: of the draws.

    Returns:
        The enrolled items [G], and the probes [P].

    Raises:
        EvaluationError: fewer than two classes have two items.
    """
    generator = np.random.default_rng(seed)
    members = members_of_classes(items.class_ids)
    able = [number for number, mine in enumerate(members) if len(mine) > 1]
    if len(able) < 2:
        raise EvaluationError(
            f"{items.name} has {len(able)} classes of two or more items; identification enrols "
            "one item of each, of two classes at least, and asks with the others"
        )
    enrolled = generator.permutation(able)[: max(2, round(known * len(able)))]
    gallery = np.array([generator.choice(members[number]) for number in np.sort(enrolled)])
    return gallery, np.setdiff1d(np.arange(len(items)), gallery)
