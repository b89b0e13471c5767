"""Settings that work without tuning, chosen from the data: what `gemel train` starts from."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

from gemel import encoders, inputs, metrics
from gemel.data.pictures import read_picture
from gemel.errors import DataError, SettingsError
from gemel.items import Items, Pairs
from gemel.training.objective import Loss, default_loss, default_sampler

LOOKED_AT = 64
Augment = Callable[..., Tensor]


@dataclass(frozen=True)
class Look:
    """What a glance at some of the pictures shows.

    Attributes:
        side: the median of their shorter sides, in pixels.
        colour: whether any of them has colour.
        drawn: whether most are ink on a plain ground: no colour, and an even border.
    """

    side: int
    colour: bool
    drawn: bool


@dataclass
class Recipe:
    """All that a training run needs, and the reasons, one line each."""

    input: inputs.Input
    encoder: nn.Module
    metric: metrics.Metric
    loss: Loss
    augment: Augment | None
    reasons: dict[str, str] = field(default_factory=dict)


def look(items: Items | Pairs, *, seed: int = 0) -> Look:
    """Read up to 64 of the pictures, chosen by chance, and say what they are like.

    Raises:
        DataError: none of them can be read.
    """
    chosen = np.random.default_rng(seed).permutation(len(items.values))[:LOOKED_AT]
    pictures = []
    for item in chosen:
        try:
            pictures.append(np.asarray(read_picture(items.values[item], items.origin(int(item)))))
        except DataError:
            continue  # bad pictures are all named when training reads them
    if not pictures:
        raise DataError(f"{items.name}: none of {len(chosen)} pictures looked at can be read")
    return Look(
        side=int(np.median([min(picture.shape[:2]) for picture in pictures])),
        colour=any(_has_colour(picture) for picture in pictures),
        drawn=float(np.mean([_is_drawn(picture) for picture in pictures])) > 0.5,
    )


def choose(
    items: Items | Pairs,
    *,
    size: int | None = None,
    channels: int | None = None,
    encoder: nn.Module | None = None,
    dim: int | None = None,
    metric: metrics.Metric | None = None,
    loss: Loss | None = None,
    augment: bool = True,
    lone_classes: bool = False,
    seed: int = 0,
) -> Recipe:
    """The recipe for `items`; whatever is given is taken, the rest is chosen.

    Raises:
        SettingsError: `size` or `channels` is given for numbers.
        BadItemsError: a class has one item only, unless `lone_classes`.
        DataError: none of the pictures can be read.
    """
    if items.kind == "numbers":
        if size is not None or channels is not None:
            raise SettingsError(
                f"{items.name} holds numbers; size and channels are for images: leave them out"
            )
        features = len(items.values[0])
        given: inputs.Input = inputs.Numbers(features)
        reasons = {"input": f"{features} numbers an item, standardised"}
        found: nn.Module = encoders.Dense(widths=(128, 128), dim=dim or 32)
        chosen_augment = None
    else:
        seen = look(items, seed=seed)
        given, reasons = _image_input(seen, size, channels)
        found = _image_encoder(given.shape[-1], dim or 128)
        chosen_augment = _image_augment(seen) if augment else None
    metric = metric if metric is not None else metrics.Cosine()
    loss = loss if loss is not None else default_loss(items, metric)
    reasons["batches"] = repr(default_sampler(items, loss, seed, lone_classes=lone_classes))
    recipe = Recipe(
        input=given,
        encoder=encoder if encoder is not None else found,
        metric=metric,
        loss=loss,
        augment=chosen_augment,
        reasons=reasons,
    )
    return _with_reasons(recipe)


def _image_input(
    seen: Look, size: int | None, channels: int | None
) -> tuple[inputs.Images, dict[str, str]]:
    small = seen.drawn or seen.side <= 40
    side = size if size is not None else 28 if small else 64
    depth = channels if channels is not None else 3 if seen.colour and not seen.drawn else 1
    what = "ink on a plain ground" if seen.drawn else "colour" if seen.colour else "grey"
    why = f"{what}, about {seen.side} pixels a side -> {side} x {side} x {depth}"
    return inputs.Images(size=side, channels=depth, light_on_dark=seen.drawn, trim=seen.drawn), {
        "input": why
    }


def _image_encoder(side: int, dim: int) -> nn.Module:
    width = (64, 64, 64, 64) if side <= 40 else (32, 64, 64, 64, 64)
    return encoders.Conv(width=width, dim=dim)


def _image_augment(seen: Look) -> Augment:
    if seen.drawn:
        return inputs.Warp()
    soft = inputs.Warp(rotation=8, scale=0.15, shear=0.08, shift=0.06, elastic=0.0, fill="border")
    return inputs.Chain([soft, inputs.Colour()])


def _with_reasons(recipe: Recipe) -> Recipe:
    def name(part: object) -> str:
        return type(part).__name__

    recipe.reasons |= {
        "encoder": name(recipe.encoder),
        "metric": name(recipe.metric),
        "loss": name(recipe.loss),
        "augmentation": "none" if recipe.augment is None else repr(recipe.augment),
    }
    return recipe


def _has_colour(picture: NDArray[np.uint8]) -> bool:
    if picture.ndim == 2:
        return False
    spread = picture.max(2).astype(np.int16) - picture.min(2)
    return bool((spread > 24).mean() > 0.01)


def _is_drawn(picture: NDArray[np.uint8]) -> bool:
    """Whether there is no colour, and the border and most pixels are nearly of one tone."""
    if _has_colour(picture):
        return False
    grey = picture if picture.ndim == 2 else picture.mean(2)
    border: Float[np.ndarray, " pixels"] = np.concatenate(
        [grey[0], grey[-1], grey[:, 0], grey[:, -1]]
    )
    ground = np.median(border)
    plain = np.mean(np.abs(border - ground) < 32) > 0.85
    return bool(plain and np.mean(np.abs(grey - ground) < 48) > 0.55)
