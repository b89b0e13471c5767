"""Is one model better than another? Both judged on the same trials, and how likely chance is.

Every difference is the first model's figure less the second's. The p-values are two-sided, and
never 0: what was observed is counted as one of the draws (Phipson and Smyth 2010, "Permutation
p-values should never be zero", Statistical Applications in Genetics and Molecular Biology 9(1)).
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike, NDArray

from gemel.errors import EvaluationError
from gemel.evaluation.cells import Cells, Weights, cells_of, interval_over, over_draws
from gemel.evaluation.curves import SortedPairs, check_pairs
from gemel.evaluation.intervals import (
    FEWEST_CLUSTERS,
    Interval,
    bootstrap,
    cluster_ids,
    widened,
)
from gemel.evaluation.readings import EqualErrorRate
from gemel.evaluation.weighing import WeighedPairs

_MOST_EXACT = 12  # clusters: all their 4,096 flips are looked at
_FLIPS_AT_ONCE = 2**21


@dataclass(frozen=True)
class PairedComparison:
    """Two models on the same trials.

    Attributes:
        name: the figure that is compared.
        first: the first model's.
        second: the second model's.
        difference: first less second.
        low: the lower end of the difference's 95 % interval; NaN where there is none.
        high: its upper end.
        p_value: how often chance alone makes a difference at least as large, either way; NaN
            where there are too few clusters to say.
        count: how many trials or pairs both judged.
        unit: what `count` counts.
        split: the name of the split that was judged.
        seed: of the draws.
        method: how the interval was found.
        test: how the p-value was found.
        percent: print the figures as percentages.
    """

    name: str
    first: float
    second: float
    difference: float
    low: float
    high: float
    p_value: float
    count: int
    unit: str
    split: str
    seed: int
    method: str
    test: str
    percent: bool = True

    def __str__(self) -> str:
        scale, digits, unit = (100, 1, " %") if self.percent else (1, 4, "")

        def said(value: float, sign: str = "") -> str:
            return f"{scale * value:{sign}.{digits}f}"

        interval = f"[{self.method}]"
        if not math.isnan(self.low):
            interval = f"[{said(self.low, '+')}, {said(self.high, '+')}]"
        return (
            f"{self.name} {said(self.first)}{unit} and {said(self.second)}{unit}, difference "
            f"{said(self.difference, '+')} {interval}, p = {self.p_value:.2g} ({self.count:,} "
            f"{self.unit}, split {self.split}, seed {self.seed}; {self.method}; {self.test})"
        )

    def as_dict(self) -> dict[str, str | int | float | None]:
        """The fields, for JSON: what does not exist is None."""
        fields = asdict(self)
        return {
            key: None if isinstance(value, float) and math.isnan(value) else value
            for key, value in fields.items()
        }


def compare_paired(
    first: ArrayLike,
    second: ArrayLike,
    *,
    name: str = "accuracy",
    clusters: ArrayLike | None = None,
    cluster_unit: str = "clusters",
    unit: str = "trials",
    split: str,
    seed: int,
    draws: int = 10_000,
) -> PairedComparison:
    """Compare two models by their credits on the same trials (one-shot, recall@k, CMC...).

    The test flips the sign of each cluster's difference: were the models alike, either could have
    been the first in any cluster (Fisher 1935, "The design of experiments", section 21). Up to 12
    clusters that differ all flips are looked at, which is exact; with more, random ones. C
    clusters cannot give less than 2 / 2 ** C. For independent trials, right or wrong, it is
    McNemar's exact test. The interval is a bootstrap of the difference over the clusters.

    Args:
        first: [T] the credit of the first model's trials, such as `one_shot_credit` gives.
        second: [T] of the second model's, trial by trial the same.
        name: of the figure.
        clusters: [T] ids of what trials share (alphabet, run, support set). None: the trials are
            independent.
        cluster_unit: what a cluster is, in the plural.
        unit: what a trial is, in the plural.
        split: the name of what was judged.
        seed: of the flips and of the bootstrap.
        draws: how many flips, and how many bootstrap resamples.

    Raises:
        EvaluationError: no trials, credits that are not finite, or arrays that do not fit.
        SettingsError: too few draws.
    """
    credits_ = [np.asarray(one, dtype=np.float64) for one in (first, second)]
    if credits_[0].ndim != 1 or credits_[0].shape != credits_[1].shape:
        raise EvaluationError(
            f"expected the credits of the same trials [T]; got shapes {credits_[0].shape} and "
            f"{credits_[1].shape}"
        )
    gain = credits_[0] - credits_[1]
    ids = np.arange(len(gain)) if clusters is None else cluster_ids(clusters, len(gain))
    word = unit if clusters is None else cluster_unit
    interval = bootstrap(gain, clusters=ids, cluster_unit=word, draws=draws, seed=seed, share=False)
    p_value, test = _flipped(
        np.bincount(ids, gain).astype(np.float64), word, draws=draws, seed=seed
    )
    return PairedComparison(
        name=name,
        first=float(credits_[0].mean()),
        second=float(credits_[1].mean()),
        difference=float(gain.mean()),
        low=interval.low,
        high=interval.high,
        p_value=p_value,
        count=len(gain),
        unit=unit,
        split=split,
        seed=seed,
        method=interval.method,
        test=test,
    )


def _flipped(
    sums: Float[NDArray[np.float64], " clusters"], unit: str, *, draws: int, seed: int
) -> tuple[float, str]:
    """How often the sum of the clusters' differences is as large when their signs are flipped."""
    sums = sums[sums != 0]  # flipping the others changes nothing
    # Equal sums taken in another order may differ in their last bits.
    observed = abs(float(sums.sum())) - 1e-9 * float(np.abs(sums).sum())
    if len(sums) <= _MOST_EXACT:
        bits = np.arange(2 ** len(sums))[:, None] >> np.arange(len(sums))
        as_large = np.abs((1 - 2 * (bits & 1)) @ sums) >= observed
        return float(as_large.mean()), f"all sign flips of {len(sums):,} {unit} that differ"
    generator = np.random.default_rng(seed)
    rows = max(_FLIPS_AT_ONCE // len(sums), 1)
    count = 0
    for start in range(0, draws, rows):
        signs = 1 - 2 * generator.integers(0, 2, (min(rows, draws - start), len(sums)))
        count += int((np.abs(signs @ sums) >= observed).sum())
    test = f"{draws:,} random sign flips of {len(sums):,} {unit} that differ"
    return (count + 1) / (draws + 1), test


def compare_paired_verification(
    first: ArrayLike,
    second: ArrayLike,
    same: ArrayLike,
    *,
    left_identity: ArrayLike | None = None,
    right_identity: ArrayLike | None = None,
    split: str,
    seed: int,
    draws: int = 1000,
) -> tuple[PairedComparison, PairedComparison]:
    """Compare two models by the AUC and the EER of the same pairs.

    Each bootstrap draw, of identities where they are given and else of pairs (see `verification`),
    judges both models, so what makes a draw easy or hard for both drops out of the difference.
    The p-value is the share of draws whose difference lies as far from the observed one as that
    lies from 0 (Efron and Tibshirani 1993, "An introduction to the bootstrap", section 16.4), with
    the tails widened for few clusters as those of the interval are. It is an approximation, the
    better the more identities there are.

    Args:
        first: [N] the first model's distances, lower is more alike.
        second: [N] the second's, of the same pairs; the scales need not agree.
        same: [N] booleans.
        left_identity: [N] an id (number or text) of what each pair's left item shows.
        right_identity: [N] the same for the right items; give both or neither.
        split: the name of what is judged.
        seed: of the bootstrap.
        draws: how many bootstrap resamples.

    Returns:
        The comparison of the AUCs, and that of the EERs.

    Raises:
        EvaluationError: as `verification`, for either model.
        SettingsError: too few draws.
    """
    truth = check_pairs(first, same)[1]
    cells = cells_of(left_identity, right_identity, truth)
    models = [SortedPairs.of(*check_pairs(distance, same)) for distance in (first, second)]
    weighed = [WeighedPairs.of(pairs, cells) for pairs in models]
    reading = EqualErrorRate()

    def measure(weights: Weights) -> NDArray[np.float64]:
        areas = weighed[0].areas(weights) - weighed[1].areas(weights)
        errors = weighed[0].read(weights, [reading]) - weighed[1].read(weights, [reading])
        return np.column_stack([areas, errors])

    drawn = over_draws(cells, measure, draws=draws, seed=seed)
    values = {"AUC": [one.auc() for one in models], "EER": [one.read(reading) for one in models]}
    areas, errors = (
        _compared(name, (one, other), column, cells, count=len(truth), split=split, seed=seed)
        for (name, (one, other)), column in zip(values.items(), drawn.T, strict=True)
    )
    return areas, errors


def _compared(
    name: str,
    values: tuple[float, float],
    drawn: Float[NDArray[np.float64], " draws"],
    cells: Cells,
    **sure: Any,
) -> PairedComparison:
    difference = values[0] - values[1]
    interval = interval_over(cells, drawn, difference, share=False)
    p_value, test = _shifted(drawn, difference, cells, interval)
    return PairedComparison(
        name=name,
        first=values[0],
        second=values[1],
        difference=difference,
        low=interval.low,
        high=interval.high,
        p_value=p_value,
        unit="pairs",
        method=interval.method,
        test=test,
        percent=name != "AUC",
        **sure,
    )


def _shifted(
    drawn: Float[NDArray[np.float64], " draws"],
    difference: float,
    cells: Cells,
    interval: Interval,
) -> tuple[float, str]:
    """How often a draw's difference is as far from the observed one as that is from 0."""
    if cells.fewest < FEWEST_CLUSTERS:
        return math.nan, interval.method.replace("interval", "p-value")
    kept = drawn[~np.isnan(drawn)]
    count = int((np.abs(kept - difference) >= abs(difference) - 1e-12).sum())
    test = f"bootstrap of the difference, shifted to 0, over {cells.fewest:,} {cells.unit}"
    return widened((count + 1) / (len(kept) + 1), cells.fewest), test
