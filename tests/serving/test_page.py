"""The page as a person meets it: a browser, the real service, and every view."""

import json
import re
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from page_service import (
    CHROMIUM,
    CORNER,
    COUNT,
    VENUS,
    Service,
    Stroke,
    keys_file,
    numbers_model,
    picture,
    pictures_model,
)
from playwright.sync_api import Locator, Page, expect

import gemel
from gemel import Gallery

FOLDER = files("gemel.serving") / "page"
TEXTS = json.loads((FOLDER / "text.en.json").read_text("utf-8"))
VIEWS = ["ask", "gallery", "compare", "threshold", "map"]
HOSTILE = "<img src=x onerror=alert(1)>"
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is on this machine")


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pictures_model(tmp_path_factory.mktemp("models") / "symbols.gemel")


@pytest.fixture(scope="module")
def galleries(model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Galleries by what is in them; those that are known are two, one of them twice."""
    folder = tmp_path_factory.mktemp("galleries")
    lines = [picture([[(0.1, 0.1), (0.2 + i / 40, 0.9)]]) for i in range(26)]
    venus, corner = ("venus", picture(VENUS), "the first"), ("corner", picture(CORNER), None)
    contents = {
        "nobody": [],
        "known": [venus, ("venus", picture(VENUS, side=200), None), corner],
        "many": [(f"n{i:02}", line, None) for i, line in enumerate(lines)],
    }
    model = gemel.load(model_file)
    for name, entries in contents.items():
        with Gallery.open(folder / name, model, keep_originals=True) as gallery:
            for identity, item, note in entries:
                gallery.enrol(identity, item, note=note)
    return {name: folder / name for name in contents}


@pytest.fixture(scope="module")
def running(model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for all; each test has its gallery put in place of the last one's."""
    service = Service(model_file, tmp_path_factory.mktemp("served") / "page.gallery")
    yield service
    service.stop()


@pytest.fixture
def service(running: Service, galleries: dict[str, Path]) -> Service:
    """A service whose gallery is empty."""
    return running.take(galleries["nobody"])


@pytest.fixture
def known(running: Service, galleries: dict[str, Path]) -> Service:
    """A service whose gallery knows two identities, one of them twice."""
    return running.take(galleries["known"])


@pytest.fixture
def numbers(tmp_path: Path) -> Iterator[Service]:
    running = Service(numbers_model(tmp_path / "rows.gemel"), tmp_path / "rows.gallery")
    yield running
    running.stop()


def draw(page: Page, strokes: list[Stroke], place: str = "ask") -> None:
    pad = page.locator(f"[data-box={place}] canvas")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    assert box is not None
    for stroke in strokes:
        points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point)
        page.mouse.up()


def enrol(page: Page, name: str, strokes: list[Stroke]) -> None:
    draw(page, strokes)
    page.fill("#name", name)
    page.click("#enrol")
    expect(verdict(page)).to_have_text(say("answer.enrolled", name=name))


def verdict(page: Page, view: str = "ask") -> Locator:
    return page.locator(f"#{view}-answer .verdict")


def say(key: str, **values: str) -> str:
    text: str = TEXTS[key]
    return text.format(**values)


def drop(page: Page, selector: str, event: str, data: bytes) -> None:
    """Pastes or drops a picture, as a browser would."""
    page.locator(selector).evaluate(
        """(element, [kind, bytes]) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], "a.png", { type: "image/png" }));
            const given = { bubbles: true, cancelable: true };
            element.dispatchEvent(kind === "paste"
                ? new ClipboardEvent(kind, { ...given, clipboardData: transfer })
                : new DragEvent(kind, { ...given, dataTransfer: transfer }));
        }""",
        [event, list(data)],
    )


# --- ask and enrol


def test_what_was_drawn_and_enrolled_is_recognised(
    service: Service, open_page: Callable[..., Page]
) -> None:
    page = open_page(service)
    expect(page.locator(".invite")).to_have_text(re.compile(r"Draw any symbol.*Then draw it again"))
    enrol(page, "venus", VENUS)
    assert page.locator("[data-box=ask] canvas").get_attribute("aria-label") == say(
        "item.pad.empty"
    )
    draw(page, VENUS)
    page.click("#identify")
    expect(verdict(page)).to_have_text("This is venus.")
    first = page.locator(".candidate").first
    expect(first.locator(".name")).to_have_text("venus")
    expect(first.locator(".verdict-word")).to_have_text("same")
    expect(first).to_contain_text("distance 0.0000")
    expect(first).to_contain_text("likely the same")
    expect(first.locator("img")).to_have_js_property("naturalWidth", 96)
    expect(page.locator("#said")).to_contain_text("This is venus.")


def test_a_stranger_is_nobody_we_know(known: Service, open_page: Callable[..., Page]) -> None:
    page = open_page(known)
    expect(page.locator(".known .tile")).to_have_count(2)
    draw(page, [[(0.2, 0.5), (0.8, 0.5)]])
    page.click("#identify")
    expect(verdict(page)).to_have_text("Nobody we know.")
    expect(page.locator(".candidate")).to_have_count(2)
    expect(page.locator(".candidate .verdict-word").first).to_have_text("different")
    assert page.locator(".candidate .limit").count() == 2


def test_a_close_call_is_said(
    known: Service, open_page: Callable[..., Page], model_file: Path
) -> None:
    close = gemel.load(model_file).calibration.close  # type: ignore[union-attr]
    page = open_page(known)

    def tell(route: Any) -> None:
        row = {"identity": "venus", "reference": 1, "distance": sum(close) / 2}
        row |= {"probability": 0.9, "verdict": "too close to call"}
        said = {"verdict": "too close to call", "identity": None, "reason": "so near"}
        route.fulfill(json=said | {"threshold": close[1], "candidates": [row]})

    page.route("**/v1/identify", tell)
    draw(page, VENUS)
    page.click("#identify")
    expect(verdict(page)).to_have_text("Too close to call.")
    expect(page.locator(".why-so")).to_contain_text("venus")
    expect(page.locator(".candidate .band")).to_have_count(1)


def test_a_claim_is_verified(known: Service, open_page: Callable[..., Page]) -> None:
    page = open_page(known)
    draw(page, CORNER)
    page.click("#verify")
    assert page.locator("#name").evaluate("one => one.validationMessage") == "Give a name first."
    page.fill("#name", "corner")
    page.locator("[data-box=ask] input[type=file]").set_input_files(
        {"name": "a.png", "mimeType": "image/png", "buffer": picture(CORNER)}
    )
    page.click("#verify")
    expect(verdict(page)).to_have_text("Yes, this is corner.")
    page.fill("#name", "venus")
    page.click("#verify")
    expect(verdict(page)).to_have_text("No, this is not venus.")
    page.fill("#name", "mars")
    page.click("#verify")
    expect(page.locator(".failure h2")).to_have_text(TEXTS["error.unknown"])


def test_undo_takes_back_even_clearing(service: Service, open_page: Callable[..., Page]) -> None:
    page = open_page(service)
    pad, undo = page.locator("[data-box=ask] canvas"), page.locator("[data-part=undo]").first
    expect(undo).to_be_disabled()
    draw(page, VENUS)
    expect(pad).to_have_attribute("aria-label", "Drawing pad, 3 strokes")
    page.locator("[data-part=clear]").first.click()
    expect(pad).to_have_attribute("aria-label", TEXTS["item.pad.empty"])
    undo.click()
    expect(pad).to_have_attribute("aria-label", "Drawing pad, 3 strokes")
    undo.focus()
    page.keyboard.press("Control+z")
    expect(pad).to_have_attribute("aria-label", "Drawing pad, 2 strokes")
    page.locator("[data-part=clear]").first.click()
    page.click("#identify")
    expect(page.locator("[data-part=note]").first).to_have_text(TEXTS["item.missing"])


def test_a_picture_can_be_given(known: Service, open_page: Callable[..., Page]) -> None:
    """Uploaded, pasted, dropped: each takes the place of the last one."""
    page = open_page(known)
    page.locator("[data-box=ask] input[type=file]").set_input_files(
        {"name": "a.png", "mimeType": "image/png", "buffer": picture(VENUS)}
    )
    expect(page.locator("[data-box=ask] .paper img")).to_be_visible()
    page.click("#identify")
    expect(verdict(page)).to_have_text("This is venus.")
    for way, place, name, strokes in (
        ("paste", "body", "corner", CORNER),
        ("drop", "[data-box=ask] .paper", "venus", VENUS),
    ):
        last = page.locator("[data-box=ask] .paper img").get_attribute("src")
        drop(page, place, way, picture(strokes))
        expect(page.locator("[data-box=ask] .paper img")).not_to_have_attribute("src", last or "")
        page.click("#identify")
        expect(verdict(page)).to_have_text(f"This is {name}.")


def test_what_is_no_picture_or_too_large_is_told(
    service: Service, open_page: Callable[..., Page]
) -> None:
    page = open_page(service)
    expect(page.locator("#enrol")).to_be_enabled()  # the limits are known
    give = page.locator("[data-box=ask] input[type=file]").set_input_files
    note = page.locator("[data-box=ask] [data-part=note]")
    give({"name": "a.png", "mimeType": "image/png", "buffer": b"nothing"})
    expect(note).to_have_text(TEXTS["item.not.picture"])
    give({"name": "a.png", "mimeType": "image/png", "buffer": picture(VENUS, side=600)})
    expect(note).to_contain_text(re.compile("447 . 447"))
    page.click("#identify")
    expect(verdict(page)).to_have_text("Nobody we know.")


def test_the_camera_takes_a_picture_or_says_why_not(
    service: Service, open_page: Callable[..., Page]
) -> None:
    page = open_page(service, permissions=[])
    camera = page.locator("[data-box=ask] [data-part=camera]")
    camera.click()
    expect(page.locator("#camera-wrong")).to_have_text(TEXTS["camera.refused"])
    page.click("#camera-cancel")
    page.context.grant_permissions(["camera"])
    camera.click()
    page.click("#camera-take")
    expect(page.locator("[data-box=ask] .paper img")).to_be_visible()
    expect(page.locator("#camera-dialog")).to_be_hidden()


def test_rows_of_numbers(numbers: Service, open_page: Callable[..., Page]) -> None:
    page = open_page(numbers)
    row = page.locator("[data-box=ask] textarea")
    note = page.locator("[data-box=ask] [data-part=note]")
    expect(row).to_be_visible()
    row.fill("1, 2, x, 4")
    expect(note).to_have_text("“x” is no number. Write 1.5 with a point.")
    row.fill("1 2")
    expect(note).to_have_text(f"2 of {COUNT}")
    page.fill("#name", "oak")
    page.click("#enrol")
    expect(note).to_have_text(f"2 numbers are here; the model takes {COUNT}.")
    row.fill("10\n20\t-3e1;\n40")
    page.click(".note-field summary")
    page.fill("#note", "from the garden")
    page.click("#enrol")
    expect(verdict(page)).to_have_text("oak is enrolled.")
    expect(page.locator("#note")).to_have_value("")
    page.click("a[href='#gallery']")
    page.locator(".card").click()
    expect(page.locator(".reference-note")).to_have_text("from the garden")
    page.keyboard.press("Escape")
    page.click("a[href='#ask']")
    row.fill("10 20 -30 40")
    page.click("#identify")
    expect(verdict(page)).to_have_text("This is oak.")
    expect(page.locator(".nearest")).to_contain_text(TEXTS["answer.uncalibrated"])
    row.fill("-10 20 30 4")
    page.click("#identify")
    expect(verdict(page)).to_have_text("Nobody we know.")


def test_a_model_without_threshold_measures_only(
    open_page: Callable[..., Page], tmp_path: Path
) -> None:
    model = numbers_model(tmp_path / "rows.gemel", threshold=None)
    service = Service(model, tmp_path / "rows.gallery")
    try:
        page = open_page(service)
        row = page.locator("[data-box=ask] textarea")
        row.fill("1 2 3 4")
        page.fill("#name", "oak")
        page.click("#enrol")
        expect(verdict(page)).to_have_text("oak is enrolled.")
        expect(page.locator("#name")).to_have_value("")
        row.fill("1 2 3 4")
        page.fill("#name", "oak")
        page.click("#verify")
        expect(verdict(page)).to_have_text("The distance is 0.0000.")
        expect(page.locator(".why-so")).to_have_text(TEXTS["answer.undecided.why"])
        page.click("#identify")
        expect(page.locator(".failure")).to_contain_text("gemel calibrate")
        page.click("a[href='#threshold']")
        expect(page.locator("#trade-off")).to_contain_text(TEXTS["threshold.none.nothing"])
    finally:
        service.stop()


def test_a_finger_draws_and_does_not_scroll(
    service: Service, open_page: Callable[..., Page]
) -> None:
    page = open_page(service, has_touch=True, viewport={"width": 360, "height": 500})
    pad = page.locator("[data-box=ask] canvas")
    pad.scroll_into_view_if_needed()
    box, before = pad.bounding_box(), page.evaluate("scrollY")
    assert box is not None
    hand = page.context.new_cdp_session(page)
    for kind, down in (("touchStart", 200), ("touchMove", 150), ("touchMove", 60)):
        point = {"x": box["x"] + 100, "y": box["y"] + down}
        hand.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
    hand.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(pad).to_have_attribute("aria-label", "Drawing pad, 1 stroke")
    assert page.evaluate("scrollY") == before


# --- compare, gallery


def test_two_items_are_compared(service: Service, open_page: Callable[..., Page]) -> None:
    page = open_page(service, "compare")
    draw(page, VENUS, "left")
    page.click("#are-same")
    expect(page.locator("[data-box=right] [data-part=note]")).to_have_text(TEXTS["item.missing"])
    drop(page, "body", "paste", picture(CORNER))  # goes where nothing is yet
    expect(page.locator("[data-box=right] img")).to_be_visible()
    page.click("#are-same")
    expect(verdict(page, "compare")).to_have_text("Different.")
    page.locator("[data-box=left] [data-part=clear]").click()
    drop(page, "body", "paste", picture(CORNER))
    expect(page.locator("[data-box=left] img")).to_be_visible()
    page.click("#are-same")
    expect(verdict(page, "compare")).to_have_text("The same.")


def test_the_gallery_is_searched_and_renamed(
    known: Service, open_page: Callable[..., Page]
) -> None:
    page = open_page(known, "gallery")
    expect(page.locator("#gallery-total")).to_have_text("2 identities, 3 references")
    expect(page.locator(".card .name")).to_have_text(["corner", "venus"])
    page.fill("#search", "VEN")
    expect(page.locator(".card .name")).to_have_text(["venus"])
    page.fill("#search", "mars")
    expect(page.locator("#gallery-none")).to_have_text("No name holds “mars”.")
    page.fill("#search", "")
    page.locator(".card").nth(1).click()
    expect(page.locator(".references")).to_contain_text("the first")
    name = page.locator("#identity-dialog input")
    name.fill("corner")
    name.press("Enter")
    expect(page.locator("#identity-dialog .wrong")).to_contain_text(TEXTS["error.exists"])
    name.fill("aphrodite")
    name.press("Enter")
    expect(page.locator("#identity-title")).to_have_text("aphrodite")
    expect(page.locator("#identity-title")).to_be_focused()
    expect(page.locator(".card .name")).to_have_text(["aphrodite", "corner"])


def test_removing_says_what_goes_and_what_went(
    known: Service, open_page: Callable[..., Page]
) -> None:
    page = open_page(known, "gallery")
    page.locator(".card", has_text="venus").click()
    dialog = page.locator("#remove-dialog")
    page.locator(".references button").first.click()
    expect(dialog).to_contain_text("Reference 1 goes. venus keeps 1 reference.")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".references li")).to_have_count(2)
    page.locator(".references button").first.click()
    dialog.get_by_role("button", name="Remove").click()
    expect(dialog).to_contain_text("Gone: reference 1.")
    expect(dialog).to_contain_text(TEXTS["remove.erased"])
    dialog.get_by_role("button", name="Close").click()
    expect(page.locator(".references li")).to_have_count(1)
    page.get_by_role("button", name="Remove venus").click()
    expect(dialog).to_contain_text("The name and 1 reference go.")
    dialog.get_by_role("button", name="Remove").click()
    expect(dialog).to_contain_text("venus is removed.")
    dialog.get_by_role("button", name="Close").click()
    expect(page.locator("#identity-dialog")).to_be_hidden()
    expect(page.locator(".card .name")).to_have_text(["corner"])


def test_the_gallery_comes_a_page_at_a_time(
    running: Service, galleries: dict[str, Path], open_page: Callable[..., Page]
) -> None:
    page = open_page(running.take(galleries["many"]), "gallery")
    expect(page.locator(".card")).to_have_count(24)
    page.click("#more")
    expect(page.locator(".card")).to_have_count(26)
    expect(page.locator(".card").nth(24)).to_be_focused()
    expect(page.locator("#more")).to_be_hidden()


def test_hostile_names_are_only_text(service: Service, open_page: Callable[..., Page]) -> None:
    page = open_page(service)
    alerts: list[str] = []
    page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
    enrol(page, HOSTILE, VENUS)
    draw(page, VENUS)
    page.click("#identify")
    expect(verdict(page)).to_have_text(f"This is {HOSTILE}.")
    enrol(page, "corner", CORNER)
    page.click("a[href='#map']")
    expect(page.locator(".map text").first).to_contain_text(HOSTILE[:15])
    page.click("a[href='#threshold']")
    expect(page.locator("#trade-off tbody th").first).to_have_text(HOSTILE)
    page.click("a[href='#gallery']")
    page.locator(".card", has_text=HOSTILE).click()
    expect(page.locator("#identity-title")).to_have_text(HOSTILE)
    page.get_by_role("button", name=f"Remove {HOSTILE}").click()
    expect(page.locator("#remove-title")).to_have_text(f"Remove {HOSTILE}?")
    page.locator("#remove-dialog .danger").click()
    expect(page.locator("#remove-title")).to_have_text(f"{HOSTILE} is removed.")
    assert page.locator("img[src=x]").count() == 0
    assert alerts == []


# --- threshold, map


def test_another_threshold_is_tried(
    known: Service, open_page: Callable[..., Page], model_file: Path
) -> None:
    calibration = gemel.load(model_file).calibration
    assert calibration is not None
    rows = calibration.trade_off
    here = [row.threshold for row in rows].index(calibration.threshold)
    page = open_page(known, "threshold")
    expect(page.locator("#trade-off")).to_contain_text(TEXTS["threshold.last.none"])
    page.click("a[href='#ask']")
    draw(page, CORNER)
    page.locator("[data-box=ask] input[type=file]").set_input_files(
        {"name": "a.png", "mimeType": "image/png", "buffer": picture(CORNER)}
    )
    page.click("#identify")
    expect(verdict(page)).to_have_text("This is corner.")
    page.click("a[href='#threshold']")
    figures = page.locator(".rate-figure")
    expect(page.locator(".threshold-value")).to_have_text(f"{calibration.threshold:.4f}")
    expect(page.locator(".outcome")).to_have_text("The verdict stays: it is corner.")
    page.locator("#slider").press("ArrowRight")
    expect(figures).to_have_text([percent(rows[here + 1][1]), percent(rows[here + 1][2])])
    page.locator("#slider").press("End")
    expect(figures).to_have_text([percent(rows[-1].false_accepts), "0%"])
    expect(page.locator("code")).to_have_text(
        f"gemel calibrate MODEL DATA --false-accepts {float(f'{rows[-1].false_accepts:.2g}'):g}"
    )
    expect(page.locator("tr.changed th")).to_have_text(["venus"])
    page.get_by_role("button", name=TEXTS["threshold.back"]).click()
    expect(page.locator(".threshold-value")).to_have_text(f"{calibration.threshold:.4f}")
    expect(page.locator("tr.changed")).to_have_count(0)


def percent(value: float) -> str:
    """Two digits that count, as the page writes them."""
    return f"{float(f'{100 * value:.2g}'):g}%"


def test_without_a_calibration_it_says_how_to_get_one(
    numbers: Service, open_page: Callable[..., Page]
) -> None:
    page = open_page(numbers, "threshold")
    expect(page.locator("#trade-off")).to_contain_text("This model is not calibrated.")
    expect(page.locator("#trade-off")).to_contain_text("It decides at 0.5000")
    expect(page.locator("code")).to_have_text("gemel calibrate MODEL DATA --false-accepts 0.01")


def test_the_map_is_walked_by_key_and_read_as_a_table(
    known: Service, open_page: Callable[..., Page]
) -> None:
    page = open_page(known, "map")
    expect(page.locator(".map circle")).to_have_count(3)
    page.locator(".identity[tabindex='0']").focus()
    page.keyboard.press("ArrowRight")
    seen = page.locator(".identity.looked-at")
    names = {seen.get_attribute("aria-label")}
    expect(page.locator(".map-aside h2")).to_have_text(re.compile("venus|corner"))
    page.keyboard.press("ArrowRight")
    names.add(seen.get_attribute("aria-label"))
    assert names == {"venus, 2 references", "corner, 1 reference"}
    page.locator("#map summary").click()
    assert sorted(page.locator("#map tbody th").all_inner_texts()) == ["corner", "venus", "venus"]


def test_no_name_on_the_map_is_cut_off(known: Service, open_page: Callable[..., Page]) -> None:
    page = open_page(known, "map", viewport={"width": 360, "height": 780})
    expect(page.locator(".map text")).to_have_count(2)
    edge = page.locator(".map").bounding_box()
    assert edge is not None
    for name in page.locator(".map text").all():
        box = name.bounding_box()
        assert box is not None
        assert edge["x"] <= box["x"]
        assert box["x"] + box["width"] <= edge["x"] + edge["width"]


# --- keys, and a server that goes


@pytest.fixture
def locked(
    model_file: Path, galleries: dict[str, Path], tmp_path: Path
) -> Iterator[tuple[Service, dict]]:
    keys = keys_file(tmp_path / "keys.json")
    service = Service(model_file, tmp_path / "page.gallery", tmp_path / "keys.json")
    yield service.take(galleries["known"]), keys
    service.stop()


def test_keys(locked: tuple[Service, dict[str, str]], open_page: Callable[..., Page]) -> None:
    service, keys = locked
    page = open_page(service)
    expect(page.locator("#key-dialog")).to_be_visible()
    page.fill("#key", "gemel_wrong")
    page.keyboard.press("Enter")
    expect(page.locator("#key-wrong")).to_have_text(TEXTS["key.wrong"])
    page.fill("#key", keys["read"])
    page.keyboard.press("Enter")
    expect(page.locator("#key-dialog")).to_be_hidden()
    expect(page.locator("#enrol")).to_be_disabled()
    expect(page.locator("#enrol-why")).to_have_text(TEXTS["role.read"])
    expect(page.locator(".known img").first).to_be_visible()  # fetched with the key
    page.click("a[href='#gallery']")
    expect(page.locator("#gallery-why")).to_have_text(TEXTS["role.read"])
    page.locator(".card").first.click()
    expect(page.locator("#identity-dialog")).to_contain_text(TEXTS["role.read"])
    assert page.locator("#identity-dialog button").all_inner_texts() == ["Close"]
    page.keyboard.press("Escape")
    kept = page.evaluate("[sessionStorage.length, localStorage.length, document.cookie]")
    assert kept == [1, 0, ""]
    page.click("#key-button")
    assert page.evaluate("sessionStorage.length") == 0
    expect(page.locator(".card")).to_have_count(0)
    assert "venus" not in page.content()
    page.fill("#key", keys["admin"])
    page.keyboard.press("Enter")
    expect(page.locator(".card")).to_have_count(2)
    page.click("a[href='#ask']")
    expect(page.locator("#enrol")).to_be_enabled()


def test_who_signed_out_sees_no_answer_that_comes_late(
    locked: tuple[Service, dict[str, str]], open_page: Callable[..., Page]
) -> None:
    service, keys = locked
    page = open_page(service)
    page.fill("#key", keys["admin"])
    page.keyboard.press("Enter")
    expect(page.locator("#key-dialog")).to_be_hidden()
    draw(page, VENUS)
    held: list[Any] = []
    page.route(re.compile("/v1/(identify|about)"), lambda route: held.append(route))  # noqa: PLW0108  Playwright marks it
    with page.expect_request("**/v1/identify"), page.expect_request("**/v1/about"):
        page.click("#identify")
        page.evaluate("import('/page/session.js').then((one) => void one.refresh().catch(() => 0))")
    page.click("#key-button")
    assert len(held) == 2
    for route in held:
        route.continue_()
    expect(page.locator("#identify")).not_to_have_attribute("aria-busy", "true")
    assert "venus" not in page.content()
    expect(page.locator("#enrol")).to_be_disabled()
    expect(page.locator("#foot")).to_have_text("")


def test_a_server_that_goes_and_comes_back(known: Service, open_page: Callable[..., Page]) -> None:
    page = open_page(known)
    draw(page, VENUS)
    page.fill("#name", "mars")
    known.stop()
    page.click("#identify")
    expect(page.locator("#banner")).to_have_text(TEXTS["gone"])
    expect(page.locator(".failure h2")).to_have_text(TEXTS["error.gone"])
    known.start()
    expect(page.locator("#banner")).to_have_text("", timeout=15_000)
    pad = page.locator("[data-box=ask] canvas")
    expect(pad).to_have_attribute("aria-label", "Drawing pad, 3 strokes")
    expect(page.locator("#name")).to_have_value("mars")
    page.click("#enrol")
    expect(verdict(page)).to_have_text("mars is enrolled.")


# --- every view: access, width, words


def visit(page: Page, view: str) -> None:
    """Goes to a view, and lets it fill."""
    page.click(f".top nav a[href='#{view}']")
    filled = {"gallery": ".card", "threshold": ".curve", "map": ".map"}.get(view)
    if filled:
        expect(page.locator(filled).first).to_be_visible()


def answer_all(page: Page) -> None:
    """Leaves an answer on the views that give one."""
    draw(page, VENUS)
    page.click("#identify")
    expect(verdict(page)).to_be_visible()
    visit(page, "compare")
    draw(page, VENUS, "left")
    draw(page, CORNER, "right")
    page.click("#are-same")
    expect(verdict(page, "compare")).to_be_visible()


def open_dialogs(page: Page) -> None:
    visit(page, "gallery")
    page.locator(".card", has_text="venus").click()
    page.get_by_role("button", name="Remove venus").click()
    expect(page.locator("#remove-dialog")).to_be_visible()


def test_no_serious_finding_of_axe(known: Service, open_page: Callable[..., Page]) -> None:
    """Every view by all rules in light colours; in dark ones only the colours differ."""
    page = open_page(known, color_scheme="light", reduced_motion="reduce")
    axe = Axe()
    found: list[str] = []

    def look(where: str) -> None:
        for scheme, options in (("light", None), ("dark", {"runOnly": ["color-contrast"]})):
            page.emulate_media(color_scheme=scheme)
            for one in axe.run(page, options=options).response["violations"]:
                if one["impact"] in ("serious", "critical"):
                    nodes = [node["html"] for node in one["nodes"]]
                    found.append(f"{where}, {scheme}: {one['id']} {nodes}")

    look("empty")
    answer_all(page)
    for view in VIEWS:
        visit(page, view)
        if view == "map":
            page.locator("#map summary").click()
        look(view)
    open_dialogs(page)
    look("dialogs")
    assert found == []


def test_nothing_scrolls_sideways(known: Service, open_page: Callable[..., Page]) -> None:
    page = open_page(known)
    answer_all(page)
    for width in (360, 768, 1440):
        page.set_viewport_size({"width": width, "height": 780})
        for view in VIEWS:
            visit(page, view)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (view, width)


def test_everything_is_reached_by_keyboard(known: Service, open_page: Callable[..., Page]) -> None:
    page = open_page(known)
    focused = page.locator(":focus")
    page.keyboard.press("Tab")
    expect(focused).to_have_text(TEXTS["skip"])
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    reached = []
    for _ in range(7):
        page.keyboard.press("Tab")
        reached.append(focused.evaluate("one => one.id || one.dataset.part || one.textContent"))
        outline = focused.evaluate(
            "one => getComputedStyle(one.type === 'file' ? one.parentElement : one).outlineStyle"
        )
        assert outline == "solid", reached[-1]
    names = ["file", "camera", "identify", "name", "enrol", "verify"]
    assert reached == [*names, TEXTS["ask.note.open"]]


def test_colours_are_the_systems_until_chosen(
    service: Service, open_page: Callable[..., Page]
) -> None:
    page = open_page(service, color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.click("#theme")
    light = page.evaluate(ground)
    assert light != dark
    page.reload()
    expect(page.locator("#theme")).to_have_attribute("aria-label", TEXTS["theme.dark"])
    assert page.evaluate(ground) == light
    page.click("#theme")
    assert page.evaluate(ground) == dark
    assert page.evaluate("localStorage.length") == 0


MARK = "¤"
UNMARKED = """(mark) => {
    const shown = [];
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
        const element = walk.currentNode.parentElement;
        if (element.closest("bdi, template, .name, [lang=en] p, .map text, code, output")) continue;
        shown.push(walk.currentNode.textContent);
    }
    for (const one of document.querySelectorAll("*"))
        for (const name of ["aria-label", "placeholder", "alt", "title"])
            if (one.getAttribute(name)) shown.push(one.getAttribute(name));
    return shown.filter((text) => /[a-z]{2}/i.test(text) && !text.includes(mark));
}"""


def marked(texts: dict[str, Any]) -> dict[str, Any]:
    """Texts as if translated: each part has a mark; names to fill in stay."""
    new = {}
    for key, text in texts.items():
        if isinstance(text, dict):
            new[key] = {form: mark_parts(one) for form, one in text.items()}
        else:
            new[key] = text if key == "language" else mark_parts(text)
    return new


def mark_parts(text: str) -> str:
    """What stands between names to fill in may be a node of its own."""
    return MARK + text.replace("}", "}" + MARK)


def test_every_word_comes_from_the_file_of_texts(
    known: Service, open_page: Callable[..., Page]
) -> None:
    page = open_page(known)
    page.route("**/text.en.json", lambda route: route.fulfill(json=marked(TEXTS)))
    page.reload()
    expect(page.locator("#foot")).to_contain_text(MARK)
    assert page.title().startswith(MARK)
    assert page.evaluate(UNMARKED, MARK) == []
    answer_all(page)
    for view in VIEWS:
        visit(page, view)
        found = page.evaluate(UNMARKED, MARK)
        assert [text for text in found if text not in ("venus", "corner")] == [], view
    open_dialogs(page)
    found = page.evaluate(UNMARKED, MARK)
    assert [text for text in found if text not in ("venus", "corner")] == []
    page.locator("#remove-dialog .danger").click()
    expect(page.locator("#remove-dialog .danger")).to_have_count(0)
    assert [text for text in page.evaluate(UNMARKED, MARK) if text != "corner"] == []


def test_keys_of_texts_are_used_and_there() -> None:
    sources = {one.name: one.read_text("utf-8") for one in FOLDER.iterdir()}
    texts = sources.pop("text.en.json")
    code = "\n".join(sources.values())
    made = set(re.findall(r"`([a-z.]+)\$\{", code)) | {"answer."}
    unused = [
        key
        for key in json.loads(texts)
        if f'"{key}"' not in code and not any(key.startswith(begin) for begin in made)
    ]
    assert unused == ["language"]
    asked = set(re.findall(r'(?:say|phrase)\("([^"]+)"', code))
    asked |= set(re.findall(r'data-(?:text|label|hint)="([^"]+)"', sources["index.html"]))
    assert asked - set(json.loads(texts)) == set()


def test_nothing_stands_in_line_or_comes_from_elsewhere() -> None:
    for one in FOLDER.iterdir():
        source = one.read_text("utf-8")
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", source), one.name
        assert not re.search("innerHTML|outerHTML|insertAdjacentHTML|eval\\(|new Function", source)
        assert len(source.splitlines()) <= 400, one.name
    html = (FOLDER / "index.html").read_text("utf-8")
    assert not re.search(r"\s(style|on\w+)=", html)
    assert not re.search(r"<style|<script(?![^>]*\ssrc=)", html)
    words = re.sub(r"<[^>]*>", "", html)
    assert words.strip() == "", "text in the page itself"
