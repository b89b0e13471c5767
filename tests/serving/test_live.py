"""Model and gallery as they lie on the disk: taken, kept or refused when they are replaced."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from serving_models import numbers_model

from gemel import Gallery
from gemel.errors import GalleryError, ModelFileError, OtherModelError
from gemel.serving.live import Live

ROW = np.array([1.0, 2.0])


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "g.gallery"


@pytest.fixture
def live(opened: Callable[..., Live]) -> Iterator[Live]:
    made = opened()
    yield made
    made.close()


def replace_gallery(place: Path, scale: float, name: str) -> None:
    new = place.with_name("new")
    with Gallery.open(new, numbers_model(scale)) as gallery:
        gallery.enrol(name, ROW)
    new.replace(place)


class TestModel:
    def test_untouched(self, live: Live) -> None:
        assert live.current() is live.current()

    def test_calibrated_anew(self, live: Live, model_file: Path) -> None:
        live.current().enrol("ada", ROW)
        numbers_model(threshold=0.25).save(model_file)
        gallery = live.current()
        assert gallery.model.threshold == 0.25
        assert [one.identity for one in gallery.list()] == ["ada"]

    @pytest.mark.parametrize(
        ("what", "said"),
        [
            ("another model", "the gallery belongs to the model"),
            ("no model", "cannot be read as a gemel model file"),
            ("nothing", "m.gemel"),
        ],
    )
    def test_not_the_gallerys_own(
        self,
        live: Live,
        model_file: Path,
        what: str,
        said: str,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        before = live.current()
        if what == "another model":
            numbers_model(2.0).save(model_file)
        elif what == "no model":
            model_file.write_bytes(b"nonsense")
        else:
            model_file.unlink()
        assert live.current() is before
        assert live.current() is before
        (warning,) = [one.message for one in caplog.records if one.levelname == "WARNING"]
        assert warning.startswith("the new model file is not taken: ")
        assert said in warning


class TestGallery:
    def test_replaced(self, live: Live, place: Path) -> None:
        live.current().enrol("ada", ROW)
        replace_gallery(place, 1.0, "bea")
        assert [one.identity for one in live.current().list()] == ["bea"]

    def test_replaced_by_another_models_until_that_one_is_there(
        self, live: Live, place: Path, model_file: Path
    ) -> None:
        replace_gallery(place, 2.0, "bea")
        for _ in range(2):
            with pytest.raises(OtherModelError):
                live.current()
        numbers_model(2.0).save(model_file)
        assert live.current().identify(ROW).identity == "bea"

    def test_gone_and_back(self, live: Live, place: Path) -> None:
        kept = place.with_name("kept")
        live.current().enrol("ada", ROW)
        place.rename(kept)
        for _ in range(2):
            with pytest.raises(GalleryError, match="no gallery"):
                live.current()
        assert not place.exists()  # nothing is made in its place
        kept.rename(place)
        assert [one.identity for one in live.current().list()] == ["ada"]

    def test_forgotten(self, live: Live) -> None:
        before = live.current()
        live.forget()
        assert live.current() is not before


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError):
        Live(tmp_path / "none.gemel", "g", lambda *_: pytest.fail("opened"))
