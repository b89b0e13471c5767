"""A gallery in one SQLite file, which is the truth; an index is only derived from it."""

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from gemel.gallery import opening
from gemel.gallery.records import Entry, Removed
from gemel.gallery.rows import (
    as_block,
    as_entries,
    is_whole,
    made_anew,
    names_that_hold,
    refuse_damage,
)
from gemel.gallery.store import Block, Facts, Kept, New, State
from gemel.items import Indices

AT_ONCE = 500  # numbers in one question to SQLite
LEFT = (
    "another process is reading the gallery, so the old bytes are in its log still: they go when "
    "it is next opened"
)


class SqliteStore:
    """The `Store` of one machine: many processes may use one file.

    What `add` and the others have returned from survives a crash: every transaction waits for the
    disk (WAL, synchronous=FULL). What is removed is overwritten, in the file and in its log.

    Args:
        path: the file.
        new: what holds for the gallery where it is to be made; None where it must be there.
        timeout: seconds to wait for another process that writes.

    Raises:
        GalleryError: see `opening.connect`.
    """

    def __init__(self, path: Path, new: Facts | None, timeout: float | int = 10.0) -> None:
        self.path = path
        self._connection = opening.connect(path, new, timeout)
        with self.snapshot():
            self.facts = opening.read_facts(self._connection, path)
            self._making = self._state().making

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Inside, all reading sees one state, whatever others write."""
        if self._connection.in_transaction:
            yield
            return
        with opening.in_words(self.path):
            self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("ROLLBACK")  # nothing was written

    def state(self) -> State:
        """How far the gallery has come.

        Raises:
            OtherModelError: it was made anew since it was opened.
        """
        state = self._state()
        if state.making != self._making:
            raise made_anew(self.path)
        return state

    def _state(self) -> State:
        rows = self._rows(
            "SELECT name, value FROM counters UNION ALL "
            "SELECT name, value FROM facts WHERE name = 'fingerprint'"
        )
        found = dict(rows)
        return State(found["changes"], found["removals"], found["epoch"], found["fingerprint"])

    def block(self, after: int) -> Block:
        """The references with numbers above `after`.

        Raises:
            GalleryError: an embedding is damaged.
        """
        rows = self._rows(
            "SELECT id, identity, embedding, checksum FROM refs WHERE id > ? ORDER BY id", after
        )
        stored = ((row[0], row[2], row[3]) for row in rows)
        refuse_damage(stored, self.facts.coder, self.path, opening.REMEDIES["SQLITE_CORRUPT"])
        return as_block(rows, self.facts.coder)

    def ids(self) -> Indices:
        """The numbers of all references, rising."""
        return np.array([row[0] for row in self._rows("SELECT id FROM refs ORDER BY id")], np.int64)

    def counts(self) -> tuple[int, int, int]:
        """How many identities, references and bytes there are."""
        count: tuple[int, int, int] = self._rows(
            "SELECT (SELECT count(*) FROM identities), (SELECT count(*) FROM refs), "
            "page_count * page_size FROM pragma_page_count, pragma_page_size"
        )[0]
        return count

    def lookup(self, ids: Sequence[int]) -> list[Kept]:
        """The references numbered `ids`, in that order."""
        found: dict[int, Kept] = {}
        for start in range(0, len(ids), AT_ONCE):
            some = ids[start : start + AT_ONCE]
            marks = ", ".join("?" * len(some))
            for row in self._rows(
                "SELECT refs.id, name, embedding, digest, note, enrolled FROM refs "
                f"JOIN identities ON identities.id = refs.identity WHERE refs.id IN ({marks})",
                *some,
            ):
                found[row[0]] = Kept(*row)
        return [found[one] for one in ids if one in found]

    def of_identity(self, name: str) -> list[int]:
        """The numbers of the references of an identity, rising; none where it is unknown."""
        rows = self._rows(
            "SELECT refs.id FROM refs JOIN identities ON identities.id = refs.identity "
            "WHERE name = ? ORDER BY refs.id",
            name,
        )
        return [row[0] for row in rows]

    def known(self, contents: Sequence[tuple[str, bytes]]) -> list[int | None]:
        """For each (identity, digest) the number of the reference that is there already."""
        identities: dict[str, int | None] = {}
        found: list[int | None] = []
        for name, digest in contents:
            if name not in identities:
                rows = self._rows("SELECT id FROM identities WHERE name = ?", name)
                identities[name] = rows[0][0] if rows else None
            identity = identities[name]
            found.append(None if identity is None else self._number(identity, digest))
        return found

    def _number(self, identity: int, digest: bytes) -> int | None:
        question = "SELECT min(id) FROM refs WHERE identity = ? AND digest = ?"
        number: int | None = self._rows(question, identity, digest)[0][0]
        return number

    def entries(
        self, search: str | None, after: str | None = None, most: int | None = None
    ) -> list[Entry]:
        """All identities by name, or those whose names hold `search` in any case."""
        question = "SELECT name FROM identities WHERE name > ? ORDER BY name LIMIT ?"

        def page(last: str) -> list[str]:
            return [row[0] for row in self._rows(question, last, AT_ONCE)]

        found = []
        with self.snapshot():
            names = names_that_hold(page, search, after, most)
            for start in range(0, len(names), AT_ONCE):
                some = names[start : start + AT_ONCE]
                marks = ", ".join("?" * len(some))
                rows = self._rows(
                    "SELECT name, refs.id, note, enrolled FROM refs JOIN identities "
                    f"ON identities.id = refs.identity WHERE name IN ({marks}) "
                    "ORDER BY name, refs.id",
                    *some,
                )
                found += as_entries(rows)
        return found

    def original(self, reference: int) -> bytes | None:
        """The item that a reference was made of, where originals are kept."""
        rows = self._rows("SELECT item FROM originals WHERE reference = ?", reference)
        return rows[0][0] if rows else None

    def thumbnail(self, reference: int) -> bytes | None:
        """Its small picture (PNG), where there is one."""
        rows = self._rows("SELECT thumbnail FROM originals WHERE reference = ?", reference)
        return rows[0][0] if rows else None

    def add(self, new: Iterable[New]) -> list[tuple[int, bool]]:
        """Store all or none: the number of each, and whether it is new."""
        identities: dict[str, int] = {}
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._writing():
            found = [self._add_one(one, identities, now) for one in new]
            if any(added for _, added in found):
                self._count("changes")
        return found

    def _add_one(self, new: New, identities: dict[str, int], now: str) -> tuple[int, bool]:
        ask = self._connection.execute
        if new.identity not in identities:
            ask("INSERT OR IGNORE INTO identities (name) VALUES (?)", (new.identity,))
            row = ask("SELECT id FROM identities WHERE name = ?", (new.identity,)).fetchone()
            identities[new.identity] = row[0]
        identity = identities[new.identity]
        done = ask(
            "INSERT INTO refs (identity, embedding, checksum, digest, note, enrolled) "
            "SELECT ?1, ?2, ?3, ?4, ?5, ?6 "
            "WHERE NOT EXISTS (SELECT 1 FROM refs WHERE identity = ?1 AND digest = ?4)",
            (
                identity,
                new.embedding,
                zlib.crc32(new.embedding),
                new.digest,
                new.note,
                new.enrolled or now,
            ),
        )
        if not done.rowcount:
            return self._number(identity, new.digest) or 0, False
        number = done.lastrowid or 0
        if new.original is not None:
            ask("INSERT INTO originals VALUES (?, ?, ?)", (number, new.original, new.thumbnail))
        return number, True

    def remove(self, name: str, references: Sequence[int]) -> Removed:
        """Remove references of an identity, and the identity with its last one; erase the bytes."""
        with self._writing():
            owners = {
                one: owner
                for one in references
                for (owner,) in self._rows("SELECT identity FROM refs WHERE id = ?", one)
            }
            each = [(one,) for one in owners]
            self._connection.executemany("DELETE FROM originals WHERE reference = ?", each)
            self._connection.executemany("DELETE FROM refs WHERE id = ?", each)
            gone = self._connection.executemany(
                "DELETE FROM identities WHERE id = ?1 AND NOT EXISTS "
                "(SELECT 1 FROM refs WHERE identity = ?1)",
                [(owner,) for owner in set(owners.values())],
            ).rowcount
            self._count("changes", "removals")
        erased = self._emptied_log()
        return Removed(name, tuple(owners), gone > 0, erased, None if erased else LEFT)

    def rename(self, old: str, new: str) -> None:
        """Give an identity another name."""
        with self._writing():
            self._connection.execute("UPDATE identities SET name = ? WHERE name = ?", (new, old))
            self._count("changes")

    def replace(
        self, facts: Facts, make: Callable[[list[int]], list[tuple[bytes, bytes]]], at_once: int
    ) -> None:
        """Make all embeddings anew, all or none."""
        with self._writing():
            ids = [row[0] for row in self._connection.execute("SELECT id FROM refs ORDER BY id")]
            for start in range(0, len(ids), at_once):
                some = ids[start : start + at_once]
                self._connection.executemany(
                    "UPDATE refs SET embedding = ?, checksum = ?, digest = ? WHERE id = ?",
                    [
                        (embedding, zlib.crc32(embedding), digest, one)
                        for one, (embedding, digest) in zip(some, make(some), strict=True)
                    ],
                )
            opening.write_facts(self._connection, facts)
            self._count("changes", "epoch")
        self.facts, self._making = facts, self._state().making
        self._emptied_log()

    def problems(self) -> list[str]:
        """What is wrong with what is stored, in words."""
        found = [row[0] for row in self._rows("PRAGMA integrity_check") if row[0] != "ok"]
        found += [
            f"row {row} of {table} belongs to a row of {parent} that is missing"
            for table, row, parent, _ in self._rows("PRAGMA foreign_key_check")
        ]
        for one, embedding, checksum in self._rows("SELECT id, embedding, checksum FROM refs"):
            if not is_whole(embedding, checksum, self.facts.coder):
                found.append(f"the embedding of reference {one} is not as it was stored")
        if self.facts.keeps_originals:
            found += [
                f"the original of reference {one} is missing"
                for (one,) in self._rows(
                    "SELECT id FROM refs WHERE id NOT IN (SELECT reference FROM originals)"
                )
            ]
        return found

    def close(self) -> None:
        """Let go of the file; the last to do so takes its log away.

        The log is emptied first: if the file was replaced while it was open, SQLite leaves the log
        where it is, and would take it for the new file's.
        """
        with opening.in_words(self.path):
            try:
                self._connection.execute("PRAGMA busy_timeout = 0")  # a reader is not waited for
                self._emptied_log()
            finally:
                self._connection.close()

    def _rows(self, question: str, *values: Any) -> list[Any]:
        with opening.in_words(self.path):
            return self._connection.execute(question, values).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with opening.in_words(self.path), opening.writing(self._connection):
            self.state()
            yield

    def _count(self, *counters: str) -> None:
        for name in counters:
            self._connection.execute(
                "UPDATE counters SET value = value + 1 WHERE name = ?", (name,)
            )

    def _emptied_log(self) -> bool:
        """Move the log into the file and cut it to nothing; False where a reader keeps it."""
        return bool(self._rows("PRAGMA wal_checkpoint(TRUNCATE)")[0][0] == 0)
