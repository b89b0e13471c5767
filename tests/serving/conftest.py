"""What the tests of the service share: one in this process, without a network; and a browser."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from page_service import CHROMIUM
from page_service import Service as PageService
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    expect,
    sync_playwright,
)
from serving_models import numbers_model
from starlette.testclient import TestClient

from gemel import Gallery, Siamese
from gemel.serving.app import make_app
from gemel.serving.live import Live
from gemel.serving.settings import Settings

HOME = "http://127.0.0.1:8000"
Client = Callable[..., TestClient]
LEFT_OUT = re.compile("status of 4(01|04|09|22)|ERR_CONNECTION")
"""What a browser notes of answers that a test asks for: refusals, and a server that is gone."""
expect.set_options(timeout=20_000)  # a busy machine is no failure


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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        args = ["--no-sandbox", "--use-fake-device-for-media-stream"]
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=args)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def context(browser: Browser) -> BrowserContext:
    """What most tests open a tab in: what a browser has fetched it need not fetch again."""
    return browser.new_context()


@pytest.fixture
def open_page(browser: Browser, context: BrowserContext) -> Iterator[Callable[..., Page]]:
    """Opens pages, those with settings apart from all others.

    At the end nothing may have been noted in a console or asked elsewhere.
    """
    opened: list[Page | BrowserContext] = []
    wrong: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not LEFT_OUT.search(message.text):
            wrong.append(message.text)

    def watch(request: Request, origin: str) -> None:
        if not request.url.startswith((origin, f"blob:{origin}")):
            wrong.append(f"asked elsewhere: {request.url}")

    def open_(service: PageService, view: str = "", **settings: Any) -> Page:
        home = browser.new_context(**settings) if settings else context
        page = home.new_page()
        page.set_default_timeout(30_000)
        opened.append(home if settings else page)
        page.on("console", note)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: watch(request, service.url))
        page.goto(f"{service.url}#{view}")
        expect(page.locator("#theme")).to_have_attribute("aria-label", re.compile("colours"))
        return page

    yield open_
    for one in opened:
        one.close()
    assert wrong == []
