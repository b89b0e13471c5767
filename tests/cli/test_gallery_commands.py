"""The commands of galleries, as a user types them."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import gemel
from gemel import Items, Siamese, encoders, inputs, metrics
from gemel.cli.app import app
from gemel.errors import BadItemsError, GalleryError, SettingsError

runner = CliRunner()


@pytest.fixture
def photos(symbols: Items, tmp_path: Path) -> Path:
    """Four symbols of four pictures each, in a folder per symbol."""
    for item in range(24):
        if item % 6 < 4:
            folder = tmp_path / "photos" / str(item // 6)
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.asarray(symbols.values[item])).save(folder / f"{item}.png")
    return tmp_path / "photos"


@pytest.fixture
def model(small_model: Siamese, tmp_path: Path) -> Path:
    small_model.threshold = 0.001
    small_model.save(tmp_path / "a.gemel")
    return tmp_path / "a.gemel"


def run(*words: object, status: int = 0) -> str:
    result = runner.invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == status, result.output
    return result.stdout


def test_enrol_and_ask(model: Path, photos: Path, tmp_path: Path) -> None:
    place, files = tmp_path / "g", sorted(photos.rglob("*.png"))
    output = run("enrol", model, place, "ada", files[0], files[1], "--note", "at the door")
    assert output == "ada: reference 1, 2\n"
    again = json.loads(run("enrol", model, place, "ada", files[1], "--json"))
    assert again == {"identity": "ada", "references": [2]}
    found = json.loads(run("identify", model, place, files[0], "--json"))
    assert (found["verdict"], found["identity"]) == ("found", "ada")
    assert (
        found["candidates"][0]["distance"] == gemel.load(model).compare(files[0], files[0]).distance
    )
    assert run("identify", model, place, files[0]).startswith("ada: ada is the nearest")
    other = files[-1]
    assert run("identify", model, place, other, status=1).startswith("nobody we know")
    assert "same (distance" in run("verify", model, place, "ada", files[0])
    facts = json.loads(run("verify", model, place, "ada", other, "--json", status=1))
    assert (facts["verdict"], facts["same"]) == ("different", False)
    run("enrol", model, place, "bob", files[0])
    assert run("identify", model, place, files[0], status=3).startswith("too close to call")


def test_many_and_out_again(model: Path, photos: Path, tmp_path: Path) -> None:
    place, other = tmp_path / "g", tmp_path / "h"
    assert run("enrol", model, place, photos) == "16 enrolled, 0 there already\n"
    assert json.loads(run("enrol", model, place, photos, "--json"))["present"] == 16
    (photos / "0" / "bad.png").write_text("no picture")
    output = run("enrol", model, place, photos, "--skip-bad")
    assert "1 could not be read" in output
    assert "bad.png" in output
    table = tmp_path / "items.csv"
    rows = [
        f"photos/{one.parent.name}/{one.name},csv{one.parent.name}"
        for one in photos.rglob("[0-9]*.png")
    ]
    table.write_text("\n".join(["path,label", *rows]))
    assert run("enrol", model, place, table).startswith("16 enrolled")
    run("gallery", "rename", model, place, "0", "zero")
    listed = json.loads(run("gallery", "list", model, place, "--search", "ZER", "--json"))
    assert [one["identity"] for one in listed["identities"]] == ["zero"]
    assert len(listed["identities"][0]["references"]) == 4
    assert json.loads(run("gallery", "stats", model, place, "--json"))["references"] == 32
    assert "search: exact" in run("gallery", "stats", model, place)
    assert "wrote 32 references" in run("gallery", "export", model, place, tmp_path / "x.zip")
    assert run("gallery", "import", model, other, tmp_path / "x.zip").startswith("32 enrolled")
    assert run("gallery", "list", model, other) == run("gallery", "list", model, place)
    assert "removed 4 references of zero" in run("remove", model, other, "zero")
    assert json.loads(run("remove", model, other, "--reference", 5, "--json"))["references"] == [5]
    assert run("gallery", "list", model, other, "--search", "zero") == "nobody\n"
    assert run("gallery", "check", model, other) == "the gallery is whole\n"


def test_one_identity_alone(model: Path, photos: Path, tmp_path: Path) -> None:
    """A folder, or a CSV, of one person."""
    people = tmp_path / "people"
    people.mkdir()
    (photos / "0").rename(people / "ada")
    table = tmp_path / "items.csv"
    rows = [f"{one},ada" for one in (people / "ada").iterdir()]
    table.write_text("\n".join(["path,label", *rows]))
    place = tmp_path / "g"
    assert run("enrol", model, place, people) == "4 enrolled, 0 there already\n"
    assert run("enrol", model, place, table) == "0 enrolled, 4 there already\n"
    listed = json.loads(run("gallery", "list", model, place, "--json"))
    assert [one["identity"] for one in listed["identities"]] == ["ada"]


def test_a_gallery_that_is_not_whole(model: Path, photos: Path, tmp_path: Path) -> None:
    place = tmp_path / "g"
    run("enrol", model, place, photos)
    with gemel.Gallery.open(place, gemel.load(model)) as gallery:
        gallery._store._connection.execute("UPDATE refs SET checksum = 0 WHERE id = 3")
    found = json.loads(run("gallery", "check", model, place, "--json", status=1))
    assert found == {"problems": ["the embedding of reference 3 is not as it was stored"]}


def test_another_model(model: Path, photos: Path, tmp_path: Path) -> None:
    place = tmp_path / "g"
    run("enrol", model, place, photos, "--originals", "keep")
    new = Siamese(inputs.Images(16, channels=1), encoders.Conv(width=4, dim=8), metrics.Cosine())
    new.save(tmp_path / "b.gemel")
    with pytest.raises(GalleryError, match="belongs to the model"):
        run("gallery", "list", tmp_path / "b.gemel", place)
    assert "16 references embedded anew" in run("gallery", "reembed", tmp_path / "b.gemel", place)
    some = next(photos.rglob("*.png"))
    with pytest.raises(SettingsError, match="no threshold"):
        run("identify", tmp_path / "b.gemel", place, some)
    with pytest.raises(SettingsError, match="no threshold"):
        run("verify", tmp_path / "b.gemel", place, "0", some)


def test_a_joint_comparer(photos: Path, tmp_path: Path) -> None:
    joint = Siamese(inputs.Images(16, channels=1), encoders.Joint(encoders.Conv(width=4, dim=1)))
    joint.threshold = 0.0
    model, place = tmp_path / "j.gemel", tmp_path / "g"
    joint.save(model)
    with pytest.raises(SettingsError, match="no embeddings to keep"):
        run("enrol", model, place, photos)
    run("enrol", model, place, photos, "--originals", "keep", "--one-by-one")
    some = next(photos.rglob("*.png"))
    words = ["identify", str(model), str(place), str(some), "--one-by-one", "--json"]
    assert len(json.loads(runner.invoke(app, words).stdout)["candidates"]) == 4
    assert "one by one" in run("gallery", "stats", model, place)


def test_words_that_do_not_go_together(model: Path, photos: Path, tmp_path: Path) -> None:
    place, some = tmp_path / "g", next(photos.rglob("*.png"))
    with pytest.raises(GalleryError, match="a folder or CSV of many"):
        run("enrol", model, place, some)
    with pytest.raises(SettingsError, match="--note"):
        run("enrol", model, place, photos, "--note", "x")
    for words in ([], ["ada", "--reference", "1"]):
        with pytest.raises(SettingsError, match="one of the two"):
            run("remove", model, place, *words)
    with pytest.raises(GalleryError, match="there is no gallery"):
        run("identify", model, tmp_path / "absent", some)
    assert not (tmp_path / "absent").exists()


def test_what_fails_leaves_no_empty_gallery(model: Path, photos: Path, tmp_path: Path) -> None:
    place, text = tmp_path / "g", tmp_path / "text.png"
    text.write_text("no picture")
    for words in (("enrol", model, place, "ada", text), ("gallery", "import", model, place, text)):
        with pytest.raises((BadItemsError, GalleryError)):
            run(*words)
        assert not list(tmp_path.glob("g*"))
    good = next(photos.rglob("*.png"))
    with pytest.raises(BadItemsError):
        run("enrol", model, place, "ada", good, text)
    assert run("gallery", "list", model, place).startswith("ada: 1 reference")
    assert place.stat().st_mode & 0o777 == 0o600
    with pytest.raises(BadItemsError):
        run("enrol", model, place, "bob", text)
    assert place.exists()
