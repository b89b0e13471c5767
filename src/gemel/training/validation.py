"""The figure by which the best weights are kept, on classes (or identities) held out."""

import numpy as np

from gemel.errors import DataError
from gemel.evaluation import auc, best_threshold
from gemel.items import Items, Pairs, members_of_classes
from gemel.measure import default_ways, item_pairs, one_shot_of, pair_distance
from gemel.model import Siamese, read_items

TRIALS = 1000
FEWEST = 4  # items of a class of which two can be held out, and two are left


def hold_out(
    train: Items | Pairs, share: float, seed: int
) -> tuple[Items | Pairs, Items | Pairs | None]:
    """The training part and a validation part of about `share`, by class; None if too small.

    Fewer than two classes, or pairs whose identities cannot be parted, leave nothing to hold out.
    """
    if share <= 0 or (isinstance(train, Items) and round(len(train.classes) * share) < 2):
        return train, None
    if isinstance(train, Items):
        return train.split_classes(1 - share, seed=seed)
    try:
        return train.split_classes(1 - share, seed=seed)
    except DataError:  # one identity, or a part without one of the kinds
        return train, None


def hold_out_items(
    train: Items | Pairs, share: float, seed: int
) -> tuple[Items | Pairs, Items | Pairs | None]:
    """The training part and a validation part of about `share` of each class's items, or of pairs.

    Two items of a class at least are held out, so that they can meet; classes of fewer than four
    keep all of theirs. Nothing is held out where that leaves fewer than two classes.
    """
    if share <= 0:
        return train, None
    if isinstance(train, Pairs):
        return train.split_items(1 - share, seed=seed)
    generator = np.random.default_rng(seed)
    held = np.zeros(len(train), dtype=bool)
    for members in members_of_classes(train.class_ids):
        if len(members) >= FEWEST:
            count = min(max(2, round(share * len(members))), len(members) - 2)
            held[generator.permutation(members)[:count]] = True
    if len(np.unique(train.class_ids[held])) < 2:
        return train, None
    return train.take(~held, f"{train.name}/train"), train.take(held, f"{train.name}/held-out")


class Validator:
    """Measures a model on held-out data, the same way each time.

    The figure, higher is better, is the accuracy of 1,000 one-shot trials for items, and the AUC
    for pairs.

    Raises:
        BadItemsError: items that cannot be read.
        DataError: the held-out items allow no one-shot trial.
    """

    def __init__(self, model: Siamese, held: Items | Pairs, *, seed: int, skip_bad: bool) -> None:
        self.model = model
        self.seed = seed
        self.held: Items | Pairs
        self.held, self.prepared = read_items(model.input, held, skip_bad=skip_bad)

    def figure(self) -> float:
        """The figure of the model as it is now."""
        embeddings = self.model.embed_prepared(self.prepared)
        held = self.held
        if isinstance(held, Pairs):
            return auc(pair_distance(self.model, embeddings)(held.left, held.right), held.same)
        inside = held.groups is not None and default_ways(held, within_groups=True) >= 5
        figure = one_shot_of(
            self.model,
            held,
            embeddings,
            trials=TRIALS,
            within_groups=inside,
            seed=self.seed,
        )
        return figure.value

    def threshold(self) -> float:
        """The distance that parts the held-out pairs best."""
        embeddings = self.model.embed_prepared(self.prepared)
        if isinstance(self.held, Pairs):
            left, right, same = self.held.left, self.held.right, self.held.same
        else:
            left, right, same = item_pairs(self.held, seed=self.seed)
        return best_threshold(pair_distance(self.model, embeddings)(left, right), np.asarray(same))
