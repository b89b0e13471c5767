"""One thread that owns a gallery; what waits for it goes through the network as one batch."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from gemel.errors import OtherModelError
from gemel.gallery import Gallery, Query, read_query
from gemel.inputs import Prepared
from gemel.model import Siamese
from gemel.serving.live import Live

AT_ONCE = 32
"""The most items that share a batch."""
T = TypeVar("T")


@dataclass(frozen=True)
class Read:
    """A raw item as a model's input reads it.

    Attributes:
        raw: the item.
        model: the model.
        item: what its input made of it.
    """

    raw: Any
    model: Siamese
    item: Prepared


@dataclass
class _Job(Generic[T]):
    answer: Callable[[Gallery, list[Query]], T]
    items: list[Read]
    future: "Future[T]" = field(default_factory=Future)


class Worker:
    """Answers one job after the other, in the order in which they came.

    While a batch is in the network, the next one gathers: nobody waits for company.

    Args:
        open_live: opens the gallery, in the thread that will own it.
        batched: told the size of every batch of the network.

    Raises:
        GemelError: of `open_live`.
    """

    def __init__(
        self, open_live: Callable[[], Live], batched: Callable[[int], object] = lambda _: None
    ) -> None:
        self._jobs: SimpleQueue[_Job[Any] | None] = SimpleQueue()
        self._batched = batched
        self._closing = False
        self._lock = threading.Lock()
        opened: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(open_live, opened), name="gemel-gallery", daemon=True
        )
        self._thread.start()
        opened.result()

    @property
    def model(self) -> Siamese:
        """The model that is served now; any thread may read items for it."""
        return self._model

    @property
    def keeps_originals(self) -> bool:
        """Whether the gallery that is served now keeps originals."""
        return self._keeps_originals

    def submit(self, answer: Callable[[Gallery, list[Query]], T], *items: Read) -> "Future[T]":
        """Have `answer` called with the gallery, and with a query for each of `items`.

        Raises:
            RuntimeError: the worker was closed.
        """
        job = _Job(answer, list(items))
        with self._lock:
            if self._closing:
                raise RuntimeError("the worker is closed")
            self._jobs.put(job)
        return job.future

    def close(self) -> None:
        """Answer what waits, then let go of the gallery."""
        with self._lock:
            if not self._closing:
                self._closing = True
                self._jobs.put(None)
        self._thread.join()

    def _run(self, open_live: Callable[[], Live], opened: "Future[None]") -> None:
        try:
            live = open_live()
            self._look_at(live)
        except BaseException as error:
            opened.set_exception(error)
            return
        opened.set_result(None)
        ended = False
        while not ended:
            jobs, ended = self._gathered()
            wanted = [job for job in jobs if job.future.set_running_or_notify_cancel()]
            try:
                self._work(live, wanted)
            except Exception as error:  # without this thread nobody is answered any more
                _fail([job for job in wanted if not job.future.done()], error)
        live.close()

    def _gathered(self) -> tuple[list[_Job[Any]], bool]:
        """What waits, up to a batch, and whether it is the last."""
        jobs, count = [], 0
        job = self._jobs.get()
        while job is not None:
            jobs.append(job)
            count += len(job.items)
            if count >= AT_ONCE:
                return jobs, False
            try:
                job = self._jobs.get_nowait()
            except Empty:
                return jobs, False
        return jobs, True

    def _look_at(self, live: Live) -> Gallery:
        gallery = live.current()
        self._model, self._keeps_originals = gallery.model, gallery.keeps_originals
        return gallery

    def _work(self, live: Live, jobs: Sequence[_Job[Any]], *, again: bool = True) -> None:
        if not jobs:
            return
        try:
            gallery = self._look_at(live)
        except Exception as error:
            _fail(jobs, error)
            return
        try:
            queries = iter(self._embedded(gallery, jobs))
        except Exception as error:
            if len(jobs) == 1:
                _fail(jobs, error)
            else:  # what is wrong with one is no matter of the others
                for job in jobs:
                    self._work(live, [job], again=again)
            return
        asked = [[next(queries) for _ in job.items] for job in jobs]
        if left := _answer(gallery, jobs, asked, again=again):
            live.forget()
            self._work(live, left, again=False)

    def _embedded(self, gallery: Gallery, jobs: Sequence[_Job[Any]]) -> Sequence[Query]:
        items = [
            read.item if read.model is gallery.model else read_query(gallery.model, read.raw)
            for job in jobs
            for read in job.items
        ]
        if items:
            self._batched(len(items))
        return gallery.queries(items)


def _answer(
    gallery: Gallery, jobs: Sequence[_Job[Any]], asked: Sequence[list[Query]], *, again: bool
) -> list[_Job[Any]]:
    """Answer jobs; those that found the gallery made anew are given back, to be asked again."""
    left = []
    for job, queries in zip(jobs, asked, strict=True):
        try:
            job.future.set_result(job.answer(gallery, queries))
        except Exception as error:
            if again and isinstance(error, OtherModelError):
                left.append(job)
            else:
                _fail([job], error)
    return left


def _fail(jobs: Sequence[_Job[Any]], error: Exception) -> None:
    """Have each raise it where it was submitted."""
    for job in jobs:
        job.future.set_exception(error)
