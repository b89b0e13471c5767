"""Frames, their maps and their pixels against slow counts of the same."""

import sys

import numpy as np
import pytest

from gemel import patches
from gemel.errors import DataError, MissingExtraError, SettingsError
from gemel.patches import Jitter, Keypoints

pytest.importorskip("cv2")
HOMOGRAPHY = np.array([[0.9, 0.2, 30.0], [-0.1, 1.1, 12.0], [4e-4, -3e-4, 1.0]])


def picture(height: int = 120, width: int = 160, seed: int = 0) -> np.ndarray:
    """Blots of many sizes."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    grey = np.full((height, width), 128.0)
    for _ in range(60):
        middle = generator.uniform(0, 1, 2) * (width, height)
        wide = generator.uniform(2, 12)
        bump = np.exp(-((x - middle[0]) ** 2 + (y - middle[1]) ** 2) / (2 * wide**2))
        grey += generator.uniform(-90, 90) * bump
    return grey.clip(0, 255).astype(np.uint8)


def random_frames(count: int, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    linear = generator.uniform(-8, 8, (count, 2, 2)) + 12 * np.eye(2)
    return np.concatenate([linear, generator.uniform(40, 80, (count, 2, 1))], axis=2)


def apply(homography: np.ndarray, place: np.ndarray) -> np.ndarray:
    x, y, depth = homography @ [*place, 1]
    return np.array([x / depth, y / depth])


def test_a_blob_is_a_keypoint_where_it_is() -> None:
    y, x = np.mgrid[:100, :140]
    grey = (255 * np.exp(-((x - 90) ** 2 + (y - 40) ** 2) / (2 * 6.0**2))).astype(np.uint8)
    found = patches.keypoints(grey, most=1)
    assert len(found) == 1
    np.testing.assert_allclose(found.places[0], [90, 40], atol=0.02)
    assert found.sizes[0] == pytest.approx(2 * 6.0, rel=0.3)  # a size is two sigma
    many = patches.keypoints(picture())
    assert (np.diff(many.strengths) <= 0).all()
    assert len(many.take(many.sizes > 5)) == int((many.sizes > 5).sum())


def test_frames_are_turned_with_their_keypoints() -> None:
    points = Keypoints(
        np.array([[50.0, 60.0]]), np.array([10.0]), np.array([90.0]), np.array([1.0])
    )
    (frame,) = patches.frames_of(points, magnification=4.0)
    # x of the patch points down in the picture, y to the left
    np.testing.assert_allclose(frame, [[0, -20, 50], [20, 0, 60]], atol=1e-12)
    (upright,) = patches.frames_of(points, magnification=4.0, upright=True)
    np.testing.assert_allclose(upright, [[20, 0, 50], [0, 20, 60]], atol=1e-12)
    assert patches.sides(upright[None])[0] == pytest.approx(40)


def test_projection_is_the_slope_of_the_homography() -> None:
    frames = random_frames(6)
    for before, after in zip(frames, patches.project(frames, HOMOGRAPHY), strict=True):
        middle = before[:, 2]
        np.testing.assert_allclose(after[:, 2], apply(HOMOGRAPHY, middle))
        step = 1e-5
        for axis in range(2):
            way = before[:, axis] * step
            slope = apply(HOMOGRAPHY, middle + way) - apply(HOMOGRAPHY, middle - way)
            np.testing.assert_allclose(after[:, axis], slope / (2 * step), rtol=1e-5)


def test_beyond_infinity_is_in_no_picture() -> None:
    beyond = np.array([[1.0, 0, 0], [0, 1, 0], [-0.02, 0, 1]])  # infinity is at x = 50
    frames = random_frames(2)
    frames[:, 0, 2] = [40, 60]
    there = patches.project(frames, beyond)
    assert np.isfinite(there[0]).all()
    assert np.isnan(there[1]).all()
    assert not patches.inside(there, (10_000, 10_000))[1]


def test_a_detector_of_blobs_keeps_place_area_and_turn() -> None:
    frames = patches.rotations(np.array([0.4])) @ np.diag([6.0, 24.0])
    frames = np.concatenate([frames, np.array([[[30.0], [40.0]]])], axis=2)
    (kept,) = patches.similar(frames)
    expected = 12 * patches.rotations(np.array([0.4]))[0]
    np.testing.assert_allclose(kept[:, :2], expected)
    np.testing.assert_allclose(kept[:, 2], [30, 40])


def test_jitter_is_as_large_as_it_says() -> None:
    frames = np.tile(np.array([[20.0, 0, 50], [0, 20.0, 60]]), (4000, 1, 1))
    generator = np.random.default_rng(1)
    moved = Jitter(shift=0.1, scale=0.2, turn=8.0)(frames, generator)
    assert (moved[:, :, 2] - [50, 60]).std(axis=0) == pytest.approx([2, 2], rel=0.05)
    assert np.log(patches.sides(moved) / 40).std() == pytest.approx(0.2, rel=0.05)
    turns = np.degrees(np.arctan2(moved[:, 1, 0], moved[:, 0, 0]))
    assert turns.std() == pytest.approx(8, rel=0.05)
    np.testing.assert_allclose(patches.similar(moved), moved, atol=1e-9)  # still squares
    stretched = Jitter(shift=0.0, scale=0.0, turn=0.0, stretch=0.3)(frames, generator)
    np.testing.assert_allclose(patches.sides(stretched), 40)
    ratios = np.linalg.svd(stretched[:, :, :2], compute_uv=False)
    assert np.log(ratios[:, 0] / ratios[:, 1]).mean() == pytest.approx(
        0.3 * np.sqrt(2 / np.pi), rel=0.05
    )
    with pytest.raises(SettingsError, match=r"`turn` must be a finite number of 0 or more; got -1"):
        Jitter(turn=-1.0)


def test_a_frame_of_whole_pixels_is_a_crop() -> None:
    grey = picture()
    # 16 x 16 pixels whose first is (20, 30): edges from 19.5 to 35.5
    frame = np.array([[[8.0, 0, 27.5], [0, 8.0, 37.5]]])
    np.testing.assert_array_equal(patches.cut(grey, frame, 16)[0], grey[30:46, 20:36])
    # twice as large: each pixel is the mean of four
    wide = np.array([[[16.0, 0, 35.5], [0, 16.0, 45.5]]])
    means = grey[30:62, 20:52].reshape(16, 2, 16, 2).mean(axis=(1, 3))
    assert np.abs(patches.cut(grey, wide, 16)[0] - means).max() <= 1
    quarter = np.array([[[0, -8.0, 27.5], [8.0, 0, 37.5]]])
    turned = patches.cut(grey, quarter, 16)[0]
    np.testing.assert_array_equal(turned, np.rot90(grey[30:46, 20:36]))


def test_what_is_shrunk_does_not_alias() -> None:
    generator = np.random.default_rng(0)
    noise = generator.integers(0, 256, (400, 400)).astype(np.uint8)
    for sides in ((190.0, 190.0), (190.0, 40.0)):
        frame = np.array([[[sides[0], 0, 199.5], [0, sides[1], 199.5]]])
        values = patches.cut(noise, frame, 16)[0].astype(float)
        pixels = (2 * sides[0] / 16) * (2 * sides[1] / 16)  # of the picture in one of the patch
        # bilinear samples between pixels are smoother still, never rougher
        assert 0.4 < values.std() / (noise.std() / np.sqrt(pixels)) < 1.2


def test_frames_that_reach_outside_are_named() -> None:
    grey = picture()
    frames = random_frames(3)
    frames[2, 0, 2] = 155.0
    assert patches.inside(frames, grey.shape).tolist() == [True, True, False]
    with pytest.raises(DataError, match=r"1 of 3 frames .* the first is number 2 around \[155"):
        patches.cut(grey, frames)


def test_root_sift_of_a_turned_patch_is_a_turned_histogram() -> None:
    frames = np.array([[[20.0, 0, 60], [0, 20.0, 60]]])
    patch = patches.cut(picture(), frames, 64)
    descriptors = patches.root_sift(np.concatenate([patch, 255 - patch, patch[:, ::-1, ::-1]]))
    np.testing.assert_allclose(np.linalg.norm(descriptors, axis=1), 1, atol=1e-5)
    cells = (descriptors**2).reshape(3, 4, 4, 8)
    # where tones are exchanged every gradient points the other way: four of eight bins on
    np.testing.assert_allclose(cells[1], np.roll(cells[0], 4, axis=2), atol=0.01)
    # half a turn exchanges the cells, and turns the gradients, too
    half = np.roll(cells[0, ::-1, ::-1], 4, axis=2)
    np.testing.assert_allclose(cells[2], half, atol=0.02)


def test_settings_that_make_no_sense() -> None:
    with pytest.raises(SettingsError, match="`most` must be 1 or more; got 0"):
        patches.keypoints(picture(), most=0)
    with pytest.raises(DataError, match="16 x 16 pixels or more, got 10 x 200"):
        patches.keypoints(np.zeros((200, 10), np.uint8))
    with pytest.raises(SettingsError, match="`magnification` must be a number above 0; got 0"):
        patches.frames_of(patches.keypoints(picture()), magnification=0.0)
    with pytest.raises(SettingsError, match="`size` must be 1 pixel or more; got 0"):
        patches.cut(picture(), random_frames(1), 0)


def test_without_opencv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingExtraError, match=r"need OpenCV: pip install 'gemel\[patches\]'"):
        patches.keypoints(picture())
