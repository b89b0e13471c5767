"""Whether a graph of binary codes would find what looking at all of them finds, and how fast.

    python benchmarks/code_graph.py                      # 100,000 codes of 64 bits

faiss's IndexBinaryHNSW, as its floats' graph is used in a gallery, beside its exact
IndexBinaryFlat. Codes are drawn at random, around centres, and with many references of one code, as
codes of trained classes are; questions are near references, or are strangers' codes.
"""

import argparse
import time
from collections.abc import Callable

import faiss
import numpy as np
from numpy.typing import NDArray

from gemel.gallery.index import BREADTH, CARE, NEIGHBOURS

Codes = NDArray[np.uint8]


def random_codes(count: int, width: int, generator: np.random.Generator) -> Codes:
    """Codes of `width` bytes without any order."""
    return generator.integers(0, 256, (count, width), dtype=np.uint8)


def around_centres(count: int, width: int, generator: np.random.Generator) -> Codes:
    """Twenty-five codes around each centre."""
    return near(random_codes(max(1, count // 25), width, generator), count, generator)


def few_codes(count: int, width: int, generator: np.random.Generator) -> Codes:
    """A thousand codes, each of many references."""
    centres = random_codes(1000, width, generator)
    return centres[generator.integers(0, len(centres), count)]


def near(codes: Codes, count: int, generator: np.random.Generator) -> Codes:
    """Some of `codes` with one bit of twelve turned over."""
    turned = generator.random((count, 8 * codes.shape[1])) < 1 / 12
    return codes[generator.integers(0, len(codes), count)] ^ np.packbits(turned, axis=1)


def seconds(do: Callable[[], object]) -> float:
    begun = time.perf_counter()
    do()
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--references", type=int, default=100_000)
    parser.add_argument("--bits", type=int, default=64)
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    words = parser.parse_args()
    faiss.omp_set_num_threads(1)
    print(f"{words.references:,} codes of {words.bits} bits, {words.queries} questions, one thread")
    for make in (random_codes, around_centres, few_codes):
        generator = np.random.default_rng(words.seed)
        known = make(words.references, words.bits // 8, generator)
        exact, graph = (
            faiss.IndexBinaryFlat(words.bits),
            faiss.IndexBinaryHNSW(words.bits, NEIGHBOURS),
        )
        graph.hnsw.efConstruction, graph.hnsw.efSearch = CARE, BREADTH
        exact.add(known)
        made = seconds(lambda: graph.add(known))  # noqa: B023
        questions = {
            "near": near(known, words.queries, generator),
            "strangers": random_codes(words.queries, words.bits // 8, generator),
        }
        print(f"  {make.__name__}: made in {made:.0f} s", flush=True)
        for name, asked in questions.items():
            least, found = (index.search(asked, 1)[0][:, 0] for index in (exact, graph))
            times = [seconds(lambda: index.search(asked, 10)) for index in (exact, graph)]  # noqa: B023
            right = int((least == found).sum())
            print(
                f"    {name}: a nearest one found for {right} of {words.queries} "
                f"({100 * right / words.queries:.1f} %); {1e3 * times[1] / words.queries:.2f} ms "
                f"a question, exact {1e3 * times[0] / words.queries:.2f}",
                flush=True,
            )
    print(f"  links: {4 * 2 * NEIGHBOURS} bytes a reference and more, codes {words.bits // 8}")


if __name__ == "__main__":
    main()
