"""`read` picks the reader by what the path leads to."""

from pathlib import Path

import pytest

from gemel.data.read import read
from gemel.errors import BadItemsError, DataError
from gemel.items import Items, Pairs


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name in ("ada/1.png", "ada/2.png", "bob/1.png"):
        path = tmp_path / "faces" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path


def test_a_folder(home: Path) -> None:
    items = read(home / "faces")
    assert isinstance(items, Items)
    assert items.labels.tolist() == ["ada", "ada", "bob"]
    assert read(str(home / "faces"), name="x").name == "x"


@pytest.mark.parametrize("header", ["path,label", "Path, LABEL"])
def test_a_csv_of_items(home: Path, header: str) -> None:
    path = home / "items.CSV"
    path.write_text(f"{header}\nfaces/ada/1.png,ada\nfaces/bob/1.png,bob\n")
    items = read(path)
    assert isinstance(items, Items)
    assert (items.kind, items.name) == ("images", "items")
    path.write_text("label,left_eye,same\na,1,2\nb,3,4\n")  # `label` decides
    numbers = read(path)
    assert isinstance(numbers, Items)
    assert numbers.kind == "numbers"


@pytest.mark.parametrize("header", ["left,right,same", "LEFT_1,right_1,Same"])
def test_a_csv_of_pairs(home: Path, header: str) -> None:
    path = home / "pairs.csv"
    path.write_text(f"{header}\n1,2,yes\n1,3,no\n")
    pairs = read(path, name="y")
    assert isinstance(pairs, Pairs)
    assert (pairs.kind, pairs.name, len(pairs)) == ("numbers", "y", 2)


def test_skip_bad_is_handed_on(home: Path) -> None:
    (home / "faces/bob/2.png").touch()
    for name, lines in {
        "items.csv": "label,x\na,1\nb,2\nb,nan\n",
        "pairs.csv": "left_1,right_1,same\n1,2,yes\n1,3,no\n1,4,so\n",
    }.items():
        (home / name).write_text(lines)
    for name in ("faces", "items.csv", "pairs.csv"):
        with pytest.raises(BadItemsError):
            read(home / name)
        assert len(read(home / name, skip_bad=True).skipped) == 1


def test_a_header_of_neither_kind(home: Path) -> None:
    path = home / "some.csv"
    path.write_text("left,right\n1,2\n")
    with pytest.raises(DataError, match="expected the header left,right,same"):
        read(path)
    path.write_text("file,name\n1,2\n")
    with pytest.raises(DataError, match="expected the header path,label"):
        read(path)


def test_what_cannot_be_read(home: Path) -> None:
    with pytest.raises(DataError, match=r"no file or folder .*gone; expected a folder per class"):
        read(home / "gone")
    with pytest.raises(DataError, match=r"ends in \.csv; got a file that ends in \.png"):
        read(home / "faces/ada/1.png")
    (home / "words").write_text("x")
    with pytest.raises(DataError, match="ends in nothing"):
        read(home / "words")


def test_published_sets_have_their_own_readers(tmp_path: Path) -> None:
    for file, reader in {
        "images_background.zip": "omniglot",
        "train-images-idx3-ubyte.gz": "mnist",
        "patches0000.bmp": "brown",
        "graf/H1to2p": "correspondences",
    }.items():
        folder = tmp_path / reader
        (folder / file).parent.mkdir(parents=True)
        (folder / file).touch()
        with pytest.raises(DataError, match=rf"read them with gemel\.data\.{reader}\('"):
            read(folder)
