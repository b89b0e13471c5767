"""How a reader of a CSV refuses: what the tests of the readers share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gemel.errors import BadItemsError, DataError

Read = Callable[[Path], Any]


def written(path: Path, *lines: str) -> Path:
    """`path`, with these lines in it."""
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def problems(read: Read, path: Path) -> list[str]:
    """What is wrong, by rows: the file's name is taken off, and the remedies must be there."""
    with pytest.raises(BadItemsError) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert all(problem.remedy for problem in caught.value.problems)
    return [
        f"{problem.where}: {problem.what}".replace(f"{path} row ", "").replace(
            f"{path.parent}/", ""
        )
        for problem in caught.value.problems
    ]


def refusal(read: Read, path: Path) -> str:
    """The message for a file that is bad as a whole."""
    with pytest.raises(DataError) as caught:
        read(path)
    assert not isinstance(caught.value, BadItemsError)
    return str(caught.value)
