"""Where a gallery is: a path names a SQLite file, a URL a schema of a PostgreSQL database."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike, fspath
from pathlib import Path
from urllib.parse import parse_qsl, unquote

from gemel.errors import GalleryError, MissingExtraError
from gemel.gallery.sqlite import SqliteStore
from gemel.gallery.store import Facts, Store

Place = str | PathLike[str]
DEFAULT = "gemel"
NAME = re.compile(r"(?!pg_|information_schema$)[a-z_][a-z0-9_]{0,62}")
# the last @ ends the password, whatever is in it
URL = re.compile(
    r"postgres(?:ql)?://(?:(?P<who>.*)@)?(?P<hosts>[^/?#@]*)(?:/(?P<database>[^/?#@]*))?"
    r"(?:\?(?P<query>[^#@]*))?",
    re.IGNORECASE | re.DOTALL,
)
HOST = re.compile(r"(?:\[(?P<six>[^\[\]]+)\]|(?P<name>[^:\[\]]*))(?::(?P<port>[0-9]*))?")
SCHEME = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)


@dataclass(frozen=True)
class Address:
    """A gallery in a PostgreSQL database; said in words without user and password.

    Attributes:
        connection: what libpq is told, by its keywords.
        gallery: the schema, a checked name.
    """

    connection: Mapping[str, str] = field(repr=False)
    gallery: str

    def __str__(self) -> str:
        host, port, database = (self.connection.get(key, "") for key in ("host", "port", "dbname"))
        where = f"{host}:{port}" if port else host
        return f"postgresql://{where}/{database}?gallery={self.gallery}"


def address_of(url: str) -> Address:
    """A URL `postgresql://user:password@host:port/database?gallery=name`, taken apart.

    What libpq knows besides may follow `gallery`, such as `sslmode=require`. No message shows any
    part of a URL that cannot be read: it may be the password.

    Raises:
        GalleryError: it is no such URL, or the gallery's name cannot be one.
    """
    parts = URL.fullmatch(url)
    hosts = [HOST.fullmatch(one) for one in parts["hosts"].split(",")] if parts else [None]
    if parts is None or None in hosts:
        raise GalleryError(
            "the gallery's URL cannot be read (it is not shown, for it may hold a password): "
            "expected postgresql://user:password@host:port/database?gallery=name, where the "
            "characters @ / ? # : % of a name or password are written %40 %2F %3F %23 %3A %25"
        )
    user, _, password = (parts["who"] or "").partition(":")
    ports = [one["port"] or "" for one in hosts if one]
    found = {
        "user": user,
        "password": password,
        "host": ",".join(one["six"] or one["name"] for one in hosts if one),
        "port": ",".join(ports) if any(ports) else "",
        "dbname": parts["database"] or "",
    }
    connection = {key: unquote(value) for key, value in found.items() if value}
    query = (parts["query"] or "").replace("+", "%2B")  # no space, unlike in a form
    connection |= dict(parse_qsl(query, keep_blank_values=True))
    gallery = connection.pop("gallery", DEFAULT)
    if not NAME.fullmatch(gallery):
        raise GalleryError(
            f"a gallery in PostgreSQL cannot be named {gallery!r:.80}: expected up to 63 of the "
            "letters a to z, digits and _, not beginning with a digit or pg_"
        )
    return Address(connection, gallery)


def read_place(place: Place) -> Address | Path:
    """A URL taken apart, or a path.

    Raises:
        GalleryError: a URL that cannot be read, or of another kind of database.
    """
    text = fspath(place)
    if isinstance(place, str) and text.lower().startswith(("postgresql://", "postgres://")):
        return address_of(text)
    if SCHEME.match(text):
        raise GalleryError(
            "expected a path, or, as a str, a URL that begins with postgresql://; got something "
            f"that begins with {text.partition(':')[0]!r:.40} (the rest may hold a password)"
        )
    return Path(place)


def open_store(place: Address | Path, new: Facts | None, timeout: float | int) -> Store:
    """The store at a place; made with the facts `new` where there is none.

    Raises:
        GalleryError: see `SqliteStore` and `PostgresStore`.
        MissingExtraError: a URL, and psycopg is not installed.
    """
    if isinstance(place, Path):
        return SqliteStore(place, new, timeout)
    try:
        from gemel.gallery.postgres import PostgresStore
    except ImportError as error:
        raise MissingExtraError(
            "galleries in PostgreSQL need psycopg, which is not installed: "
            "pip install 'gemel[postgres]'"
        ) from error
    return PostgresStore(place, new, timeout)
