"""`read`: a folder or a CSV, by what the path leads to."""

import os
from pathlib import Path

from gemel.data.folder import folder
from gemel.data.items_csv import items_of
from gemel.data.pairs_csv import pairs_of
from gemel.data.table import read_table
from gemel.errors import DataError
from gemel.items import Items, Pairs

_OWN_READERS = (
    ("images_*.zip", "Omniglot's zips", "omniglot"),
    ("*-idx3-ubyte*", "MNIST's files", "mnist"),
    ("[Tt]ask2.zip", "SVC2004's zip", "svc2004"),
    ("[Uu]1[Ss]1.[Tt][Xx][Tt]", "SVC2004's files", "svc2004"),
    ("patches*.bmp", "PhotoTour's bitmaps of patches", "brown"),
    ("*/H1to2*", "scenes with homographies", "correspondences"),
)


def read(
    path: str | os.PathLike[str], *, skip_bad: bool = False, name: str | None = None
) -> Items | Pairs:
    """What lies at `path`: a folder per class, a CSV of items, or a CSV of pairs.

    A CSV with a column `same`, `left` or `right` (or `left_1`...) and no column `label` is one
    of pairs. See `folder`, `items_csv` and `pairs_csv`.

    Args:
        path: a folder, or a file that ends in .csv.
        skip_bad: go on without what is bad; it is listed in `skipped`.
        name: the name of the result; unless given, that of the folder or file.

    Raises:
        DataError: there is nothing there, or nothing that can be read.
        BadItemsError: some files or rows are bad; all of them are listed.
    """
    source = Path(path)
    if source.is_dir():
        for pattern, what, reader in _OWN_READERS:
            if any(source.glob(pattern)):
                raise DataError(
                    f"{source}: expected a folder per class, got {what}; "
                    f"read them with gemel.data.{reader}({str(source)!r})"
                )
        return folder(source, skip_bad=skip_bad, name=name)
    if not source.exists():
        raise DataError(f"no file or folder {source}; expected a folder per class, or a CSV")
    if source.suffix.lower() != ".csv":
        raise DataError(
            f"{source}: expected a folder per class, or a file that ends in .csv; "
            f"got a file that ends in {source.suffix or 'nothing'}"
        )
    table = read_table(source)
    sides = any(column.split("_")[0] in ("left", "right", "same") for column in table.header)
    if sides and "label" not in table.header:
        return pairs_of(table, skip_bad=skip_bad, name=name)
    return items_of(table, skip_bad=skip_bad, name=name)
