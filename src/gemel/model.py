"""`Siamese`: an input, an encoder and a metric, trained and saved as one."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from gemel import inputs
from gemel.comparison import Comparison
from gemel.encoders import Joint, Sides
from gemel.errors import SettingsError
from gemel.evaluation.calibration import Calibration
from gemel.inputs import AnyInput, Input, Prepared, input_of, prepare, read_items
from gemel.items import SIDES, Indices, Items, Side
from gemel.leaks import Marks
from gemel.metrics import Hamming, Metric, NoMetric, codes, pack, unit


@dataclass(frozen=True)
class Form:
    """What a comparer is, and what it can be asked.

    Attributes:
        name: "twin", "pseudo-twin", "half-twin" or "joint comparer".
        verbs: what it allows.
    """

    name: str
    verbs: tuple[str, ...]


class Siamese(nn.Module):
    """A comparer of two items: an input, one encoder or two, and the metric between embeddings.

    | form | encoder | input |
    |---|---|---|
    | twin | one module | one |
    | pseudo-twin | `encoders.Sides(f, g)` | one |
    | half-twin | `encoders.Sides(f, g)` | `inputs.Sides(a, b)` |
    | joint comparer | `encoders.Joint(network)`, no metric | one |

    Args:
        input: turns a raw item to a tensor; saved with the model, so that training, test and
            serving see the same.
        encoder: a module from a batch [B, *input.shape] to embeddings [B, D]. gemel's own are
            built here for the input's shape; any other module is taken as it is.
        metric: the distance between embeddings; lower is more alike. None for a joint comparer.
        seed: draws the first weights of the parts that are built here.
        views: how many fixed, mildly warped views of an item are averaged to its embedding;
            1 takes the item as it is.
        block: how many items go through the encoder at once in `embed`, at most. What is left
            over is filled up to a power of two, so that one item alone is soon done. What else
            is in a block leaves an item's embedding as it is, to the bit; another block size may
            change its last bits, since kernels choose their order of summing by it.

    Raises:
        SettingsError: `views` or `block` is below 1, the input has no views, or input, encoder
            and metric do not go together.
    """

    def __init__(
        self,
        input: AnyInput,
        encoder: nn.Module,
        metric: Metric | None = None,
        *,
        seed: int = 0,
        views: int = 1,
        block: int = 16,
    ) -> None:
        super().__init__()
        _check_parts(input, encoder, metric, views, block)
        self.input = input
        self.encoder = encoder
        self.metric = metric if metric is not None else NoMetric()
        self.views = views
        self.block = block
        self.threshold: float | None = None
        self.calibration: Calibration | None = None
        self.trained_on: Marks | None = None
        self.calibrated_on: Marks | None = None
        self.training_summary: dict[str, Any] = {}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            for side in SIDES:
                part = self.side_encoder(side)
                build = getattr(part, "build", None)
                if build is not None and not _has_weights(part):
                    build(input_of(input, side).shape)
            self.dim = self._measure_dim()
            if not _has_weights(self.metric):
                self.metric.build(self.dim)
        self.eval()

    @property
    def is_joint(self) -> bool:
        """Whether both items enter one network, so that there are no embeddings."""
        return isinstance(self.encoder, Joint)

    @property
    def is_sided(self) -> bool:
        """Whether left and right items have encoders of their own."""
        return isinstance(self.encoder, Sides)

    @property
    def form(self) -> Form:
        """Which kind of comparer this is, and the verbs that it allows."""
        if self.is_joint:
            return Form("joint comparer", ("fit", "evaluate", "calibrate", "compare"))
        if not self.is_sided:
            name = "twin"
        elif isinstance(self.input, inputs.Sides):
            name = "half-twin"
        else:
            alike = type(self.side_encoder("left")) is type(self.side_encoder("right"))
            name = "pseudo-twin" if alike else "half-twin"
        return Form(
            name,
            (
                "fit",
                "evaluate",
                "calibrate",
                "compare",
                "embed",
                "distances",
                "enrol",
                "verify",
                "identify",
            ),
        )

    def side_encoder(self, side: Side) -> nn.Module:
        """The encoder of one side; one encoder serves both."""
        if not isinstance(self.encoder, Sides):
            return self.encoder
        return self.encoder.left if side == "left" else self.encoder.right

    def _measure_dim(self) -> int:
        """D, the length of an embedding, from one blank item of each side; 0 without embeddings."""
        found: list[int] = []
        for side in SIDES:
            given = input_of(self.input, side)
            blank = torch.zeros(1, *given.shape)
            try:
                with self.evaluating():
                    out = (
                        self.encoder(blank, blank)
                        if self.is_joint
                        else self.side_encoder(side)(blank)
                    )
            except RuntimeError as error:
                raise SettingsError(
                    f"the encoder does not take a batch of shape (1, {given.shape}), "
                    f"as {type(given).__name__} makes it: {error}"
                ) from error
            if self.is_joint:
                return 0
            if out.ndim != 2:
                raise SettingsError(
                    f"the encoder must give embeddings (batch, dim); one blank item gave "
                    f"{tuple(out.shape)}"
                )
            found.append(int(out.shape[1]))
        if found[0] != found[1]:
            raise SettingsError(
                f"the left encoder gives embeddings of {found[0]} numbers and the right one of "
                f"{found[1]}: both must have one length to be compared"
            )
        return found[0]

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Evaluation mode and no gradients inside, and whatever mode there was afterwards."""
        training = [module for module in self.modules() if module.training]
        if training:  # seldom, and to go through all takes longer than a small network
            self.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            for module in training:
                module.training = True

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters(), torch.empty(0)).device

    def forward(self, *batches: Float[Tensor, "batch ..."]) -> Any:
        """What the encoder gives of one batch, or of a left and a right one, in the mode it is in.

        Embeddings [B, D] of a twin; two of them of a comparer with two encoders; distances [B] of
        a joint comparer.
        """
        return self.encoder(*batches)

    def embed(
        self, items: Items | Sequence[Any] | np.ndarray, side: str | None = None
    ) -> Float[Tensor, "items dim"]:
        """The embeddings of raw items, in order, on the CPU.

        Args:
            items: `Items`, or N raw items as the model's input takes them: for images paths,
                open pictures or arrays [H, W] or [H, W, C]; for numbers rows [F].
            side: "left" or "right", where the two have encoders of their own.

        Raises:
            BadItemsError: items that cannot be read; all are named.
            SettingsError: a joint comparer has no embeddings, or a side must be named.
        """
        given = input_of(self.input, self._side(side))
        if isinstance(items, Items):
            return self.embed_prepared(read_items(given, items)[1].of("left"), side)
        if isinstance(items, str | bytes | PathLike):
            raise SettingsError(f"embed() takes a list of items; for one, write embed([{items!r}])")
        return self.embed_prepared(prepare(given, items, None), side)

    def embed_prepared(
        self, prepared: Prepared, side: str | None = None
    ) -> Float[Tensor, "items dim"]:
        """The embeddings of items that `gemel.inputs.prepare` has read.

        Raises:
            SettingsError: a joint comparer has no embeddings, or a side must be named.
        """
        which = self._side(side)
        encoder, given = self.side_encoder(which), input_of(self.input, which)
        out = torch.empty(len(prepared), self.dim)
        # the mean of views lies inside the sphere that a view lies on
        on_sphere = self.views > 1 and getattr(encoder, "unit_length", False)
        with self.evaluating():
            for rows in self._blocks(len(prepared)):
                batch = self._filled(given, prepared, rows)
                views = given.views(batch, self.views) if self.views > 1 else batch[None]  # type: ignore[attr-defined]
                each = self._normalised(encoder(views.flatten(0, 1)))
                mean = each.reshape(*views.shape[:2], -1).mean(0)[: len(rows)]
                out[rows] = (unit(mean) if on_sphere else mean).cpu()
        return out

    @property
    def makes_codes(self) -> bool:
        """Whether the metric sees the signs of the numbers only, so that an embedding is a code."""
        return type(self.metric) is Hamming

    def codes(
        self, items: Items | Sequence[Any] | np.ndarray, side: str | None = None
    ) -> UInt8[Tensor, "items bytes"]:
        """The binary codes of items: of each number of the embedding whether it is above 0.

        Args:
            items: as for `embed`.
            side: as for `embed`.

        Returns:
            Eight bits a byte, the first one highest, the last byte filled up with zeros, as
            `metrics.pack` makes them.

        Raises:
            SettingsError: the model's metric is not Hamming; or see `embed`.
        """
        if not self.makes_codes:
            raise SettingsError(
                f"codes() is of models whose metric is Hamming; this one's is "
                f"{type(self.metric).__name__}: use embed()"
            )
        return pack(codes(self.embed(items, side)))

    def pair_distances(self, left: Prepared, right: Prepared) -> Float[Tensor, " pairs"]:
        """The distance of each left item from the right item in the same place.

        Args:
            left: M items that the input of the left side has read.
            right: M items that the input of the right side has read.
        """
        if not self.is_joint:
            u, v = self.embed_prepared(left, "left"), self.embed_prepared(right, "right")
            with self.evaluating():
                distance: Tensor = self.metric(u.to(self.device), v.to(self.device))
            return distance.cpu()
        out = torch.empty(len(left))
        given = input_of(self.input, "left")
        with self.evaluating():
            for rows in self._blocks(len(left)):
                pair = [self._filled(given, side, rows) for side in (left, right)]
                out[rows] = self.encoder(*pair).float()[: len(rows)].cpu()
        return out

    def _normalised(self, embeddings: Tensor) -> Tensor:
        """As they are, unless views are averaged: then without what the metric does not see."""
        embeddings = embeddings.float()
        return embeddings if self.views == 1 else self.metric.normalise(embeddings)

    def _blocks(self, count: int) -> list[Indices]:
        return [
            np.arange(start, min(start + self.block, count))
            for start in range(0, count, self.block)
        ]

    def _filled(self, given: Input, prepared: Prepared, rows: Indices) -> Tensor:
        """The input tensors of some items, filled up with blank ones to a power of two."""
        batch = given.tensor(prepared.batch(rows).to(self.device))
        size = min(self.block, 1 << (len(rows) - 1).bit_length())
        filled = batch.new_zeros(size, *batch.shape[1:])
        filled[: len(rows)] = batch
        return filled

    def _side(self, side: str | None) -> Side:
        """The side that is meant.

        Raises:
            SettingsError: there are no embeddings, or the sides differ and none was named.
        """
        if self.is_joint:
            raise SettingsError(
                "a joint comparer takes both items at once and has no embeddings, so no gallery "
                "and no search; ask compare(a, b), or pair_distances. It allows: "
                + ", ".join(self.form.verbs)
            )
        if side not in (None, *SIDES):
            raise SettingsError(f"`side` must be 'left' or 'right'; got {side!r}")
        if side is None and self.is_sided:
            raise SettingsError(
                f"this {self.form.name} has an encoder for each side of a pair: say which, "
                "embed(items, side='left') or side='right'"
            )
        return "right" if side == "right" else "left"

    def distances(
        self, left: Float[Tensor, "left dim"], right: Float[Tensor, "right dim"]
    ) -> Float[Tensor, "left right"]:
        """The metric between all embeddings on the left and all on the right."""
        with self.evaluating():
            out: Tensor = self.metric.matrix(left.to(self.device), right.to(self.device))
        return out.cpu()

    def compare(self, left: Any, right: Any) -> Comparison:
        """How alike two raw items are."""
        prepared = [
            prepare(input_of(self.input, side), [value], None)
            for side, value in zip(SIDES, (left, right), strict=True)
        ]
        distance = float(self.pair_distances(*prepared))
        return Comparison(distance, self.threshold, self.calibration)

    @property
    def fingerprint(self) -> str:
        """64 hex digits that change whenever an embedding or a distance could: see model_file."""
        from gemel.model_file import fingerprint

        return fingerprint(self)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the model to one file, at once or not at all.

        Raises:
            ModelFileError: the file cannot be written.
        """
        from gemel.model_file import save

        save(self, path)

    @classmethod
    def load(
        cls,
        path: str | PathLike[str],
        *,
        input: AnyInput | None = None,
        encoder: nn.Module | None = None,
        metric: Metric | None = None,
    ) -> "Siamese":
        """The same as `gemel.load`."""
        from gemel.model_file import load

        return load(path, input=input, encoder=encoder, metric=metric, kind=cls)


def _check_parts(
    input: AnyInput, encoder: nn.Module, metric: Metric | None, views: int, block: int
) -> None:
    """Refuse parts that do not go together, before anything is built."""
    for name, value in (("views", views), ("block", block)):
        if value < 1:
            raise SettingsError(f"`{name}` must be 1 or more; got {value}")
    joint, sided = isinstance(encoder, Joint), isinstance(encoder, Sides)
    if joint and metric is not None and not isinstance(metric, NoMetric):
        raise SettingsError("a joint comparer measures by itself: leave the metric out")
    if not joint and (metric is None or isinstance(metric, NoMetric)):
        raise SettingsError(
            "give a metric, such as gemel.metrics.Cosine(); only a joint comparer "
            "(encoders.Joint) has none"
        )
    if isinstance(input, inputs.Sides) and not sided:
        raise SettingsError(
            "an input for each side needs an encoder for each: encoders.Sides(left, right)"
        )
    for side in SIDES:
        given = input_of(input, side)
        if views > 1 and (joint or not hasattr(given, "views")):
            what = "a joint comparer" if joint else type(given).__name__
            raise SettingsError(f"{what} has no warped views to average: leave `views` at 1")


def _has_weights(part: nn.Module) -> bool:
    """Whether a part is built already: trained weights are never drawn anew."""
    return next(part.parameters(), None) is not None


def load(
    path: str | PathLike[str],
    *,
    input: AnyInput | None = None,
    encoder: nn.Module | None = None,
    metric: Metric | None = None,
) -> Siamese:
    """Read a model that `Siamese.save` wrote. Nothing in the file is run.

    Args:
        path: the model file.
        input: the input itself where the model has one that gemel does not make.
        encoder: the same for its encoder.
        metric: the same for its metric.

    Raises:
        ModelFileError: the file is missing, damaged, of another program, or of a newer gemel.
    """
    return Siamese.load(path, input=input, encoder=encoder, metric=metric)
