"""A model and validation data to a calibration, which the model keeps."""

import numpy as np
from numpy.typing import NDArray

from gemel.checks import check_sense
from gemel.embedded import Embedded
from gemel.evaluation.calibration import Calibration, fit_calibration
from gemel.evaluation.false_accepts import checked_rate, pairs_needed
from gemel.inputs import read_items
from gemel.items import Indices, Items, Pairs
from gemel.leaks import digests, marks, warn_of_training
from gemel.model import Siamese
from gemel.trials import many_different_pairs, most_pairs

MOST_DIFFERENT = 50_000
"""How many different pairs are drawn from labelled items, at most: low rates need many."""


def calibrate(
    model: Siamese,
    data: Items | Pairs,
    *,
    false_accepts: float | int = 0.01,
    prior: float | int | None = None,
    seed: int = 0,
    skip_bad: bool = False,
) -> Calibration:
    """Learn what `model`'s distances mean from validation data, and keep it in the model.

    Sets `model.calibration`, `model.threshold` and `model.calibrated_on`: digests of the items, so
    that `evaluate` refuses to judge the calibration on them. The fingerprint stays as it is.

    Args:
        model: what is calibrated.
        data: items or pairs that it was not trained on. From items, up to 30,000 same and 50,000
            different pairs are drawn; for a joint comparer, which runs its network for every
            pair, up to 2,000 of each kind, or as many different ones as the rate needs.
        false_accepts: the share of different pairs that may be taken for the same.
        prior: the share of same pairs where the model will be used. Default: 0.5 for items, the
            share among the pairs for pairs.
        seed: of the drawn pairs, and of the folds.
        skip_bad: go on without items that cannot be read.

    Returns:
        The calibration; its `warnings` say where the data were trained on, and its `skipped` what
        was left out, by the reader of `data` or here.

    Raises:
        BadItemsError: items that cannot be read.
        DataError: `same` seems to be the other way round.
        EvaluationError: too few pairs for the rate; see `fit_calibration`.
        SettingsError: a rate that is not above 0 and at most 0.5, or a prior that is not between
            0 and 1.
    """
    rate = checked_rate(false_accepts)
    known, prepared = read_items(model.input, data, skip_bad=skip_bad)
    items = digests(prepared)
    warnings = () if model.trained_on is None else warn_of_training(model.trained_on, known, items)
    if isinstance(known, Pairs):
        check_sense(known, content=items)
        left, right, same = known.left, known.right, known.same
        identity = known.identities
    else:
        left, right, same = _drawn_pairs(known, model, rate, seed)
        identity = known.class_ids
        prior = 0.5 if prior is None else prior
    found = fit_calibration(
        Embedded(model, prepared).distances(left, right),
        same,
        false_accepts=rate,
        prior=prior,
        left_identity=identity[left],
        right_identity=identity[right],
        split=known.name,
        seed=seed,
        warnings=warnings,
        skipped=tuple(map(str, data.skipped + prepared.skipped)),
    )
    model.calibration, model.threshold = found, found.threshold
    model.calibrated_on = marks(known, items)
    return found


def _drawn_pairs(
    items: Items, model: Siamese, rate: float, seed: int
) -> tuple[Indices, Indices, NDArray[np.bool_]]:
    """Left, right and same [M]: as many different pairs as the rate needs, and can be afforded."""
    most = most_pairs(model)
    different = max(most, pairs_needed(rate)) if model.is_joint else MOST_DIFFERENT
    different = min(different, MOST_DIFFERENT)
    return many_different_pairs(items, same=most, different=different, seed=seed)
