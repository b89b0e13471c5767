"""Verification group by group (alphabet, sex, site): is one threshold fair to all of them?"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike, NDArray

from gemel.evaluation.cells import Cells, Share, cells_of, interval_over, over_draws
from gemel.evaluation.curves import SortedPairs, check_pairs
from gemel.evaluation.intervals import (
    Figure,
    Refused,
    cluster_ids,
    figure,
    figures_in,
    refusals_in,
)
from gemel.evaluation.readings import EqualErrorRate
from gemel.evaluation.verification import judged_right
from gemel.evaluation.weighing import WeighedPairs

FEWEST_PAIRS = 30
"""Of a kind, for a share of them to be given: of 30 independent pairs Wilson's interval of a half
still spans 33 points, and of fewer it says next to nothing about a group."""


@dataclass(frozen=True)
class GroupFigures:
    """The figures of one group's pairs; refused where it has too few of them.

    Attributes:
        group: its name.
        same_count: how many of its pairs are the same.
        different_count: how many are different.
        accuracy: share of its pairs judged right.
        true_accept_rate: share of its same pairs accepted.
        false_accept_rate: share of its different pairs accepted.
        eer: its equal error rate, at a threshold of its own.
    """

    group: str
    same_count: int
    different_count: int
    accuracy: Figure | Refused
    true_accept_rate: Figure | Refused
    false_accept_rate: Figure | Refused
    eer: Figure | Refused

    @property
    def asked(self) -> tuple[Figure | Refused, ...]:
        """All four."""
        return self.accuracy, self.true_accept_rate, self.false_accept_rate, self.eer


@dataclass(frozen=True)
class GroupVerification:
    """What `verification_by_group` measured.

    Attributes:
        groups: each group, by name.
        threshold: the one that all share.
    """

    groups: tuple[GroupFigures, ...]
    threshold: float | int

    @property
    def figures(self) -> tuple[Figure, ...]:
        """All figures there are, group by group."""
        return tuple(one for group in self.groups for one in figures_in(*group.asked))

    @property
    def refused(self) -> tuple[Refused, ...]:
        """What the groups' pairs do not support."""
        return tuple(one for group in self.groups for one in refusals_in(*group.asked))

    def __str__(self) -> str:
        parts = []
        for group in self.groups:
            counts = f"{group.same_count:,} same and {group.different_count:,} different pairs"
            parts.append(f"{group.group}: {counts}, threshold {self.threshold:.4g}")
            parts += [f"  {one}" for one in group.asked]
        methods = {one.method: None for one in self.figures}  # each once, in order
        if methods:
            parts.append(f"95 % intervals: {'; '.join(methods)}")
        return "\n".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "threshold": self.threshold,
            "groups": [
                {
                    "group": group.group,
                    "same": group.same_count,
                    "different": group.different_count,
                    "figures": [one.as_dict() for one in figures_in(*group.asked)],
                    "refused": [one.as_dict() for one in refusals_in(*group.asked)],
                }
                for group in self.groups
            ],
        }


def verification_by_group(
    distance: ArrayLike,
    same: ArrayLike,
    groups: ArrayLike,
    *,
    threshold: float | int,
    left_identity: ArrayLike | None = None,
    right_identity: ArrayLike | None = None,
    split: str,
    seed: int,
    draws: int = 1000,
) -> GroupVerification:
    """Judge the pairs of each group at one threshold: accuracy, both accept rates, and EER.

    What NIST calls demographic differentials (Grother, Ngan, Hanaoka 2019, NISTIR 8280): the
    rates of errors of each group at the threshold that all share. Intervals are as those of
    `verification`, of each group by itself. A group with fewer than 30 pairs of a kind has no
    figure of that kind, and its refusal says so.

    Args:
        distance: [N] lower is more alike.
        same: [N] booleans.
        groups: [N] the group of each pair (number or text). Leave out pairs across groups, or
            make them a group of their own.
        threshold: accept up to this distance. Choose it on other pairs.
        left_identity: [N] an id (number or text) of what each pair's left item shows.
        right_identity: [N] the same for the right items; give both or neither.
        split: the name of what is judged.
        seed: of the bootstrap.
        draws: how many bootstrap resamples.

    Raises:
        EvaluationError: as `verification`, or there are not N groups.
        SettingsError: too few draws.
    """
    measured, truth = check_pairs(distance, same)
    right = judged_right(measured, truth, threshold)
    number = cluster_ids(groups, len(truth), what="groups")
    names = np.unique(np.asarray(groups))
    cells_of(left_identity, right_identity, truth)  # refuse identities that do not fit
    sides = [None if side is None else np.asarray(side) for side in (left_identity, right_identity)]
    judged = []
    for group, name in enumerate(names.tolist()):
        of = number == group
        left, right_side = (None if side is None else side[of] for side in sides)
        judged.append(
            _judge(
                str(name),
                (measured[of], truth[of], right[of]),
                (left, right_side),
                draws=draws,
                split=split,
                seed=seed,
            )
        )
    return GroupVerification(tuple(judged), threshold)


def _judge(
    name: str,
    pairs: tuple[
        Float[NDArray[np.float64], " some"],
        Bool[NDArray[np.bool_], " some"],
        Bool[NDArray[np.bool_], " some"],
    ],
    identities: tuple[NDArray[Any] | None, NDArray[Any] | None],
    *,
    draws: int,
    split: str,
    seed: int,
) -> GroupFigures:
    """One group, from its pairs' distances, kinds, and whether they were judged right."""
    distance, same, right = pairs
    counts = int(same.sum()), int((~same).sum())
    sure: dict[str, Any] = {"split": split, "seed": seed}
    cells = cells_of(*identities, same)
    kinds = {
        f"accuracy, {name}": (right, (same, ~same), counts),
        f"true accept rate, {name}": (right, (same,), counts[:1]),
        f"false accept rate, {name}": (~right, (~same,), counts[1:]),
    }
    found: list[Figure | Refused] = []
    for what, (hit, judged, held) in kinds.items():
        refusal = _too_few(what, held)
        if refusal is not None:
            found.append(refusal)
            continue
        share = Share.of(cells, hit, *judged)
        interval = share.interval(cells, draws=draws, seed=seed)
        found.append(figure(what, share.value, interval, count=sum(held), unit="pairs", **sure))
    found.append(_eer(f"EER, {name}", distance, same, cells, draws, sure))
    return GroupFigures(name, *counts, *found)


def _eer(
    name: str,
    distance: Float[NDArray[np.float64], " some"],
    same: Bool[NDArray[np.bool_], " some"],
    cells: Cells,
    draws: int,
    sure: dict[str, Any],
) -> Figure | Refused:
    refusal = _too_few(name, (int(same.sum()), int((~same).sum())))
    if refusal is not None:
        return refusal
    if distance.min() == distance.max():
        return Refused(name, f"all its {len(distance):,} distances are {distance[0]}")
    pairs, reading = SortedPairs.of(distance, same), EqualErrorRate()
    weighed = WeighedPairs.of(pairs, cells)
    drawn = over_draws(
        cells,
        lambda weights: weighed.read(weights, [reading])[:, 0],
        draws=draws,
        seed=sure["seed"],
    )
    value = pairs.read(reading)
    interval = interval_over(cells, drawn, value)
    return figure(name, value, interval, count=len(same), unit="pairs", **sure)


def _too_few(name: str, counts: tuple[int, ...]) -> Refused | None:
    if min(counts) >= FEWEST_PAIRS:
        return None
    return Refused(name, f"it has {min(counts)} pairs of a kind; {FEWEST_PAIRS} are needed")
