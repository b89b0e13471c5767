"""Enrolling one or thousands: read, embedded and stored a block at a time."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gemel.errors import BadItemsError, DataError, Problem, SettingsError
from gemel.gallery import originals
from gemel.gallery.matching import check_finite, read_originals
from gemel.gallery.records import Enrolled, checked_name
from gemel.gallery.store import New, Store
from gemel.inputs import Prepared, input_of, prepare
from gemel.items import Indices, Items
from gemel.model import Siamese

AT_ONCE = 512  # items that are read, embedded and stored together
Progress = Callable[[int, int], None]
"""Called with how many items are done, and how many there are."""


@dataclass(frozen=True)
class Raw:
    """A raw item to enrol."""

    identity: str
    value: Any
    origin: str
    note: str | None = None


def enrol_items(
    model: Siamese,
    store: Store,
    items: Items,
    *,
    skip_bad: bool,
    progress: Progress | None,
) -> Enrolled:
    """Store items under their labels, each block before the next is read.

    Raises:
        GalleryError: a label is no name for an identity, or an embedding is not finite.
        SettingsError: the items are of another kind than the model's input takes.
        BadItemsError: items of one block that cannot be read, unless `skip_bad`.
    """
    wanted = input_of(model.input, "right").kind
    if items.kind != wanted:
        raise SettingsError(f"{items.name} holds {items.kind}; this model's input takes {wanted}")
    names = {label: checked_name(label) for label in items.classes}
    added, present, skipped = 0, 0, list(items.skipped)
    for start in range(0, len(items), AT_ONCE):
        rows = range(start, min(start + AT_ONCE, len(items)))
        block = [
            Raw(names[str(items.labels[row])], items.values[row], items.origin(row)) for row in rows
        ]
        stored, problems = enrol_block(model, store, block, skip_bad=skip_bad)
        new = sum(is_new for _, is_new in stored)
        added, present = added + new, present + len(stored) - new
        skipped += problems
        if progress is not None:
            progress(rows.stop, len(items))
    return Enrolled(added, present, tuple(skipped))


def enrol_block(
    model: Siamese, store: Store, block: Sequence[Raw], *, skip_bad: bool = False
) -> tuple[list[tuple[int, bool]], list[Problem]]:
    """Store raw items, all that can be read or none.

    What is there already, by identity and content, is not embedded again.

    Returns:
        For each item that could be read the number of its reference, and whether it is new; and
        what was wrong with the others.
    """
    given = input_of(model.input, "right")
    kept: list[bytes | None] = [None] * len(block)
    values = [raw.value for raw in block]
    problems: list[Problem] = []
    if store.facts.keeps_originals:
        block, kept, problems = _encoded(block, given.kind, skip_bad=skip_bad)
        # what is kept is what is read: a file may change in between
        values = [originals.decoded(data, given.kind) for data in kept if data is not None]
    try:
        read = prepare(given, values, [raw.origin for raw in block], skip_bad=skip_bad)
    except BadItemsError as error:  # with skip_bad: all of them
        if not skip_bad:
            raise
        return [], [*problems, *error.problems]
    rows, digests = read.kept.tolist(), content_digests(read)
    numbers = store.known(
        [(block[row].identity, digest) for row, digest in zip(rows, digests, strict=True)]
    )
    fresh = np.array([place for place, one in enumerate(numbers) if one is None], dtype=np.int64)
    vectors = embedded(model, read, fresh)
    new = []
    for place, vector in zip(fresh.tolist(), vectors, strict=True):
        raw, item = block[rows[place]], kept[rows[place]]
        small = None if item is None else originals.thumbnail(item, given.kind, raw.origin)
        new.append(New(raw.identity, vector, digests[place], raw.note, item, small))
    stored = iter(store.add(new) if new else [])
    found = [next(stored) if number is None else (number, False) for number in numbers]
    return found, [*problems, *read.skipped]


def _encoded(
    block: Sequence[Raw], kind: Any, *, skip_bad: bool
) -> tuple[list[Raw], list[bytes | None], list[Problem]]:
    """The items whose bytes can be had, these bytes, and what was wrong with the others."""
    good: list[Raw] = []
    kept: list[bytes | None] = []
    problems = []
    for raw in block:
        try:
            kept.append(originals.encoded(raw.value, kind, raw.origin))
            good.append(raw)
        except DataError as error:
            problems.append(Problem(raw.origin, str(error).removeprefix(f"{raw.origin}: ")))
    if problems and not skip_bad:
        raise BadItemsError("the items to enrol", problems)
    return good, kept, problems


def embedded(model: Siamese, read: Prepared, rows: Indices) -> list[bytes]:
    """The embeddings of some items of the right side, as bytes; none of a joint comparer's.

    Raises:
        GalleryError: one is not finite.
    """
    if model.is_joint:
        return [b""] * len(rows)
    some = read.take(rows)
    vectors = model.embed_prepared(some, "right").numpy()
    check_finite(vectors, some.origins)
    return [vector.astype("<f4").tobytes() for vector in vectors]


def embedded_originals(
    model: Siamese, store: Store, references: Sequence[int]
) -> list[tuple[bytes, bytes]]:
    """(embedding, digest) of references, made anew from their kept originals.

    Raises:
        GalleryError: an original is missing, or an embedding is not finite.
        BadItemsError: originals that the model's input cannot read.
    """
    read = read_originals(model, store, references)
    vectors = embedded(model, read, np.arange(len(read)))
    return list(zip(vectors, content_digests(read), strict=True))


def content_digests(read: Prepared) -> list[bytes]:
    """BLAKE2 of each item, 16 bytes, as the input stores it: whatever file it came in."""
    stored = read.batch(np.arange(len(read))).numpy()
    return [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in stored]
