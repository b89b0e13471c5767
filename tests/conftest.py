"""What all tests share: the data folder, and drawings made by hand."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_folder() -> Callable[[str], Path]:
    """A function from a data set's name to its folder under GEMEL_DATA; skips where it is absent."""

    def find(name: str) -> Path:
        root = os.environ.get("GEMEL_DATA", "")
        folder = Path(root) / name
        if not root or not folder.is_dir():
            pytest.skip(f"data set {name} is absent: set GEMEL_DATA to the folder that holds it")
        return folder

    return find
