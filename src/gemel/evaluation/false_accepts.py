"""The threshold of a false-accept rate: which pairs it needs, where it lies, and how surely."""

import math

import numpy as np
from jaxtyping import Bool, Int
from numpy.typing import NDArray

from gemel.errors import EvaluationError, SettingsError
from gemel.evaluation.curves import Distances, Sames
from gemel.evaluation.intervals import FEWEST_CLUSTERS, LEVEL

FEWEST = 10
"""How many pairs of each kind a probability needs at least."""
TAIL = (1 - LEVEL) / 2


def checked_rate(false_accepts: float | int) -> float:
    """A false-accept rate that can be asked for.

    Raises:
        SettingsError: it is not above 0 and at most 0.5.
    """
    if not 0 < false_accepts <= 0.5:
        raise SettingsError(
            f"`false_accepts` must lie above 0 and be 0.5 or less; got {false_accepts}"
        )
    return float(false_accepts)


def pairs_needed(rate: float | int) -> int:
    """How many different pairs a false-accept rate needs: fewer may hold none within it.

    With n independent pairs no distance lies within the true threshold with chance (1 - rate)^n;
    from this many on that is at most 2.5 %, so the threshold's 95 % interval has a lower end.
    """
    return math.ceil(math.log(TAIL) / math.log1p(-rate))


def check_counts(truth: Sames, rate: float) -> None:
    """Refuse too few pairs for a rate, or for a probability.

    Raises:
        EvaluationError: as said; it names how many are needed.
    """
    same, different = int(truth.sum()), int((~truth).sum())
    needed = pairs_needed(rate)
    if different < needed:
        raise EvaluationError(
            f"a false-accept rate of {rate:g} needs {needed:,} or more different pairs; there are "
            f"{different:,}, which carry a rate of {_least_rate(different):.2g} or more. Bring "
            "more validation pairs, or ask for a higher rate"
        )
    if min(same, different) < FEWEST:
        raise EvaluationError(
            f"a calibration needs {FEWEST} or more pairs of each kind; there are {same} same and "
            f"{different} different ones"
        )


def _least_rate(different: int) -> float:
    """The least rate that so many different pairs carry, rounded up to two digits."""
    rate = -math.expm1(math.log(TAIL) / different)
    digit = 10.0 ** (math.floor(math.log10(rate)) - 1)
    return math.ceil(rate / digit) * digit


def threshold_of(different: Distances, rate: float) -> tuple[int, float]:
    """How many of the ascending distances are accepted, and up to which.

    Raises:
        EvaluationError: so many tie at the front that no threshold keeps the rate.
    """
    most = math.floor(rate * (len(different) + 1) * (1 + 1e-12))  # 0.07 * 100 is below 7
    accepted = int(np.searchsorted(different, different[most], "left"))
    if not accepted:
        tied = int((different == different[0]).sum())
        raise EvaluationError(
            f"the {tied:,} nearest of {len(different):,} different pairs all have the distance "
            f"{different[0]:g}: no threshold parts so few as a false-accept rate of {rate:g} "
            "allows. Ask for a higher rate, or look for items that are given twice"
        )
    return accepted, float(different[accepted - 1])


def close_to(different: Distances, rate: float, count: float | None) -> tuple[float, float]:
    """The distribution-free 95 % interval of the distance within which `rate` of all pairs lie.

    Source: Conover 1999, "Practical Nonparametric Statistics", section 3.2. At the lower end it
    goes no further than the nearest different pair: no different pair was seen below it.
    """
    from scipy.stats import binom

    size = len(different)
    draws = max(round(size if count is None else count), 1)
    low, high = binom.ppf(TAIL, draws, rate), binom.ppf(1 - TAIL, draws, rate) + 1
    first = max(math.floor(low * size / draws), 1)
    last = min(math.ceil(high * size / draws), size)
    return float(different[first - 1]), float(different[last - 1])


def low_end_is_sure(rate: float, count: float | int) -> bool:
    """Whether the lower end of `close_to` holds with its confidence, not only for want of pairs.

    With so few independent pairs as `count`, even none below a distance says little of the rate.
    """
    from scipy.stats import binom

    return bool(binom.ppf(TAIL, max(round(count), 1), rate) >= 1)


def effective_count(
    accepted: Bool[NDArray[np.bool_], " differents"],
    sides: Int[NDArray[np.int64], "2 differents"] | None,
) -> tuple[float | None, str]:
    """How many independent pairs would tell as much of the rate, and in words how that is known.

    Two pairs vary together when they share an identity, on either side. The variance that allows
    for this is that of Aronow, Samii and Assenova 2015, "Cluster-robust variance estimation for
    dyadic data", Political Analysis 23(4); its ratio to the variance of independent pairs is Kish's
    design effect. With few identities the count is lowered further, as Korn and Graubard do.
    """
    size = len(accepted)
    if sides is None:
        return float(size), f"exact for {size:,} pairs, taken as independent"
    from scipy.stats import t

    names, places = np.unique(sides, return_inverse=True)
    left, right = np.sort(places.reshape(2, -1), axis=0)
    if len(names) < FEWEST_CLUSTERS:
        return None, f"no interval: {len(names)} identities, {FEWEST_CLUSTERS} or more are needed"
    share = accepted.mean()
    excess = accepted - share
    twice = excess * (left != right)  # pairs within one identity have one side to share
    by_identity = np.bincount(left, excess, len(names)) + np.bincount(right, twice, len(names))
    by_cell = np.bincount(np.unique(left * len(names) + right, return_inverse=True)[1], twice)
    freedom = len(names) - 1
    variance = (by_identity @ by_identity - by_cell @ by_cell) * len(names) / freedom / size**2
    plain = share * (1 - share) / size
    effect = max(variance / plain, 1.0) if plain else 1.0
    effect *= (t.ppf(1 - TAIL, freedom) / t.ppf(1 - TAIL, size - 1)) ** 2
    count = size / effect
    return count, (
        f"exact for independent pairs, with {size:,} pairs of {len(names):,} identities counted "
        f"as {count:,.0f}"
    )


def percent(share: float | int) -> str:
    """A share in words, such as "0.1 %"; never "0 %" for one that is not 0."""
    if share > 0.9995:
        return "over 99.9 %"
    return "under 0.001 %" if 0 < share < 1e-5 else f"{100 * share:.3g} %"
