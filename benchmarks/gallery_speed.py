"""How fast a gallery is, the network apart: search, opening, enrolling; and the recall of HNSW.

    python benchmarks/gallery_speed.py                       # 100,000 x 128, exact
    python benchmarks/gallery_speed.py --references 1000000 --graph

The network is one that passes its numbers on, so all the time is the gallery's own. Bare faiss has
the same vectors in memory, or the gallery's own graph, and is asked for as many neighbours.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import faiss
import numpy as np
import torch
from numpy.typing import NDArray

from gemel import Gallery, Siamese, data, inputs, metrics
from gemel.gallery.enrolling import AT_ONCE
from gemel.gallery.index import EXACT_UP_TO
from gemel.inputs import prepare

Rows = NDArray[np.float32]


def draw(count: int, dim: int, queries: int, seed: int) -> tuple[Rows, Rows]:
    """References around 1 centre for each 10 of them, and queries near references."""
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(-(-count // 10), dim)).astype(np.float32)
    rows = np.repeat(centres, 10, axis=0)[:count]
    rows = rows + 0.5 * generator.normal(size=rows.shape).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    asked = rows[generator.integers(0, count, queries)]
    return rows, asked + 0.03 * generator.normal(size=asked.shape).astype(np.float32)


def enrol(path: Path, model: Siamese, rows: Rows) -> float:
    """References a second, less the time to read and embed the same rows."""
    labels = [f"identity {place // 5}" for place in range(len(rows))]
    items = data.arrays(rows, labels)
    begun = time.perf_counter()
    for start in range(0, len(rows), AT_ONCE):
        model.embed_prepared(prepare(model.input, rows[start : start + AT_ONCE]))
    network = time.perf_counter() - begun
    with Gallery.open(path, model) as gallery:
        begun = time.perf_counter()
        gallery.enrol_items(items)
        return len(rows) / (time.perf_counter() - begun - network)


def milliseconds(asks: Sequence[Callable[[Rows], object]], queries: Rows) -> NDArray[np.float64]:
    """[Q, A] how long each way takes for each question; all ways in turn."""
    found = []
    for query in queries:
        times = [time.perf_counter()]
        for ask in asks:
            ask(query)
            times.append(time.perf_counter())
        found.append(1000 * np.diff(times))
    return np.array(found)


def bare(rows: Rows, gallery: Gallery, *, graph: bool) -> faiss.Index:
    """Faiss by itself; its graph is the gallery's own: to make two takes twice as long."""
    if graph:
        return gallery._matcher._index._graph
    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(rows)
    return index


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--references", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--top", type=int, default=5)
    parser.add_argument("--graph", action="store_true", help="search by HNSW, measure recall")
    parser.add_argument("--seed", type=int, default=0)
    words = parser.parse_args()
    model = Siamese(inputs.Numbers(words.dim), torch.nn.Identity(), metrics.Cosine())
    rows, queries = draw(words.references, words.dim, words.queries, words.seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.gallery"
        rate = enrol(path, model, rows)
        print(f"enrolled {len(rows):,} x {words.dim}: {rate:,.0f} references a second")
        begun = time.perf_counter()
        gallery = Gallery.open(path, model, exact_up_to=0 if words.graph else EXACT_UP_TO * 100)
        gallery.nearest(queries[0], words.top)
        print(f"opened until the first answer: {time.perf_counter() - begun:.2f} s")
        index = bare(rows, gallery, graph=words.graph)
        network, whole, alone = milliseconds(
            [
                lambda query: model.embed_prepared(prepare(model.input, [query], None)),
                lambda query: gallery.nearest(query, words.top),
                lambda query: index.search(query[None], words.top),
            ],
            queries,
        ).T
        ours = whole - network
        print(
            f"identify, the network apart: median {np.median(ours):.2f} ms; bare faiss "
            f"{np.median(alone):.2f} ms: {np.median(ours) / np.median(alone):.2f} times as long "
            f"(of each question: median {np.median(ours / alone):.2f}; "
            f"{gallery.stats().search}; {len(queries)} queries, seed {words.seed})"
        )
        unit = queries / np.linalg.norm(queries, axis=1, keepdims=True)
        wanted = np.concatenate([(part @ rows.T).argmax(1) for part in np.array_split(unit, 20)])
        hits = [
            gallery.nearest(query, 1)[0].reference == place + 1
            for query, place in zip(queries, wanted.tolist(), strict=True)
        ]
        print(f"recall at 1: {np.mean(hits):.4f} of {len(hits)} queries")
        gallery.close()


if __name__ == "__main__":
    main()
