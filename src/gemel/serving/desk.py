"""The verbs of the service: items are read, jobs are queued, answers are made."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import numpy as np

from gemel.comparison import Comparison
from gemel.data.pictures import check_pixels
from gemel.gallery import Gallery, Query, read_query, read_reference
from gemel.gallery.enrolling import Block
from gemel.inputs import input_of
from gemel.items import Side
from gemel.model import Siamese
from gemel.serving.bodies import Item
from gemel.serving.faults import refused
from gemel.serving.instruments import Instruments
from gemel.serving.settings import Settings
from gemel.serving.worker import Read, Worker

READERS = 4
"""Threads that read items: so many pictures are decoded at once, at most."""
MOST_OF_PEN = 1_000_000
"""Bytes of a pen recording's file: its points are parsed one by one."""
FORMS = {"images": ("image", "file"), "numbers": ("numbers",), "pens": ("strokes", "file")}
"""The fields in which an item of each kind may come; one of a kind of a user's own is a file."""
T = TypeVar("T")


class Desk:
    """Where requests wait for the gallery's one thread.

    Args:
        worker: the thread.
        instruments: what is counted.
        settings: the limits.
    """

    def __init__(self, worker: Worker, instruments: Instruments, settings: Settings) -> None:
        self._worker = worker
        self._instruments = instruments
        self._most = settings.queue
        self._max_pixels = settings.max_pixels
        self._in_hand = 0
        self._readers = ThreadPoolExecutor(READERS, "gemel-reader")

    @property
    def model(self) -> Siamese:
        """The model that is served now."""
        return self._worker.model

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """A place at the desk: for reading a body, waiting and being answered.

        Raises:
            FaultError: all are taken.
        """
        if self._in_hand >= self._most:
            raise refused(503, "busy", f"{self._most} requests are in hand already", retry_after=1)
        self._in_hand += 1
        self._instruments.waiting.set(self._in_hand)
        try:
            yield
        finally:
            self._in_hand -= 1
            self._instruments.waiting.set(self._in_hand)

    async def do(self, answer: Callable[[Gallery], T]) -> T:
        """What `answer` says of the gallery.

        Raises:
            GemelError: of the gallery.
        """
        return await asyncio.wrap_future(self._worker.submit(lambda gallery, _: answer(gallery)))

    async def ask(self, item: Item, answer: Callable[[Gallery, Query], T]) -> T:
        """What `answer` says of an item, which shares a batch of the network with others.

        Raises:
            DataError: the item cannot be read, or has too many pixels.
            FaultError: it is of another kind than the model takes.
            GemelError: of the gallery.
        """
        model = self.model
        read = await self._in_reader(lambda: self._read(item, model, "left"))
        job = self._worker.submit(lambda gallery, queries: answer(gallery, queries[0]), read)
        return await asyncio.wrap_future(job)

    async def compare(self, left: Item, right: Item) -> Comparison:
        """What the model says of two items.

        Raises:
            DataError: one cannot be read, or has too many pixels.
            FaultError: one is of another kind than the model takes.
        """
        model = self.model
        a, b = await self._in_reader(
            lambda: (self._read(left, model, "left"), self._read(right, model, "right"))
        )

        def answer(_: Gallery) -> Comparison:
            distance = float(model.pair_distances(a.item, b.item))
            return Comparison(distance, model.threshold, model.calibration)

        return await self.do(answer)

    async def enrol(self, identity: str, item: Item, note: str | None) -> tuple[int, bool]:
        """The number of a reference that is stored now, and whether it is new.

        Raises:
            DataError: the item cannot be read, or has too many pixels.
            FaultError: it is of another kind than the model takes.
            GemelError: of the gallery.
        """
        model, keeps = self._worker.model, self._worker.keeps_originals

        def read() -> tuple[Any, Block]:
            raw = self._raw(item, model, "right")
            return raw, read_reference(model, identity, raw, note, keep_originals=keeps)

        raw, new = await self._in_reader(read)

        def enrol(gallery: Gallery) -> tuple[int, bool]:
            if gallery.model is model and gallery.keeps_originals == keeps:
                return gallery.enrol_read(new)
            return gallery.enrol_if_new(identity, raw, note=note)  # replaced meanwhile

        return await self.do(enrol)

    def close(self) -> None:
        """Answer what waits, and let go of the gallery."""
        self._readers.shutdown()
        self._worker.close()

    async def _in_reader(self, read: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._readers, read)

    def _read(self, item: Item, model: Siamese, side: Side) -> Read:
        raw = self._raw(item, model, side)
        return Read(raw, model, read_query(model, raw, side))

    def _raw(self, item: Item, model: Siamese, side: Side) -> Any:
        """An item as the model takes it, looked at without decoding it."""
        kind = input_of(model.input, side).kind
        forms = FORMS.get(kind, ("file",))
        if item.form not in forms:
            wanted = " or ".join(f"`{form}`" for form in forms)
            message = f"this model takes {kind}, as {wanted}; got `{item.form}`"
            raise refused(422, "bad_item", message)
        if item.numbers is not None:
            return np.asarray(item.numbers, dtype=np.float64)
        if item.strokes is not None:
            return item.strokes
        data = item.file or item.image or b""
        if kind == "images":
            check_pixels(data, self._max_pixels, "the picture")
        elif kind == "pens" and len(data) > MOST_OF_PEN:
            message = f"a pen recording may have {MOST_OF_PEN:,} bytes; this one has {len(data):,}"
            raise refused(413, "too_large", message)
        return data
