"""Pen recordings over HTTP: strokes and files, against the library's own answers."""

import base64
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import fuzzing
import pytest
from pen_service import Strokes, files_of, pens_model, signature
from service import Service, form, running, saved_model
from starlette.testclient import TestClient
from test_attacks import LEAKS

import gemel
from gemel import Gallery, Siamese
from gemel.serving import bodies, desk
from gemel.serving.app import make_app
from gemel.serving.live import Live
from gemel.serving.settings import Settings

ADA, EVE = 1, 2  # hands


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved_model(tmp_path_factory.mktemp("pens") / "pens.gemel", pens_model())


@pytest.fixture(scope="module")
def model(model_file: Path) -> Siamese:
    return gemel.load(model_file)


@pytest.fixture
def service(model_file: Path, tmp_path: Path) -> Iterator[TestClient]:
    """A service whose gallery keeps originals."""

    def open_gallery(model: Siamese, create: bool) -> Gallery:
        return Gallery.open(tmp_path / "g", model, create=create, keep_originals=True)

    app = make_app(lambda: Live(model_file, str(tmp_path / "g"), open_gallery), Settings())
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        yield client


def ask(client: TestClient, verb: str, **body: Any) -> Any:
    answer = client.post(f"/v1/{verb}", json=body)
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


def refusal(answer: Any) -> tuple[int, str, str]:
    error = answer.json()["error"]
    assert not LEAKS.search(answer.content)
    return answer.status_code, error["code"], error["message"]


def test_strokes_get_the_answers_of_the_library(service: TestClient, model: Siamese) -> None:
    enrolled = [signature(ADA, sample) for sample in range(3)]
    for place, one in enumerate(enrolled, start=1):
        said = ask(service, "enrol", identity="ada", item={"strokes": one})
        assert said == {"identity": "ada", "reference": place, "new": True}
    for asked, verdict in ((signature(ADA, 7), "same"), (signature(EVE, 7), "different")):
        found = [model.compare(asked, one).distance for one in enrolled]
        said = ask(service, "verify", identity="ada", item={"strokes": asked})
        assert said["distance"] == pytest.approx(min(found), rel=1e-6)
        assert said["reference"] == 1 + found.index(min(found))
        assert said["verdict"] == verdict
        compared = ask(service, "compare", left={"strokes": asked}, right={"strokes": enrolled[0]})
        assert compared["distance"] == pytest.approx(found[0], rel=1e-6)
    item = {"strokes": signature(EVE, 7)}
    assert ask(service, "embed", item=item)["numbers"] == pytest.approx(
        model.embed([signature(EVE, 7)])[0].tolist(), abs=1e-5
    )
    assert ask(service, "identify", item=item)["verdict"] == "nobody"


@pytest.mark.parametrize("kind", ["csv", "inkml", "json", "txt"])
def test_a_file_is_read_in_any_format(service: TestClient, model: Siamese, kind: str) -> None:
    data = files_of(signature(ADA, 1))[kind]
    other = signature(ADA, 2)
    wanted = model.compare(data, other).distance
    form = {"left": ("a.bin", data), "right": (None, json.dumps(other))}
    answer = service.post("/v1/compare", files=form)
    assert answer.status_code == 200, answer.text
    assert answer.json()["distance"] == pytest.approx(wanted, rel=1e-6)
    item = {"file": base64.b64encode(data).decode()}
    said = ask(service, "compare", left=item, right={"strokes": other})
    assert said["distance"] == pytest.approx(wanted, rel=1e-6)
    if kind != "txt":  # SVC2004 cannot say where a stroke ends
        assert model.compare(data, signature(ADA, 1)).distance == 0


def test_what_is_kept_can_be_read_and_seen(
    service: TestClient, model: Siamese, tmp_path: Path
) -> None:
    data = files_of(signature(ADA, 1))["inkml"]
    ask(service, "enrol", identity="ada", item={"strokes": signature(ADA)})
    form = {"identity": (None, "ada"), "item": ("a.inkml", data)}
    assert service.post("/v1/enrol", files=form).json()["new"] is True
    seen = service.get("/v1/references/1/thumbnail")
    assert seen.content.startswith(b"\x89PNG")
    with Gallery.open(tmp_path / "g", model) as gallery:
        assert json.loads(gallery.original(1) or b"") == signature(ADA)
        assert gallery.original(2) == data


def strokes_of(*points: Any) -> dict[str, Any]:
    return {"item": {"strokes": [[*points]]}}


LAST = [1, 1, 20]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"item": {"strokes": []}}, "bad_request", "item.strokes"),
        ({"item": {"strokes": [[], []]}}, "bad_request", "2 to 20,000 points; the strokes have 0"),
        (strokes_of(LAST), "bad_request", "the strokes have 1"),
        (strokes_of([1, 1], LAST), "bad_request", "item.strokes.0.0"),
        (strokes_of([1, 1, 1, 1, 1], LAST), "bad_request", "item.strokes.0.0"),
        (strokes_of([1, 1, None], LAST), "bad_request", "item.strokes.0.0"),
        (strokes_of({"x": 1, "y": 1, "t": 1}, LAST), "bad_request", "item.strokes.0.0"),
        (strokes_of([0, 0, 20], LAST), "bad_item", "its time never moves"),
        (strokes_of([0, 0, 5000], LAST), "bad_item", "in the order of time"),
        (strokes_of([0, 0, 0], [1, 1, 1e9]), "bad_item", "more than 600"),
        ({"item": {"numbers": [1.0]}}, "bad_item", "takes pens, as `strokes` or `file`"),
        ({"item": {"image": "AAAA"}}, "bad_item", "got `image`"),
        ({"item": {"file": "AAAA"}}, "bad_item", "a pen recording"),
        ({"item": {"strokes": [[LAST]], "numbers": [1.0]}}, "bad_request", "expected one of"),
    ],
)
def test_what_is_no_recording(
    service: TestClient, body: dict[str, Any], status: str, said: str
) -> None:
    answer = service.post("/v1/identify", json=body)
    code, name, message = refusal(answer)
    assert (code, name) == (422, status)
    assert said in message


def test_numbers_that_are_none(service: TestClient) -> None:
    for word in ("NaN", "Infinity", "1e999"):
        text = f'{{"item": {{"strokes": [[[0, 0, 0], [1, {word}, 5]]]}}}}'
        head = {"content-type": "application/json"}
        code, name, message = refusal(service.post("/v1/identify", content=text, headers=head))
        assert (code, name) == (422, "bad_request")
        assert "item.strokes.0.1" in message


def test_too_many_points(service: TestClient) -> None:
    long: Strokes = [[[0.1, 0.1, 5.0 * at] for at in range(bodies.MOST_POINTS)]]
    ask(service, "embed", item={"strokes": long})
    long.append([[1.0, 1.0, 200_000.0]])
    code, name, message = refusal(service.post("/v1/embed", json={"item": {"strokes": long}}))
    assert (code, name) == (422, "bad_request")
    assert "20,001" in message
    large = b"x,y,t\n" + b"1,1,1\n" * (desk.MOST_OF_PEN // 6)
    answer = service.post("/v1/embed", files={"item": ("a.csv", large)})
    assert refusal(answer)[:2] == (413, "too_large")


def test_strokes_go_to_no_other_model(tmp_path: Path) -> None:
    with running(tmp_path) as pictures:
        body = {"item": {"strokes": signature(ADA)}}
        answer = pictures.ask("POST", "/v1/identify", body)
        assert (answer.status, answer.code) == (422, "bad_item")
        assert (
            "takes images, as `image` or `file`; got `strokes`" in answer.json["error"]["message"]
        )


@pytest.fixture(scope="module")
def real(model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("real"), model=model_file, rate=1e9) as one:
        yield one


def test_broken_recordings_are_refused_and_bring_nothing_down(real: Service) -> None:
    line = real.connection()
    for data in [*fuzzing.wild_recordings().values(), *islice(fuzzing.broken_recordings(0), 300)]:
        for path, more in (("identify", []), ("enrol", [("identity", "eve")])):
            body, kind = form([("item", data), *more])
            headers = {"Content-Type": kind}
            answer = real.ask("POST", f"/v1/{path}", body=body, headers=headers, on=line)
            assert answer.status in (200, 201, 413, 422), (data[:200], answer)
            assert answer.status < 400 or not LEAKS.search(answer.body)
    line.close()
    assert real.defects() == []
    assert real.ask("GET", "/ready").status == 200
