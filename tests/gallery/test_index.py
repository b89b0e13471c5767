"""The indexes by themselves: exact against sorting all, the graph against the exact one."""

import builtins
from pathlib import Path

import numpy as np
import pytest
import torch
from small_galleries import DIM, drawn_rows, numbers_model, open_numbers

from gemel import Gallery, Items, Siamese, metrics
from gemel.errors import MissingExtraError
from gemel.gallery.index import BLOCK, ExactIndex, GraphIndex, form_of
from gemel.gallery.matching import ROW_BY_ROW

faiss = pytest.importorskip("faiss")
FORMS = [metrics.Cosine(), metrics.Euclidean(), metrics.SquaredEuclidean(), metrics.Mahalanobis()]
each_form = pytest.mark.parametrize("metric", FORMS, ids=lambda one: type(one).__name__)


def form(metric: metrics.Metric) -> object:
    metric.build(DIM)
    return form_of(metric.eval())


@each_form
@pytest.mark.parametrize("count", [0, 1, 40, 3 * BLOCK, 100 * BLOCK + 7])
def test_exact_is_complete_to_where_it_says(metric: metrics.Metric, count: int) -> None:
    index = ExactIndex(form(metric), DIM)
    rows = drawn_rows(count, 0)
    for part in np.array_split(rows, 3):
        index.add(part)
    assert len(index) == count
    query = drawn_rows(1, 1)[0]
    found = index.nearest(query, 20)
    assert len(found.rows) >= min(20, count)
    if not count:
        return
    with torch.no_grad():
        distances = metric.matrix(*(torch.tensor(x).double() for x in (query[None], rows)))
    order = np.argsort(distances[0].numpy(), kind="stable")
    np.testing.assert_array_equal(found.rows[:20], order[:20])
    assert (np.diff(found.scores) >= 0).all()
    everything = index.nearest(query, count)
    assert (everything.scores < found.complete).sum() <= len(found.rows)
    assert everything.complete == np.inf


@each_form
def test_the_graph_finds_what_the_exact_one_finds(metric: metrics.Metric) -> None:
    rows = drawn_rows(2000, 0)
    exact, graph = ExactIndex(form(metric), DIM), GraphIndex(form(metric), DIM)
    assert len(graph.nearest(rows[0], 3).rows) == 0
    for index in (exact, graph):
        index.add(rows[:1500])
        index.add(rows[1500:])
    kept = np.ones(2000, dtype=bool)
    for share in (0.95, 0.5):  # the second time the graph is made anew
        kept = np.random.default_rng(0).random(len(exact)) < share
        exact.keep(kept)
        graph.keep(kept)
        assert len(graph) == len(exact)
        hits = [
            exact.nearest(query, 5).rows[0] == graph.nearest(query, 5).rows[0]
            for query in drawn_rows(100, 3)
        ]
        assert np.mean(hits) >= 0.98
    graph.keep(np.zeros(len(graph), dtype=bool))
    assert len(graph) == 0


def test_a_gallery_grows_out_of_exact_search(path: Path, model: Siamese) -> None:
    rows = drawn_rows(300, 0)
    names = np.array([f"{row % 60}" for row in range(300)])
    with Gallery.open(path, model, exact_up_to=100) as gallery:
        gallery.enrol_items(Items(rows[:100], names[:100], kind="numbers"))
        assert gallery.identify(rows[5]).identity == "5"
        assert gallery.stats().search.startswith("exact")
        gallery.enrol_items(Items(rows[100:], names[100:], kind="numbers"))
        assert gallery.stats().search == "approximate (HNSW), squared distances"
        found = gallery.nearest(rows[217], 60)
        assert (found[0].identity, found[0].reference) == ("37", 218)
        assert len(found) == 60
        gallery.remove("37")
        assert gallery.nearest(rows[217], 1)[0].identity != "37"
        assert gallery.check() == ()


def test_without_faiss(path: Path, model: Siamese, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: object) -> object:
        if name == "faiss":
            raise ImportError("no faiss")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with open_numbers(path, model, drawn_rows(20, 0), [f"{i}" for i in range(20)]) as gallery:
        assert len(gallery.nearest(np.zeros(DIM))) == 5
    with (
        Gallery.open(path, model, exact_up_to=10) as gallery,
        pytest.raises(MissingExtraError, match=r"pip install 'gemel\[gallery\]'"),
    ):
        gallery.nearest(np.zeros(DIM))


@pytest.mark.parametrize("dim", [1, 3, 16, 31, 64, 127, 128, 200, 512, 1025])
def test_a_pair_has_the_same_bits_alone_and_among_others(dim: int) -> None:
    generator = torch.Generator().manual_seed(dim)
    u, v = (torch.randn(count, dim, generator=generator) for count in (1, 37))
    v[0] = u[0] + 1e-4 * v[0]
    for kind in ROW_BY_ROW:
        metric = kind().eval()
        alone = torch.cat([metric(u, row[None]) for row in v])
        assert torch.equal(metric(u.expand(37, -1), v), alone)


def test_a_model_that_is_training(path: Path) -> None:
    """The mode of the model does not matter, and stays."""
    model = numbers_model(metrics.Hamming())
    model.train()
    rows = drawn_rows(40, 0)
    with open_numbers(path, model, rows, [f"{i}" for i in range(40)]) as gallery:
        found = gallery.nearest(rows[7], 3)
    assert found[0].distance == 0
    assert model.training
