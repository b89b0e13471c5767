"""Who signs, who forges, which claims are judged, and what is read of them: SVC2004's signatures.

Settings were chosen on twenty of the 40 signers, who are never tested. A draw tests ten of the
twenty others; six of the twenty known ones are set aside, on whom the model of the first draw is
calibrated, and all 24 that are left are trained on. Two draws test each of the twenty once.

A trial enrols five genuine signatures of a signer's first session. It is then asked about the ten
genuine ones of the later session, all twenty skilled forgeries, and twenty genuine signatures of
the nine other signers of the test, two or three of each ("random" forgeries). SVC2004's own
protocol, but that the signers of its test are not public, and these are twenty others there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray

from gemel import data
from gemel.errors import DataError
from gemel.evaluation import Figure, Interval, figure
from gemel.evaluation.intervals import percentile_interval, resamples
from gemel.items import Indices, Items, Pairs
from gemel.model import Siamese
from gemel.systems.reproduction import Request

# fmt: off
CHOSEN_ON = (
    "U01", "U04", "U05", "U08", "U09", "U12", "U14", "U15", "U19", "U21",
    "U22", "U24", "U28", "U29", "U30", "U32", "U33", "U34", "U37", "U40",
)
# fmt: on
"""Signers on whom settings were chosen: the first twenty of an order drawn by lot."""
TESTED, VALIDATING = 10, 6
DRAWS, QUICK_DRAWS = 6, 1
TRIALS, REFERENCES, RANDOM = 10, 5, 20
GENUINE, SKILLED, OTHERS = range(3)
CAUGHT = 0.8
"""The share of skilled forgeries that must be caught where genuine accepts are counted."""

Scores = Float[NDArray[np.float64], " claims"]
Kinds = Int[NDArray[np.int64], " claims"]
Signers = NDArray[np.character]
Distances = Float[NDArray[np.float64], "items items"]


@dataclass(frozen=True, eq=False)
class Draw:
    """Who is trained on, who validates, and who is tested.

    Attributes:
        number: 1, 2, 3...
        train: all signatures of 24 signers.
        validation: of six.
        test: of ten.
    """

    number: int
    train: Items
    validation: Items
    test: Items


def draws_of(request: Request) -> list[Draw]:
    """The draws that `request` asks for; the same seed gives the same ones."""
    signatures = data.svc2004(request.folder("svc2004"))
    found = draws(signatures, QUICK_DRAWS if request.quick else DRAWS, request.seed)
    return [_few(draw) for draw in found] if request.quick else found


def _few(draw: Draw) -> Draw:
    """Of a draw four signers to train on, two to validate and three to test."""
    parts = []
    for part, count in ((draw.train, 4), (draw.validation, 2), (draw.test, 3)):
        groups = np.asarray(part.groups)
        parts.append(part.take(np.isin(groups, np.unique(groups)[:count])))
    return Draw(draw.number, *parts)


def draws(signatures: Items, count: int, seed: int) -> list[Draw]:
    """`count` draws of test and validation signers.

    Raises:
        DataError: the signers are not SVC2004's.
    """
    signers = np.unique(signatures.groups) if signatures.groups is not None else np.array([""])
    others = np.setdiff1d(signers, CHOSEN_ON)
    if len(others) < 2 * TESTED:
        raise DataError(f"expected the 40 signers of SVC2004, got {len(signers)} in {signatures!r}")
    generator = np.random.default_rng(seed)
    found: list[Draw] = []
    while len(found) < count:
        order = generator.permutation(others)
        for tested in (order[:TESTED], order[TESTED : 2 * TESTED]):
            validating = generator.choice(CHOSEN_ON, VALIDATING, replace=False)
            found.append(_draw(signatures, len(found) + 1, tested, validating))
    return found[:count]


def _draw(signatures: Items, number: int, tested: Signers, validating: Signers) -> Draw:
    groups = np.asarray(signatures.groups)
    test, validation = np.isin(groups, tested), np.isin(groups, validating)
    name = f"{signatures.name}/draw{number}"
    return Draw(
        number,
        signatures.take(~test & ~validation, f"{name}/train"),
        signatures.take(validation, f"{name}/validation"),
        signatures.take(test, f"{name}/test"),
    )


@dataclass(frozen=True)
class Trial:
    """One enrolment, and who claims to be it.

    Attributes:
        signer: whose it is.
        references: [5] the items that are enrolled.
        probes: [P] the items that claim to be the signer's.
        kinds: [P] GENUINE, SKILLED or OTHERS.
    """

    signer: str
    references: Indices
    probes: Indices
    kinds: Kinds


def trials(items: Items, count: int, seed: int) -> list[Trial]:
    """`count` trials of each signer of `items`."""
    generator = np.random.default_rng(seed)
    session, genuine = items.details["session"], items.details["genuine"]
    groups = np.asarray(items.groups)
    found = []
    for signer in np.unique(groups).tolist():
        own = groups == signer
        first = np.flatnonzero(own & (session == 1))
        parts = [
            np.flatnonzero(own & (session == 2)),
            np.flatnonzero(own & ~genuine),
            _one_each(groups, genuine & ~own, generator),
        ]
        kinds = np.repeat([GENUINE, SKILLED, OTHERS], [len(part) for part in parts])
        for _ in range(count):
            chosen = np.sort(generator.permutation(first)[:REFERENCES])
            found.append(Trial(signer, chosen, np.concatenate(parts), kinds))
    return found


def _one_each(
    groups: Signers, able: Bool[NDArray[np.bool_], " items"], generator: np.random.Generator
) -> Indices:
    """RANDOM items of the `able` ones, of as many signers as there are, each as often as others."""
    names = np.resize(generator.permutation(np.unique(groups[able])), RANDOM)
    drawn = [
        generator.permutation(np.flatnonzero(able & (groups == name)))[: int((names == name).sum())]
        for name in np.unique(names)
    ]
    return np.concatenate(drawn)


Compare = Callable[[Indices, Indices], Float[NDArray[np.float64], " probes"]]
"""From the items that are enrolled and those that claim, to a distance of each."""


def distances(model: Siamese, items: Items, asked: Sequence[Trial]) -> Distances:
    """[N, N] the distances among `items` that the trials need, each once; NaN elsewhere."""
    embedded = model.embed(items)
    needed = np.zeros((len(items), len(items)), dtype=np.bool_)
    for trial in asked:
        needed[np.ix_(trial.references, np.concatenate([trial.references, trial.probes]))] = True
    rows, columns = np.nonzero(needed)
    found = np.full(needed.shape, np.nan)
    with model.evaluating():
        found[rows, columns] = model.metric(embedded[rows], embedded[columns]).numpy()
    return found


@dataclass(frozen=True, eq=False)
class Claims:
    """What one way of comparing says of all claims of a draw.

    Attributes:
        distance: [C] lower is more alike.
        kind: [C] GENUINE, SKILLED or OTHERS.
        signer: [C] who is claimed to be.
    """

    distance: Scores
    kind: Kinds
    signer: Signers

    @classmethod
    def of(cls, asked: Sequence[Trial], compare: Compare) -> "Claims":
        """Judge every claim of every trial."""
        return cls(
            np.concatenate([compare(trial.references, trial.probes) for trial in asked]),
            np.concatenate([trial.kinds for trial in asked]),
            np.repeat([t.signer for t in asked], [len(t.probes) for t in asked]),
        )

    def against(self, kind: int) -> "Ordered":
        """Genuine claims and those of one other kind, in the order of their distances."""
        chosen = np.isin(self.kind, (GENUINE, kind))
        order = np.argsort(self.distance[chosen], kind="stable")
        distance = self.distance[chosen][order]
        return Ordered(
            distance,
            self.kind[chosen][order] == GENUINE,
            self.signer[chosen][order],
        )


@dataclass(frozen=True, eq=False)
class Ordered:
    """Claims of two kinds by rising distance.

    Attributes:
        distance: [C] rising.
        genuine: [C] whether the claim is true.
        signer: [C] who is claimed to be.
    """

    distance: Scores
    genuine: Bool[NDArray[np.bool_], " claims"]
    signer: Signers

    @cached_property
    def _edges(self) -> Indices:
        """The last claim of each distance: claims at one distance are accepted together."""
        return np.flatnonzero(np.append(np.diff(self.distance) > 0, True))

    def curve(
        self, weights: Scores | None = None
    ) -> tuple[Float[NDArray[np.float64], " cuts"], Float[NDArray[np.float64], " cuts"]]:
        """False rejects and false accepts at rising thresholds, from none accepted on."""
        weight = np.ones(len(self.distance)) if weights is None else weights
        rates = []
        for kind in (self.genuine, ~self.genuine):
            summed = np.cumsum(weight * kind)[self._edges]
            rates.append(np.concatenate([[0.0], summed / summed[-1]]))
        return 1 - rates[0], rates[1]

    def equal_error(self, weights: Scores | None = None) -> float:
        """Where false rejects and false accepts are alike, between two cuts on a straight line."""
        rejects, accepts = self.curve(weights)
        excess = accepts - rejects
        at = int(np.argmax(excess >= 0))
        share = -excess[at - 1] / (excess[at] - excess[at - 1])
        return float(accepts[at - 1] + share * (accepts[at] - accepts[at - 1]))

    @cached_property
    def of_signers(self) -> tuple[Indices, Float[NDArray[np.float64], " signers"]]:
        """Of each signer a claim, and the equal error rate of its claims alone."""
        names, first = np.unique(self.signer, return_index=True)
        errors = []
        for name in names:
            own = self.signer == name
            one = Ordered(self.distance[own], self.genuine[own], self.signer[own])
            errors.append(one.equal_error())
        return first, np.array(errors)

    def genuine_accepts(self, weights: Scores | None = None) -> float:
        """The share of genuine claims accepted at the last threshold that catches `CAUGHT`."""
        rejects, accepts = self.curve(weights)
        return float(1 - rejects[np.flatnonzero(accepts <= 1 - CAUGHT + 1e-9)[-1]])


Reading = Callable[[Ordered, Scores | None], float]


def equal_error(ordered: Ordered, weights: Scores | None) -> float:
    """The equal error rate at one threshold for all signers."""
    return ordered.equal_error(weights)


def genuine_accepts(ordered: Ordered, weights: Scores | None) -> float:
    """The share of genuine claims accepted where `CAUGHT` of the others are caught."""
    return ordered.genuine_accepts(weights)


def by_signer(ordered: Ordered, weights: Scores | None) -> float:
    """The mean over signers of the equal error rate of each by itself: a threshold of its own."""
    first, errors = ordered.of_signers
    return float(np.average(errors, weights=None if weights is None else weights[first]))


def over_draws(found: Sequence[Ordered], read: Reading, name: str, *, seed: int) -> Figure:
    """The mean over draws of what `read` reads, with an interval over the signers of the test."""
    value, drawn, signers = _resampled(found, read, seed)
    interval = percentile_interval(drawn, value, clusters=signers, cluster_unit="signers")
    return _figure(name, value, interval, found, seed)


def less(
    found: Sequence[Ordered], than: Sequence[Ordered], read: Reading, name: str, *, seed: int
) -> Figure:
    """The same of the difference of two ways of comparing, on the same claims."""
    (a, ours, signers), (b, theirs, _) = (_resampled(one, read, seed) for one in (found, than))
    interval = percentile_interval(
        ours - theirs, a - b, clusters=signers, cluster_unit="signers", share=False
    )
    return _figure(name, a - b, interval, found, seed)


def _figure(
    name: str, value: float, interval: Interval, found: Sequence[Ordered], seed: int
) -> Figure:
    return figure(
        name,
        value,
        interval,
        count=sum(len(one.distance) for one in found),
        unit="claims",
        split=f"{len(found)} draws of unseen signers",
        seed=seed,
    )


SAMPLES = 400


def _resampled(
    found: Sequence[Ordered], read: Reading, seed: int
) -> tuple[float, Float[NDArray[np.float64], " samples"], int]:
    """The mean over draws; the same for samples of the signers; and how many signers there are."""
    names = np.unique(np.concatenate([np.unique(one.signer) for one in found]))
    places = [np.searchsorted(names, one.signer) for one in found]
    generator = np.random.default_rng(seed)
    drawn = []
    for some in resamples(len(names), draws=SAMPLES, generator=generator):
        for times in some.astype(np.float64):
            values = [
                read(one, times[place])
                for one, place in zip(found, places, strict=True)
                if times[place].any()
            ]
            drawn.append(float(np.mean(values)))
    return float(np.mean([read(one, None) for one in found])), np.array(drawn), len(names)


def validation_pairs(items: Items) -> Pairs:
    """Two genuine signatures of one signer, or a genuine one with a forgery of it.

    Of different sessions where both are genuine. No pair is of two forgeries: two forgers' hands
    are not the same.
    """
    session, genuine = items.details["session"], items.details["genuine"]
    left, right, same = [], [], []
    groups = np.asarray(items.groups)
    for signer in np.unique(groups):
        own = groups == signer
        first = np.flatnonzero(own & (session == 1))
        for kind, others in (
            (True, np.flatnonzero(own & (session == 2))),
            (False, np.flatnonzero(own & ~genuine)),
        ):
            a, b = np.meshgrid(first, others, indexing="ij")
            left.append(a.ravel())
            right.append(b.ravel())
            same.append(np.full(a.size, kind))
    return Pairs(
        values=items.values,
        left=np.concatenate(left),
        right=np.concatenate(right),
        same=np.concatenate(same),
        kind="pens",
        name=items.name,
        origins=items.origins,
    )
