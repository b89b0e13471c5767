"""What two splits share that they must not: classes, items, and images that are nearly the same.

A model carries `Marks` of what it was trained on: a 64-bit digest of each item as its input stores
it, and of the name of each class. They tell no pixel and no name. But whoever has the model file
and an item (or guesses a class's name) can tell whether it was trained on: where even that is a
secret, set `model.trained_on = None` before saving.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from numpy.typing import NDArray

from gemel.errors import EvaluationError, SettingsError
from gemel.inputs import (
    AnyInput,
    AnyPrepared,
    Images,
    Input,
    Numbers,
    Pens,
    Prepared,
    Sides,
    read_items,
)
from gemel.items import SIDES, Indices, Items, Kind, Pairs, Side

Digests = Int[NDArray[np.int64], "_"]
Couples = Int[NDArray[np.int64], "_ 2"]
SIDE = 32  # pixels a side of the grey images that are compared
BITS_APART = 4  # of 64 in which the hashes of nearly the same images may differ
LEAST_STEP = 4  # of 255: a smaller step between neighbours is noise, and hashes to 0
ALIKE = 0.99  # the correlation of pixels from which on images are nearly the same
BLANK = 4.0  # of 255: an image whose pixels deviate less than this shows nothing
ROWS = 1024  # images compared at once with all others
SHOWN = 3


@dataclass(frozen=True, eq=False)
class Marks:
    """By what items and classes are known again: sorted 64-bit digests.

    Attributes:
        items: [N] of the items.
        classes: [C] of the names of the classes; none for pairs.
    """

    items: Digests
    classes: Digests

    def union(self, other: "Marks") -> "Marks":
        """The marks of both."""
        return Marks(np.union1d(self.items, other.items), np.union1d(self.classes, other.classes))


@dataclass(frozen=True, eq=False)
class Leaks:
    """What two splits share.

    Attributes:
        classes: the labels that are in both.
        same: [K, 2] indices of items that are equal to the last bit once they are read: the one
            of the first split, the other of the second. Each item of the second stands once.
        near: [L, 2] the same for images that are not equal, but nearly.
        warnings: in words; empty where nothing is shared.
    """

    classes: tuple[str, ...]
    same: Int[NDArray[np.int64], "same 2"]
    near: Int[NDArray[np.int64], "near 2"]
    warnings: tuple[str, ...]


def find_leaks(
    first: Items | Pairs, second: Items | Pairs, *, input: AnyInput | None = None
) -> Leaks:
    """What `first` (such as the training items) and `second` (such as the test items) share.

    Items are compared as `input` stores them. Two images are nearly the same when, both reduced
    to 32 x 32 grey pixels, their 64-bit difference hashes (Krawetz 2013, "Kind of like that")
    differ in at most 4 bits, and their pixels correlate by 0.99 or more: so a change of size, of
    light or of compression does not hide a copy. Blank images are only ever equal.
    With an input for each side, left items are compared with left ones, and right with right.

    Args:
        first: one split.
        second: another; for tables of pairs, the items on both sides of all pairs count.
        input: how items are read, such as `model.input`. Default: images at 32 x 32 grey pixels,
            numbers as float32, pens as trajectories.

    Raises:
        BadItemsError: items that cannot be read.
        SettingsError: the splits are of different kinds, or of a kind of a user's own and
            `input` is not given.
    """
    kinds = [tuple(data.kind_of(side) for side in SIDES) for data in (first, second)]
    if kinds[0] != kinds[1]:
        held = [" and ".join(dict.fromkeys(kind)) for kind in kinds]
        raise SettingsError(
            f"{first.name} holds {held[0]} and {second.name} {held[1]}; two splits of one "
            "kind can share something"
        )
    reader = input if input is not None else _reader(first)
    read = [read_items(reader, data)[1] for data in (first, second)]
    found = [
        _shared(_on(side, read[0]), _on(side, read[1]), images=first.kind_of(side) == "images")
        for side in (SIDES if isinstance(reader, Sides) else SIDES[:1])
    ]
    same, near = (_once(np.concatenate(parts)) for parts in zip(*found, strict=True))
    near = near[~np.isin(near[:, 1], same[:, 1])]
    classes = tuple(sorted(set(_classes(first)) & set(_classes(second))))
    where = f"{first.name} and {second.name}"
    warnings = []
    if classes:
        warnings.append(f"{len(classes)} classes are in both {where}: {_some(classes)}")
    for couples, how in ((same, "the same"), (near, "nearly the same image")):
        if len(couples):
            places = (f"{first.origin(a)} with {second.origin(b)}" for a, b in couples.tolist())
            warnings.append(f"{len(couples)} items are {how} in {where}: {_some(places)}")
    return Leaks(classes, same, near, tuple(warnings))


def digests(prepared: AnyPrepared) -> Digests:
    """[N] a 64-bit digest (BLAKE2) of each item, as the input stores it, in order.

    With an input for each side, an item that stands on both has the digest of its left form.
    """
    if isinstance(prepared, Prepared):
        return _digests(prepared)
    found = np.zeros(len(prepared), dtype=np.int64)
    for side in reversed(SIDES):
        places = prepared.places(side)
        there = places >= 0
        found[there] = _digests(prepared.of(side))[places[there]]
    return found


def _digests(prepared: Prepared) -> Digests:
    found = np.empty(len(prepared), dtype=np.int64)
    for start in range(0, len(prepared), ROWS):
        rows = prepared.batch(np.arange(start, min(start + ROWS, len(prepared)))).numpy()
        found[start : start + len(rows)] = [_digest(row.tobytes()) for row in rows]
    return found


def marks(data: Items | Pairs, items: Digests) -> Marks:
    """The marks of `data`, whose items have the digests `items`."""
    names = [_digest(name.encode()) for name in _classes(data)]
    return Marks(np.unique(items), np.unique(np.array(names, dtype=np.int64)))


def warn_of_training(known: Marks, data: Items | Pairs, items: Digests) -> tuple[str, ...]:
    """What of `data`, whose items have the digests `items`, was trained on, in words."""
    found = []
    seen = np.flatnonzero(np.isin(items, known.items))
    if len(seen):
        places = _some(data.origin(i) for i in seen.tolist())
        found.append(
            f"{len(seen)} of the {len(items)} items of {data.name} were trained or validated on "
            f"({places}): figures on them flatter. Take other items"
        )
    return (*found, *_known_classes(known, data, "trained"))


def refuse_calibrated(
    known: Marks, data: Items | Pairs, items: Digests, left: Indices, right: Indices
) -> tuple[str, ...]:
    """Refuse to judge pairs of two items that were both calibrated on; warn of what comes near.

    A model keeps which items it was calibrated on, not which pairs of them; so every pair of two
    of them may be one that its threshold and probabilities were fitted to.

    Args:
        known: of what a threshold or a calibration was fitted to.
        data: what is to be judged.
        items: [N] the digests of its items.
        left: [M] the left item of each pair that is to be judged.
        right: [M] its right item.

    Returns:
        A warning where some judged pairs have one item that was calibrated on, and one where
        classes have names that were.

    Raises:
        EvaluationError: both items of one judged pair or more were calibrated on.
    """
    seen = np.isin(items, known.items)  # [N]
    both, either = int((seen[left] & seen[right]).sum()), int((seen[left] | seen[right]).sum())
    shared = np.flatnonzero(seen)
    places = _some(data.origin(i) for i in shared.tolist())
    what = f"{len(shared)} of the {len(items)} items of {data.name} were calibrated on ({places})"
    if both:
        raise EvaluationError(
            f"calibration on the pairs it is judged on: {what}, and {both:,} of the {len(left):,} "
            "pairs to judge are of two such items, so the threshold and the probabilities may have "
            "been fitted to these very pairs. Leave such items out, or calibrate on others: "
            "split_classes() parts one set. To measure the distances alone, set "
            "model.calibration = model.threshold = None first"
        )
    found = _known_classes(known, data, "calibrated")
    if either:
        return (
            f"{what}: {either:,} of the {len(left):,} judged pairs have one such item, so figures "
            "at the threshold and of the probabilities may flatter. Leave them out",
            *found,
        )
    return found


def _known_classes(known: Marks, data: Items | Pairs, what: str) -> tuple[str, ...]:
    """A warning where classes of `data` have names that were "trained" or "calibrated" on."""
    classes = [name for name in _classes(data) if _digest(name.encode()) in known.classes]
    if not classes:
        return ()
    return (
        f"{len(classes)} of the {len(_classes(data))} classes of {data.name} have names that "
        f"were {what} on ({_some(classes)}): if they are the same classes, the figures do not "
        "say how unseen ones are told apart",
    )


def _reader(data: Items | Pairs) -> AnyInput:
    """An input for what `data` holds: one for both sides, where these are of one kind."""
    if data.kind_of("left") == data.kind_of("right"):
        return _reader_of(data.kind_of("left"), data.values)
    parts = ([data.values[i] for i in getattr(data, side)[:1].tolist()] for side in SIDES)
    left, right = (_reader_of(data.kind_of(s), part) for s, part in zip(SIDES, parts, strict=True))
    return Sides(left, right)


def _reader_of(kind: Kind, values: Sequence[Any] | NDArray[Any]) -> Input:
    if kind == "images":
        return Images(SIDE, channels=1)
    if kind == "pens":
        return Pens()
    if kind == "numbers":
        return Numbers(len(values[0]))
    raise SettingsError(f"give `input`, which reads {kind}, such as model.input")


def _on(side: Side, prepared: AnyPrepared) -> tuple[Prepared, Indices]:
    """What stands on a side, and which items these are."""
    if isinstance(prepared, Prepared):
        return prepared, np.arange(len(prepared))
    places = prepared.places(side)
    items = np.empty(len(prepared.of(side)), dtype=np.int64)
    items[places[places >= 0]] = np.flatnonzero(places >= 0)
    return prepared.of(side), items


def _shared(
    first: tuple[Prepared, Indices], second: tuple[Prepared, Indices], *, images: bool
) -> tuple[Couples, Couples]:
    """The items of one side that are the same, and the images that nearly are."""
    (left, left_items), (right, right_items) = first, second
    same = _same_items(_digests(left), _digests(right))
    near = np.empty((0, 2), dtype=np.int64)
    if images:
        rest = np.setdiff1d(np.arange(len(right)), same[:, 1])
        near = _near_images(_grey(left), _grey(right)[rest])
        near[:, 1] = rest[near[:, 1]]
    same, near = (
        np.stack([left_items[found[:, 0]], right_items[found[:, 1]]], axis=1)
        for found in (same, near)
    )
    return same, near


def _once(couples: Couples) -> Couples:
    """Each second item once, with the first that it was found with; by second items."""
    return couples[np.unique(couples[:, 1], return_index=True)[1]]


def _same_items(first: Digests, second: Digests) -> Int[NDArray[np.int64], "same 2"]:
    names, place = np.unique(first, return_index=True)
    found = np.flatnonzero(np.isin(second, names))
    return np.stack([place[np.searchsorted(names, second[found])], found], axis=1)


def _grey(prepared: Prepared) -> UInt8[NDArray[np.uint8], "items side side"]:
    """Images as 32 x 32 grey pixels, from the form [channels, height, width] that is stored."""
    reader = Images(SIDE, channels=1)
    found = np.empty((len(prepared), SIDE, SIDE), dtype=np.uint8)
    for item in range(len(prepared)):
        pixels = prepared.batch(np.array([item])).numpy()[0]
        found[item] = (
            pixels[0] if pixels.shape == reader.shape else reader.read(pixels.transpose(1, 2, 0))[0]
        )
    return found


def _near_images(
    first: UInt8[NDArray[np.uint8], "first side side"],
    second: UInt8[NDArray[np.uint8], "second side side"],
) -> Int[NDArray[np.int64], "near 2"]:
    """[L, 2] the images of `first` and `second` that are nearly the same, one for each second."""
    shown = [np.flatnonzero(_deviation(part) >= BLANK) for part in (first, second)]
    if not len(shown[0]) or not len(shown[1]):
        return np.empty((0, 2), dtype=np.int64)
    parts = [part[rows] for part, rows in zip((first, second), shown, strict=True)]
    signs = [_difference_hash(part).astype(np.float32) * 2 - 1 for part in parts]
    found = []
    for start in range(0, len(parts[1]), ROWS):
        # the product of the signs is 64 minus twice the bits that differ
        product = signs[1][start : start + ROWS] @ signs[0].T
        rows, columns = np.nonzero(product >= 64 - 2 * BITS_APART)
        alike = _correlation(parts[1], rows + start, parts[0], columns)
        order = np.lexsort((-alike, rows))
        rows, columns, alike = rows[order], columns[order], alike[order]
        best = np.unique(rows, return_index=True)[1]
        best = best[alike[best] >= ALIKE]
        found.append(np.stack([shown[0][columns[best]], shown[1][rows[best] + start]], axis=1))
    return np.concatenate(found)


def _difference_hash(
    images: UInt8[NDArray[np.uint8], "items side side"],
) -> Bool[NDArray[np.bool_], "items 64"]:
    """[N, 64] whether each of 8 x 8 blocks is darker than the one to its right, by some margin."""
    cuts = np.linspace(0, SIDE, 10).round().astype(np.int64)  # 9 blocks a row
    rows = images.reshape(len(images), 8, SIDE // 8, SIDE).mean(2)
    blocks = np.add.reduceat(rows, cuts[:-1], axis=2) / np.diff(cuts)
    return (np.diff(blocks, axis=2) > LEAST_STEP).reshape(len(images), 64)


def _correlation(
    left: UInt8[NDArray[np.uint8], "left side side"],
    rows: Int[NDArray[np.int64], " pairs"],
    right: UInt8[NDArray[np.uint8], "right side side"],
    columns: Int[NDArray[np.int64], " pairs"],
) -> Float[NDArray[np.float64], " pairs"]:
    """[K] the correlation of the pixels of `left[rows]` and `right[columns]`."""
    found = np.empty(len(rows))
    for start in range(0, len(rows), 8 * ROWS):
        part = slice(start, start + 8 * ROWS)
        a, b = (
            images[places[part]].reshape(-1, SIDE * SIDE).astype(np.float32)
            for images, places in ((left, rows), (right, columns))
        )
        a -= a.mean(1, keepdims=True)
        b -= b.mean(1, keepdims=True)
        found[part] = (a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1))
    return found


def _deviation(
    images: UInt8[NDArray[np.uint8], "items side side"],
) -> Float[NDArray[np.float64], " items"]:
    parts = (images[i : i + ROWS] for i in range(0, len(images), ROWS))
    return np.concatenate([np.zeros(0), *(part.std(axis=(1, 2)) for part in parts)])


def _classes(data: Items | Pairs) -> tuple[str, ...]:
    return data.classes if isinstance(data, Items) else ()


def _digest(data: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little", signed=True)


def _some(texts: Iterable[str]) -> str:
    """The first few texts."""
    shown: Sequence[str] = list(texts)
    more = f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
    return ", ".join(map(str, shown[:SHOWN])) + more
