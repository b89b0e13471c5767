"""`ForgeryPairs`: two genuine items, or a genuine one with a forgery of it or with another's."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool
from numpy.typing import NDArray

from gemel.errors import SettingsError
from gemel.items import Indices, Items
from gemel.sampling.batches import PairBatch
from gemel.sampling.planning import Endless, check_at_least
from gemel.sampling.subjects import Subject, another, subjects_of


class ForgeryPairs(Endless):
    """Pairs of which one item is always genuine; subjects come as often as each other.

    Those of whom nothing is forged are not in the pairs with forgeries.

    Source: Bromley, Guyon, LeCun, Säckinger, Shah 1993: 50 % genuine with genuine, 40 % genuine
    with a skilled forgery, 10 % genuine with another's genuine item ("zero-effort" forgery).

    Args:
        items: with a group for each subject, forgeries of it included.
        genuine: [N] whether an item is its group's own, and no forgery.
        pairs: how many pairs are in a batch.
        shares: of pairs with a genuine item, with a forgery, with another's item; they add up
            to 1, and are rounded to whole pairs.
        epoch: how many batches count as one epoch: pairs are drawn anew for ever.
        seed: draws all batches.

    Raises:
        SettingsError: a value out of range, no groups, shares that do not add up to 1, or
            forgeries are asked for and there are none.
        DataError: fewer than two subjects, or one with fewer than two genuine items.
    """

    def __init__(
        self,
        items: Items,
        genuine: Bool[NDArray[np.bool_], " items"],
        *,
        pairs: int = 64,
        shares: Sequence[float | int] = (0.5, 0.4, 0.1),
        epoch: int = 100,
        seed: int = 0,
    ) -> None:
        check_at_least("pairs", pairs, 2)
        if len(shares) != 3 or min(shares) < 0 or abs(sum(shares) - 1) > 1e-9:
            raise SettingsError(f"`shares` must be three, of 0 or more, and add up to 1: {shares}")
        self.pairs = pairs
        self.shares = tuple(shares)
        super().__init__(epoch, seed)
        self._subjects = subjects_of(items, genuine, 2)
        self._forged = [at for at, s in enumerate(self._subjects) if len(s.forged)]
        same, forged = (round(share * pairs) for share in self.shares[:2])
        if forged and not self._forged:
            raise SettingsError(f"{items.name} has no forgeries: set shares=(0.5, 0, 0.5)")
        self._counts = (same, min(forged, pairs - same))

    def batch(self, step: int) -> PairBatch:
        """The batch of training step `step`.

        Raises:
            SettingsError: `step` is below 0.
        """
        generator = self._generator(step)
        same, forged = self._counts
        everyone = np.arange(len(self._subjects))
        parts = (
            (same, everyone, self._same),
            (forged, np.array(self._forged, dtype=np.int64), self._forgery),
            (self.pairs - same - forged, everyone, self._other),
        )
        drawn = np.array(
            [
                draw(int(subject), generator)
                for count, able, draw in parts
                for subject in np.resize(generator.permutation(able), count)
            ],
            dtype=np.int64,
        )
        order = generator.permutation(self.pairs)
        kinds = (np.arange(self.pairs) < same)[order]
        return PairBatch(drawn[order, 0], drawn[order, 1], kinds)

    def _same(self, at: int, generator: np.random.Generator) -> Indices:
        return generator.choice(self._subjects[at].genuine, 2, replace=False)

    def _forgery(self, at: int, generator: np.random.Generator) -> Indices:
        subject: Subject = self._subjects[at]
        return np.array([generator.choice(subject.genuine), generator.choice(subject.forged)])

    def _other(self, at: int, generator: np.random.Generator) -> Indices:
        own = generator.choice(self._subjects[at].genuine)
        return np.array([own, another(self._subjects, at, generator)])
