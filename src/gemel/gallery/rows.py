"""What every store makes of the rows that it reads."""

import zlib
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from operator import itemgetter

import numpy as np

from gemel.errors import GalleryError, OtherModelError
from gemel.gallery.coding import Coder
from gemel.gallery.records import Entry, Reference
from gemel.gallery.store import Block


def made_anew(place: object) -> OtherModelError:
    """That all embeddings of a gallery were replaced while it was open."""
    return OtherModelError(
        f"the gallery {place} was made anew while it was open here; open it again, with the model "
        "that it belongs to now"
    )


def is_whole(embedding: bytes, checksum: int, coder: Coder) -> bool:
    """Whether an embedding is as it was stored."""
    return len(embedding) == coder.width and zlib.crc32(embedding) == checksum


def refuse_damage(
    rows: Iterable[tuple[int, bytes, int]], coder: Coder, place: object, do: str
) -> None:
    """Refuse embeddings that are not as they were stored.

    Args:
        rows: (number, embedding, checksum) of each reference.
        coder: of the embeddings.
        place: of the gallery.
        do: what to do about damage.

    Raises:
        GalleryError: there are some.
    """
    damaged = [one for one, embedding, checksum in rows if not is_whole(embedding, checksum, coder)]
    if damaged:
        raise GalleryError(
            f"the gallery {place}: {len(damaged)} embeddings are not as they were stored, the "
            f"first that of reference {min(damaged)}; {do}"
        )


def as_block(rows: Sequence[tuple[int, int, bytes, int]], coder: Coder) -> Block:
    """From (number, identity, embedding, checksum) of whole references, by rising number."""
    return Block(
        np.array([row[0] for row in rows], dtype=np.int64),
        np.array([row[1] for row in rows], dtype=np.int64),
        coder.stored([row[2] for row in rows]),
    )


def names_that_hold(
    page: Callable[[str], list[str]], search: str | None, after: str | None, most: int | None
) -> list[str]:
    """Names that hold `search` in any case, from pages of all names.

    Args:
        page: from a name to some of the names behind it, in order; none where it is the last.
        search: what the names must hold.
        after: only names behind this one.
        most: how many there may be.
    """
    wanted = (search or "").casefold()
    found: list[str] = []
    last = after or ""
    while (most is None or len(found) < most) and (names := page(last)):
        found += [name for name in names if wanted in name.casefold()]
        last = names[-1]
    return found[:most]


def as_entries(rows: Iterable[tuple[str, int, str | None, str]]) -> list[Entry]:
    """From (name, number, note, enrolled) of references, in order, to identities."""
    return [
        Entry(name, tuple(Reference(*row[1:]) for row in group))
        for name, group in groupby(rows, key=itemgetter(0))
    ]
