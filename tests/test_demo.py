"""The demo runs from beginning to end, on a small scale, and leaves what it says it leaves."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import gemel
from gemel import data, demo


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few alphabets and digits instead of many."""
    whole_drawn, digits = data.drawn, data.digits()

    def few(*, alphabets: int, seed: int, name: str, size: int = 28) -> gemel.Items:
        return whole_drawn(alphabets=5, characters=20, drawers=4, seed=seed, name=name, size=size)

    chosen = np.concatenate([np.flatnonzero(digits.labels == str(d))[:12] for d in range(10)])
    monkeypatch.setattr(demo.data, "drawn", few)
    monkeypatch.setattr(demo.data, "digits", lambda: digits.take(chosen))


@pytest.mark.usefixtures("small")
def test_from_beginning_to_end(tmp_path: Path, data_folder: object) -> None:
    lines: list[str] = []
    folder = data_folder("omniglot")  # type: ignore[operator]
    table = demo.run(tmp_path / "demo", omniglot=folder, minutes=0.05, say=lines.append)
    assert len(table) == 3
    for ours, pixels in table.values():
        assert 0 <= ours.low <= ours.value <= ours.high <= 1
        assert 0 < pixels.value < 1
    text = "\n".join(lines)
    for name in (demo.MODEL, demo.PICTURE, demo.ROC, demo.MAP):
        assert (tmp_path / "demo" / name).is_file()
        assert name in text
    assert gemel.load(tmp_path / "demo" / demo.MODEL).training_summary["data"] == "drawn/train"
    with Image.open(tmp_path / "demo" / demo.PICTURE) as picture:
        assert np.asarray(picture.convert("RGB")).std() > 10
    assert "gemel evaluate" in text


@pytest.mark.usefixtures("small")
def test_without_omniglot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GEMEL_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    lines: list[str] = []
    table = demo.run(tmp_path / "demo", minutes=0.02, say=lines.append)
    assert len(table) == 2
    assert any("--omniglot FOLDER" in line for line in lines)


def test_omniglot_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMEL_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert demo.find_omniglot() is None
    (tmp_path / "omniglot").mkdir()
    (tmp_path / "omniglot" / "all_runs.zip").touch()
    assert demo.find_omniglot() == tmp_path / "omniglot"
