"""What two splits share that they must not: classes, items, and images that are nearly the same.

A model carries `Marks` of what it was trained on: a 64-bit digest of each item as its input stores
it, and of the name of each class. They tell no pixel and no name. But whoever has the model file
and an item (or guesses a class's name) can tell whether it was trained on: where even that is a
secret, set `model.trained_on = None` before saving.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from numpy.typing import NDArray

from gemel.errors import EvaluationError, SettingsError
from gemel.inputs import AnyPrepared, Images, Input, Numbers, Prepared, prepare
from gemel.inputs.reading import SIDES
from gemel.items import Items, Pairs

Digests = Int[NDArray[np.int64], "_"]
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


def find_leaks(first: Items | Pairs, second: Items | Pairs, *, input: Input | None = None) -> Leaks:
    """What `first` (such as the training items) and `second` (such as the test items) share.

    Items are compared as `input` stores them. Two images are nearly the same when, both reduced
    to 32 x 32 grey pixels, their 64-bit difference hashes (Krawetz 2013, "Kind of like that")
    differ in at most 4 bits, and their pixels correlate by 0.99 or more: so a change of size, of
    light or of compression does not hide a copy. Blank images are only ever equal.

    Args:
        first: one split.
        second: another; for tables of pairs, the items on both sides of all pairs count.
        input: how items are read. Default: images at 32 x 32 grey pixels, numbers as float32.

    Raises:
        BadItemsError: items that cannot be read.
        SettingsError: the splits are of different kinds.
    """
    if first.kind != second.kind:
        raise SettingsError(
            f"{first.name} holds {first.kind} and {second.name} {second.kind}; two splits of one "
            "kind can share something"
        )
    reader = input if input is not None else _reader(first)
    read = [_read(reader, split) for split in (first, second)]
    same = _same_items(*(digests(prepared) for prepared in read))
    near = np.empty((0, 2), dtype=np.int64)
    if first.kind == "images":
        rest = np.setdiff1d(np.arange(len(read[1])), same[:, 1])
        near = _near_images(_grey(read[0]), _grey(read[1])[rest])
        near[:, 1] = rest[near[:, 1]]
    classes = tuple(sorted(set(_classes(first)) & set(_classes(second))))
    where = f"{first.name} and {second.name}"
    warnings = []
    if classes:
        warnings.append(f"{len(classes)} classes are in both {where}: {_some(classes)}")
    for found, how in ((same, "the same"), (near, "nearly the same image")):
        if len(found):
            places = (f"{first.origin(a)} with {second.origin(b)}" for a, b in found.tolist())
            warnings.append(f"{len(found)} items are {how} in {where}: {_some(places)}")
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
            f"{len(seen)} of the {len(items)} items of {data.name} were trained on ({places}): "
            "figures on them flatter. Take other items"
        )
    classes = [name for name in _classes(data) if _digest(name.encode()) in known.classes]
    if classes:
        found.append(
            f"{len(classes)} of the {len(_classes(data))} classes of {data.name} have names that "
            f"were trained on ({_some(classes)}): if they are the same classes, the figures do not "
            "say how unseen ones are told apart"
        )
    return tuple(found)


def refuse_calibrated(calibrated: Digests, judged: Digests, split: str) -> tuple[str, ...]:
    """A warning where some of the items that are judged were calibrated on; else nothing.

    Args:
        calibrated: [N] digests of the items whose pairs a calibration was fitted to.
        judged: [M] digests of the items that are to be judged.
        split: their name.

    Raises:
        EvaluationError: half of the judged items or more were calibrated on.
    """
    shared = int(np.isin(judged, calibrated).sum())
    if not shared:
        return ()
    what = f"{shared} of the {len(judged)} items of {split} were calibrated on"
    if 2 * shared >= len(judged):
        raise EvaluationError(
            f"calibration on the pairs it is judged on: {what}, so the accuracy at the threshold, "
            "the false-accept rate and the probabilities would flatter. Judge other items, or "
            "calibrate on others: split_classes() parts one set. To measure the distances alone, "
            "set model.calibration = None first"
        )
    return (f"{what}: figures at the threshold and of the probabilities flatter. Leave them out",)


def _reader(data: Items | Pairs) -> Input:
    return Images(SIDE, channels=1) if data.kind == "images" else Numbers(len(data.values[0]))


def _read(reader: Input, data: Items | Pairs) -> Prepared:
    origins = [data.origin(i) for i in range(len(data.values))]
    return prepare(reader, data.values, origins, name=data.name)


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
