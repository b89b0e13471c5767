"""What the samplers of enrolled subjects share: who they are, and what is forged of each."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool
from numpy.typing import NDArray

from gemel.errors import DataError, SettingsError
from gemel.items import Indices, Items


@dataclass(frozen=True)
class Subject:
    """One who can be enrolled.

    Attributes:
        genuine: the items that are theirs.
        forged: the items that others made to pass for theirs; there may be none.
    """

    genuine: Indices
    forged: Indices


def subjects_of(
    items: Items, genuine: Bool[NDArray[np.bool_], " items"], least: int
) -> list[Subject]:
    """The groups of `items`, each a subject, in the order of their names.

    Args:
        items: with a group for each subject.
        genuine: [N] whether an item is its group's own, and no forgery.
        least: how many genuine items a subject must have.

    Raises:
        SettingsError: the items have no groups, or `genuine` is not one boolean for each.
        DataError: fewer than two subjects, or one with too few genuine items.
    """
    if items.groups is None:
        raise SettingsError(
            f"{items.name} has no groups to say whose an item is: give each subject a group, with "
            "what is forged of it"
        )
    if genuine.dtype != np.bool_ or genuine.shape != (len(items),):
        raise SettingsError(
            f"`genuine` must be one boolean for each of {len(items)} items; got {genuine.dtype} "
            f"of shape {genuine.shape}"
        )
    names, of_item = np.unique(items.groups, return_inverse=True)
    found = [
        Subject(np.flatnonzero((of_item == s) & genuine), np.flatnonzero((of_item == s) & ~genuine))
        for s in range(len(names))
    ]
    short = [s for s, subject in enumerate(found) if len(subject.genuine) < least]
    if short or len(found) < 2:
        what = (
            f"{str(names[short[0]])!r} has {len(found[short[0]].genuine)}"
            if short
            else "there is one"
        )
        raise DataError(
            f"{items.name}: expected two or more subjects with {least} genuine items each; {what}"
        )
    return found


def another(subjects: list[Subject], but: int, generator: np.random.Generator) -> np.int64:
    """A genuine item of another subject than number `but`."""
    place = int(generator.integers(len(subjects) - 1))
    other = subjects[place + (place >= but)].genuine
    return np.int64(other[generator.integers(len(other))])
