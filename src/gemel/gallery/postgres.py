"""A gallery in a schema of a PostgreSQL database, which is the truth, and searches by pgvector."""

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from datetime import UTC, datetime
from itertools import islice

import numpy as np

from gemel.gallery import checking, making
from gemel.gallery.adding import Adder, Tally, add_forms
from gemel.gallery.forms import FormTable
from gemel.gallery.places import Address
from gemel.gallery.records import Entry, Removed
from gemel.gallery.rows import as_block, as_entries, made_anew, names_that_hold, refuse_damage
from gemel.gallery.server import AT_ONCE, READING, WRITING, Server
from gemel.gallery.store import (
    Block,
    Facts,
    Kept,
    MakeForms,
    New,
    Scores,
    Searchable,
    Shape,
    State,
)
from gemel.items import Indices

LEFT = (
    "PostgreSQL writes over the room of removed rows in its own time, after a VACUUM, which was "
    "run if the user may; its log (WAL), backups and replicas may hold the old bytes for longer"
)
DAMAGED = "take the gallery from a backup, or import what was exported"


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
        self._has_graph = False
        try:
            making.open_schema(self._server, new)
            with self.snapshot():
                self.facts = self._read_facts()
                self._making = self._state().making
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
        """How far the gallery has come.

        Raises:
            OtherModelError: it was made anew since it was opened.
        """
        state = self._state()
        if state.making != self._making:
            raise made_anew(self.address)
        return state

    def _state(self) -> State:
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
        self._refuse_damage((row[0], row[2], row[3]) for row in rows)
        return as_block(rows, self.facts.coder)

    def _refuse_damage(self, rows: Iterable[tuple[int, bytes, int]]) -> None:
        refuse_damage(rows, self.facts.coder, self.address, DAMAGED)

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
        self._refuse_damage((row[0], row[2], row[6]) for row in rows)
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
            adder = Adder(self._server, self.facts, self._table, now)
            while some := list(islice(rest, AT_ONCE)):
                found += adder.add(some)
            if any(added for _, added in found):
                adder.tally.write(self._server, changes=1)
        return found

    def remove(self, name: str, references: Sequence[int]) -> Removed:
        """Remove references of an identity, and the identity with its last one."""
        each = list(references)
        tables = ["originals", "refs", "identities"]
        with self._writing():
            tally = Tally.read(self._server)
            if self._form() is not None:
                self._server.count("DELETE FROM forms WHERE reference = ANY(%s::bigint[])", each)
                tables.append("forms")
            self._server.count("DELETE FROM originals WHERE reference = ANY(%s::bigint[])", each)
            removed = self._server.rows(
                "DELETE FROM refs WHERE id = ANY(%s::bigint[]) RETURNING id, identity", each
            )
            gone = self._server.count(
                "DELETE FROM identities WHERE id = ANY(%s::bigint[]) AND NOT EXISTS "
                "(SELECT 1 FROM refs WHERE identity = identities.id)",
                [owner for _, owner in removed],
            )
            tally.reference_count -= len(removed)
            tally.identity_count -= gone
            tally.write(self._server, changes=1, removals=1)
        self._server.vacuum(tables)
        ids = tuple(sorted(number for number, _ in removed))
        return Removed(name, ids, gone > 0, False, LEFT)

    def rename(self, old: str, new: str) -> None:
        """Give an identity another name."""
        with self._writing():
            self._server.count("UPDATE identities SET name = %s WHERE name = %s", new, old)
            Tally.read(self._server).write(self._server, changes=1)

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
                "coding = %s, changes = changes + 1, epoch = epoch + 1, form = NULL, longest = 0, "
                "rounding = 0, beyond_half = false",
                *astuple(facts),
            )
        self.facts, self._making = facts, self._state().making
        self._table = None

    def prepare(self, shape: Shape, make: MakeForms) -> None:
        """Keep a form of every embedding from now on; what is there gets one where it has none."""
        table = FormTable(self._server, shape, make)
        if self._form() != str(shape):
            with self._writing():
                if self._form() != str(shape):
                    self._fill(table)
        self._table = table

    def _fill(self, table: FormTable) -> None:
        table.make()
        tally = Tally.read(self._server)
        question = "SELECT id, identity, embedding, checksum FROM refs WHERE id > %s"
        for block in map(self._block, self._server.pages(question)):
            numbers = list(zip(block.ids.tolist(), block.identities.tolist(), strict=True))
            add_forms(table, numbers, self.facts.coder.vectors(block.embeddings), tally)
        tally.write(self._server)
        self._server.count("UPDATE gallery SET form = %s", str(table.shape))

    def searchable(self) -> Searchable:
        """What there is to be searched."""
        count, longest, rounding, beyond = self._server.rows(
            "SELECT reference_count, longest, rounding, beyond_half FROM gallery"
        )[0]
        return Searchable(count, longest, rounding, not beyond)

    def graph(self) -> bool:
        """Whether there is a graph (HNSW) of the forms."""
        assert self._table is not None
        self._has_graph = self._has_graph or self._table.graph()
        return self._has_graph

    def make_graph(self) -> bool:
        """Make the graph where there is none; False where this user may not, or not here."""
        assert self._table is not None
        if not self.graph() and self._table.may_make_graph():
            with self._writing():
                self._table.make_graph()
        return self.graph()

    def near(self, query: str, most: int, *, graph: bool) -> tuple[Indices, Indices, Scores]:
        """The nearest references [M], M up to `most`, with their identities and rising scores."""
        assert self._table is not None
        with self.snapshot():
            return self._table.near(query, most, graph=graph)

    def problems(self) -> list[str]:
        """What is wrong with what is stored, in words."""
        with self.snapshot():
            return checking.problems(self._server, self.facts, self._table)

    def close(self) -> None:
        """Let go of the connection."""
        self._server.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A transaction, once no other one writes."""
        with self._server.transaction(WRITING):
            self._server.rows("SELECT 1 FROM gallery FOR UPDATE")
            self.state()  # refuses what was made anew
            yield

    def _read_facts(self) -> Facts:
        return Facts(
            *self._server.rows(
                "SELECT fingerprint, dim, kind, keeps_originals, coding FROM gallery"
            )[0]
        )

    def _form(self) -> str | None:
        form: str | None = self._server.rows("SELECT form FROM gallery")[0][0]
        return form
