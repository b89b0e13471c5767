"""Augmentation of pairs: what is drawn once for both items of a pair."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from gemel.errors import SettingsError
from gemel.inputs.augment import Augment

Batch = Float[Tensor, "batch channels height width"]


@runtime_checkable
class PairAugment(Protocol):
    """An augmentation that must see both items of a pair; training gives it batches of pairs."""

    def pair(self, left: Batch, right: Batch, generator: torch.Generator) -> tuple[Batch, Batch]:
        """Left and right items, pair by pair in the same place, after it."""
        ...


@dataclass(frozen=True)
class Alike:
    """The same warp for both items of a pair, then perhaps one for each, and perhaps exchanged.

    Attributes:
        both: drawn once for each pair: a `Flip` turns either both items or neither.
        each: drawn for each item by itself, afterwards; None for nothing.
        swap: the chance that left and right are exchanged.

    Raises:
        SettingsError: `swap` is not between 0 and 1.
    """

    both: Augment
    each: Augment | None = None
    swap: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.swap <= 1:
            raise SettingsError(f"`swap` must lie between 0 and 1; got {self.swap}")

    def pair(self, left: Batch, right: Batch, generator: torch.Generator) -> tuple[Batch, Batch]:
        """Left and right items after it; `both` gets equal generators for the two sides."""
        seed = int(torch.randint(2**62, (1,), generator=generator, device=generator.device))
        warped = [
            self.both(side, torch.Generator(generator.device).manual_seed(seed))
            for side in (left, right)
        ]
        if self.each is not None:
            warped = [self.each(side, generator) for side in warped]
        drawn = torch.rand(len(left), generator=generator, device=generator.device)
        swapped = (drawn < self.swap).to(left.device)[:, None, None, None]
        first, second = warped
        return torch.where(swapped, second, first), torch.where(swapped, first, second)


@dataclass(frozen=True)
class Turns:
    """Each square picture as it is, turned by one, two or three quarters, or mirrored either way.

    The six of Zagoruyko and Komodakis 2015, with equal chances.
    """

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        """The batch, each picture moved by a draw of its own.

        Raises:
            SettingsError: the pictures are not square.
        """
        if batch.shape[2] != batch.shape[3]:
            raise SettingsError(
                f"quarter turns need square pictures; got {batch.shape[2]} x {batch.shape[3]}"
            )
        drawn = torch.randint(6, (len(batch),), generator=generator, device=generator.device)
        out = batch.clone()
        for number in range(1, 6):
            chosen = (drawn == number).to(batch.device)
            part = batch[chosen]
            out[chosen] = part.rot90(number, (2, 3)) if number < 4 else part.flip(number - 2)
        return out
