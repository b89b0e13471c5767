"""The page of a model of pen recordings: signed, enrolled a few times, verified."""

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from page_service import CHROMIUM, Service
from pen_service import Strokes, files_of, pens_model, signature
from playwright.sync_api import Browser, Locator, Page, Request, Route, expect
from test_page import MARK, TEXTS, UNMARKED, VIEWS, marked, say, verdict

import gemel
from gemel import Gallery
from gemel.serving.desk import MOST_OF_PEN

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is on this machine")

ADA, EVE = 1, 2  # hands
FLAT = 2 / 3  # the pad's height, in its widths


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "pens.gemel"
    pens_model().save(path)
    return path


@pytest.fixture(scope="module")
def empty(model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gallery of nobody."""
    path = tmp_path_factory.mktemp("galleries") / "nobody"
    Gallery.open(path, gemel.load(model_file), keep_originals=True).close()
    return path


@pytest.fixture(scope="module")
def running(model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = Service(model_file, tmp_path_factory.mktemp("served") / "pens.gallery")
    yield service
    service.stop()


@pytest.fixture
def service(running: Service, empty: Path) -> Service:
    return running.take(empty)


@pytest.fixture
def open_page(open_page: Callable[..., Page]) -> Callable[..., Page]:
    """Opens pages that know what the model takes."""

    def open_(service: Service, view: str = "ask", **settings: Any) -> Page:
        page = open_page(service, view, **settings)
        expect(page.locator(".signing")).to_have_count(3)
        return page

    return open_


def sign(page: Page, strokes: Strokes, place: str = "ask", pointer: str = "mouse") -> None:
    """Signs with the times and the pressure of the strokes, whatever the machine is busy with."""
    canvas = page.locator(f"[data-box={place}] .signing canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    hand = page.context.new_cdp_session(page)
    begun = time.time()

    def go(kind: str, point: list[float]) -> None:
        x, y, t, pressure = point
        event = {"type": kind, "button": "left", "buttons": 1, "pointerType": pointer}
        event |= {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]}
        event |= {"timestamp": begun + t / 1000, "force": pressure}
        hand.send("Input.dispatchMouseEvent", event)

    for stroke in strokes:
        go("mousePressed", stroke[0])
        for point in stroke[1:]:
            go("mouseMoved", point)
        go("mouseReleased", stroke[-1])
    expect(canvas).to_have_attribute("aria-label", plural("item.pen.pad", len(strokes)))
    hand.detach()


def plural(key: str, count: int) -> str:
    return str(TEXTS[key]["one" if count == 1 else "other"]).format(count=count)


def sent(request: Request) -> Strokes:
    """The strokes of a form that the page sent; there is no file in it."""
    body = request.post_data
    assert body is not None
    assert "filename" not in body
    assert "Content-Type: image" not in body
    found = re.search(r'name="item"\r\n\r\n(.*?)\r\n', body)
    assert found is not None
    strokes: Strokes = json.loads(found[1])
    return strokes


def click(page: Page, button: str, path: str) -> Request:
    with page.expect_request(f"**/v1/{path}") as asked:
        page.click(button)
    return asked.value


def enrol(page: Page, sample: int, hand: int = ADA) -> Strokes:
    sign(page, signature(hand, sample))
    request = click(page, "#enrol", "enrol")
    expect(page.locator("[data-box=ask] canvas")).to_have_attribute(
        "aria-label", TEXTS["item.pen.pad.empty"]
    )
    return sent(request)


def note(page: Page) -> Locator:
    return page.locator("[data-box=ask] [data-part=note]")


def test_signed_enrolled_and_verified(
    service: Service, open_page: Callable[..., Page], model_file: Path
) -> None:
    page = open_page(service)
    expect(page.locator(".invite")).to_have_text(re.compile("Sign, give a name"))
    expect(note(page)).to_have_text(TEXTS["item.pen.sent"])
    page.fill("#name", "ada")
    enrolled = []
    for count in (1, 2, 3):
        enrolled.append(enrol(page, count))
        expect(verdict(page)).to_have_text(f"ada: {count} of 5 signed.")
        expect(page.locator(".samples img")).to_have_count(count)
        expect(page.locator(".samples .slot")).to_have_count(5 - count)
        expect(page.locator("#name")).to_have_value("ada")
    expect(note(page)).to_have_text("ada: 3 of 5 signed.")

    model = gemel.load(model_file)
    for hand, words in ((ADA, "Yes, this is ada."), (EVE, "No, this is not ada.")):
        sign(page, signature(hand, 9))
        expect(note(page)).to_have_text(re.compile(r"3 strokes in 1(\.\d)? s"))
        asked = sent(click(page, "#verify", "verify"))
        expect(verdict(page)).to_have_text(words)
        nearest = min(model.compare(asked, one).distance for one in enrolled)
        expect(page.locator(".candidate")).to_contain_text(f"distance {nearest:.4f}")
        page.locator("[data-box=ask] [data-part=clear]").click()
    enrol(page, 4)
    enrol(page, 5)
    expect(verdict(page)).to_have_text("ada is enrolled.")
    expect(page.locator(".samples img")).to_have_count(5)
    expect(page.locator("#name")).to_have_value("")


def test_what_is_sent_are_strokes_with_their_times(
    service: Service, open_page: Callable[..., Page]
) -> None:
    page = open_page(service)
    given = signature(ADA)
    for pointer, columns in (("mouse", 3), ("pen", 4)):
        sign(page, given, pointer=pointer)
        found = sent(click(page, "#identify", "identify"))
        assert [len(one) for one in found] == [len(one) for one in given]
        points, wanted = np.concatenate(found), np.concatenate(given)
        assert points.shape[1] == columns
        np.testing.assert_allclose(points[:, 0], wanted[:, 0], atol=0.002)
        np.testing.assert_allclose(points[:, 1], FLAT * wanted[:, 1], atol=0.002)
        np.testing.assert_allclose(points[:, 2], wanted[:, 2], atol=0.5)
        if pointer == "pen":
            np.testing.assert_allclose(points[:, 3], wanted[:, 3], atol=0.001)
        expect(verdict(page)).to_have_text("Nobody we know.")
        page.locator("[data-box=ask] [data-part=clear]").click()
    # a pen that feels no pressure says half of it throughout
    sign(page, [[[*point[:3], 0.5] for point in stroke] for stroke in given], pointer="pen")
    assert np.concatenate(sent(click(page, "#identify", "identify"))).shape[1] == 3


def test_another_name_begins_anew_and_a_sample_counts_once(
    service: Service, open_page: Callable[..., Page]
) -> None:
    page = open_page(service)
    give = page.locator("[data-box=ask] input[type=file]").set_input_files
    file = {"name": "a.csv", "mimeType": "text/csv", "buffer": files_of(signature(ADA))["csv"]}
    page.fill("#name", "ada")
    for words in ("ada: 1 of 5 signed.", "ada had this one already."):
        give(file)
        page.click("#enrol")
        expect(verdict(page)).to_have_text(words)
        expect(page.locator(".samples .slot")).to_have_count(4)
        expect(page.locator("[data-box=ask] canvas")).to_be_visible()
    page.fill("#name", "eve")
    enrol(page, 1, EVE)
    expect(verdict(page)).to_have_text("eve: 1 of 5 signed.")


def test_files_are_given_and_compared(
    service: Service, open_page: Callable[..., Page], model_file: Path
) -> None:
    page = open_page(service, "compare")
    model = gemel.load(model_file)
    files = files_of(signature(ADA, 1))
    for kind, data in files.items():
        page.locator("[data-box=left] input[type=file]").set_input_files(
            {"name": f"a.{kind}", "mimeType": "text/plain", "buffer": data}
        )
        expect(page.locator("[data-box=left] .paper-file")).to_have_text(f"The recording a.{kind}")
        page.locator("[data-box=right] .paper").evaluate(
            """(element, bytes) => {
                const dataTransfer = new DataTransfer();
                dataTransfer.items.add(new File([new Uint8Array(bytes)], "b.json"));
                const given = { bubbles: true, cancelable: true, dataTransfer };
                element.dispatchEvent(new DragEvent("drop", given));
            }""",
            list(json.dumps(signature(ADA, 2)).encode()),
        )
        expect(page.locator("[data-box=right] .paper-file")).to_have_text("The recording b.json")
        page.click("#are-same")
        distance = model.compare(data, signature(ADA, 2)).distance
        expect(page.locator("#compare-answer .candidate")).to_contain_text(f"{distance:.4f}")


def test_what_cannot_be_sent_is_told(service: Service, open_page: Callable[..., Page]) -> None:
    page = open_page(service)
    page.click("#identify")
    expect(note(page)).to_have_text(TEXTS["item.pen.missing"])
    sign(page, [[[0.5, 0.5, 0, 0.5]]])
    page.click("#identify")
    expect(note(page)).to_have_text(TEXTS["item.pen.dot"])
    page.locator("[data-box=ask] [data-part=undo]").click()
    expect(note(page)).to_have_text(TEXTS["item.pen.sent"])
    page.evaluate(
        "import('/page/session.js').then(({ session }) => { session.about.limits.points = 70; })"
    )
    sign(page, signature(ADA))
    page.click("#identify")
    expect(note(page)).to_have_text(say("item.pen.long", count="75", most="70"))
    page.locator("[data-box=ask] input[type=file]").set_input_files(
        {"name": "a.txt", "mimeType": "text/plain", "buffer": b"nothing"}
    )
    page.click("#identify")
    expect(page.locator(".failure h2")).to_have_text(TEXTS["error.bad_item"])
    page.locator("[data-box=ask] input[type=file]").set_input_files(
        {"name": "a.txt", "mimeType": "text/plain", "buffer": b"1" * (MOST_OF_PEN + 100_000)}
    )
    expect(note(page)).to_have_text(say("item.heavy", size="1.1", most="1"))


def walk(page: Page, look: Callable[[str], None]) -> None:
    """Calls `look` in every state of the page."""
    look("empty")
    page.fill("#name", "ada")
    enrol(page, 1)
    expect(page.locator(".samples img")).to_have_count(1)
    look("series")
    sign(page, signature(ADA, 9))
    page.click("#verify")
    expect(verdict(page)).to_have_text(say("answer.same", name="ada"))
    page.locator("[data-box=ask] input[type=file]").set_input_files(
        {"name": "a", "mimeType": "text/plain", "buffer": files_of(signature(ADA))["csv"]}
    )
    expect(page.locator(".paper-file").first).to_be_visible()
    look("verified")
    page.click(".top nav a[href='#compare']")
    sign(page, signature(ADA, 1), "left")
    sign(page, signature(EVE, 1), "right")
    page.click("#are-same")
    expect(verdict(page, "compare")).to_be_visible()
    for view in VIEWS:
        page.click(f".top nav a[href='#{view}']")
        expect(page.locator(f"#{view}")).to_be_visible()
        look(view)


def test_axe_finds_nothing_serious_and_nothing_scrolls_sideways(
    service: Service, open_page: Callable[..., Page]
) -> None:
    page = open_page(service, color_scheme="light", reduced_motion="reduce")
    axe = Axe()
    found: list[str] = []

    def look(where: str) -> None:
        for scheme, options in (("light", None), ("dark", {"runOnly": ["color-contrast"]})):
            page.emulate_media(color_scheme=scheme)
            for one in axe.run(page, options=options).response["violations"]:
                if one["impact"] in ("serious", "critical"):
                    found.append(f"{where}, {scheme}: {one['id']} {one['nodes'][0]['html']}")
        for width in (360, 768, 1440):
            page.set_viewport_size({"width": width, "height": 780})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (where, width)

    walk(page, look)
    assert found == []


def test_every_word_comes_from_the_file_of_texts(
    service: Service, open_page: Callable[..., Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_page(service)
    texts = marked(TEXTS)
    for key, text in texts.items():
        monkeypatch.setitem(TEXTS, key, text)  # what is waited for
    page.route("**/text.en.json", lambda route: route.fulfill(json=texts))
    page.reload()
    expect(page.locator("#foot")).to_contain_text(MARK)

    def look(where: str) -> None:
        found = page.evaluate(UNMARKED, MARK)
        assert [text for text in found if text != "ada"] == [], where

    walk(page, look)


def test_on_a_phone_the_pad_stays_in_sight_between_samples(
    service: Service, open_page: Callable[..., Page]
) -> None:
    page = open_page(service, has_touch=True, viewport={"width": 360, "height": 640})
    page.fill("#name", "ada")
    enrol(page, 1)
    expect(note(page)).to_have_text("ada: 1 of 5 signed.")
    pad = page.locator("[data-box=ask] .paper").bounding_box()
    assert pad is not None
    assert pad["y"] >= 0
    assert pad["y"] + pad["height"] <= 640


def test_of_a_kind_that_the_page_does_not_know_files_are_sent(
    running: Service, empty: Path, browser: Browser
) -> None:
    service = running.take(empty)
    page = browser.new_page()

    def say_sounds(route: Route) -> None:
        about = route.fetch().json()
        about["model"]["kind"] = "sounds"
        route.fulfill(json=about)

    page.route("**/v1/about", say_sounds)
    page.goto(service.url)
    expect(page.locator(".invite")).to_have_text(re.compile("Give a file and a name"))
    page.click("#identify")
    expect(note(page)).to_have_text(TEXTS["item.file.missing"])
    file = {"name": "a.wav", "mimeType": "audio/wav", "buffer": files_of(signature(ADA))["csv"]}
    page.locator("[data-box=ask] input[type=file]").set_input_files(file)
    expect(page.locator("[data-box=ask] .paper-file")).to_have_text("a.wav")
    page.fill("#name", "ada")
    page.click("#enrol")
    expect(verdict(page)).to_have_text("ada is enrolled.")
    expect(page.locator("[data-box=ask] .paper-file")).to_be_hidden()
    page.unroute_all(behavior="wait")  # the page may be asking still
    page.close()
