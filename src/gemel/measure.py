"""A model measured on items it has not seen: embed once, then the figures of `evaluation`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gemel.checks import check_sense
from gemel.embedded import Embedded
from gemel.errors import Problem
from gemel.evaluation import (
    Figure,
    FoldAccuracy,
    GroupVerification,
    Identification,
    Refused,
    Retrieval,
    Verification,
    accuracy,
    fixed_trials,
    fold_accuracy,
    identification,
    one_shot_credit,
    retrieval,
    verification,
    verification_by_group,
)
from gemel.evaluation.reliability import calibration_error
from gemel.evaluation.verification import FALSE_ACCEPT_RATES
from gemel.inputs import AnyPrepared, read_items
from gemel.items import Indices, Items, Pairs
from gemel.leaks import digests, refuse_calibrated, warn_of_training
from gemel.model import Siamese
from gemel.trials import (
    draw_item_episodes,
    gallery_and_probes,
    item_pairs,
    many_different_pairs,
    most_pairs,
)

FOLDS = 10
JudgedPairs = tuple[Indices, Indices, NDArray[np.bool_]]
"""Left, right and same, [M] each."""


@dataclass(frozen=True, eq=False)
class Judged:
    """The pairs that verification judged, to look at.

    Attributes:
        data: the items they are of, or the table of pairs, less what could not be read.
        embedded: the items as the model sees them.
        left: [M] the left item of each pair.
        right: [M] its right item.
        same: [M] True where both show the same thing.
        distance: [M] what the model says.
    """

    data: Items | Pairs
    embedded: Embedded
    left: Indices
    right: Indices
    same: NDArray[np.bool_]
    distance: NDArray[np.float32]

    @property
    def identities(self) -> tuple[Indices, Indices]:
        """[M] what each left item shows, and each right one.

        In a table of pairs, items that `same` pairs join are one identity.
        """
        data = self.data
        known = data.identities if isinstance(data, Pairs) else data.class_ids
        return known[self.left], known[self.right]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What `evaluate` measured. What the data do not allow is None.

    Attributes:
        verification: are these two the same?
        groups: the same for each group of the items, at the model's threshold.
        folds: of a table of pairs, the accuracy at thresholds chosen on other folds of it, for
            models that have none.
        calibration_error: how far the model's probabilities are from the shares found.
        episodes: N-way K-shot accuracy.
        identification: which enrolled class is it, if any, from one reference of half of them?
        retrieval: which items of the rest are of the query's class?
        judged: the pairs that were judged.
        skipped: the bad items that were left out.
        warnings: what makes the figures flatter, such as items that were trained on.
    """

    verification: Verification
    groups: GroupVerification | None
    folds: FoldAccuracy | None
    calibration_error: Figure | None
    episodes: Figure | None
    identification: Identification | None
    retrieval: Retrieval | None
    judged: Judged
    skipped: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def figures(self) -> tuple[Figure, ...]:
        """All figures there are, those of the groups apart."""
        return (
            *self.verification.figures,
            *(() if self.folds is None else (self.folds.accuracy,)),
            *(one for one in (self.calibration_error, self.episodes) if one is not None),
            *(() if self.identification is None else self.identification.figures),
            *(() if self.retrieval is None else self.retrieval.figures),
        )

    @property
    def refused(self) -> tuple[Refused, ...]:
        """The figures that the data do not support, and why."""
        return (
            *self.verification.refused,
            *(() if self.identification is None else self.identification.refused),
        )

    def __str__(self) -> str:
        parts = [str(self.verification)]
        for one in (self.calibration_error, self.episodes):
            parts += [] if one is None else [f"{one}\n95 % interval: {one.method}"]
        several = (self.folds, self.groups, self.identification, self.retrieval)
        parts += [str(one) for one in several if one is not None]
        if self.skipped:
            parts.append(f"went on without {len(self.skipped)} bad items:")
            parts += [f"  {problem}" for problem in self.skipped]
        parts += [f"warning: {warning}" for warning in self.warnings]
        return "\n".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: every figure with its interval, count, seed and split."""
        return {
            "figures": [figure.as_dict() for figure in self.figures],
            "refused": [one.as_dict() for one in self.refused],
            "groups": None if self.groups is None else self.groups.as_dict(),
            "threshold": self.verification.threshold,
            "same": self.verification.same_count,
            "different": self.verification.different_count,
            "left_out": None if self.retrieval is None else self.retrieval.left_out,
            "skipped": [str(problem) for problem in self.skipped],
            "warnings": list(self.warnings),
        }


def evaluate(
    model: Siamese,
    data: Items | Pairs,
    *,
    ways: int | None = None,
    shots: int = 1,
    trials: int = 400,
    within_groups: bool = True,
    seed: int = 0,
    skip_bad: bool = False,
) -> Evaluation:
    """Verification, episodes, identification and retrieval of `model` on `data`.

    Args:
        model: what is measured.
        data: items of classes that the model was not trained on, or pairs.
        ways: classes an episode; default: 20, or all where there are fewer.
        shots: references of each class.
        trials: episodes.
        within_groups: take an episode's classes from one group, where there are groups.
        seed: of the drawn pairs and episodes, and of the bootstraps.
        skip_bad: go on without items that cannot be read.

    Raises:
        BadItemsError: items that cannot be read.
        DataError: `same` of a table of pairs seems to be the other way round.
        EvaluationError: the data allow no figures, and the message says what is missing; or both
            items of a judged pair are among those that the model was calibrated on.
    """
    known, prepared = read_items(model.input, data, skip_bad=skip_bad)
    pairs = _pairs_to_judge(model, known, seed)
    warnings = _leaks(model, known, prepared, pairs)
    embedded = Embedded(model, prepared)
    judged = Judged(known, embedded, *pairs, embedded.distances(*pairs[:2]))
    verified = _verify(judged, seed)
    items = known if isinstance(known, Items) else None
    search = None if model.is_joint else items  # every two items would be a run of the network
    return Evaluation(
        verification=verified,
        groups=None if items is None else _by_group(embedded, items, seed),
        folds=_by_folds(judged, seed),
        calibration_error=_calibration_error(judged, seed),
        episodes=None
        if items is None
        else one_shot_of(
            embedded,
            items,
            ways=ways,
            shots=shots,
            trials=trials,
            within_groups=within_groups,
            seed=seed,
        ),
        identification=None if search is None else identify_of(embedded, search, seed=seed),
        retrieval=None
        if search is None
        else retrieval(embedded.to_all, search.class_ids, split=search.name, seed=seed),
        judged=judged,
        skipped=data.skipped + prepared.skipped,
        warnings=warnings + _backwards(verified),
    )


def identify_of(embedded: Embedded, items: Items, *, seed: int) -> Identification | None:
    """Probes against a gallery of one reference each of half of the classes.

    None where fewer than two classes have two items.
    """
    if (np.bincount(items.class_ids) > 1).sum() < 2:
        return None
    gallery, probes = gallery_and_probes(items, seed=seed)
    return identification(
        lambda rows: embedded.to_some(probes[rows], gallery),
        items.labels[gallery],
        items.labels[probes],
        split=items.name,
        seed=seed,
    )


def _leaks(
    model: Siamese, data: Items | Pairs, prepared: AnyPrepared, pairs: JudgedPairs
) -> tuple[str, ...]:
    """What of `data`, and of the `pairs` to judge, was trained or calibrated on, in words.

    A threshold may have been fitted where no calibration is set: what a model was calibrated on
    counts for either. Without both, the distances alone are judged, and these were not fitted.

    Raises:
        DataError: `same` seems to be the other way round.
        EvaluationError: both items of a pair that is to be judged were calibrated on.
    """
    items = digests(prepared)
    if isinstance(data, Pairs):
        check_sense(data, content=items)
    found: tuple[str, ...] = ()
    fitted = model.calibration is not None or model.threshold is not None
    if fitted and model.calibrated_on is not None:
        found += refuse_calibrated(model.calibrated_on, data, items, *pairs[:2])
    if model.trained_on is not None:
        found += warn_of_training(model.trained_on, data, items)
    return found


def one_shot(
    model: Siamese,
    items: Items,
    *,
    ways: int | None = None,
    shots: int = 1,
    trials: int = 400,
    within_groups: bool = True,
    seed: int = 0,
) -> Figure:
    """The share of N-way K-shot trials that `model` gets right, with its interval.

    A query is given to the class with the nearest reference; with `shots` above 1, to the class
    with the nearest mean of references. Arguments and errors as in `evaluate`.
    """
    return one_shot_of(
        Embedded(model, read_items(model.input, items)[1]),
        items,
        ways=ways,
        shots=shots,
        trials=trials,
        within_groups=within_groups,
        seed=seed,
    )


def one_shot_of(
    embedded: Embedded,
    items: Items,
    *,
    ways: int | None = None,
    shots: int = 1,
    trials: int = 400,
    within_groups: bool = True,
    seed: int = 0,
) -> Figure:
    """`one_shot` of items that are embedded already, row by row as in `items`."""
    episodes = draw_item_episodes(
        items, ways=ways, shots=shots, trials=trials, within_groups=within_groups, seed=seed
    )
    credit = one_shot_credit(episodes, embedded.comparison(shots))
    groups = items.groups if within_groups else None
    where = "" if groups is None else " within groups"
    ways = episodes.support.shape[1]
    return accuracy(
        credit,
        name=f"{ways}-way {shots}-shot accuracy{where}",
        clusters=None if groups is None else groups[episodes.query],
        cluster_unit="groups",
        split=items.name,
        seed=seed,
    )


def lake(model: Siamese, runs: Any) -> Figure:
    """The share of Lake's published 20-way one-shot trials that `model` gets right.

    Args:
        model: what is measured.
        runs: of `gemel.data.lake_runs`.

    Source: Lake, Salakhutdinov, Tenenbaum 2015, Science 350(6266).
    """
    distances = []
    for run in runs:
        queries, references = list(run.queries), list(run.references)
        labels = np.array(["drawing"] * (len(queries) + len(references)))  # not read
        drawings = Items([*queries, *references], labels)
        embedded = Embedded(model, read_items(model.input, drawings)[1])
        distances.append(embedded.to_all(np.arange(len(queries)))[:, len(queries) :])
    trials = fixed_trials(distances, [run.answers for run in runs])
    return accuracy(
        trials.credit,
        name="20-way 1-shot accuracy, Lake's runs",
        clusters=trials.run,
        cluster_unit="runs",
        split="omniglot/runs",
        seed=0,
    )


def _pairs_to_judge(model: Siamese, data: Items | Pairs, seed: int) -> JudgedPairs:
    """Those of a table, or drawn."""
    if isinstance(data, Pairs):
        return data.left, data.right, data.same
    most = most_pairs(model)
    return many_different_pairs(data, same=most, different=most, seed=seed)


def _verify(judged: Judged, seed: int) -> Verification:
    """The figures of the judged pairs; accuracy, of drawn ones, of equally many of both kinds."""
    threshold = judged.embedded.model.threshold
    left, right = judged.identities

    def over(
        pairs: NDArray[np.int64],
        threshold: float | None,
        rates: Sequence[float] = FALSE_ACCEPT_RATES,
    ) -> Verification:
        return verification(
            judged.distance[pairs],
            judged.same[pairs],
            threshold=threshold,
            left_identity=left[pairs],
            right_identity=right[pairs],
            split=judged.data.name,
            seed=seed,
            false_accept_rates=rates,
        )

    every = np.arange(len(judged.same))
    kinds = np.flatnonzero(judged.same), np.flatnonzero(~judged.same)
    each = min(map(len, kinds))
    if threshold is None or isinstance(judged.data, Pairs) or len(every) == 2 * each:
        return over(every, threshold)
    accuracy = over(np.concatenate([kind[:each] for kind in kinds]), threshold, ()).accuracy
    return replace(over(every, None), accuracy=accuracy, threshold=threshold)


def _backwards(verified: Verification) -> tuple[str, ...]:
    """A warning where same pairs lie farther apart than different ones."""
    if not verified.auc.high < 0.5:
        return ()
    return (
        f"the AUC is {verified.auc.value:.3f}: same pairs lie farther apart than different ones. "
        "Perhaps `same` is the other way round, in this data or in training",
    )


def _by_group(embedded: Embedded, items: Items, seed: int) -> GroupVerification | None:
    """Pairs drawn inside each group, at the model's threshold; None without either.

    Groups that have no two classes, or no class of two items, take no part.
    """
    threshold = embedded.model.threshold
    if threshold is None or items.groups is None or len(set(items.class_groups)) < 2:
        return None
    found = []
    for name in np.unique(items.groups):
        members = np.flatnonzero(items.groups == name)
        counts = np.unique(items.class_ids[members], return_counts=True)[1]
        if len(counts) > 1 and counts.max() > 1:
            most = most_pairs(embedded.model) // 10
            pairs = item_pairs(items.take(members), most=most, seed=seed)
            found.append((members[pairs[0]], members[pairs[1]], pairs[2]))
    if not found:
        return None
    left, right, same = (np.concatenate(column) for column in zip(*found, strict=True))
    return verification_by_group(
        embedded.distances(left, right),
        same,
        items.groups[left],
        threshold=threshold,
        left_identity=items.class_ids[left],
        right_identity=items.class_ids[right],
        split=items.name,
        seed=seed,
    )


def _by_folds(judged: Judged, seed: int) -> FoldAccuracy | None:
    """Of a table of pairs that has some of each kind for every fold; else None."""
    sames = int(judged.same.sum())
    if not isinstance(judged.data, Pairs) or min(sames, len(judged.same) - sames) < FOLDS:
        return None
    return fold_accuracy(
        judged.distance, judged.same, folds=FOLDS, split=judged.data.name, seed=seed
    )


def _calibration_error(judged: Judged, seed: int) -> Figure | None:
    """Of the model's probabilities, for the prior that the judged pairs have."""
    known = judged.embedded.model.calibration
    if known is None:
        return None
    left, _ = judged.identities
    return calibration_error(
        known.probability(judged.distance, prior=float(judged.same.mean())),
        judged.same,
        clusters=left,
        cluster_unit="identities of left items",
        split=judged.data.name,
        seed=seed,
    )
