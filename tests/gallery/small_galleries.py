"""Small models of numbers and pictures, and galleries of them; not a test itself."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from gemel import Gallery, Items, Siamese, encoders, inputs, metrics
from gemel.gallery.sqlite import SqliteStore

DIM = 6
Place = str | Path


def numbers_model(metric: metrics.Metric, *, seed: int = 0, threshold: float = 0.5) -> Siamese:
    """Passes rows of six numbers on as they are, so that a test says what the embeddings are."""
    model = Siamese(inputs.Numbers(DIM), nn.Identity(), metric, seed=seed)
    model.threshold = threshold
    return model


def drawn_rows(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, DIM)).astype(np.float32)


def trained(metric: metrics.Metric) -> metrics.Metric:
    """The metric with weights that are not its first ones."""
    metric.build(DIM)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weights in metric.parameters():
            weights.add_(0.5 * torch.randn(weights.shape, generator=generator))
    return metric


def pictures_model(seed: int = 0) -> Siamese:
    model = Siamese(
        inputs.Images(16, channels=1),
        encoders.Conv(width=(4, 8), dim=8),
        metrics.Cosine(),
        seed=seed,
    )
    model.threshold = 0.05
    return model


def file_bytes(path: Path) -> bytes:
    """All that lies on the disk of a gallery: the file, its log, and any journal."""
    return b"".join(one.read_bytes() for one in sorted(path.parent.glob(f"{path.name}*")))


def open_numbers(place: Place, model: Siamese, rows: np.ndarray, names: list[str]) -> Gallery:
    """One transaction for all: waiting for the disk takes most of a test's time."""
    gallery = Gallery.open(place, model)
    gallery.enrol_items(Items(rows, np.array(names), kind="numbers"))
    return gallery


def tamper(gallery: Gallery, statement: str) -> None:
    """Change what is stored behind the gallery's back."""
    store = gallery._store
    if isinstance(store, SqliteStore):
        store._connection.execute(statement)
    else:
        store._server.rows(statement)
