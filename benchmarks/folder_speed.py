"""Training from a folder of small JPEGs, after its first pass, over training from an array.

Draws a temporary folder of JPEGs and trains on it with `gemel.fit`, its items kept in memory and in
a mapped file, and on the same pixels given as an array, in turns, so that the noise of the machine
meets all alike; the ratios are taken turn by turn. Reading the items, the first pass, is timed
apart.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from PIL import Image

import gemel
from gemel import Items, encoders, inputs, metrics
from gemel.data import folder
from gemel.inputs import prepared


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


def seconds(items: Items, size: int, steps: int) -> float:
    """How long `steps` steps of `gemel.fit` take, the first pass over the items apart."""
    model = gemel.Siamese(inputs.Images(size, channels=3), encoders.Conv(), metrics.Cosine())
    return gemel.fit(model, items, steps=steps, validation=None, seed=0).seconds


def seconds_mapped(items: Items, size: int, steps: int) -> float:
    """The same where no memory is left for the items, so that they wait in a mapped file."""
    with mock.patch.object(prepared, "SHARE", 0.0):
        return seconds(items, size, steps)


def compare(sources: dict[str, Callable[[], float]], *, steps: int, turns: int) -> None:
    """Print the rate of each source over that of the first."""
    names = list(sources)
    taken: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(turns):
        for place in range(len(names)):
            name = names[(turn + place) % len(names)]
            taken[name].append(sources[name]())
    plain = taken[names[0]]
    for name in names:
        ratios = [a / b for a, b in zip(plain, taken[name], strict=True)]
        print(
            f"{name}: {steps / statistics.median(taken[name]):.2f} steps/s, ratio "
            f"{statistics.median(ratios):.3f} (min {min(ratios):.3f}, max {max(ratios):.3f})"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--classes", type=int, default=200)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--size", type=int, default=28, help="pixels a side of the network's input")
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--turns", type=int, default=5)
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        begun = time.perf_counter()
        draw_folder(Path(root), count=words.count, classes=words.classes, side=words.side, seed=0)
        print(f"{words.count} JPEGs drawn in {time.perf_counter() - begun:.1f} s")
        items = folder(root)
        begun = time.perf_counter()
        given = inputs.Images(words.size, channels=3)
        stored = inputs.prepare(given, items.values, items.origins)
        print(f"first pass: {time.perf_counter() - begun:.1f} s; {stored}")
        pixels = stored.batch(np.arange(len(items))).permute(0, 2, 3, 1).numpy()
        array = Items(pixels, items.labels)
        sources = {
            "array in memory": partial(seconds, array, words.size, words.steps),
            "folder, read to memory": partial(seconds, items, words.size, words.steps),
            "folder, read to a mapped file": partial(
                seconds_mapped, items, words.size, words.steps
            ),
        }
        compare(sources, steps=words.steps, turns=words.turns)
    print(
        f"median of {words.turns} turns of {words.steps} steps of 256 items, "
        f"{words.size} x {words.size} pixels, seed 0, {torch.get_num_threads()} threads"
    )


if __name__ == "__main__":
    main()
