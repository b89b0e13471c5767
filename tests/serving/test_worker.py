"""The thread that owns the gallery: order, batches, errors, its end."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from serving_models import numbers_model

from gemel import Gallery
from gemel.errors import GalleryError, NotEnrolledError, OtherModelError
from gemel.gallery import Query, read_query
from gemel.serving.live import Live
from gemel.serving.worker import AT_ONCE, Read, Worker


@pytest.fixture
def sizes() -> list[int]:
    return []


@pytest.fixture
def worker(opened: Callable[..., Live], sizes: list[int]) -> Iterator[Worker]:
    made = Worker(opened, sizes.append)
    yield made
    made.close()


def read(worker: Worker, *numbers: float) -> Read:
    raw = np.array(numbers)
    return Read(raw, worker.model, read_query(worker.model, raw))


def named(gallery: Gallery, queries: list[Query]) -> str | None:
    return gallery.identify(queries[0]).identity


def held(worker: Worker) -> threading.Event:
    """Keeps the worker busy until the event that it gives is set."""
    going, begun = threading.Event(), threading.Event()

    def wait(*_: object) -> bool:
        begun.set()
        return going.wait(10)

    worker.submit(wait)
    assert begun.wait(10)
    return going


class TestJobs:
    def test_in_their_order_and_in_one_batch(self, worker: Worker, sizes: list[int]) -> None:
        going = held(worker)
        first = worker.submit(lambda gallery, _: gallery.enrol("ada", np.array([1.0, 1.0])))
        asked = [worker.submit(named, read(worker, 1.0, 1.1)) for _ in range(5)]
        second = worker.submit(lambda gallery, _: gallery.remove("ada"))
        later = worker.submit(named, read(worker, 1.0, 1.1))
        going.set()
        assert first.result(10) == 1
        assert [one.result(10) for one in asked] == ["ada"] * 5
        assert second.result(10).references == (1,)
        assert later.result(10) is None
        assert sizes == [6]

    def test_batches_end(self, worker: Worker, sizes: list[int]) -> None:
        going = held(worker)
        asked = [worker.submit(named, read(worker, 0.0, 0.0)) for _ in range(2 * AT_ONCE + 3)]
        going.set()
        assert {one.result(10) for one in asked} == {None}
        assert sizes == [AT_ONCE, AT_ONCE, 3]

    def test_one_error_is_of_one_job(self, worker: Worker) -> None:
        going = held(worker)
        bad = worker.submit(lambda gallery, _: gallery.remove("nobody"))
        defect = worker.submit(lambda *_: 1 / 0)
        good = worker.submit(lambda gallery, _: gallery.stats().references)
        going.set()
        with pytest.raises(NotEnrolledError):
            bad.result(10)
        with pytest.raises(ZeroDivisionError):
            defect.result(10)
        assert good.result(10) == 0

    def test_who_went_away_is_not_answered(self, worker: Worker) -> None:
        going, done = held(worker), []
        gone = worker.submit(lambda *_: done.append(1))
        assert gone.cancel()
        last = worker.submit(lambda *_: done.append(2))
        going.set()
        last.result(10)
        assert done == [2]

    def test_two_items_of_one_job(self, worker: Worker) -> None:
        job = worker.submit(
            lambda _, queries: [query.embedding[0].tolist() for query in queries],
            read(worker, 1.0, 2.0),
            read(worker, 3.0, 4.0),
        )
        assert job.result(10) == [[1.0, 2.0], [3.0, 4.0]]


class TestFaults:
    def test_a_gallery_that_cannot_be_closed_does_not_end_the_thread(
        self, worker: Worker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(_: object) -> None:
            raise GalleryError("the disk failed")

        def made_anew(*_: object) -> None:
            raise OtherModelError("made anew")

        with monkeypatch.context() as patched:
            patched.setattr(Live, "forget", fail)
            with pytest.raises(GalleryError, match="the disk failed"):
                worker.submit(made_anew).result(10)
        assert worker.submit(lambda *_: 7).result(10) == 7


class TestEnd:
    def test_what_waits_is_answered_and_nothing_more(self, worker: Worker) -> None:
        going = held(worker)
        waiting = [worker.submit(lambda *_: 7) for _ in range(3)]
        closing = threading.Thread(target=worker.close)
        closing.start()
        going.set()
        closing.join(10)
        assert [one.result(0) for one in waiting] == [7, 7, 7]
        with pytest.raises(RuntimeError, match="closed"):
            worker.submit(lambda *_: 7)

    def test_what_cannot_be_opened(self, tmp_path: Path) -> None:
        def fail() -> Live:
            raise GalleryError("no")

        with pytest.raises(GalleryError, match="no"):
            Worker(fail)


class TestAnotherModel:
    def test_an_item_is_read_again(
        self, opened: Callable[..., Live], model_file: Path, tmp_path: Path
    ) -> None:
        """What was read for the model of before is read for the one that answers."""
        worker = Worker(opened)
        old = read(worker, 3.0, 4.0)
        going = held(worker)
        job = worker.submit(lambda _, queries: queries[0].embedding[0].tolist(), old)
        numbers_model(2.0).save(model_file)
        (tmp_path / "g.gallery").unlink()
        Gallery.open(tmp_path / "g.gallery", numbers_model(2.0)).close()
        going.set()
        assert job.result(10) == [6.0, 8.0]
        assert worker.model is not old.model
        worker.close()
