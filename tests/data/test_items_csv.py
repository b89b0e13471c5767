"""A CSV of items: pictures or numbers, and every way in which a row can be bad."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import refusals
from numpy.testing import assert_array_equal

from gemel.data.items_csv import items_csv
from gemel.errors import DataError

PICTURES = ("photos/a1.png", "photos/a2.png", "photos/b1.png", "b2.png")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    for name in PICTURES:
        (tmp_path / name).write_bytes(b"not decoded")
    return tmp_path


def written(home: Path, *lines: str) -> Path:
    return refusals.written(home / "faces.csv", *lines)


problems = partial(refusals.problems, items_csv)
refusal = partial(refusals.refusal, items_csv)


def test_pictures(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")  # paths start at the CSV, wherever the program runs
    path = written(
        home,
        "path,label",
        "photos/a1.png,ada",
        f"{home}/photos/a2.png, ada ",
        "photos/../photos/b1.png,bob",
        "b2.png,bob",
    )
    items = items_csv(path)
    assert [value.resolve() for value in items.values] == [(home / name) for name in PICTURES]
    assert all(isinstance(value, Path) for value in items.values)
    assert items.labels.tolist() == ["ada", "ada", "bob", "bob"]
    assert items.groups is None
    assert (items.kind, items.name, items.skipped) == ("images", "faces", ())
    assert items.origin(0) == f"{home}/photos/a1.png ({path} row 2)"
    assert items_csv(str(path), name="others").name == "others"


def test_groups_and_columns_in_any_order(home: Path) -> None:
    items = items_csv(
        written(
            home, "Group,Label,Path", "x,ada,photos/a1.png", "y,bob,b2.png", "x,ada,photos/a2.png"
        )
    )
    assert items.labels.tolist() == ["ada", "bob", "ada"]
    assert items.groups is not None
    assert items.groups.tolist() == ["x", "y", "x"]
    assert items.class_groups == ("x", "y")


def test_numbers(home: Path) -> None:
    path = written(home, "width,label,height", "1,a,2.5", "-3e2,b, 4 ", "1,b,2.5")
    items = items_csv(path)
    assert isinstance(items.values, np.ndarray)
    assert items.values.dtype == np.float64
    assert_array_equal(items.values, [[1, 2.5], [-300, 4], [1, 2.5]])
    assert items.labels.tolist() == ["a", "b", "b"]
    assert items.kind == "numbers"
    assert items.origin(2) == f"{path} row 4"
    grouped = items_csv(written(home, "label,group,x", "a,g,1", "b,h,2"))
    assert grouped.groups is not None
    assert grouped.groups.tolist() == ["g", "h"]


@pytest.mark.parametrize(
    "header",
    [
        "path,name",
        "path,label,gruop",
        "label,group",
        "label",
        "x,y",
        "path;label",
        ",label,x",
        "a.png,ada",
    ],
)
def test_wrong_headers(home: Path, header: str) -> None:
    path = written(home, header, ",".join("1" * len(header.split(","))))
    message = refusal(path)
    assert message.startswith(f"{path}: expected the header path,label[,group]")
    assert f"found {header!r}" in message


def test_every_bad_row_of_pictures_is_named(home: Path) -> None:
    (home / "empty.png").touch()
    path = written(
        home,
        "path,label",
        "photos/a1.png,ada",
        "gone.png,ada",  # 3
        "b2.png,",  # 4
        ",bob",  # 5
        "photos,bob",  # 6
        "empty.png,bob",  # 7
        "photos/b1.png",  # 8
        "gone.png, ",  # 9
        "b2.png,bob",
        "photos\\a2.png,ada",  # 11
        "a\0b.png,ada",  # 12
    )
    found = problems(path)
    assert found == [
        "8: 1 cells, where the header has 2 (path,label)",
        "3: no file gone.png",
        "4: the label is empty",
        "5: the path is empty",
        "6: photos is a folder, not a picture",
        "7: empty.png is empty (0 bytes)",
        "9: the label is empty",
        "9: no file gone.png",
        "11: no file photos\\a2.png",
        "12: no file a\0b.png",
    ]
    items = items_csv(path, skip_bad=True)
    assert items.labels.tolist() == ["ada", "bob"]
    assert [value.name for value in items.values] == ["a1.png", "b2.png"]
    assert len(items.skipped) == len(found)


def test_the_same_row_twice(home: Path) -> None:
    path = written(
        home, "path,label", "b2.png,bob", "photos/a1.png,ada", "./b2.png,bob", "b2.png,bob"
    )
    assert problems(path) == ["4: says the same as row 2", "5: says the same as row 2"]
    assert items_csv(path, skip_bad=True).labels.tolist() == ["bob", "ada"]


def test_one_picture_under_two_labels(home: Path) -> None:
    (home / "link.png").symlink_to(home / "b2.png")
    path = written(
        home,
        "path,label",
        "b2.png,bob",
        "photos/a1.png,ada",
        "link.png,ada",
        "b2.png,bob",
        "photos/b1.png,bob",
    )
    assert problems(path) == [
        "2: b2.png has label 'bob' here and 'ada' in row 4",
        "4: link.png has label 'ada' here and 'bob' in row 2",
        "5: b2.png has label 'bob' here and 'ada' in row 4",
    ]
    rest = items_csv(path, skip_bad=True)  # nobody can say which label is right
    assert [value.name for value in rest.values] == ["a1.png", "b1.png"]


def test_one_class_in_two_groups(home: Path) -> None:
    path = written(
        home,
        "path,label,group",
        "photos/a1.png,ada,x",
        "photos/b1.png,bob,y",
        "photos/a2.png,ada,y",
        "b2.png,bob,",
    )
    assert problems(path) == [
        "4: class 'ada' is in group 'y' here and in 'x' in row 2",
        "5: the group is empty",
    ]
    rest = items_csv(path, skip_bad=True)
    assert rest.class_groups == ("x", "y")


def test_every_bad_row_of_numbers_is_named(home: Path) -> None:
    path = written(
        home,
        "label,x,y",
        "a,1,2",
        "a,nan,2",
        "b,1,-inf",
        "b,,2",
        "b,one,two",
        "b,1e39,2",
        "b,5,6",
        "a,1.0,2",  # the numbers of row 2 once more
        "c,1,2",  # and under another label, which numbers may have
    )
    assert problems(path) == [
        "3: x is nan, which is no finite 32-bit number",
        "4: y is -inf, which is no finite 32-bit number",
        "5: x is empty",
        "6: x is 'one', which is no number; y is 'two', which is no number",
        "7: x is 1e39, which is no finite 32-bit number",
        "9: says the same as row 2",
    ]
    rest = items_csv(path, skip_bad=True)
    assert rest.labels.tolist() == ["a", "b", "c"]
    assert_array_equal(rest.values, [[1, 2], [5, 6], [1, 2]])


def test_one_class_is_read(home: Path) -> None:
    """It is enough to enrol somebody."""
    path = written(home, "path,label", "b2.png,bob", "photos/b1.png,bob")
    assert items_csv(path).labels.tolist() == ["bob", "bob"]
    path = written(home, "path,label", "gone.png,ada", "b2.png,bob")
    items = items_csv(path, skip_bad=True)
    assert (items.classes, len(items.skipped)) == (("bob",), 1)


def test_no_row_is_good(home: Path) -> None:
    path = written(home, "path,label", "gone.png,bob", "lost.png,ada", "x")
    with pytest.raises(DataError, match=r"none of its 3 rows is good; the first problem: .* row 4"):
        items_csv(path, skip_bad=True)
