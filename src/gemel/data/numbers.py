"""Numbers written as text: in the cells of a CSV, or as one word on a command line."""

import math
from collections.abc import Iterable

import numpy as np
from jaxtyping import Float64

from gemel.errors import DataError

_LARGEST = float(np.finfo(np.float32).max)


def numbers_in(cells: Iterable[tuple[str, str]]) -> tuple[tuple[float, ...], list[str]]:
    """The numbers in `cells` (name, text), and in words what is wrong with the others.

    Refused are texts, NaN, infinities, and what is too large for 32-bit floats.
    """
    values, faults = [], []
    for name, cell in cells:
        try:
            value = float(cell)
        except ValueError:
            faults.append(f"{name} is {cell!r}, which is no number" if cell else f"{name} is empty")
            continue
        if not math.isfinite(value) or abs(value) > _LARGEST:
            faults.append(f"{name} is {cell}, which is no finite 32-bit number")
        values.append(value)
    return tuple(values), faults


def parse_row(text: str, where: str = "the row") -> Float64[np.ndarray, "features"]:
    """The row of numbers in `text`, such as "0.1 0.2 0.3" or "0.1,0.2,0.3".

    Args:
        text: numbers with blanks or commas between them.
        where: where the text came from, for messages.

    Raises:
        DataError: there are none, or one is no finite number.
    """
    words = text.replace(",", " ").split()
    numbers, faults = numbers_in((f"number {at}", word) for at, word in enumerate(words, start=1))
    if faults or not numbers:
        found = "; ".join(faults) or "nothing"
        raise DataError(
            f"{where}: expected a row of numbers such as '0.1 0.2 0.3', got {text!r}: {found}"
        )
    return np.array(numbers, dtype=np.float64)
