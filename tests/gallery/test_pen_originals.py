"""What a gallery keeps of pen recordings, however they were given, and can read again."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gemel import Gallery, Siamese, encoders, inputs, metrics
from gemel.data import pen_picture, read_pen
from gemel.errors import BadItemsError, DataError
from gemel.gallery import originals

STROKES = [[[0, 0, 0, 0.2], [3, 4, 11, 0.8], [5, 1, 25.5, 0.4]], [[6, 6, 60, 0.3], [7, 9, 72, 0.5]]]
BARE = [[point[:3] for point in stroke] for stroke in STROKES]
SVC = b"3\n10 20 100 1\n12 25 110 1\n15 21 125 0\n"


def model(seed: int = 0, points: int = 32) -> Siamese:
    made = Siamese(inputs.Pens(points), encoders.AlignedTDNN(), metrics.DTW(10), seed=seed)
    made.threshold = 1.0
    return made


def given(folder: Path) -> dict[str, Any]:
    """Recordings in all the ways in which they come."""
    file = folder / "a.txt"
    file.write_bytes(SVC)
    return {
        "path": file,
        "text path": str(file),
        "bytes": SVC,
        "strokes": STROKES,
        "numpy strokes": [[tuple(np.float32(point)) for point in stroke] for stroke in STROKES],
        "named": {"strokes": [[dict(zip("xyt", p, strict=True)) for p in one] for one in BARE]},
        "array": np.concatenate([np.array(one) for one in BARE]),
        "array of five": np.array([[0, 0, 0, 3, 1], [1, 2, 9, 0, 0], [2, 1, 20, 4, 1.0]]),
        "recording": read_pen(STROKES),
        "recording without pressure": read_pen(BARE),
    }


def test_what_is_kept_reads_as_what_was_given(tmp_path: Path) -> None:
    pens = inputs.Pens(32)
    for name, value in given(tmp_path).items():
        data = originals.encoded(value, "pens", name)
        found = pens.read(originals.decoded(data, "pens"))
        np.testing.assert_allclose(found, pens.read(value), atol=1e-6, err_msg=name)
    assert originals.encoded(tmp_path / "a.txt", "pens", "a") == SVC
    assert json.loads(originals.encoded(STROKES, "pens", "a")) == STROKES


def test_a_thumbnail_is_drawn() -> None:
    small = originals.thumbnail(json.dumps(STROKES).encode(), "pens", "a")
    assert small is not None
    drawn = np.asarray(Image.open(BytesIO(small)))
    np.testing.assert_array_equal(drawn, np.asarray(pen_picture(read_pen(STROKES), 96)))


def test_a_gallery_is_made_anew_for_another_model(tmp_path: Path) -> None:
    place, old, new = tmp_path / "g", model(), model(seed=1, points=48)
    ways = given(tmp_path)
    with Gallery.open(place, old, keep_originals=True) as gallery:
        numbers = {name: gallery.enrol(name, value) for name, value in ways.items()}
        assert all(gallery.thumbnail(one) for one in numbers.values())
    Gallery.reembed(place, new)
    with Gallery.open(place, new) as gallery:
        for name, value in ways.items():
            distance = gallery.verify(name, STROKES).comparison.distance
            assert distance == pytest.approx(new.compare(STROKES, value).distance, abs=1e-5), name
        gallery.export(tmp_path / "all.zip")
        kept = [(gallery.original(one), gallery.thumbnail(one)) for one in numbers.values()]
    with Gallery.open(tmp_path / "h", new, keep_originals=True) as other:
        other.import_(tmp_path / "all.zip")
        assert [
            (other.original(one), other.thumbnail(one)) for one in range(1, 1 + len(kept))
        ] == kept


def test_what_is_no_recording_is_not_kept(tmp_path: Path) -> None:
    with Gallery.open(tmp_path / "g", model(), keep_originals=True) as gallery:
        for value in (b"nothing", [[[0, 0, 0]]], [[["a", 1, 2], [1, 1, 5]]], [[[None] * 3] * 2]):
            with pytest.raises(BadItemsError):
                gallery.enrol("ada", value)
        with pytest.raises(BadItemsError, match="no file"):
            gallery.enrol("ada", tmp_path / "none.txt")
        assert gallery.stats().references == 0
    with pytest.raises(DataError, match=r"a: expected strokes; got \[\[\{1, 2\}\]\]"):
        originals.encoded([[{1, 2}]], "pens", "a")


def test_of_a_kind_of_ones_own_files_are_kept(tmp_path: Path) -> None:
    kind = "sounds"
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    for value in (b"RIFF", tmp_path / "a.wav"):
        assert originals.encoded(value, kind, "a") == b"RIFF"
    assert originals.decoded(b"RIFF", kind) == b"RIFF"
    assert originals.thumbnail(b"RIFF", kind, "a") is None
    with pytest.raises(DataError, match="of sounds a gallery can keep files and bytes; got list"):
        originals.encoded([1, 2], kind, "a")
