"""Who is it? Probes against a gallery: closed-set, open-set, and the top five.

Each probe meets each label of the gallery at the distance of the label's nearest reference. Where
distances tie, a figure is its expected value over all orders of the tied labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import ArrayLike, NDArray

from gemel.errors import EvaluationError, SettingsError
from gemel.evaluation.curves import check_finite
from gemel.evaluation.intervals import (
    Figure,
    Refused,
    bootstrap,
    cluster_ids,
    figure,
    figures_in,
    percentile_interval,
    refusals_in,
    resamples,
    too_rare,
)
from gemel.evaluation.readings import TrueAcceptRate
from gemel.evaluation.retrieval import Rows

TOP = 5
FALSE_ALARM_RATES = (1e-1, 1e-2, 1e-3)
_DISTANCES_AT_ONCE = 2**20


@dataclass(frozen=True, eq=False)
class Identification:
    """What `identification` measured.

    Attributes:
        rank: the identification rate at each rank asked for, of known probes.
        cmc: [L] the cumulative match characteristic: the rate at each rank from 1 to the number
            of labels.
        top: MAP@5.
        dir_at_far: for each false-alarm rate asked for, it and the share of known probes that are
            detected and identified there; refused where too few unknown probes support it. Empty
            where no probe is unknown.
        known: how many probes have a label of the gallery.
        unknown: how many have not.
        labels: how many labels the gallery has.
    """

    rank: tuple[Figure, ...]
    cmc: Float[NDArray[np.float64], " labels"]
    top: Figure
    dir_at_far: tuple[tuple[float, Figure | Refused], ...]
    known: int
    unknown: int
    labels: int

    @property
    def figures(self) -> tuple[Figure, ...]:
        """All figures there are."""
        return (*self.rank, self.top, *figures_in(*(one for _, one in self.dir_at_far)))

    @property
    def refused(self) -> tuple[Refused, ...]:
        """What the probes do not support."""
        return refusals_in(*(one for _, one in self.dir_at_far))

    def __str__(self) -> str:
        counts = (
            f"{self.known:,} known and {self.unknown:,} unknown probes, a gallery of "
            f"{self.labels:,} labels"
        )
        methods = {one.method: None for one in self.figures}  # each once, in order
        last = f"{counts}; 95 % intervals: {'; '.join(methods)}"
        return "\n".join([*map(str, self.figures), *map(str, self.refused), last])

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "figures": [one.as_dict() for one in self.figures],
            "refused": [one.as_dict() for one in self.refused],
            "cmc": self.cmc.tolist(),
            "known": self.known,
            "unknown": self.unknown,
            "labels": self.labels,
        }


@dataclass(frozen=True, eq=False)
class Matches:
    """Where each probe's answer stands among the labels of the gallery.

    Attributes:
        nearest: [P] the distance of the nearest label.
        known: [P] whether the probe's label is in the gallery.
        start: [P] the rank (from 0) at which the tie of its label begins; 0 for unknown probes.
        size: [P] how many labels are in that tie, itself included; 0 for unknown probes.
    """

    nearest: Float[NDArray[np.float64], " probes"]
    known: Bool[NDArray[np.bool_], " probes"]
    start: Int[NDArray[np.int64], " probes"]
    size: Int[NDArray[np.int64], " probes"]

    @classmethod
    def of(
        cls,
        by_label: Float[NDArray[np.float64], "probes labels"],
        answer: Int[NDArray[np.int64], " probes"],
    ) -> "Matches":
        """From distances to each label and the right label's number, -1 where there is none."""
        known = answer >= 0
        own = by_label[np.arange(len(answer)), np.maximum(answer, 0)][:, None]
        return cls(
            nearest=by_label.min(axis=1),
            known=known,
            start=np.where(known, (by_label < own).sum(axis=1), 0),
            size=np.where(known, (by_label == own).sum(axis=1), 0),
        )

    @classmethod
    def joined(cls, parts: Sequence["Matches"]) -> "Matches":
        """The probes of all parts, in order."""
        columns = ([getattr(part, field.name) for part in parts] for field in fields(cls))
        return cls(*map(np.concatenate, columns))

    def within(self, rank: int) -> Float[NDArray[np.float64], " probes"]:
        """[P] the chance that the right label is among the first `rank`; 0 for unknown probes."""
        reached = np.clip(rank - self.start, 0, self.size)
        return np.asarray(reached / np.maximum(self.size, 1))


def identification(
    distance: Rows | ArrayLike,
    gallery_labels: ArrayLike,
    probe_labels: ArrayLike,
    *,
    ranks: Sequence[int] = (1, 5, 10),
    false_alarm_rates: Sequence[float | int] = FALSE_ALARM_RATES,
    new_at: float | int | None = None,
    split: str,
    seed: int,
    draws: int = 1000,
) -> Identification:
    """Identify probes in a gallery: CMC, DIR at FAR and MAP@5, with 95 % intervals.

    - Identification rate at rank k: the share of known probes whose label is among the k nearest.
    - DIR at FAR: the share of known probes whose label is the nearest and within a threshold, the
      largest at which no more than that share of the unknown probes has any label within it.
      (Phillips, Grother, Micheals 2011, "Evaluation methods in face recognition", Handbook of
      Face Recognition, 2nd edition, ch. 21.) Refused where the unknown probes are too few to
      measure the rate (see `too_rare`).
    - MAP@5 (Kaggle): each probe has one right label, and earns 1 / rank where it is among the
      five nearest, else nothing. With `new_at`, the label "new" stands in every probe's list at
      that distance, and is the right one for unknown probes.

    Ranks above the number of labels are left out. Intervals are a bootstrap over the probes'
    identities; each draw has its own threshold.

    Args:
        distance: [P, G] of probes to references, lower is more alike; or a function of probe
            indices [Q] to [Q, G], called with bounded parts, where all would fill the memory.
        gallery_labels: [G] the label of each reference (number or text); of several references
            of a label the nearest counts.
        probe_labels: [P] the label of each probe; unknown ones have labels of their own too,
            which the gallery does not have. Probes of one label are drawn together.
        ranks: the k of each identification rate.
        false_alarm_rates: where DIR is asked for, each between 0 and 1.
        new_at: the distance of "new", chosen on other probes. None: MAP@5 is of known probes.
        split: the name of what is judged.
        seed: of the bootstrap.
        draws: how many bootstrap resamples.

    Raises:
        EvaluationError: no probe is known, a distance is not finite, `new_at` is NaN, or arrays
            do not fit together.
        SettingsError: a rank below 1, a rate that is none, or too few draws.
    """
    if not len(ranks) or min(ranks) < 1:
        raise SettingsError(f"`ranks` must hold one or more ranks of 1 or more; got {tuple(ranks)}")
    readings = [TrueAcceptRate(float(rate)) for rate in false_alarm_rates]
    if new_at is not None and np.isnan(new_at):
        raise EvaluationError("`new_at` is NaN; give a distance, chosen on validation probes")
    gallery = _Gallery.of(gallery_labels, probe_labels)
    matches, with_new = _matches(distance, gallery, new_at)
    people = cluster_ids(probe_labels, len(gallery.answer), what="probe_labels")
    known, labels = matches.known, len(gallery.first)

    def mean(name: str, credit: NDArray[np.float64], of: NDArray[np.bool_]) -> Figure:
        interval = bootstrap(
            credit[of], clusters=people[of], cluster_unit="identities", draws=draws, seed=seed
        )
        return figure(
            name,
            float(credit[of].mean()),
            interval,
            count=int(of.sum()),
            unit="probes",
            split=split,
            seed=seed,
        )

    if with_new is None:
        top = mean(f"MAP@{TOP} of known probes", _precision(matches), known)
    else:
        top = mean(f"MAP@{TOP}", _precision(with_new), np.ones_like(known))
    asked = [rank for rank in ranks if rank <= labels]
    return Identification(
        rank=tuple(mean(f"rank-{rank} rate", matches.within(rank), known) for rank in asked),
        cmc=np.array([matches.within(rank)[known].mean() for rank in range(1, labels + 1)]),
        top=top,
        dir_at_far=_detected(matches, people, readings, draws=draws, split=split, seed=seed),
        known=int(known.sum()),
        unknown=int((~known).sum()),
        labels=labels,
    )


@dataclass(frozen=True, eq=False)
class _Gallery:
    """Which references belong to which label, and which label each probe has.

    Attributes:
        order: [G] the references, label by label.
        first: [L] where each label begins in `order`.
        answer: [P] the number of each probe's label; -1 where the gallery has none.
    """

    order: Int[NDArray[np.int64], " references"]
    first: Int[NDArray[np.int64], " labels"]
    answer: Int[NDArray[np.int64], " probes"]

    @classmethod
    def of(cls, gallery_labels: ArrayLike, probe_labels: ArrayLike) -> "_Gallery":
        gallery, probes = np.asarray(gallery_labels), np.asarray(probe_labels)
        if gallery.ndim != 1 or probes.ndim != 1:
            raise EvaluationError(
                "expected P probe labels and G gallery labels, each in one row; got shapes "
                f"{probes.shape} and {gallery.shape}"
            )
        _, ids = np.unique(np.concatenate([gallery, probes]), return_inverse=True)
        labels, wanted = np.unique(ids[: len(gallery)]), ids[len(gallery) :]
        if not np.isin(wanted, labels).any():
            raise EvaluationError(
                f"none of the {len(probes)} probes has a label of the gallery; identification "
                "needs known probes. Are both labelled by the same names?"
            )
        order = np.argsort(ids[: len(gallery)], kind="stable")
        place = np.minimum(np.searchsorted(labels, wanted), len(labels) - 1)
        return cls(
            order=order,
            first=np.searchsorted(ids[order], labels),
            answer=np.where(labels[place] == wanted, place, -1),
        )


def _matches(
    distance: Rows | ArrayLike, gallery: _Gallery, new_at: float | int | None
) -> tuple[Matches, Matches | None]:
    """The matches of all probes, made in parts; and those with "new" as one more label.

    "New" lies at the distance `new_at` of every probe, and is the answer of the unknown ones.
    """
    probes, references = len(gallery.answer), len(gallery.order)
    rows_of = distance if callable(distance) else _rows_of(distance, probes, references)
    step = max(_DISTANCES_AT_ONCE // references, 1)
    plain, with_new = [], []
    for start in range(0, probes, step):
        part = np.arange(start, min(start + step, probes))
        rows = np.asarray(rows_of(part), dtype=np.float64)
        if rows.shape != (len(part), references):
            raise EvaluationError(
                f"the distance function returned shape {rows.shape} for {len(part)} probes and "
                f"{references} references; expected {(len(part), references)}"
            )
        check_finite(rows, what="probe, reference", rows=part)
        by_label = np.minimum.reduceat(rows[:, gallery.order], gallery.first, axis=1)
        answer = gallery.answer[part]
        plain.append(Matches.of(by_label, answer))
        if new_at is not None:
            by_label = np.column_stack([by_label, np.full(len(part), float(new_at))])
            new = np.where(answer < 0, len(gallery.first), answer)
            with_new.append(Matches.of(by_label, new))
    return Matches.joined(plain), Matches.joined(with_new) if with_new else None


def _rows_of(distance: ArrayLike, probes: int, references: int) -> Rows:
    given = np.asarray(distance)
    if given.shape != (probes, references):
        raise EvaluationError(
            "expected distances [P, G] with P probe labels and G gallery labels; got shapes "
            f"{given.shape}, ({probes},) and ({references},)"
        )
    return lambda part: given[part]


def _precision(matches: Matches) -> Float[NDArray[np.float64], " probes"]:
    """1 / rank of the right label where it is among the first five, the mean over its tie."""
    inverse = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, TOP + 1))])  # of the first 0, 1...
    first, end = (np.minimum(at, TOP) for at in (matches.start, matches.start + matches.size))
    return np.asarray((inverse[end] - inverse[first]) / np.maximum(matches.size, 1))


def _detected(
    matches: Matches,
    people: Int[NDArray[np.int64], " probes"],
    readings: Sequence[TrueAcceptRate],
    *,
    draws: int,
    split: str,
    seed: int,
) -> tuple[tuple[float, Figure | Refused], ...]:
    """DIR at each rate, or why not; nothing where every probe is known."""
    unknown = int((~matches.known).sum())
    if not unknown:
        return ()
    found: list[tuple[float, Figure | Refused]] = []
    curve = _Alarms.of(matches, people)
    for reading in readings:
        name = f"DIR at FAR {reading.at:g}"
        refusal = too_rare(name, reading.at, unknown, "unknown probes")
        if refusal is not None:
            found.append((reading.at, refusal))
            continue
        value = float(curve.read(np.ones((1, curve.people), dtype=np.int64), reading)[0])
        chunks = resamples(curve.people, draws=draws, generator=np.random.default_rng(seed))
        drawn = np.concatenate([curve.read(times, reading) for times in chunks])
        fewest = min(len(np.unique(people[kind])) for kind in (matches.known, ~matches.known))
        interval = percentile_interval(drawn, value, clusters=fewest, cluster_unit="identities")
        one = figure(
            name, value, interval, count=len(people), unit="probes", split=split, seed=seed
        )
        found.append((reading.at, one))
    return tuple(found)


@dataclass(frozen=True, eq=False)
class _Alarms:
    """Probes by the distance of their nearest label: known ones to find, unknown ones to refuse.

    Attributes:
        people: how many identities the probes have.
        person: [P] the identity of each.
        credit: [P] the chance that its nearest label is right; 0 for unknown probes.
        known: [P] whether it is known.
        last: [K] the last probe of each distinct distance.
    """

    people: int
    person: Int[NDArray[np.int64], " probes"]
    credit: Float[NDArray[np.float64], " probes"]
    known: Bool[NDArray[np.bool_], " probes"]
    last: Int[NDArray[np.int64], " distinct"]

    @classmethod
    def of(cls, matches: Matches, people: Int[NDArray[np.int64], " probes"]) -> "_Alarms":
        order = np.argsort(matches.nearest, kind="stable")
        ranked = matches.nearest[order]
        return cls(
            people=int(people.max()) + 1,
            person=people[order],
            credit=matches.within(1)[order],
            known=matches.known[order],
            last=np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)),
        )

    def read(
        self, times: Int[NDArray[np.int64], "draws people"], reading: TrueAcceptRate
    ) -> Float[NDArray[np.float64], " draws"]:
        """The reading in each draw of identities; NaN where it holds no known or no unknown."""
        found = np.full(len(times), np.nan)
        for draw, person in enumerate(times):
            weight = person[self.person]
            all_known, all_unknown = int(weight @ self.known), int(weight @ ~self.known)
            if all_known and all_unknown:
                alarms = np.cumsum(weight * ~self.known)[self.last] / all_unknown
                hits = np.cumsum(weight * self.credit)[self.last] / all_known
                rates = np.stack([np.append(0.0, hits), np.append(0.0, alarms)])
                after = int(np.argmax(reading.passed(rates)))
                found[draw] = reading.value(rates[:, None, after - 1 : after + 1])[0]
        return found
