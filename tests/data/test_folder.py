"""A folder per class: what is found, in what order, and what is refused before any decoding."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gemel.data.folder import folder
from gemel.errors import BadItemsError, DataError


def fill(root: Path, files: dict[str, bytes | str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    return fill(
        tmp_path / "faces",
        {"bob/2.PNG": "b2", "bob/1.jpg": "b1", "ada/x.tiff": "a1", "ada/y.webp": "a22"},
    )


def refusal(root: Path) -> str:
    with pytest.raises(DataError) as caught:
        folder(root)
    assert not isinstance(caught.value, BadItemsError)
    return str(caught.value)


def problems(root: Path) -> list[str]:
    with pytest.raises(BadItemsError) as caught:
        folder(root)
    assert all(problem.remedy for problem in caught.value.problems)
    return [str(problem) for problem in caught.value.problems]


def test_a_folder_per_class(faces: Path) -> None:
    items = folder(faces)
    assert items.values == [
        faces / name for name in ("ada/x.tiff", "ada/y.webp", "bob/1.jpg", "bob/2.PNG")
    ]
    assert all(isinstance(value, Path) for value in items.values)
    assert items.labels.tolist() == ["ada", "ada", "bob", "bob"]
    assert items.groups is None
    assert (items.kind, items.name, items.skipped) == ("images", "faces", ())
    assert items.origin(2) == str(faces / "bob/1.jpg")
    assert folder(str(faces), name="others").name == "others"


def test_every_kind_of_file_in_small_and_capital_letters(tmp_path: Path) -> None:
    suffixes = ["jpg", "jpeg", "png", "bmp", "webp", "tif", "tiff", "JPG", "Jpeg", "TIF"]
    names = [f"a/{i}.{suffix}" for i, suffix in enumerate(suffixes)]
    items = folder(fill(tmp_path, {name: name for name in [*names, "b/1.png"]}))
    assert [value.relative_to(tmp_path).as_posix() for value in items.values] == [*names, "b/1.png"]


def test_groups(tmp_path: Path) -> None:
    names = ["greek/beta/1.png", "greek/alpha/1.png", "latin/alpha/1.png"]
    items = folder(fill(tmp_path, {name: name for name in names}))
    assert items.labels.tolist() == ["greek/alpha", "greek/beta", "latin/alpha"]
    assert items.groups is not None
    assert items.groups.tolist() == ["greek", "greek", "latin"]
    assert items.class_groups == ("greek", "greek", "latin")


def test_hidden_and_other_files_are_passed_over(faces: Path) -> None:
    fill(
        faces,
        {
            ".hidden/1.png": "x",
            "__MACOSX/ada/1.png": "x",
            "ada/.DS_Store": "x",
            "ada/._x.tiff": "x",
            "ada/.cache/1.png": "x",
            "ada/notes.txt": "x",
            "README.md": "x",
        },
    )
    assert len(folder(faces)) == 4


def test_links_are_followed(faces: Path, tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to(faces)
    (faces / "cy").symlink_to(fill(tmp_path / "elsewhere", {"1.png": "c1"}))
    items = folder(tmp_path / "linked")
    assert items.labels.tolist() == ["ada", "ada", "bob", "bob", "cy"]


def test_missing_folder(tmp_path: Path) -> None:
    assert refusal(tmp_path / "gone").startswith(f"no folder {tmp_path / 'gone'}; expected")


def test_a_file_instead(faces: Path) -> None:
    assert "is a file; expected a folder" in refusal(faces / "ada/x.tiff")


def test_empty_folder(tmp_path: Path) -> None:
    message = refusal(tmp_path)
    assert "got an empty folder; make a folder for each class" in message
    assert "FOLDER/CLASS/FILE" in message


def test_only_other_files(tmp_path: Path) -> None:
    fill(tmp_path, {"a.heic": "x", "b.heic": "x", "README": "x"})
    message = refusal(tmp_path)
    assert "only files of other kinds (2 .heic, 1 no suffix)" in message
    assert ".jpg, .jpeg, .png" in message


def test_pictures_without_class_folders(tmp_path: Path) -> None:
    fill(tmp_path, {"a.png": "x", "b.png": "x"})
    assert "got 2 pictures and no folders" in refusal(tmp_path)


def test_one_class_is_read(tmp_path: Path) -> None:
    """It is enough to enrol somebody."""
    items = folder(fill(tmp_path / "faces", {"ada/1.png": "x", "ada/2.png": "yy"}))
    assert items.labels.tolist() == ["ada", "ada"]


def test_one_class_left(faces: Path) -> None:
    for path in (faces / "bob").iterdir():
        path.write_bytes(b"")
    items = folder(faces, skip_bad=True)
    assert (items.classes, len(items.skipped)) == (("ada",), 2)


def test_nothing_left(tmp_path: Path) -> None:
    for label in ("ada", "bob"):
        (tmp_path / label).mkdir()
    with pytest.raises(DataError, match="expected items, got none once 2 bad items are left out"):
        folder(tmp_path, skip_bad=True)


def test_layouts_mixed(tmp_path: Path) -> None:
    fill(tmp_path, {"ada/1.png": "x", "latin/a/1.png": "y"})
    message = refusal(tmp_path)
    assert f"got pictures in {tmp_path / 'ada'} and folders in {tmp_path / 'latin'}" in message


def test_too_deep(tmp_path: Path) -> None:
    fill(tmp_path, {"a/b/1.png": "x", "a/c/d/1.png": "y"})
    assert refusal(tmp_path).startswith(f"{tmp_path / 'a/c/d'}: expected")


def test_a_folder_that_cannot_be_listed(faces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    assert refusal(faces) == f"{faces}: the folder cannot be listed: Permission denied"


def test_all_problems_are_named_at_once(faces: Path) -> None:
    fill(faces, {"stray.png": "s", "cy/1.png": "c1", "cy/2.png": "", "ed/notes.txt": "x"})
    (faces / "dan").mkdir()
    (faces / "cy/3.png").symlink_to("nowhere.png")
    found = problems(faces)
    assert len(found) == 5
    assert found[0].startswith(f"{faces / 'stray.png'}: lies beside the class folders")
    assert found[1].startswith(f"{faces / 'dan'}: an empty folder")
    assert found[2].startswith(f"{faces / 'ed'}: no pictures in this folder, only files of other")
    assert "(1 .txt)" in found[2]
    assert found[3].startswith(f"{faces / 'cy/2.png'}: ")
    assert "empty (0 bytes)" in found[3]
    assert "leads nowhere" in found[4]

    items = folder(faces, skip_bad=True)
    assert items.labels.tolist() == ["ada", "ada", "bob", "bob", "cy"]
    assert [str(problem) for problem in items.skipped] == found


def test_empty_group_and_class_in_groups(tmp_path: Path) -> None:
    fill(tmp_path, {"latin/a/1.png": "x", "latin/b/1.png": "y", "greek/notes.txt": "z"})
    (tmp_path / "latin/c").mkdir()
    found = problems(tmp_path)
    assert [line.split(":")[0] for line in found] == [
        str(tmp_path / "greek"),
        str(tmp_path / "latin/c"),
    ]
    assert folder(tmp_path, skip_bad=True).labels.tolist() == ["latin/a", "latin/b"]


def test_the_same_bytes_under_two_labels(faces: Path) -> None:
    fill(
        faces,
        {
            "ada/same.png": "twin",
            "ada/same2.png": "twin",
            "bob/also.png": "twin",
            "bob/size.png": "size",  # as long, but other bytes
            "bob/9.png": "b9",
            "bob/again.png": "b9",  # twice under one label: allowed
        },
    )
    found = problems(faces)
    expected = {"ada/same.png": "bob/also", "ada/same2.png": "bob/also", "bob/also.png": "ada/same"}
    assert len(found) == 3
    for line, (name, other) in zip(found, expected.items(), strict=True):
        assert line.startswith(f"{faces / name}: the same picture as {faces / other}.png, which")
    names = [path.name for path in folder(faces, skip_bad=True).values]
    assert names == ["x.tiff", "y.webp", "1.jpg", "2.PNG", "9.png", "again.png", "size.png"]


def test_only_files_of_equal_size_are_read(faces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (faces / "ada/x.tiff").write_bytes(b"as")  # as long as both of bob's, other than ada's y
    read: list[str] = []
    plain_open = Path.open

    def counted(self: Path, *arguments: str) -> object:
        read.append(self.name)
        return plain_open(self, *arguments)

    monkeypatch.setattr(Path, "open", counted)
    folder(faces)
    assert sorted(read) == ["1.jpg", "2.PNG", "x.tiff"]


def test_no_picture_is_decoded(faces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        pytest.fail("a picture was decoded")

    monkeypatch.setattr(Image, "open", refuse)
    assert len(folder(faces)) == 4  # the files hold no pictures at all


def test_the_order_does_not_depend_on_the_disk(
    faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = folder(faces).values
    plain = os.scandir

    class Shuffled:
        def __init__(self, path: Path) -> None:
            entries = list(plain(path))
            self.entries = [entries[i] for i in np.random.default_rng(1).permutation(len(entries))]

        def __enter__(self) -> list[os.DirEntry[str]]:
            return self.entries[::-1]

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(os, "scandir", Shuffled)
    assert folder(faces).values == expected
