"""What a distance means: a probability, and a threshold that keeps a chosen false-accept rate.

Both come from validation pairs, and are to be judged on other pairs than these.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Int
from numpy.typing import ArrayLike, NDArray

from gemel.errors import EvaluationError, SettingsError
from gemel.evaluation.curves import Distances, Sames, auc, check_pairs
from gemel.evaluation.held_out_loss import Sides, held_out_losses
from gemel.evaluation.intervals import FEWEST_CLUSTERS, LEVEL, Interval
from gemel.evaluation.probability_curves import (
    Curve,
    Logistic,
    curve_of,
    expit,
    fit_isotonic,
    fit_logistic,
    prior_shift,
)

FEWEST = 10
"""How many pairs of each kind a probability needs at least."""
TAIL = (1 - LEVEL) / 2
PREDICTED = 0.98
"""The level of intervals that are to hold a count on other pairs. It is above 95 %, since such an
interval rests on an estimated design effect, and is checked once, by one count."""
Verdict = Literal["same", "different", "too close to call"]


@dataclass(frozen=True)
class Calibration:
    """What the distances of one model mean.

    Attributes:
        curve: from a distance to a probability, where `share` of the pairs are the same.
        share: the share of same pairs among the validation pairs.
        prior: the share of same pairs for which probabilities are stated.
        false_accept_rate: the rate that was asked for.
        threshold: accept up to this distance.
        close: a pair whose distance lies between these two is too close to call: the 95 %
            interval of the threshold that infinitely many validation pairs would have given.
        accepted: how many different validation pairs lie within the threshold.
        same_count: how many validation pairs are the same.
        different_count: how many are different.
        effective_count: how many independent different pairs tell as much of the rate as these
            do; None where too few identities meet to say.
        log_loss: the held-out log loss at `prior` of both ways to fit a curve, in nats a pair.
        folds: how pairs were held out for it.
        method: how the intervals were found.
        split: the name of the validation pairs.
        seed: of all that was drawn.
        warnings: what speaks against the validation pairs.
    """

    curve: Curve
    share: float
    prior: float
    false_accept_rate: float
    threshold: float
    close: tuple[float, float]
    accepted: int
    same_count: int
    different_count: int
    effective_count: float | None
    log_loss: tuple[tuple[str, float], ...]
    folds: str
    method: str
    split: str
    seed: int
    warnings: tuple[str, ...] = ()

    @property
    def shape(self) -> str:
        """How the curve was fitted: "logistic" or "isotonic"."""
        return "logistic" if isinstance(self.curve, Logistic) else "isotonic"

    def probability(
        self, distance: ArrayLike | float, *, prior: float | int | None = None
    ) -> NDArray[np.float64]:
        """The probability that pairs at `distance`, of any shape, are the same.

        Args:
            distance: lower is more alike.
            prior: the share of same pairs among those that are asked about; default: the
                calibration's own.

        Raises:
            EvaluationError: a distance is NaN.
            SettingsError: `prior` is not between 0 and 1.
        """
        measured = np.asarray(distance, dtype=np.float64)
        if np.isnan(measured).any():
            raise EvaluationError(
                f"{int(np.isnan(measured).sum())} of {measured.size} distances are NaN; look at "
                "the embeddings of their items"
            )
        wanted = self.prior if prior is None else _checked_share(prior, "prior")
        odds = self.curve.log_odds(measured) + prior_shift(self.share, wanted)
        return expit(np.asarray(odds))

    def decide(self, distance: float | int) -> Verdict:
        """What a pair at `distance` is: "same", "different" or "too close to call".

        Raises:
            EvaluationError: it is NaN.
        """
        if math.isnan(distance):
            raise EvaluationError("the distance is NaN; look at the embeddings of the two items")
        low, high = self.close
        if low < distance < high:
            return "too close to call"
        return "same" if distance <= self.threshold else "different"

    def explain(self, distance: float | int) -> str:
        """Why `decide` says what it says of `distance`, in a sentence."""
        verdict = self.decide(distance)
        low, high = self.close
        rate = _percent(self.false_accept_rate)
        where = {
            "same": f"is not above {low:.4f}, below which fewer than {rate} of different pairs lie",
            "different": f"is not below {high:.4f}, within which more than {rate} of different "
            "pairs lie",
            "too close to call": f"lies between {low:.4f} and {high:.4f}: that is how well the "
            f"validation pairs place the distance within which {rate} of different pairs lie",
        }[verdict]
        return (
            f"the distance {distance:.4f} {where} (95 % confidence). Of pairs at this distance "
            f"{_percent(float(self.probability(distance)))} are the same, where "
            f"{_percent(self.prior)} of all are"
        )

    def rate_interval(self, among: int | None = None) -> Interval:
        """The interval of the false-accept rate at the threshold.

        Without `among` it is the 95 % confidence interval of the true rate: the share of all
        different pairs, now and later, that lie within the threshold. With `among` it is the 98 %
        prediction interval of the share that will be counted among that many other different
        pairs; it is wider, since that count has its own chance. Other pairs must be like the
        validation pairs: as many an identity, and of identities drawn from the same source.

        Source: Clopper and Pearson 1934, "The use of confidence or fiducial limits illustrated in
        the case of the binomial", Biometrika 26(4). The true rate at the k-th smallest of n
        independent distances has the law Beta(k, n + 1 - k), whatever the distances' own law.
        Where pairs share identities, n and k are scaled to the effective count: Korn and Graubard
        1998, "Confidence intervals for proportions with small expected number of positive counts
        estimated from survey data", Survey Methodology 24.

        Raises:
            SettingsError: `among` is below 1.
        """
        if among is not None and among < 1:
            raise SettingsError(f"`among` must be 1 different pair or more; got {among}")
        if self.effective_count is None:
            return Interval(math.nan, math.nan, self.method)
        from scipy.stats import beta, betabinom

        count = self.effective_count
        scale = count / self.different_count
        hits = self.accepted * scale
        lower, upper = (hits, count - hits + 1), (hits + 1, count - hits)
        if among is None:
            ends = beta.ppf(TAIL, *lower), beta.ppf(1 - TAIL, *upper)
            return Interval(float(ends[0]), float(ends[1]), self.method)
        later = max(round(among * scale), 1)
        tail = (1 - PREDICTED) / 2
        ends = betabinom.ppf(tail, later, *lower), betabinom.ppf(1 - tail, later, *upper)
        method = f"98 % prediction for {among:,} other different pairs; {self.method}"
        return Interval(float(ends[0]) / later, float(ends[1]) / later, method)

    def __str__(self) -> str:
        rate = self.rate_interval()
        span = rate.method
        if not math.isnan(rate.low):
            span = f"95 % interval {_percent(rate.low)} to {_percent(rate.high)}; {rate.method}"
        losses = ", ".join(f"{name} {loss:.4f}" for name, loss in self.log_loss)
        lines = [
            f"threshold {self.threshold:.4f}: {self.accepted:,} of {self.different_count:,} "
            f"different pairs pass, {_percent(self.false_accept_rate)} asked for ({span})",
            f"too close to call: from {self.close[0]:.4f} to {self.close[1]:.4f}",
            f"probability: {self.shape}, where {_percent(self.prior)} of pairs are the same "
            f"(held-out log loss: {losses}; {self.folds})",
            f"from {self.same_count:,} same and {self.different_count:,} different pairs, "
            f"split {self.split}, seed {self.seed}",
        ]
        return "\n".join([*lines, *(f"warning: {warning}" for warning in self.warnings)])

    def as_dict(self) -> dict[str, Any]:
        """For JSON: all that `from_dict` needs, and the interval of the rate."""
        rate = self.rate_interval()
        ends = [None if math.isnan(end) else end for end in (rate.low, rate.high)]
        return {
            **asdict(self),
            "shape": self.shape,
            "curve": self.curve.as_dict(),
            "close": list(self.close),
            "log_loss": dict(self.log_loss),
            "warnings": list(self.warnings),
            "rate_interval": ends,
        }

    @classmethod
    def from_dict(cls, facts: dict[str, Any]) -> "Calibration":
        """The calibration that `as_dict` wrote.

        Raises:
            KeyError, TypeError: something is missing or unknown.
        """
        rest = {k: v for k, v in facts.items() if k not in ("shape", "rate_interval")}
        rest |= {
            "curve": curve_of(facts["shape"], facts["curve"]),
            "close": tuple(facts["close"]),
            "log_loss": tuple(facts["log_loss"].items()),
            "warnings": tuple(facts["warnings"]),
        }
        return cls(**rest)


def fit_calibration(
    distance: ArrayLike,
    same: ArrayLike,
    *,
    false_accepts: float | int = 0.01,
    prior: float | int | None = None,
    left_identity: ArrayLike | None = None,
    right_identity: ArrayLike | None = None,
    split: str,
    seed: int,
    warnings: tuple[str, ...] = (),
) -> Calibration:
    """The calibration of validation pairs.

    The curve is logistic or isotonic, whichever has the lower held-out log loss; a tie goes to
    the logistic one, which has two numbers. The threshold is the k-th smallest distance of the n
    different pairs, k = floor(false_accepts * (n + 1)): the true rate there is k / (n + 1) on
    average. It is found on these pairs: figures at it are to be measured on others.

    Args:
        distance: [N] lower is more alike.
        same: [N] booleans.
        false_accepts: the share of different pairs that may be taken for the same.
        prior: the share of same pairs where the probability will be used. Default: that among
            these pairs, which is right only where they come as pairs will come in use.
        left_identity: [N] an id (number or text) of what each pair's left item shows.
        right_identity: [N] the same for the right items; give both or neither. Without them all
            pairs are taken as independent, and intervals are too narrow where they are not.
        split: the name of these pairs.
        seed: of the folds.
        warnings: what speaks against these pairs, kept in the result.

    Raises:
        EvaluationError: too few pairs for the rate (the message says how many are needed), fewer
            than 10 of a kind, distances that do not tell the kinds apart, identities of one side
            only, or pairs that allow no figures (see `check_pairs`).
        SettingsError: a rate that is not above 0 and at most 0.5, or a prior that is not between
            0 and 1.
    """
    measured, truth = check_pairs(distance, same)
    if not 0 < false_accepts <= 0.5:
        raise SettingsError(
            f"`false_accepts` must lie above 0 and be 0.5 or less; got {false_accepts}"
        )
    rate = float(false_accepts)
    _check_counts(truth, rate)
    area = auc(measured, truth)
    if area <= 0.5:
        raise EvaluationError(
            f"a same pair is nearer than a different one in {_percent(area)} of cases, which is "
            "chance or worse: these distances cannot be calibrated. Is `same` the other way "
            "round, or the distance a similarity?"
        )
    sides = _sides(left_identity, right_identity, len(truth))
    wanted = float(truth.mean()) if prior is None else _checked_share(prior, "prior")
    losses, folds = held_out_losses(measured, truth, sides, wanted, seed)
    fit = fit_logistic if losses["logistic"] <= losses["isotonic"] else fit_isotonic
    different = np.sort(measured[~truth])
    accepted, threshold = _threshold(different, rate)
    count, method = _effective_count(
        measured[~truth] <= threshold, None if sides is None else sides[:, ~truth]
    )
    if count is not None and count < pairs_needed(rate):
        warnings = (
            *warnings,
            f"the {len(different):,} different pairs share identities, and tell as much as "
            f"{count:,.0f} that do not; a false-accept rate of {rate:g} needs "
            f"{pairs_needed(rate):,}. Bring pairs of more identities",
        )
    return Calibration(
        curve=fit(measured, truth),
        share=float(truth.mean()),
        prior=wanted,
        false_accept_rate=rate,
        threshold=threshold,
        close=_close(different, rate, count),
        accepted=accepted,
        same_count=int(truth.sum()),
        different_count=len(different),
        effective_count=count,
        log_loss=tuple(losses.items()),
        folds=folds,
        method=method,
        split=split,
        seed=seed,
        warnings=warnings,
    )


def pairs_needed(rate: float | int) -> int:
    """How many different pairs a false-accept rate needs: fewer may hold none within it.

    With n independent pairs no distance lies within the true threshold with chance (1 - rate)^n;
    from this many on that is at most 2.5 %, so the threshold's 95 % interval has a lower end.
    """
    return math.ceil(math.log(TAIL) / math.log1p(-rate))


def _check_counts(truth: Sames, rate: float) -> None:
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


def _threshold(different: Distances, rate: float) -> tuple[int, float]:
    """How many of the ascending distances are accepted, and up to which."""
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


def _close(different: Distances, rate: float, count: float | None) -> tuple[float, float]:
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


def _effective_count(
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


def _sides(left: ArrayLike | None, right: ArrayLike | None, count: int) -> Sides | None:
    if left is None and right is None:
        return None
    sides = [np.asarray([] if side is None else side) for side in (left, right)]
    for key, side in zip(("left_identity", "right_identity"), sides, strict=True):
        if side.shape != (count,):
            raise EvaluationError(
                f"`{key}` has shape {side.shape}; {count} pairs need ({count},): give the "
                "identities of both sides, or of neither"
            )
    ids = np.unique(np.concatenate(sides), return_inverse=True)[1]
    return ids.reshape(2, -1).astype(np.int64)


def _checked_share(value: float | int, name: str) -> float:
    if not 0 < value < 1:
        raise SettingsError(f"`{name}` must lie between 0 and 1, both apart; got {value}")
    return float(value)


def _percent(share: float) -> str:
    if share > 0.9995:
        return "over 99.9 %"
    return "under 0.001 %" if 0 < share < 1e-5 else f"{100 * share:.3g} %"
