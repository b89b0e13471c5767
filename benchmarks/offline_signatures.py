"""Offline signatures against skilled forgeries: SigComp2011's Dutch scans, unseen signers.

    python benchmarks/offline_signatures.py --data FOLDER_OF_DATA_SETS --out FOLDER
    python benchmarks/offline_signatures.py ... --validate         # how settings were chosen

Trains on the 10 signers of the competition's training part and on the online signatures of SVC2004,
drawn as pictures; reports on the 54 other signers. What is asked about is compared with a signer's
genuine references: by how much its mean distance from them is beyond the mean among them. A
signer's own forgeries are never among the references.

Two protocols: 5 references drawn at random, ten times, and all but the one that is asked about (11
of 12; the competition had 12 others). Settings were chosen on the 10 training signers, three folds
of them held out by turns.

The ink is made one tone before anything is compared: in the scans the forgeries' ink is darker than
the genuine signatures', whoever signs, so the tones tell them apart without any look at the
handwriting. One row has that, as a warning.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from gemel import Siamese, data, encoders, fit, inputs, losses, metrics, sampling
from gemel.data.pens import Recording
from gemel.evaluation import Figure, equal_error_rate, figure
from gemel.evaluation.intervals import percentile_interval, resamples
from gemel.items import Items

HEIGHT, WIDTH = 160, 384  # pixels of 160 dpi; the ink's middle is in the middle
FAINT, INK = 16, 60  # of 255: less is paper; more is ink for certain
DRAWS, STEPS, SEEDS, FOLDS = 10, 300, 3, 3
Matrix = NDArray[np.floating[Any]]


def placed(scan: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A scan at its own size, its ink bright, in the middle of a picture of one size."""
    ink = 255 - scan.astype(np.int16)
    ink[ink < FAINT] = 0
    rows, columns = np.nonzero(ink > INK)
    weights = ink[rows, columns]
    top = round(HEIGHT / 2 - float(np.average(rows, weights=weights)))
    left = round(WIDTH / 2 - float(np.average(columns, weights=weights)))
    picture = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    height, width = ink.shape
    above, before = max(0, -top), max(0, -left)
    below, after = min(height, HEIGHT - top), min(width, WIDTH - left)
    picture[top + above : top + below, left + before : left + after] = ink[
        above:below, before:after
    ]
    return picture


def one_tone(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pictures [N, H, W] whose ink is all 255: what is half as dark as the middle of its ink."""
    middle = [np.median(one[one > INK]) for one in pictures]
    return np.where(pictures > np.reshape(middle, (-1, 1, 1)) / 2, 255, 0).astype(np.uint8)


def signatures(folder: Path, part: str) -> Items:
    """The scans of a part, placed; greys as they were."""
    items = data.sigcomp2011(folder, part=part)
    return replace(items, values=np.stack([placed(scan) for scan in items.values]), origins=None)


def in_one_tone(items: Items) -> Items:
    """The same without greys."""
    return replace(items, values=one_tone(np.asarray(items.values)))


def online_signatures(folder: Path, seed: int) -> Items:
    """SVC2004's signatures, 40 signers, 20 genuine and 20 forged each, drawn as pictures."""
    generator = np.random.default_rng(seed)
    signed = data.svc2004(folder)
    groups = np.asarray(signed.groups)
    pictures, labels, names = [], [], []
    for signer, group in enumerate(np.unique(groups), start=1):
        rows = [signed.values[item] for item in np.flatnonzero(groups == group)]
        span = np.median([extent(one) for one in rows[:20]], axis=0)
        scale = min(generator.uniform(180, 300) / span[0], 110 / span[1])
        thick, dark = generator.uniform(2.5, 5.0), generator.uniform(0.6, 1.0)
        for number, one in enumerate(rows):
            pictures.append(placed(drawn(one, scale, thick, dark)))
            labels.append(f"svc {signer}{' forged' * (number >= 20)}")
            names.append(f"svc {signer}")
    return Items(np.stack(pictures), np.array(labels), groups=np.array(names), name="svc2004")


def extent(one: Recording) -> tuple[float, float]:
    """How wide and how high is what was written with the pen down."""
    return float(np.ptp(one.x[one.down])), float(np.ptp(one.y[one.down]))


def drawn(one: Recording, scale: float, thick: float, dark: float) -> NDArray[np.uint8]:
    """An online signature as black lines on white, thicker where the pen presses."""
    x, y = (one.x - one.x.min()) * scale, (one.y - one.y.min()) * scale
    force = np.zeros(len(one)) if one.pressure is None else one.pressure
    picture = Image.new("L", (int(x.max()) + 20, int(y.max()) + 20), 255)
    pen = ImageDraw.Draw(picture)
    for at in np.flatnonzero(one.down[1:] & one.down[:-1]) + 1:
        press = force[at] / 600
        pen.line(
            [x[at - 1] + 10, y[at - 1] + 10, x[at] + 10, y[at] + 10],
            fill=int(255 - 255 * dark * min(1.0, 0.5 + 0.5 * press)),
            width=max(1, round(thick * min(1.3, 0.4 + 0.6 * press))),
        )
    return np.asarray(picture)


def together(*parts: Items) -> Items:
    """All their items."""
    return Items(
        np.concatenate([one.values for one in parts]),
        np.concatenate([one.labels for one in parts]),
        groups=np.concatenate([one.groups for one in parts if one.groups is not None]),
        name=" and ".join(one.name for one in parts),
    )


def train(items: Items, out: Path | None, steps: int, seed: int) -> Siamese:
    """A twin whose batches have the genuine and the forged signatures of five signers."""
    model = Siamese(
        inputs.Images((48, 116)),
        encoders.Conv((16, 32, 48, 64), 64, unit_length=True),
        metrics.Cosine(),
        seed=seed,
    )
    fit(
        model,
        items,
        loss=losses.SupervisedContrastive(),
        sampler=partial(sampling.ClassesByItems, classes=10, per_class=8, groups=5, seed=seed),
        augment=inputs.Warp(rotation=4, scale=0.06, shear=0.06, shift=0.04, elastic=0.012),
        validation=None,
        steps=steps,
        seed=seed,
        out=out,
    )
    return model


def euclidean(rows: Matrix) -> Matrix:
    """All distances among `rows` [N, D]."""
    squares = np.einsum("nd,nd->n", rows, rows)
    return np.sqrt(np.maximum(squares[:, None] + squares - 2 * rows @ rows.T, 0))


def by_pixels(items: Items) -> Matrix:
    """No training: the correlation of the blurred pictures, as a distance."""
    rows = np.stack([gaussian_filter(one.astype(np.float64), 8)[::4, ::4] for one in items.values])
    rows = rows.reshape(len(rows), -1)
    return euclidean(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def by_tones(items: Items) -> Matrix:
    """No training, no shape: how the greys of the ink are spread (Hellinger's distance)."""
    counts = np.stack(
        [np.histogram(one[one >= INK], bins=16, range=(INK, 256))[0] for one in items.values]
    )
    return euclidean(np.sqrt(counts / counts.sum(axis=1, keepdims=True)))


def by_network(model: Siamese, items: Items) -> Matrix:
    """The distance of the embeddings, which have length 1."""
    return euclidean(model.embed(items).numpy().astype(np.float64))


def unlike(far: Matrix, among: Matrix) -> float:
    """How much farther the references [R] are than they are from each other [R, R], on average."""
    others = ~np.eye(len(among), dtype=bool)
    return float(far.mean() - among[others].mean())


@dataclass(frozen=True)
class Claims:
    """Signatures that were said to be a signer's.

    Attributes:
        signer: [C] the number of the signer.
        genuine: [C] whether it is so.
        distance: [C] how unlike the references it is.
    """

    signer: NDArray[np.int64]
    genuine: NDArray[np.bool_]
    distance: Matrix

    def mean_rate(self, times: NDArray[np.int64]) -> float:
        """The mean over signers of each one's equal error rate; each counts so many times."""
        return float(np.average(self._rates, weights=times))

    def rate(self, times: NDArray[np.int64]) -> float:
        """The equal error rate of one threshold for all."""
        chosen = np.repeat(np.arange(len(self.signer)), times[self.signer])
        return equal_error_rate(self.distance[chosen], self.genuine[chosen])

    @cached_property
    def _rates(self) -> list[float]:
        parts = [self.signer == one for one in range(int(self.signer.max()) + 1)]
        return [equal_error_rate(self.distance[one], self.genuine[one]) for one in parts]


def five(genuine: NDArray[np.int64], generator: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Five references, drawn ten times."""
    for _ in range(DRAWS):
        yield generator.permutation(genuine)[:5]


def all_but_one(
    genuine: NDArray[np.int64],
    generator: np.random.Generator,  # noqa: ARG001
) -> Iterator[NDArray[np.int64]]:
    """All references but each one by turns."""
    for one in genuine:
        yield genuine[genuine != one]


def claims(
    items: Items,
    distance: Matrix,
    references: Callable[..., Iterator[NDArray[np.int64]]],
    seed: int,
) -> Claims:
    """Every other genuine signature and every forgery of each signer, against its references."""
    generator = np.random.default_rng(seed)
    genuine, rows = items.details["genuine"], []
    for number, signer in enumerate(np.unique(items.groups)):
        own = np.flatnonzero((items.groups == signer) & genuine)
        forged = np.flatnonzero((items.groups == signer) & ~genuine)
        for known in references(own, generator):
            among = distance[np.ix_(known, known)]
            for one in [*np.setdiff1d(own, known), *forged]:
                rows.append((number, genuine[one], unlike(distance[one, known], among)))
    signers, right, far = zip(*rows, strict=True)
    return Claims(np.array(signers), np.array(right), np.array(far))


def judged(found: Sequence[Claims], name: str, split: str, seed: int) -> tuple[Figure, Figure]:
    """The equal error rate of one threshold, and the mean of the signers' own.

    Each is the mean over `found`, the claims of as many networks.
    """
    signers = int(found[0].signer.max()) + 1
    once = np.ones(signers, dtype=np.int64)
    times = np.concatenate(
        list(resamples(signers, draws=1000, generator=np.random.default_rng(seed)))
    )

    def figure_of(words: str, rate: Callable[[Claims, NDArray[np.int64]], float]) -> Figure:
        drawn = np.array([np.mean([rate(one, each) for one in found]) for each in times])
        value = float(np.mean([rate(one, once) for one in found]))
        interval = percentile_interval(drawn, value, clusters=signers, cluster_unit="signers")
        return figure(
            f"{name}: EER, {words}",
            value,
            interval,
            count=len(found[0].signer),
            unit="claims",
            split=split,
            seed=seed,
        )

    return (
        figure_of("one threshold", Claims.rate),
        figure_of("a threshold each", Claims.mean_rate),
    )


def compared(models: Sequence[Siamese], known: Items, items: Items) -> dict[str, list[Matrix]]:
    """All distances among `items`, by each way of comparing; with networks, one of each.

    In a sum each distance counts in units of its mean over the `known` signatures.
    """
    plain = in_one_tone(items), in_one_tone(known)

    def in_units(way: Callable[[Items], Matrix]) -> Matrix:
        found, unit = map(way, plain)
        return found / float(unit.mean())

    pixels = in_units(by_pixels)
    networks = [in_units(partial(by_network, model)) for model in models]
    return {
        "the network": networks,
        "the network and blurred pixels": [one + pixels for one in networks],
        "blurred pixels, no training": [pixels],
        "the greys of the ink alone, which are no handwriting": [by_tones(items)],
    }


def report(known: Items, online: Items, items: Items, words: argparse.Namespace) -> None:
    """Train on `known` and `online`, and print what is found of `items`."""
    begun = time.monotonic()
    seeds = range(words.seed, words.seed + words.seeds)
    models = [
        train(
            together(in_one_tone(known), in_one_tone(online)),
            words.out / f"signatures-{seed}.gemel",
            words.steps,
            seed,
        )
        for seed in seeds
    ]
    genuine = items.details["genuine"]
    print(
        f"{items.name}: {len(np.unique(items.groups))} signers, {int(genuine.sum())} genuine and "
        f"{int((~genuine).sum())} forged signatures; networks of seeds {list(seeds)}, "
        f"{words.steps} steps each, {(time.monotonic() - begun) / 60:.1f} minutes in all\n\n"
        "| EER by | 5 references, one threshold | a threshold a signer | all but one, one "
        "threshold | a threshold a signer |\n|---|---|---|---|---|"
    )
    for name, distances in compared(models, known, items).items():
        cells = [
            one.short
            for references in (five, all_but_one)
            for one in judged(
                [claims(items, distance, references, words.seed) for distance in distances],
                name,
                items.name,
                words.seed,
            )
        ]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="a folder for the models")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many")
    parser.add_argument(
        "--validate", action="store_true", help="three folds of the training signers, no test"
    )
    words = parser.parse_args()
    words.out.mkdir(parents=True, exist_ok=True)
    folder = words.data / "sigcomp2011_dutch"
    ours = signatures(folder, "train")
    online = online_signatures(words.data / "svc2004", 0)
    if not words.validate:
        report(ours, online, signatures(folder, "test"), words)
        return
    for fold in range(FOLDS):
        held = np.isin(ours.groups, np.unique(ours.groups)[fold::FOLDS])
        report(ours.take(~held), online, ours.take(held, f"fold {fold}"), words)


if __name__ == "__main__":
    main()
