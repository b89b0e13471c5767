"""What a run needs to go on as if it had never stopped, in one file beside the model's."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from gemel import storage
from gemel.errors import TrainingError


@dataclass
class State:
    """Where a run stands.

    Attributes:
        step: how many steps are done.
        seconds: how long they took, over all resumed parts.
        history: one record a line of the log.
        best: the best validation figure so far, None before the first.
        best_weights: the model's weights at that figure.
        since_best: validations without a better figure.
    """

    step: int = 0
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)
    best: float | None = None
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    since_best: int = 0


class Clock:
    """Seconds of a run over all its parts, from `before` on."""

    def __init__(self, before: float) -> None:
        self._zero = time.monotonic() - before

    def seconds(self) -> float:
        """How long the run has taken so far."""
        return time.monotonic() - self._zero


class Keeper:
    """Writes a run's checkpoint now and then, beside the model file `out` that it will write.

    Args:
        out: the model file; None keeps nothing.
        modules: what is trained.
        optimizer: what trains it.
        identity: what must agree for a checkpoint to be resumed.
        seconds: how often `save_if_due` writes.
    """

    def __init__(
        self,
        out: Path | None,
        modules: nn.Module,
        optimizer: Optimizer,
        identity: Mapping[str, Any],
        *,
        seconds: float,
    ) -> None:
        self.path = None if out is None else path_for(out)
        self.modules = modules
        self.optimizer = optimizer
        self.identity = dict(identity)
        self.seconds = seconds
        self._saved = time.monotonic()

    def save_if_due(self, state: State) -> None:
        """Write the checkpoint if the last one is `seconds` old."""
        if time.monotonic() - self._saved >= self.seconds:
            self.save(state)

    def save(self, state: State) -> None:
        """Write the run's state; a crash while writing leaves the checkpoint before it."""
        self._saved = time.monotonic()
        if self.path is None:
            return
        tensors = {f"modules/{key}": value for key, value in self.modules.state_dict().items()}
        tensors |= {f"best/{key}": value for key, value in state.best_weights.items()}
        for number, slots in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{number}/{slot}": value for slot, value in slots.items()}
        facts = {
            "written_by": storage.versions(),
            "identity": self.identity,
            "step": state.step,
            "seconds": state.seconds,
            "history": state.history,
            "best": state.best,
            "since_best": state.since_best,
        }
        storage.write(self.path, "checkpoint", tensors, facts)

    def resume(self, out: Path) -> State:
        """Put the saved run back, and say where it stands: at the start if there is none.

        Raises:
            ModelFileError: the checkpoint cannot be read.
            TrainingError: it belongs to a run with other settings or other data.
        """
        path = path_for(out)
        if not path.exists():
            return State()
        tensors, facts = storage.read(path, "checkpoint")
        self._check_identity(path, facts["identity"])
        weights = _under("modules/", tensors)
        storage.check_tensors(path, weights, self.modules.state_dict())
        self.modules.load_state_dict(weights)
        slots: dict[int, dict[str, Tensor]] = {}
        for key, value in _under("optimizer/", tensors).items():
            number, slot = key.split("/", 1)
            slots.setdefault(int(number), {})[slot] = value
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": slots, "param_groups": groups})
        return State(
            step=facts["step"],
            seconds=facts["seconds"],
            history=facts["history"],
            best=facts["best"],
            best_weights=_under("best/", tensors),
            since_best=facts["since_best"],
        )

    def remove(self) -> None:
        """Delete the checkpoint: the run is complete."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    def _check_identity(self, path: Path, saved: Mapping[str, Any]) -> None:
        for key, value in self.identity.items():
            if saved.get(key) != value:
                raise TrainingError(
                    f"{path} belongs to a run with {key} = {saved.get(key)!r}, this one has "
                    f"{value!r}; resume with the same data and settings, or start anew without "
                    "resume"
                )


def path_for(out: Path) -> Path:
    """The checkpoint's place: beside the model file that the run will write."""
    return out.with_name(out.name + ".checkpoint")


def copy_weights(module: nn.Module) -> dict[str, Tensor]:
    """The weights as they are now, on the CPU."""
    return {key: value.detach().cpu().clone() for key, value in module.state_dict().items()}


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)
    }
