"""Patches of one place show one place; different ones show two: checked on known pictures."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gemel import data
from gemel.data.correspondences import Cutting
from gemel.errors import DataError, SettingsError
from gemel.patches import Jitter

cv2 = pytest.importorskip("cv2")
TURN = np.array([[0.96, -0.28, 60.0], [0.28, 0.96, -10.0], [1e-4, 5e-5, 1.0]])


def texture(seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal((260, 320)).astype(np.float32)
    smooth = sum(cv2.GaussianBlur(noise, (0, 0), s) * s for s in (2, 4, 8))
    return np.uint8(np.clip(128 + 110 * smooth / np.abs(smooth).max(), 0, 255))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene in each layout; "again" has the first picture of "old", and another second one."""
    root = tmp_path_factory.mktemp("scenes")
    (root / "README.md").write_text("no scene")
    (root / "empty").mkdir()
    for name, seed, first, other, matrix in (
        ("old", 0, "01.png", "02.png", "H1to2"),
        ("again", 0, "01.png", "02.png", "H1to2"),
        ("turned", 1, "img1.png", "img2.png", "H1to2p"),
    ):
        (root / name).mkdir()
        grey = texture(seed)
        homography = np.eye(3) if name == "old" else TURN
        seen = cv2.warpPerspective(grey, homography, (320, 260), flags=cv2.INTER_LINEAR)
        Image.fromarray(grey).save(root / name / first)
        Image.fromarray(seen).save(root / name / other)
        np.savetxt(root / name / matrix, homography)
    return root


def test_scenes_of_both_layouts(folder: Path) -> None:
    scenes = {scene.name: scene for scene in data.scenes(folder)}
    assert set(scenes) == {"again", "turned"}  # "old" has the first picture of "again"
    assert [path.parent.name for path in scenes["again"].pictures] == ["again", "again", "old"]
    np.testing.assert_allclose(scenes["again"].homographies, [np.eye(3), TURN, np.eye(3)])
    assert [path.name for path in scenes["turned"].pictures] == ["img1.png", "img2.png"]
    few = scenes["again"].of_first(2)
    assert few.pictures == scenes["again"].pictures[:2]
    np.testing.assert_allclose(few.homographies, [np.eye(3), TURN])
    assert len(few.of_first(None).pictures) == 2


def test_one_place_is_one_class(folder: Path) -> None:
    items = data.correspondences(folder, cutting=Cutting(size=32), most=80)
    assert set(items.groups.tolist()) == {"again", "turned"}
    picture = items.details["picture"]
    differences = []
    for label in items.classes:
        members = np.flatnonzero(items.labels == label)
        assert len(members) == len(set(picture[members].tolist())) >= 2
        patches = items.values[members].astype(float)
        differences.append(np.abs(patches - patches[0]).mean())
    # through the true frames all pictures show the same, but for the sampling
    assert np.mean(differences) < 3
    shuffled = np.random.default_rng(0).permutation(len(items))
    assert np.abs(items.values.astype(float) - items.values[shuffled]).mean() > 20


def test_jittered_copies_differ_from_the_frame_but_little(folder: Path) -> None:
    cutting = Cutting(size=32, similar=True, jitter=Jitter())
    items = data.correspondences(folder, cutting=cutting, most=60, copies=2, seed=3)
    again = data.correspondences(folder, cutting=cutting, most=60, copies=2, seed=3)
    np.testing.assert_array_equal(items.values, again.values)
    assert set(items.details["copy"].tolist()) == {0, 1}
    other = data.correspondences(folder, cutting=cutting, most=60, copies=2, seed=4)
    assert len(other) != len(items) or not np.array_equal(items.values, other.values)
    pairs = data.patch_pairs(items)
    gap = np.abs(
        items.values[pairs.left].astype(float) - items.values[pairs.right].astype(float)
    ).mean(axis=(1, 2))
    assert 3 < np.mean(gap[pairs.same]) < 0.7 * np.mean(gap[~pairs.same])


def test_different_pairs_show_two_places_of_one_scene(folder: Path) -> None:
    items = data.correspondences(folder, cutting=Cutting(size=16, magnification=6.0), most=200)
    for near in (0.0, 1.0):
        pairs = data.patch_pairs(items, near=near, per_place=2, seed=1)
        left, right, same = pairs.left, pairs.right, pairs.same
        assert (items.details["picture"][left] == 0).all()
        assert (items.details["picture"][right] > 0).all()
        assert (items.groups[left] == items.groups[right]).all()
        np.testing.assert_array_equal(items.labels[left] == items.labels[right], same)
        assert int(same.sum()) * 2 == int((~same).sum())
        places = np.stack([items.details["x"], items.details["y"]], axis=1)
        side = np.maximum(items.details["side"][left], items.details["side"][right])
        apart = np.linalg.norm(places[left] - places[right], axis=1) / side
        assert (apart[~same] > 1).all()
        assert ((apart[~same] < 3).mean() > 0.9) == (near == 1)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="got no folder"):
        data.scenes(tmp_path / "nowhere")
    with pytest.raises(DataError, match="holds no scenes"):
        data.scenes(tmp_path)
    scene = tmp_path / "graf"
    scene.mkdir()
    Image.fromarray(texture(0)).save(scene / "img1.png")
    (scene / "H1to3p").write_text("1 0 0 0 1 0 0 0 1")
    with pytest.raises(DataError, match=r"H1to3p has no picture: expected .*img3"):
        data.scenes(tmp_path)
    Image.fromarray(texture(1)).save(scene / "img3.png")
    for words, found in (("1 2 three", "3 words"), ("1 0 0 0 1 0 0 0 0", "can be inverted")):
        (scene / "H1to3p").write_text(words)
        with pytest.raises(DataError, match=found):
            data.scenes(tmp_path)
    (scene / "H1to3p").write_text("1 0 9000 0 1 0 0 0 1")
    with pytest.raises(DataError, match="no place of graf is seen in two pictures"):
        data.correspondences(tmp_path)


def test_settings_that_make_no_sense(folder: Path) -> None:
    with pytest.raises(SettingsError, match="`size` must be 1 or more, `magnification` above 0"):
        Cutting(size=0)
    for words in ({"magnification": 0.0}, {"whitest": -1.0}, {"flattest": float("nan")}):
        with pytest.raises(SettingsError, match="all finite"):
            Cutting(**words)
    with pytest.raises(SettingsError, match="`most` and `copies` must be 1 or more"):
        data.correspondences(folder, copies=0)
    items = data.correspondences(folder, cutting=Cutting(size=16), most=30)
    with pytest.raises(SettingsError, match="`near` must be from 0 to 1"):
        data.patch_pairs(items, near=2.0)
    with pytest.raises(DataError, match="does not say where its patches lie"):
        data.patch_pairs(data.digits())


def test_the_published_sets(data_folder: Callable[[str], Path]) -> None:
    oxford = {scene.name: scene for scene in data.scenes(data_folder("oxford_affine"))}
    assert set(oxford) == {"bikes", "boat", "graf", "leuven"}
    assert all(len(scene.pictures) == 6 for scene in oxford.values())
    drawn = {scene.name: scene for scene in data.scenes(data_folder("symbench"))}
    assert len(drawn) == 19  # of 23 folders five share their first picture
    assert len(drawn["notredame12"].pictures) == 6
    items = data.correspondences([oxford["boat"]], cutting=Cutting(size=16), most=100)
    pairs = data.patch_pairs(items)
    values = items.values.reshape(len(items), -1).astype(float)
    values -= values.mean(axis=1, keepdims=True)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    alike = (values[pairs.left] * values[pairs.right]).sum(axis=1)
    # zoomed and turned pictures of the harbour agree where the homography says so
    assert np.median(alike[pairs.same]) > 0.8
    assert np.median(alike[~pairs.same]) < 0.3
