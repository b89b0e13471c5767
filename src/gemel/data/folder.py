"""`folder`: files sorted into a folder per class."""

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gemel.checks import check_any, settle
from gemel.data.file_kinds import KNOWN, FileKind, only_kind
from gemel.data.files import file_fault
from gemel.errors import DataError, Problem
from gemel.items import Items

_LAYOUTS = "expected FOLDER/CLASS/FILE, or FOLDER/GROUP/CLASS/FILE throughout"


def folder(
    path: str | os.PathLike[str],
    *,
    files: Sequence[FileKind] = KNOWN,
    skip_bad: bool = False,
    name: str | None = None,
) -> Items:
    """The files under `path`, which has a folder per class; none is decoded yet.

    `path/CLASS/FILE` gives the label "CLASS"; `path/GROUP/CLASS/FILE` gives the label
    "GROUP/CLASS" and the group "GROUP". Files are taken by the end of their names: all pictures,
    or all pen recordings. Others, and hidden files and folders, are passed over. The order is that
    of the names.

    Args:
        path: the folder of folders.
        files: the kinds of files to look for, of which one must be there; a kind of your own is
            `[data.FileKind("sounds", "recording", (".wav",))]`.
        skip_bad: go on without bad files; they are listed in `skipped`.
        name: the name of the items; unless given, that of the folder.

    Raises:
        DataError: there is no such folder, it has another layout, files of two kinds, or no good
            file.
        BadItemsError: an empty class folder; a file beside the class folders; an empty file, or
            one that may not be read; the same bytes under two labels.
    """
    root = Path(path)
    _check_root(root, files)
    tree = _listed(root)
    kind = only_kind((file for listing in tree for file in listing.files), files, str(root))
    problems: list[Problem] = []
    found = _sound_files(_Walk(kind, files, problems).files_below(tree), kind, problems)
    items = Items(
        values=[file.path for file in found],
        labels=np.array([file.label for file in found], dtype=np.str_),
        groups=np.array([file.group for file in found]) if found and found[0].group else None,
        kind=kind.kind,
        name=name if name is not None else root.resolve().name,
        origins=[str(file.path) for file in found],
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
    files: Sequence[Path]


def _check_root(root: Path, kinds: Sequence[FileKind]) -> None:
    if root.is_dir():
        return
    expected = f"expected a folder with a folder of {_plural(kinds)} per class"
    if root.exists():
        raise DataError(
            f"{root} is a file; {expected}. A CSV is read by items_csv() or pairs_csv()"
        )
    raise DataError(f"no folder {root}; {expected}")


def _plural(kinds: Sequence[FileKind]) -> str:
    return " or ".join(f"{kind.what}s" for kind in kinds)


def _list(path: Path) -> _Listing:
    try:
        with os.scandir(path) as entries:
            shown = [e for e in entries if not e.name.startswith(".") and e.name != "__MACOSX"]
    except OSError as error:
        raise DataError(f"{path}: the folder cannot be listed: {error.strerror}") from error
    shown.sort(key=lambda entry: entry.name)
    return _Listing(
        path,
        folders=[path / entry.name for entry in shown if entry.is_dir()],
        files=[path / entry.name for entry in shown if not entry.is_dir()],
    )


def _listed(root: Path) -> list[_Listing]:
    """The folder, those in it, and those in them, each before what it holds."""
    top = _list(root)
    tree = [top]
    for folder in top.folders:
        tree.append(_list(folder))
        tree += [_list(inner) for inner in tree[-1].folders]
    return tree


@dataclass(frozen=True)
class _Walk:
    """Gathers the files of one kind from the listings of a tree; what is wrong goes to problems.

    Attributes:
        kind: the kind of the files.
        sought: the kinds that would have done, for messages.
        problems: what is wrong.
    """

    kind: FileKind
    sought: Sequence[FileKind]
    problems: list[Problem]

    def files_below(self, tree: Sequence[_Listing]) -> list[_File]:
        """The files of the tree, the root first."""
        by_path = {listing.path: listing for listing in tree}
        top = tree[0]
        self._check_top(top)
        listings = [by_path[path] for path in top.folders]
        with_files = [listing for listing in listings if self._of_kind(listing)]
        with_folders = [listing for listing in listings if listing.folders]
        if with_files and with_folders:
            raise DataError(
                f"{top.path}: {_LAYOUTS}, got {self.kind.what}s in {with_files[0].path} "
                f"and folders in {with_folders[0].path}; move them so that all lie equally deep"
            )
        if not with_folders:
            return [file for listing in listings for file in self._class_files(listing, "")]
        files = []
        for listing in listings:
            if not listing.folders:
                self.problems.append(self._empty(listing))
            for inner in listing.folders:
                files += self._class_files(by_path[inner], listing.path.name)
        return files

    def _of_kind(self, listing: _Listing) -> list[Path]:
        return [file for file in listing.files if self.kind.has(file)]

    def _check_top(self, top: _Listing) -> None:
        here = self._of_kind(top)
        if not top.folders:
            found = f"{len(here)} {self.kind.what}s and no folders" if here else self._nothing(top)
            raise DataError(
                f"{top.path}: {_LAYOUTS}, got {found}; make a folder for each class "
                f"and put its {self._wanted()} there"
            )
        self.problems.extend(
            Problem(
                str(stray),
                "lies beside the class folders",
                "move it into the folder of its class",
            )
            for stray in here
            if self.kind.holds(stray)
        )

    def _class_files(self, listing: _Listing, group: str) -> list[_File]:
        if listing.folders:
            raise DataError(
                f"{listing.folders[0]}: {_LAYOUTS}, got a folder below that; move its "
                f"{self.kind.what}s up"
            )
        files = self._of_kind(listing)
        if not files:
            self.problems.append(self._empty(listing))
        label = f"{group}/{listing.path.name}" if group else listing.path.name
        return [_File(file, label, group) for file in files]

    def _empty(self, listing: _Listing) -> Problem:
        return Problem(
            str(listing.path),
            self._nothing(listing),
            f"put {self._wanted()} there, or remove it",
        )

    def _wanted(self) -> str:
        """What should lie in a folder: of the kind that is there, or of any."""
        return " or ".join(f"{kind.what}s ({', '.join(kind.suffixes)})" for kind in self.sought)

    def _nothing(self, listing: _Listing) -> str:
        """That no file of the kind lies here, and what does instead."""
        if not listing.files:
            return "an empty folder"
        suffixes = Counter(file.suffix.lower() or "no suffix" for file in listing.files)
        others = ", ".join(f"{count} {suffix}" for suffix, count in sorted(suffixes.items()))
        return f"no {self.kind.what}s in this folder, only files of other kinds ({others})"


def _sound_files(files: Sequence[_File], kind: FileKind, problems: list[Problem]) -> list[_File]:
    """The files that can be read and whose bytes stand under one label; the others are problems."""
    readable = []
    for file in files:
        fault = file_fault(file.path, kind.what)
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
                    f"the same {kind.what} as {torn[file].path}, which has another label",
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
