"""How well each way to fit a probability does on pairs that it did not see."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray

from gemel.evaluation.curves import Distances, Sames
from gemel.evaluation.probability_curves import (
    fit_isotonic,
    fit_logistic,
    log_losses,
    prior_shift,
)

FOLDS = 5
Sides = Int[NDArray[np.int64], "2 pairs"]
Fold = tuple[Sames, Sames]


def held_out_losses(
    distance: Distances, same: Sames, sides: Sides | None, prior: float, seed: int
) -> tuple[dict[str, float], str]:
    """The log loss of both fits on pairs that they did not see, and how these were held out."""
    folds, how = list(identity_folds(sides, same, seed)), f"{FOLDS} folds that share no identity"
    held = np.zeros(len(same), dtype=bool)
    for _, judged in folds:
        held |= judged
    if not (same & held).any() or not (~same & held).any():
        folds, how = list(_pair_folds(same, seed)), f"{FOLDS} folds of pairs"
    losses = {}
    for name, fit in (("logistic", fit_logistic), ("isotonic", fit_isotonic)):
        parts = []
        for fitted, judged in folds:
            curve = fit(distance[fitted], same[fitted])
            shift = prior_shift(float(same[fitted].mean()), prior)
            parts.append(log_losses(curve.log_odds(distance[judged]) + shift, same[judged]))
        loss, kind = np.concatenate(parts), np.concatenate([same[judged] for _, judged in folds])
        losses[name] = float(prior * loss[kind].mean() + (1 - prior) * loss[~kind].mean())
    return losses, how


def identity_folds(sides: Sides | None, same: Sames, seed: int) -> Iterator[Fold]:
    """Pairs to fit and pairs to judge: both sides of those lie in other folds, of these in one."""
    if sides is None:
        return
    names, places = np.unique(sides, return_inverse=True)
    fold = np.random.default_rng(seed).permutation(len(names)) % FOLDS
    left, right = fold[places.reshape(2, -1)]
    for number in range(FOLDS):
        fitted = (left != number) & (right != number)
        if same[fitted].any() and not same[fitted].all():
            yield fitted, (left == number) & (right == number)


def _pair_folds(same: Sames, seed: int) -> Iterator[Fold]:
    """The same by pairs, equally many of each kind in each."""
    fold = np.empty(len(same), dtype=np.int64)
    generator = np.random.default_rng(seed)
    for kind in (True, False):
        count = int((same == kind).sum())
        fold[same == kind] = generator.permutation(count) % FOLDS
    for number in range(FOLDS):
        yield fold != number, fold == number
