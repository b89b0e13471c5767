"""Training from a folder of small JPEGs, after its first pass, over training from an array.

Draws a temporary folder of JPEGs, reads it once (in memory, and to a mapped file), and then takes
training steps from each of them and from a plain tensor in memory, in turns, so that the noise of
the machine meets all alike; the ratios are taken turn by turn.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gemel import Items, encoders, inputs, losses, sampling
from gemel.data import folder
from gemel.items import Indices

Source = Callable[[Indices], Tensor]


def draw_folder(root: Path, *, count: int, classes: int, side: int, seed: int) -> None:
    """Fill `root` with one folder a class: coloured blobs at the class's places, and noise."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side] / side
    for class_id in range(classes):
        home = root / f"class{class_id:03d}"
        home.mkdir()
        places, colours = generator.random((3, 2)), generator.random((3, 3))
        for item in range(count // classes):
            picture = 0.2 * generator.random((side, side, 3))
            for place, colour in zip(places, colours, strict=True):
                row, column = place + generator.normal(0, 0.05, 2)
                distance = (rows - row) ** 2 + (columns - column) ** 2
                picture += np.exp(-distance / 0.02)[:, :, None] * colour
            pixels = (255 * picture.clip(0, 1)).astype(np.uint8)
            Image.fromarray(pixels).save(home / f"{item:03d}.jpg", quality=90)


class Trainer:
    """One network that takes its batches from a source of stored pixels."""

    def __init__(self, items: Items, given: inputs.Images) -> None:
        self.input = given
        self.net = encoders.Conv()
        torch.manual_seed(0)
        self.net.build(given.shape)
        self.loss = losses.SupervisedContrastive()
        self.optimizer = torch.optim.AdamW(self.net.parameters(), lr=2e-3)
        self.batches = sampling.ClassesByItems(items, classes=64, per_class=4, seed=0)

    def seconds(self, source: Source, steps: int) -> float:
        """How long the first `steps` steps of an epoch take."""
        self.batches.batch(0)  # the epoch's plan is no part of the reading
        begun = time.perf_counter()
        for step in range(steps):
            batch = self.batches.batch(step)
            pixels = self.input.tensor(source(batch.items))
            value = self.loss(self.net(pixels), torch.from_numpy(batch.labels))
            self.optimizer.zero_grad()
            value.backward()
            self.optimizer.step()
        return time.perf_counter() - begun

    def fetching(self, source: Source, batches: int = 100) -> float:
        """The median seconds that the source takes for one batch."""
        taken = []
        for step in range(batches):
            rows = self.batches.batch(step).items
            begun = time.perf_counter()
            source(rows)
            taken.append(time.perf_counter() - begun)
        return statistics.median(taken)


def compare(trainer: Trainer, sources: dict[str, Source], *, steps: int, turns: int) -> None:
    """Print the rate of each source over that of the first."""
    names = list(sources)
    for name in names:
        trainer.seconds(sources[name], 2)  # warm up
    taken: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(turns):
        for place in range(len(names)):
            name = names[(turn + place) % len(names)]
            taken[name].append(trainer.seconds(sources[name], steps))
    plain = taken[names[0]]
    for name in names:
        ratios = [a / b for a, b in zip(plain, taken[name], strict=True)]
        fetching = trainer.fetching(sources[name])
        print(
            f"{name}: {steps / statistics.median(taken[name]):.2f} steps/s, ratio "
            f"{statistics.median(ratios):.3f} (min {min(ratios):.3f}, max {max(ratios):.3f}); "
            f"a batch is fetched in {1e3 * fetching:.2f} ms"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--classes", type=int, default=200)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--size", type=int, default=28, help="pixels a side of the network's input")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--turns", type=int, default=9)
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        begun = time.perf_counter()
        draw_folder(Path(root), count=words.count, classes=words.classes, side=words.side, seed=0)
        print(f"{words.count} JPEGs drawn in {time.perf_counter() - begun:.1f} s")
        items = folder(root)
        given = inputs.Images(words.size, channels=3)
        begun = time.perf_counter()
        kept = inputs.prepare(given, items.values, items.origins)
        print(f"first pass: {time.perf_counter() - begun:.1f} s; {kept}")
        mapped = inputs.prepare(given, items.values, items.origins, memory=0)
        print(f"first pass to a file: {mapped}")
        pixels = kept.batch(np.arange(len(kept)))
        sources: dict[str, Source] = {
            "tensor in memory": lambda rows: pixels[torch.from_numpy(rows)],
            "folder, read to memory": kept.batch,
            "folder, read to a mapped file": mapped.batch,
        }
        compare(Trainer(items, given), sources, steps=words.steps, turns=words.turns)
    print(
        f"median of {words.turns} turns of {words.steps} steps of 256 items, "
        f"{words.size} x {words.size} pixels, seed 0, {torch.get_num_threads()} threads"
    )


if __name__ == "__main__":
    main()
