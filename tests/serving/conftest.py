"""What the tests of the service share: it runs in this process, without a network."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from serving_models import numbers_model
from starlette.testclient import TestClient

from gemel import Gallery, Siamese
from gemel.serving.app import make_app
from gemel.serving.live import Live
from gemel.serving.settings import Settings

HOME = "http://127.0.0.1:8000"
Client = Callable[..., TestClient]


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    """A model of two numbers: see `numbers_model`."""
    numbers_model().save(tmp_path / "m.gemel")
    return tmp_path / "m.gemel"


@pytest.fixture
def opened(tmp_path: Path, model_file: Path) -> Callable[..., Live]:
    """Opens the model in `model_file`, and a gallery beside it."""

    def open_live(**options: Any) -> Live:
        def open_gallery(model: Siamese, create: bool) -> Gallery:
            return Gallery.open(tmp_path / "g.gallery", model, create=create, **options)

        return Live(model_file, str(tmp_path / "g.gallery"), open_gallery)

    return open_live


@pytest.fixture
def client(opened: Callable[..., Live]) -> Iterator[Client]:
    """Makes clients of services with the settings that are given."""
    clients: list[TestClient] = []

    def make(*, gallery: dict[str, Any] | None = None, **settings: Any) -> TestClient:
        app = make_app(lambda: opened(**(gallery or {})), Settings(**settings))
        made = TestClient(app, base_url=HOME, client=("127.0.0.1", 50000))
        made.__enter__()
        clients.append(made)
        return made

    yield make
    for one in clients:
        one.__exit__(None, None, None)
