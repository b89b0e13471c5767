"""The figure by which the best weights are kept, on classes (or identities) held out."""

from dataclasses import replace

import numpy as np

from gemel.embedded import Embedded
from gemel.errors import BadItemsError, DataError, Problem
from gemel.evaluation import auc, best_threshold
from gemel.inputs import AnyInput, AnyPrepared, read_items
from gemel.items import Items, Pairs, members_of_classes
from gemel.measure import one_shot_of
from gemel.model import Siamese
from gemel.trials import default_ways, item_pairs, most_pairs

TRIALS = 1000
Read = tuple[Items | Pairs, AnyPrepared]
FEWEST = 4  # items of a class of which two can be held out, and two are left


def hold_out(
    train: Items | Pairs, share: float, seed: int
) -> tuple[Items | Pairs, Items | Pairs | None]:
    """The training part and a validation part of about `share`, by class.

    Groups of two classes, such as what a signer wrote and forgeries of it, are not torn apart.
    Where that leaves fewer than two classes to validate on that have two items, or the identities
    of pairs cannot be parted, items of known classes are held out instead: see `hold_out_items`.
    """
    if share <= 0:
        return train, None
    if isinstance(train, Pairs):
        try:
            return train.split_classes(1 - share, seed=seed)
        except DataError:  # one identity, or a part without one of the kinds
            return hold_out_items(train, share, seed)
    if round(len(train.classes) * share) >= 2:
        groups = len(set(train.class_groups))
        twos = 1 < groups < len(train.classes) <= 2 * groups
        split = train.split_groups if twos else train.split_classes
        kept, held = split(1 - share, seed=seed)
        if (np.bincount(held.class_ids) >= 2).sum() >= 2:
            return kept, held
    return hold_out_items(train, share, seed)


def hold_out_items(
    train: Items | Pairs, share: float, seed: int
) -> tuple[Items | Pairs, Items | Pairs | None]:
    """The training part and a validation part of about `share` of each class's items, or of pairs.

    Two items of a class at least are held out, so that they can meet; classes of fewer than four
    keep all of theirs. Nothing is held out where that leaves fewer than two classes, or pairs of
    one kind.
    """
    if share <= 0:
        return train, None
    if isinstance(train, Pairs):
        kept, held_pairs = train.split_items(1 - share, seed=seed)
        both = 0 < held_pairs.same.sum() < len(held_pairs)
        return (kept, held_pairs) if both else (train, None)
    generator = np.random.default_rng(seed)
    held = np.zeros(len(train), dtype=bool)
    for members in members_of_classes(train.class_ids):
        if len(members) >= FEWEST:
            count = min(max(2, round(share * len(members))), len(members) - 2)
            held[generator.permutation(members)[:count]] = True
    if len(np.unique(train.class_ids[held])) < 2:
        return train, None
    few = train.take(held, f"{train.name}/held-out")
    # too few by each drawer for trials across drawers
    few = replace(few, details={key: of for key, of in few.details.items() if key != "drawer"})
    return train.take(~held, f"{train.name}/train"), few


def read_both(
    given: AnyInput, train: Items | Pairs, held: Items | Pairs | None, *, skip_bad: bool
) -> tuple[Read, Read | None]:
    """Training and validation data, read; the bad items of both are named together.

    Raises:
        BadItemsError: items that cannot be read, unless `skip_bad`.
        SettingsError: items of another kind than the input takes.
    """
    found: list[Read] = []
    problems: list[Problem] = []
    for part in [train] if held is None else [train, held]:
        try:
            found.append(read_items(given, part, skip_bad=skip_bad))
        except BadItemsError as error:
            problems += error.problems
    if problems:
        raise BadItemsError(train.name.removesuffix("/train"), problems)
    return found[0], None if held is None else found[1]


class Validator:
    """Measures a model on held-out data, the same way each time.

    The figure, higher is better, is the accuracy of 1,000 one-shot trials for items, and the AUC
    for pairs and for joint comparers, to which a trial costs a run of the network for each way.

    Raises:
        EvaluationError: no two held-out items are of one class, or there is one class only.
    """

    def __init__(
        self, model: Siamese, held: Items | Pairs, prepared: AnyPrepared, *, seed: int
    ) -> None:
        self.model = model
        self.held = held
        self.prepared = prepared
        self.seed = seed
        self.pairs = (
            (held.left, held.right, held.same)
            if isinstance(held, Pairs)
            else item_pairs(held, most=most_pairs(model), seed=seed)
        )

    def figure(self) -> float:
        """The figure of the model as it is now."""
        embedded = Embedded(self.model, self.prepared)
        held = self.held
        if isinstance(held, Pairs) or self.model.is_joint:
            left, right, same = self.pairs
            return auc(embedded.distances(left, right), same)
        inside = held.groups is not None and default_ways(held, within_groups=True) >= 5
        figure = one_shot_of(embedded, held, trials=TRIALS, within_groups=inside, seed=self.seed)
        return figure.value

    def threshold(self) -> float:
        """The distance that parts the held-out pairs best."""
        left, right, same = self.pairs
        return best_threshold(Embedded(self.model, self.prepared).distances(left, right), same)
