"""`Numbers`: rows of numbers, standardised by the training items."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gemel.errors import DataError, SettingsError
from gemel.items import Kind

CONSTANT = 1e-12


class Numbers:
    """Rows of F numbers as tensors [F], less the mean and over the standard deviation.

    Args:
        features: F.
        mean: F means; taken from the training items when None.
        sd: F standard deviations; taken from the training items when None. A feature that never
            changes is left at 0.

    Raises:
        SettingsError: `features` is below 1, or `mean` and `sd` do not fit it.
    """

    kind: Kind = "numbers"
    dtype = "float32"

    def __init__(
        self,
        features: int,
        *,
        mean: Sequence[float] | None = None,
        sd: Sequence[float] | None = None,
    ) -> None:
        if features < 1:
            raise SettingsError(f"`features` must be 1 or more; got {features}")
        for name, given in (("mean", mean), ("sd", sd)):
            if given is not None and len(given) != features:
                raise SettingsError(f"`{name}` has {len(given)} numbers for {features} features")
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

    def read(self, value: Any, origin: str = "") -> Float[np.ndarray, " features"]:
        """A row of numbers as float32 [features].

        Raises:
            DataError: it is no row of `features` finite numbers.
        """
        where = f"{origin}: " if origin else ""
        try:
            row = np.asarray(value, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise DataError(f"{where}expected {self.features} numbers; got {value!r:.80}") from error
        if row.shape != (self.features,):
            raise DataError(f"{where}expected {self.features} numbers; got shape {row.shape}")
        if not np.isfinite(row).all():
            column = int(np.flatnonzero(~np.isfinite(row))[0])
            raise DataError(f"{where}number {column + 1} is {row[column]}; it must be finite")
        return row

    def learn(self, stored: Any) -> None:
        """Take mean and standard deviation from stored training items, unless they were given."""
        if self.mean is not None and self.sd is not None:
            return
        rows = stored.batch(np.arange(len(stored))).double()  # [N, F]
        self.mean = [float(value) for value in rows.mean(0)]
        self.sd = [float(value) for value in rows.std(0, correction=0)]

    def tensor(self, stored: Float[Tensor, "batch features"]) -> Float[Tensor, "batch features"]:
        """Standardised numbers; as they are before anything was learnt."""
        if self.mean is None or self.sd is None:
            return stored
        mean, sd = (torch.tensor(values).to(stored) for values in (self.mean, self.sd))
        return torch.where(sd > CONSTANT, (stored - mean) / sd.clamp(min=CONSTANT), 0.0)

    def __repr__(self) -> str:
        return f"Numbers({self.features})"
