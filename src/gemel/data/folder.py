"""`folder`: pictures sorted into a folder per class."""

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gemel.checks import check_any, settle
from gemel.data.files import file_fault
from gemel.errors import DataError, Problem
from gemel.items import Items

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".pgm", ".ppm")
"""The ends of the file names that `folder` takes for pictures, in small or capital letters."""

_LAYOUTS = "expected FOLDER/CLASS/FILE, or FOLDER/GROUP/CLASS/FILE throughout"


def folder(
    path: str | os.PathLike[str], *, skip_bad: bool = False, name: str | None = None
) -> Items:
    """The pictures under `path`, which has a folder per class; no picture is decoded yet.

    `path/CLASS/FILE` gives the label "CLASS"; `path/GROUP/CLASS/FILE` gives the label
    "GROUP/CLASS" and the group "GROUP". Files are taken by the end of their names (`SUFFIXES`);
    others, and hidden files and folders, are passed over. The order is that of the names.

    Args:
        path: the folder of folders.
        skip_bad: go on without bad files; they are listed in `skipped`.
        name: the name of the items; unless given, that of the folder.

    Raises:
        DataError: there is no such folder, it has another layout, or no good picture.
        BadItemsError: an empty class folder; a picture beside the class folders; an empty file, or
            one that may not be read; the same bytes under two labels.
    """
    root = Path(path)
    _check_root(root)
    problems: list[Problem] = []
    files = _sound_files(_labelled_files(root, problems), problems)
    items = Items(
        values=[file.path for file in files],
        labels=np.array([file.label for file in files], dtype=np.str_),
        groups=np.array([file.group for file in files]) if files and files[0].group else None,
        name=name if name is not None else root.resolve().name,
        origins=[str(file.path) for file in files],
        skipped=settle(str(root), problems, skip_bad=skip_bad),
    )
    check_any(items)
    return items


@dataclass(frozen=True)
class _File:
    path: Path
    label: str
    group: str = ""


@dataclass(frozen=True)
class _Listing:
    """What lies in one folder, hidden things apart, sorted by name."""

    path: Path
    folders: Sequence[Path]
    pictures: Sequence[Path]
    others: Sequence[Path]

    def nothing(self) -> str:
        """That no picture lies here, and what does instead."""
        if not self.others:
            return "an empty folder"
        suffixes = Counter(other.suffix.lower() or "no suffix" for other in self.others)
        kinds = ", ".join(f"{count} {suffix}" for suffix, count in sorted(suffixes.items()))
        return f"no pictures in this folder, only files of other kinds ({kinds})"


def _check_root(root: Path) -> None:
    if root.is_dir():
        return
    if root.exists():
        raise DataError(
            f"{root} is a file; expected a folder with a folder of pictures per class. "
            "A CSV is read by items_csv() or pairs_csv()"
        )
    raise DataError(f"no folder {root}; expected a folder with a folder of pictures per class")


def _list(path: Path) -> _Listing:
    try:
        with os.scandir(path) as entries:
            shown = [e for e in entries if not e.name.startswith(".") and e.name != "__MACOSX"]
    except OSError as error:
        raise DataError(f"{path}: the folder cannot be listed: {error.strerror}") from error
    shown.sort(key=lambda entry: entry.name)
    folders = [path / entry.name for entry in shown if entry.is_dir()]
    files = [path / entry.name for entry in shown if not entry.is_dir()]
    return _Listing(
        path,
        folders,
        pictures=[file for file in files if file.suffix.lower() in SUFFIXES],
        others=[file for file in files if file.suffix.lower() not in SUFFIXES],
    )


def _labelled_files(root: Path, problems: list[Problem]) -> list[_File]:
    top = _list(root)
    if not top.folders:
        found = f"{len(top.pictures)} pictures and no folders" if top.pictures else top.nothing()
        raise DataError(
            f"{root}: {_LAYOUTS}, got {found}; make a folder for each class "
            f"and put its pictures ({', '.join(SUFFIXES)}) there"
        )
    problems += [
        Problem(str(stray), "lies beside the class folders", "move it into the folder of its class")
        for stray in top.pictures
    ]
    listings = [_list(inner) for inner in top.folders]
    with_pictures = [listing for listing in listings if listing.pictures]
    with_folders = [listing for listing in listings if listing.folders]
    if with_pictures and with_folders:
        raise DataError(
            f"{root}: {_LAYOUTS}, got pictures in {with_pictures[0].path} "
            f"and folders in {with_folders[0].path}; move them so that all lie equally deep"
        )
    if not with_folders:
        return [file for listing in listings for file in _class_files(listing, "", problems)]
    files = []
    for listing in listings:
        group = listing.path.name
        if not listing.folders:
            problems.append(_empty(listing))
        for inner in listing.folders:
            files += _class_files(_list(inner), group, problems)
    return files


def _class_files(listing: _Listing, group: str, problems: list[Problem]) -> list[_File]:
    if listing.folders:
        raise DataError(
            f"{listing.folders[0]}: {_LAYOUTS}, got a folder below that; move its pictures up"
        )
    if not listing.pictures:
        problems.append(_empty(listing))
    label = f"{group}/{listing.path.name}" if group else listing.path.name
    return [_File(picture, label, group) for picture in listing.pictures]


def _empty(listing: _Listing) -> Problem:
    return Problem(
        str(listing.path),
        listing.nothing(),
        f"put pictures there ({', '.join(SUFFIXES)}), or remove it",
    )


def _sound_files(files: Sequence[_File], problems: list[Problem]) -> list[_File]:
    """The files that can be read and whose bytes stand under one label; the others are problems."""
    readable = []
    for file in files:
        fault = file_fault(file.path)
        if fault is None:
            readable.append(file)
        else:
            problems.append(Problem(str(file.path), *fault))
    torn = _under_two_labels(readable)
    for file in readable:
        if file in torn:
            problems.append(
                Problem(
                    str(file.path),
                    f"the same picture as {torn[file].path}, which has another label",
                    "remove it from the class where it does not belong",
                )
            )
    return [file for file in readable if file not in torn]


def _under_two_labels(files: Sequence[_File]) -> dict[_File, _File]:
    """For each file whose bytes also stand under another label, the first such other file.

    Only files of equal size are read.
    """
    by_size: dict[int, list[_File]] = defaultdict(list)
    for file in files:
        by_size[file.path.stat().st_size].append(file)
    by_bytes: dict[bytes, list[_File]] = defaultdict(list)
    for alike in by_size.values():
        if len({file.label for file in alike}) > 1:
            for file in alike:
                by_bytes[_digest(file.path)].append(file)
    torn: dict[_File, _File] = {}
    for alike in by_bytes.values():
        first = alike[0]
        other = next((file for file in alike if file.label != first.label), None)
        if other is not None:
            torn |= {file: other if file.label == first.label else first for file in alike}
    return torn


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
