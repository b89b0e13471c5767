"""From a distance to the probability that a pair is the same: two curves, and how each is fitted.

Both are fitted to Platt's targets: with S same and D different pairs, a same pair counts as
(S + 1) / (S + 2) and a different one as 1 / (D + 2), not as 1 and 0. So no probability lies
further out than the count of the pairs allows.

Source: Platt 1999, "Probabilistic outputs for support vector machines and comparisons to
regularized likelihood methods", Advances in Large Margin Classifiers.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gemel.evaluation.curves import Distances, Sames

STEPS = 100
FLAT = 1e-10  # the slope of the log likelihood, an item, at which the fit is done


@dataclass(frozen=True)
class Logistic:
    """The log odds fall on a straight line: intercept + slope * distance, slope at most 0."""

    intercept: float
    slope: float

    def log_odds(self, distance: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of being the same, for distances of any shape; finite for finite distances."""
        return np.asarray(self.intercept + self.slope * distance)

    def probability(self, distance: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of being the same, for distances of any shape."""
        return expit(self.log_odds(distance))

    def as_dict(self) -> dict[str, Any]:
        """The numbers, for JSON."""
        return {"intercept": self.intercept, "slope": self.slope}


@dataclass(frozen=True)
class Isotonic:
    """The probability falls in any shape: straight between knots, level beyond the outermost.

    Attributes:
        distances: [K] the ascending knots.
        probabilities: [K] what they have; never rising.
    """

    distances: tuple[float, ...]
    probabilities: tuple[float, ...]

    def probability(self, distance: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of being the same, for distances of any shape."""
        return np.asarray(np.interp(distance, self.distances, self.probabilities))

    def log_odds(self, distance: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of being the same, for distances of any shape; finite for finite distances."""
        found = self.probability(distance)
        return np.asarray(np.log(found) - np.log1p(-found))

    def as_dict(self) -> dict[str, Any]:
        """The numbers, for JSON."""
        return {"distances": list(self.distances), "probabilities": list(self.probabilities)}


Curve = Logistic | Isotonic


def curve_of(method: str, numbers: dict[str, Any]) -> Curve:
    """The curve that `as_dict` wrote; `method` is "logistic" or "isotonic"."""
    if method == "logistic":
        return Logistic(float(numbers["intercept"]), float(numbers["slope"]))
    return Isotonic(tuple(numbers["distances"]), tuple(numbers["probabilities"]))


def fit_logistic(distance: Distances, same: Sames) -> Logistic:
    """The line of greatest likelihood under Platt's targets, by Newton's steps, halved if need be.

    Where the likeliest line would rise, it is level: a greater distance never speaks for sameness.
    """
    target = _targets(same)
    middle, scale = float(distance.mean()), float(distance.std()) or 1.0
    columns = np.stack([np.ones(len(distance)), (distance - middle) / scale], axis=1)  # [N, 2]
    share = float(target.mean())
    weights = np.array([np.log(share / (1 - share)), 0.0])
    loss = _mean_log_loss(columns @ weights, target)
    for _ in range(STEPS):
        probability = expit(columns @ weights)
        gradient = columns.T @ (probability - target) / len(target)
        if np.abs(gradient).max() < FLAT:
            break
        spread = probability * (1 - probability)
        curvature = columns.T @ (spread[:, None] * columns) / len(target)
        step = np.linalg.solve(curvature + 1e-12 * np.eye(2), gradient)
        while (lower := _mean_log_loss(columns @ (weights - step), target)) > loss:
            step /= 2
            if np.abs(step).max() < 1e-14:  # as low as rounding lets it be
                break
        weights, loss = weights - step, lower
    if weights[1] > 0:
        return Logistic(float(np.log(share / (1 - share))), 0.0)
    slope = float(weights[1]) / scale
    return Logistic(float(weights[0]) - slope * middle, slope)


def fit_isotonic(distance: Distances, same: Sames) -> Isotonic:
    """The falling curve of least squared error under Platt's targets (pool adjacent violators).

    Source: Zadrozny and Elkan 2002, "Transforming classifier scores into accurate multiclass
    probability estimates", KDD.
    """
    from scipy.optimize import isotonic_regression

    at, place, count = np.unique(distance, return_inverse=True, return_counts=True)
    mean = np.bincount(place, _targets(same)) / count  # pairs of one distance have one value
    found = isotonic_regression(mean, weights=count, increasing=False)
    blocks = np.asarray(found.blocks)
    knots = np.unique(np.concatenate([blocks[:-1], blocks[1:] - 1]))  # ends of each level stretch
    return Isotonic(tuple(at[knots].tolist()), tuple(found.x[knots].tolist()))


def prior_shift(share: float | int, prior: float | int) -> float:
    """What log odds among pairs of which `share` are the same gain where `prior` of all are.

    By Bayes' rule the odds change by the ratio of the prior odds. Source: Saerens, Latinne and
    Decaestecker 2002, "Adjusting the outputs of a classifier to new a priori probabilities",
    Neural Computation 14(1).
    """
    if share == prior:
        return 0.0
    return math.log(prior / share) - math.log((1 - prior) / (1 - share))


def expit(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """The probability that has these log odds; small ones keep all their digits."""
    return np.asarray(np.exp(-np.logaddexp(0, -log_odds)))


def log_losses(log_odds: NDArray[np.float64], same: Sames) -> NDArray[np.float64]:
    """[N] minus the log of the probability that was given to what pairs [N] turned out to be.

    From log odds, since a probability that rounds to 0 or 1 would have an infinite loss.
    """
    return np.asarray(np.logaddexp(0, np.where(same, -log_odds, log_odds)))


def _targets(same: Sames) -> NDArray[np.float64]:
    sames = int(same.sum())
    return np.where(same, (sames + 1) / (sames + 2), 1 / (len(same) - sames + 2))


def _mean_log_loss(log_odds: NDArray[np.float64], target: NDArray[np.float64]) -> float:
    return float((np.logaddexp(0, log_odds) - target * log_odds).mean())
