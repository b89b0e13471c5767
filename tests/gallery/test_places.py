"""URLs taken apart, and never shown with what may be a password."""

import builtins
import sys
from pathlib import Path

import pytest

from gemel import Gallery, Siamese
from gemel.errors import GalleryError, MissingExtraError
from gemel.gallery.places import Address, read_place

SECRET = "hunter2"


def test_what_a_url_says() -> None:
    found = read_place(
        "postgresql://ada:p%40ss@db.example:5433/faces?gallery=office&sslmode=require"
    )
    assert isinstance(found, Address)
    assert found.gallery == "office"
    assert found.connection == {
        "user": "ada",
        "password": "p@ss",
        "host": "db.example",
        "port": "5433",
        "dbname": "faces",
        "sslmode": "require",
    }
    assert str(found) == "postgresql://db.example:5433/faces?gallery=office"
    assert "p@ss" not in repr(found)


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("postgres://", {}),
        ("POSTGRESQL:///faces", {"dbname": "faces"}),
        ("postgresql://[::1]:1/x", {"host": "::1", "port": "1", "dbname": "x"}),
        ("postgresql://a,b:2/x", {"host": "a,b", "port": ",2", "dbname": "x"}),
        (
            "postgresql://u:a/b?c#d@e@h/x",
            {"user": "u", "password": "a/b?c#d@e", "host": "h", "dbname": "x"},
        ),
        ("postgresql://u@/x?host=/run", {"user": "u", "dbname": "x", "host": "/run"}),
        ("postgresql:///x?password=a+b%20c", {"dbname": "x", "password": "a+b c"}),
    ],
)
def test_parts_may_be_missing_or_odd(url: str, wanted: dict[str, str]) -> None:
    found = read_place(url)
    assert isinstance(found, Address)
    assert found.connection == wanted
    assert found.gallery == "gemel"


@pytest.mark.parametrize(
    "place",
    [
        f"postgresql://ada:{SECRET}/faces",
        f"postgresql://ada:{SECRET}:1@db:port/faces",
        f"postgresql://ada@db/faces/{SECRET}",
        f"postgresql://ada@db/faces#{SECRET}",
        f"mysql://ada:{SECRET}@db/faces",
        Path(f"postgresql://ada:{SECRET}@db/faces"),
    ],
)
def test_what_cannot_be_read_is_not_shown(place: str | Path, model: Siamese) -> None:
    with pytest.raises(GalleryError, match="may hold a password") as caught:
        Gallery.open(place, model)
    assert SECRET not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Office",
        "a b",
        'x"; DROP SCHEMA public; --',
        "1a",
        "pg_x",
        "x" * 64,
        "é",
        "information_schema",
        "a%00b",
        "a.b",
    ],
)
def test_names_that_no_schema_gets(name: str) -> None:
    with pytest.raises(GalleryError, match="cannot be named"):
        read_place(f"postgresql://db/faces?gallery={name}")


def test_paths_stay_paths() -> None:
    assert read_place("a/b:c") == Path("a/b:c")
    assert read_place(Path("postgresql")) == Path("postgresql")


def test_without_psycopg(model: Siamese, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: object) -> object:
        if name == "psycopg":
            raise ImportError("no psycopg")
        return real(name, *rest)

    for name in ("server", "forms", "making", "postgres"):
        monkeypatch.delitem(sys.modules, f"gemel.gallery.{name}", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"pip install 'gemel\[postgres\]'"):
        Gallery.open("postgresql://db/faces", model)
