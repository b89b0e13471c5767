"""Symbols put together from strokes, so that those of one alphabet are alike in style."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gemel.data._strokes import POINTS, Curve, Numbers, Random, dot, one_of, winding
from gemel.data._styles import RELATIONS, STROKES, Style, lattice_stroke, stroke

ALIKE = 0.97
"""A symbol whose blurred ink correlates more than this with an earlier one is made anew."""

DENSE = 0.36
"""A symbol with more strokes than this in one place is made anew; two that cross give about 0.3."""

_LAYOUTS = (((1.0, 0.0),), ((0.0, 1.0),), ((1.0, 0.0), (0.0, 1.0)), ((1.0, 0.0), (1.0, 0.0)))
_LAYOUT_SUMS = (0.45, 0.8, 0.9, 1.0)
_TURNS = np.array([[[0, 1], [-1, 0]], [[-1, 0], [0, 1]], [[1, 0], [0, -1]], [[-1, 0], [0, -1]]])
_PLACES = np.linspace(-0.36, 0.36, 9)
_MIDDLE = POINTS // 2


@dataclass(frozen=True)
class Symbol:
    """A symbol as it is meant, before anybody draws it.

    Attributes:
        strokes: [S, POINTS, 2] points in the order of drawing, around the origin, in parts of the
            canvas's side.
        parents: [S] the earlier stroke that each stroke hangs on; -1 for the first.
        parent_points: [S] the point of the parent that it hangs on.
        own_points: [S] its own point that hangs there, as far from it as the two are here.
    """

    strokes: Curve
    parents: NDArray[np.int64]
    parent_points: NDArray[np.int64]
    own_points: NDArray[np.int64]

    def at(self, strokes: Curve) -> "Symbol":
        """The same with its strokes elsewhere."""
        return Symbol(strokes, self.parents, self.parent_points, self.own_points)

    def without_last(self) -> "Symbol":
        """The same without its last stroke."""
        return Symbol(
            self.strokes[:-1], self.parents[:-1], self.parent_points[:-1], self.own_points[:-1]
        )

    def box(self) -> tuple[Numbers, Numbers]:
        """Least and greatest x and y."""
        points = self.strokes.reshape(-1, 2)
        return points.min(axis=0), points.max(axis=0)


@dataclass(frozen=True)
class _Later:
    """One more stroke, and where it hangs on an earlier one."""

    curve: Curve
    parent: int
    parent_point: int
    own_point: int


def symbols(chosen: Style, count: int, random: Random) -> list[Symbol]:
    """`count` symbols; the first of them are the same however many are asked for."""
    made: list[Symbol] = []
    inks = np.zeros((count, len(_PLACES) ** 2))
    for number, child in enumerate(random.spawn(count)):
        for attempt in range(9):
            symbol = _sized(_symbol(chosen, made, attempt // 3, child), chosen, child)
            density = _density(symbol.strokes)
            ink = np.sqrt(density / density.sum())
            alike = (inks[:number] @ ink).max(initial=0.0)
            if alike < ALIKE and density.max() < DENSE:
                break
        made.append(symbol)
        inks[number] = ink
    return made


def _symbol(chosen: Style, made: Sequence[Symbol], more: int, random: Random) -> Symbol:
    """One more symbol, of `more` strokes more than usual where the usual ones are taken."""
    if made and more == 0 and random.random() < chosen.derived:
        return _changed(one_of(random, made), chosen, random)
    if random.random() < chosen.dotted:
        return _dots(random)
    if random.random() < chosen.composed:
        return _composed(chosen, random)
    count = one_of(random, range(1, STROKES + 1), chosen.counts) + more
    return _grown(chosen, min(count, STROKES), random)


def _grown(chosen: Style, count: int, random: Random) -> Symbol:
    first = chosen.frame
    if first is None or random.random() < 0.25:
        first = stroke(chosen, random)
        for _ in range(8):
            # A symbol of one stroke is seldom a plain line.
            if count > 1 or winding(first) > 1.25 or random.random() < 0.03:
                break
            first = stroke(chosen, random)
    symbol = _alone(first)
    while len(symbol.strokes) < count:
        symbol = _extended(symbol, chosen, random)
    return symbol


def _alone(first: Curve) -> Symbol:
    return Symbol(first[None], np.array([-1]), np.array([0]), np.array([0]))


def _with(symbol: Symbol, later: _Later) -> Symbol:
    return Symbol(
        np.concatenate([symbol.strokes, later.curve[None]]),
        np.append(symbol.parents, later.parent),
        np.append(symbol.parent_points, later.parent_point),
        np.append(symbol.own_points, later.own_point),
    )


def _extended(symbol: Symbol, chosen: Style, random: Random) -> Symbol:
    """`symbol` with one more stroke: of three tries, the one that covers least and stays close."""
    low, high = symbol.box()
    drawn = symbol.strokes[:, ::4].reshape(-1, 2)
    tries = [_place(symbol, chosen, random) for _ in range(3)]
    costs = []
    for later in tries:
        few = later.curve[::4]
        near = ((few[:, None] - drawn) ** 2).sum(axis=-1).min(axis=1)
        width, height = np.maximum(high, few.max(axis=0)) - np.minimum(low, few.min(axis=0))
        costs.append(2.0 * np.exp(-near / 0.13**2).mean() + 0.7 * max(1.15 * width, height))
    return _with(symbol, tries[int(np.argmin(costs))])


def _place(symbol: Symbol, chosen: Style, random: Random) -> _Later:
    """One more stroke somewhere on or near the symbol."""
    if random.random() < chosen.lattice:
        return _on_lattice(symbol, chosen, random)
    parent = int(random.integers(len(symbol.strokes)))
    base = symbol.strokes[parent]
    relation = one_of(random, RELATIONS, chosen.relations)
    if relation in ("beside", "mirror"):
        return _beside(symbol, parent, chosen, relation == "mirror", random)
    if relation in ("apart", "dot"):
        return _apart(symbol, parent, chosen, relation == "dot", random)
    at = one_of(random, (0, 8, 16, 24, 32, int(random.integers(POINTS))))
    if relation == "bridge":
        goal = symbol.strokes[random.integers(len(symbol.strokes)), random.integers(POINTS)]
        bulge = random.normal() * 0.15 if random.random() < 0.4 else 0.0
        return _Later(_between(base[at], goal, bulge), parent, at, 0)
    shape = stroke(chosen, random)
    # A stroke that winds much is drawn larger: nobody writes a small one with many turns.
    size = chosen.later * np.exp(random.normal() * 0.25) * np.sqrt(winding(shape)) * 0.95
    own = {"start": 0, "end": POINTS - 1, "cross": int(random.integers(8, 25))}[relation]
    return _Later((shape - shape[own]) * min(size, 1.1) + base[at], parent, at, own)


def _on_lattice(symbol: Symbol, chosen: Style, random: Random) -> _Later:
    """A stroke on the lattice that begins, most often, where the symbol passes."""
    points = symbol.strokes.reshape(-1, 2)
    places = chosen.places + (points.min(axis=0) + points.max(axis=0)) / 2
    passed = ((places[:, None] - points[::2]) ** 2).sum(axis=-1).min(axis=1) < 0.06**2
    start = int(random.integers(len(places)))
    if passed.any() and random.random() < 0.85:
        start = int(one_of(random, np.flatnonzero(passed).tolist()))
    curve = lattice_stroke(chosen, start, random) + places[start] - chosen.places[start]
    own = 0 if passed[start] or random.random() < 0.5 else POINTS - 1
    nearest = int(((points - curve[own]) ** 2).sum(axis=-1).argmin())
    return _Later(curve, nearest // POINTS, nearest % POINTS, own)


def _beside(symbol: Symbol, parent: int, chosen: Style, mirrored: bool, random: Random) -> _Later:
    base, side = symbol.strokes[parent], chosen.side
    along = symbol.strokes.reshape(-1, 2) @ side
    middle = (base.min(axis=0) + base.max(axis=0)) / 2
    shape = (base - middle) * (np.where(side > 0, -1.0, 1.0) if mirrored else 1.0)
    reach = np.ptp(shape @ side) / 2 + random.uniform(0.02, 0.3)
    goal = along.max() + reach if random.random() < 0.7 else along.min() - reach
    return _Later(shape + middle + side * (goal - middle @ side), parent, _MIDDLE, _MIDDLE)


def _apart(symbol: Symbol, parent: int, chosen: Style, is_dot: bool, random: Random) -> _Later:
    low, high = symbol.box()
    if is_dot:
        shape = dot(random, 0.06)
    else:
        shape = stroke(chosen, random) * chosen.later * random.uniform(0.5, 0.9)
    away = one_of(random, ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)))
    reach = (high - low + np.ptp(shape, axis=0)) / 2
    far = reach * random.uniform(0, 0.5) if random.random() < 0.3 else reach + 0.14
    moved = shape - shape[_MIDDLE] + (low + high) / 2 + far * np.array(away)
    return _Later(moved, parent, _MIDDLE, _MIDDLE)


def _between(start: Numbers, end: Numbers, bulge: float) -> Curve:
    along = np.linspace(0, 1, POINTS)[:, None]
    chord = end - start
    across = np.array([-chord[1], chord[0]])
    return start + along * chord + across * bulge * 4 * along * (1 - along)


def _composed(chosen: Style, random: Random) -> Symbol:
    """Two or three groups of one or two strokes, beside or above each other."""
    symbol = _grown(chosen, one_of(random, (1, 2)), random)
    for way in one_of(random, _LAYOUTS, _LAYOUT_SUMS):
        group = _grown(chosen, one_of(random, (1, 2)), random)
        symbol = _joined(symbol, group, np.array(way), random.uniform(-0.08, 0.2))
    return symbol


def _joined(symbol: Symbol, group: Symbol, way: Numbers, gap: float) -> Symbol:
    low, high = symbol.box()
    group_low, group_high = group.box()
    reach = way @ (high - low + group_high - group_low) / 2 + gap
    moved = (low + high - group_low - group_high) / 2 + way * reach
    count, first = len(symbol.strokes), group.parents < 0
    return Symbol(
        np.concatenate([symbol.strokes, group.strokes + moved]),
        np.concatenate([symbol.parents, np.where(first, 0, group.parents + count)]),
        np.concatenate([symbol.parent_points, np.where(first, _MIDDLE, group.parent_points)]),
        np.concatenate([symbol.own_points, np.where(first, _MIDDLE, group.own_points)]),
    )


def _changed(symbol: Symbol, chosen: Style, random: Random) -> Symbol:
    """An earlier symbol turned or mirrored, or with another stroke, one more or one less."""
    change = random.random()
    if change < 0.2:
        return symbol.at(symbol.strokes @ _TURNS[random.integers(len(_TURNS))])
    low, high = symbol.box()
    symbol = symbol.at(symbol.strokes / max((high - low).max(), 1e-9))
    single = len(symbol.strokes) == 1
    if not single and change < 0.65:
        symbol = symbol.without_last()
        single = len(symbol.strokes) == 1
    if len(symbol.strokes) < STROKES and (single or change > 0.4):
        symbol = _extended(symbol, chosen, random)
    return symbol


def _dots(random: Random) -> Symbol:
    """Dots on some of six places."""
    taken = random.permutation(6)[: random.integers(1, 7)]
    places = np.stack([taken % 2 - 0.5, taken // 2 - 1.0], axis=1) * 0.45
    size = 0.12 if random.random() < 0.7 else 0.05
    count = len(places)
    return Symbol(
        np.stack([dot(random, size) + place for place in places]),
        np.where(np.arange(count) > 0, 0, -1),
        np.full(count, _MIDDLE),
        np.full(count, _MIDDLE),
    )


def _sized(symbol: Symbol, chosen: Style, random: Random) -> Symbol:
    """The symbol as high as the alphabet's are, unless it is much wider than high."""
    low, high = symbol.box()
    width, height = high - low
    scale = np.ones(2)
    if max(width, height) > 0.1:
        goal = chosen.scale * np.exp(random.normal() * 0.06)
        scale *= min(goal / max(height, 0.05), 1.25 * goal / max(width, 0.05))
        # Narrow symbols are a little broadened and broad ones made narrower, but no plain line.
        scale[0] *= np.clip(0.85 * goal / max(width * scale[0], 0.2 * goal), 0.5, 2.0) ** 0.3
        scale *= min(1.0, 0.86 / max(width * scale[0], height * scale[1]))
    return symbol.at((symbol.strokes - (low + high) / 2) * scale)


def _density(strokes: Curve) -> Numbers:
    """[81] length of the strokes near 9 x 9 places, above 0."""
    few = strokes[:, ::2]
    step = few[:, 1:] - few[:, :-1]
    length = np.hypot(step[..., 0], step[..., 1]).reshape(-1, 1)
    points = ((few[:, 1:] + few[:, :-1]) / 2).reshape(-1, 2)
    near = np.exp((points[:, :, None] - _PLACES) ** 2 / (-2 * 0.06**2))
    return ((near[:, 0] * length).T @ near[:, 1]).ravel() + 1e-9
