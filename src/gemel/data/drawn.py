"""Symbols drawn by code: made-up alphabets, by drawers with habits of their own.

A symbol is one to six pen strokes. Each alphabet has a style, so that its symbols are alike and
hard to tell apart; each drawer has habits, and draws no symbol twice the same. Sizes, places, pens
and the spread between drawings were measured on the background alphabets of Omniglot (Lake et al.,
Science 350, 2015). Nothing is copied from them: every stroke comes from a seed.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8

from gemel.data._drawers import CHANCES, HABITS, draw, drawing_numbers, habits
from gemel.data._rendering import render
from gemel.data._styles import style
from gemel.data._symbols import symbols
from gemel.errors import SettingsError
from gemel.items import Items


@dataclass(frozen=True, eq=False)
class DrawnAlphabet:
    """An alphabet as pen strokes: every one of C characters by every one of D drawers.

    Attributes:
        strokes: [S, D, 33, 2] points at about even steps along each of the S strokes that the
            characters have together, in the order of drawing; x to the right and y downwards, on
            a canvas from 0 to 1.
        characters: [S] the character, 0 to C - 1, that each stroke belongs to, ascending.
        pens: [D] the width of each drawer's pen, in parts of the canvas's side.
        edges: [D] over what width its edge fades, in the same unit; 0 is crisp.
    """

    strokes: Float[np.ndarray, "strokes drawers 33 2"]
    characters: Int[np.ndarray, "strokes"]
    pens: Float[np.ndarray, "drawers"]
    edges: Float[np.ndarray, "drawers"]

    def drawing(self, character: int, drawer: int) -> Float[np.ndarray, "some 33 2"]:
        """The strokes of one character by one drawer.

        Raises:
            SettingsError: there is no such character or drawer.
        """
        count = int(self.characters[-1]) + 1
        for key, number, limit in (
            ("character", character, count),
            ("drawer", drawer, len(self.pens)),
        ):
            if not 0 <= number < limit:
                raise SettingsError(
                    f"`{key}` must be 0 to {limit - 1}; got {number}. Ask for more in alphabet()"
                )
        strokes: Float[np.ndarray, "some 33 2"] = self.strokes[self.characters == character, drawer]
        return strokes

    def render(self, size: int = 28) -> UInt8[np.ndarray, "drawings {size} {size}"]:
        """All drawings [C * D] as pictures, ink 255 on 0: the drawers of character 0 first.

        Raises:
            SettingsError: `size` is less than 1.
        """
        _check(size=size)
        drawers, count = len(self.pens), int(self.characters[-1]) + 1
        owners = (self.characters[:, None] * drawers + np.arange(drawers)).ravel()
        order = np.argsort(owners, kind="stable")
        strokes = self.strokes.reshape(-1, *self.strokes.shape[2:])
        pens, edges = (np.tile(of_drawers, count) for of_drawers in (self.pens, self.edges))
        return render(strokes[order], owners[order], pens, edges, size=size)


def alphabet(
    number: int,
    *,
    characters: int = 25,
    drawers: int = 20,
    broad: float = 0.3,
    soft: float = 0.0,
    seed: int = 0,
) -> DrawnAlphabet:
    """Made-up alphabet `number` (0, 1, ...) of `seed`, as pen strokes.

    Its first characters and drawers are the same however many are asked for. The other settings
    are those of `drawn`.

    Raises:
        SettingsError: `number` or `seed` is negative, a count is less than 1, or a share is not
            between 0 and 1.
    """
    _check(characters=characters, drawers=drawers)
    _check(least=0, number=number, seed=seed)
    for key, share in (("broad", broad), ("soft", soft)):
        if not 0 <= share <= 1:
            raise SettingsError(f"`{key}` is a share of the drawers, 0 to 1; got {share}")
    generator = np.random.default_rng([seed, number])
    of_style, of_symbols, of_habits, of_drawings, of_pens = generator.spawn(5)
    made = symbols(style(of_style), characters, of_symbols)
    numbers, chances = (
        of_habits.standard_normal((drawers, HABITS)),
        of_pens.random((drawers, CHANCES)),
    )
    by = habits(numbers, chances, broad, soft)
    pairs = [drawing_numbers(child, drawers) for child in of_drawings.spawn(characters)]
    own, shared = (np.stack(numbers) for numbers in zip(*pairs, strict=True))
    strokes, of = draw(made, own, shared, by)
    return DrawnAlphabet(strokes, of, by.pen, by.edge)


def drawn(
    *,
    alphabets: int = 50,
    characters: int = 25,
    drawers: int = 20,
    size: int = 28,
    broad: float = 0.3,
    soft: float = 0.0,
    seed: int = 0,
    name: str = "drawn",
) -> Items:
    """Pictures of made-up symbols: `alphabets` times `characters` classes, each by `drawers`.

    The same seed gives the same bytes. An alphabet does not depend on how many others there are,
    nor a drawing on how many characters or drawers; the drawers of two alphabets are others.

    Args:
        alphabets: how many alphabets; each is a group, "seed0-alphabet000" and so on.
        characters: how many symbols each has; a label is "seed0-alphabet000/symbol00" and so on.
        drawers: how many people draw each symbol; their numbers are in `details["drawer"]`.
        size: pixels of a side; the values are uint8 [N, size, size], ink 255 on 0.
        broad: the share of drawers with a broad pen, 1.2 to 3.3 times as wide as the others'. What
            is learned with some carries over to thick handwriting; Omniglot itself has none.
        soft: the share of drawers with a soft pen, whose edge fades as in a small or blurred
            picture.
        seed: draws everything.
        name: the name of the items.

    Raises:
        SettingsError: `seed` is negative, a count less than 1, or a share not between 0 and 1.
    """
    _check(alphabets=alphabets, characters=characters, drawers=drawers, size=size)
    each = characters * drawers
    values = np.empty((alphabets * each, size, size), dtype=np.uint8)
    for number in range(alphabets):
        strokes = alphabet(
            number, characters=characters, drawers=drawers, broad=broad, soft=soft, seed=seed
        )
        values[number * each : (number + 1) * each] = strokes.render(size)
    groups = np.repeat([f"seed{seed}-alphabet{number:03d}" for number in range(alphabets)], each)
    signs = np.repeat([f"/symbol{character:02d}" for character in range(characters)], drawers)
    return Items(
        values=values,
        labels=np.char.add(groups, np.tile(signs, alphabets)),
        groups=groups,
        name=name,
        details={"drawer": np.tile(np.arange(drawers), alphabets * characters)},
    )


def _check(*, least: int = 1, **counts: int) -> None:
    for key, count in counts.items():
        if count < least:
            raise SettingsError(f"`{key}` must be {least} or more; got {count}")
