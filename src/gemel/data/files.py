"""What is wrong with a file, before it is read."""

import os
import stat
from pathlib import Path


def file_fault(path: Path, what: str = "picture") -> tuple[str, str] | None:
    """What is wrong with the file at `path` and what to do, found without reading it; or None.

    Args:
        path: where a file should be.
        what: what the file should be, for the words.
    """
    try:
        found = path.stat()
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the path
        return _absence(path, error)
    if stat.S_ISDIR(found.st_mode):
        return f"{path} is a folder, not a {what}", "give the path of a file"
    if not stat.S_ISREG(found.st_mode):
        return f"{path} is no ordinary file", "give the path of a file"
    if found.st_size == 0:
        return f"{path} is empty (0 bytes)", f"put the {what} there again"
    if not os.access(path, os.R_OK):
        return f"{path} may not be read by this user", "change its rights"
    return None


def _absence(path: Path, error: OSError | ValueError) -> tuple[str, str]:
    if not isinstance(error, FileNotFoundError | NotADirectoryError | ValueError):
        return f"{path} cannot be looked at: {error.strerror}", "correct the path or its rights"
    if path.is_symlink():
        return f"the link {path} leads nowhere", "mend the link or remove it"
    if "\\" in str(path) and os.sep == "/":
        return f"no file {path}", "write / between folders, not \\"
    return f"no file {path}", "put it there, or correct the path"
