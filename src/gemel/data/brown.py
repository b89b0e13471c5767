"""The PhotoTour format of patches: bitmaps of 16 x 16 patches, `info.txt`, and match files.

Brown, Hua, Winder 2011, "Discriminative learning of local image descriptors": patches of 64 x 64
around the keypoints of holiday pictures (Liberty, Notre Dame, Yosemite), each of a 3-D point.

- `patches0000.bmp` and on: 1,024 x 1,024 grey pixels, row by row of 64 x 64; the last one is filled
  up.
- `info.txt`: a line a patch, its 3-D point and a number that is not used.
- Match files such as `m50_500000_500000_0.txt`: a line a pair, patch, point and a number that is
  not used, twice. The pair is the same where the points are.
"""

from os import PathLike
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8

from gemel.data.pictures import read_picture
from gemel.errors import BadItemsError, DataError, Problem
from gemel.items import Items, Pairs

SIDE, A_ROW = 64, 16
A_BITMAP = A_ROW * A_ROW
INFO = "info.txt"
Numbers = Int64[np.ndarray, "lines columns"]


def brown(folder: str | PathLike[str]) -> Items:
    """All patches of a set, with their 3-D points as labels.

    Args:
        folder: with the bitmaps and info.txt. A set of 450,000 patches takes 1.8 GB of memory.

    Returns:
        Items with values uint8 [N, 64, 64].

    Raises:
        DataError: a file is missing, or a bitmap has another size.
        BadItemsError: lines of info.txt that are no two numbers; all are named.
    """
    place = Path(folder)
    points = _points(place)
    return Items(
        values=_patches(place, np.arange(len(points))),
        labels=points.astype(np.str_),
        name=place.name,
        origins=[f"{place.name} patch {number}" for number in range(len(points))],
    )


def brown_pairs(matches: str | PathLike[str]) -> Pairs:
    """The pairs of a match file, with the patches that they need.

    Args:
        matches: the file, in the folder of its bitmaps and info.txt.

    Returns:
        Pairs with values uint8 [N, 64, 64].

    Raises:
        DataError: a file is missing, or a bitmap has another size.
        BadItemsError: lines that are no six numbers, that name a patch which is not there, or give
            it another point than info.txt; all are named.
    """
    path = Path(matches)
    points = _points(path.parent)
    rows = _rows(path, (6, 7))
    problems = []
    for number, row in enumerate(rows.tolist(), start=1):
        for patch, point in (row[:2], row[3:5]):
            if not 0 <= patch < len(points):
                what = f"patch {patch}, but {INFO} lists {len(points)}"
                problems.append(Problem(f"{path.name} line {number}", what))
            elif points[patch] != point:
                what = f"patch {patch} is said to show point {point}; {INFO} says {points[patch]}"
                problems.append(Problem(f"{path.name} line {number}", what))
    if problems:
        raise BadItemsError(str(path), problems)
    used, place = np.unique(rows[:, [0, 3]], return_inverse=True)
    left, right = place.reshape(-1, 2).T
    return Pairs(
        values=_patches(path.parent, used),
        left=left,
        right=right,
        same=rows[:, 1] == rows[:, 4],
        name=f"{path.parent.name}/{path.stem}",
        origins=[f"{path.parent.name} patch {number}" for number in used.tolist()],
    )


def _points(folder: Path) -> Int64[np.ndarray, " patches"]:
    """The 3-D point of each patch."""
    return _rows(folder / INFO, (2,))[:, 0]


def _rows(path: Path, lengths: tuple[int, ...]) -> Numbers:
    """The whole numbers of a text file, of as many columns as the first of `lengths` says.

    Raises:
        DataError: there is no such file, or nothing in it.
        BadItemsError: lines of another length, or with a word that is no whole number.
    """
    if not path.is_file():
        raise DataError(
            f"expected {path}, got no file: a set has bitmaps patches0000.bmp and on, {INFO}, and "
            "match files"
        )
    rows, problems = [], []
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            words = line.split()
            if len(words) in lengths and all(_is_whole(word) for word in words):
                rows.append([int(word) for word in words[: lengths[0]]])
            else:
                what = f"expected {lengths[0]} whole numbers, got {line.strip()[:60]!r}"
                problems.append(Problem(f"{path.name} line {number}", what))
    if problems:
        raise BadItemsError(str(path), problems)
    if not rows:
        raise DataError(f"{path} is empty: expected a line for each patch or pair")
    return np.array(rows, dtype=np.int64)


def _is_whole(word: str) -> bool:
    return word.removeprefix("-").isdecimal()


def _patches(
    folder: Path, numbers: Int64[np.ndarray, " wanted"]
) -> UInt8[np.ndarray, "wanted 64 64"]:
    """The patches of these numbers, ascending; each bitmap is read once."""
    out = np.empty((len(numbers), SIDE, SIDE), dtype=np.uint8)
    for bitmap in np.unique(numbers // A_BITMAP).tolist():
        path = folder / f"patches{bitmap:04}.bmp"
        pixels = np.asarray(read_picture(path).convert("L"))
        if pixels.shape != (SIDE * A_ROW, SIDE * A_ROW):
            raise DataError(
                f"{path}: expected {SIDE * A_ROW} x {SIDE * A_ROW} pixels, got "
                f"{pixels.shape[1]} x {pixels.shape[0]}"
            )
        grid = pixels.reshape(A_ROW, SIDE, A_ROW, SIDE).transpose(0, 2, 1, 3)
        here = numbers // A_BITMAP == bitmap
        out[here] = grid.reshape(A_BITMAP, SIDE, SIDE)[numbers[here] % A_BITMAP]
    return out
