"""The demo runs from beginning to end, on a small scale, and leaves what it says it leaves."""

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

import gemel
from gemel import Items, Siamese, data, demo
from gemel.errors import MissingExtraError
from gemel.inputs import read_items
from gemel.leaks import digests, marks


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few alphabets and digits instead of many."""
    whole_drawn, digits = data.drawn, data.digits()

    def few(
        *, alphabets: int, seed: int, name: str, size: int = 28, drawers: int = 20
    ) -> gemel.Items:
        return whole_drawn(alphabets=5, characters=20, drawers=4, seed=seed, name=name, size=size)

    chosen = np.concatenate([np.flatnonzero(digits.labels == str(d))[:12] for d in range(10)])
    monkeypatch.setattr(demo.data, "drawn", few)
    monkeypatch.setattr(demo.data, "digits", lambda: digits.take(chosen))


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """What `serve` is asked for: it serves nothing."""
    asked: list[tuple[object, ...]] = []
    serving = ModuleType("gemel.serving")
    serving.serve = lambda *words, **named: asked.append((*words, named["open_browser"]))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gemel.serving", serving)
    return asked


@pytest.fixture
def without_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    serving = ModuleType("gemel.serving")

    def refuse(name: str) -> object:
        if name != "serve":
            raise AttributeError(name)
        raise MissingExtraError("the service needs an extra")

    serving.__getattr__ = refuse  # type: ignore[method-assign]
    monkeypatch.setitem(sys.modules, "gemel.serving", serving)


@pytest.mark.usefixtures("small")
def test_from_beginning_to_end(
    tmp_path: Path, data_folder: object, served: list[tuple[object, ...]]
) -> None:
    lines: list[str] = []
    folder = data_folder("omniglot")  # type: ignore[operator]
    out = tmp_path / "demo"
    table = demo.run(out, omniglot=folder, minutes=0.05, say=lines.append, page=lambda: True)
    assert len(table) == 3
    for ours, pixels in table.values():
        assert 0 <= ours.low <= ours.value <= ours.high <= 1
        assert 0 < pixels.value < 1
    text = "\n".join(lines)
    for name in (demo.MODEL, demo.PICTURE, demo.ROC, demo.MAP, demo.GALLERY):
        assert (out / name).is_file()
        assert name in text
    model = gemel.load(out / demo.MODEL)
    assert model.training_summary["data"] == "drawn/train"
    with Image.open(out / demo.PICTURE) as picture:
        assert np.asarray(picture.convert("RGB")).std() > 10
    assert "gemel evaluate" in text
    assert f"gemel serve {out / demo.MODEL} {out / demo.GALLERY}" in text
    assert served == [(out / demo.MODEL, str(out / demo.GALLERY), True)]
    _is_calibrated_on_others(model)
    with gemel.Gallery.open(out / demo.GALLERY, model, create=False) as gallery:
        assert gallery.stats().keeps_originals
        gallery.enrol("square", np.full((42, 42), 255, dtype=np.uint8))
        assert gallery.identify(np.full((42, 42), 255, dtype=np.uint8)).identity == "square"


def _is_calibrated_on_others(model: Siamese) -> None:
    found = model.calibration
    assert found is not None
    assert model.calibrated_on is not None
    assert model.threshold == found.threshold
    assert len(found.trade_off) > 50
    assert (found.warnings, found.split) == ((), "drawn/calibration")
    for items in demo.unseen_tests(0).values():
        tested = marks(items, digests(read_items(model.input, items)[1]))
        assert not np.isin(tested.items, model.calibrated_on.items).any()
        assert not np.isin(tested.classes, model.calibrated_on.classes).any()


@pytest.mark.usefixtures("small", "without_extra")
def test_without_omniglot_or_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GEMEL_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    lines: list[str] = []
    table = demo.run(tmp_path / "demo", minutes=0.02, say=lines.append, page=lambda: True)
    assert len(table) == 2
    assert any("--omniglot FOLDER" in line for line in lines)
    assert lines[-1].strip() == "this needs an extra: pip install 'gemel[serve]'"


@pytest.mark.usefixtures("small")
def test_calibration_shares_no_alphabet() -> None:
    """Neither with what the demo is trained and tested on, nor with `drawn` as a test's data."""
    ours, other = demo.calibration_symbols(0), demo.calibration_symbols(1)
    assert set(ours.class_groups).isdisjoint(other.class_groups)
    assert {name.split("-")[0] for name in ours.class_groups} == {"seed1000"}
    assert {name.split("-")[0] for name in other.class_groups} == {"seed1002"}


class TestOffer:
    def test_is_not_opened_unless_wanted(
        self, tmp_path: Path, served: list[tuple[object, ...]]
    ) -> None:
        lines: list[str] = []
        demo._offer_page(tmp_path / "m", tmp_path / "g", demo._no, lines.append)
        assert served == []
        assert lines[0].endswith(f"gemel serve {tmp_path / 'm'} {tmp_path / 'g'}")
        assert not any("pip install" in line for line in lines)


class TestGallery:
    def other(self, seed: int) -> Siamese:
        model = demo.new_model(seed)
        model.threshold = 0.1
        return model

    def test_what_was_enrolled_is_kept(self, symbols: Items, tmp_path: Path) -> None:
        lines: list[str] = []
        first, second = self.other(0), self.other(1)
        place = demo._gallery(first, tmp_path, lines.append)
        assert demo._gallery(second, tmp_path, lines.append) == place == tmp_path / demo.GALLERY
        assert lines == []  # nothing was enrolled
        with gemel.Gallery.open(place, second) as gallery:
            for item in (0, 6):
                gallery.enrol(f"symbol {item}", symbols.values[item], note="mine")
        assert demo._gallery(first, tmp_path, lines.append) == place
        assert lines == [f"{place} keeps what was enrolled (2), embedded anew by this model"]
        with gemel.Gallery.open(place, first) as gallery:
            assert [entry.identity for entry in gallery.list()] == ["symbol 0", "symbol 6"]
            assert gallery.identify(symbols.values[6]).identity == "symbol 6"

    def test_what_cannot_be_taken_over_stays(self, symbols: Items, tmp_path: Path) -> None:
        lines: list[str] = []
        first, second = self.other(0), self.other(1)
        old = tmp_path / demo.GALLERY
        with gemel.Gallery.open(old, first, keep_originals=False) as gallery:
            gallery.enrol("mine", symbols.values[0])
        before = old.read_bytes()
        (tmp_path / "demo-2.gallery").write_text("no gallery at all")
        place = demo._gallery(second, tmp_path, lines.append)
        assert place == tmp_path / "demo-3.gallery"
        assert old.read_bytes() == before
        assert lines[0].startswith(f"{old} stays as it is: the gallery {old} keeps no originals")
        assert "demo-2.gallery stays as it is: " in lines[1]
        with gemel.Gallery.open(place, second) as gallery:
            assert gallery.stats().keeps_originals
            assert gallery.list() == ()
        assert demo._gallery(first, tmp_path, lines.append) == place


def test_omniglot_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMEL_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert demo.find_omniglot() is None
    (tmp_path / "omniglot").mkdir()
    (tmp_path / "omniglot" / "all_runs.zip").touch()
    assert demo.find_omniglot() == tmp_path / "omniglot"
