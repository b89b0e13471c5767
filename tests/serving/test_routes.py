"""The verbs over HTTP, as JSON and as forms, against the gallery's own answers."""

import base64
import json
import threading
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from serving_models import numbers_model
from starlette.testclient import TestClient

from gemel import Gallery, Siamese, encoders, inputs, metrics
from gemel.calibrating import calibrate
from gemel.data import arrays
from gemel.gallery import enrolling
from gemel.inputs import prepare
from gemel.serving import routes
from gemel.serving.keys import Keys

Client = Callable[..., TestClient]
ADA, BEA = [1.0, 1.0], [5.0, 5.0]


def enrol(client: TestClient, identity: str, numbers: list[float], **more: str) -> Any:
    body = {"identity": identity, "item": {"numbers": numbers}, **more}
    return client.post("/v1/enrol", json=body)


def ask(client: TestClient, verb: str, **body: Any) -> Any:
    answer = client.post(f"/v1/{verb}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def refusal(answer: Any) -> tuple[int, str]:
    error = answer.json()["error"]
    assert error["request_id"] == answer.headers["x-request-id"]
    assert error["message"]
    return answer.status_code, error["code"]


class TestVerbs:
    def test_enrol_ask_and_remove(self, client: Client) -> None:
        service = client()
        first = enrol(service, "ada", ADA, note="at the door")
        assert (first.status_code, first.json()) == (
            201,
            {"identity": "ada", "reference": 1, "new": True},
        )
        again = enrol(service, "ada", ADA)
        assert (again.status_code, again.json()["new"]) == (200, False)
        assert enrol(service, "bea", BEA).json()["reference"] == 2

        found = ask(service, "identify", item={"numbers": [1.0, 1.5]}, top=2)
        assert found["verdict"] == "found"
        assert found["identity"] == "ada"
        assert found["threshold"] == 1.0
        assert [
            (one["identity"], one["reference"], one["verdict"], one["probability"])
            for one in found["candidates"]
        ] == [("ada", 1, "same", None), ("bea", 2, "different", None)]
        assert [one["distance"] for one in found["candidates"]] == pytest.approx(
            [0.5, np.hypot(4, 3.5)], abs=1e-6
        )
        assert ask(service, "identify", item={"numbers": [3.0, 3.0]})["verdict"] == "nobody"

        claim = ask(service, "verify", identity="bea", item={"numbers": [5.0, 5.5]})
        assert (claim["same"], claim["reference"], claim["identity"]) == (True, 2, "bea")
        compared = ask(service, "compare", left={"numbers": [0, 0]}, right={"numbers": [3, 4]})
        assert compared["distance"] == pytest.approx(5, abs=1e-6)
        assert compared["same"] is False
        assert "5.0000" in compared["reason"]

        assert ask(service, "rename", old="ada", new="ida") == {"old": "ada", "new": "ida"}
        page = service.get("/v1/identities").json()
        assert [one["identity"] for one in page["identities"]] == ["bea", "ida"]
        assert page["identities"][1]["references"][0]["note"] == "at the door"
        gone = ask(service, "remove", identity="ida")
        assert gone == {"identity": "ida", "references": [1], "whole": True, "erased": True}
        assert ask(service, "remove", reference=2)["identity"] == "bea"
        assert service.get("/v1/identities").json() == {
            "identities": [],
            "next": None,
            "total": 0,
        }

    def test_what_is_not_there(self, client: Client) -> None:
        service = client()
        enrol(service, "ada", ADA)
        enrol(service, "bea", BEA)
        for path, body, status in (
            ("verify", {"identity": "zoe", "item": {"numbers": ADA}}, (404, "unknown")),
            ("remove", {"identity": "zoe"}, (404, "unknown")),
            ("remove", {"reference": 77}, (404, "unknown")),
            ("rename", {"old": "zoe", "new": "ada"}, (404, "unknown")),
            ("rename", {"old": "ada", "new": "bea"}, (409, "exists")),
        ):
            assert refusal(service.post(f"/v1/{path}", json=body)) == status
        assert refusal(service.get("/v1/references/1/thumbnail")) == (404, "unknown")
        assert refusal(service.get(f"/v1/references/{2**70}/thumbnail")) == (404, "unknown")
        assert refusal(service.get("/v1/nothing")) == (404, "unknown")
        assert refusal(service.get("/v1/enrol")) == (405, "bad_request")
        assert refusal(service.get("/v1/identities?limit=0")) == (422, "bad_request")

    def test_a_name_that_cannot_be(self, client: Client) -> None:
        for name in (" ada", "a\nb", "a\u202eb"):
            assert refusal(enrol(client(), name, ADA)) == (422, "bad_request")

    def test_without_a_threshold(self, client: Client, model_file: Path) -> None:
        numbers_model(threshold=None).save(model_file)
        service = client()
        enrol(service, "ada", ADA)
        body = {"item": {"numbers": ADA}}
        assert refusal(service.post("/v1/identify", json=body)) == (409, "not_possible")
        claim = ask(service, "verify", identity="ada", item={"numbers": ADA})
        assert (claim["verdict"], claim["threshold"]) == (None, None)


class TestForms:
    def test_numbers_and_pictures(
        self, client: Client, model_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        service = client()
        form = {"identity": (None, "ada"), "item": (None, json.dumps(ADA)), "note": (None, "x")}
        assert service.post("/v1/enrol", files=form).status_code == 201
        form = {"item": (None, "[1, 1.5]"), "top": (None, "1")}
        assert service.post("/v1/identify", files=form).json()["identity"] == "ada"
        picture = {"item": ("x.png", b"\x89PNG")}
        assert refusal(service.post("/v1/identify", files=picture)) == (422, "bad_item")

    @pytest.mark.parametrize(
        ("fields", "status"),
        [
            ([("item", (None, "[1, 2")), ("top", (None, "1"))], (400, "bad_request")),
            ([("item", (None, "[1, 1]")), ("item", (None, "[1, 1]"))], (422, "bad_request")),
            ([("item", (None, "[1, 1]")), ("top", ("t", b"1"))], (422, "bad_request")),
            ([("item", ("a", b"1")), ("items", ("b", b"1"))], (400, "bad_request")),
            ([("item", (None, "[1, 1]")), ("other", (None, "1"))], (422, "bad_request")),
            ([("item", (None, '{"a": 1}'))], (422, "bad_request")),
            ([("item", (None, "[1, NaN]"))], (422, "bad_request")),
            ([("top", (None, "1"))], (422, "bad_request")),
        ],
    )
    def test_bad_ones(self, client: Client, fields: list[Any], status: tuple[int, str]) -> None:
        assert refusal(client().post("/v1/identify", files=fields)) == status


class TestJson:
    @pytest.mark.parametrize(
        ("body", "said"),
        [
            ({}, "item: Field required"),
            ({"item": {}}, "one of `image`, `numbers`, `strokes`, `file`"),
            ({"item": {"image": "####"}}, "item.image: expected base64"),
            ({"item": {"numbers": [1, "a"]}}, "item.numbers.1"),
            ({"item": {"numbers": [1], "image": "AAAA"}}, "expected one of"),
            ({"item": {"numbers": []}}, "item.numbers"),
            ({"item": {"numbers": ADA}, "top": 0}, "top"),
            ({"item": {"numbers": ADA}, "top": 101}, "top"),
            ([], "valid dictionary"),
        ],
    )
    def test_what_was_not_expected(self, client: Client, body: Any, said: str) -> None:
        answer = client().post("/v1/identify", json=body)
        assert refusal(answer) == (422, "bad_request")
        assert said in answer.json()["error"]["message"]

    def test_too_few_numbers(self, client: Client) -> None:
        body = {"item": {"numbers": [1.0]}}
        assert refusal(client().post("/v1/identify", json=body)) == (422, "bad_item")

    def test_no_json(self, client: Client) -> None:
        head = {"content-type": "application/json"}
        for body in (b"{", b"\xff", b"[" * 100_000):
            answer = client().post("/v1/identify", content=body, headers=head)
            assert refusal(answer) == (400, "bad_request")
        answer = client().post("/v1/identify", content=b"{}", headers={"content-type": "text/csv"})
        assert refusal(answer) == (415, "wrong_type")
        answer = client().post("/v1/remove", files={"identity": (None, "ada")})
        assert refusal(answer) == (415, "wrong_type")


class TestLooking:
    def test_pages(self, client: Client) -> None:
        service = client()
        for name in ("cleo", "ada", "bea", "Ada"):
            enrol(service, name, [float(len(name)), float(ord(name[0]))])
        seen, after = [], None
        while True:
            query = {"limit": 2} | ({} if after is None else {"after": after})
            page = service.get("/v1/identities", params=query).json()
            assert page["total"] == 4
            seen.append([one["identity"] for one in page["identities"]])
            after = page["next"]
            if after is None:
                break
        assert seen == [["Ada", "ada"], ["bea", "cleo"]]
        page = service.get("/v1/identities", params={"search": "AD"}).json()
        assert [one["identity"] for one in page["identities"]] == ["Ada", "ada"]

    def test_about(self, client: Client, model_file: Path) -> None:
        model = numbers_model()
        rows = np.random.default_rng(0).normal(size=(40, 2))
        labels = [str(place // 2) for place in range(40)]
        known = calibrate(model, arrays(rows + 9 * np.repeat(rows[::2], 2, 0), labels))
        model.save(model_file)
        about = client(max_body=5000, max_pixels=7).get("/v1/about").json()
        assert about["role"] == "admin"
        assert about["limits"] == {
            "body_bytes": 5000,
            "pixels": 7,
            "points": 20_000,
            "pen_bytes": 5000,
        }
        assert about["model"] == {
            "fingerprint": model.fingerprint,
            "kind": "numbers",
            "form": "twin",
            "dim": 2,
            "coding": "float32",
            "threshold": known.threshold,
            "input": {"count": 2},
        }
        told = about["calibration"]
        assert told["close"] == list(known.close)
        assert [tuple(row.values()) for row in told["trade_off"]] == list(known.trade_off)

    def test_embed(self, client: Client, model_file: Path) -> None:
        found = ask(client(), "embed", item={"numbers": [1.0, -3.5]})
        assert found == {"dim": 2, "numbers": [1.0, -3.5], "code": None}

    def test_codes(self, client: Client, model_file: Path) -> None:
        model = Siamese(inputs.Numbers(10), encoders.Dense((), 10), metrics.Hamming())
        model.threshold = 1.0
        model.save(model_file)
        service = client()
        row, other = np.random.default_rng(0).normal(size=(2, 10))
        bits = model.embed([row, other]).numpy() > 0
        found = ask(service, "embed", item={"numbers": row.tolist()})
        assert found == {"dim": 10, "numbers": None, "code": np.packbits(bits[0]).tobytes().hex()}
        assert enrol(service, "ada", row.tolist()).status_code == 201
        nearest = ask(service, "identify", item={"numbers": other.tolist()})["candidates"][0]
        assert nearest["identity"] == "ada"
        assert nearest["distance"] == (bits[0] != bits[1]).sum() > 0
        assert service.get("/v1/about").json()["model"]["coding"] == "bits"

    def test_map(self, client: Client) -> None:
        service = client()
        for place, name in enumerate(["a", "b", "c"]):
            enrol(service, name, [3.0 * place, 0.0])
        found = service.get("/v1/map").json()
        assert sorted(one["x"] for one in found["points"]) == pytest.approx([-1, 0, 1])
        assert found["explained"] == pytest.approx([1, 0])
        assert (found["of"], found["method"]) == (3, "PCA")
        assert len(service.get("/v1/map?limit=2").json()["points"]) == 2

    def test_thumbnails(self, client: Client, model_file: Path) -> None:
        from gemel import Siamese, encoders, inputs, metrics

        model = Siamese(inputs.Images(8, channels=1), encoders.Dense((), 4), metrics.Cosine())
        model.threshold = 0.1
        model.save(model_file)
        service = client(gallery={"keep_originals": True}, max_pixels=400)
        file = BytesIO()
        Image.fromarray(np.arange(400, dtype=np.uint8).reshape(20, 20)).save(file, "PNG")
        form = {"identity": (None, "ada"), "item": ("a.png", file.getvalue())}
        assert service.post("/v1/enrol", files=form).status_code == 201
        answer = service.get("/v1/references/1/thumbnail")
        assert answer.headers["content-type"] == "image/png"
        assert Image.open(BytesIO(answer.content)).size == (20, 20)
        image = base64.b64encode(file.getvalue()).decode()
        assert ask(service, "identify", item={"image": image})["identity"] == "ada"
        both = {"left": ("a", file.getvalue()), "right": ("b", file.getvalue())}
        assert service.post("/v1/compare", files=both).json()["same"] is True
        assert service.get("/v1/about").json()["model"]["input"] == {
            "width": 8,
            "height": 8,
            "channels": 1,
        }
        large = BytesIO()
        Image.new("L", (21, 20)).save(large, "PNG")
        for verb in ("identify", "enrol"):
            form = {"identity": (None, "ada"), "item": ("a.png", large.getvalue())}
            sent = form if verb == "enrol" else {"item": form["item"]}
            answer = service.post(f"/v1/{verb}", files=sent)
            assert refusal(answer) == (422, "bad_item")
            assert "at most 400 pixels, got 21 x 20" in answer.json()["error"]["message"]
        body = {"item": {"numbers": ADA}}
        assert refusal(service.post("/v1/identify", json=body)) == (422, "bad_item")


class TestReading:
    """Items are read beside the gallery's thread, on which everybody waits."""

    @pytest.mark.parametrize("keep", [False, True])
    def test_what_is_enrolled(
        self, client: Client, keep: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        readers = []

        def noted(*args: Any, **more: Any) -> Any:
            readers.append(threading.current_thread().name)
            return prepare(*args, **more)

        monkeypatch.setattr(enrolling, "prepare", noted)
        service = client(gallery={"keep_originals": keep})
        assert enrol(service, "ada", ADA).status_code == 201
        assert len(readers) == 1
        assert readers[0].startswith("gemel-reader")

    def test_a_gallery_that_is_replaced_meanwhile(
        self, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What was read for a gallery that forgets originals is read again for one that keeps."""
        place = tmp_path / "g.gallery"
        model = numbers_model()

        with Gallery.open(tmp_path / "new", model, keep_originals=True) as other:
            other.enrol("bea", np.array(BEA))

        def replaced(*args: Any, **more: Any) -> Any:
            if (tmp_path / "new").exists():
                (tmp_path / "new").replace(place)
            return prepare(*args, **more)

        service = client()
        monkeypatch.setattr(enrolling, "prepare", replaced)
        assert enrol(service, "ada", ADA).json() == {"identity": "ada", "reference": 2, "new": True}
        with Gallery.open(place, model) as gallery:
            assert gallery.original(2) == np.array(ADA).tobytes()


class TestRoles:
    def test_who_may_only_read(self, client: Client, tmp_path: Path) -> None:
        keys = Keys.open(tmp_path / "keys", create=True)
        reader, admin = (
            {"authorization": f"Bearer {keys.add(name, role)}"}  # type: ignore[arg-type]
            for name, role in (("desk", "read"), ("boss", "admin"))
        )
        service = client(keys=tmp_path / "keys")
        body = {"identity": "ada", "item": {"numbers": ADA}}
        changes = {"enrol": body, "remove": {"identity": "x"}, "rename": {"old": "a", "new": "b"}}
        for verb, sent in changes.items():
            answer = service.post(f"/v1/{verb}", json=sent, headers=reader)
            assert refusal(answer) == (403, "not_allowed")
        assert service.post("/v1/enrol", json=body, headers=admin).status_code == 201
        item = {"item": {"numbers": ADA}}
        said = service.post("/v1/identify", json=item, headers=reader).json()
        assert said["identity"] == "ada"
        assert service.get("/v1/about", headers=reader).json()["role"] == "read"
        assert refusal(service.post("/v1/identify", json=item)) == (401, "no_key")


class TestAudit:
    def test_every_verb(self, client: Client, tmp_path: Path) -> None:
        service = client(audit=tmp_path / "audit")
        head = {"x-request-id": "mine"}
        enrol(service, "ada", ADA)
        ask(service, "identify", item={"numbers": ADA})
        ask(service, "identify", item={"numbers": BEA})
        ask(service, "verify", identity="ada", item={"numbers": BEA})
        ask(service, "compare", left={"numbers": ADA}, right={"numbers": ADA})
        service.post("/v1/rename", json={"old": "ada", "new": "ida"}, headers=head)
        ask(service, "remove", identity="ida")
        service.post("/v1/remove", json={"identity": "ida"})
        lines = [json.loads(line) for line in (tmp_path / "audit").read_text().splitlines()]
        assert [
            (one["verb"], one["identity"], tuple(one["references"]), one["verdict"])
            for one in lines
        ] == [
            ("enrol", "ada", (1,), None),
            ("identify", "ada", (1,), "found"),
            ("identify", None, (), "nobody"),
            ("verify", "ada", (1,), "different"),
            ("compare", None, (), "same"),
            ("rename", "ada", (), None),
            ("remove", "ida", (1,), None),
        ]
        assert (lines[5]["request_id"], lines[5]["new_name"]) == ("mine", "ida")


class TestService:
    def test_ready_until_the_gallery_is_gone(self, client: Client, tmp_path: Path) -> None:
        service = client()
        assert service.get("/ready").json() == {"status": "ready"}
        (tmp_path / "g.gallery").unlink()
        assert refusal(service.get("/ready")) == (503, "storage")
        assert service.get("/health").json() == {"status": "ok"}
        Gallery.open(tmp_path / "g.gallery", numbers_model(2.0)).close()
        answer = service.get("/ready")
        assert refusal(answer) == (503, "not_ready")
        assert int(answer.headers["retry-after"]) == 5

    def test_counters(self, client: Client) -> None:
        service = client()
        enrol(service, "ada", ADA)
        for _ in range(3):
            ask(service, "identify", item={"numbers": ADA})
        service.get("/v1/identities?search=ada")
        text = service.get("/metrics").text
        post = 'gemel_requests_total{method="POST",route='
        assert f'{post}"/v1/identify",status="200"}} 3.0' in text
        assert 'gemel_verdicts_total{verb="identify",verdict="found"} 3.0' in text
        assert "gemel_batch_items_sum 3.0" in text
        assert "gemel_requests_in_hand 0.0" in text
        assert "ada" not in text

    def test_documentation(self, client: Client) -> None:
        found = client().get("/openapi.json").json()
        for kind in routes.BODIES:
            assert kind.__name__ in found["components"]["schemas"]
        body = found["paths"]["/v1/compare"]["post"]["requestBody"]["content"]
        assert set(body) == {"application/json", "multipart/form-data"}
        assert set(body["multipart/form-data"]["schema"]["properties"]) == {"left", "right"}

    def test_the_page(self, client: Client) -> None:
        service = client()
        answer = service.get("/")
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert b"<html" in answer.content
        script = service.get("/page/main.js")
        assert script.headers["content-type"].startswith("text/javascript")
        assert service.get("/page/text.en.json").json()
        for name in ("nothing.js", "..%2f__init__.py", "%2e%2e/app.py", "main.js%00"):
            assert service.get(f"/page/{name}").status_code == 404
