"""Time of every loss: gemel beside pytorch-metric-learning, or beside plain torch.

Claim: forward and backward of each loss take at most the time that pytorch-metric-learning takes
for the same loss; for a loss that it has not, the time of its formula written in plain torch
without loops, which keeps its whole tables in memory.

    python benchmarks/losses_speed.py [--repeats 15] [--threads 1] [--seed 0] [--only NAME]

Label losses get 1,024 embeddings of 128 numbers and length 1, 256 classes x 4; pair and triplet
losses the distances of 1,024 pairs or triplets. Within a repeat both sides are timed turn by turn,
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
from torch import Tensor, nn
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


class Plain(nn.Module):
    """A formula as a module, as losses are."""

    def __init__(self, formula: Loss) -> None:
        super().__init__()
        self.formula = formula

    def forward(self, *given: Tensor) -> Tensor:
        """The formula."""
        return self.formula(*given)


PML = "p-m-l"
TORCH = "plain torch"


def pair_races() -> Iterator[Race]:
    def hadsell(d: Tensor, same: Tensor) -> Tensor:
        y = same.float()
        return (y * d**2 + (1 - y) * F.relu(0.5 - d) ** 2).mean() / 2

    def koch(d: Tensor, same: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(5 * (1 - d), same.float())

    def chopra(d: Tensor, same: Tensor) -> Tensor:
        y = same.float()
        return (y * d**2 + (1 - y) * 4 * torch.exp(-2.77 / 2 * d)).mean()

    def zagoruyko(d: Tensor, same: Tensor) -> Tensor:
        return F.relu(0.25 - (2 * same.float() - 1) * (0.5 - d)).mean()

    def bromley(d: Tensor, same: Tensor) -> Tensor:
        return F.mse_loss(1 - d, 2 * same.float() - 1)

    for ours, plain in (
        (losses.Contrastive(0.5), hadsell),
        (losses.PairCrossEntropy(scale=5.0, threshold=1.0), koch),
        (losses.Energy(2.0), chopra),
        (losses.PairHinge(), zagoruyko),
        (losses.CosineTarget(), bromley),
    ):
        yield Race(type(ours).__name__, ours, Plain(plain), TORCH)


def triplet_races() -> Iterator[Race]:
    def hinge(d_ap: Tensor, d_an: Tensor) -> Tensor:
        return F.relu(d_ap - d_an + MARGIN).mean()

    def soft(d_ap: Tensor, d_an: Tensor) -> Tensor:
        return F.softplus(d_ap - d_an).mean()

    for ours, plain in ((losses.TripletHinge(MARGIN), hinge), (losses.TripletSoft(), soft)):
        yield Race(type(ours).__name__, ours, Plain(plain), TORCH)


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
    yield Race("HammingTriplet", losses.HammingTriplet(), Plain(plain_hamming), TORCH)
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


def batch(race: Race, seed: int) -> tuple[Tensor, Tensor]:
    """What the loss takes: embeddings that lean to their classes, and labels; or distances."""
    generator = torch.Generator().manual_seed(seed)
    size = CLASSES * PER_CLASS
    if isinstance(race.ours, losses.PairLoss | losses.TripletLoss):
        first, second = torch.rand(2, size, generator=generator)
        pair = isinstance(race.ours, losses.PairLoss)
        return first.requires_grad_(), second < 0.5 if pair else second.requires_grad_()
    labels = torch.arange(size) % CLASSES
    x = torch.randn(CLASSES, DIM, generator=generator)[labels]
    x = F.normalize(x + 2 * torch.randn(size, DIM, generator=generator), dim=1)
    return x.requires_grad_(), labels


def seconds(loss: Loss, given: tuple[Tensor, Tensor]) -> float:
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
