"""Sheets of made-up alphabets beside real Omniglot alphabets, in one PNG to look at.

Each sheet is one alphabet: a row is a symbol, a column a drawer. Drawn sheets stand on the left,
real ones (background alphabets, 28 x 28 by area averaging) on the right.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gemel import Items
from gemel.data import drawn, omniglot

SIZE = 28
Pictures = NDArray[np.uint8]


def sheet(items: Items, group: str, rows: int, columns: int, seed: int) -> Pictures:
    """[H, W] dark ink on white: some symbols of one alphabet, chosen by chance, by some drawers."""
    labels = np.array(items.classes)[np.array(items.class_groups) == group]
    chosen = np.random.default_rng(seed).permutation(len(labels))[:rows]
    page = np.full((rows * (SIZE + 1), columns * (SIZE + 1)), 160, dtype=np.uint8)
    for row, label in enumerate(labels[chosen]):
        for column, item in enumerate(np.flatnonzero(items.labels == label)[:columns]):
            y, x = row * (SIZE + 1), column * (SIZE + 1)
            page[y : y + SIZE, x : x + SIZE] = paper(items.values[item])
    return page


def paper(ink: Pictures) -> Pictures:
    """A drawing as dark ink on white, SIZE x SIZE: raw Omniglot is that, the drawn is inverted."""
    if ink.shape == (SIZE, SIZE):
        return 255 - ink
    return np.asarray(Image.fromarray(ink).resize((SIZE, SIZE), Image.Resampling.BOX))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder of Omniglot")
    parser.add_argument("--out", type=Path, default=Path("drawn_sheet.png"))
    parser.add_argument("--alphabets", type=int, default=4)
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--columns", type=int, default=12)
    parser.add_argument("--scale", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    real = omniglot(given.data, part="background")
    made = drawn(alphabets=given.alphabets, size=SIZE, seed=given.seed)
    names = np.random.default_rng(given.seed).permutation(sorted(set(real.class_groups)))
    lines = []
    for number in range(given.alphabets):
        left = sheet(made, f"alphabet{number:03d}", given.rows, given.columns, given.seed)
        right = sheet(real, names[number], given.rows, given.columns, given.seed)
        gap = np.full((len(left), SIZE), 255, dtype=np.uint8)
        lines += [np.hstack([left, gap, right]), np.full((SIZE // 2, 0), 255, dtype=np.uint8)]
    width = max(line.shape[1] for line in lines)
    padded = [
        np.pad(line, ((0, 0), (0, width - line.shape[1])), constant_values=255) for line in lines
    ]
    picture = Image.fromarray(np.vstack(padded[:-1]))
    picture = picture.resize((picture.width * given.scale, picture.height * given.scale), 0)
    picture.save(given.out)
    print(
        f"{given.out}: {given.alphabets} drawn alphabets (seed {given.seed}) on the left; "
        f"on the right {', '.join(names[: given.alphabets])}"
    )


if __name__ == "__main__":
    main()
