"""A model of each enrolled subject, fitted to several embeddings of it, and what it says of others.

Chopra, Hadsell, LeCun 2005, section 3.3: the outputs for a person are taken for normal, and a
claim is accepted where phi_g / (phi_g + phi_i) is high; phi_g is the density of the probe under
the person's model, phi_i a constant, the density to be expected of an impostor. A picture that
was enrolled must never be a probe.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike, NDArray

from gemel.errors import EvaluationError, SettingsError

FLOOR = 0.01
"""The least variance, as a share of what the numbers of an embedding vary by over all subjects."""


@dataclass(frozen=True, eq=False)
class SubjectModels:
    """A normal distribution with a diagonal covariance for each of S subjects.

    Attributes:
        names: [S] the subjects, sorted.
        mean: [S, D] of each number of their embeddings.
        variance: [S, D] above 0.
    """

    names: NDArray[Any]
    mean: Float[NDArray[np.float64], "subjects dim"]
    variance: Float[NDArray[np.float64], "subjects dim"]

    def log_density(self, probes: ArrayLike) -> Float[NDArray[np.float64], "probes subjects"]:
        """The logarithm of each subject's density at each of `probes` [P, D].

        Raises:
            EvaluationError: probes of another length, or not finite.
        """
        points = _embeddings(probes, "probes")
        if points.shape[1] != self.mean.shape[1]:
            raise EvaluationError(
                f"`probes` have {points.shape[1]} numbers each; the models were fitted to "
                f"embeddings of {self.mean.shape[1]}: embed both with one model"
            )
        constant = -0.5 * np.log(2 * np.pi * self.variance).sum(axis=1)  # [S]
        found = np.empty((len(points), len(self.mean)))
        for subject, (mean, variance) in enumerate(zip(self.mean, self.variance, strict=True)):
            away = ((points - mean) ** 2 / variance).sum(axis=1)  # [P]
            found[:, subject] = constant[subject] - 0.5 * away
        return found

    def distance(
        self, probes: ArrayLike, log_impostor: ArrayLike | float
    ) -> Float[NDArray[np.float64], "probes subjects"]:
        """How unlike each subject each of `probes` [P, D] is: log phi_i - log phi_g.

        Minus the log odds of phi_g / (phi_g + phi_i): it orders claims as that share does, lower
        for more alike, and never overflows. `accepted_share` turns it into the share.

        Args:
            probes: [P, D].
            log_impostor: log phi_i: one number, or [S] one for each subject, such as
                `log_impostor_density` gives.

        Raises:
            EvaluationError: probes of another length, or a number that is not finite.
        """
        constant = np.asarray(log_impostor, dtype=np.float64)
        if constant.shape not in ((), self.names.shape) or not np.isfinite(constant).all():
            raise EvaluationError(
                f"`log_impostor` must be finite, one number or {self.names.shape}, one for each "
                f"subject; got {constant}"
            )
        return constant - self.log_density(probes)


def fit_subject_models(
    embeddings: ArrayLike, subjects: ArrayLike, *, floor: float, shared: float = 0.0
) -> SubjectModels:
    """A normal distribution for each subject, from the embeddings that it was enrolled with.

    The variances are the mean squared deviations from the subject's mean, none below `floor`:
    of a few embeddings some numbers hardly vary by chance, and would refuse every other one.

    Args:
        embeddings: [N, D].
        subjects: [N] a name (number or text) for each.
        floor: the least variance, above 0; `spread_floor` gives one in the embeddings' own measure.
        shared: how much of each variance is the mean over all subjects, 0 to 1, where each by
            itself has too few embeddings to tell. 0 takes each subject's own.

    Raises:
        EvaluationError: no embeddings, some that are not finite, or another number of names.
        SettingsError: `floor` is not positive, or `shared` not between 0 and 1.
    """
    if not 0 < floor < np.inf:
        raise SettingsError(f"`floor` is the least variance, above 0 and finite; got {floor}")
    if not 0 <= shared <= 1:
        raise SettingsError(f"`shared` must lie between 0 and 1; got {shared}")
    points = _embeddings(embeddings, "embeddings")
    owner = np.asarray(subjects)
    if owner.shape != points.shape[:1]:
        raise EvaluationError(
            f"`subjects` has shape {owner.shape}; {len(points)} embeddings need ({len(points)},)"
        )
    names, number = np.unique(owner, return_inverse=True)
    mean = np.stack([points[number == one].mean(axis=0) for one in range(len(names))])
    own = np.stack([points[number == one].var(axis=0) for one in range(len(names))])
    variance = (1 - shared) * own + shared * own.mean(axis=0)
    return SubjectModels(names, mean, np.maximum(variance, floor))


def spread_floor(embeddings: ArrayLike, *, share: float = FLOOR) -> float:
    """`share` of the variance that a number of `embeddings` [N, D] has, on average.

    Take embeddings of many other people than those who are judged.

    Raises:
        EvaluationError: no embeddings, some that are not finite, or all of them alike.
        SettingsError: `share` is not positive.
    """
    if not 0 < share < np.inf:
        raise SettingsError(f"`share` must be positive and finite; got {share}")
    spread = float(_embeddings(embeddings, "embeddings").var(axis=0).mean())
    if not spread:
        raise EvaluationError("all embeddings are alike, which gives no least variance")
    return share * spread


def log_impostor_density(
    models: SubjectModels, impostors: ArrayLike
) -> Float[NDArray[np.float64], " subjects"]:
    """Log phi_i: for each of `models` the mean density of `impostors` [M, D], as a logarithm [S].

    The impostors must be other people than the subjects, and than those who are judged.

    Raises:
        EvaluationError: embeddings of another length, or not finite.
    """
    from scipy.special import logsumexp

    found = models.log_density(impostors)
    return np.asarray(logsumexp(found, axis=0) - np.log(len(found)))


def accepted_share(distance: ArrayLike) -> NDArray[np.float64]:
    """phi_g / (phi_g + phi_i), from 0 to 1, of distances that `SubjectModels.distance` gave."""
    from scipy.special import expit

    return np.asarray(expit(-np.asarray(distance, dtype=np.float64)))


def _embeddings(values: ArrayLike, name: str) -> Float[NDArray[np.float64], "items dim"]:
    given = np.asarray(values, dtype=np.float64)
    if given.ndim != 2 or not given.size:
        raise EvaluationError(f"`{name}` must be one or more rows [N, D]; got shape {given.shape}")
    bad = ~np.isfinite(given).all(axis=1)
    if bad.any():
        raise EvaluationError(
            f"{int(bad.sum())} of {len(given)} rows of `{name}` hold NaN or infinity, the first "
            f"is row {int(np.argmax(bad))}; look at its item"
        )
    return given
