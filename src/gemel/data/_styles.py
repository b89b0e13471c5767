"""What the symbols of one made-up alphabet have in common, and strokes in that style."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from gemel.data._strokes import (
    KINDS,
    Curve,
    Numbers,
    Random,
    Segment,
    centred,
    crowding,
    one_of,
    running,
    through,
    walk,
)

STROKES = 6
"""The most strokes that a symbol has."""

RELATIONS = ("start", "end", "cross", "bridge", "beside", "mirror", "apart", "dot")
"""How a later stroke meets the earlier ones: with its start, end or middle; joining two of them;
a repetition beside them, the same mirrored; apart from them; or a dot."""

_COMMON = np.array([3.4, 1.3, 1.7, 1.3, 0.35, 0.3, 0.3, 0.35])
_TILTS = np.array([0.0, 0.5, 0.5, 0.0, 0.5, 0.5, 0.5, 1.0, 0.25, 0.75, 0.4, 0.6]) * np.pi
_LENGTHS = (1, 2, 3, 4)
_LENGTH_SUMS = (0.5, 0.75, 0.92, 1.0)


@dataclass(frozen=True)
class Style:
    """The style of one alphabet. Weights are running sums, as `one_of` takes them.

    Attributes:
        kinds: how often each of `KINDS` is drawn.
        headings: directions of strokes, in radians.
        tilted: how often a curve stands at any angle.
        squash: width over height that shapes tend to.
        relations: how often each of `RELATIONS` holds.
        counts: how often a symbol has 1, 2, ... STROKES strokes.
        lattice: how often a stroke goes through places of a lattice.
        places: [L, 2] the lattice, about 1 high.
        steps: for each place, the weights of the place that a stroke goes to next.
        bent: how often a stroke on the lattice bends, or turns smoothly.
        later: size of later strokes beside the first.
        radicals: strokes that come back in several symbols.
        recurring: how often a stroke is one of them.
        frame: a stroke that most symbols begin with, or None.
        derived: how often a symbol is an earlier one with a change.
        dotted: how often a symbol is dots alone.
        composed: how often a symbol is two or three groups of strokes side by side.
        side: [2] direction in which strokes are repeated.
        scale: height of the symbols, in parts of the canvas's side.
    """

    kinds: tuple[float, ...]
    headings: tuple[float, ...]
    tilted: float
    squash: float
    relations: tuple[float, ...]
    counts: tuple[float, ...]
    lattice: float
    places: Curve
    steps: tuple[tuple[float, ...], ...]
    bent: float
    later: float
    radicals: tuple[Curve, ...]
    recurring: float
    frame: Curve | None
    derived: float
    dotted: float
    composed: float
    side: Numbers
    scale: float


def style(random: Random) -> Style:
    """A style by chance."""
    tilts = _TILTS
    if random.random() < 0.2:
        tilts = np.concatenate([tilts, random.uniform(0, 2 * np.pi, 6)])
    elif random.random() < 0.35:
        tilts = tilts[:8]
    mean = 1.0 + random.gamma(1.6) * 0.85
    places = _lattice(random)
    bare = Style(
        kinds=running(np.array(list(KINDS.values())) * random.gamma(0.35, size=len(KINDS))),
        headings=tuple(tilts.tolist()),
        tilted=one_of(random, (0.05, 0.15, 0.4)),
        squash=float(np.exp(random.normal() * 0.25)),
        relations=running(_COMMON * random.gamma(0.7, size=len(RELATIONS))),
        counts=running(np.exp(-((np.arange(1, STROKES + 1) - mean) ** 2) / (2 * 0.8**2))),
        lattice=one_of(random, (0.0, 0.25, 0.5, 0.8)),
        places=places,
        steps=_steps(places),
        bent=one_of(random, (0.05, 0.25, 0.6)),
        later=random.uniform(0.45, 0.9),
        radicals=(),
        recurring=0.0,
        frame=None,
        derived=one_of(random, (0.0, 0.2, 0.4, 0.6)),
        dotted=0.97 if random.random() < 0.035 else 0.0,
        composed=one_of(random, (0.0, 0.0, 0.0, 0.0, 0.3, 0.8)),
        side=np.array([1.0, 0.0] if random.random() < 0.6 else [0.0, 1.0]),
        scale=0.56 * float(np.exp(random.normal() * 0.17)),
    )
    return replace(
        bare,
        radicals=tuple(stroke(bare, random) for _ in range(random.integers(3, 8))),
        recurring=one_of(random, (0.2, 0.5, 0.85)),
        frame=stroke(bare, random) if random.random() < 0.2 else None,
    )


def stroke(chosen: Style, random: Random) -> Curve:
    """A stroke in the style: a radical, or a new one that seldom runs over itself.

    The middle of its box is the origin, and its longer side of length 1.
    """
    if random.random() < chosen.recurring:
        return one_of(random, chosen.radicals)
    for _ in range(4):
        if random.random() < chosen.lattice:
            start = int(random.integers(len(chosen.places)))
            curve = centred(lattice_stroke(chosen, start, random))
        else:
            curve = _walked(chosen, random)
        if crowding(curve) < 0.2:
            break
    return curve


def lattice_stroke(chosen: Style, start: int, random: Random) -> Curve:
    """A stroke from place `start` over neighbouring places of the lattice, where those stand."""
    nodes = [start]
    for _ in range(one_of(random, _LENGTHS, _LENGTH_SUMS)):
        goal = _step(chosen, nodes[-1], random)
        nodes.append(_step(chosen, nodes[-1], random) if goal in nodes else goal)
    smooth = len(nodes) > 2 and random.random() < chosen.bent
    bulges = [0.0] * (len(nodes) - 1)
    if not smooth:
        bulges = [
            one_of(random, (-0.45, -0.25, 0.25, 0.45)) if random.random() < chosen.bent else 0.0
            for _ in bulges
        ]
    return through(chosen.places[nodes], bulges, smooth)


def _step(chosen: Style, place: int, random: Random) -> int:
    return one_of(random, range(len(chosen.places)), chosen.steps[place])


def _walked(chosen: Style, random: Random) -> Curve:
    draw: Callable[[Random], list[Segment]] = one_of(random, tuple(KINDS), chosen.kinds)
    segments = draw(random)
    heading = one_of(random, chosen.headings)
    if any(turn for _, _, turn in segments):
        # Most curves stand upright: the heading in their middle is a preferred one.
        heading -= sum(corner + turn for corner, _, turn in segments) / 2
        if random.random() < chosen.tilted:
            heading = random.uniform(0, 2 * np.pi)
    curve = walk(heading, segments)
    if len(segments) > 1 or segments[0][2]:
        squash = np.sqrt(chosen.squash * np.exp(random.normal(size=2) * 0.2))
        curve = curve * np.array([squash[0], 1 / squash[1]])
    return centred(curve)


def _lattice(random: Random) -> Curve:
    """[L, 2] places in rows and columns that the ends and corners of strokes share."""
    columns = np.linspace(-0.5, 0.5, one_of(random, (2, 3))) * random.uniform(0.55, 1.0)
    rows = np.linspace(-0.5, 0.5, one_of(random, (3, 4)))
    rows[1:-1] += random.normal(size=len(rows) - 2) * 0.05
    return np.stack(np.meshgrid(columns, rows, indexing="ij"), axis=-1).reshape(-1, 2)


def _steps(places: Curve) -> tuple[tuple[float, ...], ...]:
    gaps = np.abs(places[:, None] - places)
    upright = np.where(gaps.min(axis=-1) < 1e-6, 5.0, 1.0)
    far = gaps.max(axis=-1)
    weights = upright * (far > 0) * np.where(far > 0.7, 0.6, 1.0)
    return tuple(running(row) for row in weights)
