"""What the systems on the ORL faces share: trials, references, rates, claims, rows of a table.

All pairs of the 50 test pictures of a draw are judged, no picture with itself: 225 same and 1,000
different ones.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from gemel import inputs
from gemel.evaluation import Figure, equal_error_rate, figure, students_t
from gemel.evaluation.curves import SortedPairs, check_pairs
from gemel.evaluation.one_shot import score_trials
from gemel.evaluation.readings import TrueAcceptRate
from gemel.evaluation.subject_models import (
    fit_subject_models,
    log_impostor_density,
    spread_floor,
)
from gemel.items import Indices, Items, members_of_classes
from gemel.model import Siamese
from gemel.systems._people import TESTED, Draw, draws, with_made_up
from gemel.systems.reproduction import Request, Row

SIZE = (56, 46)
"""Height and width that pictures are shrunk to, in pixels: half of each side."""
FALSE_ACCEPTS = (0.10, 0.075, 0.05)
CALIBRATED_AT = 0.05
"""False accepts of the kept model: 1,000 different pairs of five people support no lower rate."""
PCA_PARTS = 100
SHARED = 0.5
"""How much of a subject's variances is that of all: five pictures tell little by themselves."""
PUBLISHED = ("0.00 %", "1.00 %", "1.00 %")
"""False rejects at `FALSE_ACCEPTS` of Chopra 2005, on five unseen people."""
Points = Float[NDArray[np.floating], "_ dim"]
Distances = Float[NDArray[np.floating], " pairs"]
Sames = Bool[NDArray[np.bool_], " pairs"]


@dataclass(frozen=True, eq=False)
class Judged:
    """What one way of comparing says of a draw.

    Attributes:
        distance: [M] of all pairs of the test pictures.
        same: [M] True where both show one person.
        eer: the equal error rate of these.
        rejects: the false rejects at `FALSE_ACCEPTS`.
        enrolled: the same with the subject models.
        claims: how many true claims were judged: each probe's to be who it is.
        rank_one: how often one enrolled picture a person is enough to name who it is.
    """

    distance: Distances
    same: Sames
    eer: float
    rejects: tuple[float, ...]
    enrolled: tuple[float, ...]
    claims: int
    rank_one: float


def all_pairs(items: Items) -> tuple[Indices, Indices, Sames]:
    """Every two pictures once, none with itself: left [M], right [M], same [M]."""
    left, right = np.triu_indices(len(items), 1)
    return left, right, items.class_ids[left] == items.class_ids[right]


def judge(
    draw: Draw,
    embed: Callable[[Items], Points],
    between: Callable[[Points, Points], NDArray[np.floating]],
) -> Judged:
    """All figures of one draw for one way of comparing.

    Args:
        draw: who is trained on and tested.
        embed: from pictures to points [N, D].
        between: from points [N, D] and [M, D] to their distances [N, M].
    """
    trained, tested = embed(draw.train), embed(draw.test)
    left, right, same = all_pairs(draw.test)
    matrix = between(tested, tested)
    distance = matrix[left, right]
    claimed = claims(draw.test, tested, trained)
    return Judged(
        distance=distance,
        same=same,
        eer=equal_error_rate(distance, same),
        rejects=false_rejects(distance, same),
        enrolled=false_rejects(*claimed),
        claims=int(claimed[1].sum()),
        rank_one=rank_one(matrix, draw.test.class_ids),
    )


def judge_model(draw: Draw, model: Siamese) -> Judged:
    """`judge` of a trained model."""

    def between(left: Points, right: Points) -> NDArray[np.floating]:
        return model.distances(*map(torch.from_numpy, (left, right))).numpy()

    return judge(draw, lambda items: model.embed(items).numpy(), between)


def judge_trained(
    request: Request,
    draws: Sequence[Draw],
    name: str,
    network: Callable[[int], Siamese],
    settings: Callable[[int], dict[str, Any]],
    *,
    made_up: bool,
) -> list[Judged]:
    """A network trained on each draw, and what it says of the people that it never saw.

    Args:
        request: where the models go.
        draws: who is trained on and tested.
        name: of the models; the draw's number follows.
        network: makes one from a seed.
        settings: of `fit`, from the seed.
        made_up: whether made-up people are trained on, too.
    """
    found = []
    for draw in draws:
        seed = request.seed + draw.number
        model = request.trained(
            f"{name}-{draw.number:02}",
            partial(network, seed),
            with_made_up(request, draw.train, seed) if made_up else draw.train,
            **settings(seed),
        )
        found.append(judge_model(draw, model))
        request.say(f"draw {draw.number}, {draw.people}: EER {100 * found[-1].eer:.1f} %")
    return found


def judge_pixels(draw: Draw, metric: str = "euclidean") -> Judged:
    """How far the greys of the shrunk pictures are apart: "euclidean", or "cityblock", their sum.

    The sum is the better one of the two here.
    """
    return judge(draw, _pixels, partial(cdist, metric=metric))


def judge_lda(draw: Draw) -> Judged:
    """Fisher's discriminants of principal parts, learned from the training people; the cosine.

    Belhumeur, Hespanha, Kriegman 1997, "Eigenfaces vs. Fisherfaces", PAMI 19(7).
    """
    from sklearn.decomposition import PCA
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    parts = PCA(PCA_PARTS, random_state=0).fit(_pixels(draw.train))
    known = parts.transform(_pixels(draw.train))
    discriminants = LinearDiscriminantAnalysis().fit(known, draw.train.class_ids)

    def embed(items: Items) -> Points:
        points = discriminants.transform(parts.transform(_pixels(items)))
        return np.asarray(points / np.linalg.norm(points, axis=1, keepdims=True))

    return judge(draw, embed, partial(cdist, metric="sqeuclidean"))


def _pixels(items: Items) -> Points:
    """[N, 56 x 46] greys from 0 to 1."""
    read = inputs.Images(SIZE).read
    return np.stack([read(value).ravel() for value in items.values]) / 255


def claims(items: Items, points: Points, impostors: Points) -> tuple[Distances, Sames]:
    """Every probe's claim to be each enrolled person: distances and whether it is true, [M] each.

    The first half of each person's pictures is enrolled as a subject model, the others are the
    probes. The impostor constants come from `impostors`, the training people.
    """
    members = np.stack(members_of_classes(items.class_ids))  # [people, pictures]
    half = members.shape[1] // 2
    first, asking = members[:, :half].ravel(), members[:, half:].ravel()
    models = fit_subject_models(
        points[first], items.class_ids[first], floor=spread_floor(impostors), shared=SHARED
    )
    distance = models.distance(points[asking], log_impostor_density(models, impostors))
    return distance.ravel(), (items.class_ids[asking, None] == models.names).ravel()


def false_rejects(distance: Distances, same: Sames) -> tuple[float, ...]:
    """The share of same pairs refused where at most `FALSE_ACCEPTS` of the others are accepted."""
    pairs = SortedPairs.of(*check_pairs(distance, same))
    return tuple(1 - pairs.read(TrueAcceptRate(rate)) for rate in FALSE_ACCEPTS)


def rank_one(matrix: NDArray[np.floating], identity: Indices) -> float:
    """How often the nearest of one enrolled picture a person is the right one, 0 to 1.

    Each picture of a person is enrolled in turn, with those of the same number of the others; all
    other pictures ask. A tie of n counts 1 / n.
    """
    members = np.stack(members_of_classes(identity))  # [people, pictures]
    credit = []
    for enrolled in members.T:
        asking = np.setdiff1d(np.arange(len(identity)), enrolled)
        credit.append(score_trials(matrix[np.ix_(asking, enrolled)], identity[asking]).mean())
    return float(np.mean(credit))


def equal_error_threshold(judged: Judged) -> float:
    """The distance up to which about as many different pairs are accepted as same ones refused."""
    at = np.sort(judged.distance)
    same, different = (np.sort(judged.distance[judged.same == kind]) for kind in (True, False))
    refused = 1 - np.searchsorted(same, at, "right") / len(same)
    accepted = np.searchsorted(different, at, "right") / len(different)
    return float(at[np.argmax(accepted >= refused)])


def refused_by_person(all_draws: Sequence[Draw], found: Sequence[Judged]) -> dict[str, float]:
    """For each person tested the share of its same pairs refused where errors are equal."""
    shares: dict[str, list[float]] = {}
    for draw, judged in zip(all_draws, found, strict=True):
        left, _, same = all_pairs(draw.test)
        refused = judged.distance > equal_error_threshold(judged)
        for person in draw.test.classes:
            mine = same & (draw.test.labels[left] == person)
            shares.setdefault(person, []).append(float(refused[mine].mean()))
    means = {person: float(np.mean(share)) for person, share in shares.items()}
    return dict(sorted(means.items(), key=lambda one: -one[1]))


def hardest(all_draws: Sequence[Draw], found: Sequence[Judged], count: int = 6) -> str:
    """The people whose same pairs are refused most, for a note under a table."""
    most = list(refused_by_person(all_draws, found).items())[:count]
    said = ", ".join(f"{person} {100 * share:.0f} %" for person, share in most)
    return f"Same pairs refused where errors are equal, the hardest people first: {said}."


def over_draws(
    name: str, values: Sequence[float], count: int, unit: str, seed: int, *, share: bool = True
) -> Figure:
    """The mean over draws, with Student's interval over them.

    Args:
        name: what was measured.
        values: one figure a draw.
        count: how many were judged in a draw.
        unit: what `count` counts.
        seed: of the draws.
        share: whether the values lie between 0 and 1; differences do not.
    """
    return figure(
        name,
        float(np.mean(values)),
        students_t(values, unit="draws of people", share=share),
        count=count * len(values),
        unit=unit,
        split=f"orl_faces, {len(values)} draws of {TESTED} unseen people",
        seed=seed,
    )


def spread(values: Sequence[float]) -> str:
    """From the least to the greatest, as a cell."""
    return f"{100 * min(values):.1f} to {100 * max(values):.1f} %"


def untrained_row(
    draws: Sequence[Draw], networks: Sequence[Callable[[int], Siamese] | None], *, seed: int
) -> Row:
    """The equal error rate of networks as they are before training; "" for what is none."""
    name = "EER of the network before training"
    cells: list[Figure | str] = []
    for network in networks:
        if network is None:
            cells.append("")
            continue
        found = [judge_model(draw, network(seed + draw.number)) for draw in draws]
        pairs = len(found[0].same)
        cells.append(over_draws(name, [one.eer for one in found], pairs, "pairs", seed))
    return Row(name, tuple(cells))


def face_rows(columns: Sequence[Sequence[Judged]], *, seed: int) -> list[Row]:
    """The rows that both systems share, a cell for each way of comparing; the first is the paper's.

    Args:
        columns: for each way of comparing what it says of each draw.
        seed: of the draws.
    """
    pairs, asked = len(columns[0][0].same), columns[0][0].claims
    sames = int(columns[0][0].same.sum())
    eers = [[one.eer for one in way] for way in columns]
    gains = [list(np.subtract(eers[0], other)) for other in eers[1:]]
    less = "EER, the first column's less this one's"
    rows = [
        Row("EER", tuple(over_draws("EER", eer, pairs, "pairs", seed) for eer in eers)),
        Row("EER, least to greatest", tuple(map(spread, eers))),
        Row(
            less,
            ("", *(over_draws(less, gain, pairs, "pairs", seed, share=False) for gain in gains)),
        ),
    ]
    for number, rate in enumerate(FALSE_ACCEPTS):
        name = f"false rejects at {100 * rate:g} % false accepts, pairs"
        found = [[one.rejects[number] for one in way] for way in columns]
        cells = tuple(over_draws(name, of, sames, "same pairs", seed) for of in found)
        rows.append(Row(name, cells))
    for number, rate in enumerate(FALSE_ACCEPTS):
        name = f"false rejects at {100 * rate:g} % false accepts, 5 pictures enrolled"
        found = [[one.enrolled[number] for one in way] for way in columns]
        cells = tuple(over_draws(name, of, asked, "true claims", seed) for of in found)
        rows.append(Row(name, cells, PUBLISHED[number]))
    return rows


def calibrated(
    request: Request, name: str, make: Callable[[], Siamese], draw: Draw, **settings: Any
) -> Siamese:
    """A model to keep: it learns from 30 of the draw's people, and is calibrated on the other five.

    So neither its weights nor its threshold come of the draw's test people.
    """
    inner = draws(draw.train, 1, request.seed)[0]
    return request.trained(
        name,
        make,
        with_made_up(request, inner.train, request.seed),
        calibrate_on=inner.test,
        false_accepts=CALIBRATED_AT,
        **settings,
    )
