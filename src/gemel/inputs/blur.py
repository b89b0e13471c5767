"""`Blur`: soft, thick strokes, as scanners and enlargements make them."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from gemel.errors import SettingsError

REACH = 3  # standard deviations to which a kernel goes


@dataclass(frozen=True)
class Blur:
    """Each picture is blurred by a Gaussian of its own; its brightest value stays what it was.

    On light ink that makes thin, sharp strokes thick and soft.

    Attributes:
        most: standard deviations are drawn uniformly from 0 to this share of a side.
        probability: the chance that a picture is blurred at all.

    Raises:
        SettingsError: `most` is not between 0 and 0.25, or `probability` not between 0 and 1.
    """

    most: float = 0.06
    probability: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.most <= 0.25:
            raise SettingsError(f"`most` must lie between 0 and 0.25 of a side; got {self.most}")
        if not 0 <= self.probability <= 1:
            raise SettingsError(f"`probability` must lie between 0 and 1; got {self.probability}")

    def __call__(
        self, batch: Float[Tensor, "batch channels height width"], generator: torch.Generator
    ) -> Float[Tensor, "batch channels height width"]:
        """The batch, some of it blurred."""
        draws = torch.rand(len(batch), 2, generator=generator, device=generator.device).to(batch)
        chosen = torch.nonzero(draws[:, 0] < self.probability)[:, 0]
        if not len(chosen) or not self.most:
            return batch
        part = batch[chosen]
        spread = draws[chosen, 1] * self.most * part.shape[-1]  # [part], in pixels
        soft = _along(_along(part, spread, 3), spread, 2)
        soft = soft * (part.amax((1, 2, 3), True) / soft.amax((1, 2, 3), True).clamp(min=1e-6))
        return batch.index_copy(0, chosen, soft)


def _along(
    pictures: Float[Tensor, "part channels height width"], spread: Float[Tensor, " part"], axis: int
) -> Float[Tensor, "part channels height width"]:
    """A Gaussian blur along one axis; pixels beyond the border are 0."""
    reach = max(1, int(REACH * float(spread.max()) + 0.5))
    taps = torch.arange(-reach, reach + 1).to(pictures)
    kernel = torch.exp(-(taps**2) / (2 * spread.clamp(min=1e-2)[:, None] ** 2))  # [part, taps]
    kernel = kernel / kernel.sum(1, keepdim=True)
    size = (1, len(taps)) if axis == 3 else (len(taps), 1)
    pad = (0, reach) if axis == 3 else (reach, 0)
    part, channels, height, width = pictures.shape
    kernels = kernel.repeat_interleave(channels, 0).view(part * channels, 1, *size)
    flat = pictures.reshape(1, part * channels, height, width)
    out = F.conv2d(flat, kernels, padding=pad, groups=part * channels)
    return out.view_as(pictures)
