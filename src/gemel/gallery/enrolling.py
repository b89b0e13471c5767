"""Enrolling one or thousands: read, embedded and stored a block at a time."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from typing import Any

import numpy as np

from gemel.errors import BadItemsError, DataError, Problem, SettingsError
from gemel.gallery import originals
from gemel.gallery.coding import Coder, coding_of
from gemel.gallery.matching import check_finite, read_originals
from gemel.gallery.records import Enrolled, checked_name, checked_note
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
    """Read raw items and store them, all that can be read or none.

    Returns:
        As of `store_block`; and what was wrong with the items that could not be read.
    """
    keep = store.facts.keeps_originals
    try:
        read = read_block(model, block, keep_originals=keep, skip_bad=skip_bad)
    except BadItemsError as error:  # with skip_bad: all of them
        if not skip_bad:
            raise
        return [], list(error.problems)
    return store_block(store, read), read.problems


@dataclass(frozen=True)
class Block:
    """Items to enrol, read; nothing of a gallery was asked for it.

    Attributes:
        model: for which they were read.
        raw: those that could be read.
        read: what the model's input made of them.
        originals: of each the item and its thumbnail, as bytes; None where they are not kept.
        problems: what was wrong with the others.
    """

    model: Siamese
    raw: Sequence[Raw]
    read: Prepared
    originals: Sequence[tuple[bytes, bytes | None]] | None
    problems: list[Problem]


def read_block(
    model: Siamese, block: Sequence[Raw], *, keep_originals: bool, skip_bad: bool = False
) -> Block:
    """Items as the input of the right side reads them; any thread may do so.

    Raises:
        BadItemsError: items that cannot be read; with `skip_bad` only when all are bad.
    """
    given = input_of(model.input, "right")
    kept: list[bytes] = []
    values = [raw.value for raw in block]
    problems: list[Problem] = []
    if keep_originals:
        block, kept, problems = _encoded(block, given.kind, skip_bad=skip_bad)
        # what is kept is what is read: a file may change in between
        values = [originals.decoded(data, given.kind) for data in kept]
    try:
        read = prepare(given, values, [raw.origin for raw in block], skip_bad=skip_bad)
    except BadItemsError as error:
        raise BadItemsError("the items to enrol", [*problems, *error.problems]) from error
    rows = read.kept.tolist()
    items = None
    if keep_originals:
        items = [
            (kept[row], originals.thumbnail(kept[row], given.kind, block[row].origin))
            for row in rows
        ]
    raw = [block[row] for row in rows]
    return Block(model, raw, read, items, [*problems, *read.skipped])


def store_block(store: Store, block: Block) -> list[tuple[int, bool]]:
    """Store items, all or none; what is there already, by identity and content, stays as it is.

    Returns:
        For each item the number of its reference, and whether it is new.

    Raises:
        GalleryError: an embedding is not finite, or the place cannot be written.
    """
    digests = content_digests(block.read)
    numbers = store.known(
        [(raw.identity, digest) for raw, digest in zip(block.raw, digests, strict=True)]
    )
    fresh = [place for place, number in enumerate(numbers) if number is None]
    vectors = embedded(block.model, block.read, np.array(fresh, dtype=np.int64), store.facts.coder)
    new = []
    for place, vector in zip(fresh, vectors, strict=True):
        raw = block.raw[place]
        item, small = (None, None) if block.originals is None else block.originals[place]
        new.append(New(raw.identity, vector, digests[place], raw.note, item, small))
    stored = iter(store.add(new) if new else [])
    return [next(stored) if number is None else (number, False) for number in numbers]


def _encoded(
    block: Sequence[Raw], kind: Any, *, skip_bad: bool
) -> tuple[list[Raw], list[bytes], list[Problem]]:
    """The items whose bytes can be had, these bytes, and what was wrong with the others."""
    good: list[Raw] = []
    kept: list[bytes] = []
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


def read_reference(
    model: Siamese, identity: str, item: Any, note: str | None = None, *, keep_originals: bool
) -> Block:
    """One item to enrol: `Gallery.enrol_read` stores it; any thread may read it.

    Raises:
        BadItemsError: the item cannot be read.
        BadNameError: a name or note that cannot be.
    """
    origin = str(fspath(item)) if isinstance(item, str | PathLike) else "the item"
    raw = Raw(checked_name(identity), item, origin, checked_note(note))
    return read_block(model, [raw], keep_originals=keep_originals)


def embedded(model: Siamese, read: Prepared, rows: Indices, coder: Coder) -> list[bytes]:
    """The embeddings of some items of the right side, as bytes; none of a joint comparer's.

    Raises:
        GalleryError: one is not finite.
    """
    if model.is_joint:
        return [b""] * len(rows)
    some = read.take(rows)
    vectors = model.embed_prepared(some, "right").numpy()
    check_finite(vectors, some.origins)
    return coder.encode(vectors)


def embedded_originals(
    model: Siamese, store: Store, references: Sequence[int]
) -> list[tuple[bytes, bytes]]:
    """(embedding, digest) of references, made anew from their kept originals.

    Raises:
        GalleryError: an original is missing, or an embedding is not finite.
        BadItemsError: originals that the model's input cannot read.
    """
    read = read_originals(model, store, references)
    coder = Coder(coding_of(model), model.dim)
    vectors = embedded(model, read, np.arange(len(read)), coder)
    return list(zip(vectors, content_digests(read), strict=True))


def content_digests(read: Prepared) -> list[bytes]:
    """BLAKE2 of each item, 16 bytes, as the input stores it: whatever file it came in."""
    stored = read.batch(np.arange(len(read))).numpy()
    return [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in stored]
