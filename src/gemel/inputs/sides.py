"""Two inputs, one for each side of a pair: for half-twins that compare things of two kinds."""

import hashlib

import numpy as np

from gemel.errors import Problem, SettingsError
from gemel.inputs.prepared import Prepared
from gemel.inputs.protocol import Input
from gemel.items import Indices, Side


class Sides:
    """An input for the left items of pairs, and another for the right ones.

    It takes `Pairs` whose sides are of the two inputs' kinds, and `Items` where both inputs take
    the same kind: then each item can stand on either side.

    Args:
        left: the input of left items.
        right: the input of right items.
    """

    def __init__(self, left: Input, right: Input) -> None:
        self.left = left
        self.right = right

    def parts(self) -> dict[str, Input]:
        """The arguments that make it again."""
        return {"left": self.left, "right": self.right}

    def __repr__(self) -> str:
        return f"Sides({self.left!r}, {self.right!r})"


AnyInput = Input | Sides


def input_of(given: AnyInput, side: Side) -> Input:
    """The input of one side; one input serves both."""
    if not isinstance(given, Sides):
        return given
    return given.left if side == "left" else given.right


class PreparedSides:
    """Items read once for each side on which they stand; the counterpart of `Prepared`.

    Attributes:
        skipped: what was wrong with items that could not be read.
        origins: where each of the N items came from.
    """

    def __init__(
        self,
        left: Prepared,
        right: Prepared,
        rows: dict[Side, Indices],
        skipped: tuple[Problem, ...],
        origins: list[str],
    ) -> None:
        self._sides: dict[Side, Prepared] = {"left": left, "right": right}
        self._rows = rows
        self.skipped = skipped
        self.origins = origins

    def __len__(self) -> int:
        return len(self.origins)

    def digest(self) -> bytes:
        """BLAKE2 of all that is stored, in order."""
        found = hashlib.blake2b(digest_size=16)
        for prepared in self._sides.values():
            found.update(prepared.digest())
        return found.digest()

    def of(self, side: Side) -> Prepared:
        """The items that stand on `side`."""
        return self._sides[side]

    def places(self, side: Side) -> Indices:
        """[N] the place of each item in `of(side)`; -1 where it does not stand on that side."""
        return self._rows[side]

    def rows(self, side: Side, items: Indices) -> Indices:
        """The places of the items numbered `items` in `of(side)`.

        Raises:
            SettingsError: an item does not stand on that side.
        """
        found = self._rows[side][items]
        if (found < 0).any():
            item = int(items[np.flatnonzero(found < 0)[0]])
            raise SettingsError(
                f"{self.origins[item]} stands on the other side of all its pairs; it was not read "
                f"as a {side} item. Give a sampler that keeps the sides of the pairs"
            )
        return found
