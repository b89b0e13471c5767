"""Pictures of noise that stand for people."""

import numpy as np

from gemel.items import Items


def people(count: int, pictures: int = 10, first: int = 1) -> Items:
    labels = np.repeat([f"s{n}" for n in range(first, first + count)], pictures)
    values = np.random.default_rng(0).integers(0, 256, (len(labels), 8, 6), dtype=np.uint8)
    return Items(values=values, labels=labels, name="faces")
