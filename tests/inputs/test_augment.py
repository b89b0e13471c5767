"""Warps against slow per-pixel sampling, and what all augmentations promise."""

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gemel.errors import SettingsError
from gemel.inputs import Affine, Blur, Chain, Colour, Crop, Elastic, Flip, Warp

ALL = [
    Affine(),
    Affine.koch(),
    Elastic(0.1),
    Warp(),
    Warp(fill=0.7),
    Warp(fill="border"),
    Warp(fill="reflection"),
    Crop(0.5),
    Flip(across=0.5, down=0.3),
    Colour(),
    Blur(),
    Chain([Warp(), Flip(), Colour()]),
]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(count: int, channels: int, height: int, width: int, seed: int = 0) -> Tensor:
    return torch.rand(count, channels, height, width, generator=seeded(seed))


def look_up(picture: np.ndarray, row: float, column: float, fill: float | str) -> np.ndarray:
    """The bilinear mean of the four pixels [C] around a place."""
    height, width = picture.shape[1:]
    if fill == "border":
        row, column = min(max(row, 0), height - 1), min(max(column, 0), width - 1)
    top, left = math.floor(row), math.floor(column)
    total = np.zeros(len(picture))
    for i, j in product((top, top + 1), (left, left + 1)):
        weight = (1 - abs(row - i)) * (1 - abs(column - j))
        inside = 0 <= i < height and 0 <= j < width
        total += weight * (picture[:, i, j] if inside else 0.0 if fill == "border" else fill)
    return total


def cubic(t: float, a: float = -0.75) -> float:
    """Keys 1981, "Cubic convolution interpolation"."""
    t = abs(t)
    if t <= 1:
        return (a + 2) * t**3 - (a + 3) * t**2 + 1
    return a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a if t < 2 else 0.0


def enlarge(coarse: np.ndarray, height: int, width: int) -> np.ndarray:
    """[5, 5] numbers at the corners and between, as [height, width] pixels."""
    out = np.zeros((height, width))
    last = len(coarse) - 1
    for i, j in np.ndindex(height, width):
        y, x = i * last / (height - 1), j * last / (width - 1)
        top, left = math.floor(y), math.floor(x)
        for m, n in product(range(top - 1, top + 3), range(left - 1, left + 3)):
            value = coarse[min(max(m, 0), last), min(max(n, 0), last)]
            out[i, j] += cubic(y - m) * cubic(x - n) * value
    return out


def slow_warp(
    picture: np.ndarray,
    *,
    stretch: np.ndarray,
    turn: float,
    shift: tuple[float, float],
    moved: np.ndarray,
    fill: float | str,
) -> np.ndarray:
    """Each pixel of the new picture looked up in the old one, all in pixels from the middle.

    `shift` is in shares of a side, `moved` [2, H, W] in half sides.
    """
    channels, height, width = picture.shape
    out = np.zeros((channels, height, width))
    for i, j in np.ndindex(height, width):
        x, y = j - (width - 1) / 2, i - (height - 1) / 2
        x, y = stretch @ (x, y)
        x, y = x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn)
        x += shift[0] * width + moved[0, i, j] * width / 2
        y += shift[1] * height + moved[1, i, j] * height / 2
        out[:, i, j] = look_up(picture, y + (height - 1) / 2, x + (width - 1) / 2, fill)
    return out


@pytest.mark.parametrize("fill", [0.0, 0.7, "border"])
@pytest.mark.parametrize(("channels", "height", "width"), [(1, 9, 9), (3, 8, 13)])
def test_warp_is_its_formula(channels: int, height: int, width: int, fill: float | str) -> None:
    batch = pictures(4, channels, height, width)
    warp = Warp(rotation=30, scale=0.3, shear=0.4, shift=0.2, elastic=0.1, fill=fill)
    out = warp(batch, seeded(5))
    generator = seeded(5)
    drawn = (2 * torch.rand(4, 6, generator=generator) - 1).double().numpy()
    coarse = 0.1 * torch.randn(4, 2, 5, 5, generator=generator).double().numpy()
    for item, (turn, wide, tall, shear, right, down) in enumerate(drawn):
        expected = slow_warp(
            batch[item].double().numpy(),
            stretch=np.array([[math.exp(0.3 * wide), 0.4 * shear], [0, math.exp(0.3 * tall)]]),
            turn=math.radians(30 * turn),
            shift=(0.2 * right, 0.2 * down),
            moved=np.stack([enlarge(plane, height, width) for plane in coarse[item]]),
            fill=fill,
        )
        np.testing.assert_allclose(out[item].numpy(), expected, atol=2e-5)


def test_affine_is_its_formula() -> None:
    batch = pictures(12, 1, 10, 7)
    affine = Affine(rotation=40, scale=(0.7, 1.1), shear=0.3, shift=0.15, probability=0.5)
    out = affine(batch, seeded(3))
    generator = seeded(3)
    drawn = (2 * torch.rand(12, 7, generator=generator) - 1).double().numpy()
    chosen = (torch.rand(12, 7, generator=generator) < 0.5).numpy()
    assert 0.3 < chosen.mean() < 0.7
    for item in range(12):
        turn, wide, tall, shear_x, shear_y, right, down = np.where(chosen[item], drawn[item], 0)
        wide, tall = (
            0.9 + 0.2 * number if was_chosen else 1.0
            for number, was_chosen in zip((wide, tall), chosen[item, 1:3], strict=True)
        )
        expected = slow_warp(
            batch[item].double().numpy(),
            stretch=np.array([[wide, 0.3 * shear_x], [0.3 * shear_y, tall]]),
            turn=math.radians(40 * turn),
            shift=(0.15 * right, 0.15 * down),
            moved=np.zeros((2, 10, 7)),
            fill=0.0,
        )
        np.testing.assert_allclose(out[item].numpy(), expected, atol=2e-5)


def test_elastic_is_its_formula() -> None:
    batch = pictures(3, 2, 7, 9)
    out = Elastic(0.15)(batch, seeded(8))
    coarse = 0.15 * torch.randn(3, 2, 5, 5, generator=seeded(8)).double().numpy()
    for item in range(3):
        moved = np.stack([enlarge(plane, 7, 9) for plane in coarse[item]])
        expected = slow_warp(
            batch[item].double().numpy(),
            stretch=np.eye(2),
            turn=0.0,
            shift=(0, 0),
            moved=moved,
            fill=0.0,
        )
        np.testing.assert_allclose(out[item].numpy(), expected, atol=2e-5)


def test_crop_shows_a_window_of_the_picture() -> None:
    # Brightness rises evenly to the right and down, so the corners tell what the window was.
    ramp = torch.linspace(0, 1, 41)
    batch = torch.stack([ramp.expand(41, 41), ramp[:, None].expand(41, 41)])[None].repeat(
        60, 1, 1, 1
    )
    out = Crop(0.5)(batch, seeded(0))
    first, last = out[:, :, 1, 1], out[:, :, -2, -2]
    side = (last - first)[:, 0] / (38 / 40)
    torch.testing.assert_close((last - first)[:, 1] / (38 / 40), side)
    assert 0.5 <= side.min() < 0.58
    assert 0.9 < side.max() <= 1.001
    start = first - side[:, None] * 1 / 40
    assert start.min() > -0.02
    assert (start + side[:, None]).max() < 1.02
    assert start[:, 0].std() > 0.05
    assert not torch.allclose(start[:, 0], start[:, 1])


def test_flip_mirrors_some() -> None:
    batch = pictures(400, 2, 3, 4)
    out = Flip(across=0.5, down=0.25)(batch, seeded(1))
    kinds = [batch, batch.flip(3), batch.flip(2), batch.flip(2, 3)]
    counts = [sum(torch.equal(a, b) for a, b in zip(out, kind, strict=True)) for kind in kinds]
    assert sum(counts) == 400
    for count, chance in zip(counts, (0.375, 0.375, 0.125, 0.125), strict=True):
        assert abs(count / 400 - chance) < 0.08
    assert torch.equal(Flip(across=1.0)(batch, seeded(1)), batch.flip(3))


@pytest.mark.parametrize("channels", [1, 3])
def test_colour_is_its_formula(channels: int) -> None:
    batch = 0.3 + 0.4 * pictures(6, channels, 4, 5)
    out = Colour(brightness=0.3, contrast=0.5, saturation=0.9)(batch, seeded(2))
    drawn = 2 * torch.rand(6, 3, generator=seeded(2)) - 1
    weights = np.array([0.299, 0.587, 0.114]) if channels == 3 else np.ones(1)
    for item in range(6):
        bright, contrast, saturation = 1 + drawn[item].numpy() * (0.3, 0.5, 0.9)
        picture = batch[item].double().numpy() * bright
        mean = np.tensordot(weights, picture, 1).mean()
        picture = mean + (picture - mean) * contrast
        grey = np.tensordot(weights, picture, 1)
        expected = np.clip(grey + (picture - grey) * saturation, 0, 1)
        np.testing.assert_allclose(out[item].numpy(), expected, atol=1e-5)
    wild = Colour(brightness=1, contrast=1, saturation=1)(pictures(50, channels, 4, 4), seeded(0))
    assert wild.min() == 0
    assert wild.max() == 1


def slow_blur(picture: np.ndarray, spread: float, reach: int) -> np.ndarray:
    """[H, W] convolved with a Gaussian of standard deviation `spread` that sums to 1."""
    weights = [math.exp(-(k**2) / (2 * spread**2)) for k in range(-reach, reach + 1)]
    out = np.zeros_like(picture)
    for i, j in np.ndindex(picture.shape):
        for m, n in product(range(-reach, reach + 1), repeat=2):
            if 0 <= i + m < picture.shape[0] and 0 <= j + n < picture.shape[1]:
                weight = weights[m + reach] * weights[n + reach] / sum(weights) ** 2
                out[i, j] += weight * picture[i + m, j + n]
    return out


def test_blur_is_its_formula() -> None:
    batch = pictures(10, 2, 9, 12)
    out = Blur(0.1, probability=0.6)(batch, seeded(6))
    drawn = torch.rand(10, 2, generator=seeded(6)).double().numpy()
    chosen = drawn[:, 0] < 0.6
    assert 3 <= chosen.sum() <= 8
    spreads = 12 * 0.1 * drawn[:, 1]
    reach = max(1, int(3 * spreads[chosen].max() + 0.5))
    for item in range(10):
        expected = batch[item].double().numpy()
        if chosen[item]:
            soft = np.stack([slow_blur(plane, spreads[item], reach) for plane in expected])
            expected = soft * expected.max() / soft.max()
        np.testing.assert_allclose(out[item].numpy(), expected, atol=2e-5)


@pytest.mark.parametrize("augment", ALL, ids=str)
@given(
    shape=st.tuples(
        st.integers(1, 5), st.sampled_from([1, 3]), st.integers(1, 20), st.integers(1, 20)
    ),
    seed=st.integers(0, 999),
)
@settings(max_examples=12, deadline=None)
def test_what_all_promise(augment: object, shape: tuple[int, int, int, int], seed: int) -> None:
    batch = pictures(*shape, seed=seed)
    before, state = batch.clone(), torch.get_rng_state()
    out = augment(batch, seeded(seed))
    assert out.shape == batch.shape
    assert out.dtype == torch.float32
    assert out.isfinite().all()
    assert ((out >= -1e-6) & (out <= 1 + 1e-6)).all()
    assert torch.equal(batch, before)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(augment(batch, seeded(seed)), out)


@pytest.mark.parametrize("augment", ALL, ids=str)
def test_seeds_and_pictures_differ(augment: object) -> None:
    batch = pictures(1, 3, 12, 12).repeat(16, 1, 1, 1)
    one, two = augment(batch, seeded(0)), augment(batch, seeded(1))
    assert not torch.equal(one, two)
    assert not torch.equal(one[:1].expand_as(one), one)
    assert "0x" not in repr(augment)


@pytest.mark.parametrize(
    "still",
    [
        Warp(rotation=0, scale=0, shear=0, shift=0, elastic=0),
        Warp(rotation=0, scale=0, shear=0, shift=0, elastic=0, fill=0.5),
        Affine(rotation=0, scale=(1, 1), shear=0, shift=0),
        replace(Affine.koch(), probability=0),
        Elastic(0),
        Crop(1.0),
        Flip(across=0),
        Colour(brightness=0, contrast=0, saturation=0),
        Blur(0.0),
        Blur(probability=0.0),
        Chain([]),
    ],
    ids=str,
)
def test_no_strength_changes_nothing(still: object) -> None:
    batch = pictures(5, 3, 11, 17)
    torch.testing.assert_close(still(batch, seeded(0)), batch, atol=1e-5, rtol=0)


def test_chain_applies_its_parts_in_order() -> None:
    batch, generator = pictures(4, 1, 9, 9), seeded(4)
    expected = Flip()(Warp()(batch, generator), generator)
    assert torch.equal(Chain([Warp(), Flip()])(batch, seeded(4)), expected)


def test_koch_has_the_papers_settings() -> None:
    koch = Affine.koch()
    assert (koch.rotation, koch.scale, koch.shear, koch.probability) == (10, (0.8, 1.2), 0.3, 0.5)
    assert koch.shift * 105 == pytest.approx(2)


def test_defaults_of_warp() -> None:
    assert Warp() == Warp(rotation=12, scale=0.2, shear=0.2, shift=0.09, elastic=0.04, fill=0)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Warp(rotation=-1), "`rotation` must be a number of 0 or more; got -1"),
        (lambda: Warp(elastic=math.nan), "`elastic`"),
        (lambda: Affine(shear=math.inf), "`shear`"),
        (lambda: Affine(scale=(1.2, 0.8)), "`scale` must be two rising factors"),
        (lambda: Affine(scale=(0.0, 1.0)), "`scale`"),
        (lambda: Affine(probability=1.5), "`probability` must lie between 0 and 1; got 1.5"),
        (lambda: Elastic(-0.1), "`strength`"),
        (lambda: Crop(0), "`least` must be above 0 and at most 1; got 0"),
        (lambda: Crop(1.1), "`least`"),
        (lambda: Flip(down=2), "`down` must lie between 0 and 1; got 2"),
        (lambda: Blur(0.3), "`most` must lie between 0 and 0.25 of a side; got 0.3"),
        (lambda: Blur(probability=-1.0), "`probability` must lie between 0 and 1; got -1.0"),
        (lambda: Colour(contrast=-1), "`contrast`"),
        (lambda: Colour(brightness=1.5), "`brightness` must be at most 1; got 1.5"),
    ],
)
def test_what_cannot_be_is_refused(make: object, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        make()
