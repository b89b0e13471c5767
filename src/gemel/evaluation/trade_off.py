"""What each threshold costs: the different pairs that it takes for the same, the same it misses."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

ACCEPT_ROWS = 100
"""How many rows are placed by the rate of false accepts, in even steps of its logarithm."""
REJECT_ROWS = 90
"""How many rows are placed by the rate of false rejects, in even steps."""


class TradeOff(NamedTuple):
    """The shares of judged pairs that go wrong where pairs up to `threshold` are taken as the same.

    Attributes:
        threshold: accept up to this distance.
        false_accepts: the share of the different pairs with distance <= threshold.
        false_rejects: the share of the same pairs with distance > threshold.
    """

    threshold: float
    false_accepts: float
    false_rejects: float


def trade_off(
    same: Float[NDArray[np.float64], " sames"],
    different: Float[NDArray[np.float64], " differents"],
    threshold: float,
) -> tuple[TradeOff, ...]:
    """What thresholds cost, from one that accepts no different pair to one that rejects no same.

    Up to 192 rows, rising by threshold. From one row to the next false accepts grow D^(1/99)-fold
    (1.12 of 50,000 pairs) or by a pair, and false rejects fall by 1/89 or a pair, unless more
    tie: low rates are told apart as finely as high ones, down to one different pair. Every
    threshold is the distance of a pair; where the nearest pair is a different one, the first
    threshold is just below it.

    Args:
        same: [S] distances of the same pairs, in any order.
        different: [D] of the different pairs.
        threshold: one that must be among the rows, exactly.
    """
    same, different = np.sort(same), np.sort(different)
    within = int(np.searchsorted(same, different[0]))  # same pairs before any different one
    strictest = same[within - 1] if within else np.nextafter(different[0], -np.inf)
    accepted = np.geomspace(1, len(different), ACCEPT_ROWS).round().astype(np.int64)
    kept = np.linspace(1, len(same), REJECT_ROWS).round().astype(np.int64)
    thresholds = np.unique(
        np.concatenate([[strictest, threshold], different[accepted - 1], same[kept - 1]])
    )
    false_accepts = np.searchsorted(different, thresholds, "right") / len(different)
    missed = len(same) - np.searchsorted(same, thresholds, "right")
    rows = zip(
        thresholds.tolist(), false_accepts.tolist(), (missed / len(same)).tolist(), strict=True
    )
    return tuple(TradeOff(*row) for row in rows)


def rates_at(rows: Sequence[TradeOff], threshold: float | int) -> tuple[float, float]:
    """False accepts and false rejects at any threshold, neither ever less than was measured.

    Between two rows false accepts are those of the upper row, false rejects those of the lower.
    """
    thresholds = [row.threshold for row in rows]
    above = bisect_left(thresholds, threshold)
    below = bisect_right(thresholds, threshold) - 1
    return (
        rows[above].false_accepts if above < len(rows) else 1.0,
        rows[below].false_rejects if below >= 0 else 1.0,
    )
