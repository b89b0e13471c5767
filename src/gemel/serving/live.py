"""A model and its gallery as they lie on the disk, taken anew when they are replaced."""

import logging
import os
from collections.abc import Callable
from pathlib import Path

from gemel.errors import GemelError
from gemel.gallery import Gallery
from gemel.inputs import AnyInput
from gemel.model import Siamese, load

log = logging.getLogger("gemel.serving")
Mark = tuple[int, ...] | None


class Live:
    """The gallery that is served; for one thread, as a `Gallery` is.

    Before each use it looks whether the files are those that were opened. A new model file is
    taken if the gallery is its own, as after `gemel calibrate`; else the old model stays. A
    gallery that was replaced, or made anew for another model, is opened again with the model as
    it lies there; while the two do not fit, every use is an error that says so.

    Args:
        model: the model's file.
        place: the gallery's file, or its URL.
        open_gallery: opens a gallery for a model; the second argument is whether it may be made.
        input: the model's input, where it is one that gemel does not make; each model that is
            loaded gets the same one.

    Raises:
        GemelError: the model or the gallery cannot be opened.
    """

    def __init__(
        self,
        model: Path,
        place: str,
        open_gallery: Callable[[Siamese, bool], Gallery],
        *,
        input: AnyInput | None = None,
    ) -> None:
        self._model_path = model
        self._input = input
        self._place = None if "://" in place else Path(place)
        self._open_gallery = open_gallery
        self._gallery: Gallery | None = None
        self._marks: tuple[Mark, Mark] = (self._look()[0], None)
        self._open(self._load(), create=True)

    def current(self) -> Gallery:
        """The gallery as it is now.

        Raises:
            GemelError: model and gallery do not fit, or cannot be opened.
        """
        model_mark, place_mark = self._look()
        if self._gallery is None or place_mark != self._marks[1]:
            self.close()
            self._marks = model_mark, place_mark
            self._open(self._load(), create=False)
        elif model_mark != self._marks[0]:
            self._marks = model_mark, place_mark
            self._take_model()
        assert self._gallery is not None
        return self._gallery

    def forget(self) -> None:
        """Open both again at the next use: the gallery is not what it was."""
        self.close()

    def close(self) -> None:
        """Let go of the gallery."""
        gallery, self._gallery = self._gallery, None
        if gallery is not None:
            gallery.close()

    def _load(self) -> Siamese:
        return load(self._model_path, input=self._input)

    def _open(self, model: Siamese, *, create: bool) -> None:
        self._gallery = self._open_gallery(model, create)
        self._marks = self._marks[0], self._look()[1]
        log.info("opened the gallery, with the model %s", model.fingerprint[:12])

    def _take_model(self) -> None:
        """Go over to a new model file, if the gallery is its own."""
        try:
            opened = self._open_gallery(self._load(), False)
        except GemelError as error:
            log.warning("the new model file is not taken: %s", error)
            return
        self.close()
        self._gallery = opened
        log.info("took the new model file")

    def _look(self) -> tuple[Mark, Mark]:
        """What changes when the model's file, or the gallery's, is replaced."""
        return _mark(self._model_path, inside=True), _mark(self._place, inside=False)


def _mark(path: Path | None, *, inside: bool) -> Mark:
    """Which file it is, and, of one that is not written in place, which state of it."""
    if path is None:
        return None
    try:
        found = os.stat(path)  # noqa: PTH116  asked before every batch: half the time
    except OSError:
        return ()
    which = found.st_dev, found.st_ino
    return (*which, found.st_size, found.st_mtime_ns) if inside else which
