"""Pictures with known homographies between them, in folders of two layouts.

Both are in pixels from the first picture to the other one:
- `SCENE/img1.*` to `imgN.*`, with `SCENE/H1to2p` to `H1toNp` (Mikolajczyk and others 2005, "A
  comparison of affine region detectors": the Oxford sequences);
- `SCENE/01.*` and `02.*`, with `SCENE/H1to2` (Hauagge and Snavely 2012, SymBench).
"""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
from jaxtyping import Float

from gemel.errors import DataError

LAYOUTS = (("img1", "img{}", "H1to{}p"), ("01", "{:02}", "H1to{}"))
"""The stems of the first picture, of the others, and the name of their homography."""


@dataclass(frozen=True)
class Scene:
    """Pictures of one thing, and the homographies from the first to each.

    Attributes:
        name: of its folder.
        pictures: the files, the first one first.
        homographies: [3, 3] for each picture; the first is the identity.
    """

    name: str
    pictures: tuple[Path, ...]
    homographies: tuple[Float[np.ndarray, "3 3"], ...]

    def of_first(self, most: int | None) -> "Scene":
        """The scene with its first `most` pictures; None: with all."""
        return Scene(self.name, self.pictures[:most], self.homographies[:most])


def scenes(folder: str | PathLike[str]) -> list[Scene]:
    """The scenes in a folder, by name; those of one and the same first picture become one.

    Raises:
        DataError: there is none, a picture is missing, or a homography is no invertible matrix of
            nine numbers.
    """
    place = Path(folder)
    if not place.is_dir():
        raise DataError(f"expected a folder of scenes in {place}, got no folder")
    found = [scene for one in sorted(place.iterdir()) if one.is_dir() for scene in _scene(one)]
    if not found:
        raise DataError(
            f"{place} holds no scenes: expected folders with img1.* to imgN.* and H1to2p to "
            "H1toNp, or with 01.*, 02.* and H1to2"
        )
    return _joined(found)


def read_homography(path: Path) -> Float[np.ndarray, "3 3"]:
    """The matrix in a file: nine numbers, row by row.

    Raises:
        DataError: there are no nine numbers, or the matrix has no inverse.
    """
    words = path.read_text(encoding="utf-8", errors="replace").split()
    try:
        matrix = np.array([float(word) for word in words]).reshape(3, 3)
    except ValueError as error:
        raise DataError(
            f"{path}: expected nine numbers, a 3 x 3 matrix row by row, got {len(words)} words"
        ) from error
    if not np.isfinite(matrix).all() or np.linalg.matrix_rank(matrix) < 3:
        raise DataError(f"{path}: expected a matrix that can be inverted, got {matrix.tolist()}")
    return matrix


def _scene(folder: Path) -> list[Scene]:
    """The scene in a folder, in either layout; none where there is none."""
    for first, other, matrix in LAYOUTS:
        reference = _picture(folder, first)
        numbers = [k for k in range(2, 100) if (folder / matrix.format(k)).is_file()]
        if reference is None or not numbers:
            continue
        pictures, matrices = [reference], [np.eye(3)]
        for number in numbers:
            path = folder / matrix.format(number)
            picture = _picture(folder, other.format(number))
            if picture is None:
                raise DataError(
                    f"{path} has no picture: expected {folder / other.format(number)} with a "
                    "suffix such as .jpg"
                )
            pictures.append(picture)
            matrices.append(read_homography(path))
        return [Scene(folder.name, tuple(pictures), tuple(matrices))]
    return []


def _picture(folder: Path, stem: str) -> Path | None:
    """The one file of that stem with a suffix, where there is one."""
    return next(iter(sorted(folder.glob(f"{stem}.*"))), None)


def _joined(found: list[Scene]) -> list[Scene]:
    """Scenes of one and the same first picture put together."""
    by_first: dict[bytes, Scene] = {}
    for scene in found:
        first = by_first.setdefault(scene.pictures[0].read_bytes(), scene)
        if first is not scene:
            by_first[scene.pictures[0].read_bytes()] = Scene(
                first.name,
                first.pictures + scene.pictures[1:],
                first.homographies + scene.homographies[1:],
            )
    return list(by_first.values())
