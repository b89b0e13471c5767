"""`Siamese`: an input, an encoder and a metric, trained and saved as one."""

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from gemel.errors import SettingsError
from gemel.evaluation.calibration import Calibration, Verdict
from gemel.inputs import Input, Prepared, prepare
from gemel.items import Items, Pairs
from gemel.leaks import Marks
from gemel.metrics import Metric


@dataclass(frozen=True)
class Comparison:
    """What a model says of two items.

    Attributes:
        distance: how unlike they are; lower is more alike.
        threshold: the distance up to which two items count as the same, chosen on validation
            data; None when the model has none.
        calibration: what the distance means; None when the model is not calibrated.
    """

    distance: float
    threshold: float | None
    calibration: Calibration | None = None

    @property
    def verdict(self) -> Verdict | None:
        """What the two are; "too close to call" only where the model is calibrated.

        None where the model has no threshold.
        """
        if self.calibration is not None:
            return self.calibration.decide(self.distance)
        if self.threshold is None:
            return None
        return "same" if self.distance <= self.threshold else "different"

    @property
    def same(self) -> bool | None:
        """Whether the two are the same; None without a threshold, and where it is too close."""
        verdict = self.verdict
        return verdict == "same" if verdict in ("same", "different") else None

    @property
    def probability(self) -> float | None:
        """Of the two being the same, at the calibration's prior; None without one."""
        known = self.calibration
        return None if known is None else float(known.probability(self.distance))

    @property
    def reason(self) -> str:
        """Why the verdict is as it is, in a sentence."""
        if self.calibration is not None:
            return self.calibration.explain(self.distance)
        if self.threshold is None:
            return "the model has no threshold: nothing was held out, and it is not calibrated"
        side = "at or below" if self.same else "above"
        return (
            f"the distance {self.distance:.4f} is {side} {self.threshold:.4f}, which parts the "
            "validation pairs best; how sure that is, only a calibration says"
        )

    def __str__(self) -> str:
        facts = [f"distance {self.distance:.4f}"]
        if self.threshold is not None:
            facts.append(f"threshold {self.threshold:.4f}")
        if self.probability is not None:
            facts.append(f"probability {self.probability:.3f}")
        return f"{self.verdict or 'no threshold yet'} ({', '.join(facts)})"


class Siamese(nn.Module):
    """One encoder on both sides, and the metric between the two embeddings.

    Args:
        input: turns a raw item to a tensor; saved with the model, so that training, test and
            serving see the same.
        encoder: a module from a batch [B, *input.shape] to embeddings [B, D]. gemel's own are
            built here for the input's shape; any other module is taken as it is.
        metric: the distance between embeddings; lower is more alike.
        seed: draws the first weights of the parts that are built here.
        views: how many fixed, mildly warped views of an item are averaged to its embedding;
            1 takes the item as it is.
        block: how many items go through the encoder at once in `embed`. Blocks are filled up to
            this size always, since kernels choose their order of summing by the batch's size:
            so an item's embedding is the same to the bit alone and among others.

    Raises:
        SettingsError: `views` or `block` is below 1, or the input has no views.
    """

    def __init__(
        self,
        input: Input,
        encoder: nn.Module,
        metric: Metric,
        *,
        seed: int = 0,
        views: int = 1,
        block: int = 16,
    ) -> None:
        super().__init__()
        for name, value in (("views", views), ("block", block)):
            if value < 1:
                raise SettingsError(f"`{name}` must be 1 or more; got {value}")
        if views > 1 and not hasattr(input, "views"):
            raise SettingsError(
                f"{type(input).__name__} has no warped views to average: leave `views` at 1"
            )
        self.input = input
        self.encoder = encoder
        self.metric = metric
        self.views = views
        self.block = block
        self.threshold: float | None = None
        self.calibration: Calibration | None = None
        self.trained_on: Marks | None = None
        self.calibrated_on: Marks | None = None
        self.training_summary: dict[str, Any] = {}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            build = getattr(encoder, "build", None)
            if build is not None and not _has_weights(encoder):
                build(input.shape)
            self.dim = self._measure_dim()
            if not _has_weights(metric):
                metric.build(self.dim)

    def _measure_dim(self) -> int:
        """D, the length of an embedding, from one blank item."""
        try:
            out = self.encode(torch.zeros(1, *self.input.shape))
        except RuntimeError as error:
            raise SettingsError(
                f"the encoder does not take a batch of shape (1, {self.input.shape}), "
                f"as {type(self.input).__name__} makes it: {error}"
            ) from error
        if out.ndim != 2:
            raise SettingsError(
                f"the encoder must give embeddings (batch, dim); one blank item gave {out.shape}"
            )
        return out.shape[1]

    def forward(self, batch: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """Embeddings [B, D] of a batch of input tensors, in the mode that the module is in."""
        out: Tensor = self.encoder(batch)
        return out

    @torch.no_grad()
    def encode(self, batch: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """Embeddings of input tensors in evaluation mode, whatever mode the module is in."""
        was_training = self.encoder.training
        self.encoder.eval()
        try:
            out: Tensor = self(batch).float()
            return out
        finally:
            self.encoder.train(was_training)

    def embed(self, items: Items | Sequence[Any] | np.ndarray) -> Float[Tensor, "items dim"]:
        """The embeddings of raw items, in order, on the CPU.

        Args:
            items: `Items`, or N raw items as the model's input takes them: for images paths,
                open pictures or arrays [H, W] or [H, W, C]; for numbers rows [F].

        Raises:
            BadItemsError: items that cannot be read; all are named.
        """
        if isinstance(items, Items):
            return self.embed_prepared(read_items(self.input, items)[1])
        if isinstance(items, str | bytes | PathLike):
            raise SettingsError(f"embed() takes a list of items; for one, write embed([{items!r}])")
        return self.embed_prepared(prepare(self.input, items, None))

    def embed_prepared(self, prepared: Prepared) -> Float[Tensor, "items dim"]:
        """The embeddings of items that `gemel.inputs.prepare` has read."""
        out = torch.empty(len(prepared), self.dim)
        device = next(self.encoder.parameters(), torch.empty(0)).device
        for start in range(0, len(prepared), self.block):
            rows = np.arange(start, min(start + self.block, len(prepared)))
            batch = self.input.tensor(prepared.batch(rows).to(device))
            filled = batch.new_zeros(self.block, *batch.shape[1:])
            filled[: len(rows)] = batch
            out[start : start + len(rows)] = self._embed_block(filled)[: len(rows)].cpu()
        return out

    def _embed_block(self, batch: Float[Tensor, "block ..."]) -> Float[Tensor, "block dim"]:
        if self.views == 1:
            return self.encode(batch)
        views = self.input.views(batch, self.views)  # type: ignore[attr-defined]
        return torch.stack([self.metric.normalise(self.encode(view)) for view in views]).mean(0)

    @torch.no_grad()
    def distances(
        self, left: Float[Tensor, "left dim"], right: Float[Tensor, "right dim"]
    ) -> Float[Tensor, "left right"]:
        """The metric between all embeddings on the left and all on the right."""
        device = next(self.metric.parameters(), left).device
        out: Tensor = self.metric.matrix(left.to(device), right.to(device))
        return out.cpu()

    @torch.no_grad()
    def compare(self, left: Any, right: Any) -> Comparison:
        """How alike two raw items are."""
        embeddings = self.embed([left, right])
        device = next(self.metric.parameters(), embeddings).device
        distance = self.metric(embeddings[:1].to(device), embeddings[1:].to(device))
        return Comparison(float(distance), self.threshold, self.calibration)

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
        input: Input | None = None,
        encoder: nn.Module | None = None,
        metric: Metric | None = None,
    ) -> "Siamese":
        """The same as `gemel.load`."""
        from gemel.model_file import load

        return load(path, input=input, encoder=encoder, metric=metric, kind=cls)


def _has_weights(part: nn.Module) -> bool:
    """Whether a part is built already: trained weights are never drawn anew."""
    return next(part.parameters(), None) is not None


def load(
    path: str | PathLike[str],
    *,
    input: Input | None = None,
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


def read_items(
    input: Input,
    data: Items | Pairs,
    *,
    skip_bad: bool = False,
) -> tuple[Items | Pairs, Prepared]:
    """Every item of `data` read once; and `data` without what could not be read, row by row alike.

    Raises:
        SettingsError: the items are of another kind than the input takes.
        BadItemsError: items that cannot be read, unless `skip_bad`.
    """
    if data.kind != input.kind:
        raise SettingsError(f"{data.name} holds {data.kind}; this model's input takes {input.kind}")
    origins = [data.origin(i) for i in range(len(data.values))]
    prepared = prepare(input, data.values, origins, skip_bad=skip_bad, name=data.name)
    return (data.keep_items(prepared.kept) if prepared.skipped else data), prepared
