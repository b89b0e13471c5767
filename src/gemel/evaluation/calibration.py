"""What a distance means: a probability, and a threshold that keeps a chosen false-accept rate.

Both come from validation pairs, and are to be judged on other pairs than these.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gemel.errors import EvaluationError, SettingsError
from gemel.evaluation.cells import identities_of
from gemel.evaluation.curves import auc, check_pairs
from gemel.evaluation.false_accepts import (
    TAIL,
    check_counts,
    checked_rate,
    close_to,
    effective_count,
    low_end_is_sure,
    pairs_needed,
    percent,
    threshold_of,
)
from gemel.evaluation.held_out_loss import held_out_losses
from gemel.evaluation.intervals import Interval
from gemel.evaluation.probability_curves import (
    Curve,
    Logistic,
    curve_of,
    expit,
    fit_isotonic,
    fit_logistic,
    prior_shift,
)
from gemel.evaluation.trade_off import TradeOff, rates_at, trade_off

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
            interval of the threshold that infinitely many validation pairs would have given, and
            what lies between it and the threshold, which ties can leave outside.
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
        skipped: what was wrong with items that were left out, each with where it stands.
        trade_off: what other thresholds would cost, rising by threshold, `threshold` among them:
            shares of these same validation pairs. Empty where an older gemel calibrated.
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
    skipped: tuple[str, ...] = ()
    trade_off: tuple[TradeOff, ...] = ()

    def __post_init__(self) -> None:
        ends = *self.close, self.threshold
        object.__setattr__(self, "close", (min(ends), max(ends)))

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
        rate = percent(self.false_accept_rate)
        count = self.different_count if self.effective_count is None else self.effective_count
        where = {
            "same": f"is not above {low:.4f}, below which fewer than {rate} of different pairs lie "
            "(95 % confidence)",
            "different": f"is not below {high:.4f}, within which more than {rate} of different "
            "pairs lie (95 % confidence)",
            "too close to call": f"lies between {low:.4f} and {high:.4f}: that is how well the "
            f"validation pairs place the distance within which {rate} of different pairs lie",
        }[verdict]
        if verdict == "same" and not low_end_is_sure(self.false_accept_rate, count):
            where = (
                f"is not above {low:.4f}, and no different validation pair is nearer than that; "
                f"but they tell as much as {count:,.0f} pairs that share nobody, too few to be 95 "
                f"% confident that fewer than {rate} of different pairs are"
            )
        return (
            f"the distance {distance:.4f} {where}. Of pairs at this distance "
            f"{percent(float(self.probability(distance)))} are the same, where "
            f"{percent(self.prior)} of all are"
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

    def rates_at(self, threshold: float | int) -> tuple[float, float]:
        """What another threshold would cost: false accepts and false rejects.

        They are shares of the validation pairs, which the calibration was fitted to; to judge a
        threshold, measure it on other pairs. Between two rows of `trade_off` both are rounded up:
        neither is less than was measured.

        Raises:
            EvaluationError: the threshold is NaN, or an older gemel calibrated.
        """
        if math.isnan(threshold):
            raise EvaluationError("the threshold is NaN; expected a distance")
        if not self.trade_off:
            raise EvaluationError(
                "this calibration keeps no trade-off: an older gemel made it. Calibrate again, "
                "gemel.calibrate(model, data) (gemel calibrate MODEL DATA)"
            )
        return rates_at(self.trade_off, threshold)

    def __str__(self) -> str:
        rate = self.rate_interval()
        span = rate.method
        if not math.isnan(rate.low):
            span = f"95 % interval {percent(rate.low)} to {percent(rate.high)}; {rate.method}"
        losses = ", ".join(f"{name} {loss:.4f}" for name, loss in self.log_loss)
        lines = [
            f"threshold {self.threshold:.4f}: {self.accepted:,} of {self.different_count:,} "
            f"different pairs pass, {percent(self.false_accept_rate)} asked for ({span})",
            f"too close to call: from {self.close[0]:.4f} to {self.close[1]:.4f}",
            f"probability: {self.shape}, where {percent(self.prior)} of pairs are the same "
            f"(held-out log loss: {losses}; {self.folds})",
            f"from {self.same_count:,} same and {self.different_count:,} different pairs, "
            f"split {self.split}, seed {self.seed}",
        ]
        if self.skipped:
            lines.append(f"went on without {len(self.skipped)} bad items:")
            lines += [f"  {problem}" for problem in self.skipped]
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
            "skipped": list(self.skipped),
            "trade_off": [list(row) for row in self.trade_off],
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
            "skipped": tuple(facts.get("skipped", ())),  # absent from the first files
            "trade_off": tuple(TradeOff(*row) for row in facts.get("trade_off", ())),  # the same
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
    skipped: tuple[str, ...] = (),
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
        skipped: what was wrong with items that were left out, kept in the result.

    Raises:
        EvaluationError: too few pairs for the rate (the message says how many are needed), fewer
            than 10 of a kind, distances that do not tell the kinds apart, identities of one side
            only, or pairs that allow no figures (see `check_pairs`).
        SettingsError: a rate that is not above 0 and at most 0.5, or a prior that is not between
            0 and 1.
    """
    measured, truth = check_pairs(distance, same)
    rate = checked_rate(false_accepts)
    check_counts(truth, rate)
    area = auc(measured, truth)
    if area <= 0.5:
        raise EvaluationError(
            f"a same pair is nearer than a different one in {percent(area)} of cases, which is "
            "chance or worse: these distances cannot be calibrated. Is `same` the other way "
            "round, or the distance a similarity?"
        )
    sides = None
    if left_identity is not None or right_identity is not None:
        sides = np.stack(identities_of(left_identity, right_identity, truth)[1:])  # [2, N]
    wanted = float(truth.mean()) if prior is None else _checked_share(prior, "prior")
    losses, folds = held_out_losses(measured, truth, sides, wanted, seed)
    fit = fit_logistic if losses["logistic"] <= losses["isotonic"] else fit_isotonic
    different = np.sort(measured[~truth])
    accepted, threshold = threshold_of(different, rate)
    count, method = effective_count(
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
        close=close_to(different, rate, count),
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
        skipped=skipped,
        trade_off=trade_off(measured[truth], different, threshold),
    )


def _checked_share(value: float | int, name: str) -> float:
    if not 0 < value < 1:
        raise SettingsError(f"`{name}` must lie between 0 and 1, both apart; got {value}")
    return float(value)
