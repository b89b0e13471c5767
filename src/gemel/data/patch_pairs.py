"""`patch_pairs`: trials of corresponding patches; different pairs are from anywhere or near."""

from collections.abc import Iterator

import numpy as np

from gemel.errors import DataError, SettingsError
from gemel.items import Indices, Items, Pairs

NEAR = (1.0, 3.0)
"""Different patches that are near: their middles lie so many sides apart."""
ALIKE = 2.0
"""And their sides differ by less than this factor."""


def patch_pairs(
    items: Items, *, near: float = 0.5, per_place: int = 1, seed: int = 0, name: str | None = None
) -> Pairs:
    """Half same, half different pairs: a patch of a first picture with one of another picture.

    A same pair shows one place; a different one two places of one scene whose middles are more
    than a side apart, from anywhere or near each other (`NEAR`, `ALIKE`).

    Args:
        items: what `correspondences` gave.
        near: the share of the different pairs that are near, as far as there are neighbours.
        per_place: so many different pairs for each same one, at least 1.
        seed: draws the different pairs.
        name: of the pairs; that of the items unless given.

    Raises:
        DataError: the items do not say where they lie, or no place is seen in two pictures.
        SettingsError: `near` is no share, or `per_place` below 1.
    """
    if not 0 <= near <= 1 or per_place < 1:
        raise SettingsError(
            f"`near` must be from 0 to 1 and `per_place` 1 or more; got {near} and {per_place}"
        )
    if items.groups is None or not {"picture", "copy", "x", "y", "side"} <= set(items.details):
        raise DataError(f"{items.name} does not say where its patches lie: take correspondences()")
    generator = np.random.default_rng(seed)
    left, right, same = [], [], []
    for ones, others in _views(items):
        left.append(ones)
        right.append(others)
        same.append(np.ones(len(ones), dtype=bool))
        for _ in range(per_place):
            place = _elsewhere(items, ones, near, generator)
            kept = place >= 0
            left.append(ones[kept])
            right.append(others[place[kept]])
            same.append(np.zeros(int(kept.sum()), dtype=bool))
    if not left:
        raise DataError(f"{items.name}: no places are seen in the first and in another picture")
    return Pairs(
        values=items.values,
        left=np.concatenate(left),
        right=np.concatenate(right),
        same=np.concatenate(same),
        name=items.name if name is None else name,
        origins=items.origins,
    )


def _views(items: Items) -> Iterator[tuple[Indices, Indices]]:
    """For each copy of each further picture the items of places in both, side by side."""
    scene, (picture, copy) = items.groups, (items.details[key] for key in ("picture", "copy"))
    further = [
        key
        for key in dict.fromkeys(zip(scene, picture.tolist(), copy.tolist(), strict=True))  # type: ignore[arg-type]
        if key[1] > 0
    ]
    for name, number, which in further:
        of_first, of_other = (
            {
                items.labels[item]: item
                for item in np.flatnonzero((scene == name) & (picture == one) & (copy == which))
            }
            for one in (0, number)
        )
        both = [label for label in of_first if label in of_other]
        if len(both) > 1:
            yield np.array([of_first[x] for x in both]), np.array([of_other[x] for x in both])


def _elsewhere(items: Items, ones: Indices, near: float, generator: np.random.Generator) -> Indices:
    """For each item the place in `ones` of one that shows another place; -1 where there is none."""
    places = np.stack([items.details["x"][ones], items.details["y"][ones]], axis=1)
    sides = items.details["side"][ones]
    out = np.full(len(ones), -1)
    wants_near = generator.random(len(ones)) < near
    for one in range(len(ones)):
        larger = np.maximum(sides, sides[one])
        apart = np.linalg.norm(places - places[one], axis=1) / larger
        far = apart > NEAR[0]
        close = far & (apart < NEAR[1]) & (larger < ALIKE * np.minimum(sides, sides[one]))
        among = np.flatnonzero(close if wants_near[one] and close.any() else far)
        if len(among):
            out[one] = generator.choice(among)
    return out
