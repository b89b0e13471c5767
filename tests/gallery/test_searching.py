"""Search by pgvector: half precision loses nothing, and the graph little."""

import numpy as np
import pytest
import torch
from small_galleries import DIM, drawn_rows, numbers_model, open_numbers, tamper, trained
from small_server import Server
from torch import nn

from gemel import Gallery, Items, Siamese, inputs, metrics
from gemel.errors import GalleryError
from gemel.gallery.searching import StoreMatcher


def model_of(dim: int, metric: metrics.Metric) -> Siamese:
    return Siamese(inputs.Numbers(dim), nn.Identity(), metric)


def order(model: Siamese, rows: np.ndarray, query: np.ndarray) -> list[int]:
    """Numbers of the references, the nearest first, by the metric itself."""
    with torch.no_grad():
        left = torch.tensor(query)[None].expand(len(rows), -1)
        distances = model.metric(left, torch.tensor(rows)).numpy()
    return (np.argsort(distances, kind="stable") + 1).tolist()


@pytest.mark.parametrize("metric", [metrics.Cosine(), metrics.Euclidean()])
@pytest.mark.parametrize("apart", [1e-4, 1e-5])
def test_neighbours_that_half_precision_cannot_tell_apart(
    url: str, metric: metrics.Metric, apart: float
) -> None:
    """300 references so close together that their halves are nearly all the same."""
    generator = np.random.default_rng(0)
    centre = generator.normal(size=DIM)
    rows = (centre + apart * generator.normal(size=(300, DIM))).astype(np.float32)
    far = drawn_rows(200, 1) + 9
    model = numbers_model(metric)
    every = np.concatenate([rows, far])
    halves = np.unique(rows.astype(np.float16), axis=0)
    assert len(halves) < 300
    with open_numbers(url, model, every, [f"{row}" for row in range(500)]) as gallery:
        assert isinstance(gallery._matcher, StoreMatcher)
        for query in rows[:5] + np.float32(apart / 3):
            found = [one.reference for one in gallery.nearest(query, 10)]
            assert found == order(model, every, query)[:10]


@pytest.mark.parametrize(
    "metric",
    [
        metrics.Cosine(),
        metrics.Euclidean(),
        metrics.SquaredEuclidean(),
        metrics.Hamming(),
        metrics.Mahalanobis(rank=3),
    ],
    ids=lambda one: type(one).__name__,
)
def test_the_graph_finds_what_the_metric_finds(url: str, metric: metrics.Metric) -> None:
    rows = drawn_rows(2000, 0)
    model = numbers_model(trained(metric))
    names = np.array([f"{row}" for row in range(2000)])
    with Gallery.open(url, model, exact_up_to=1000) as gallery:
        gallery.enrol_items(Items(rows[:1000], names[:1000], kind="numbers"))
        assert gallery.stats().search.startswith("exact (pgvector)")
        gallery.enrol_items(Items(rows[1000:], names[1000:], kind="numbers"))
        assert gallery.stats().search.startswith("approximate (HNSW, pgvector)")
        hits = [
            gallery.nearest(query, 1)[0].reference == order(model, rows, query)[0]
            for query in drawn_rows(100, 3)
        ]
        assert np.mean(hits) >= 0.98
        gallery.remove(order(model, rows, rows[7])[0])
        assert gallery.nearest(rows[7], 1)[0].reference == order(model, rows, rows[7])[1] or (
            isinstance(metric, metrics.Hamming)
        )
        assert gallery.check() == ()
    with Gallery.open(url, model) as gallery:  # the graph is there, and not followed
        assert gallery.stats().search.startswith("exact (pgvector)")
        for query in drawn_rows(20, 4):
            found = gallery.nearest(query, 3)
            wanted = [one for one in order(model, rows, query) if one != 8]
            assert found[0].reference == wanted[0]


def test_no_question_makes_a_graph(url: str, model: Siamese, server: Server) -> None:
    """Every reference is looked at until one is made, once nobody writes."""
    rows = drawn_rows(40, 0)
    with open_numbers(url, model, rows, [f"{row}" for row in range(40)]) as gallery:
        assert not gallery.make_graph()  # too few for one
    with Gallery.open(url, model, exact_up_to=10, timeout=0.05) as gallery:
        assert gallery.nearest(rows[3], 1)[0].reference == 4
        assert gallery.stats().search.endswith("no graph yet: gemel gallery graph makes it")
        with server.connect() as other, other.transaction():
            other.execute(f"SELECT 1 FROM {url.rpartition('=')[2]}.gallery FOR UPDATE")
            with pytest.raises(GalleryError, match="another process"):
                gallery.make_graph()
            assert gallery.nearest(rows[3], 1)[0].reference == 4
        assert gallery.make_graph()
        assert gallery.make_graph()  # it is there
        assert gallery.nearest(rows[3], 1)[0].reference == 4
        assert gallery.stats().search.startswith("approximate")


def test_the_graph_is_left_where_it_ends(url: str, model: Siamese) -> None:
    """One identity has the nearest 1,500 of 1,600; pgvector stops, and all are looked at."""
    rows = np.concatenate([drawn_rows(1500, 0) * 0.01, drawn_rows(100, 1) + 50])
    names = ["near"] * 1500 + [f"{row}" for row in range(100)]
    with open_numbers(url, model, rows, names):
        pass
    short = f"{url}&options=-chnsw.max_scan_tuples%3D100%20-cenable_seqscan%3Doff"
    with Gallery.open(short, model, exact_up_to=100) as gallery:
        assert gallery.make_graph()
        found = gallery.nearest(np.zeros(DIM), 3)
        wanted = [one for one in order(model, rows, np.zeros(DIM, np.float32)) if one > 1500]
        assert [one.reference for one in found[1:]] == wanted[:2]


def test_what_half_precision_cannot_hold(url: str, model: Siamese) -> None:
    """Beyond 65,504 all is searched in memory: a query, and a gallery."""
    rows = drawn_rows(50, 0)
    huge = np.full(DIM, 70_000, np.float32)
    with open_numbers(url, model, rows, [f"{row}" for row in range(50)]) as gallery:
        assert gallery.nearest(huge, 1)[0].reference == order(model, rows, huge)[0]
        assert gallery.stats().search == "exact (pgvector), squared distances"
        assert gallery.enrol("huge", huge) == 51
        assert gallery.nearest(huge, 1)[0].identity == "huge"
        assert gallery.nearest(rows[4], 1)[0].reference == 5
        assert "in memory: some numbers are beyond half precision" in gallery.stats().search
        assert gallery.check() == ()
        gallery.remove("huge")
        assert gallery.nearest(huge, 1)[0].reference == order(model, rows, huge)[0]


@pytest.mark.parametrize(("dim", "words"), [(4001, "up to 4,000"), (16_001, "exact, squared")])
def test_widths_that_pgvector_cannot_search(url: str, dim: int, words: str) -> None:
    model = model_of(dim, metrics.Euclidean())
    rows = np.random.default_rng(0).normal(size=(12, dim)).astype(np.float32)
    items = Items(rows, np.array([f"{row}" for row in range(12)]), kind="numbers")
    with Gallery.open(url, model, exact_up_to=5) as gallery:
        gallery.enrol_items(items)
        if dim < 16_000:
            assert words in gallery.stats().search
        assert gallery.nearest(rows[3], 1)[0].reference == 4


def test_metrics_without_a_form_are_searched_in_memory(url: str) -> None:
    model = numbers_model(metrics.Manhattan())
    with open_numbers(url, model, drawn_rows(9, 0), list("abcdefghi")) as gallery:
        assert gallery.stats().search == "exact, each distance by the metric itself"
        assert gallery.nearest(drawn_rows(9, 0)[2], 1)[0].identity == "c"


def test_a_form_that_is_not_its_embeddings(url: str, model: Siamese) -> None:
    with open_numbers(url, model, drawn_rows(9, 0), list("abcdefghi")) as gallery:
        tamper(
            gallery,
            "UPDATE forms SET form = (SELECT form FROM forms WHERE reference = 1) "
            "WHERE reference = 2",
        )
        tamper(gallery, "DELETE FROM forms WHERE reference = 5")
        tamper(gallery, "UPDATE forms SET identity = 1 WHERE reference = 7")
        tamper(gallery, "UPDATE forms SET reference = 99 WHERE reference = 8")
        assert gallery.check() == tuple(
            f"what is searched is not reference {one} as it is stored" for one in (99, 2, 5, 7, 8)
        )


def test_another_processor_may_round_a_form_otherwise(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lengths are summed in an order of its own; now and then a half comes out one step away."""
    model = model_of(128, metrics.Cosine())
    rows = np.random.default_rng(0).normal(size=(500, 128)).astype(np.float32)
    with open_numbers(url, model, rows, [f"{row}" for row in range(500)]):
        pass
    here = metrics.Cosine.normalise

    def elsewhere(metric: metrics.Cosine, vectors: torch.Tensor) -> torch.Tensor:
        return here(metric, vectors) * (1 + 2e-7)

    halves = here(model.metric, torch.tensor(rows)).half()
    assert not torch.equal(elsewhere(model.metric, torch.tensor(rows)).half(), halves)
    monkeypatch.setattr(metrics.Cosine, "normalise", elsewhere)
    with Gallery.open(url, model) as gallery:
        assert gallery.check() == ()


def test_who_may_only_read_follows_a_graph_or_looks_at_all(
    url: str, model: Siamese, server: Server
) -> None:
    rows = drawn_rows(40, 0)
    with open_numbers(url, model, rows, [f"{row}" for row in range(40)]):
        schema = url.rpartition("=")[2]
    for statement in (
        "DROP ROLE IF EXISTS reader",
        "CREATE ROLE reader LOGIN",
        f"GRANT USAGE ON SCHEMA {schema} TO reader",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO reader",
    ):
        server.ask(statement)

    def reading() -> Gallery:
        return Gallery.open(url.replace("postgres@", "reader@"), model, exact_up_to=10)

    with reading() as gallery:
        assert gallery.nearest(rows[3], 1)[0].reference == 4
        assert not gallery.make_graph()
        with pytest.raises(GalleryError, match="must GRANT it"):
            gallery.enrol("ada", rows[0])
        assert gallery.check() == ()
    with Gallery.open(url, model, exact_up_to=10) as gallery:
        assert gallery.make_graph()
    with reading() as gallery:
        assert gallery.stats().search.startswith("approximate")
        assert gallery.nearest(rows[3], 1)[0].reference == 4
    server.ask("DROP OWNED BY reader")
    server.ask("DROP ROLE reader")


def test_codes_are_kept_as_bits(url: str, server: Server) -> None:
    model, rows = numbers_model(metrics.Hamming()), drawn_rows(30, 5)
    with open_numbers(url, model, rows, [f"{row}" for row in range(30)]) as gallery:
        assert gallery.stats().coding == "bits"
        assert gallery.check() == ()
    with server.connect() as other:
        stored = other.execute(
            f"SELECT embedding FROM {url.rpartition('=')[2]}.refs ORDER BY id"
        ).fetchall()
    assert [bytes(one) for (one,) in stored] == [np.packbits(row > 0).tobytes() for row in rows]
    with Gallery.open(url, model) as gallery:  # read again, the facts are the same
        assert gallery.stats().coding == "bits"
        assert gallery.nearest(rows[7], 1)[0].distance == 0
