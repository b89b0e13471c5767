"""A model measured on items it has not seen: embed once, then the figures of `evaluation`."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gemel.checks import check_sense
from gemel.embedded import Embedded
from gemel.errors import EvaluationError, Problem
from gemel.evaluation import (
    Episodes,
    Figure,
    Verification,
    accuracy,
    draw_episodes,
    fixed_trials,
    one_shot_credit,
    retrieval,
    verification,
)
from gemel.evaluation.retrieval import Retrieval
from gemel.inputs import AnyPrepared, read_items
from gemel.items import Indices, Items, Pairs
from gemel.leaks import digests, refuse_calibrated, warn_of_training
from gemel.model import Siamese

MOST_PAIRS = 10_000
"""How many pairs of each kind verification draws from labelled items, at most."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What `evaluate` measured.

    Attributes:
        verification: are these two the same?
        episodes: N-way K-shot accuracy; None for a table of pairs.
        retrieval: which items of the rest are of the query's class; None for a table of pairs.
        skipped: the bad items that were left out.
        warnings: what makes the figures flatter, such as items that were trained on.
    """

    verification: Verification
    episodes: Figure | None
    retrieval: Retrieval | None
    skipped: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def figures(self) -> tuple[Figure, ...]:
        """All figures there are."""
        return (
            *self.verification.figures,
            *([] if self.episodes is None else [self.episodes]),
            *([] if self.retrieval is None else self.retrieval.figures),
        )

    def __str__(self) -> str:
        parts: list[str] = [str(self.verification)]
        if self.episodes is not None:
            parts.append(f"{self.episodes}\n95 % interval: {self.episodes.method}")
        if self.retrieval is not None:
            parts.append(str(self.retrieval))
        if self.skipped:
            parts.append(f"went on without {len(self.skipped)} bad items:")
            parts += [f"  {problem}" for problem in self.skipped]
        parts += [f"warning: {warning}" for warning in self.warnings]
        return "\n".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: every figure with its interval, count, seed and split."""
        return {
            "figures": [figure.as_dict() for figure in self.figures],
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
    """Verification, episodes and retrieval of `model` on `data`.

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
        EvaluationError: the data allow no figures, and the message says what is missing; or half
            of the items or more are those that the model was calibrated on.
    """
    known, prepared = read_items(model.input, data, skip_bad=skip_bad)
    warnings = _leaks(model, known, prepared)
    embedded = Embedded(model, prepared)
    skipped = data.skipped + prepared.skipped
    if isinstance(known, Pairs):
        judged = _verify(embedded, (known.left, known.right, known.same), None, known.name, seed)
        return Evaluation(judged, None, None, skipped, warnings)
    left, right, same = item_pairs(known, seed=seed)
    return Evaluation(
        _verify(embedded, (left, right, same), known.class_ids, known.name, seed),
        one_shot_of(
            embedded,
            known,
            ways=ways,
            shots=shots,
            trials=trials,
            within_groups=within_groups,
            seed=seed,
        ),
        None
        if model.is_joint  # a run of the network for every two items
        else retrieval(embedded.to_all, known.class_ids, split=known.name, seed=seed),
        skipped,
        warnings,
    )


def _leaks(model: Siamese, data: Items | Pairs, prepared: AnyPrepared) -> tuple[str, ...]:
    """What of `data` the model was trained or calibrated on, in words.

    Raises:
        DataError: `same` seems to be the other way round.
        EvaluationError: half of the items or more were calibrated on.
    """
    items = digests(prepared)
    if isinstance(data, Pairs):
        check_sense(data, content=items)
    found: tuple[str, ...] = ()
    if model.calibration is not None and model.calibrated_on is not None:
        found += refuse_calibrated(model.calibrated_on.items, items, data.name)
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
    inside = within_groups and items.groups is not None
    ways = ways if ways is not None else default_ways(items, within_groups=inside, shots=shots)
    episodes = draw_item_episodes(
        items, ways=ways, shots=shots, trials=trials, within_groups=inside, seed=seed
    )
    credit = one_shot_credit(episodes, embedded.comparison(shots))
    where = " within groups" if inside else ""
    groups = items.groups if inside else None
    return accuracy(
        credit,
        name=f"{ways}-way {shots}-shot accuracy{where}",
        clusters=None if groups is None else groups[episodes.query],
        cluster_unit="groups",
        split=items.name,
        seed=seed,
    )


def draw_item_episodes(
    items: Items,
    *,
    ways: int,
    shots: int,
    trials: int,
    within_groups: bool,
    seed: int,
    queries: int | None = None,
) -> Episodes:
    """Episodes of `items`; where a drawer is known, references are by one and the query by another.

    Raises:
        EvaluationError: too few classes have enough items.
    """
    return draw_episodes(
        items.class_ids,
        ways=ways,
        shots=shots,
        trials=trials,
        groups=items.groups,
        within_groups=within_groups,
        drawers=items.details.get("drawer") if shots == 1 and queries is None else None,
        queries=queries,
        seed=seed,
    )


def default_ways(items: Items, *, within_groups: bool, shots: int = 1) -> int:
    """20, or as many classes as have `shots` + 1 items: of one group where trials stay within."""
    able = np.bincount(items.class_ids, minlength=len(items.classes)) > shots  # [classes]
    if not within_groups:
        return max(2, min(20, int(able.sum())))
    _, group = np.unique(items.class_groups, return_inverse=True)  # [classes]
    return max(2, min(20, int(np.bincount(group[able], minlength=1).max())))


def item_pairs(
    items: Items, *, most: int = MOST_PAIRS, seed: int = 0
) -> tuple[Indices, Indices, NDArray[np.bool_]]:
    """Up to `most` pairs of each kind, drawn from labelled items: left [M], right [M], same [M].

    There are equally many of both kinds, and no pair comes twice. A same pair is drawn by item,
    then by another item of its class, so that no class is left out; a different pair by two
    items. No item is paired with itself.

    Raises:
        EvaluationError: no class has two items, or there is one class only.
    """
    ids = items.class_ids
    counts = np.bincount(ids)
    paired = np.flatnonzero(counts[ids] > 1)
    if not len(paired) or len(counts) < 2:
        raise EvaluationError(
            f"{items.name} has {len(counts)} classes, of which {(counts > 1).sum()} have two or "
            "more items; verification needs two classes, and one class with two items"
        )
    generator = np.random.default_rng(seed)
    count = min(2 * most, 10 * len(items))
    order = np.argsort(ids, kind="stable")
    place = np.empty(len(ids), dtype=np.int64)
    place[order] = np.arange(len(ids))
    start = np.searchsorted(ids[order], np.arange(len(counts)))  # [classes]

    left = np.resize(generator.permutation(paired), count)
    size, first = counts[ids[left]], start[ids[left]]
    step = generator.integers(1, size)  # another member, never the item itself
    right = order[first + (place[left] - first + step) % size]

    other = np.resize(generator.permutation(len(ids)), count)
    outside = len(ids) - counts[ids[other]]
    jump = generator.integers(0, outside)  # over the item's own class
    against = order[(start[ids[other]] + counts[ids[other]] + jump) % len(ids)]
    same_pairs = _distinct(left, right)
    different_pairs = _distinct(other, against)
    each = min(most, len(same_pairs), len(different_pairs))
    pairs = np.concatenate([same_pairs[:each], different_pairs[:each]])
    return pairs[:, 0], pairs[:, 1], np.repeat([True, False], each)


def _distinct(left: Indices, right: Indices) -> Indices:
    """The pairs [M, 2] in their order, each once, whichever side its items stand on."""
    pairs = np.stack([left, right], axis=1)
    _, first = np.unique(np.sort(pairs, axis=1), axis=0, return_index=True)
    return pairs[np.sort(first)]


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


def _verify(
    embedded: Embedded,
    pairs: tuple[Indices, Indices, NDArray[np.bool_]],
    identities: Indices | None,
    split: str,
    seed: int,
) -> Verification:
    """Judge pairs (left [M], right [M], same [M]) of items whose `identities` [N] are known."""
    left, right, same = pairs
    return verification(
        embedded.distances(left, right),
        same,
        threshold=embedded.model.threshold,
        left_identity=None if identities is None else identities[left],
        right_identity=None if identities is None else identities[right],
        split=split,
        seed=seed,
    )
