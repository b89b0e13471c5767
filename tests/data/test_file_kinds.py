"""Folders and CSVs of pen recordings, of pictures beside other files, and of kinds of one's own."""

import json
from pathlib import Path

import pytest
from PIL import Image
from refusals import problems, refusal, written

from gemel.data import FileKind, folder, items_csv, pairs_csv, read
from gemel.errors import BadItemsError

SOUNDS = FileKind("sounds", "recording", (".wav",))
FORMS = {
    ".csv": "x,y,t\n1,2,0\n{0},3,10\n",
    ".txt": "2\n1 2 0 1\n{0} 3 10 1\n",
    ".json": "[[[1, 2, 0], [{0}, 3, 10]]]",
    ".inkml": "<ink><trace>1 2 0, {0} 3 10</trace></ink>",
}


def pen(path: Path, number: int = 0) -> Path:
    """A recording whose format is that of its end, with a number of its own in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(FORMS[path.suffix.lower()].format(number))
    return path


def picture(path: Path, tone: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (9, 9), tone).save(path)
    return path


def test_a_folder_of_pens_of_every_format(tmp_path: Path) -> None:
    files = [
        pen(tmp_path / person / f"{number}{end}", number + 10 * len(person))
        for person in ("ada", "bobby")
        for number, end in enumerate([*FORMS, ".CSV"])
    ]
    items = folder(tmp_path)
    assert items.kind == "pens"
    assert items.values == sorted(files)
    assert items.labels.tolist() == ["ada"] * 5 + ["bobby"] * 5
    assert read(tmp_path).kind == "pens"


def test_forgeries_are_a_class_of_their_signer_s_group(tmp_path: Path) -> None:
    for signer in range(2):
        for number in range(4):
            kind = "genuine" if number % 2 else "forged"
            pen(tmp_path / f"signer{signer}" / kind / f"{number}.csv", 10 * signer + number)
    items = folder(tmp_path)
    assert items.classes == (
        "signer0/forged",
        "signer0/genuine",
        "signer1/forged",
        "signer1/genuine",
    )
    assert items.class_groups == ("signer0", "signer0", "signer1", "signer1")


def test_pens_and_pictures_in_one_folder_are_refused(tmp_path: Path) -> None:
    pen(tmp_path / "ada/1.json")
    picture(tmp_path / "bob/1.png")
    assert refusal(folder, tmp_path) == (
        f"{tmp_path}: expected files of one kind, got pictures such as {tmp_path}/bob/1.png "
        f"and pen recordings such as {tmp_path}/ada/1.json; move one of them to a folder of its own"
    )


def test_texts_beside_pictures_are_passed_over(tmp_path: Path) -> None:
    for name in ("ada", "bob"):
        picture(tmp_path / name / "1.png", len(name) + ord(name[0]))
        (tmp_path / name / "1.json").write_text(json.dumps({"camera": name}))
        (tmp_path / name / "notes.txt").write_text("blurred")
    (tmp_path / "labels.csv").write_text("path,label\n")
    items = folder(tmp_path)
    assert (items.kind, len(items)) == ("images", 2)


def test_texts_beside_the_folders_of_pens_are_passed_over_unless_they_are_pens(
    tmp_path: Path,
) -> None:
    for name in ("ada", "bob"):
        pen(tmp_path / name / "1.csv", ord(name[0]))
    (tmp_path / "README.txt").write_text("how they were recorded")
    assert len(folder(tmp_path)) == 2
    stray = pen(tmp_path / "3.csv", 3)
    with pytest.raises(BadItemsError, match="lies beside the class folders") as caught:
        folder(tmp_path)
    assert [problem.where for problem in caught.value.problems] == [str(stray)]


def test_all_bad_pens_of_a_folder_are_named_at_once(tmp_path: Path) -> None:
    pen(tmp_path / "ada/1.csv", 1)
    (tmp_path / "ada/2.csv").touch()
    (tmp_path / "bob").mkdir()
    pen(tmp_path / "cy/1.csv", 1)
    with pytest.raises(BadItemsError) as caught:
        folder(tmp_path)
    found = [str(problem) for problem in caught.value.problems]
    assert len(found) == 4
    assert "bob: an empty folder (put pictures (.jpg, " in found[0]
    assert "or pen recordings (.txt, .csv, .inkml, .json) there" in found[0]
    assert "put the pen recording there again" in found[1]
    assert all("the same pen recording as" in each for each in found[2:])


def test_a_kind_of_one_s_own(tmp_path: Path) -> None:
    for name in ("ada", "bob"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.WAV").write_bytes(name.encode())
        picture(tmp_path / name / "cover.png")
    items = folder(tmp_path, files=[SOUNDS])
    assert (items.kind, [value.name for value in items.values]) == ("sounds", ["1.WAV"] * 2)
    picture(tmp_path / "cy/cover.png")
    with pytest.raises(BadItemsError, match=r"only files of other kinds \(1 .png\) \(put record"):
        folder(tmp_path, files=[SOUNDS])
    table = written(tmp_path / "a.csv", "path,label", "ada/1.WAV,a", "bob/1.WAV,b")
    assert items_csv(table, files=[SOUNDS]).kind == "sounds"
    table = written(
        tmp_path / "p.csv", "left,right,same", "ada/1.WAV,bob/1.WAV,no", "cy/2.wav,bob/1.WAV,yes"
    )
    (tmp_path / "cy/2.wav").write_bytes(b"cy")
    assert pairs_csv(table, files=[SOUNDS]).kind == "sounds"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for number in range(4):
        pen(tmp_path / f"{number}.csv", number)
    picture(tmp_path / "1.png")
    return tmp_path


def test_a_csv_of_items_that_are_pens(home: Path) -> None:
    table = written(home / "items", "path,label,group", *(f"{n}.csv,{n // 2},g" for n in range(4)))
    items = items_csv(table)
    assert (items.kind, items.values) == ("pens", [home / f"{n}.csv" for n in range(4)])
    assert items.labels.tolist() == ["0", "0", "1", "1"]


def test_every_bad_row_of_pens_is_named(home: Path) -> None:
    (home / "empty.csv").touch()
    rows = [
        "0.csv,a",
        "1.csv,a",
        "2.csv,b",
        ",b",
        "gone.csv,b",
        "empty.csv,b",
        "1.png,b",
        "0.csv,b",
    ]
    assert problems(items_csv, written(home / "items", "path,label", *rows)) == [
        "2: 0.csv has label 'a' here and 'b' in row 9",
        "5: the path is empty",
        "6: no file gone.csv",
        "7: empty.csv is empty (0 bytes)",
        "8: 1.png is a picture by its name, where most rows have pen recordings",
        "9: 0.csv has label 'b' here and 'a' in row 2",
    ]


def test_a_csv_of_pairs_of_pens_and_of_pens_and_pictures(home: Path) -> None:
    pens = ["0.csv,1.csv,yes", "0.csv,2.csv,no", "2.csv,3.csv,yes"]
    pairs = pairs_csv(written(home / "pairs.csv", "left,right,same", *pens))
    assert (pairs.kind_of("left"), pairs.kind_of("right"), len(pairs.values)) == ("pens",) * 2 + (
        4,
    )
    picture(home / "2.png", 9)
    both = ["0.csv,1.png,yes", "1.csv,2.png,no"]
    pairs = pairs_csv(written(home / "both.csv", "left,right,same", *both))
    assert (pairs.kind_of("left"), pairs.kind_of("right")) == ("pens", "images")


def test_every_bad_row_of_pairs_of_pens_is_named(home: Path) -> None:
    rows = [
        "0.csv,1.csv,yes",
        "0.csv,2.csv,no",
        "1.png,2.csv,no",
        "3.csv,gone.json,no",
        ",3.csv,no",
    ]
    assert problems(pairs_csv, written(home / "pairs", "left,right,same", *rows)) == [
        "4: 1.png is a picture by its name, where most rows have pen recordings",
        "5: no file gone.json",
        "6: left is empty",
    ]


def test_the_files_of_svc2004_have_a_reader_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "U1S1.TXT").write_text("x")
    assert "read them with gemel.data.svc2004(" in refusal(read, tmp_path)
