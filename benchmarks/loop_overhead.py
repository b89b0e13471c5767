"""The rate of `gemel.fit` over that of a bare torch loop with the same network and batches.

Both see the same items, batches, loss and optimiser, on the same threads, in turns; the ratio is
taken turn by turn.
"""

import argparse
import statistics
import time

import numpy as np
import torch

import gemel
from gemel import data, encoders, inputs, losses, metrics, sampling
from gemel.inputs import read_items


def new_model() -> gemel.Siamese:
    return gemel.Siamese(inputs.Images(28, channels=1), encoders.Conv(), metrics.Cosine())


def bare(items: gemel.Items, steps: int) -> float:
    """Seconds of a plain loop."""
    model = new_model()
    net, loss = model.encoder, losses.SupervisedContrastive()
    stored = read_items(model.input, items)[1]
    pixels = stored.batch(np.arange(len(items)))
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=1e-2)
    batches = sampling.ClassesByItems(items, classes=64, per_class=4, groups=4, seed=0)
    net.train()
    begun = time.perf_counter()
    for step in range(steps):
        batch = batches.batch(step)
        x = pixels[torch.from_numpy(batch.items)].float() / 255
        value = loss(net(x), torch.from_numpy(batch.labels))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    return time.perf_counter() - begun


def with_fit(items: gemel.Items, steps: int) -> float:
    """Seconds of the same in `fit`, reading of the items apart."""
    return gemel.fit(new_model(), items, steps=steps, validation=None, seed=0).seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--turns", type=int, default=5)
    words = parser.parse_args()
    items = data.drawn(alphabets=20, seed=0)
    bare(items, 5), with_fit(items, 5)  # warm up
    ratios = []
    for turn in range(words.turns):
        plain, ours = bare(items, words.steps), with_fit(items, words.steps)
        ratios.append(plain / ours)
        print(f"turn {turn}: bare {plain:.2f} s, fit {ours:.2f} s, ratio {ratios[-1]:.3f}")
    print(
        f"rate of fit / bare loop: median {statistics.median(ratios):.3f} "
        f"(min {min(ratios):.3f}, max {max(ratios):.3f}; {words.turns} turns of {words.steps} "
        f"steps of 256 items, seed 0, {torch.get_num_threads()} threads)"
    )


if __name__ == "__main__":
    main()
