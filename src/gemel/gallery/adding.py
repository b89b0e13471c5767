"""New references into the tables of a schema; the one row of `gallery` gives their numbers."""

import zlib
from collections.abc import Sequence
from dataclasses import astuple, dataclass

from gemel.gallery.coding import Vectors
from gemel.gallery.forms import FormTable
from gemel.gallery.server import Server
from gemel.gallery.store import Facts, New


@dataclass
class Tally:
    """What a transaction gives and changes: the numbers given last, and how many there are."""

    last_identity: int
    last_reference: int
    identity_count: int
    reference_count: int
    longest: float
    rounding: float
    beyond_half: bool

    @classmethod
    def read(cls, server: Server) -> "Tally":
        """As it stands, inside a transaction that writes."""
        return cls(
            *server.rows(
                "SELECT last_identity, last_reference, identity_count, reference_count, longest, "
                "rounding, beyond_half FROM gallery"
            )[0]
        )

    def write(self, server: Server, *, changes: int = 0, removals: int = 0) -> None:
        """Store it, and by how much the counters of changes and of removals grow."""
        server.count(
            "UPDATE gallery SET last_identity = %s, last_reference = %s, identity_count = %s, "
            "reference_count = %s, longest = %s, rounding = %s, beyond_half = %s, "
            "changes = changes + %s, removals = removals + %s",
            *astuple(self),
            changes,
            removals,
        )


class Adder:
    """Stores references inside one transaction that writes.

    Args:
        server: where.
        facts: what holds for the gallery.
        table: of the forms, where they are searched.
        now: when they are enrolled.
    """

    def __init__(self, server: Server, facts: Facts, table: FormTable | None, now: str) -> None:
        self._server = server
        self._coder = facts.coder
        self._table = table
        self._now = now
        self.tally = Tally.read(server)

    def add(self, some: Sequence[New]) -> list[tuple[int, bool]]:
        """The number of each, and whether it is new: by identity and digest it may be there."""
        identities = self._numbered([one.identity for one in some])
        keys = [(identities[one.identity], one.digest) for one in some]
        rows = self._server.rows(
            "SELECT identity, digest, min(id) FROM refs WHERE (identity, digest) IN "
            "(SELECT * FROM unnest(%s::bigint[], %s::bytea[])) GROUP BY identity, digest",
            [identity for identity, _ in keys],
            [digest for _, digest in keys],
        )
        there = {(identity, digest): number for identity, digest, number in rows}
        found: list[tuple[int, bool]] = []
        fresh: list[tuple[int, int, New]] = []
        for key, one in zip(keys, some, strict=True):
            is_new = key not in there
            if is_new:
                self.tally.last_reference += 1
                there[key] = self.tally.last_reference
                fresh.append((there[key], key[0], one))
            found.append((there[key], is_new))
        if fresh:
            self.tally.reference_count += len(fresh)
            self._copy(fresh)
        return found

    def _numbered(self, names: list[str]) -> dict[str, int]:
        """The number of each identity; what is not known gets one."""
        rows = self._server.rows(
            "SELECT name, id FROM identities WHERE name = ANY(%s::text[])", names
        )
        found: dict[str, int] = dict(rows)
        fresh = [name for name in dict.fromkeys(names) if name not in found]
        numbers = range(self.tally.last_identity + 1, self.tally.last_identity + 1 + len(fresh))
        if fresh:
            rows = list(zip(numbers, fresh, strict=True))
            self._server.copy("identities (id, name)", ["int8", "text"], rows)
        self.tally.last_identity += len(fresh)
        self.tally.identity_count += len(fresh)
        return found | dict(zip(fresh, numbers, strict=True))

    def _copy(self, fresh: list[tuple[int, int, New]]) -> None:
        self._server.copy(
            "refs (id, identity, embedding, checksum, digest, note, enrolled)",
            ["int8", "int8", "bytea", "int8", "bytea", "text", "text"],
            [
                (
                    number,
                    identity,
                    one.embedding,
                    zlib.crc32(one.embedding),
                    one.digest,
                    one.note,
                    one.enrolled or self._now,
                )
                for number, identity, one in fresh
            ],
        )
        kept = [
            (number, one.original, one.thumbnail)
            for number, _, one in fresh
            if one.original is not None
        ]
        if kept:
            self._server.copy("originals", ["int8", "bytea", "bytea"], kept)
        if self._table is not None:
            stored = self._coder.stored([one.embedding for _, _, one in fresh])
            numbers = [(number, identity) for number, identity, _ in fresh]
            add_forms(self._table, numbers, self._coder.vectors(stored), self.tally)


def add_forms(
    table: FormTable, numbers: Sequence[tuple[int, int]], vectors: Vectors, tally: Tally
) -> None:
    """Store the forms of references with these (reference, identity), and how they were rounded."""
    forms = table.add(numbers, vectors)
    tally.longest = max(tally.longest, forms.longest)
    tally.rounding = max(tally.rounding, forms.rounding)
    tally.beyond_half = tally.beyond_half or None in forms.rows
