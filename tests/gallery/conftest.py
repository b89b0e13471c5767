"""What the tests of galleries share."""

from pathlib import Path

import numpy as np
import pytest
from small_galleries import numbers_model

from gemel import Items, Siamese, metrics


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "office.gallery"


@pytest.fixture
def model() -> Siamese:
    return numbers_model(metrics.Euclidean())


@pytest.fixture
def few(symbols: Items) -> Items:
    """36 pictures of 6 symbols."""
    return symbols.take(np.arange(36), "few")
