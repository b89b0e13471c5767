"""How sure a figure is: 95 % intervals, and `Figure`, which carries one with all that it rests on.

Trials that share an identity, an alphabet or a support set go wrong together. An interval that
takes them for independent is too narrow, so the bootstrap here draws whole clusters.
"""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike, NDArray

from gemel.errors import EvaluationError, SettingsError

LEVEL = 0.95
FEWEST_CLUSTERS = 5
"""Below this a bootstrap gives no interval: even the whole range of 4 clusters' own values
covers the middle of what clusters do in only 1 - 2 ** -3 = 87.5 % of cases."""
FEWEST_DRAWS = 40
FEWEST_ERRORS = 30
_ELEMENTS_AT_ONCE = 2**22


@dataclass(frozen=True)
class Interval:
    """From `low` to `high`, and in words how it was found. Both are NaN where there is none."""

    low: float
    high: float
    method: str


@dataclass(frozen=True)
class Figure:
    """One measured figure with its 95 % interval and what it rests on.

    Attributes:
        name: what was measured.
        value: the figure; a share lies between 0 and 1.
        low: the interval's lower end; NaN where the data allow no interval (`method` says why).
        high: its upper end.
        count: how many trials, pairs or queries were judged.
        unit: what `count` counts.
        split: the name of the split that was judged.
        seed: the seed of the drawn trials and of the bootstrap.
        method: how the interval was found.
        percent: print the value as a percentage.
    """

    name: str
    value: float
    low: float
    high: float
    count: int
    unit: str
    split: str
    seed: int
    method: str
    percent: bool = True

    def __str__(self) -> str:
        rests_on = f"{self.count:,} {self.unit}, split {self.split}, seed {self.seed}"
        return f"{self.name} {self.short} ({rests_on})"

    @property
    def short(self) -> str:
        """The value and its interval as printed: "91.2 % [88.4, 93.9]", "0.47 % [0.34, 0.60]"."""
        value = f"{100 * self.value:.{self._decimals}f} %" if self.percent else f"{self.value:.4f}"
        return f"{value} {self.range}"

    @property
    def _decimals(self) -> int:
        """Of a share in percent: one more below 1 %."""
        return 2 if 0 < self.value < 0.01 else 1

    @property
    def range(self) -> str:
        """The interval as printed: "[88.4, 93.9]"."""
        if math.isnan(self.low):
            return f"[{self.method}]"
        if self.percent:
            return f"[{100 * self.low:.{self._decimals}f}, {100 * self.high:.{self._decimals}f}]"
        return f"[{self.low:.4f}, {self.high:.4f}]"

    def as_dict(self) -> dict[str, str | int | float | None]:
        """The fields, for JSON: an end of an interval that does not exist is None."""
        fields = asdict(self)
        return {key: None if _is_nan(value) else value for key, value in fields.items()}


@dataclass(frozen=True)
class Refused:
    """A figure that is not given, and why: the data do not support it.

    Attributes:
        name: what was asked for.
        why: what is missing.
    """

    name: str
    why: str

    def __str__(self) -> str:
        return f"{self.name} not given: {self.why}"

    def as_dict(self) -> dict[str, str]:
        """For JSON."""
        return asdict(self)


def figures_in(*found: Figure | Refused | None) -> tuple[Figure, ...]:
    """Those that are figures."""
    return tuple(one for one in found if isinstance(one, Figure))


def refusals_in(*found: Figure | Refused | None) -> tuple[Refused, ...]:
    """Those that are not given."""
    return tuple(one for one in found if isinstance(one, Refused))


def too_rare(name: str, rate: float | int, count: int, unit: str) -> Refused | None:
    """Refuse a rate of errors that `count` trials are too few to measure.

    The rule of 30: the true rate is within 30 % of the measured one with 90 % confidence once 30
    errors are seen, if they are independent; errors that share identities tell less. So a rate
    needs 30 / rate trials. Source: Doddington, Przybocki, Martin, Reynolds 2000, "The NIST speaker
    recognition evaluation", Speech Communication 31.
    """
    wanted = math.ceil(FEWEST_ERRORS / rate - 1e-9)
    if count >= wanted:
        return None
    return Refused(
        name,
        f"it rests on {count:,} {unit}; {wanted:,} are needed for {FEWEST_ERRORS} errors to be "
        "expected (rule of 30)",
    )


def figure(
    name: str,
    value: float,
    interval: Interval,
    *,
    count: int,
    unit: str,
    split: str,
    seed: int,
    percent: bool = True,
) -> Figure:
    """The `Figure` of a value and its interval."""
    return Figure(
        name=name,
        value=value,
        low=interval.low,
        high=interval.high,
        count=count,
        unit=unit,
        split=split,
        seed=seed,
        method=interval.method,
        percent=percent,
    )


def wilson(successes: float | int, count: int, *, level: float | int = LEVEL) -> Interval:
    """The score interval of a share of independent trials, each right or wrong.

    It stays inside [0, 1] and has width where all trials went alike. `successes` may be
    fractional, where several trials count as one.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference",
    JASA 22(158).

    Raises:
        EvaluationError: there is no trial, or more successes than trials.
        SettingsError: `level` is not between 0 and 1.
    """
    _check_level(level)
    if count < 1 or not 0 <= successes <= count:
        raise EvaluationError(
            f"an interval needs 1 or more trials and between 0 and that many successes; "
            f"got {successes} successes of {count}"
        )
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = successes / count
    scale = 1 + z**2 / count
    middle = (share + z**2 / (2 * count)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    # At the ends the formula gives 0 and 1 exactly; rounding does not.
    low = 0.0 if successes == 0 else max(middle - half, 0.0)
    high = 1.0 if successes == count else min(middle + half, 1.0)
    return Interval(low, high, f"Wilson, {count:,} independent trials")


def bootstrap(
    values: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    cluster_unit: str = "clusters",
    draws: int = 1000,
    seed: int,
    level: float | int = LEVEL,
    share: bool = True,
) -> Interval:
    """The percentile-bootstrap interval of the mean of `values` [N], drawing whole clusters.

    Args:
        values: [N] finite numbers, such as the credit of each trial.
        clusters: [N] an id (number or text) for each value; values of one id are drawn together.
            None: each value by itself.
        cluster_unit: what a cluster is, in the plural, for `method`.
        draws: how many resamples.
        seed: of the resampling.
        level: how much of the resampled means the interval holds.
        share: see `percentile_interval`.

    Returns:
        The interval, as `percentile_interval` makes it.

    Raises:
        EvaluationError: no values, values that are not finite, or another number of ids.
        SettingsError: too few draws, or `level` is not between 0 and 1.
    """
    given = np.asarray(values, dtype=np.float64)
    if given.ndim != 1 or not len(given) or not np.isfinite(given).all():
        raise EvaluationError(
            f"the mean needs one or more finite values [N]; got shape {given.shape} "
            f"with {int((~np.isfinite(given)).sum())} not finite"
        )
    ids = np.arange(len(given)) if clusters is None else cluster_ids(clusters, len(given))
    sums, sizes = np.bincount(ids, given), np.bincount(ids)
    generator = np.random.default_rng(seed)
    means = [
        (times @ sums) / (times @ sizes)
        for times in resamples(len(sums), draws=draws, generator=generator)
    ]
    return percentile_interval(
        np.concatenate(means),
        float(given.mean()),
        clusters=len(sums),
        cluster_unit=cluster_unit,
        level=level,
        share=share,
    )


def students_t(
    values: ArrayLike, *, unit: str, level: float | int = LEVEL, share: bool = False
) -> Interval:
    """The interval of the mean of independent runs [N], such as one of each of several seeds.

    Student 1908, "The probable error of a mean", Biometrika 6(1): it takes the values for normal.
    Of one run there is no interval: both ends are NaN.

    Args:
        values: [N] one finite figure of each run.
        unit: what a run is, in the plural, for `method`.
        level: how much of such intervals hold the true mean.
        share: the values are shares: the interval is cut at 0 and 1, and where all are alike it
            is Wilson's, each run one trial.

    Raises:
        EvaluationError: no values, or values that are not finite.
        SettingsError: `level` is not between 0 and 1.
    """
    from scipy.special import stdtrit

    _check_level(level)
    given = np.asarray(values, dtype=np.float64)
    if given.ndim != 1 or not len(given) or not np.isfinite(given).all():
        raise EvaluationError(f"the mean needs one or more finite values [N]; got {given!r}")
    count = len(given)
    if count == 1:
        return Interval(math.nan, math.nan, f"no interval: 1 of {unit}, 2 or more are needed")
    half = float(stdtrit(count - 1, (1 + level) / 2) * given.std(ddof=1) / math.sqrt(count))
    mean = float(given.mean())
    low, high = mean - half, mean + half
    if share and half == 0:
        flat = wilson(mean * count, count, level=level)
        return Interval(flat.low, flat.high, f"Wilson over {count:,} {unit}, as all are alike")
    if share:
        low, high = max(low, 0.0), min(high, 1.0)
    return Interval(low, high, f"Student's t over {count:,} {unit}")


def resamples(
    units: int, *, draws: int, generator: np.random.Generator
) -> Iterator[Int[NDArray[np.int64], "some units"]]:
    """How often each of `units` occurs in each of `draws` samples with replacement, in chunks.

    Each row sums to `units`. A chunk has as many rows as fit in a bounded memory.

    Raises:
        SettingsError: fewer than 40 draws, which cannot show a tail of 2.5 %.
    """
    if draws < FEWEST_DRAWS:
        raise SettingsError(f"`draws` must be {FEWEST_DRAWS} or more; got {draws}")
    rows = max(_ELEMENTS_AT_ONCE // units, 1)
    for start in range(0, draws, rows):
        size = min(rows, draws - start)
        drawn = generator.integers(0, units, (size, units)) + np.arange(size)[:, None] * units
        yield np.bincount(drawn.ravel(), minlength=size * units).reshape(size, units)


def percentile_interval(
    drawn: Float[NDArray[Any], " draws"],
    value: float,
    *,
    clusters: int,
    cluster_unit: str,
    level: float | int = LEVEL,
    share: bool = True,
) -> Interval:
    """The interval that holds the middle `level` of the resampled values `drawn`.

    - The tails are those of Hesterberg's expanded percentile interval, which mends the plain
      one's being too narrow for few clusters; with many clusters they are the plain 2.5 %.
      (Hesterberg 2015, "What teachers should know about the bootstrap", The American
      Statistician 69(4), section 5.)
    - Where all draws are alike (100 % right), resampling says nothing: then it is Wilson's
      interval of the value, each cluster one trial.
    - Of fewer than 5 clusters there is no interval: both ends are NaN.

    A draw that is NaN (it held no pair of one kind) is left out.

    Raises:
        SettingsError: `level` is not between 0 and 1.
    """
    _check_level(level)
    if clusters < FEWEST_CLUSTERS:
        reason = f"no interval: {clusters} {cluster_unit}, 5 or more are needed"
        return Interval(math.nan, math.nan, reason)
    kept = drawn[~np.isnan(drawn)]
    low, high = np.quantile(kept, _tails(clusters, level))
    if share and high - low <= 1e-12 and 0 <= value <= 1:
        flat = wilson(value * clusters, clusters, level=level)
        method = f"Wilson over {clusters:,} {cluster_unit}, as all bootstrap draws are alike"
        return Interval(flat.low, flat.high, method)
    method = f"percentile bootstrap over {clusters:,} {cluster_unit}, {len(drawn):,} draws"
    return Interval(float(low), float(high), method)


def cluster_ids(
    clusters: ArrayLike, count: int, *, what: str = "clusters"
) -> Int[NDArray[np.int64], " values"]:
    """The numbers 0..G-1 for the G distinct ids in `clusters` [count], called `what` in errors.

    Raises:
        EvaluationError: there are not `count` ids in one row.
    """
    given = np.asarray(clusters)
    if given.shape != (count,):
        raise EvaluationError(f"`{what}` has shape {given.shape}; {count} values need ({count},)")
    return np.unique(given, return_inverse=True)[1].astype(np.int64)


def widened(p_value: float | int, clusters: int) -> float:
    """The two-sided p-value whose tails are widened as `percentile_interval` widens them.

    So a bootstrap of few clusters gives 0.05 where 0 is an end of its interval's own draws.
    """
    from scipy.special import ndtri, stdtr

    wide = float(ndtri(p_value / 2))
    return float(2 * stdtr(clusters - 1, wide * math.sqrt((clusters - 1) / clusters)))


def _tails(clusters: int, level: float | int) -> tuple[float, float]:
    from scipy.special import ndtr, stdtrit

    wide = math.sqrt(clusters / (clusters - 1)) * stdtrit(clusters - 1, (1 - level) / 2)
    tail = float(ndtr(wide))
    return tail, 1 - tail


def _check_level(level: float | int) -> None:
    if not 0 < level < 1:
        raise SettingsError(f"`level` must lie between 0 and 1, both apart; got {level}")


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)
