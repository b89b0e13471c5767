"""The examples run, stay short, and do what they say."""

import importlib.util
import sys
import wave
from pathlib import Path
from types import ModuleType

import pytest
from starlette.testclient import TestClient

import gemel
from gemel import Gallery, Siamese, encoders, fit, inputs, metrics
from gemel.errors import BadItemsError, ModelFileError
from gemel.serving import Settings
from gemel.serving.app import make_app
from gemel.serving.live import Live

EXAMPLES = Path(__file__).parent.parent / "examples"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_under_80_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) < 80


def test_one_shot(monkeypatch: pytest.MonkeyPatch) -> None:
    def fit_steps(*given: object, minutes: float, **settings: object) -> object:
        assert minutes == 1.0
        return fit(*given, steps=60, **settings)  # in minutes a busy machine learns too little

    monkeypatch.setattr(gemel, "fit", fit_steps)
    assert load("one_shot").main() > 0.3  # chance is 0.2


def test_own_encoder() -> None:
    assert load("own_encoder").main(steps=80) > 0.3  # chance is 0.2


def test_own_kind() -> None:
    assert load("own_kind").main(steps=60) > 0.9


def test_own_kind_refuses_what_is_no_sound(tmp_path: Path) -> None:
    """All at once, as files of gemel's own kinds are."""
    example = load("own_kind")
    birds = example.make_calls(tmp_path, range(2))
    (tmp_path / "bird00" / "0.wav").write_bytes(b"no sound")
    (tmp_path / "bird01" / "1.wav").write_bytes(b"RIFF")
    with wave.open(str(tmp_path / "bird01" / "2.wav"), "wb") as file:
        file.setparams((2, 2, 8000, 0, "NONE", "not compressed"))
        file.writeframes(bytes(400))
    with pytest.raises(BadItemsError) as caught:
        inputs.read_items(example.Sounds(), birds)
    assert [Path(problem.where).name for problem in caught.value.problems] == [
        "0.wav",
        "1.wav",
        "2.wav",
    ]


def test_own_kind_is_served(tmp_path: Path) -> None:
    """Files come to the input as bytes, and are answered as the library answers."""
    example = load("own_kind")
    birds = example.make_calls(tmp_path / "birds", range(2))
    model = Siamese(example.Sounds(), encoders.Conv(8, 16), metrics.Cosine())
    model.threshold = 0.5
    model.save(tmp_path / "birds.gemel")

    def open_gallery(model: Siamese, create: bool) -> Gallery:
        return Gallery.open(tmp_path / "g", model, create=create, keep_originals=True)

    def opened() -> Live:
        sounds = example.Sounds()
        return Live(tmp_path / "birds.gemel", str(tmp_path / "g"), open_gallery, input=sounds)

    first, second, other = (birds.values[place] for place in (0, 1, 6))
    app = make_app(opened, Settings())
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        assert client.get("/v1/about").json()["model"]["kind"] == "sounds"
        for name, call in (("ada", first), ("eve", other)):
            given = {"identity": (None, name), "item": call.read_bytes()}
            assert client.post("/v1/enrol", files=given).status_code == 201
        said = client.post("/v1/identify", files={"item": second.read_bytes()}).json()
        found = {one["identity"]: one["distance"] for one in said["candidates"]}
        expected = {"ada": (second, first), "eve": (second, other)}
        for name, pair in expected.items():
            assert found[name] == pytest.approx(model.compare(*pair).distance, rel=1e-5)
        answer = client.post("/v1/verify", json={"identity": "ada", "item": {"numbers": [1.0]}})
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_item")
        assert "this model takes sounds, as `file`" in answer.json()["error"]["message"]
        model.threshold = 0.25
        model.save(tmp_path / "birds.gemel")  # taken anew, by the same input
        said = client.post("/v1/identify", files={"item": second.read_bytes()}).json()
        assert said["threshold"] == 0.25
    with pytest.raises(ModelFileError, match="input"):
        Live(tmp_path / "birds.gemel", str(tmp_path / "g"), open_gallery)


def test_wine() -> None:
    assert load("wine").main(steps=40) > 0.9


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_none_hides_a_module_of_python(path: Path) -> None:
    """A script's own folder comes first among those that are imported from."""
    assert path.stem not in sys.stdlib_module_names


def test_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = (EXAMPLES.parent / "README.md").read_text(encoding="utf-8")
    code = readme.split("```python\n")[1].split("```")[0]
    assert "minutes=1.0" in code
    monkeypatch.chdir(tmp_path)
    exec(code.replace("minutes=1.0", "steps=2"), {})
    assert (tmp_path / "symbols.gemel").exists()


def test_every_example_is_run_here() -> None:
    here = Path(__file__).read_text(encoding="utf-8")
    for path in EXAMPLES.glob("*.py"):
        assert f'load("{path.stem}")' in here
