"""A gallery in a schema of a PostgreSQL database, which is the truth, and searches by pgvector."""

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, LiteralString

import numpy as np

from gemel.errors import GalleryError
from gemel.gallery import making
from gemel.gallery.forms import FormTable
from gemel.gallery.places import Address
from gemel.gallery.records import Entry, Removed
from gemel.gallery.server import READING, WRITING, Server
from gemel.gallery.store import (
    Block,
    Facts,
    Forms,
    Kept,
    New,
    Scores,
    Searchable,
    Shape,
    State,
    Vectors,
    as_entries,
    names_that_hold,
)
from gemel.items import Indices

AT_ONCE = 1000  # references in one question or answer
LEFT = (
    "PostgreSQL writes over the room of removed rows in its own time, after a VACUUM, which was "
    "run if the user may; its log (WAL), backups and replicas may hold the old bytes for longer"
)
DAMAGED = "take the gallery from a backup, or import what was exported"


@dataclass
class _Tally:
    """What a transaction gives and changes: the numbers given last, and how many there are."""

    last_identity: int
    last_reference: int
    identity_count: int
    reference_count: int
    longest: float
    rounding: float
    beyond_half: bool


class PostgresStore:
    """The `Store` of many machines: a schema of a database, where pgvector is.

    Writers wait for one another at the one row of `gallery`, until the transaction before theirs
    is stored; numbers are given from that row. So a reader that has seen number n has seen every
    number below it. What `add` and the others have returned from is on the server's disk
    (synchronous_commit), and survives a crash of either side.

    Args:
        address: where the gallery is.
        new: what holds for the gallery where it is to be made; None where it must be there.
        timeout: seconds to wait for another process that writes, and for a connection.

    Raises:
        GalleryError: see `Server`, `making.open_schema`; the schema holds something else, or the
            gallery is of a newer gemel.
    """

    def __init__(self, address: Address, new: Facts | None, timeout: float | int = 10.0) -> None:
        self.address = address
        self._server = Server(address, timeout)
        self._table: FormTable | None = None
        self._make_forms: Callable[[Vectors], Forms] | None = None
        self._has_graph = False
        try:
            making.open_schema(self._server, new)
            self.facts = self._read_facts()
        except BaseException:
            self._server.close()
            raise

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Inside, all reading sees one state, whatever others write."""
        if self._server.inside:
            yield
            return
        with self._server.transaction(READING):
            yield

    def state(self) -> State:
        """How far the gallery has come."""
        return State(
            *self._server.rows("SELECT changes, removals, epoch, fingerprint FROM gallery")[0]
        )

    def block(self, after: int) -> Block:
        """The references with numbers above `after`.

        Raises:
            GalleryError: an embedding is damaged.
        """
        rows = self._server.rows(
            "SELECT id, identity, embedding, checksum FROM refs WHERE id > %s ORDER BY id", after
        )
        return self._block(rows)

    def _block(self, rows: Sequence[tuple[int, int, bytes, int]]) -> Block:
        self._refuse_damage([row[0] for row in rows if not self._whole(row[2], row[3])])
        vectors = np.frombuffer(b"".join(row[2] for row in rows), dtype="<f4")
        return Block(
            np.array([row[0] for row in rows], dtype=np.int64),
            np.array([row[1] for row in rows], dtype=np.int64),
            vectors.astype(np.float32, copy=False).reshape(len(rows), self.facts.dim),
        )

    def ids(self) -> Indices:
        """The numbers of all references, rising."""
        rows = self._server.rows("SELECT id FROM refs ORDER BY id")
        return np.array([row[0] for row in rows], np.int64)

    def counts(self) -> tuple[int, int, int]:
        """How many identities, references and bytes there are."""
        found: tuple[int, int, int] = self._server.rows(
            "SELECT identity_count, reference_count, (SELECT sum(pg_total_relation_size(oid))"
            "::bigint FROM pg_class WHERE relkind = 'r' AND relnamespace = %s::regnamespace) "
            "FROM gallery",
            self.address.gallery,
        )[0]
        return found

    def lookup(self, ids: Sequence[int]) -> list[Kept]:
        """The references numbered `ids`, in that order.

        Raises:
            GalleryError: an embedding is damaged.
        """
        rows = self._server.rows(
            "SELECT refs.id, name, embedding, digest, note, enrolled, checksum FROM refs "
            "JOIN identities ON identities.id = refs.identity WHERE refs.id = ANY(%s::bigint[])",
            list(ids),
        )
        self._refuse_damage([row[0] for row in rows if not self._whole(row[2], row[6])])
        found = {row[0]: Kept(*row[:6]) for row in rows}
        return [found[one] for one in ids if one in found]

    def of_identity(self, name: str) -> list[int]:
        """The numbers of the references of an identity, rising; none where it is unknown."""
        rows = self._server.rows(
            "SELECT refs.id FROM refs JOIN identities ON identities.id = refs.identity "
            "WHERE name = %s ORDER BY refs.id",
            name,
        )
        return [row[0] for row in rows]

    def known(self, contents: Sequence[tuple[str, bytes]]) -> list[int | None]:
        """For each (identity, digest) the number of the reference that is there already."""
        rows = self._server.rows(
            "SELECT name, digest, min(refs.id) FROM refs "
            "JOIN identities ON identities.id = refs.identity WHERE (name, digest) IN "
            "(SELECT * FROM unnest(%s::text[], %s::bytea[])) GROUP BY name, digest",
            [name for name, _ in contents],
            [digest for _, digest in contents],
        )
        found = {(name, digest): number for name, digest, number in rows}
        return [found.get(one) for one in contents]

    def entries(
        self, search: str | None, after: str | None = None, most: int | None = None
    ) -> list[Entry]:
        """All identities by name, or those whose names hold `search` in any case."""

        def page(last: str) -> list[str]:
            rows = self._server.rows(
                "SELECT name FROM identities WHERE name > %s ORDER BY name LIMIT %s", last, AT_ONCE
            )
            return [row[0] for row in rows]

        found = []
        with self.snapshot():
            names = names_that_hold(page, search, after, most)
            for start in range(0, len(names), AT_ONCE):
                rows = self._server.rows(
                    "SELECT name, refs.id, note, enrolled FROM refs JOIN identities "
                    "ON identities.id = refs.identity WHERE name = ANY(%s::text[]) "
                    "ORDER BY name, refs.id",
                    names[start : start + AT_ONCE],
                )
                found += as_entries(rows)
        return found

    def original(self, reference: int) -> bytes | None:
        """The item that a reference was made of, where originals are kept."""
        rows = self._server.rows("SELECT item FROM originals WHERE reference = %s", reference)
        return rows[0][0] if rows else None

    def thumbnail(self, reference: int) -> bytes | None:
        """Its small picture (PNG), where there is one."""
        rows = self._server.rows("SELECT thumbnail FROM originals WHERE reference = %s", reference)
        return rows[0][0] if rows else None

    def add(self, new: Iterable[New]) -> list[tuple[int, bool]]:
        """Store all or none: the number of each, and whether it is new."""
        found: list[tuple[int, bool]] = []
        now = datetime.now(UTC).isoformat(timespec="seconds")
        rest = iter(new)
        with self._writing():
            tally = self._tally()
            while some := list(islice(rest, AT_ONCE)):
                found += self._add_some(some, tally, now)
            if any(added for _, added in found):
                self._store_tally(tally, "changes")
        return found

    def _add_some(self, some: list[New], tally: _Tally, now: str) -> list[tuple[int, bool]]:
        identities = self._numbered([one.identity for one in some], tally)
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
                tally.last_reference += 1
                there[key] = tally.last_reference
                fresh.append((there[key], key[0], one))
            found.append((there[key], is_new))
        tally.reference_count += len(fresh)
        self._copy(fresh, tally, now)
        return found

    def _numbered(self, names: list[str], tally: _Tally) -> dict[str, int]:
        """The number of each identity; what is not known gets one."""
        rows = self._server.rows(
            "SELECT name, id FROM identities WHERE name = ANY(%s::text[])", names
        )
        found: dict[str, int] = dict(rows)
        fresh = [name for name in dict.fromkeys(names) if name not in found]
        numbers = range(tally.last_identity + 1, tally.last_identity + 1 + len(fresh))
        if fresh:
            rows = list(zip(numbers, fresh, strict=True))
            self._server.copy("identities (id, name)", ["int8", "text"], rows)
        tally.last_identity += len(fresh)
        tally.identity_count += len(fresh)
        return found | dict(zip(fresh, numbers, strict=True))

    def _copy(self, fresh: list[tuple[int, int, New]], tally: _Tally, now: str) -> None:
        if not fresh:
            return
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
                    one.enrolled or now,
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
            embeddings = b"".join(one.embedding for _, _, one in fresh)
            vectors = np.frombuffer(embeddings, "<f4").reshape(len(fresh), self.facts.dim)
            numbers = [(number, identity) for number, identity, _ in fresh]
            self._add_forms(self._table, numbers, vectors, tally)

    def _add_forms(
        self, table: FormTable, numbers: Sequence[tuple[int, int]], vectors: Vectors, tally: _Tally
    ) -> None:
        assert self._make_forms is not None
        forms = self._make_forms(vectors)
        tally.longest = max(tally.longest, forms.longest)
        tally.rounding = max(tally.rounding, forms.rounding)
        tally.beyond_half = tally.beyond_half or None in forms.rows
        table.add(
            (number, identity, row)
            for (number, identity), row in zip(numbers, forms.rows, strict=True)
            if row is not None
        )

    def remove(self, name: str, references: Sequence[int]) -> Removed:
        """Remove references of an identity, and the identity with its last one."""
        each = list(references)
        tables = ["originals", "refs", "identities"]
        with self._writing():
            tally = self._tally()
            if self._has_forms():
                self._server.count("DELETE FROM forms WHERE reference = ANY(%s::bigint[])", each)
                tables.append("forms")
            self._server.count("DELETE FROM originals WHERE reference = ANY(%s::bigint[])", each)
            tally.reference_count -= self._server.count(
                "DELETE FROM refs WHERE id = ANY(%s::bigint[])", each
            )
            gone = self._server.count(
                "DELETE FROM identities WHERE name = %s AND NOT EXISTS "
                "(SELECT 1 FROM refs WHERE identity = identities.id)",
                name,
            )
            tally.identity_count -= gone
            self._store_tally(tally, "changes", "removals")
        self._server.vacuum(tables)
        return Removed(name, tuple(references), bool(gone), False, LEFT)

    def rename(self, old: str, new: str) -> None:
        """Give an identity another name."""
        with self._writing():
            self._server.count("UPDATE identities SET name = %s WHERE name = %s", new, old)
            self._store_tally(self._tally(), "changes")

    def replace(
        self, facts: Facts, make: Callable[[list[int]], list[tuple[bytes, bytes]]], at_once: int
    ) -> None:
        """Make all embeddings anew, all or none; the forms are made at the next opening."""
        with self._writing():
            ids = self.ids().tolist()
            for start in range(0, len(ids), at_once):
                some = ids[start : start + at_once]
                made = make(some)
                self._server.count(
                    "UPDATE refs SET embedding = new.embedding, checksum = new.checksum, "
                    "digest = new.digest FROM unnest(%s::bigint[], %s::bytea[], %s::bigint[], "
                    "%s::bytea[]) AS new (id, embedding, checksum, digest) WHERE refs.id = new.id",
                    some,
                    [embedding for embedding, _ in made],
                    [zlib.crc32(embedding) for embedding, _ in made],
                    [digest for _, digest in made],
                )
            self._server.rows("DROP TABLE IF EXISTS forms")
            self._server.count(
                "UPDATE gallery SET fingerprint = %s, dim = %s, kind = %s, keeps_originals = %s, "
                "changes = changes + 1, epoch = epoch + 1, form = NULL, longest = 0, "
                "rounding = 0, beyond_half = false",
                *astuple(facts),
            )
        self.facts = facts
        self._table = None

    def prepare(self, shape: Shape, make: Callable[[Vectors], Forms]) -> None:
        """Keep a form of every embedding from now on; what is there gets one where it has none."""
        table, self._make_forms = FormTable(self._server, shape), make
        if self._form() != str(shape):
            with self._writing():
                if self._form() != str(shape):
                    self._fill(table)
        self._table = table

    def _fill(self, table: FormTable) -> None:
        table.make()
        tally = self._tally()
        for block in self._blocks():
            numbers = list(zip(block.ids.tolist(), block.identities.tolist(), strict=True))
            self._add_forms(table, numbers, block.vectors, tally)
        self._store_tally(tally)
        self._server.count("UPDATE gallery SET form = %s", str(table.shape))

    def searchable(self) -> Searchable:
        """What there is to be searched."""
        count, longest, rounding, beyond = self._server.rows(
            "SELECT reference_count, longest, rounding, beyond_half FROM gallery"
        )[0]
        return Searchable(count, longest, rounding, not beyond)

    def graph(self) -> bool:
        """Whether there is a graph (HNSW) of the forms; it is made where there is none."""
        assert self._table is not None
        if not self._has_graph:
            self._has_graph = self._table.graph()
        if not self._has_graph and not self._server.inside and self._table.may_make_graph():
            with self._writing():
                self._table.make_graph()
            self._has_graph = True
        return self._has_graph

    def near(self, query: str, most: int, *, graph: bool) -> tuple[Indices, Indices, Scores]:
        """The nearest references [M], M up to `most`, with their identities and rising scores."""
        assert self._table is not None
        with self.snapshot():
            return self._table.near(query, most, graph=graph)

    def problems(self) -> list[str]:
        """What is wrong with what is stored, in words."""
        with self.snapshot():
            found = self._damages() + self._miscounts()
            if self._table is not None:
                found += self._strays()
            if self.facts.keeps_originals:
                rows = self._server.rows(
                    "SELECT id FROM refs WHERE id NOT IN (SELECT reference FROM originals)"
                )
                found += [f"the original of reference {one} is missing" for (one,) in rows]
        if self._server.rows("SELECT current_setting('fsync')")[0][0] == "off":
            found.append(
                "the server runs with fsync = off, so that a power cut may lose what was said to "
                "be stored: turn it on"
            )
        return found

    def _damages(self) -> list[str]:
        found = []
        for rows in self._pages("SELECT id, embedding, checksum FROM refs WHERE id > %s"):
            found += [
                f"the embedding of reference {one} is not as it was stored"
                for one, embedding, checksum in rows
                if not self._whole(embedding, checksum)
            ]
        return found

    def _miscounts(self) -> list[str]:
        counted, noted = self._server.rows(
            "SELECT ARRAY[(SELECT count(*) FROM identities), (SELECT count(*) FROM refs)], "
            "ARRAY[identity_count, reference_count] FROM gallery"
        )[0]
        if counted == noted:
            return []
        return [
            f"there are {counted[0]} identities and {counted[1]} references, where {noted[0]} and "
            f"{noted[1]} were counted"
        ]

    def _strays(self) -> list[str]:
        """Where what is searched is not what the embeddings give."""
        assert self._make_forms is not None
        strays = [
            one
            for (one,) in self._server.rows(
                "SELECT reference FROM forms WHERE reference NOT IN (SELECT id FROM refs)"
            )
        ]
        for rows in self._pages(
            "SELECT id, embedding, forms.identity IS NOT DISTINCT FROM refs.identity, form "
            "FROM refs LEFT JOIN forms ON reference = id WHERE id > %s"
        ):
            whole = [row for row in rows if len(row[1]) == 4 * self.facts.dim]
            vectors = np.frombuffer(b"".join(row[1] for row in whole), "<f4")
            forms = self._make_forms(vectors.reshape(len(whole), self.facts.dim))
            strays += [
                one
                for (one, _, same, form), wanted in zip(whole, forms.rows, strict=True)
                if form != wanted or not (same or wanted is None)
            ]
        return [f"what is searched is not reference {one} as it is stored" for one in strays]

    def close(self) -> None:
        """Let go of the connection."""
        self._server.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A transaction, once no other one writes."""
        with self._server.transaction(WRITING):
            (now,) = self._server.rows("SELECT fingerprint FROM gallery FOR UPDATE")[0]
            if now != self.facts.fingerprint:
                raise GalleryError(
                    f"the gallery {self.address} was made anew for another model while it was "
                    "open here; open it again, with that model"
                )
            yield

    def _tally(self) -> _Tally:
        return _Tally(
            *self._server.rows(
                "SELECT last_identity, last_reference, identity_count, reference_count, longest, "
                "rounding, beyond_half FROM gallery"
            )[0]
        )

    def _store_tally(self, tally: _Tally, *counters: str) -> None:
        self._server.count(
            "UPDATE gallery SET last_identity = %s, last_reference = %s, identity_count = %s, "
            "reference_count = %s, longest = %s, rounding = %s, beyond_half = %s, "
            "changes = changes + %s, removals = removals + %s",
            *astuple(tally),
            int("changes" in counters),
            int("removals" in counters),
        )

    def _read_facts(self) -> Facts:
        return Facts(
            *self._server.rows("SELECT fingerprint, dim, kind, keeps_originals FROM gallery")[0]
        )

    def _form(self) -> str | None:
        form: str | None = self._server.rows("SELECT form FROM gallery")[0][0]
        return form

    def _has_forms(self) -> bool:
        return self._form() is not None

    def _blocks(self) -> Iterator[Block]:
        """All references, some at a time."""
        for rows in self._pages("SELECT id, identity, embedding, checksum FROM refs WHERE id > %s"):
            yield self._block(rows)

    def _pages(self, question: LiteralString) -> Iterator[list[Any]]:
        """The rows behind a number, 0 at first, some at a time; the first column is the number."""
        last = 0
        while rows := self._server.rows(f"{question} ORDER BY id LIMIT %s", last, AT_ONCE):
            yield rows
            last = rows[-1][0]

    def _refuse_damage(self, damaged: Sequence[int]) -> None:
        if damaged:
            raise GalleryError(
                f"the gallery {self.address}: {len(damaged)} embeddings are not as they were "
                f"stored, the first that of reference {min(damaged)}; {DAMAGED}"
            )

    def _whole(self, embedding: bytes, checksum: int) -> bool:
        return len(embedding) == 4 * self.facts.dim and zlib.crc32(embedding) == checksum
