"""`Numbers`: rows of numbers, standardised by the training items."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32
from numpy.typing import NDArray
from torch import Tensor

from gemel.errors import DataError, SettingsError
from gemel.inputs.prepared import Prepared
from gemel.items import Kind

ROWS = 65_536  # read at a time when learning
STEADY = 1e-9  # of its mean: a feature that deviates less never changes, but for rounding


class Numbers:
    """Rows of F numbers as tensors [F]: less the mean, over the standard deviation.

    Both are taken from the training items once, when training starts, and saved with the model;
    until then the numbers are passed on as they are.

    Args:
        features: F.
        mean: F means, or None to learn them.
        sd: F standard deviations (of the population), or None to learn them; a feature whose
            standard deviation is 0 never changes, and becomes 0 always.

    Raises:
        SettingsError: `features` is below 1, only one of `mean` and `sd` is given, or they are
            not F finite numbers (`sd`: not below 0).
    """

    kind: Kind = "numbers"
    dtype = "float32"

    def __init__(
        self,
        features: int,
        *,
        mean: Sequence[float | int] | None = None,
        sd: Sequence[float | int] | None = None,
    ) -> None:
        if features < 1:
            raise SettingsError(f"`features` must be 1 or more; got {features}")
        if (mean is None) != (sd is None):
            raise SettingsError("give both `mean` and `sd`, or neither")
        for name, given in (("mean", mean), ("sd", sd)):
            if given is None:
                continue
            if len(given) != features:
                raise SettingsError(f"`{name}` has {len(given)} numbers for {features} features")
            if not all(math.isfinite(value) for value in given):
                raise SettingsError(f"`{name}` must be finite numbers; got {list(given)}")
        if sd is not None and min(sd) < 0:
            raise SettingsError(f"`sd` must be 0 or more; got {min(sd)}")
        self.features = features
        self.mean = None if mean is None else [float(value) for value in mean]
        self.sd = None if sd is None else [float(value) for value in sd]

    @property
    def shape(self) -> tuple[int, ...]:
        """(features,)."""
        return (self.features,)

    def settings(self) -> dict[str, Any]:
        """The arguments that make this input again."""
        return {"features": self.features, "mean": self.mean, "sd": self.sd}

    def read(self, value: Any, origin: str = "") -> Float32[np.ndarray, " features"]:
        """A row of numbers as float32 [features].

        Raises:
            DataError: it is no row of `features` finite numbers.
        """
        where = f"{origin}: " if origin else ""
        try:
            with np.errstate(over="ignore"):  # what is too large for float32 is named below
                row: NDArray[np.float32] = np.asarray(value, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise DataError(
                f"{where}expected {self.features} numbers; got {value!r:.80}"
            ) from error
        if row.shape != (self.features,):
            raise DataError(
                f"{where}expected {self.features} numbers in a row; got shape {row.shape}"
            )
        if not np.isfinite(row).all():
            column = int(np.flatnonzero(~np.isfinite(row))[0])
            raise DataError(
                f"{where}number {column + 1} is {np.asarray(value)[column]}; it must be finite, "
                "and within the range of float32"
            )
        return row

    def learn(self, stored: Prepared) -> None:
        """Take mean and standard deviation from the training items, unless there are some."""
        if self.mean is not None:
            return
        mean = sum(rows.sum(0) for rows in _parts(stored)) / len(stored)
        square = sum((rows - mean).square().sum(0) for rows in _parts(stored)) / len(stored)
        sd = torch.as_tensor(square).sqrt()
        self.mean = torch.as_tensor(mean).tolist()
        self.sd = torch.where(sd > STEADY * torch.as_tensor(mean).abs(), sd, 0.0).tolist()

    def tensor(
        self, stored: Float32[Tensor, "batch features"]
    ) -> Float32[Tensor, "batch features"]:
        """Standardised numbers; as they are before anything was learnt."""
        if self.mean is None or self.sd is None:
            return stored
        # The mean in two float32 parts: rows that deviate little from it keep their digits.
        mean = torch.tensor(self.mean, dtype=torch.float64)
        coarse = mean.float()
        fine = (mean - coarse).to(stored)
        sd = torch.tensor(self.sd).to(stored)
        deviation = (stored - coarse.to(stored)) - fine
        return torch.where(sd > 0, deviation / torch.where(sd > 0, sd, 1.0), 0.0)

    def __repr__(self) -> str:
        return f"Numbers({self.features}, {'as they are' if self.mean is None else 'standardised'})"


def _parts(stored: Prepared) -> Iterator[Float[Tensor, "rows features"]]:
    """The rows in float64, part by part."""
    for start in range(0, len(stored), ROWS):
        yield stored.batch(np.arange(start, min(start + ROWS, len(stored)))).double()
