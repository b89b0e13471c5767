"""What `Items` and `Pairs` must have before they are worth training on or measuring with."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from gemel.errors import BadItemsError, DataError, Problem
from gemel.items import Indices, Items, Pairs, identities

SIGNS = 3
"""So many contradictions, and none the other way round, say that `same` is the other way round."""


def settle(source: str, problems: Sequence[Problem], *, skip_bad: bool) -> tuple[Problem, ...]:
    """The problems that a reader of `source` goes on without, for `skipped`.

    Raises:
        BadItemsError: there are problems, and `skip_bad` is False.
    """
    if problems and not skip_bad:
        raise BadItemsError(source, problems)
    return tuple(problems)


def check_any(items: Items) -> None:
    """Refuse no items at all. One class is enough to read and to enrol, though not to train.

    Raises:
        DataError: there are none.
    """
    if not len(items):
        raise DataError(
            f"{items.name}: expected items, got none{_because(items.skipped)}; add some"
        )


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


def contradictions(left: Indices, right: Indices, same: NDArray[np.bool_]) -> Indices:
    """The numbers of the different pairs whose items are one, or are joined by `same` pairs.

    Of "a is b", "b is c" and "a is not c" one must be wrong.
    """
    count = int(max(left.max(initial=-1), right.max(initial=-1))) + 1
    identity = identities(left, right, same, count)
    return np.flatnonzero(~same & (identity[left] == identity[right]))


def check_sense(pairs: Pairs, *, content: NDArray[np.int64] | None = None) -> None:
    """Refuse pairs whose `same` seems to be the other way round.

    Args:
        pairs: what is checked.
        content: [N] a number for each item, equal for items of equal content. Default: each item
            is one of its own.

    Raises:
        DataError: three or more pairs contradict others, and none does the other way round.
    """
    place = np.arange(len(pairs.values))
    if content is not None:
        place = np.unique(content, return_inverse=True)[1].astype(np.int64)
    refuse_flipped(
        place[pairs.left],
        place[pairs.right],
        pairs.same,
        source=pairs.name,
        name=lambda pair: (
            f"{pairs.origin(int(pairs.left[pair]))} with {pairs.origin(int(pairs.right[pair]))}"
        ),
    )


def refuse_flipped(
    left: Indices,
    right: Indices,
    same: NDArray[np.bool_],
    *,
    source: str,
    name: Callable[[int], str],
) -> None:
    """The same for items left [M] and right [M]; `name` gives a pair's number its words.

    Raises:
        DataError: three or more pairs contradict others, and none does the other way round.
    """
    wrong = contradictions(left, right, same)
    if len(wrong) < SIGNS or len(contradictions(left, right, ~same)):
        return
    itself = int((left[wrong] == right[wrong]).sum())
    shown = "; ".join(name(int(pair)) for pair in wrong[:SIGNS])
    raise DataError(
        f"{source}: `same` seems to be the other way round. {len(wrong)} pairs are said to be "
        f"different though other pairs say, or their equal content shows ({itself} of them), that "
        f"they are the same: {shown}, ... Read the other way round, no pair contradicts another. "
        "Swap true and false (1 and 0) in `same`; or, if it is right, correct or remove these pairs"
    )


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
