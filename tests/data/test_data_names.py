"""What `gemel.data` shows, when it imports it, and that no file stands in a function's place."""

import subprocess
import sys

import pytest

import gemel.data


def said(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_every_name_is_a_function_of_its_file() -> None:
    assert gemel.data.__all__ == sorted(gemel.data.__all__)
    for name in gemel.data.__all__:
        function = getattr(gemel.data, name)
        assert callable(function)
        assert function.__name__ == name
        assert function.__module__.startswith("gemel.data.")
    assert set(gemel.data.__all__) <= set(dir(gemel.data))


def test_unknown_names() -> None:
    with pytest.raises(AttributeError, match=r"module 'gemel\.data' has no attribute 'foldr'"):
        gemel.data.foldr  # noqa: B018


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    code = (
        "import sys, gemel.data; print([m for m in ('torch', 'numpy', 'PIL') if m in sys.modules])"
    )
    assert said(code) == "[]"
    readers = "folder, items_csv, pairs_csv, read, arrays, pair_arrays, quarter_turns, read_picture"
    assert (
        said(f"import sys; from gemel.data import {readers}; print('torch' in sys.modules)")
        == "False"
    )


@pytest.mark.parametrize(
    "first",
    [
        "import gemel.data.folder",
        "from gemel.data.folder import KNOWN",
        "import gemel.data.read",  # which imports the file folder.py
        "from gemel.data import folder",
        "import gemel.data; gemel.data.folder",
    ],
)
def test_a_function_stays_one_whoever_imports_its_file(first: str) -> None:
    code = f"{first}\nimport gemel.data\nprint(type(gemel.data.folder).__name__)"
    assert said(code) == "function"
