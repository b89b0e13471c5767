"""Shapes of single pen strokes: walked by a turtle, or laid through places.

A shape is an array [POINTS, 2] of points at even steps along the stroke, x to the right and y
downwards. Angles are in radians, clockwise from the right.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

POINTS = 33
"""Points of one stroke. 32 steps halve evenly, which the renderer uses for short strokes."""

Numbers = NDArray[np.float64]
Curve = NDArray[np.float64]
Random = np.random.Generator
Segment = tuple[float, float, float]
"""One piece of a walk: the corner before it, its length, how far it turns."""

T = TypeVar("T")

_ALONG = np.linspace(0, 1, POINTS)
_T = np.linspace(0, 1, 13)[:, None]
_BULGE = 4 * _T * (1 - _T)
_EASE, _RISE, _FALL = _T**2 * (3 - 2 * _T), _T * (1 - _T) ** 2 / 2, -(_T**2) * (1 - _T) / 2
_FINE = 40


def one_of(random: Random, options: Sequence[T], cumulative: Sequence[float] = ()) -> T:
    """One of `options` by chance: all alike, or by weights given as running sums that end at 1."""
    if cumulative:
        return options[min(bisect_right(cumulative, random.random()), len(options) - 1)]
    return options[int(random.random() * len(options))]


def running(weights: Numbers) -> tuple[float, ...]:
    """Weights as the running sums that `one_of` takes."""
    return tuple((np.cumsum(weights) / weights.sum()).tolist())


def walk(heading: float, segments: Sequence[Segment]) -> Curve:
    """The curve [POINTS, 2] that a turtle walks from `heading`."""
    total = sum(length for _, length, _ in segments)
    headings, steps = [], []
    for corner, length, turn in segments:
        heading += corner
        count = max(2, round(_FINE * length / total))
        headings.append(heading + (turn / count) * (np.arange(count) + 0.5))
        steps += [length / count] * count
        heading += turn
    angle = np.concatenate(headings)
    path = np.zeros((len(angle) + 1, 2))
    np.cumsum(np.cos(angle) * steps, out=path[1:, 0])
    np.cumsum(np.sin(angle) * steps, out=path[1:, 1])
    return evenly(path)


def through(nodes: Curve, bulges: Sequence[float], smooth: bool) -> Curve:
    """The curve [POINTS, 2] through `nodes` [N, 2], N of 2 or more.

    Args:
        nodes: its two ends, and where it goes through.
        bulges: N - 1 numbers, how far each piece bends aside in parts of its length.
        smooth: whether it turns smoothly at the nodes (a Catmull-Rom spline) or in corners.
    """
    if not smooth and not any(bulges):
        return evenly(nodes)
    padded = np.concatenate([2 * nodes[:1] - nodes[1:2], nodes, 2 * nodes[-1:] - nodes[-2:-1]])
    pieces = []
    for k, bulge in enumerate(bulges):
        before, start, end, after = padded[k : k + 4]
        chord = end - start
        if smooth:
            piece = start + _EASE * chord + _RISE * (end - before) + _FALL * (after - start)
        else:
            piece = start + _T * chord + (bulge * _BULGE) * np.array([-chord[1], chord[0]])
        pieces.append(piece)
    return evenly(np.concatenate(pieces))


def evenly(path: Curve) -> Curve:
    """POINTS points at even steps along the broken line `path` [N, 2]."""
    step = np.hypot(path[1:, 0] - path[:-1, 0], path[1:, 1] - path[:-1, 1])
    reached = np.zeros(len(path))
    np.cumsum(step, out=reached[1:])
    even = _ALONG * reached[-1]
    points = np.empty((POINTS, 2))
    points[:, 0] = np.interp(even, reached, path[:, 0])
    points[:, 1] = np.interp(even, reached, path[:, 1])
    return points


def centred(curve: Curve) -> Curve:
    """`curve` with the middle of its box at the origin and its longer side of length 1."""
    low, high = curve.min(axis=0), curve.max(axis=0)
    middle: Numbers = (low + high) / 2
    return (curve - middle) / max(float((high - low).max()), 1e-9)


def winding(curve: Curve) -> float:
    """Its length over the greatest distance from its start: 1 for a line."""
    step = curve[1:] - curve[:-1]
    away = curve - curve[0]
    reach = np.hypot(away[:, 0], away[:, 1]).max()
    return float(np.hypot(step[:, 0], step[:, 1]).sum() / max(reach, 1e-9))


def crowding(curve: Curve) -> float:
    """The part of its points that lie close to a part of it that is not next to them."""
    few = curve[::2]
    gaps = ((few[:, None] - few) ** 2).sum(axis=-1)
    return float(((gaps < 0.12**2) & _APART).any(axis=1).mean())


_STEPS = np.abs(np.arange(0, POINTS, 2)[:, None] - np.arange(0, POINTS, 2))
_APART = (_STEPS > 6) & (_STEPS < POINTS - 6)  # the ends of a closed stroke may meet


def dot(random: Random, size: float) -> Curve:
    """A dot about `size` across: a speck, or where it is larger a scribble that fills it."""
    heading = random.uniform(0, 2 * np.pi)
    if size < 0.08:
        return walk(heading, [(0.0, size * random.uniform(0.3, 1.0), 2.0)])
    return walk(heading, [(0.0, size * random.uniform(2.0, 6.0), 14.0)])


def _sign(random: Random) -> float:
    return 1.0 if random.random() < 0.5 else -1.0


def _line(_: Random) -> list[Segment]:
    return [(0.0, 1.0, 0.0)]


def _bow(random: Random) -> list[Segment]:
    return [(0.0, 1.0, _sign(random) * random.uniform(0.4, 1.3))]


def _corner(random: Random) -> list[Segment]:
    turn = one_of(random, (0.5, 0.5, 0.5, 0.33, 0.7)) * np.pi
    return [(0.0, 1.0, 0.0), (_sign(random) * turn, random.uniform(0.35, 1.3), 0.0)]


def _zigzag(random: Random) -> list[Segment]:
    turn = random.uniform(0.5, 0.85) * np.pi * _sign(random)
    count = one_of(random, (3, 4, 5))
    return [(turn * (-1) ** k if k else 0.0, random.uniform(0.6, 1.1), 0.0) for k in range(count)]


def _bracket(random: Random) -> list[Segment]:
    turn = random.uniform(0.4, 0.55) * np.pi * _sign(random)
    last = turn if random.random() < 0.75 else -turn
    return [(corner, random.uniform(0.4, 1.2), 0.0) for corner in (0.0, turn, last)]


def _arc(random: Random) -> list[Segment]:
    return [(0.0, 1.0, _sign(random) * random.uniform(1.8, 4.8))]


def _hook(random: Random) -> list[Segment]:
    curl = (0.0, random.uniform(0.3, 1.2), _sign(random) * random.uniform(1.6, 4.2))
    return [(0.0, 1.0, 0.0), curl] if random.random() < 0.7 else [curl, (0.0, 1.0, 0.0)]


def _double_hook(random: Random) -> list[Segment]:
    return [
        (0.0, random.uniform(0.25, 0.8), _sign(random) * random.uniform(1.2, 3.4)),
        (0.0, random.uniform(0.3, 1.2), 0.0),
        (0.0, random.uniform(0.25, 0.8), _sign(random) * random.uniform(1.2, 3.4)),
    ]


def _ess(random: Random) -> list[Segment]:
    sign = _sign(random)
    return [
        (0.0, random.uniform(0.6, 1.3), turn * random.uniform(1.8, 4.0)) for turn in (sign, -sign)
    ]


def _bumps(random: Random) -> list[Segment]:
    sign, turn, back = _sign(random), random.uniform(2.2, 4.0), random.uniform(1.8, 3.0)
    return [
        (-sign * back if k else 0.0, random.uniform(0.7, 1.2), sign * turn)
        for k in range(one_of(random, (2, 3)))
    ]


def _wave(random: Random) -> list[Segment]:
    turn = random.uniform(1.6, 3.4) * _sign(random)
    return [
        (0.0, random.uniform(0.7, 1.2), turn * (-1) ** k) for k in range(one_of(random, (3, 4)))
    ]


def _ring(random: Random) -> list[Segment]:
    return [(0.0, 1.0, _sign(random) * random.uniform(5.9, 6.8))]


def _polygon(random: Random) -> list[Segment]:
    sign = _sign(random)
    if random.random() < 0.25:
        return [(sign * 2 * np.pi / 3 if k else 0.0, 1.0, 0.0) for k in range(3)]
    sides = (1.0, random.uniform(0.6, 1.6))
    return [(sign * np.pi / 2 if k else 0.0, sides[k % 2], 0.0) for k in range(4)]


def _loop(random: Random) -> list[Segment]:
    sign = _sign(random)
    return [
        (0.0, random.uniform(0.5, 1.4), sign * random.uniform(-0.9, 0.9)),
        (0.0, random.uniform(0.8, 1.8), sign * random.uniform(3.8, 5.8)),
        (0.0, random.uniform(0.3, 1.3), sign * random.uniform(-1.0, 1.0)),
    ]


def _nine(random: Random) -> list[Segment]:
    sign = _sign(random)
    ring = (0.0, random.uniform(1.0, 2.2), sign * random.uniform(5.2, 6.6))
    tail = (0.0, random.uniform(0.5, 1.4), sign * random.uniform(-0.8, 0.8))
    return [tail, ring] if random.random() < 0.5 else [ring, tail]


def _spiral(random: Random) -> list[Segment]:
    turn, shrink = _sign(random) * np.pi * 0.75, random.uniform(0.5, 0.75)
    inwards = [(0.0, shrink**k, turn) for k in range(one_of(random, (3, 4, 5)))]
    return inwards if random.random() < 0.6 else inwards[::-1]


def _free(random: Random) -> list[Segment]:
    return [
        (
            _sign(random) * random.uniform(1.0, 2.4) if k and random.random() < 0.3 else 0.0,
            random.uniform(0.4, 1.3),
            random.normal() * 1.7,
        )
        for k in range(one_of(random, (2, 3, 4, 5)))
    ]


def _chain(random: Random) -> list[Segment]:
    """Two or three other strokes without lifting the pen."""
    chain: list[Segment] = []
    for k in range(one_of(random, (2, 3))):
        piece = one_of(random, _LINKS)(random)
        scale = random.uniform(0.7, 1.4) / sum(length for _, length, _ in piece)
        bend = _sign(random) * random.uniform(1.2, 2.8) if k and random.random() < 0.6 else 0.0
        chain.append((bend, piece[0][1] * scale, piece[0][2]))
        chain += [(corner, length * scale, turn) for corner, length, turn in piece[1:]]
    return chain


_LINKS = (_line, _hook, _arc, _bumps, _loop, _ess, _corner, _nine, _bow)

KINDS: Mapping[Callable[[Random], list[Segment]], float] = MappingProxyType(
    {
        _line: 3.0,
        _bow: 1.2,
        _corner: 1.6,
        _zigzag: 0.9,
        _bracket: 1.0,
        _arc: 1.8,
        _hook: 1.6,
        _double_hook: 0.9,
        _ess: 0.7,
        _bumps: 0.7,
        _wave: 0.4,
        _ring: 1.0,
        _polygon: 0.6,
        _loop: 0.8,
        _nine: 0.8,
        _spiral: 0.2,
        _free: 1.2,
        _chain: 1.8,
    }
)
"""Kinds of stroke, each a function that draws the segments of one, and how common they are."""
