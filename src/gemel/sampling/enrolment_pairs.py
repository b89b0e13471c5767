"""`EnrolmentPairs`: whole enrolments, several references of a subject and who claims to be it."""

from itertools import combinations

import numpy as np
from jaxtyping import Bool
from numpy.typing import NDArray

from gemel.errors import SettingsError
from gemel.items import Indices, Items
from gemel.sampling.batches import PairBatch
from gemel.sampling.planning import Endless, check_at_least
from gemel.sampling.subjects import Subject, another, subjects_of


class EnrolmentPairs(Endless):
    """For each of some subjects all pairs of its references, and each probe with each reference.

    A batch holds the subjects one after the other, as `losses.Enrolment` takes them: first the
    R (R - 1) / 2 pairs of references, then for each probe its R pairs with them; the probes are
    genuine ones, then forgeries, then other subjects' genuine items. `same` is True for pairs of
    two genuine items of one subject.

    Args:
        items: with a group for each subject, forgeries of it included.
        genuine: [N] whether an item is its group's own, and no forgery.
        sessions: [N] when an item was made, or None. References then are of one session, and
            genuine probes of the others, as they are in use.
        subjects: how many are in a batch.
        references: R, of each subject.
        probes: genuine probes of each.
        forgeries: forged probes of each; genuine items of others where there are too few.
        others: probes of each that are genuine items of others.
        epoch: how many batches count as one epoch: enrolments are drawn anew for ever.
        seed: draws all batches.

    Raises:
        SettingsError: a value out of range, or the items have no groups.
        DataError: too few subjects, or one with too few genuine items.
    """

    def __init__(
        self,
        items: Items,
        genuine: Bool[NDArray[np.bool_], " items"],
        *,
        sessions: NDArray[np.int64] | None = None,
        subjects: int = 4,
        references: int = 4,
        probes: int = 3,
        forgeries: int = 3,
        others: int = 1,
        epoch: int = 100,
        seed: int = 0,
    ) -> None:
        for name, value, least in (
            ("subjects", subjects, 1),
            ("references", references, 2),
            ("probes", probes, 1),
            ("forgeries", forgeries, 0),
            ("others", others, 0),
            ("forgeries + others", forgeries + others, 1),
        ):
            check_at_least(name, value, least)
        if sessions is not None and sessions.shape != (len(items),):
            raise SettingsError(
                f"`sessions` must be a number for each of {len(items)} items; got shape "
                f"{sessions.shape}"
            )
        self.subjects = subjects
        self.references = references
        self.probes = probes
        self.forgeries = forgeries
        self.others = others
        super().__init__(epoch, seed)
        self._subjects = subjects_of(items, genuine, references + probes)
        self._sessions = np.zeros(len(items), dtype=np.int64) if sessions is None else sessions

    def batch(self, step: int) -> PairBatch:
        """The batch of training step `step`.

        Raises:
            SettingsError: `step` is below 0.
        """
        generator = self._generator(step)
        chosen = np.resize(generator.permutation(len(self._subjects)), self.subjects)
        parts = [self._enrolment(int(at), generator) for at in chosen]
        left, right = np.concatenate([pairs for pairs, _ in parts]).T
        return PairBatch(left, right, np.concatenate([same for _, same in parts]))

    def _enrolment(
        self, at: int, generator: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """The pairs [P, 2] of one subject, and which are the same."""
        subject = self._subjects[at]
        references, genuine = self._two_sessions(subject, generator)
        forged = generator.permutation(subject.forged)[: self.forgeries]
        missing = self.forgeries + self.others - len(forged)
        others = [another(self._subjects, at, generator) for _ in range(missing)]
        probes = [*genuine.tolist(), *forged.tolist(), *map(int, others)]
        among = list(combinations(references.tolist(), 2))
        claims = [(reference, probe) for probe in probes for reference in references.tolist()]
        same = np.zeros(len(among) + len(claims), dtype=np.bool_)
        same[: len(among) + self.probes * self.references] = True
        return np.array(among + claims, dtype=np.int64), same

    def _two_sessions(
        self, subject: Subject, generator: np.random.Generator
    ) -> tuple[Indices, Indices]:
        """References and genuine probes: of two sessions where both have enough, else of any."""
        shuffled = generator.permutation(subject.genuine)
        when = self._sessions[shuffled]
        able = [
            session
            for session in np.unique(when)
            if (when == session).sum() >= self.references and (when != session).sum() >= self.probes
        ]
        if not able:
            return shuffled[: self.references], shuffled[self.references :][: self.probes]
        first = when == able[int(generator.integers(len(able)))]
        return shuffled[first][: self.references], shuffled[~first][: self.probes]
