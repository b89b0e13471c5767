"""Are stated probabilities right? The reliability diagram and the calibration error."""

from dataclasses import dataclass
from itertools import chain

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike, NDArray

from gemel.errors import EvaluationError, SettingsError
from gemel.evaluation.intervals import (
    Figure,
    Interval,
    cluster_ids,
    figure,
    percentile_interval,
    resamples,
    wilson,
)

BINS = 15


@dataclass(frozen=True)
class Bin:
    """Pairs of about one stated probability.

    Attributes:
        stated: the mean of what was stated.
        found: the share that is the same.
        low: the lower end of Wilson's 95 % interval of that share.
        high: its upper end.
        count: how many pairs there are.
    """

    stated: float
    found: float
    low: float
    high: float
    count: int


def reliability(probability: ArrayLike, same: ArrayLike, *, bins: int = BINS) -> tuple[Bin, ...]:
    """The points of a reliability diagram, by ascending probability.

    The bins hold about equally many pairs; pairs of one probability stay in one bin, so there may
    be fewer bins than asked for. The intervals take the pairs of a bin as independent.

    Args:
        probability: [N] stated, of being the same.
        same: [N] booleans.
        bins: how many bins.

    Raises:
        EvaluationError: other shapes or types, no pairs, or a probability outside 0 to 1.
        SettingsError: fewer than one bin.
    """
    stated, truth = _checked(probability, same)
    place = _bins(stated, bins)
    points = []
    for number in range(int(place.max()) + 1):
        inside = place == number
        sames, count = int(truth[inside].sum()), int(inside.sum())
        span = wilson(sames, count)
        points.append(
            Bin(float(stated[inside].mean()), sames / count, span.low, span.high, count)
        )
    return tuple(points)


def calibration_error(
    probability: ArrayLike,
    same: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    cluster_unit: str = "pairs",
    bins: int = BINS,
    split: str,
    seed: int,
    draws: int = 1000,
) -> Figure:
    """Expected calibration error: how far stated probabilities are from shares found, on average.

    The mean over all pairs of |stated - found| of their bin, bins as in `reliability`. Judge it
    on other pairs than the calibration was fitted to, with a probability for the prior that these
    have. Chance alone makes the error larger than 0, and a bootstrap doubles that excess; so the
    interval is the basic one, which mirrors the draws at the value and takes the excess off.

    Source: Naeini, Cooper and Hauskrecht 2015, "Obtaining well calibrated probabilities using
    Bayesian binning", AAAI; Guo, Pleiss, Sun and Weinberger 2017, "On calibration of modern neural
    networks", ICML. The interval: Davison and Hinkley 1997, "Bootstrap methods and their
    application", section 5.2.

    Args:
        probability: [N] stated, of being the same.
        same: [N] booleans.
        clusters: [N] an id for each pair; pairs of one id are drawn together. None: each by itself.
        cluster_unit: what a cluster is, in the plural.
        bins: how many bins.
        split: the name of what is judged.
        seed: of the bootstrap.
        draws: how many resamples.

    Raises:
        EvaluationError: as `reliability`; or another number of ids.
        SettingsError: fewer than one bin, or too few draws.
    """
    stated, truth = _checked(probability, same)
    ids = np.arange(len(stated)) if clusters is None else cluster_ids(clusters, len(stated))
    place = _bins(stated, bins)
    names = int(place.max()) + 1
    excess = stated - truth
    value = float(np.abs(np.bincount(place, excess, names)).sum() / len(stated))
    generator = np.random.default_rng(seed)
    chunks = resamples(int(ids.max()) + 1, draws=draws, generator=generator)
    drawn = np.array(
        [
            np.abs(np.bincount(place, excess * times[ids], names)).sum() / times[ids].sum()
            for times in chain.from_iterable(chunks)
        ]
    )
    found = percentile_interval(
        drawn, value, clusters=int(ids.max()) + 1, cluster_unit=cluster_unit
    )
    low, high = np.clip([2 * value - found.high, 2 * value - found.low], 0.0, 1.0)
    span = Interval(float(low), float(high), found.method.replace("percentile", "basic"))
    return figure(
        "expected calibration error",
        value,
        span,
        count=len(stated),
        unit="pairs",
        split=split,
        seed=seed,
    )


def _checked(
    probability: ArrayLike, same: ArrayLike
) -> tuple[Float[NDArray[np.float64], " pairs"], NDArray[np.bool_]]:
    stated, truth = np.asarray(probability, dtype=np.float64), np.asarray(same)
    if truth.dtype != np.bool_ or truth.ndim != 1 or stated.shape != truth.shape or not len(truth):
        raise EvaluationError(
            "`probability` must be [N] and `same` [N] booleans, N 1 or more; got shapes "
            f"{stated.shape} and {truth.shape}, `same` of {truth.dtype}"
        )
    outside = ~((stated >= 0) & (stated <= 1))
    if outside.any():
        raise EvaluationError(
            f"{int(outside.sum())} of {len(stated)} probabilities are not between 0 and 1, the "
            f"first at pair {int(np.flatnonzero(outside)[0])} ({stated[outside][0]})"
        )
    return stated, truth


def _bins(stated: Float[NDArray[np.float64], " pairs"], bins: int) -> NDArray[np.int64]:
    """[N] each pair's bin, 0, 1, 2... by ascending probability."""
    if bins < 1:
        raise SettingsError(f"`bins` must be 1 or more; got {bins}")
    values, place, counts = np.unique(stated, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts + 1) / 2  # the mean rank of the pairs of each value
    of_value = np.floor(middle * bins / len(stated)).astype(np.int64)
    return np.unique(of_value, return_inverse=True)[1][place].astype(np.int64)
