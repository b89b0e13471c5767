"""Settings that work without tuning, chosen from the data: what `gemel train` starts from."""

import copy
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch import nn

from gemel import encoders, inputs, metrics
from gemel.data.pictures import read_picture
from gemel.encoders.pen_features import MODERN
from gemel.errors import DataError, SettingsError
from gemel.items import SIDES, Indices, Items, Pairs, Side
from gemel.training.objective import Loss, default_loss, default_sampler
from gemel.training.step import Augment, Warp

LOOKED_AT = 64
TWO_KINDS_DIM = 64  # of both embeddings where items of two kinds meet
PEN_POINTS = 128
Comparer = Literal["twin", "pseudo-twin", "joint"]


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

    input: inputs.AnyInput
    encoder: nn.Module
    metric: metrics.Metric
    loss: Loss
    augment: Augment | None
    reasons: dict[str, str] = field(default_factory=dict)


def look(data: Items | Pairs, side: Side = "left", *, seed: int = 0) -> Look:
    """Read up to 64 of the pictures of a side, chosen by chance, and say what they are like.

    Raises:
        DataError: none of them can be read.
    """
    items = _items_of(data, side)
    chosen = items[np.random.default_rng(seed).permutation(len(items))[:LOOKED_AT]]
    pictures = []
    for item in chosen.tolist():
        try:
            pictures.append(np.asarray(read_picture(data.values[item], data.origin(item))))
        except DataError:
            continue  # bad pictures are all named when training reads them
    if not pictures:
        raise DataError(f"{data.name}: none of {len(chosen)} pictures looked at can be read")
    return Look(
        side=int(np.median([min(picture.shape[:2]) for picture in pictures])),
        colour=any(_has_colour(picture) for picture in pictures),
        drawn=float(np.mean([_is_drawn(picture) for picture in pictures])) > 0.5,
    )


def choose(
    data: Items | Pairs,
    *,
    size: int | None = None,
    channels: int | None = None,
    encoder: nn.Module | None = None,
    dim: int | None = None,
    metric: metrics.Metric | None = None,
    loss: Loss | None = None,
    comparer: Comparer = "twin",
    augment: bool = True,
    lone_classes: bool = False,
    seed: int = 0,
) -> Recipe:
    """The recipe for `data`; whatever is given is taken, the rest is chosen.

    Pairs whose sides are of two kinds make a half-twin, with an encoder for each.

    Raises:
        SettingsError: `size` or `channels` is given for what are no images, settings contradict
            the comparer, or there is no recipe for the kind of the items.
        BadItemsError: a class has one item only, unless `lone_classes`.
        DataError: none of the pictures can be read.
    """
    two_kinds = _two_kinds(data)
    joint = comparer == "joint"
    _check_comparer(comparer, metric, encoder, dim, two_kinds=two_kinds)
    length = 1 if joint else TWO_KINDS_DIM if two_kinds and dim is None else dim
    if metric is None:
        metric = default_metric(data, joint=joint, with_encoder=encoder is None and dim is None)
    asked = _Asked(
        size=size, channels=channels, dim=length, metric=metric, augment=augment, seed=seed
    )
    sides = [_choose_side(data, side, asked) for side in (SIDES if two_kinds else SIDES[:1])]
    networks = [side.encoder if encoder is None else encoder for side in sides]
    if encoder is None and isinstance(metric, metrics.CodeMetric):
        _balance(networks)
    made = _compose(comparer, networks)
    loss = loss if loss is not None else default_loss(data, metric, _length_of(made))
    warps = {side: part.augment for side, part in zip(SIDES, sides, strict=False)}
    reasons = {"input": "; ".join(side.reason for side in sides)}
    reasons["batches"] = repr(default_sampler(data, loss, seed, lone_classes=lone_classes))
    recipe = Recipe(
        input=inputs.Sides(*(side.input for side in sides)) if two_kinds else sides[0].input,
        encoder=made,
        metric=metric,
        loss=loss,
        augment=warps if two_kinds else sides[0].augment,
        reasons=reasons,
    )
    return _with_reasons(recipe)


def default_metric(
    data: Items | Pairs, *, joint: bool = False, with_encoder: bool = True
) -> metrics.Metric:
    """The metric for `data` where none is asked for.

    Dynamic time warping for pens, the cosine for others and for items of two kinds.

    Args:
        data: what is to be trained on.
        joint: whether a joint comparer is asked for, which has none.
        with_encoder: whether the recipe may choose encoder and dimension, as warping needs.
    """
    if joint:
        return metrics.NoMetric()
    if data.kind_of("left") == data.kind_of("right") == "pens" and with_encoder:
        return metrics.DTW(len(MODERN), power=0.5)  # see systems/bromley1993.py
    return metrics.Cosine()


def _two_kinds(data: Items | Pairs) -> bool:
    """Whether left and right items differ in kind, or in how many numbers they are."""
    kinds = data.kind_of("left"), data.kind_of("right")
    if kinds != ("numbers", "numbers") or isinstance(data, Items):
        return kinds[0] != kinds[1]
    return len(data.values[data.left[0]]) != len(data.values[data.right[0]])


def _length_of(encoder: nn.Module) -> int:
    """How many numbers an embedding has, as far as it is known before anything is built."""
    within = encoder.left if isinstance(encoder, encoders.Sides) else encoder
    return int(getattr(within, "dim", 1))


def _items_of(data: Items | Pairs, side: Side) -> Indices:
    """The items that stand on a side where the sides differ in kind, else all."""
    if isinstance(data, Pairs) and _two_kinds(data):
        return np.unique(data.left if side == "left" else data.right)
    return np.arange(len(data.values))


def _check_comparer(
    comparer: Comparer,
    metric: metrics.Metric | None,
    encoder: nn.Module | None,
    dim: int | None,
    *,
    two_kinds: bool,
) -> None:
    if two_kinds and (comparer != "twin" or encoder is not None):
        raise SettingsError(
            "left and right items are of two kinds, which makes a half-twin with an encoder for "
            "each: leave the comparer and the encoder out"
        )
    if comparer == "joint" and not (isinstance(metric, metrics.NoMetric | None) and dim is None):
        raise SettingsError(
            "a joint comparer takes both items at once and has neither embeddings nor a metric: "
            "leave metric and dim out"
        )


def _compose(comparer: Comparer, made: list[nn.Module]) -> nn.Module:
    """One encoder for a twin, or what holds the encoders of another comparer."""
    if comparer == "joint":
        return encoders.Joint(made[0])
    if comparer == "pseudo-twin":
        return encoders.Sides(made[0], copy.deepcopy(made[0]))
    return made[0] if len(made) == 1 else encoders.Sides(*made)


@dataclass(frozen=True)
class _Side:
    """What was chosen for one kind of item, and why."""

    input: inputs.Input
    encoder: nn.Module
    augment: Warp | None
    reason: str


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What a user asked for that may bear on either side."""

    size: int | None
    channels: int | None
    dim: int | None
    metric: metrics.Metric
    augment: bool
    seed: int


def _choose_side(data: Items | Pairs, side: Side, asked: _Asked) -> _Side:
    kind = data.kind_of(side)
    if kind == "images":
        seen = look(data, side, seed=asked.seed)
        images, reason = _image_input(seen, asked.size, asked.channels)
        warp = _image_augment(seen) if asked.augment else None
        return _Side(images, _image_encoder(images.shape[-1], asked.dim or 128), warp, reason)
    if kind not in ("numbers", "pens"):
        raise SettingsError(
            f"{data.name} holds {kind}, for which there is no recipe: make a model of your own "
            "parts, gemel.Siamese(input, encoder, metric), and train it with gemel.fit"
        )
    neither = "images" not in (data.kind_of("left"), data.kind_of("right"))
    if neither and (asked.size or asked.channels):
        raise SettingsError(
            f"{data.name} holds {kind}; size and channels are for images: leave them out"
        )
    if kind == "pens":
        return _pen_side(asked)
    features = len(data.values[int(_items_of(data, side)[0])])
    encoder = encoders.Dense(widths=(128, 128), dim=asked.dim or 32)
    reason = f"{features} numbers an item, standardised"
    return _Side(inputs.Numbers(features), encoder, None, reason)


def _pen_side(asked: _Asked) -> _Side:
    """Few weights that keep time for warping, as few hands teach; else a network of many."""
    if isinstance(asked.metric, metrics.NoMetric):
        raise SettingsError("there is no joint comparer of pen recordings: take a twin")
    encoder: nn.Module
    if isinstance(asked.metric, metrics.DTW):
        if asked.dim is not None:
            raise SettingsError("DTW keeps every moment of a pen recording: leave dim out")
        encoder = encoders.AlignedTDNN()
    else:
        encoder = encoders.DilatedTDNN(dim=asked.dim or 64)
    reason = f"pen recordings at {PEN_POINTS} equal steps of time, scaled; long pauses cut short"
    warp = inputs.PenWarp() if asked.augment else None
    return _Side(inputs.Pens(PEN_POINTS), encoder, warp, reason)


def _image_input(seen: Look, size: int | None, channels: int | None) -> tuple[inputs.Images, str]:
    small = seen.drawn or seen.side <= 40
    side = size if size is not None else 28 if small else 64
    depth = channels if channels is not None else 3 if seen.colour and not seen.drawn else 1
    what = "ink on a plain ground" if seen.drawn else "colour" if seen.colour else "grey"
    why = f"{what}, about {seen.side} pixels a side -> {side} x {side} x {depth}"
    images = inputs.Images(size=side, channels=depth, light_on_dark=seen.drawn, trim=seen.drawn)
    return images, why


def _image_encoder(side: int, dim: int) -> nn.Module:
    width = (64, 64, 64, 64) if side <= 40 else (32, 64, 64, 64, 64)
    return encoders.Conv(width=width, dim=dim)


def _image_augment(seen: Look) -> Warp:
    if seen.drawn:
        return inputs.Warp()
    soft = inputs.Warp(rotation=8, scale=0.15, shear=0.08, shift=0.06, elastic=0.0, fill="border")
    return inputs.Chain([soft, inputs.Colour()])


def _balance(networks: list[nn.Module]) -> None:
    """Make the bits of gemel's own encoders 1 as often as 0; without, all codes may become one."""
    own = encoders.Conv | encoders.Dense | encoders.Koch | encoders.LeNet | encoders.Residual
    for network in networks:
        if isinstance(network, own | encoders.DilatedTDNN):
            network.balanced = True


def _with_reasons(recipe: Recipe) -> Recipe:
    def name(part: Any) -> str:
        within = part.parts().values() if hasattr(part, "parts") else ()
        return type(part).__name__ + (f"({', '.join(map(name, within))})" if within else "")

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
