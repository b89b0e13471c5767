"""Time of every loss: gemel beside pytorch-metric-learning, or beside plain torch.

Claim: forward and backward of each loss take at most the time that pytorch-metric-learning takes
for the same loss; for a loss that it has not, the time of its formula written in plain torch
without loops, which keeps its whole tables in memory.

    python benchmarks/losses_speed.py [--repeats 15] [--threads 1] [--seed 0] [--only NAME]

Label losses get 1,024 embeddings of 128 numbers and length 1, 256 classes x 4; pair and triplet
losses those of both sides of 1,024 pairs, or of 1,024 triplets, and measure the distances. Within
a repeat both sides are timed turn by turn,
so that a busy moment meets both, and the median turn counts. It prints a table with the ratio of
the times: least, median and greatest of the repeats. Both sides must give one value, unless the row
says how they differ.
"""

import argparse
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median

import torch
from pytorch_metric_learning import distances, miners
from pytorch_metric_learning import losses as theirs
from torch import Tensor
from torch.nn import functional as F

from gemel import losses, metrics, mining

CLASSES, PER_CLASS, DIM = 256, 4, 128
MARGIN = 0.2
Loss = Callable[..., Tensor]


@dataclass(frozen=True)
class Race:
    """One loss, made by both sides."""

    name: str
    ours: Loss
    other: Loss
    beside: str
    exact: bool = True
    takes: str = "labels"


PML = "p-m-l"
TORCH = "plain torch"


def pair_races() -> Iterator[Race]:
    """Losses of pairs, from the embeddings of both sides."""
    length, cosine, taxi = metrics.Euclidean(), metrics.Cosine(), metrics.Manhattan()

    def hadsell(u: Tensor, v: Tensor, same: Tensor) -> Tensor:
        d, y = F.pairwise_distance(u, v, eps=0), same.float()
        return (y * d**2 + (1 - y) * F.relu(0.5 - d) ** 2).mean() / 2

    def koch(u: Tensor, v: Tensor, same: Tensor) -> Tensor:
        d = F.pairwise_distance(u, v, eps=0)
        return F.binary_cross_entropy_with_logits(5 * (1 - d), same.float())

    def chopra(u: Tensor, v: Tensor, same: Tensor) -> Tensor:
        d, y = (u - v).abs().sum(1), same.float()
        return (y * d**2 + (1 - y) * 4 * torch.exp(-2.77 / 2 * d)).mean()

    def zagoruyko(u: Tensor, v: Tensor, same: Tensor) -> Tensor:
        d = F.pairwise_distance(u, v, eps=0)
        return F.relu(0.25 - (2 * same.float() - 1) * (0.5 - d)).mean()

    def bromley(u: Tensor, v: Tensor, same: Tensor) -> Tensor:
        u, v = u.double(), v.double()  # as metrics.Cosine, so that small angles keep their digits
        return F.mse_loss(F.cosine_similarity(u, v), 2 * same.double() - 1)

    def ours(loss: losses.PairLoss, metric: metrics.Metric) -> Loss:
        return lambda u, v, same: loss(metric(u, v), same)

    ends = torch.arange(CLASSES * PER_CLASS)
    lp = distances.LpDistance(normalize_embeddings=False)
    theirs_given = theirs.ContrastiveLoss(0.0, 0.5, distance=lp)

    def contrastive(u: Tensor, v: Tensor, same: Tensor) -> Tensor:
        pairs = ends[same], ends[same], ends[~same], ends[~same]
        return theirs_given(u, ends, pairs, ref_emb=v, ref_labels=ends)

    beside = f"{PML} (distances not squared)"
    kind = ours(losses.Contrastive(0.5), length)
    yield Race("Contrastive", kind, contrastive, beside, False, "pairs")
    for loss, metric, plain in (
        (losses.Contrastive(0.5), length, hadsell),
        (losses.PairCrossEntropy(scale=5.0, threshold=1.0), length, koch),
        (losses.Energy(2.0), taxi, chopra),
        (losses.PairHinge(), length, zagoruyko),
        (losses.CosineTarget(), cosine, bromley),
    ):
        yield Race(type(loss).__name__, ours(loss, metric), plain, TORCH, takes="pairs")


def triplet_races() -> Iterator[Race]:
    """Losses of triplets, from the embeddings of all three."""
    length = metrics.Euclidean()

    def gap(a: Tensor, p: Tensor, n: Tensor) -> Tensor:
        return F.pairwise_distance(a, p, eps=0) - F.pairwise_distance(a, n, eps=0)

    def ours(loss: losses.TripletLoss) -> Loss:
        return lambda a, p, n: loss(length(a, p), length(a, n))

    ends = torch.arange(CLASSES * PER_CLASS)
    lp = distances.LpDistance(normalize_embeddings=False)
    theirs_given = theirs.TripletMarginLoss(MARGIN, distance=lp)

    def mined(a: Tensor, p: Tensor, n: Tensor) -> Tensor:
        others, labels = torch.cat([p, n]), torch.cat([ends, ends])
        triplets = ends, ends, ends + len(ends)
        return theirs_given(a, ends, triplets, ref_emb=others, ref_labels=labels)

    beside = f"{PML} (mean of those above 0)"
    yield Race("TripletHinge", ours(losses.TripletHinge(MARGIN)), mined, beside, False, "triplets")
    for loss, plain in (
        (losses.TripletHinge(MARGIN), lambda *given: F.relu(gap(*given) + MARGIN).mean()),
        (losses.TripletSoft(), lambda *given: F.softplus(gap(*given)).mean()),
    ):
        yield Race(type(loss).__name__, ours(loss), plain, TORCH, takes="triplets")


def mined_races() -> Iterator[Race]:
    length = metrics.Euclidean()
    lp = distances.LpDistance(normalize_embeddings=False)
    hinge = theirs.TripletMarginLoss(MARGIN, distance=lp)
    soft = theirs.TripletMarginLoss(0, distance=lp, smooth_loss=True)
    hard = miners.BatchHardMiner(distance=lp)
    semi = miners.TripletMarginMiner(MARGIN, "semihard", distance=lp)
    drawn = miners.DistanceWeightedMiner()
    weighted = mining.DistanceWeighted(length, DIM)

    def mined(loss: Loss, miner: Loss) -> Loss:
        return lambda x, y: loss(x, y, miner(x, y))

    def ours(margin: float | None, choice: mining.Mining) -> Loss:
        return losses.Triplet(length, margin=margin, mining=choice)

    yield Race("Triplet, semi-hard", ours(MARGIN, mining.semi_hard), mined(hinge, semi), PML)
    yield Race("Triplet, hard", ours(MARGIN, mining.hard), mined(hinge, hard), PML)
    yield Race("Triplet, all", ours(MARGIN, mining.all_triplets), hinge, PML)
    beside = f"{PML} (draws of its own)"
    yield Race(
        "Triplet, distance-weighted", ours(MARGIN, weighted), mined(hinge, drawn), beside, False
    )
    yield Race("Triplet, soft, hard", ours(None, mining.hard), mined(soft, hard), PML)
    yield Race("Triplet, soft, all", ours(None, mining.all_triplets), soft, PML)


def label_races() -> Iterator[Race]:
    supcon = theirs.SupConLoss(temperature=0.1)
    yield Race("SupervisedContrastive", losses.SupervisedContrastive(0.1), supcon, PML)
    beside = f"{PML} (takes half the items, has no penalty)"
    yield Race("NPair", losses.NPair(), theirs.NPairsLoss(), beside, False)
    similar, miner = theirs.MultiSimilarityLoss(), miners.MultiSimilarityMiner(0.1)
    yield Race(
        "MultiSimilarity", losses.MultiSimilarity(), lambda x, y: similar(x, y, miner(x, y)), PML
    )
    yield Race("HammingTriplet", losses.HammingTriplet(), plain_hamming, TORCH)
    for ours, other in (
        (losses.ArcFace(), theirs.ArcFaceLoss(CLASSES, DIM, margin=math.degrees(0.5))),
        (losses.CosFace(), theirs.CosFaceLoss(CLASSES, DIM)),
    ):
        ours.build(DIM, CLASSES)
        other.W.data = ours.proxies.detach().T.clone()  # type: ignore[union-attr]
        yield Race(type(ours).__name__, ours, other, PML)


def plain_hamming(x: Tensor, labels: Tensor) -> Tensor:
    """The nearest negative's bound for each pair, the best of a bit's three kinds by a stack."""
    code = torch.where(x >= 0, 1.0, -1.0)
    alike = labels[:, None] == labels
    negative = (code @ code.T).masked_fill(alike, -torch.inf).argmax(1)
    anchor, plus = alike.fill_diagonal_(False).nonzero(as_tuple=True)
    f, g, h = x[anchor], x[plus], x[negative[anchor]]
    kinds = [f.abs() + (g + h).abs(), (f + h - g).abs() + 1, (f + g - h).abs() - 1]
    free = f.abs().sum(1) + g.abs().sum(1) + h.abs().sum(1)
    return (1 + torch.stack(kinds).amax(0).sum(1) - free).mean()


def batch(race: Race, seed: int) -> tuple[Tensor, ...]:
    """What the loss takes: embeddings that lean to their classes, and labels; or of each side."""
    generator = torch.Generator().manual_seed(seed)
    size = CLASSES * PER_CLASS
    labels = torch.arange(size) % CLASSES
    centres = torch.randn(CLASSES, DIM, generator=generator)[labels]

    def near(places: Tensor) -> Tensor:
        noise = 2 * torch.randn(size, DIM, generator=generator)
        return F.normalize(centres[places] + noise, dim=1).requires_grad_()

    same = torch.rand(size, generator=generator) < 0.5
    own, other = torch.arange(size), torch.arange(size).roll(1)
    if race.takes == "pairs":
        return near(own), near(torch.where(same, own, other)), same
    if race.takes == "triplets":
        return near(own), near(own), near(other)
    return near(own), labels


def seconds(loss: Loss, given: tuple[Tensor, ...]) -> float:
    for one in given:
        one.grad = None
    start = time.perf_counter()
    loss(*given).backward()
    return time.perf_counter() - start


def compare(race: Race, repeats: int, seed: int) -> str:
    """One row of the table."""
    given = batch(race, seed)
    values = race.ours(*given).item(), race.other(*given).item()
    if race.exact and abs(values[0] - values[1]) > 1e-4 * max(1, abs(values[1])):
        raise SystemExit(f"{race.name}: the losses differ: {values}")
    turns = max(1, round(0.05 / min(seconds(race.ours, given) for _ in range(3))))
    ours, others = [], []
    for _ in range(repeats):
        # Turn by turn; the median turn, since one interruption outweighs hundreds of them.
        times = [(seconds(race.ours, given), seconds(race.other, given)) for _ in range(turns)]
        ours.append(median(time[0] for time in times))
        others.append(median(time[1] for time in times))
    ratios = [a / b for a, b in zip(ours, others, strict=True)]
    spread = " - ".join(f"{r:.2f}" for r in (min(ratios), median(ratios), max(ratios)))
    row = f"{race.name} | {median(ours) * 1e3:.3g} | {median(others) * 1e3:.3g} | {spread}"
    return f"| {row} | {race.beside} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="races whose name holds this")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    print(
        f"{CLASSES} classes x {PER_CLASS} of {DIM} numbers, or 1,024 pairs or triplets; forward "
        f"and backward, seed {options.seed}, {options.repeats} repeats, "
        f"{options.threads} thread(s)\n"
    )
    print("| loss | gemel, ms | other, ms | ratio: least - median - greatest | beside |")
    print("|---|---|---|---|---|")
    for races in (pair_races, triplet_races, mined_races, label_races):
        for race in races():
            if options.only.lower() in race.name.lower():
                print(compare(race, options.repeats, options.seed), flush=True)


if __name__ == "__main__":
    main()
