"""Two pictures of which the homography is known: matches find it, and say why where they cannot."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from gemel import Siamese, encoders, inputs, matching, metrics
from gemel.errors import DataError, SettingsError
from gemel.matching import View

cv2 = pytest.importorskip("cv2")
HOMOGRAPHY = np.array([[0.95, -0.25, 50.0], [0.22, 0.98, -12.0], [1.5e-4, -1e-4, 1.0]])


def texture(seed: int = 0, height: int = 260, width: int = 320) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal((height, width)).astype(np.float32)
    smooth = sum(cv2.GaussianBlur(noise, (0, 0), s) * s for s in (2, 4, 8))
    return np.uint8(np.clip(128 + 110 * smooth / np.abs(smooth).max(), 0, 255))


@pytest.fixture(scope="module")
def views() -> tuple[View, View]:
    """A picture, and what the homography makes of it."""
    grey = texture()
    seen = cv2.warpPerspective(grey, HOMOGRAPHY, (320, 260), flags=cv2.INTER_LINEAR)
    left, right = (matching.view(one, most=250, magnification=8) for one in (grey, seen))
    return left, right


def carried(homography: np.ndarray, place: np.ndarray) -> np.ndarray:
    x, y, depth = homography @ [*place, 1]
    return np.array([x / depth, y / depth])


def twin(metric: metrics.Metric | None = None) -> Siamese:
    """An untrained twin whose embedding is the patch itself, its tones standardised."""

    class Tones(nn.Module):
        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            rows = batch.flatten(1)
            return (rows - rows.mean(1, keepdim=True)) / (rows.std(1, keepdim=True) + 1e-6)

    return Siamese(inputs.Images(12), Tones(), metric or metrics.Euclidean())


@pytest.mark.parametrize("way", ["RootSIFT", "model"])
def test_inliers_give_the_homography_to_a_pixel(views: tuple[View, View], way: str) -> None:
    compare = matching.root_sift if way == "RootSIFT" else matching.by_model(twin())
    found = matching.match(*views, compare)
    assert found.why == ""
    assert found.homography is not None
    assert found.inliers.sum() > 60
    assert way == "RootSIFT" or not found.inliers.all()  # RootSIFT's may all be right
    for corner in ((40.0, 40.0), (40.0, 220.0), (280.0, 40.0), (280.0, 220.0), (160.0, 130.0)):
        there = carried(HOMOGRAPHY, np.array(corner))
        assert np.linalg.norm(carried(found.homography, np.array(corner)) - there) < 1
    assert (np.diff(found.distances) >= 0).all()
    for place, other, inlier in zip(found.left, found.right, found.inliers, strict=True):
        error = np.linalg.norm(carried(found.homography, place) - other)
        assert inlier == (error <= matching.PIXELS)


def test_matches_are_those_of_a_slow_search(views: tuple[View, View]) -> None:
    distances = np.random.default_rng(2).integers(0, 30, (23, 17)).astype(float)
    rows, columns = matching.mutually_nearest(distances)
    expected = [
        (row, column)
        for row in range(23)
        for column in range(17)
        if list(distances[row]).index(min(distances[row])) == column
        and list(distances[:, column]).index(min(distances[:, column])) == row
    ]
    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == expected
    assert len(expected) > 3
    by_ratio = matching.mutually_nearest(distances, ratio=0.6)
    kept = [(r, c) for r, c in expected if distances[r, c] < 0.6 * sorted(distances[r])[1]]
    assert list(zip(*map(np.ndarray.tolist, by_ratio), strict=True)) == kept
    assert 0 < len(kept) < len(expected)
    # a lone place has no second nearest
    assert len(matching.mutually_nearest(np.ones((3, 1)), ratio=0.5)[0]) == 1
    left, right = views
    descriptors = np.linalg.norm(
        matching.patches.root_sift(left.patches[:9])[:, None]
        - matching.patches.root_sift(right.patches[:7]),
        axis=2,
    )
    np.testing.assert_allclose(
        matching.root_sift(left.patches[:9], right.patches[:7]), descriptors, atol=1e-3
    )


def test_a_pair_of_places_counts_once(views: tuple[View, View]) -> None:
    left, right = views
    twice = View(left.grey, np.repeat(left.frames[:1], 2, axis=0), left.patches[:2])
    also = View(right.grey, np.repeat(right.frames[:1], 2, axis=0), right.patches[:2])
    found = matching.match(twice, also, lambda *_: np.array([[3.0, 9.0], [9.0, 2.0]]))
    assert found.distances.tolist() == [2.0]


def test_a_view_holds_whole_windows_of_the_strongest(tmp_path: Path) -> None:
    grey = texture(3)
    Image.fromarray(grey).save(tmp_path / "one.png")
    all_ = matching.view(tmp_path / "one.png", magnification=8)
    few = matching.view(grey, magnification=8, most=20)
    np.testing.assert_array_equal(few.places, all_.places[:20])
    assert len(few) == 20 < len(all_)
    corners = all_.frames @ np.array([[-1, -1, 1, 1], [-1, 1, -1, 1], [1, 1, 1, 1]])
    assert corners.min() >= 0
    assert (corners.max(axis=(0, 2)) <= [319, 259]).all()


def test_where_there_is_no_homography_it_says_why(views: tuple[View, View]) -> None:
    left, right = views
    few = [View(one.grey, one.frames[:3], one.patches[:3]) for one in views]
    found = matching.match(*few, lambda *_: 1 - np.eye(3))
    assert found.homography is None
    assert found.why == "3 matches, and a homography needs 4 or more"
    assert not found.inliers.any()
    line = left.frames[:9].copy()
    line[:, 0, 2] = line[:, 1, 2] = np.arange(9.0) * 20
    onto = [View(one.grey, line, one.patches[:9]) for one in (left, right)]
    found = matching.match(*onto, lambda *_: 1 - np.eye(9))
    assert found.homography is None
    assert found.why == "RANSAC found none among the 9 matches"


def test_a_seed_gives_the_same_again(views: tuple[View, View]) -> None:
    first, again = (matching.match(*views, seed=5) for _ in range(2))
    np.testing.assert_array_equal(first.homography, again.homography)


def test_pictures_without_keypoints_are_named(tmp_path: Path) -> None:
    for name, pixels, told in (
        ("blank.png", np.full((90, 90), 200, np.uint8), "blank.png: no keypoints were found"),
        ("small.png", texture()[:12, :40], "small.png: expected a picture of 16 x 16 pixels or m"),
        ("tight.png", texture()[:40, :40], "tight.png: around none of its"),
    ):
        Image.fromarray(pixels).save(tmp_path / name)
        with pytest.raises(DataError, match=told):
            matching.view(tmp_path / name, magnification=30)
    with pytest.raises(DataError, match="the picture: no keypoints"):
        matching.view(np.zeros((90, 90), np.uint8))


def test_what_cannot_be_is_refused(views: tuple[View, View]) -> None:
    joint = Siamese(inputs.Images(16), encoders.Joint(encoders.Conv(width=4, dim=1)))
    with pytest.raises(SettingsError, match="a joint comparer has no descriptors"):
        matching.by_model(joint)
    rows = Siamese(inputs.Numbers(3), encoders.Dense((4,), dim=2), metrics.Euclidean())
    with pytest.raises(SettingsError, match=r"needs a model of pictures.*this one takes numbers"):
        matching.by_model(rows)
    with pytest.raises(SettingsError, match="`ratio` must lie above 0 and be at most 1"):
        matching.match(*views, ratio=1.5)
    with pytest.raises(SettingsError, match="gives negative ones"):
        matching.mutually_nearest(np.array([[-1.0, 2.0]]), ratio=0.8)
    with pytest.raises(SettingsError, match="`pixels` must be a number above 0; got 0"):
        matching.match(*views, pixels=0.0)
    with pytest.raises(SettingsError, match="`most` must be 1 keypoint or more; got 0"):
        matching.view(texture(), most=0)
