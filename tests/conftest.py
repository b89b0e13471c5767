"""What all tests share: the data folder, and drawings made by hand."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

# a busy machine is no reason to fail
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")

if TYPE_CHECKING:
    from gemel import Items, Siamese


@pytest.fixture(scope="session")
def data_folder() -> Callable[[str], Path]:
    """From a data set's name to its folder under GEMEL_DATA; skips where it is absent."""

    def find(name: str) -> Path:
        root = os.environ.get("GEMEL_DATA", "")
        folder = Path(root) / name
        if not root or not folder.is_dir():
            pytest.skip(f"data set {name} is absent: set GEMEL_DATA to the folder that holds it")
        return folder

    return find


@pytest.fixture(scope="session")
def symbols() -> "Items":
    """Six made-up alphabets of six symbols by six drawers, 16 x 16 pixels."""
    from gemel.data import drawn

    return drawn(alphabets=6, characters=6, drawers=6, size=16, seed=3, name="symbols")


@pytest.fixture
def small_model() -> "Siamese":
    """An untrained network that is quick to train on `symbols`."""
    from gemel import Siamese, encoders, inputs, metrics

    return Siamese(
        inputs.Images(16, channels=1), encoders.Conv(width=(8, 16), dim=16), metrics.Cosine()
    )
