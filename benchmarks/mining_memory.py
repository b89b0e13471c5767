"""Peak memory and time of mined triplet losses: gemel beside pytorch-metric-learning.

Claim: forward and backward of the triplet loss on 4,096 x 128 embeddings take at most 1/4 of the
memory that pytorch-metric-learning takes at the same settings, and less time.

    python benchmarks/mining_memory.py [--repeats 3] [--threads 1] [--seed 0]

Every figure comes from a process of its own. Memory is that process's greatest resident size,
less that of one that does the same up to the loss: imports, a warm-up on 32 embeddings, and the
embeddings. Both libraries use the plain Euclidean distance, margin 0.2 and the mean over active
triplets, and their losses must agree. On pytorch-metric-learning's side "hard" is BatchHardMiner,
"semi-hard" is TripletMarginMiner, and "all" is TripletMarginLoss by itself, which is quicker and
leaner than with a miner. It lists the triplets, so with 32 embeddings of a class it is given
1,024 of them: 4,096 would be 504 million triplets and over 24 GB.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Any

DIM = 128
MARGIN = 0.2
# classes, embeddings of each, kinds of mining, and whether the other library can do it as well
CASES = (
    (1024, 4, ("hard", "semi-hard", "all"), True),
    (128, 32, ("hard",), True),
    (128, 32, ("semi-hard", "all"), False),
    (32, 32, ("semi-hard", "all"), True),
)


@dataclass(frozen=True)
class Trial:
    """What one process does."""

    library: str
    kind: str
    classes: int
    per_class: int
    seed: int
    threads: int
    loss: bool = True  # False: everything but the loss


def gemel_loss(kind: str) -> Callable[[Any, Any], Any]:
    from gemel import mining
    from gemel.losses import Triplet
    from gemel.metrics import Euclidean

    chosen = {"hard": mining.hard, "semi-hard": mining.semi_hard, "all": mining.all_triplets}[kind]
    return Triplet(Euclidean(), margin=MARGIN, mining=chosen)


def other_loss(kind: str) -> Callable[[Any, Any], Any]:
    from pytorch_metric_learning import distances, losses, miners

    distance = distances.LpDistance(normalize_embeddings=False)
    loss: Callable[..., Any] = losses.TripletMarginLoss(margin=MARGIN, distance=distance)
    if kind == "all":
        return loss
    miner = (
        miners.BatchHardMiner(distance=distance)
        if kind == "hard"
        else miners.TripletMarginMiner(MARGIN, "semihard", distance=distance)
    )
    return lambda embeddings, labels: loss(embeddings, labels, miner(embeddings, labels))


def child(trial: Trial) -> dict[str, float]:
    """Run one trial in this process: peak memory in MB, seconds, and the loss."""
    import torch

    torch.set_num_threads(trial.threads)
    loss = (gemel_loss if trial.library == "gemel" else other_loss)(trial.kind)
    generator = torch.Generator().manual_seed(trial.seed)

    def batch(classes: int, per_class: int) -> tuple[Any, Any]:
        rows = torch.randn(classes * per_class, DIM, generator=generator)
        unit = torch.nn.functional.normalize(rows, dim=1)
        return unit.requires_grad_(), torch.arange(len(unit)) % classes

    loss(*batch(8, 4)).backward()
    embeddings, labels = batch(trial.classes, trial.per_class)
    embeddings.grad = torch.zeros_like(embeddings)
    value, start = 0.0, time.perf_counter()
    if trial.loss:
        result = loss(embeddings, labels)
        result.backward()
        value = result.item()
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 1024**2 if sys.platform == "darwin" else 1024
    return {"megabytes": peak / unit, "seconds": seconds, "loss": value}


def run(trial: Trial) -> dict[str, float]:
    """The figures of `trial`, less what a process takes without the loss."""

    def figures(one: Trial) -> dict[str, float]:
        command = [sys.executable, __file__, "--child", json.dumps(asdict(one))]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        result: dict[str, float] = json.loads(output.splitlines()[-1])
        return result

    whole, rest = figures(trial), figures(replace(trial, loss=False))
    return whole | {"megabytes": whole["megabytes"] - rest["megabytes"]}


def spread(values: list[float], digits: int) -> str:
    """Least, median and greatest."""
    return " - ".join(f"{x:,.{digits}f}" for x in (min(values), median(values), max(values)))


def compare(first: Trial, other: Trial | None, repeats: int) -> bool:
    """Print one line of the table; whether the claim holds on it."""
    ours, theirs = [], []
    for repeat in range(repeats):  # turn by turn, so that a busy minute meets both
        ours.append(run(replace(first, seed=first.seed + repeat)))
        if other is not None:
            theirs.append(run(replace(other, seed=other.seed + repeat)))
            if abs(ours[-1]["loss"] - theirs[-1]["loss"]) > 1e-5:
                raise SystemExit(f"the losses differ: {ours[-1]} and {theirs[-1]}")
    size = f"{first.classes:5,} x {first.per_class:2}  {first.kind:9}"
    for name, results in (("gemel", ours), ("p-m-l", theirs)):
        if results:
            space = spread([r["megabytes"] for r in results], 0)
            taken = spread([r["seconds"] for r in results], 2)
            print(f"{size}  {name}  {space:>24} MB  {taken:>22} s", flush=True)
    if not theirs:
        return True
    memory, seconds = (
        [a[key] / b[key] for a, b in zip(ours, theirs, strict=True)]
        for key in ("megabytes", "seconds")
    )
    print(f"{size}  ratio  {spread(memory, 3):>24}     {spread(seconds, 2):>22}", flush=True)
    return max(memory) <= 0.25 and max(seconds) < 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(child(Trial(**json.loads(options.child)))))
        return
    last = options.seed + options.repeats - 1
    print(
        f"embeddings of {DIM} numbers, seeds {options.seed} to {last}, {options.repeats} repeats, "
        f"{options.threads} thread(s)\nclasses x each; "
        "least - median - greatest of: peak memory above the embeddings, forward + backward"
    )
    kept = True
    for classes, per_class, kinds, listed in CASES:
        for kind in kinds:
            first = Trial("gemel", kind, classes, per_class, options.seed, options.threads)
            other = replace(first, library="pytorch-metric-learning") if listed else None
            kept &= compare(first, other, options.repeats)
    print("at most 1/4 of the memory, and faster:", "yes, in every repeat" if kept else "NO")
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
