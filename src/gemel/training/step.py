"""One step of training: batch, embeddings, loss, gradients, weights."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from gemel.errors import NonFiniteLossError, SettingsError
from gemel.inputs import AnyPrepared, PairAugment, input_of
from gemel.items import SIDES, Indices, Side
from gemel.model import Siamese
from gemel.sampling import Batch, LabelBatch, PairBatch, Sampler
from gemel.training.descent import Descent
from gemel.training.gather import gather_rows, share_batch_norms, unshare_batch_norms
from gemel.training.objective import Loss, compute, items_of, name_of, sides_of

Warp = Callable[[Tensor, torch.Generator], Tensor]
Augment = Warp | PairAugment | Mapping[Side, Warp | None]


class Stepper:
    """Takes the steps of a run. While it is open, the modules are in training mode.

    Every random draw of step n comes from a seed made of the run's seed, n and the process's
    rank: no generator's state has to be kept for a resumed run to equal an uninterrupted one.

    Args:
        model: what is trained.
        loss: what is lowered; its weights are trained too, if it has any.
        data: the items, read.
        sampler: names the items of each step.
        augment: warps the batches, or None; or one for each side, {"left": ..., "right": ...}; or
            one that sees both items of a pair, such as `inputs.Alike`.
        descent: the optimiser and its course.
        seed: of the run.
        fabric: where it runs.
    """

    def __init__(
        self,
        model: Siamese,
        loss: Loss,
        data: AnyPrepared,
        sampler: Sampler,
        augment: Augment | None,
        *,
        descent: Descent,
        seed: int,
        fabric: Fabric,
    ) -> None:
        self.model = model
        self.loss = loss
        self.data = data
        self.sampler = sampler
        self.augment = augment
        self.descent = descent
        self.seed = seed
        self.fabric = fabric
        self.modules = nn.ModuleList([model, *([loss] if isinstance(loss, nn.Module) else [])])
        self.modules.to(fabric.device)
        self.encoder = fabric.setup_module(model.encoder)
        self.optimizer: Any = fabric.setup_optimizers(descent.optimizer(self.modules))

    def __enter__(self) -> "Stepper":
        if self.fabric.world_size > 1:
            share_batch_norms(self.model.encoder)
        self.modules.train()
        return self

    def __exit__(self, *_: object) -> None:
        unshare_batch_norms(self.model.encoder)
        self.modules.eval()

    def step(self, number: int, progress: float) -> tuple[float, Tensor]:
        """Take step `number`: the loss before it, and its embeddings [B, D].

        A joint comparer has none: then its distances [B, 1].

        Raises:
            NonFiniteLossError: the loss is not a finite number; no weight was changed.
        """
        self.descent.adjust(self.optimizer, progress, number // self.sampler.steps_per_epoch)
        batch = self.sampler.batch(number)
        given = self._forward(number, batch)
        torch.manual_seed(step_seed(self.seed, number))  # draws of the loss: alike on all processes
        value = compute(self.loss, self.model, given, batch)
        loss = value.item()
        if not math.isfinite(loss):
            raise NonFiniteLossError(self._explain(number, loss, batch))
        self.optimizer.zero_grad()
        self.fabric.backward(value)
        self.optimizer.step()
        return loss, torch.cat([rows.detach().reshape(len(rows), -1) for rows in given])

    @property
    def rate(self) -> float:
        """The rate of the last step."""
        return float(self.optimizer.param_groups[0]["lr"])

    def _forward(self, number: int, batch: Batch) -> tuple[Tensor, ...]:
        """What `compute` takes, of which each process computes its share.

        Where the processes do not divide the batch, its first items are embedded twice, and count
        twice in shared batch norms; in the loss they count once.
        """
        model, paired = self.model, isinstance(self.augment, PairAugment)
        apart = paired or model.is_joint or model.is_sided
        parts = sides_of(batch, joint=model.is_joint) if apart else (items_of(batch),)
        seed = step_seed(self.seed, number, self.fabric.global_rank)
        torch.manual_seed(seed)  # for dropout
        generator = torch.Generator(device=self.fabric.device).manual_seed(seed)
        tensors = [self._share(items, side) for items, side in zip(parts, SIDES, strict=False)]
        tensors = self._warped(tensors, batch, generator)
        twin = not (model.is_joint or model.is_sided)
        out = self.encoder(torch.cat(tensors)) if twin else self.encoder(*tensors)
        rows: tuple[Tensor, ...] = out if isinstance(out, tuple) else (out,)
        rows = tuple(each.float() for each in rows)
        if twin:
            rows = torch.split(rows[0], [len(tensor) for tensor in tensors])
        if self.fabric.world_size > 1:
            rows = tuple(
                gather_rows(each)[: len(items)] for each, items in zip(rows, parts, strict=False)
            )
        # pairs of a twin stand one side after the other, labelled items of two sides take turns
        return (torch.cat(rows),) if twin and isinstance(batch, PairBatch) else rows

    def _share(self, items: Indices, side: Side) -> Tensor:
        """This process's share of `items` as `side` items: input tensors."""
        world, rank = self.fabric.world_size, self.fabric.global_rank
        share = -(-len(items) // world)
        filled = np.resize(items, share * world)  # the first items again, where it is uneven
        mine = filled[rank * share : (rank + 1) * share]
        stored = self.data.of(side).batch(self.data.rows(side, mine))
        return input_of(self.model.input, side).tensor(stored.to(self.fabric.device))

    def _warped(
        self, tensors: list[Tensor], batch: Batch, generator: torch.Generator
    ) -> list[Tensor]:
        """The input tensors of one row of items, or of left and right ones, augmented.

        Raises:
            SettingsError: the augmentation is of pairs, and the batch has none.
        """
        augment = self.augment
        if augment is None:
            return tensors
        if isinstance(augment, PairAugment):
            if not _is_paired(batch):
                raise SettingsError(
                    f"{name_of(augment)} warps the two items of a pair alike, and the batch has no "
                    "pairs: give a pair loss, such as gemel.losses.PairHinge(), or batches with 2 "
                    "items of each class, ClassesByItems(per_class=2)"
                )
            left, right = tensors
            return list(augment.pair(left, right, generator))
        warps = [
            augment[side] if isinstance(augment, Mapping) else augment
            for side in SIDES[: len(tensors)]
        ]
        return [
            tensor if warp is None else warp(tensor, generator)
            for tensor, warp in zip(tensors, warps, strict=True)
        ]

    def _explain(self, number: int, loss: float, batch: Batch) -> str:
        items = items_of(batch)
        shown = ", ".join(self.data.origins[i] for i in items[:5])
        return (
            f"the loss of step {number + 1} is {loss}; its batch of {len(items)} items begins "
            f"with {shown}. Lower the rate (it was {self.rate:g}), and look at these items; "
            "the last checkpoint is whole"
        )


def _is_paired(batch: Batch) -> bool:
    """Whether the batch has pairs, or labelled items of which two by two are of one class."""
    if not isinstance(batch, LabelBatch):
        return isinstance(batch, PairBatch)
    return np.array_equal(batch.labels[::2], batch.labels[1::2])


def step_seed(*numbers: int) -> int:
    """One seed of several numbers: the run's, the step's, the process's."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)
