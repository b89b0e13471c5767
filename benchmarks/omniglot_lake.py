"""One-shot recognition of symbols and digits that were never trained on.

Two trainings, each with several seeds:
  background   on the 30 background alphabets of Omniglot, at most 15 minutes a seed
  drawn        on symbols drawn by code only, at most 5 minutes a seed

Each is measured on Lake's 400 published 20-way trials, on 10,000 random within-alphabet trials of
the 20 evaluation alphabets, and on scikit-learn's digits (10-way). No drawing of the evaluation
alphabets is trained on or chooses anything. With --validate six background alphabets are held out
and measured instead: that is how the settings were chosen.

    python benchmarks/omniglot_lake.py background --data FOLDER_OF_OMNIGLOT
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

import gemel
from gemel import Items, data, encoders, inputs, losses, measure, metrics, sampling
from gemel.evaluation import Figure
from gemel.items import join

HELD_OUT = 6
TRIALS = 10_000


@dataclass(frozen=True)
class Words:
    """The settings of a run."""

    kind: str
    data: Path
    seeds: int
    minutes: float
    validate: bool
    drawn: int
    views: int
    rate: float
    temperature: float
    width: tuple[int, ...]
    blur: float
    out: Path | None


def parse() -> Words:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=["background", "drawn"])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--minutes", type=float, help="default: 14.5, and 4.8 for drawn")
    parser.add_argument("--validate", action="store_true")
    parser.add_argument("--drawn", type=int, default=40, help="alphabets drawn by code")
    parser.add_argument("--views", type=int, default=10)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--temperature", type=float, default=0.1)
    parser.add_argument("--width", type=int, nargs="+", default=[64, 64, 64, 64])
    parser.add_argument("--blur", type=float, help="default: 0, and 0.06 for drawn")
    parser.add_argument("--out", type=Path, help="a folder for the trained models")
    given = vars(parser.parse_args())
    minutes = {"background": 14.5, "drawn": 4.8}[given["kind"]]
    blur = {"background": 0.0, "drawn": 0.06}[given["kind"]]
    given["minutes"] = given["minutes"] or minutes
    given["blur"] = blur if given["blur"] is None else given["blur"]
    given["width"] = tuple(given["width"])
    return Words(**given)


def training_items(words: Words, background: Items) -> Items:
    """What is trained on: every quarter turn of a symbol is a class of its own."""
    drawn = data.drawn(alphabets=words.drawn, seed=1000, size=42) if words.drawn else None
    if words.kind == "drawn":
        return data.quarter_turns(drawn)
    parts = [data.quarter_turns(background)]
    if drawn is not None:
        parts.append(data.quarter_turns(drawn))
    return join(parts, "background and drawn")


def held_out(background: Items) -> tuple[Items, Items]:
    """The background alphabets less six, and those six, chosen by a fixed seed."""
    names = np.unique(background.groups)
    chosen = np.random.default_rng(0).choice(names, HELD_OUT, replace=False)
    held = np.isin(background.groups, chosen)
    return background.take(~held, "background/rest"), background.take(held, "background/held-out")


def train(words: Words, items: Items, seed: int) -> tuple[gemel.Siamese, gemel.training.Fit]:
    """One model."""
    model = gemel.Siamese(
        inputs.Images(28, channels=1, light_on_dark=True, trim=True),
        encoders.Conv(width=words.width, dim=128),
        metrics.Cosine(),
        seed=seed,
        views=words.views,
    )
    warps = inputs.Warp()
    augment = inputs.Chain([warps, inputs.Blur(most=words.blur)]) if words.blur else warps
    done = gemel.fit(
        model,
        items,
        loss=losses.SupervisedContrastive(temperature=words.temperature),
        sampler=lambda train: sampling.ClassesByItems(
            train, classes=64, per_class=4, groups=4, seed=seed
        ),
        augment=augment,
        rate=words.rate,
        validation=None,
        minutes=words.minutes,
        seed=seed,
    )
    return model, done


def figures(words: Words, model: gemel.Siamese, held: Items) -> dict[str, Figure]:
    """What the model is measured by."""
    if words.validate:
        return {
            "held out": measure.one_shot(model, held, trials=TRIALS, within_groups=True, seed=1),
            "digits": measure.one_shot(model, data.digits(), trials=2000, seed=1),
        }
    evaluation = data.omniglot(words.data, part="evaluation")
    return {
        "Lake": measure.lake(model, data.lake_runs(words.data)),
        "random": measure.one_shot(model, evaluation, trials=TRIALS, within_groups=True, seed=1),
        "digits": measure.one_shot(model, data.digits(), trials=2000, seed=1),
    }


def main() -> None:
    words = parse()
    print(f"{words}\ntorch {torch.__version__}, {torch.get_num_threads()} threads")
    background = data.omniglot(words.data, part="background")
    rest, held = held_out(background)
    items = training_items(words, rest if words.validate else background)
    print(repr(items), flush=True)
    pixels = gemel.Siamese(
        inputs.Images(28, channels=1, light_on_dark=True), nn.Flatten(), metrics.Cosine()
    )
    for name, figure in figures(words, pixels, held).items():
        print(f"nearest pixels: {name}: {figure}", flush=True)
    found: dict[str, list[float]] = {}
    for seed in range(words.seeds):
        begun = time.monotonic()
        model, done = train(words, items, seed)
        print(
            f"seed {seed}: {done.steps} steps in {done.seconds / 60:.1f} minutes, "
            f"{(time.monotonic() - begun) / 60:.1f} with reading; "
            f"loss {done.history[-1]['loss']:.3f}"
        )
        for name, figure in figures(words, model, held).items():
            print(f"seed {seed}: {name}: {figure}", flush=True)
            found.setdefault(name, []).append(figure.value)
        if words.out is not None:
            words.out.mkdir(parents=True, exist_ok=True)
            model.save(words.out / f"{words.kind}-{seed}.gemel")
    for name, values in found.items():
        error = 100 * (1 - np.array(values))
        spread = f", sd {error.std(ddof=1):.2f}" if len(values) > 1 else ""
        print(
            f"{words.kind}: {name}: mean error of {len(values)} seeds {error.mean():.2f} %{spread}"
        )
    print("published error on Lake's trials: humans 4.5, BPL 3.3 (Lake 2015), Koch 2015 8.0 %")


if __name__ == "__main__":
    main()
