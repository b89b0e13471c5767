"""How fast binary codes are searched, and how much room they take, beside bare faiss.

    python benchmarks/code_speed.py                          # 1,000,000 codes of 64 bits

The network passes its numbers on, so all the time is the gallery's own. faiss's IndexBinaryFlat has
the same codes in memory, and is asked for as many neighbours, by turns. Codes are drawn at random,
with references around common centres, so that near ones are near.
"""

import argparse
import tempfile
import time
import tracemalloc
from pathlib import Path

import faiss
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gemel import Gallery, Siamese, data, inputs, metrics
from gemel.gallery.index import CodeIndex

Rows = NDArray[np.float32]


def draw(count: int, bits: int, queries: int, seed: int) -> tuple[Rows, Rows]:
    """References around one centre for each ten of them, and queries near references."""
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(-(-count // 10), bits)).astype(np.float32)
    rows = np.repeat(centres, 10, axis=0)[:count]
    rows = rows + 0.5 * generator.normal(size=rows.shape).astype(np.float32)
    asked = rows[generator.integers(0, count, queries)]
    return rows, asked + 0.3 * generator.normal(size=asked.shape).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--references", type=int, default=1_000_000)
    parser.add_argument("--bits", type=int, default=64)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--top", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    words = parser.parse_args()
    torch.set_num_threads(words.threads)
    faiss.omp_set_num_threads(words.threads)
    rows, asked = draw(words.references, words.bits, words.queries, words.seed)
    packed = np.packbits(rows > 0, axis=1)

    bare = faiss.IndexBinaryFlat(8 * packed.shape[1])
    bare.add(packed)
    tracemalloc.start()
    index = CodeIndex(words.bits)
    index.add(packed)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    with tempfile.TemporaryDirectory() as folder:
        model = Siamese(inputs.Numbers(words.bits), nn.Identity(), metrics.Hamming())
        path = Path(folder) / "codes.gallery"
        with Gallery.open(path, model) as gallery:
            begun = time.perf_counter()
            gallery.enrol_items(data.arrays(rows, [f"{place // 5}" for place in range(len(rows))]))
            enrolled = time.perf_counter() - begun
            size = gallery.stats().bytes
        begun = time.perf_counter()
        with Gallery.open(path, model) as gallery:
            gallery.nearest(asked[0], words.top)
            opened = time.perf_counter() - begun
            times = []
            for query in asked:
                code = np.packbits(query > 0)[None]
                marks = [time.perf_counter()]
                far, _ = bare.search(code, words.top)
                marks.append(time.perf_counter())
                found = index.nearest(query, words.top)
                marks.append(time.perf_counter())
                who = gallery.nearest(query, words.top)
                marks.append(time.perf_counter())
                times.append(np.diff(marks))
                assert found.scores[: words.top].tolist() == far[0].tolist()
                assert who[0].distance == far[0][0]
    took = 1000 * np.median(times, axis=0)
    ratios = np.median(np.array(times) / np.array(times)[:, :1], axis=0)
    print(
        f"{len(rows):,} codes of {words.bits} bits, exact, the nearest {words.top}, "
        f"{words.queries} questions, {words.threads} threads, seed {words.seed}"
    )
    for name, each, ratio in zip(
        ("faiss IndexBinaryFlat", "gemel's index", "Gallery.nearest, the file's lookups included"),
        took,
        ratios,
        strict=True,
    ):
        print(f"  {name}: p50 {each:.2f} ms, {ratio:.2f} of faiss (median of each question's)")
    print(f"  memory of the index: {held / len(rows):.2f} bytes a reference")
    print(f"  the file: {size / len(rows):.1f} bytes a reference, its name and digest included")
    print(f"  enrolled {len(rows) / enrolled:,.0f} a second; the first answer after {opened:.1f} s")


if __name__ == "__main__":
    main()
