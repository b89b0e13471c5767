"""In what bytes an embedding is kept: its numbers, or the bits of a binary code."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32
from numpy.typing import NDArray

from gemel import metrics
from gemel.model import Siamese

CodingName = Literal["float32", "bits"]
Vectors = Float32[NDArray[np.float32], "references dim"]
Stored = NDArray[Any]
"""[N, D] float32, or [N, D / 8 rounded up] bytes that hold eight bits each."""


@dataclass(frozen=True)
class Coder:
    """How embeddings become bytes.

    Attributes:
        name: "float32", four bytes a number, or "bits", whether each number is above 0.
        dim: D, numbers an embedding.
    """

    name: CodingName
    dim: int

    @property
    def width(self) -> int:
        """Bytes an embedding."""
        return 4 * self.dim if self.name == "float32" else -(-self.dim // 8)

    @property
    def items(self) -> int:
        """Numbers of the stored form: bytes of bits."""
        return self.dim if self.name == "float32" else self.width

    @property
    def dtype(self) -> "np.dtype[Any]":
        """Of the stored form."""
        return np.dtype("<f4" if self.name == "float32" else "u1")

    def encode(self, vectors: Vectors) -> list[bytes]:
        """The bytes of each embedding."""
        if self.name == "bits":
            return [row.tobytes() for row in np.packbits(vectors > 0, axis=1)]
        return [row.tobytes() for row in vectors.astype(self.dtype, copy=False)]

    def stored(self, rows: Sequence[bytes]) -> Stored:
        """Embeddings out of the bytes of each, as they are kept."""
        found = np.frombuffer(b"".join(rows), self.dtype).reshape(len(rows), self.items)
        return found.astype(self.dtype.newbyteorder("="), copy=False)

    def damaged(self, stored: Stored) -> NDArray[np.bool_]:
        """[N] which embeddings cannot be right: not finite, or bits beyond the last one."""
        if self.name == "float32":
            return np.asarray(~np.isfinite(stored).all(axis=1))
        beyond = (1 << (8 * self.width - self.dim)) - 1
        return np.asarray((stored[:, -1] & beyond) != 0)

    def vectors(self, stored: Stored) -> Vectors:
        """The numbers that a metric takes; -1 and 1 of bits."""
        if self.name == "bits":
            return np.unpackbits(stored, axis=1, count=self.dim).astype(np.float32) * 2 - 1
        return np.asarray(stored, dtype=np.float32)


def coding_of(model: Siamese) -> CodingName:
    """Bits where the metric sees nothing else of a reference."""
    bits = metrics.Hamming, metrics.AsymmetricHamming
    return "bits" if type(model.metric) in bits else "float32"
