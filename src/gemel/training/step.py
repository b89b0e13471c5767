"""One step of training: batch, embeddings, loss, gradients, weights."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from gemel.errors import NonFiniteLossError
from gemel.inputs import Prepared
from gemel.items import Indices
from gemel.model import Siamese
from gemel.sampling import Batch, Sampler
from gemel.training.budget import rate_at
from gemel.training.gather import gather_rows, share_batch_norms, unshare_batch_norms
from gemel.training.objective import Loss, compute, items_of

Augment = Callable[[Tensor, torch.Generator], Tensor]


class Stepper:
    """Takes the steps of a run. While it is open, the modules are in training mode.

    Every random draw of step n comes from a seed made of the run's seed, n and the process's
    rank: no generator's state has to be kept for a resumed run to equal an uninterrupted one.

    Args:
        model: what is trained.
        loss: what is lowered; its weights are trained too, if it has any.
        data: the items, read.
        sampler: names the items of each step.
        augment: warps the batches, or None.
        rate: the peak rate of AdamW.
        weight_decay: of weights with two or more axes.
        seed: of the run.
        fabric: where it runs.
    """

    def __init__(
        self,
        model: Siamese,
        loss: Loss,
        data: Prepared,
        sampler: Sampler,
        augment: Augment | None,
        *,
        rate: float,
        weight_decay: float,
        seed: int,
        fabric: Fabric,
    ) -> None:
        self.model = model
        self.loss = loss
        self.data = data
        self.sampler = sampler
        self.augment = augment
        self.rate = rate
        self.seed = seed
        self.fabric = fabric
        self.modules = nn.ModuleList([model, *([loss] if isinstance(loss, nn.Module) else [])])
        self.modules.to(fabric.device)
        weights = list(self.modules.parameters())
        decayed = [weight for weight in weights if weight.ndim > 1]
        plain = [weight for weight in weights if weight.ndim <= 1]
        groups: list[dict[str, Any]] = [
            {"params": decayed, "weight_decay": weight_decay},
            {"params": plain, "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=rate)
        self.encoder = fabric.setup_module(model.encoder)
        self.optimizer: Any = fabric.setup_optimizers(optimizer)

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

        Raises:
            NonFiniteLossError: the loss is not a finite number; no weight was changed.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * rate_at(progress)
        batch = self.sampler.batch(number)
        embeddings = self._embed(number, items_of(batch))
        value = compute(self.loss, self.model.metric, embeddings, batch)
        loss = value.item()
        if not math.isfinite(loss):
            raise NonFiniteLossError(self._explain(number, loss, batch))
        self.optimizer.zero_grad()
        self.fabric.backward(value)
        self.optimizer.step()
        return loss, embeddings.detach()

    def _embed(self, number: int, items: Indices) -> Tensor:
        """The embeddings [B, D] of `items`, of which each process computes its share.

        Where the processes do not divide the batch, its first items are embedded twice, and count
        twice in shared batch norms; in the loss they count once.
        """
        world, rank = self.fabric.world_size, self.fabric.global_rank
        share = -(-len(items) // world)
        filled = np.resize(items, share * world)  # the first items again, where it is uneven
        mine = filled[rank * share : (rank + 1) * share]
        seed = step_seed(self.seed, number, rank)
        torch.manual_seed(seed)  # for dropout
        batch = self.model.input.tensor(self.data.batch(mine).to(self.fabric.device))
        if self.augment is not None:
            generator = torch.Generator(device=batch.device).manual_seed(seed)
            batch = self.augment(batch, generator)
        embeddings: Tensor = self.encoder(batch).float()
        return embeddings if world == 1 else gather_rows(embeddings)[: len(items)]

    def _explain(self, number: int, loss: float, batch: Batch) -> str:
        items = items_of(batch)
        shown = ", ".join(self.data.origins[i] for i in items[:5])
        return (
            f"the loss of step {number + 1} is {loss}; its batch of {len(items)} items begins "
            f"with {shown}. Lower the rate (it was {self.rate:g}), and look at these items; "
            "the last checkpoint is whole"
        )


def step_seed(*numbers: int) -> int:
    """One seed of several numbers: the run's, the step's, the process's."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)
