"""A zip of a data set, opened so that whatever is wrong with it is said in one way."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gemel.errors import DataError

DAMAGE = (OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile)


@contextmanager
def whole_zip(file: Path, what: str, remedy: str) -> Iterator[zipfile.ZipFile]:
    """The zip at `file`, for reading.

    Args:
        file: where it is.
        what: what it holds, in the plural.
        remedy: what to do where it is no good.

    Raises:
        DataError: it is missing or damaged, or an entry of it is, or needs a password. Errors of
            this kind from inside pass as they are.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except DataError:
        raise
    # RuntimeError: a password is asked for, or a packing is used that zipfile lacks.
    except (RuntimeError, *DAMAGE) as error:
        raise DataError(
            f"{file} cannot be read: expected a whole zip of {what}, got one that is truncated, "
            f"damaged or no zip ({error}); {remedy}"
        ) from error
