"""How long to train, and how fast at which moment."""

import math
from dataclasses import dataclass

from gemel.errors import SettingsError
from gemel.training.checkpoint import State

WARM_UP = 0.05


@dataclass(frozen=True)
class Budget:
    """How long to train: exactly one of steps, epochs and minutes.

    A budget of minutes ties the rate to the clock, so two such runs are not equal to the bit;
    runs by steps or epochs are.

    Raises:
        SettingsError: none or several are given, or one that is not above 0.
    """

    steps: int | None = None
    epochs: float | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        given = {key: value for key, value in vars(self).items() if value is not None}
        if len(given) != 1 or next(iter(given.values())) <= 0:
            raise SettingsError(
                f"give exactly one of steps, epochs and minutes, above 0; got {given or 'none'}"
            )

    def progress(self, state: State, steps_per_epoch: int) -> float:
        """How much of the budget is spent: 0 at the start, 1 or more at the end."""
        if self.minutes is not None:
            return state.seconds / 60 / self.minutes
        if self.epochs is not None:
            return state.step / max(1, round(self.epochs * steps_per_epoch))
        return state.step / (self.steps or 1)


def rate_at(progress: float) -> float:
    """The share of the peak rate: a linear warm-up over 5 % of the run, then half a cosine.

    Source: Loshchilov and Hutter 2017, "SGDR: stochastic gradient descent with warm restarts".
    """
    return min(1.0, (progress + 1e-3) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * progress))
