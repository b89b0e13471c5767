"""What the tests of galleries share."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from small_galleries import Place, numbers_model
from small_server import Server

from gemel import Items, Siamese, metrics


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "office.gallery"


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server of the tests' own; who kills it starts it again."""
    with Server() as server:
        server.ask("CREATE EXTENSION vector")
        yield server


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def new_place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Place]:
    """Says where a gallery may be made: in a file, and in a database."""
    numbers = count()
    if request.param == "sqlite":
        folder = tmp_path_factory.mktemp("places")
        return lambda: folder / f"{next(numbers)}.gallery"
    server = request.getfixturevalue("server")
    return lambda: server.url(f"place_{next(numbers)}")


@pytest.fixture
def place(new_place: Callable[[], Place]) -> Place:
    return new_place()


@pytest.fixture
def second(new_place: Callable[[], Place]) -> Place:
    return new_place()


@pytest.fixture
def url(server: Server, request: pytest.FixtureRequest) -> str:
    """A place in the database, for tests of PostgreSQL alone."""
    return server.url(f"own_{abs(hash(request.node.nodeid))}")


@pytest.fixture
def model() -> Siamese:
    return numbers_model(metrics.Euclidean())


@pytest.fixture
def few(symbols: Items) -> Items:
    """36 pictures of 6 symbols."""
    return symbols.take(np.arange(36), "few")
