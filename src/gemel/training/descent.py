"""How the weights move: the optimiser, and its settings over the course of a run."""

import math
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn
from torch.optim import Optimizer

from gemel.errors import SettingsError
from gemel.training.budget import rate_at

Number = float | int


@runtime_checkable
class Descent(Protocol):
    """What `fit` needs to know; its `repr` tells runs apart that differ in it."""

    def optimizer(self, modules: nn.Module) -> Optimizer:
        """The optimiser of all weights of `modules`."""

    def adjust(self, optimizer: Optimizer, progress: float, epoch: int) -> None:
        """Set rate, momentum and the like for the next step.

        Args:
            optimizer: what `optimizer` made.
            progress: the share of the budget that is spent, from 0 to 1.
            epoch: how many times the data have been gone through.
        """


@dataclass(frozen=True, kw_only=True)
class AdamW:
    """AdamW, warmed up over 5 % of the run, its rate then lowered by a cosine; see `rate_at`.

    Source: Loshchilov and Hutter 2019, "Decoupled weight decay regularization".

    Attributes:
        rate: the peak rate.
        weight_decay: of weights with two or more axes.

    Raises:
        SettingsError: the rate is no finite number above 0, or the decay none of 0 or more.
    """

    rate: Number = 2e-3
    weight_decay: Number = 1e-2

    def __post_init__(self) -> None:
        _check(rate=self.rate)
        _check_not_negative(weight_decay=self.weight_decay)

    def optimizer(self, modules: nn.Module) -> Optimizer:
        """AdamW in two groups: weights that decay, and those that do not."""
        weights = list(modules.parameters())
        groups: list[dict[str, Any]] = [
            {
                "params": [weight for weight in weights if weight.ndim > 1],
                "weight_decay": self.weight_decay,
            },
            {"params": [weight for weight in weights if weight.ndim <= 1], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=self.rate)

    def adjust(self, optimizer: Optimizer, progress: float, epoch: int) -> None:  # noqa: ARG002
        """Set the rate by the share of the budget that is spent."""
        for group in optimizer.param_groups:
            group["lr"] = self.rate * rate_at(progress)


@dataclass(frozen=True, kw_only=True)
class MomentumSGD:
    """Stochastic gradient descent with a rate and a momentum that change from epoch to epoch.

    The rate is `rate * decay ** epoch`; the momentum rises linearly over `ramp` epochs. The step
    is torch's: v <- momentum v + gradient, w <- w - rate v.

    Source: Koch, Zemel, Salakhutdinov 2015, section 3.2: decay 0.99, momentum from 0.5 up. They
    give each layer a rate, a momentum and an L2 penalty of its own, found by a search and not
    published; here rate and momentum are common to all layers. For the penalty see
    `losses.LayerDecay`.

    Attributes:
        rate: of the first epoch.
        decay: by which the rate is multiplied after every epoch.
        momentum: of the first epoch, and from epoch `ramp` on.
        ramp: how many epochs the momentum takes to rise.

    Raises:
        SettingsError: a value is out of its range.
    """

    rate: Number = 1e-2
    decay: Number = 0.99
    momentum: tuple[Number, Number] = (0.5, 0.9)
    ramp: Number = 20

    def __post_init__(self) -> None:
        _check(rate=self.rate, decay=self.decay, ramp=self.ramp)
        if self.decay > 1:
            raise SettingsError(f"`decay` must be at most 1; got {self.decay}")
        if not all(0 <= one < 1 for one in self.momentum):
            raise SettingsError(f"`momentum` must be two numbers from 0 to 1; got {self.momentum}")

    def optimizer(self, modules: nn.Module) -> Optimizer:
        """One group of all weights."""
        return torch.optim.SGD(modules.parameters(), lr=self.rate, momentum=self.momentum[0])

    def adjust(self, optimizer: Optimizer, progress: float, epoch: int) -> None:  # noqa: ARG002
        """Set rate and momentum by the epoch."""
        low, high = self.momentum
        for group in optimizer.param_groups:
            group["lr"] = self.rate * self.decay**epoch
            group["momentum"] = low + (high - low) * min(1.0, epoch / self.ramp)


def _check(**values: Number) -> None:
    for name, value in values.items():
        if not 0 < value < math.inf:
            raise SettingsError(f"`{name}` must be a finite number above 0; got {value}")


def _check_not_negative(**values: Number) -> None:
    for name, value in values.items():
        if not 0 <= value < math.inf:
            raise SettingsError(f"`{name}` must be a finite number of 0 or more; got {value}")
