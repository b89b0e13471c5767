"""Images: the same pixels however a picture comes, resized and turned to ink on dark."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gemel.errors import DataError, SettingsError
from gemel.inputs import Images, Input
from gemel.inputs.images import mild_map


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def boxes(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """[H, W], each the mean of the old pixels whose middles lie in the new one.

    A middle on the edge between two belongs to the left (upper) one.
    """

    def means(old: int, new: int) -> np.ndarray:
        out = np.zeros((new, old))
        for i in range(new):
            inside = [j for j in range(old) if i * old < (j + 0.5) * new <= (i + 1) * old]
            out[i, inside] = 1 / len(inside)
        return out

    return means(len(picture), height) @ picture @ means(picture.shape[1], width).T


def between(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """[H, W] interpolated linearly between the middles of the old pixels."""

    def rows(old: int, new: int) -> np.ndarray:
        out = np.zeros((new, old))
        for i in range(new):
            place = (i + 0.5) * old / new - 0.5
            low = int(np.floor(place))
            for j, weight in ((low, 1 - (place - low)), (low + 1, place - low)):
                out[i, min(max(j, 0), old - 1)] += weight
        return out

    return rows(len(picture), height) @ picture @ rows(picture.shape[1], width).T


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("colour", [False, True])
def test_path_bytes_picture_and_array_are_stored_alike(
    tmp_path: Path, channels: int, colour: bool
) -> None:
    array = noise(20, 31, 3) if colour else noise(20, 31)
    picture = Image.fromarray(array)
    path = tmp_path / "a.png"
    picture.save(path)
    made = Images(size=9, channels=channels)
    forms: list[Any] = [
        array,
        picture,
        path,
        str(path),
        path.read_bytes(),
        BytesIO(path.read_bytes()),
    ]
    stored = [made.read(form) for form in forms]
    assert stored[0].shape == (channels, 9, 9)
    assert stored[0].dtype == np.uint8
    assert all((one == stored[0]).all() for one in stored)
    assert made.tensor(torch.from_numpy(np.stack(stored))).shape == (6, *made.shape)


@pytest.mark.parametrize(
    ("old", "new"),
    [((20, 31), (9, 9)), ((105, 105), (28, 28)), ((12, 7), (12, 7)), ((7, 5), (3, 5))],
)
def test_shrinks_by_boxes(old: tuple[int, int], new: tuple[int, int]) -> None:
    array = noise(*old)
    stored = Images(size=new).read(array)[0]
    np.testing.assert_allclose(stored, boxes(array, *new), atol=1.01)


@pytest.mark.parametrize(("old", "new"), [((8, 8), (28, 28)), ((5, 9), (11, 9))])
def test_enlarges_bilinearly(old: tuple[int, int], new: tuple[int, int]) -> None:
    array = noise(*old)
    stored = Images(size=new).read(array)[0]
    np.testing.assert_allclose(stored, between(array, *new), atol=1.51)


def test_one_side_may_shrink_while_the_other_grows() -> None:
    array = noise(30, 4)
    stored = Images(size=10).read(array)[0]
    np.testing.assert_allclose(stored, between(boxes(array, 10, 4), 10, 10), atol=1.6)


def test_colours_keep_their_places() -> None:
    array = np.zeros((4, 4, 3), np.uint8)
    array[:] = (200, 100, 50)
    assert Images(size=2, channels=3).read(array)[:, 0, 0].tolist() == [200, 100, 50]
    grey = round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)
    assert Images(size=2).read(array)[0, 0, 0] == grey
    assert Images(size=2, channels=3).read(array[:, :, 0])[:, 0, 0].tolist() == [200] * 3


def drawing(ink: int, paper: int) -> np.ndarray:
    sheet = np.full((21, 21), paper, np.uint8)
    sheet[5:16, 9:12] = ink
    return sheet


@pytest.mark.parametrize(("ink", "paper"), [(0, 255), (255, 0), (60, 120), (120, 60), (200, 250)])
def test_ink_is_bright_whatever_it_was(ink: int, paper: int) -> None:
    sheet = drawing(ink, paper)
    stored = Images(size=21, light_on_dark=True).read(sheet)[0]
    assert (stored == (255 - sheet if ink < paper else sheet)).all()
    assert stored[10, 10] > stored[0, 0]
    assert (Images(size=21).read(sheet)[0] == sheet).all()


@pytest.mark.parametrize("tone", [0, 127, 128, 255])
def test_an_empty_sheet_is_dark(tone: int) -> None:
    stored = Images(size=5, light_on_dark=True).read(np.full((7, 7), tone, np.uint8))
    assert (stored == min(tone, 255 - tone)).all()


def test_digits_that_touch_their_border_stay_bright() -> None:
    from gemel.data import digits

    made = Images(size=28, light_on_dark=True)
    plain = Images(size=28)
    values = digits().values[:300]
    kept = [(made.read(value) == plain.read(value)).all() for value in values]
    assert np.mean(kept) > 0.98


@pytest.mark.parametrize(
    ("old", "size", "inner"),
    [
        ((10, 20), 8, (2, 6, 0, 8)),
        ((20, 10), 8, (0, 8, 2, 6)),
        ((10, 10), (4, 9), (0, 4, 2, 6)),
        ((1, 900), 6, (2, 3, 0, 6)),
        ((3, 3), 3, (0, 3, 0, 3)),
    ],
)
def test_aspect_is_kept(
    old: tuple[int, int], size: int | tuple[int, int], inner: tuple[int, int, int, int]
) -> None:
    array = np.full((*old, 3), (250, 30, 90), np.uint8)
    array[old[0] // 3 : -(old[0] // 3) or None, old[1] // 3 : -(old[1] // 3) or None] = 0
    made = Images(size=size, channels=3, keep_aspect=True)
    stored = made.read(array)
    assert stored.shape == made.shape
    top, bottom, left, right = inner
    part = Images(size=(bottom - top, right - left), channels=3).read(array)
    assert (stored[:, top:bottom, left:right] == part).all()
    outside = np.ones(made.shape[1:], bool)
    outside[top:bottom, left:right] = False
    border = np.concatenate([part[:, 0], part[:, -1], part[:, :, 0], part[:, :, -1]], axis=1)
    for channel in range(3):
        tone = round(float(np.median(border[channel])))
        assert (stored[channel][outside] == tone).all()


def sheet(top: int, left: int, zoom: int = 1, side: int = 90) -> np.ndarray:
    """A black cross of 9 x 7 times `zoom` pixels on a white sheet, its corner at (top, left)."""
    cross = np.zeros((9, 7), bool)
    cross[3:5] = cross[:, 2:4] = True
    cross = np.kron(cross, np.ones((zoom, zoom), bool))
    out = np.full((side, side), 255, np.uint8)
    out[top : top + len(cross), left : left + cross.shape[1]][cross] = 0
    return out


@pytest.mark.parametrize("colour", [False, True])
def test_trimming_forgets_place_and_size(colour: bool) -> None:
    made = Images(size=24, channels=3 if colour else 1, trim=True, light_on_dark=True)
    drawings = [sheet(20, 20, 4), sheet(0, 0, 4), sheet(50, 61, 4), sheet(5, 9, 8)]
    if colour:
        drawings = [np.stack([one, one // 2 + 60, one // 4], axis=2) for one in drawings]
    stored = [made.read(one) for one in drawings]
    for one in stored[1:3]:
        np.testing.assert_allclose(one.astype(int), stored[0].astype(int), atol=1)
    # Twice as large is the same but for the rounding of the margin.
    assert np.abs(stored[3].astype(int) - stored[0]).mean() < 12
    ink = np.argwhere(np.abs(stored[0][0].astype(int) - stored[0][0, 0, 0]) > 100)
    assert 18 <= np.ptp(ink[:, 0]) + 1 <= 22  # the longer side, less the margin
    assert abs(ink.mean(0) - 11.5).max() < 2.5  # in the middle


def test_trimming_leaves_an_empty_sheet_as_it_is() -> None:
    for tone in (0, 255):
        blank = np.full((30, 20), tone, np.uint8)
        assert (Images(9, trim=True).read(blank) == tone).all()
    faint = np.full((30, 30), 200, np.uint8)
    faint[3, 4] = 199
    assert (Images(30, trim=True).read(faint)[0] == faint).all()


def test_trimming_does_not_blow_up_a_speck() -> None:
    speck = np.full((90, 90), 255, np.uint8)
    speck[40:42, 60:62] = 0
    stored = Images(90, trim=True).read(speck)[0]
    assert 15 <= (stored < 128).any(1).sum() <= 25  # 2 of 9 pixels, not 2 of 2


def test_values_run_from_0_to_1() -> None:
    out = Images(size=2).tensor(torch.tensor([[[[0, 255], [51, 102]]]], dtype=torch.uint8))
    torch.testing.assert_close(out, torch.tensor([[[[0.0, 1.0], [0.2, 0.4]]]]))


def test_settings_make_it_again() -> None:
    for made in (
        Images(),
        Images((3, 5), 3, light_on_dark=True, trim=True, keep_aspect=True),
        Images(size=[7, 7]),
    ):
        again = Images(**json.loads(json.dumps(made.settings())))
        assert again.settings() == made.settings()
        assert again.shape == made.shape
        assert isinstance(made, Input)
        made.learn(None)
    assert Images(size=[7, 7]).settings()["size"] == 7
    assert repr(Images((3, 5), 3)) == (
        "Images(size=[3, 5], channels=3, light_on_dark=False, trim=False, keep_aspect=False, "
        "mirror_views=False)"
    )


@given(
    count=st.integers(1, 6),
    channels=st.sampled_from([1, 3]),
    height=st.integers(2, 16),
    width=st.integers(2, 16),
    light=st.booleans(),
)
@settings(max_examples=30, deadline=None)
def test_views_hang_on_nothing_but_the_picture(
    count: int, channels: int, height: int, width: int, light: bool
) -> None:
    made = Images((height, width), channels, light_on_dark=light)
    batch = torch.rand(3, channels, height, width, generator=torch.Generator().manual_seed(0))
    views = made.views(batch, count)
    assert views.shape == (count, *batch.shape)
    assert torch.equal(views[0], batch)
    assert views.isfinite().all()
    assert torch.equal(made.views(batch, count), views)
    assert torch.equal(made.views(batch, count + 2)[:count], views)
    for item in range(3):
        assert torch.equal(made.views(batch[item : item + 1], count)[:, 0], views[:, item])


def test_views_are_mild_and_different() -> None:
    torch.testing.assert_close(mild_map(0), torch.eye(2, 3)[None])
    maps = torch.cat([mild_map(number) for number in range(200)])
    corners = torch.tensor([[-1.0, -1, 1], [1, -1, 1], [-1, 1, 1], [1, 1, 1]])
    moved = (corners @ maps.transpose(1, 2) - corners[:, :2]).norm(dim=2).amax(1)
    assert moved.max() < 0.7
    assert moved[1:].min() > 0.05
    assert torch.pdist(maps.flatten(1)).min() > 0.01
    angle = torch.rad2deg(torch.atan2(maps[:, 1, 0], maps[:, 0, 0]))
    assert 8 < angle.max() <= 8.41
    assert -8.41 <= angle.min() < -8
    assert abs(angle.mean()) < 0.2
    shift = maps[:, :, 2] / 2
    assert shift.abs().max() <= 0.0631
    assert (shift.abs().amax(0) > 0.06).all()


@pytest.mark.parametrize("count", [1, 2, 5])
def test_every_other_view_is_a_mirror_image_if_asked(count: int) -> None:
    batch = torch.rand(3, 1, 8, 6, generator=torch.Generator().manual_seed(0))
    plain, views = Images((8, 6)).views(batch, 3), Images((8, 6), mirror_views=True)
    found = views.views(batch, count)
    assert found.shape == (count, *batch.shape)
    for number, view in enumerate(found):
        expected = plain[number // 2]
        assert torch.equal(view, expected.flip(3) if number % 2 else expected)


def test_views_are_filled_with_the_ground() -> None:
    white = torch.ones(1, 1, 12, 12)
    assert Images(12).views(white, 6).min() > 0.999
    assert Images(12, light_on_dark=True).views(white, 6)[1:].amin((1, 2, 3, 4)).max() < 0.999


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Images(0), r"`size` must be 1 pixel or more.*; got 0"),
        (lambda: Images((4, 0)), r"got \(4, 0\)"),
        (lambda: Images((4, 4, 4)), r"got \(4, 4, 4\)"),
        (lambda: Images(channels=2), r"`channels` must be 1 \(grey\) or 3 \(colour\); got 2"),
        (lambda: Images().views(torch.zeros(1, 1, 28, 28), 0), "`count` must be 1 view or more"),
    ],
)
def test_what_cannot_be_is_refused(make: Any, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        make()


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"items\.csv row 3: "):
        Images().read(tmp_path / "absent.png", "items.csv row 3")
