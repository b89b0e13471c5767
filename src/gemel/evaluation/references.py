"""How far a probe is from several references, against how far these are from each other."""

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike, NDArray

from gemel.errors import EvaluationError, SettingsError

LEAST = 1e-6
"""What is added to a distance before its logarithm is taken."""


def relative_distance(
    to_references: ArrayLike, among: ArrayLike, *, power: float = 0.5
) -> Float[NDArray[np.float64], " probes"]:
    """The geometric mean of a probe's distances, divided by a power of that among the references.

    Subjects differ in how much they vary, so one threshold is too strict for some and too kind to
    others. With a power of 1 a distance counts by multiples of the subject's own; a few references
    of one day say little of it, so a lower power errs less.

    Args:
        to_references: [P, R] the distance of each probe from each reference of one subject.
        among: [R, R] the distances of the references; the diagonal is not looked at.
        power: 0 takes distances as they are.

    Returns:
        [P]; lower is more alike.

    Raises:
        EvaluationError: other shapes, fewer than two references, or distances that are negative
            or not finite.
        SettingsError: `power` is not from 0 to 1.
    """
    if not 0 <= power <= 1:
        raise SettingsError(f"`power` must be from 0 to 1; got {power}")
    probes, own = (np.asarray(given, dtype=np.float64) for given in (to_references, among))
    count = len(own)
    if own.shape != (count, count) or count < 2 or probes.ndim != 2 or probes.shape[1] != count:
        raise EvaluationError(
            "expected distances [P, R] to two or more references and [R, R] among them; got "
            f"{probes.shape} and {own.shape}"
        )
    pairs = own[~np.eye(count, dtype=np.bool_)]
    if not (np.isfinite(probes).all() and np.isfinite(pairs).all()):
        raise EvaluationError("distances that are not finite; look at the items they belong to")
    if min(probes.min(initial=0.0), pairs.min()) < 0:
        raise EvaluationError("distances below 0 have no geometric mean: logits are not taken")
    spread = np.log(pairs + LEAST).mean()
    return np.asarray(np.exp(np.log(probes + LEAST).mean(axis=1) - power * spread))
