"""`FileKind`: files that hold one item each, told by the ends of their names."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gemel.data.pens import SUFFIXES as PEN_SUFFIXES
from gemel.data.pens import read_pen
from gemel.errors import DataError, SettingsError
from gemel.items import Kind

LOOKED_INTO = 8


@dataclass(frozen=True)
class FileKind:
    """One kind of file: how it is told, and what it is called.

    Attributes:
        kind: the kind of the items.
        what: one of them in words, such as "picture"; its plural has an s.
        suffixes: the ends of their names, in small letters.
        holds: whether a file that ends so is one; for ends that other files have, too.

    Raises:
        SettingsError: `suffixes` are no such ends.
    """

    kind: Kind
    what: str
    suffixes: tuple[str, ...]
    holds: Callable[[Path], bool] = lambda _: True

    def __post_init__(self) -> None:
        given = self.suffixes
        good = isinstance(given, tuple) and all(s.startswith(".") and s == s.lower() for s in given)
        if not good or not given:
            raise SettingsError(
                f"`suffixes` must be a tuple of ends in small letters, such as ('.wav',); got "
                f"{given!r}"
            )

    def has(self, path: Path) -> bool:
        """Whether the file's name ends like those of this kind, in small or capital letters."""
        return path.suffix.lower() in self.suffixes


def _is_pen(path: Path) -> bool:
    try:
        read_pen(path)
    except DataError:
        return False
    return True


PICTURES = FileKind(
    "images",
    "picture",
    (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".pgm", ".ppm"),
)
PENS = FileKind("pens", "pen recording", PEN_SUFFIXES, _is_pen)
KNOWN: tuple[FileKind, ...] = (PICTURES, PENS)
"""The kinds of files that readers look for unless told otherwise."""


def kind_among(paths: Sequence[Path], kinds: Sequence[FileKind]) -> FileKind:
    """The kind that most of `paths` are of by name; of the first where all ends are unknown."""
    counts = Counter(kind for path in paths for kind in kinds if kind.has(path))
    return max(kinds, key=lambda kind: counts[kind])


def only_kind(paths: Iterable[Path], kinds: Sequence[FileKind], where: str) -> FileKind:
    """The kind of the files in a folder; others may lie beside them that only end like another.

    Raises:
        DataError: there are files of two kinds.
    """
    files = list(paths)
    of_kind = {kind: [path for path in files if kind.has(path)] for kind in kinds}
    present = [kind for kind in kinds if of_kind[kind]]
    if len(present) > 1:
        present = [
            kind for kind in present if any(map(kind.holds, of_kind[kind][:LOOKED_INTO]))
        ] or present[:1]
    if len(present) > 1:
        one, other = present[:2]
        raise DataError(
            f"{where}: expected files of one kind, got {one.what}s such as {of_kind[one][0]} and "
            f"{other.what}s such as {of_kind[other][0]}; move one of them to a folder of its own"
        )
    return present[0] if present else kinds[0]
