"""Quarter turns: what they show, what they are called, and that nothing is copied."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from gemel.data.pictures import Turned, read_picture
from gemel.data.turns import quarter_turns
from gemel.errors import DataError, Problem
from gemel.items import Items

DRAWINGS = np.random.default_rng(0).integers(0, 256, (3, 4, 5), dtype=np.uint8)


def test_names_of_turned_classes() -> None:
    items = Items(
        values=DRAWINGS,
        labels=np.array(["A/c1", "A/c2", "B/c1"]),
        groups=np.array(["A", "A", "B"]),
        name="some",
        details={"drawer": np.array([1, 2, 3])},
        skipped=(Problem("x", "bad"),),
    )
    turned = quarter_turns(items)
    assert len(turned) == 12
    assert turned.labels.tolist() == [
        *("A/c1", "A/c2", "B/c1"),
        *("A/c1@90", "A/c2@90", "B/c1@90"),
        *("A/c1@180", "A/c2@180", "B/c1@180"),
        *("A/c1@270", "A/c2@270", "B/c1@270"),
    ]
    assert turned.groups is not None
    assert turned.groups.tolist()[:6] == ["A", "A", "B", "A@90", "A@90", "B@90"]
    assert turned.class_groups[turned.classes.index("B/c1@270")] == "B@270"
    assert turned.details["drawer"].tolist() == [1, 2, 3] * 4
    assert turned.skipped == items.skipped
    assert turned.origin(1) == "some item 1"
    assert turned.origin(10) == "some item 1 turned 270"


def test_arrays_are_turned_as_views() -> None:
    items = Items(values=DRAWINGS, labels=np.array(["a", "b", "c"]))
    turned = quarter_turns(items)
    assert turned.groups is None
    for place, value in enumerate(turned.values):
        turns, item = divmod(place, 3)
        assert np.shares_memory(value, DRAWINGS)
        assert_array_equal(value, np.rot90(DRAWINGS[item], turns))  # counter-clockwise
    top_left = DRAWINGS[0, 0, 0]
    assert [np.asarray(turned.values[3 * k])[c] for k, c in enumerate(CORNERS)] == [top_left] * 4


CORNERS = [(0, 0), (-1, 0), (-1, -1), (0, -1)]  # counter-clockwise from the top left


def test_files_and_pictures_are_turned_when_read(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(DRAWINGS[0]).save(path)
    picture = Image.fromarray(DRAWINGS[1])
    items = Items(values=[path, picture], labels=np.array(["a", "b"]), origins=["a.png", "b"])
    turned = quarter_turns(items)
    assert turned.values[0] is path
    assert turned.values[2] == Turned(path, 1)
    assert turned.origin(2) == "a.png turned 90"
    for place, value in enumerate(turned.values):
        turns, item = divmod(place, 2)
        assert_array_equal(np.asarray(read_picture(value)), np.rot90(DRAWINGS[item], turns))


def test_turns_of_turns_compose() -> None:
    twice = quarter_turns(quarter_turns(Items(values=["x.png"], labels=np.array(["a"]))))
    assert len(twice) == 16
    assert "a@90@270" in twice.classes


def test_numbers_cannot_be_turned() -> None:
    items = Items(values=np.ones((2, 3)), labels=np.array(["a", "b"]), kind="numbers", name="rows")
    with pytest.raises(DataError, match=r"rows: only pictures can be turned.* numbers"):
        quarter_turns(items)
