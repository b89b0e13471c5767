"""Two models on the same pairs, episodes and probes: which is better, if the data can tell?"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from gemel.embedded import Embedded
from gemel.evaluation import (
    PairedComparison,
    compare_paired,
    compare_paired_verification,
    one_shot_credit,
    score_trials,
)
from gemel.inputs import read_items
from gemel.items import Indices, Items, Pairs
from gemel.measure import Evaluation, Judged, evaluate
from gemel.model import Siamese
from gemel.trials import draw_item_episodes, gallery_and_probes

LEVEL = 0.05
"""The chance of calling alike models different in any figure that is let happen."""


@dataclass(frozen=True, eq=False)
class ModelComparison:
    """What `compare_models` measured.

    Attributes:
        names: what the two models are called.
        evaluations: of the first and of the second model, on the same data.
        comparisons: the figures that can be compared trial by trial.
    """

    names: tuple[str, str]
    evaluations: tuple[Evaluation, Evaluation]
    comparisons: tuple[PairedComparison, ...]

    @property
    def better(self) -> tuple[tuple[PairedComparison, str | None], ...]:
        """Each figure with the better model's name; None where the data do not tell.

        A difference counts where its p-value, times the number of figures that are not yet told
        apart, is at most 0.05: so of alike models one is called better, in any figure, in at most
        5 % of cases (Holm 1979, "A simple sequentially rejective multiple test procedure",
        Scandinavian Journal of Statistics 6(2)).
        """
        told: set[str] = set()
        known = [one for one in self.comparisons if not np.isnan(one.p_value)]
        for place, one in enumerate(sorted(known, key=lambda one: one.p_value)):
            if one.p_value * (len(known) - place) > LEVEL:
                break
            told.add(one.name)
        return tuple(
            (one, self.names[int(_is_second(one))] if one.name in told else None)
            for one in self.comparisons
        )

    @property
    def verdict(self) -> str:
        """Which model is better, or that the data do not tell, in a sentence or two."""
        winners = {
            name: [one.name for one, won in self.better if won == name] for name in self.names
        }
        found = [f"{name} is better by {_listed(won)}." for name, won in winners.items() if won]
        unsure = _listed([one.name for one, won in self.better if won is None])
        if unsure and found:
            found.append(f"By {unsure} the data do not tell.")
        elif unsure:
            found.append(
                f"The data do not tell which is better by {unsure}: chance makes differences as "
                "large."
            )
        return " ".join(found)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What makes the figures of either model flatter."""
        return tuple(
            f"{name}: {warning}"
            for name, one in zip(self.names, self.evaluations, strict=True)
            for warning in one.warnings
        )

    def __str__(self) -> str:
        lines = [f"first: {self.names[0]}, second: {self.names[1]}; difference: first less second"]
        lines += [str(one) for one in self.comparisons]
        return "\n".join([*lines, self.verdict, *(f"warning: {one}" for one in self.warnings)])

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the comparisons, who is better by what, and both evaluations."""
        return {
            "models": list(self.names),
            "verdict": self.verdict,
            "comparisons": [{**one.as_dict(), "better": won} for one, won in self.better],
            "warnings": list(self.warnings),
            "evaluations": [one.as_dict() for one in self.evaluations],
        }


def compare_models(
    first: Siamese,
    second: Siamese,
    data: Items | Pairs,
    *,
    names: tuple[str, str] = ("the first model", "the second model"),
    ways: int | None = None,
    shots: int = 1,
    trials: int = 400,
    within_groups: bool = True,
    seed: int = 0,
    skip_bad: bool = False,
) -> ModelComparison:
    """Evaluate two models on the same data, and compare them trial by trial.

    Compared are AUC and EER of the same pairs, one-shot accuracy of the same episodes, and the
    rank-1 rate of the same probes where neither model is a joint comparer. Each model has its own
    threshold, so accuracy at it says as much of the thresholds as of the models: it stands in the
    evaluations only.

    Args:
        first: one model.
        second: the other; its input takes the same kind of items.
        data: items or pairs that neither was trained on.
        names: what the models are called.
        ways: as in `evaluate`.
        shots: as there.
        trials: as there.
        within_groups: as there.
        seed: as there, and of the comparisons.
        skip_bad: go on without items that either model's input cannot read.

    Raises:
        BadItemsError: as `evaluate`, for either model.
        DataError: as there.
        EvaluationError: as there.
        SettingsError: the data are of a kind that one of the models does not take.
    """
    asked: dict[str, Any] = {
        "ways": ways,
        "shots": shots,
        "trials": trials,
        "within_groups": within_groups,
    }
    if skip_bad:  # both are judged on what both can read
        for model in (first, second):
            data, _ = read_items(model.input, data, skip_bad=True)
    found = (
        evaluate(first, data, **asked, seed=seed, skip_bad=skip_bad),
        evaluate(second, data, **asked, seed=seed, skip_bad=skip_bad),
    )
    one, other = (each.judged for each in found)
    fewer = min(one, other, key=lambda judged: len(judged.same))  # joint comparers draw fewer pairs
    left, right = fewer.identities
    compared = list(
        compare_paired_verification(
            _on(one, fewer),
            _on(other, fewer),
            fewer.same,
            left_identity=left,
            right_identity=right,
            split=data.name,
            seed=seed,
        )
    )
    if isinstance(data, Items):
        both = one.embedded, other.embedded
        name = "accuracy" if found[0].episodes is None else found[0].episodes.name
        compared.append(_episodes(both, data, name, seed=seed, **asked))
        if found[0].identification is not None and found[1].identification is not None:
            compared.append(_identified(both, data, seed))
    return ModelComparison(names, found, tuple(compared))


def _on(judged: Judged, pairs: Judged) -> NDArray[np.float32]:
    """The distances that one model gives to the pairs on which the other was judged."""
    if judged is pairs or np.array_equal(judged.left, pairs.left):
        return judged.distance
    return judged.embedded.distances(pairs.left, pairs.right)


def _episodes(
    both: tuple[Embedded, Embedded],
    items: Items,
    name: str,
    *,
    ways: int | None,
    shots: int,
    trials: int,
    within_groups: bool,
    seed: int,
) -> PairedComparison:
    """The credits of both models on the episodes that `evaluate` draws."""
    drawn = draw_item_episodes(
        items, ways=ways, shots=shots, trials=trials, within_groups=within_groups, seed=seed
    )
    first, second = (one_shot_credit(drawn, one.comparison(shots)) for one in both)
    groups = items.groups if within_groups else None
    return compare_paired(
        first,
        second,
        name=name,
        clusters=None if groups is None else groups[drawn.query],
        cluster_unit="groups",
        split=items.name,
        seed=seed,
    )


def _identified(both: tuple[Embedded, Embedded], items: Items, seed: int) -> PairedComparison:
    """The rank-1 credits of both models on the known probes."""
    gallery, probes = gallery_and_probes(items, seed=seed)
    known = probes[np.isin(items.class_ids[probes], items.class_ids[gallery])]
    first, second = (_rank_one(one, gallery, known, items) for one in both)
    return compare_paired(
        first,
        second,
        name="rank-1 rate",
        clusters=items.class_ids[known],
        cluster_unit="identities",
        unit="probes",
        split=items.name,
        seed=seed,
    )


def _rank_one(
    embedded: Embedded, gallery: Indices, known: Indices, items: Items
) -> Float[NDArray[np.float64], " probes"]:
    """[P] the credit of each known probe; the gallery holds one item of a class, by class."""
    answer = np.searchsorted(items.class_ids[gallery], items.class_ids[known])
    return score_trials(embedded.to_some(known, gallery), answer)


def _is_second(one: PairedComparison) -> bool:
    """Whether the second model's figure is the better one; of the EER the lower is."""
    return (one.difference > 0) == (one.name == "EER")


def _listed(names: list[str]) -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
