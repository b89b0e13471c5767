"""Symbols drawn by code: the same from one seed, rendered as a slow reference does, like real."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from PIL import Image

from gemel.data import _rendering as rendering
from gemel.data import drawn, omniglot
from gemel.data._drawers import CHANCES, HABITS, NUMBERS, PEN, Habits, draw, habits
from gemel.data._strokes import (
    KINDS,
    POINTS,
    centred,
    crowding,
    dot,
    evenly,
    one_of,
    running,
    through,
    walk,
    winding,
)
from gemel.data._styles import STROKES, style
from gemel.data._symbols import ALIKE, Symbol, _density, symbols
from gemel.data.drawn import alphabet
from gemel.errors import SettingsError

Array = NDArray[np.float64]
CRISP = np.zeros(2)


def slow_distance(x: float, y: float, x0: float, y0: float, x1: float, y1: float) -> float:
    """Distance of a point to a piece of a line, from school."""
    squared = (x1 - x0) ** 2 + (y1 - y0) ** 2
    t = 0.0 if squared == 0 else ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / squared
    t = min(max(t, 0.0), 1.0)
    return float(np.hypot(x - x0 - t * (x1 - x0), y - y0 - t * (y1 - y0)))


def slow_picture(strokes: Array, pen: float, size: int) -> Array:
    """[size, size] pixel by pixel: ink 0 to 255 of strokes [S, P, 2] on a canvas of side 1."""
    picture = np.zeros((size, size))
    for row in range(size):
        for column in range(size):
            distance = min(
                slow_distance(column + 0.5, row + 0.5, *(start * size), *(end * size))
                for stroke in strokes
                for start, end in pairwise(stroke)
            )
            # the part of the pixel [d - 1/2, d + 1/2] that lies in the band [-pen/2, pen/2]
            band = pen * size / 2
            covered = min(distance + 0.5, band) - max(distance - 0.5, -band)
            picture[row, column] = 255 * min(max(covered, 0.0), 1.0)
    return picture


def straight(start: tuple[float, float], end: tuple[float, float]) -> Array:
    return np.linspace(start, end, POINTS)


# What comes out


def test_items() -> None:
    items = drawn(alphabets=2, characters=3, drawers=4, size=20, seed=5, name="made up")
    assert items.values.shape == (24, 20, 20)
    assert items.values.dtype == np.uint8
    assert (items.name, items.kind, len(items.classes)) == ("made up", "images", 6)
    assert items.labels[[0, 4, 23]].tolist() == [
        "seed5-alphabet000/symbol00",
        "seed5-alphabet000/symbol01",
        "seed5-alphabet001/symbol02",
    ]
    assert [str(label).split("/")[0] for label in items.labels] == items.groups.tolist()
    assert items.details["drawer"].tolist() == [0, 1, 2, 3] * 6
    assert items.class_groups == ("seed5-alphabet000",) * 3 + ("seed5-alphabet001",) * 3
    # ink is bright on 0, and leaves a rim: the brightest pixel of every picture, and its corners
    assert items.values.max(axis=(1, 2)).min() > 150
    assert (items.values[:, [0, 0, -1, -1], [0, -1, 0, -1]] == 0).mean() > 0.95


def test_defaults_are_50_alphabets_of_25_by_20(monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["gemel.data.drawn"]
    asked: list[tuple[int, int, int, int]] = []

    class Blank:
        def __init__(self, count: int) -> None:
            self.count = count

        def render(self, size: int) -> NDArray[np.uint8]:
            return np.zeros((self.count, size, size), np.uint8)

    def record(number: int, *, characters: int, drawers: int, seed: int, **pens: float) -> Blank:
        assert pens == {"broad": 0.3, "soft": 0.0}
        asked.append((number, characters, drawers, seed))
        return Blank(characters * drawers)

    monkeypatch.setattr(module, "alphabet", record)
    items = drawn()
    assert asked == [(number, 25, 20, 0) for number in range(50)]
    assert (items.values.shape, items.name) == ((25_000, 28, 28), "drawn")


def test_same_seed_same_bytes() -> None:
    first, again = (drawn(alphabets=2, characters=4, drawers=3, seed=7) for _ in range(2))
    assert first.values.tobytes() == again.values.tobytes()
    other = drawn(alphabets=2, characters=4, drawers=3, seed=8)
    assert (other.values != first.values).any(axis=(1, 2)).all()


def test_global_generators_are_left_alone() -> None:
    np.random.seed(3)  # noqa: NPY002 - the global state is what this test is about
    torch.manual_seed(3)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    drawn(alphabets=1, characters=2, drawers=2)
    assert_array_equal(np.random.get_state()[1], before[0])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[1])


def test_an_alphabet_does_not_depend_on_how_many_are_asked_for() -> None:
    few = drawn(alphabets=2, characters=5, drawers=4, seed=1)
    many = drawn(alphabets=4, characters=5, drawers=4, seed=1)
    assert_array_equal(many.values[: len(few)], few.values)
    assert (many.labels[: len(few)] == few.labels).all()


def test_a_drawing_does_not_depend_on_how_many_characters_or_drawers() -> None:
    large = drawn(alphabets=1, characters=9, drawers=7, seed=2).values.reshape(9, 7, 28, 28)
    small = drawn(alphabets=1, characters=4, drawers=3, seed=2).values.reshape(4, 3, 28, 28)
    assert_array_equal(large[:4, :3], small)


def test_alphabets_drawers_and_seeds_differ() -> None:
    pictures = drawn(alphabets=3, characters=6, drawers=5, seed=0).values.reshape(90, -1)
    assert len(np.unique(pictures, axis=0)) == 90


@pytest.mark.parametrize("key", ["alphabets", "characters", "drawers", "size"])
def test_counts_below_one_are_refused(key: str) -> None:
    with pytest.raises(SettingsError, match=f"`{key}` must be 1 or more; got 0"):
        drawn(**{"alphabets": 1, "characters": 2, "drawers": 2, key: 0})


def test_negative_seed_and_number_are_refused() -> None:
    with pytest.raises(SettingsError, match="`seed` must be 0 or more; got -1"):
        drawn(alphabets=1, seed=-1)
    with pytest.raises(SettingsError, match="`number` must be 0 or more; got -2"):
        alphabet(-2)


def test_importing_needs_no_torch() -> None:
    code = "import gemel.data.drawn, sys; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("key", ["broad", "soft"])
def test_shares_are_shares(key: str) -> None:
    with pytest.raises(SettingsError, match=f"`{key}` is a share of the drawers, 0 to 1; got 1.5"):
        alphabet(0, **{key: 1.5})


# Strokes of a drawing


def test_drawing_gives_the_strokes_that_the_picture_shows() -> None:
    made = alphabet(3, characters=4, drawers=3, seed=1)
    picture = made.render(24).reshape(4, 3, 24, 24)[2, 1]
    strokes = made.drawing(2, 1)
    assert strokes.shape == ((made.characters == 2).sum(), POINTS, 2)
    slow = slow_picture(strokes, made.pens[1], 24)
    # short pieces of a stroke are joined to at most 1.4 pixels, which cuts bends a little
    assert np.abs(picture - slow).max() < 40
    assert np.abs(picture - slow).mean() < 1.5


def test_every_stroke_is_on_the_canvas() -> None:
    for number in range(6):
        made = alphabet(number, characters=8, drawers=6, broad=0.0)
        assert (np.diff(made.characters) >= 0).all()
        assert set(made.characters.tolist()) == set(range(8))
        assert np.bincount(made.characters).max() <= STROKES
        assert made.strokes.min() > 0
        assert made.strokes.max() < 1
        assert_allclose(np.log(made.pens / PEN), 0, atol=0.2001)


@pytest.mark.parametrize(("character", "drawer"), [(2, 0), (-1, 0), (0, 3), (0, -1)])
def test_drawings_that_are_not_there(character: int, drawer: int) -> None:
    made = alphabet(0, characters=2, drawers=3)
    with pytest.raises(SettingsError, match="must be 0 to"):
        made.drawing(character, drawer)


# Rendering


@pytest.mark.parametrize("size", [1, 5, 19])
@pytest.mark.parametrize("pen", [0.02, 0.05, 0.3])
def test_render_against_pixel_by_pixel(size: int, pen: float) -> None:
    random = np.random.default_rng(size)
    ends = random.uniform(-0.1, 1.1, (4, 2, 2))  # some of it beyond the canvas
    ends[3, 1] = ends[3, 0]  # a point
    strokes = np.stack([straight(tuple(start), tuple(end)) for start, end in ends])
    owners = np.array([0, 1, 1, 1])
    pens = np.array([pen, pen * 1.4])
    pictures = rendering.render(strokes, owners, pens, CRISP, size=size)
    for number in (0, 1):
        slow = slow_picture(strokes[owners == number], pens[number], size)
        assert_allclose(pictures[number], slow, atol=0.51)


def test_render_of_a_curve_against_pixel_by_pixel() -> None:
    angle = np.linspace(0, 5, POINTS)
    curve = np.stack([0.5 + 0.42 * np.cos(angle), 0.5 + 0.42 * np.sin(angle)], axis=1)
    picture = rendering.render(curve[None], np.array([0]), np.array([0.05]), CRISP[:1], size=48)[0]
    # its pieces are longer than 1.4 pixels: none is joined
    assert_allclose(picture, slow_picture(curve[None], 0.05, 48), atol=0.51)


@pytest.mark.parametrize("angle", [0.0, 0.3, 0.785])
def test_render_is_close_to_averaging_a_finer_drawing(angle: float) -> None:
    fine, size, pen = 12, 28, 0.05
    towards = 0.3 * np.array([np.cos(angle), np.sin(angle)])
    stroke = straight(tuple(0.51 - towards), tuple(0.51 + towards))
    picture = rendering.render(stroke[None], np.array([0]), np.array([pen]), CRISP[:1], size=size)[
        0
    ]
    side = (np.arange(size * fine) + 0.5) / (size * fine)
    x, y = np.meshgrid(side, side)
    along = ((x - 0.51) * towards[0] + (y - 0.51) * towards[1]) / 0.3
    across = ((x - 0.51) * towards[1] - (y - 0.51) * towards[0]) / 0.3
    beyond = np.maximum(np.abs(along) - 0.3, 0)  # half of the stroke's length
    black = (np.hypot(across, beyond) < pen / 2) * 255.0
    averaged = black.reshape(size, fine, size, fine).mean(axis=(1, 3))
    print(np.abs(picture - averaged).max(), picture.sum() / averaged.sum())
    assert np.abs(picture - averaged).max() < 45
    assert abs(picture.sum() / averaged.sum() - 1) < 0.05


def test_render_in_chunks_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    made = alphabet(1, characters=5, drawers=5, broad=0.5, soft=0.5)
    whole = made.render()
    monkeypatch.setattr(rendering, "PIXELS", 7 * 28 * 28)
    assert_array_equal(made.render(), whole)


def test_ink_of_a_line_is_as_wide_as_the_pen() -> None:
    line = straight((0.3, 0.5), (0.7, 0.5))
    picture = rendering.render(line[None], np.array([0]), np.array([0.06]), CRISP[:1], size=50)[0]
    assert_allclose(picture[:, 20:30].sum(axis=0) / 255, 0.06 * 50, atol=0.01)


def test_a_soft_edge_is_an_average_over_its_width() -> None:
    line = straight((0.5, 0.1), (0.5, 0.9))
    pens, edges, size = np.array([0.05]), np.array([0.2]), 40
    row = rendering.render(line[None], np.array([0]), pens, edges, size=size)[0, 20]
    fine = np.linspace(0, 1, 100_001)
    for column in range(size):
        around = np.abs(fine - (column + 0.5) / size) < 0.1  # the edge's width, around the pixel
        covered = (np.abs(fine[around] - 0.5) < 0.025).mean()
        assert abs(row[column] - 255 * covered / 0.25) < 1.5  # at most a quarter is covered
    assert row.max() == 255


def test_broad_and_soft_pens() -> None:
    plain, broad, soft = (
        alphabet(2, characters=2, drawers=40, broad=b, soft=s)
        for b, s in ((0.0, 0.0), (0.5, 0.0), (0.0, 1.0))
    )
    wider = broad.pens / plain.pens
    assert 0.3 < (wider > 1).mean() < 0.7
    assert (wider[wider > 1] > 1.2).all()
    assert wider.max() < 3.4
    assert_array_equal(plain.edges, 0)
    assert ((soft.edges > 1 / 28) & (soft.edges < 4 / 28)).all()
    assert_array_equal(soft.strokes, plain.strokes)
    assert broad.render().mean() > 1.2 * plain.render().mean()


def test_pieces_are_joined_only_as_far_as_asked() -> None:
    long, short, speck = (straight((0, 0), (length, 0)) for length in (64.0, 16.0, 0.5))
    strokes, owners = np.stack([long, short, speck]), np.array([0, 0, 2])
    pieces, of = rendering.pieces_of(strokes, owners, longest=1.4)
    lengths = np.hypot(pieces[:, 2] - pieces[:, 0], pieces[:, 3] - pieces[:, 1])
    # 64 long: pieces of 2 stay; 16 long: of 0.5, joined to 1; the speck: four are left
    assert np.bincount(of).tolist() == [32 + 16, 0, 4]
    assert_allclose(np.sort(lengths), [0.125] * 4 + [1.0] * 16 + [2.0] * 32, rtol=1e-5)
    assert_allclose(lengths.sum(), 80.5, rtol=1e-6)


def test_distances_near_the_pieces() -> None:
    random = np.random.default_rng(0)
    pieces = random.uniform(0, 12, (9, 4)).astype(np.float32)
    owners = np.repeat([0, 1, 2], 3)
    squared = rendering.squared_distances(pieces, owners, count=3, size=12, reach=2.5)
    slow = np.array(
        [
            [
                [
                    min(slow_distance(x + 0.5, y + 0.5, *p) for p in pieces[owners == n])
                    for x in range(12)
                ]
                for y in range(12)
            ]
            for n in range(3)
        ]
    )
    near = slow < 2.5
    assert near.mean() > 0.3
    assert_allclose(np.sqrt(squared[near]), slow[near], atol=1e-4)
    assert (np.sqrt(squared[~near]) > 2.49).all()


# Strokes


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_every_kind_of_stroke_is_a_curve(kind: Callable[..., list], seed: int) -> None:
    segments = kind(np.random.default_rng(seed))
    curve = walk(0.7, segments)
    assert_allclose(curve[0], 0)
    step = np.diff(curve, axis=0)
    length = sum(length for _, length, _ in segments)
    assert length * 0.9 < np.hypot(step[:, 0], step[:, 1]).sum() < length * 1.01
    boxed = centred(curve)
    assert_allclose(boxed.min(axis=0) + boxed.max(axis=0), 0, atol=1e-9)
    assert_allclose(np.ptp(boxed, axis=0).max(), 1)


def test_walk_in_a_circle() -> None:
    circle = walk(0.0, [(0.0, 2 * np.pi, 2 * np.pi)])  # of radius 1, around (0, 1): y is downwards
    assert_allclose(np.hypot(circle[:, 0], circle[:, 1] - 1), 1, atol=0.01)
    assert_allclose(circle[-1], 0, atol=1e-9)
    assert_allclose(circle[8], [1, 1], atol=0.01)  # a quarter on, it has gone to the right


def test_walk_round_a_corner() -> None:
    corner = walk(0.0, [(0.0, 1.0, 0.0), (np.pi / 2, 1.0, 0.0)])
    assert_allclose(corner[[0, 16, 32]], [[0, 0], [1, 0], [1, 1]], atol=1e-9)


def test_through_passes_its_nodes() -> None:
    nodes = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    cornered = through(nodes, [0.0, 0.0], smooth=False)
    assert_allclose(cornered[[0, 16, 32]], nodes, atol=1e-9)
    assert_allclose(cornered[8], [0.5, 0])
    smooth = through(nodes, [0.0, 0.0], smooth=True)
    gaps = np.hypot(*(smooth[:, None] - nodes).transpose(2, 0, 1)).min(axis=0)
    assert_allclose(gaps, 0, atol=0.03)
    # a Catmull-Rom spline, halfway: (-p0 + 9 p1 + 9 p2 - p3) / 16, with the ends mirrored
    middle = (-np.array([-1.0, 0.0]) + 9 * nodes[0] + 9 * nodes[1] - nodes[2]) / 16
    assert np.hypot(*(smooth - middle).T).min() < 0.02
    bulged = through(nodes[:2], [0.3], smooth=False)
    assert_allclose(bulged[16], [0.5, 0.3], atol=0.01)


def test_evenly() -> None:
    points = evenly(np.array([[0.0, 0.0], [3.0, 0.0], [3.0, 1.0]]))
    assert_allclose(np.hypot(*np.diff(points, axis=0).T), 4 / 32)
    assert_allclose(points[24], [3, 0])


def test_winding_and_crowding() -> None:
    line, circle = straight((0, 0), (1, 0)), walk(0.0, [(0.0, np.pi, 2 * np.pi)])
    assert_allclose([winding(line), winding(circle)], [1, np.pi], rtol=0.01)
    assert crowding(line) == 0
    assert crowding(circle) == 0  # its two ends may meet
    there_and_back = through(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 0.0]]), [0.0, 0.0], False)
    assert crowding(there_and_back) > 0.5


def test_dots_are_small() -> None:
    random = np.random.default_rng(0)
    for size in (0.06, 0.12):
        assert max(np.ptp(dot(random, size), axis=0).max() for _ in range(20)) < size * 1.1


def test_one_of_follows_the_weights() -> None:
    random = np.random.default_rng(0)
    sums = running(np.array([1.0, 0.0, 3.0]))
    assert_allclose(sums, [0.25, 0.25, 1])
    drawn_ones = [one_of(random, "abc", sums) for _ in range(4000)]
    assert "b" not in drawn_ones
    assert abs(drawn_ones.count("a") / 4000 - 0.25) < 0.03
    assert abs([one_of(random, "abc") for _ in range(4000)].count("b") / 4000 - 1 / 3) < 0.03


# Symbols and drawers


@pytest.mark.parametrize("number", range(8))
def test_symbols_hang_together_and_differ(number: int) -> None:
    random = np.random.default_rng([0, number])
    made = symbols(style(random), 12, random)
    inks = []
    for symbol in made:
        count = len(symbol.strokes)
        assert symbol.strokes.shape == (count, POINTS, 2)
        assert symbol.parents[0] == -1
        assert (symbol.parents[1:] < np.arange(1, count)).all()
        assert (symbol.parents[1:] >= 0).all()
        low, high = symbol.box()
        assert_allclose(low + high, 0, atol=1e-9)
        assert np.max(high - low) < 0.87
        inks.append(np.sqrt(_density(symbol.strokes) / _density(symbol.strokes).sum()))
    alike = np.triu(np.array(inks) @ np.array(inks).T, 1)
    # a symbol that found no free form in several tries is let pass; that is rare
    assert (alike > ALIKE).sum() <= 1


def test_an_alphabet_of_dots() -> None:
    random = np.random.default_rng(0)
    dotted = replace(style(random), dotted=1.0, derived=0.0)
    for symbol in symbols(dotted, 8, random):
        across = np.ptp(symbol.strokes, axis=1).max()
        assert across < 0.2
        middles = symbol.strokes.mean(axis=1)
        gaps = np.hypot(*(middles[:, None] - middles).transpose(2, 0, 1))
        assert (gaps[np.triu_indices(len(gaps), 1)] > across).all()


def test_first_symbols_do_not_depend_on_how_many() -> None:
    def first(count: int) -> list[Symbol]:
        random = np.random.default_rng(4)
        return symbols(style(random), count, random)[:3]

    for few, many in zip(first(3), first(9), strict=True):
        assert_array_equal(few.strokes, many.strokes)


def plain_habits(drawers: int) -> Habits:
    return habits(np.zeros((drawers, HABITS)), np.zeros((drawers, CHANCES)))


def tee() -> Symbol:
    """A bar, and a stem whose start hangs on the bar's middle."""
    bar, stem = straight((-0.2, -0.2), (0.2, -0.2)), straight((0.0, -0.2), (0.0, 0.2))
    return Symbol(np.stack([bar, stem]), np.array([-1, 0]), np.array([0, 16]), np.array([0, 0]))


def test_without_chance_a_symbol_is_drawn_as_meant() -> None:
    by = plain_habits(2)
    strokes, of = draw([tee()], np.zeros((1, 2, NUMBERS)), np.zeros((1, NUMBERS)), by)
    assert of.tolist() == [0, 0]
    assert strokes.shape == (2, 2, POINTS, 2)
    # the habits stand a little off the middle, and round corners, of which a tee has none
    assert_allclose(strokes[:, 0] - 0.485, tee().strokes, atol=1e-3)
    assert_array_equal(by.pen, [PEN, PEN])


def test_chance_moves_strokes_but_keeps_them_together() -> None:
    random = np.random.default_rng(0)
    by = plain_habits(400)
    numbers = random.standard_normal((1, 400, NUMBERS))
    strokes, _ = draw([tee()], numbers, random.standard_normal((1, NUMBERS)), by)
    joint = np.hypot(*(strokes[1, :, 0] - strokes[0, :, 16]).T)
    assert 0.005 < np.median(joint) < 0.05
    heights = np.ptp(strokes[..., 1], axis=(0, 2))
    assert 0.08 < np.log(heights).std() < 0.25
    middles = (strokes.min(axis=(0, 2)) + strokes.max(axis=(0, 2))) / 2
    assert_allclose(middles.std(axis=0), 0.042, atol=0.008)


def test_a_symbol_too_large_is_made_to_fit() -> None:
    large = tee().at(tee().strokes * 4)
    by = plain_habits(1)
    strokes, _ = draw([large], np.zeros((1, 1, NUMBERS)), np.zeros((1, NUMBERS)), by)
    assert_allclose([strokes.min(), strokes.max()], [0.6 * PEN, 1 - 0.6 * PEN], atol=1e-9)


# Beside real drawings


def nearest_pixels(pictures: Array, seed: int) -> float:
    """Right answers, nearest pixels, 20-way within one alphabet: [A, C, D, pixels]."""
    random = np.random.default_rng(seed)
    right = []
    for _ in range(60):
        one = pictures[random.integers(len(pictures))]
        chosen = random.permutation(len(one))[:20]
        left, query = random.permutation(one.shape[1])[:2]
        gaps = (one[chosen, left][:, None] - one[chosen, query]) ** 2
        right.append((gaps.sum(axis=-1).argmin(axis=0) == np.arange(20)).mean())
    return float(np.mean(right))


def test_like_omniglot(data_folder: Callable[[str], Path]) -> None:
    real = omniglot(data_folder("omniglot"), part="small1")
    small = np.stack(
        [
            np.asarray(Image.fromarray(picture).resize((28, 28), Image.Resampling.BOX))
            for picture in real.values
        ]
    )
    made = drawn(alphabets=12, characters=20, drawers=10, broad=0.0)
    ink, real_ink = made.values.mean(axis=(1, 2)) / 255, 1 - small.mean(axis=(1, 2)) / 255
    assert abs(np.median(ink) / np.median(real_ink) - 1) < 0.2
    assert abs(np.std(ink) / np.std(real_ink) - 1) < 0.5
    right = nearest_pixels(made.values.reshape(12, 20, 10, -1) / 255.0, 0)
    assert 0.15 < right < 0.35  # of real alphabets: 0.21
