"""What `Items` and `Pairs` must have before they are worth training on or measuring with."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gemel.errors import BadItemsError, DataError, Problem
from gemel.items import Indices, Items, Pairs


def settle(source: str, problems: Sequence[Problem], *, skip_bad: bool) -> tuple[Problem, ...]:
    """The problems that a reader of `source` goes on without, for `skipped`.

    Raises:
        BadItemsError: there are problems, and `skip_bad` is False.
    """
    if problems and not skip_bad:
        raise BadItemsError(source, problems)
    return tuple(problems)


def check_classes(items: Items) -> None:
    """Refuse items of fewer than two classes: nothing is different there.

    Raises:
        DataError: there is one class, or none.
    """
    if len(items.classes) >= 2:
        return
    found = f"one class only, {items.classes[0]!r}" if items.classes else "no items"
    raise DataError(
        f"{items.name}: expected two or more classes, got {found}{_because(items.skipped)}; "
        "add items of other classes"
    )


def check_both_kinds(pairs: Pairs) -> None:
    """Refuse pairs that are all the same or all different.

    Raises:
        DataError: one kind of pair is absent.
    """
    same = int(pairs.same.sum())
    if 0 < same < len(pairs):
        return
    raise DataError(
        f"{pairs.name}: expected pairs of both kinds, got {same} same and {len(pairs) - same} "
        f"different{_because(pairs.skipped)}; add pairs of the other kind"
    )


def check_pairable(items: Items) -> None:
    """Refuse classes of one item: where pairs are needed they have nobody to be the same as.

    Raises:
        BadItemsError: a class has one item only; all such items are listed.
    """
    settle(items.name, _lone_problems(items, _lone(items)), skip_bad=False)


def leave_out_lone(items: Items) -> Items:
    """The items without classes of one item; those left out are added to `skipped`.

    Raises:
        DataError: fewer than two classes remain.
    """
    lone = _lone(items)
    if not len(lone):
        return items
    rest = items.take(np.delete(np.arange(len(items)), lone))
    rest = replace(rest, skipped=(*items.skipped, *_lone_problems(items, lone)))
    check_classes(rest)
    return rest


def _lone(items: Items) -> Indices:
    """The ascending indices of the items that are alone in their class."""
    counts = np.bincount(items.class_ids, minlength=len(items.classes))  # [classes]
    return np.flatnonzero(counts[items.class_ids] == 1)


def _lone_problems(items: Items, lone: Indices) -> list[Problem]:
    return [
        Problem(
            items.origin(int(item)),
            f"the only item of class {str(items.labels[item])!r}; a pair of the same needs two",
            "add another item of this class",
        )
        for item in lone
    ]


def _because(skipped: Sequence[Problem]) -> str:
    return (
        f" once {len(skipped)} bad items are left out (the first: {skipped[0]})" if skipped else ""
    )
