"""How people draw symbols: their habits over a whole alphabet, and the chance of each drawing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gemel.data._strokes import POINTS, Curve, Numbers, Random
from gemel.data._styles import STROKES
from gemel.data._symbols import Symbol

WAVES = 8
"""Cosine waves along a stroke that bend it: half a wave, one, ... four."""

_OF_STROKE = 2 * WAVES + 8
_OF_WHOLE = 13
NUMBERS = STROKES * _OF_STROKE + _OF_WHOLE
"""How many normal numbers one drawing takes."""

HABITS = 10
"""How many normal numbers the habits of one drawer take."""

CHANCES = 4
"""How many numbers from 0 to 1 the pen of one drawer takes."""

PEN = 0.0495
"""Width of a common pen, in parts of the canvas's side: 1.4 pixels of 28."""

Matrix = tuple[tuple[Numbers, Numbers], tuple[Numbers, Numbers]]
"""((xx, xy), (yx, yy)): x becomes xx x + xy y, and y becomes yx x + yy y."""


@dataclass(frozen=True)
class Habits:
    """What D drawers of one alphabet do in all of its symbols.

    Attributes:
        pen: [D] width of the pen, in parts of the canvas's side.
        edge: [D] over what width its edge fades, in the same unit; 0 is crisp.
        care: [D] factor on all that differs from drawing to drawing.
        turning: [D] how strokes turn: 1 rounds all corners, -1 makes corners of curves.
        wobble: [D] factor on the fine waves along strokes.
        size: [2, D] factors on width and height.
        turn: [D] in radians.
        slant: [D] how far the top leans, in parts of the height.
        shift: [2, D] where the symbols stand, from the middle of the canvas.
    """

    pen: Numbers
    edge: Numbers
    care: Numbers
    turning: Numbers
    wobble: Numbers
    size: Numbers
    turn: Numbers
    slant: Numbers
    shift: Numbers


def habits(numbers: Numbers, chances: Numbers, broad: float = 0.0, soft: float = 0.0) -> Habits:
    """The habits of D drawers.

    Args:
        numbers: [D, HABITS] normal numbers.
        chances: [D, CHANCES] numbers from 0 to 1.
        broad: the share of drawers with a broad pen, 1.2 to 3.3 times as wide as others.
        soft: the share of drawers with a soft pen, whose edge fades over 1 to 4 pixels of 28.
    """
    columns, (is_broad, how_broad, is_soft, how_soft) = numbers.T, chances.T
    wider = np.where(is_broad < broad, np.exp(0.2 + how_broad), 1.0)
    return Habits(
        pen=PEN * np.exp(0.08 * np.clip(columns[0], -2.5, 2.5)) * wider,
        edge=np.where(is_soft < soft, (1 + 3 * how_soft) / 28, 0.0),
        care=np.exp(columns[1] * 0.22),
        turning=np.clip(0.1 + 0.45 * columns[2], -1.0, 1.0),
        wobble=np.exp(columns[3] * 0.5),
        size=np.exp(columns[4:6] * 0.07),
        turn=columns[6] * 0.02,
        slant=columns[7] * 0.03,
        shift=columns[8:10] * 0.025 - 0.015,
    )


def drawing_numbers(random: Random, drawers: int) -> tuple[Numbers, Numbers]:
    """Normal numbers of one symbol: [drawers, NUMBERS], and [NUMBERS] of another way to draw it.

    The first drawers' numbers are the same however many drawers there are.
    """
    shared = random.standard_normal(NUMBERS)
    return random.standard_normal((drawers, NUMBERS)), shared


def draw(
    symbols: Sequence[Symbol], numbers: Numbers, shared: Numbers, by: Habits
) -> tuple[Curve, NDArray[np.int64]]:
    """Every symbol by every drawer.

    Args:
        symbols: K symbols.
        numbers: [K, D, NUMBERS] normal numbers of each drawing.
        shared: [K, NUMBERS] normal numbers of another way to draw each symbol; about one drawer
            in five follows it.
        by: the habits of the D drawers.

    Returns:
        [T, D, POINTS, 2] points on the canvas, 0 to 1, of the T strokes that the symbols have
        together; and [T] the symbol that each belongs to.
    """
    other_way = np.where(numbers[..., -1:] > 0.8, 1.3, 0.0)
    mixed = (numbers + other_way * shared[:, None]) / np.sqrt(1 + 0.3 * other_way**2)
    mixed *= by.care[:, None]
    counts = [len(symbol.strokes) for symbol in symbols]
    owner = np.repeat(np.arange(len(symbols)), counts)
    slot = np.concatenate([np.arange(count) for count in counts])
    of_stroke = mixed[..., :-_OF_WHOLE].reshape(*mixed.shape[:2], STROKES, _OF_STROKE)
    own = np.ascontiguousarray(of_stroke[owner, :, slot].transpose(2, 0, 1))
    strokes = _bent(np.concatenate([symbol.strokes for symbol in symbols]), own, by)
    strokes = _hung(symbols, slot, strokes, own[-3:])
    whole = np.ascontiguousarray(mixed[..., -_OF_WHOLE:].transpose(2, 0, 1))
    strokes = _whole(strokes, whole[:, owner], by)
    first = np.cumsum([0, *counts[:-1]])
    goal = 0.5 + by.shift[:, None] + whole[4:6] * 0.040
    placed = _on_canvas(strokes, first, owner, goal, by.pen * 0.6)
    return np.stack(placed, axis=-1), owner


def _matrix(size: Numbers, turn: Numbers, slant: Numbers) -> Matrix:
    """Stretched by `size` [2, ...], then slanted, then turned."""
    cos, sin = np.cos(turn), np.sin(turn)
    return (
        (size[0] * cos, slant * cos - size[1] * sin),
        (size[0] * sin, slant * sin + size[1] * cos),
    )


def _times(matrix: Matrix, x: Numbers, y: Numbers) -> tuple[Numbers, Numbers]:
    (xx, xy), (yx, yy) = ((entry[..., None] for entry in row) for row in matrix)
    return xx * x + xy * y, yx * x + yy * y


def _bent(template: Curve, numbers: Numbers, by: Habits) -> tuple[Numbers, Numbers]:
    """Each stroke [T, POINTS, 2] about its own middle: turned otherwise, bent, stretched.

    `numbers` [_OF_STROKE, T, D]; returns x and y [T, D, POINTS].
    """
    middle = template.mean(axis=1, keepdims=True)
    shape = template - middle
    step = shape[:, 1:] - shape[:, :-1]
    length = np.hypot(step[..., 0], step[..., 1]).sum(axis=1)
    extent = np.ptp(shape, axis=1).max(axis=1)
    # Strokes that wind much keep more of their detail.
    detail = np.searchsorted([2.2, 3.6], length / np.maximum(extent, 1e-9))
    rounder, sharper = (turned[detail] @ shape - shape for turned in _turned())
    turning = by.turning + numbers[-4] * 0.25
    round_by = np.clip(turning, 0, 1)[..., None]
    sharp_by = np.clip(-turning, 0, 1)[..., None]
    order = np.arange(1, WAVES + 1)
    waves = np.cos(np.pi * order[:, None] * np.linspace(0, 1, POINTS))
    strength = 0.065 / order**1.6 + 0.004 * (order > 3) * by.wobble[:, None]
    room = (0.3 * extent + 0.04)[:, None, None]
    bent = []
    for axis in (0, 1):
        amounts = numbers[axis * WAVES : (axis + 1) * WAVES].transpose(1, 2, 0) * strength * room
        line = shape[:, None, :, axis] + round_by * rounder[:, None, :, axis]
        bent.append(line + sharp_by * sharper[:, None, :, axis] + amounts @ waves)
    size, turn, slant = numbers[2 * WAVES : 2 * WAVES + 2], numbers[-6], numbers[-5]
    x, y = _times(_matrix(np.exp(size * 0.13), turn * 0.045, slant * 0.04), *bent)
    return x + middle[..., 0:1], y + middle[..., 1:2]


def _turned() -> tuple[Numbers, Numbers]:
    """Two [3, POINTS, POINTS] that make a stroke rounder, and that give it corners.

    The first of the 3 changes most and keeps least detail.
    """
    place = np.arange(POINTS)
    rounders, sharpers = [], []
    for reach, pieces in ((4.0, 6), (2.5, 11), (1.5, 16)):
        width = np.minimum(np.minimum(place, place[::-1]), reach)[:, None] + 1e-3
        rounder = np.exp(-((place[:, None] - place) ** 2) / (2 * (width / 1.6) ** 2))
        rounders.append(rounder / rounder.sum(axis=1, keepdims=True))
        knots = np.linspace(0, POINTS - 1, pieces + 1)
        at_knots = np.maximum(0, 1 - np.abs(knots[:, None] - place))
        between = np.maximum(0, 1 - np.abs(place[:, None] - knots) / knots[1])
        sharpers.append(between @ at_knots)
    return np.stack(rounders), np.stack(sharpers)


def _hung(
    symbols: Sequence[Symbol],
    slot: NDArray[np.int64],
    strokes: tuple[Numbers, Numbers],
    numbers: Numbers,
) -> tuple[Numbers, Numbers]:
    """Each stroke moved to where it meets the stroke that it hangs on, more or less."""
    template = np.concatenate([symbol.strokes for symbol in symbols])
    number = np.arange(len(slot))
    parent = number - slot + np.concatenate([symbol.parents for symbol in symbols])
    at = np.concatenate([symbol.parent_points for symbol in symbols])
    own = np.concatenate([symbol.own_points for symbol in symbols])
    spread = np.exp(numbers[2] * 0.12)
    for axis, line in enumerate(strokes):
        for later in range(1, slot.max(initial=0) + 1):
            t = number[slot == later]
            gap = template[t, own[t], axis] - template[parent[t], at[t], axis]
            goal = line[parent[t], :, at[t]] + gap[:, None] * spread[t] + numbers[axis, t] * 0.018
            line[t] += (goal - line[t, :, own[t]])[..., None]
    return strokes


def _whole(
    strokes: tuple[Numbers, Numbers], numbers: Numbers, by: Habits
) -> tuple[Numbers, Numbers]:
    """The whole symbol: parts of it grow, it is stretched, turned, slanted. numbers [13, T, D]."""
    x, y = strokes
    terms = (x * x, y * y, x * y)
    warp = numbers[6:12, ..., None] * 0.2
    x = x + sum(amount * term for amount, term in zip(warp[:3], terms, strict=True))
    y = y + sum(amount * term for amount, term in zip(warp[3:], terms, strict=True))
    size = np.exp(numbers[0:2] * 0.06) * by.size[:, None]
    turn, slant = numbers[2] * 0.03 + by.turn, numbers[3] * 0.04 + by.slant
    return _times(_matrix(size, turn, slant), x, y)


def _on_canvas(
    strokes: tuple[Numbers, Numbers],
    first: NDArray[np.int64],
    owner: NDArray[np.int64],
    goal: Numbers,
    margin: Numbers,
) -> list[Numbers]:
    """Moved so that its middle is at `goal` [2, K, D], or as near as the canvas allows.

    One that is too large for the canvas is made smaller. `first` [K] is the first stroke of each
    symbol, `margin` [D] what stays free around it.
    """
    low = [np.minimum.reduceat(line.min(axis=-1), first, axis=0) for line in strokes]
    high = [np.maximum.reduceat(line.max(axis=-1), first, axis=0) for line in strokes]
    sides = [h - w for h, w in zip(high, low, strict=True)]
    fit = np.minimum(1.0, (1 - 2 * margin) / np.maximum(np.maximum(*sides), 1e-9))
    placed = []
    for axis, line in enumerate(strokes):
        half = sides[axis] / 2 * fit
        middle = np.clip(goal[axis], half + margin, 1 - half - margin)
        move = middle - (low[axis] + high[axis]) / 2 * fit
        placed.append(line * fit[owner][..., None] + move[owner][..., None])
    return placed
