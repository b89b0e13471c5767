"""A connection to a PostgreSQL server: kept up, and what goes wrong said in words."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import ceil
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.adapt import Buffer, Dumper
from psycopg.conninfo import make_conninfo
from psycopg.pq import Format, TransactionStatus
from psycopg.types import TypeInfo

from gemel.errors import GalleryError
from gemel.gallery.places import Address

AT_ONCE = 1000  # references in one question or answer
MAKING = 0x47454D4C  # "GEML": the lock of who makes something in a database
SILENCE = {
    "keepalives_idle": "15",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
"""A machine that says nothing for half a minute is given up; libpq would wait for hours."""
Name = str | int | tuple[str, str]
Statement = LiteralString | bytes | sql.Composed
READING: LiteralString = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
WRITING: LiteralString = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
GONE = (
    "the server went away. What was not said to be stored may or may not be there: do it again "
    "when the server is back, since nothing is enrolled twice"
)
REMEDIES = {
    "08": GONE,
    "22P05": "the database must have the encoding UTF8: make another one",
    "23505": "another process gave the same name at the same time; look at list()",
    "25006": "it may only be read there: the server is a replica, or was set so; name the primary",
    "42501": "the user has no right to that: whoever runs the server must GRANT it",
    "42P01": "a table of the gallery is gone: take it from a backup, or import what was exported",
    "53100": "the disk is full; nothing of this was stored, and what was there before is whole: "
    "make room",
    "53200": "the server has no memory left; nothing of this was stored",
    "53300": "the server has too many connections: close some",
    "55P03": "another process has been writing to it all the time; try again, or wait longer "
    "(timeout=)",
    "57P": GONE,
    "58": "the server's disk failed; nothing of this was stored: look at the disk",
    "XX": "the server found damage: take the gallery from a backup, or import what was exported",
}
"""By the beginning of an SQLSTATE; PostgreSQL's documentation, appendix A."""
NO_CONNECTION = {
    "password authentication failed": "user or password is wrong",
    "no password supplied": "give the password: in the URL, in PGPASSWORD, or in ~/.pgpass",
    "does not exist": "correct the database's name or the user's; a database is made with createdb",
    "invalid connection option": "correct the URL",
}
"""Before there is a connection no SQLSTATE is said, only the server's text."""


class Server:
    """One connection, made anew at the next question where it was lost.

    Args:
        address: where, as whom, and the schema.
        timeout: seconds to wait for another process that writes, and for a connection.

    Raises:
        GalleryError: there is no connection to be had.
    """

    def __init__(self, address: Address, timeout: float | int) -> None:
        self.address = address
        self._timeout = timeout
        self._inside = False
        self._learned: dict[str, str] = {}
        self._connection = self._connected()

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def rows(self, statement: Statement, *values: Any) -> list[Any]:
        """What the server answers."""
        with self._in_words():
            cursor = self._ask(statement, values)
            return cursor.fetchall() if cursor.description else []

    def count(self, statement: Statement, *values: Any) -> int:
        """How many rows a statement changes."""
        with self._in_words():
            return self._ask(statement, values).rowcount

    def run(self, statement: str) -> None:
        """A statement of a layout; nothing that a user gave is in it."""
        with self._in_words():
            self._ask(statement.encode(), ())

    def copy(
        self, into: LiteralString, types: Sequence[str], rows: Iterable[Sequence[Any]]
    ) -> None:
        """Store many rows at once; a form comes as the bytes that its type is sent in."""
        with self._in_words(), self._connection.cursor() as cursor:
            statement = sql.SQL("COPY {} FROM STDIN (FORMAT binary)").format(sql.SQL(into))
            with cursor.copy(statement) as copy:
                copy.set_types(types)
                for row in rows:
                    copy.write_row(row)

    @property
    def inside(self) -> bool:
        """Whether a transaction is open."""
        return self._inside

    @contextmanager
    def transaction(self, begin: LiteralString) -> Iterator[None]:
        """All of it or nothing; `begin` is READING or WRITING."""
        with self._in_words():
            self._ask(begin, ())
            self._inside = True
            try:
                yield
                self._connection.execute("COMMIT")
            finally:
                self._inside = False
                status = self._connection.info.transaction_status
                if status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
                    self._connection.execute("ROLLBACK")

    def wait_for_makers(self) -> None:
        """Inside a transaction: be the only one who makes something in the database."""
        self.rows("SELECT pg_advisory_xact_lock(%s)", MAKING)

    def pages(self, question: LiteralString) -> Iterator[list[Any]]:
        """The rows behind a number, 0 at first, some at a time; the first column is the number."""
        last = 0
        while rows := self.rows(f"{question} ORDER BY id LIMIT %s", last, AT_ONCE):
            yield rows
            last = rows[-1][0]

    def filled(
        self, statement: LiteralString, **names: str | int | tuple[str, str]
    ) -> sql.Composed:
        """A statement with identifiers (a pair: with its schema) and numbers put in."""
        parts = {
            key: sql.Literal(name)
            if isinstance(name, int)
            else sql.Identifier(*([name] if isinstance(name, str) else name))
            for key, name in names.items()
        }
        return sql.SQL(statement).format(**parts)

    def has_schema(self) -> bool:
        """Whether the schema is there."""
        found = self.rows("SELECT 1 FROM pg_namespace WHERE nspname = %s", self.address.gallery)
        return bool(found)

    def make_schema(self) -> None:
        """Make the schema."""
        self.rows(self.filled("CREATE SCHEMA {schema}", schema=self.address.gallery))

    def make_extension(self) -> None:
        """Put pgvector into the database, for all its schemas.

        Raises:
            GalleryError: the server does not have it, or the user may not.
        """
        try:
            self._ask("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public", ())
        except psycopg.Error as error:
            said = " ".join(str(error).split())
            raise GalleryError(
                f"the database of {self.address} lacks pgvector, and it cannot be put there: "
                f"{said}. Install pgvector on the server, then let an administrator run CREATE "
                "EXTENSION vector in this database"
            ) from error

    def vacuum(self, tables: Sequence[str]) -> None:
        """Let the room of removed rows be used again; who may not is passed over."""
        names = sql.SQL(", ").join(map(sql.Identifier, tables))
        self.rows(sql.SQL("VACUUM (SKIP_LOCKED) {}").format(names))

    def learn(self, kind: str, schema: str) -> None:
        """Let `copy` send a type of pgvector's, or of PostgreSQL's own, as bytes."""
        self._learned[kind] = schema
        with self._in_words():
            _teach(self._connection, self._learned)

    def _ask(self, statement: Statement, values: Sequence[Any]) -> psycopg.Cursor[Any]:
        """Over a new connection where the old one was lost, unless something was begun on it."""
        if not self._inside:
            if self._connection.closed:
                self._connection = self._connected()
            try:
                return self._connection.execute(statement, values or None, binary=True)
            except psycopg.OperationalError:
                if not self._connection.closed:
                    raise
                self._connection = self._connected()
        return self._connection.execute(statement, values or None, binary=True)

    def _connected(self) -> psycopg.Connection[Any]:
        waiting = str(max(2, ceil(self._timeout)))
        known = {**SILENCE, "connect_timeout": waiting, "application_name": "gemel"}
        try:
            words = {**known, **self.address.connection, "client_encoding": "utf8"}
            connection = psycopg.connect(make_conninfo(**words), autocommit=True)
        except psycopg.Error as error:
            text = " ".join(str(error).split())
            remedy = next(
                (known for words, known in NO_CONNECTION.items() if words in text),
                "is the server running, and are host, port and sslmode right?",
            )
            raise GalleryError(f"the gallery {self.address}: {text}; {remedy}") from None
        try:
            with self._in_words():
                self._set_up(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _set_up(self, connection: psycopg.Connection[Any]) -> None:
        ask = connection.execute
        path = sql.Identifier(self.address.gallery)
        ask(sql.SQL("SET search_path TO {}").format(path))
        ask(sql.SQL("SET lock_timeout TO {}").format(max(1, round(1000 * self._timeout))))
        ask(  # stronger settings stay
            "SELECT set_config('synchronous_commit', 'on', false) "
            "WHERE current_setting('synchronous_commit') = 'off'"
        )
        _teach(connection, self._learned)

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        """What psycopg raises, as a `GalleryError` that says what to do."""
        try:
            yield
        except psycopg.Error as error:
            state = error.sqlstate or ("08" if isinstance(error, psycopg.OperationalError) else "")
            remedy = next((text for key, text in REMEDIES.items() if state.startswith(key)), state)
            said = " ".join(str(error).split())
            raise GalleryError(f"the gallery {self.address}: {said}; {remedy}") from error


class _AsItIs(Dumper):
    """Bytes that are in the form in which PostgreSQL takes a type already."""

    format = Format.BINARY

    def dump(self, obj: Buffer) -> Buffer:
        return obj


def _teach(connection: psycopg.Connection[Any], kinds: Mapping[str, str]) -> None:
    """Let a connection know types, given with their schemas, whose values are sent as bytes."""
    for kind, schema in kinds.items():
        info = TypeInfo.fetch(connection, sql.Identifier(schema, kind))
        if info is None:
            raise GalleryError(f"there is no type {kind} in the schema {schema} any more")
        info.register(connection)
        sent = type("Sent", (_AsItIs,), {"oid": info.oid})
        connection.adapters.register_dumper(None, sent)
