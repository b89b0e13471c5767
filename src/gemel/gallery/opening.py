"""Opening a SQLite file as a gallery: what it is, whether it is whole, and which layout it has."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gemel.errors import GalleryError
from gemel.gallery.migrations import APPLICATION_ID, STEPS
from gemel.gallery.store import Facts

MAGIC = b"SQLite format 3\0"
REMEDIES = {
    "SQLITE_BUSY": "another process has been writing to it all the time; try again, or wait longer "
    "(timeout=)",
    "SQLITE_CANTOPEN": "the file and its folder must exist and be writable: a gallery keeps a log "
    "beside itself, even to be read",
    "SQLITE_CORRUPT": "the file is damaged: take it from a copy, or import what was exported",
    "SQLITE_FULL": "nothing of this was stored, and what was there before is whole: make room",
    "SQLITE_IOERR": "the disk failed; nothing of this was stored: look at the disk",
    "SQLITE_NOTADB": "the file is damaged, or no gallery at all",
    "SQLITE_READONLY": "the file and its folder must be writable: a gallery keeps a log beside "
    "itself, even to be read",
}


@contextmanager
def in_words(path: Path) -> Iterator[None]:
    """What SQLite raises, as a `GalleryError` that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        remedy = next((text for key, text in REMEDIES.items() if name.startswith(key)), name)
        raise GalleryError(f"the gallery {path}: {error}; {remedy}") from error


@contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """A transaction that is stored whole, or not at all; one process at a time."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def connect(path: Path, new: Facts | None, timeout: float | int) -> sqlite3.Connection:
    """A connection to the gallery at `path`; made with the facts `new` where there is none.

    Raises:
        GalleryError: there is none and `new` is None; or the file is no gallery, damaged, of a
            newer gemel, or cannot be written.
    """
    _check_path(path, must_exist=new is None)
    if new is not None:
        _make_private(path)
    with in_words(path):
        connection = sqlite3.connect(path, timeout=timeout, isolation_level=None)
        try:
            if _is_new(connection, path):
                _make(connection, path, new)
            _set_up(connection, path)
        except BaseException:
            connection.close()
            raise
        return connection


def _make_private(path: Path) -> None:
    """Make the file, if there is none, for its owner alone; its log takes over the rights."""
    with suppress(OSError):  # SQLite says in words what is wrong with the place
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _check_path(path: Path, *, must_exist: bool) -> None:
    if path.is_dir():
        raise GalleryError(f"{path} is a folder; expected a gallery file")
    if not path.exists():
        if must_exist:
            raise GalleryError(f"there is no gallery {path}; enrol someone first, or correct it")
        if not path.parent.is_dir():
            raise GalleryError(f"cannot make the gallery {path}: there is no folder {path.parent}")
        return
    try:
        with path.open("rb") as file:
            beginning = file.read(len(MAGIC))
    except OSError as error:
        raise GalleryError(f"{path} cannot be read: {error.strerror}; change its rights") from error
    if beginning not in (b"", MAGIC):
        raise GalleryError(
            f"{path} is no gallery, or its beginning is damaged: it does not begin as a SQLite "
            "file does. Correct the path, or take the file from a copy"
        )


def _is_new(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether nothing is in the file yet.

    Raises:
        GalleryError: it is the file of another program, or of a newer gemel.
    """
    if connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID:
        layout = connection.execute("PRAGMA user_version").fetchone()[0]
        if layout > len(STEPS):
            raise GalleryError(
                f"{path} has layout {layout}, of a newer gemel; this one reads up to "
                f"{len(STEPS)}: upgrade with `pip install --upgrade gemel`"
            )
        return False
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise GalleryError(f"{path} is a SQLite file of another program, no gallery; name another")
    return True


def _make(connection: sqlite3.Connection, path: Path, facts: Facts | None) -> None:
    """Lay the file out; of two processes at once the second finds it done."""
    if facts is None:
        raise GalleryError(f"{path} is empty; expected a gallery: enrol someone first")
    connection.execute("PRAGMA journal_mode = WAL")
    with writing(connection):
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            return
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        migrate(connection)
        write_facts(connection, facts)


def _set_up(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    for pragma in ("foreign_keys = ON", "synchronous = FULL", "secure_delete = ON"):
        connection.execute(f"PRAGMA {pragma}")
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise GalleryError(f"the gallery {path}: {found}; {REMEDIES['SQLITE_CORRUPT']}")
    if connection.execute("PRAGMA user_version").fetchone()[0] < len(STEPS):
        with writing(connection):
            migrate(connection)
    # what another process kept from being erased, or what a crash left in the log
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def migrate(connection: sqlite3.Connection) -> None:
    """Take the layout from what it is to the newest, inside a transaction."""
    layout = connection.execute("PRAGMA user_version").fetchone()[0]
    for step in STEPS[layout:]:
        for statement in step.split(";"):
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {len(STEPS)}")


def write_facts(connection: sqlite3.Connection, facts: Facts) -> None:
    """Store what holds for the whole gallery, inside a transaction."""
    rows = {
        "fingerprint": facts.fingerprint,
        "dim": str(facts.dim),
        "kind": facts.kind,
        "keeps_originals": "yes" if facts.keeps_originals else "no",
        "coding": facts.coding,
    }
    connection.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", rows.items())


def read_facts(connection: sqlite3.Connection, path: Path) -> Facts:
    """What holds for the whole gallery.

    Raises:
        GalleryError: some of it is missing.
    """
    rows = dict(connection.execute("SELECT name, value FROM facts"))
    try:
        return Facts(
            rows["fingerprint"],
            int(rows["dim"]),
            rows["kind"],
            rows["keeps_originals"] == "yes",
            rows["coding"],
        )
    except (KeyError, ValueError) as error:
        raise GalleryError(
            f"the gallery {path} lacks {error} among its facts; {REMEDIES['SQLITE_CORRUPT']}"
        ) from error
