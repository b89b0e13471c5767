"""`fit`: the training loop, read from top to bottom."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn

from gemel import storage
from gemel.checks import check_classes, check_sense
from gemel.errors import Problem, SettingsError, TrainingError
from gemel.inputs import input_of
from gemel.items import SIDES, Items, Pairs
from gemel.leaks import Marks, digests, marks
from gemel.model import Siamese
from gemel.sampling import Sampler
from gemel.training import checkpoint
from gemel.training.budget import Budget
from gemel.training.checkpoint import Keeper, State
from gemel.training.descent import AdamW, Descent
from gemel.training.gather import agree
from gemel.training.interrupt import Interrupt
from gemel.training.objective import (
    Loss,
    default_loss,
    default_sampler,
    make_ready,
    name_of,
)
from gemel.training.progress import Record, Reporter
from gemel.training.step import Augment, Stepper
from gemel.training.validation import Read, Validator, hold_out, read_both
from gemel.training.watch import Watch

RECORD_EVERY = 10
FEWEST_STEPS = 100  # before which no run is stopped early
MOST_RECORDS = 200
"""How many records of its training a model keeps: a curve needs no more."""
INTERRUPTED = "interrupt"


@dataclass(frozen=True)
class Fit:
    """What a training run did.

    Attributes:
        steps: how many steps it took, over all resumed parts.
        seconds: how long they took.
        stopped: why it ended: "budget" or "no better figure".
        validation: the best validation figure, None where nothing was held out.
        history: the records of the log.
        skipped: the bad items that it went on without.
    """

    steps: int
    seconds: float
    stopped: str
    validation: float | None
    history: list[Record] = field(repr=False)
    skipped: tuple[Problem, ...] = field(default=(), repr=False)


def fit(
    model: Siamese,
    train: Items | Pairs,
    *,
    loss: Loss | None = None,
    sampler: Callable[[Any], Sampler] | None = None,
    augment: Augment | None = None,
    validation: Items | Pairs | float | None = 0.1,
    steps: int | None = None,
    epochs: float | None = None,
    minutes: float | None = None,
    rate: float | None = None,
    descent: Descent | None = None,
    patience: int | None = 5,
    validations: int = 10,
    seed: int = 0,
    out: str | PathLike[str] | None = None,
    resume: bool = False,
    checkpoint_seconds: float = 30.0,
    log: str | PathLike[str] | None = None,
    tensorboard: str | PathLike[str] | None = None,
    progress: bool = False,
    skip_bad: bool = False,
    fabric: Fabric | None = None,
) -> Fit:
    """Train `model` on `train`, in place; its best weights are kept.

    Args:
        model: what is trained.
        train: labelled items, or pairs.
        loss: a `PairLoss`, a `TripletLoss`, or any callable `(embeddings [B, D], labels [B])`
            that gives a scalar. Default: what suits metric and data, see `default_loss`.
        sampler: a function from the training part to the sampler of its batches. Default:
            what the loss needs, about 256 items a batch.
        augment: called as `augment(batch, generator)` on input tensors; none unless given. Where
            the sides differ, it may be `{"left": one, "right": another}`.
        validation: data for the validation figure, or the share of the classes that is held out
            for it; None keeps the last weights. Too few classes: nothing is held out.
        steps: train this many steps; or
        epochs: this many passes over the data; or
        minutes: this long. Default: 5 minutes. The rate follows the budget.
        rate: the peak rate of AdamW, 2e-3 unless given, warmed up over 5 % of the run, then
            lowered by a cosine. For all its settings, or another optimiser, give
        descent: such as `training.AdamW(rate=1e-3, weight_decay=0.1)` or
            `training.MomentumSGD()`, in place of `rate`.
        patience: stop after this many validations without a better figure, and 100 steps or more;
            None never stops.
        validations: how many times the validation figure is computed over the budget.
        seed: decides every random draw. With a budget of steps or epochs, the same seed gives
            the same weights to the bit on the same machine.
        out: the model file to write at the end. While training, its checkpoint lies beside it.
        resume: go on from the checkpoint of `out`; begin where there is neither.
        checkpoint_seconds: how often the checkpoint is written.
        log: a file for one JSON object a record.
        tensorboard: a folder for TensorBoard.
        progress: show a progress bar.
        skip_bad: go on without items that cannot be read; `Fit.skipped` lists them. Classes of one
            item then serve only as what others differ from.
        fabric: where to run, such as `Fabric(accelerator="cuda", devices=2,
            precision="bf16-mixed")`, launched already where it has several devices. Default:
            one device, the best there is.

    Raises:
        SettingsError: settings that contradict each other or the data.
        DataError: items of one class only.
        BadItemsError: items that cannot be read.
        NonFiniteLossError: the loss is not a finite number.
        TrainingError: a checkpoint of another run.
        KeyboardInterrupt: passed on, after checkpoint and model are written.
    """
    if steps is epochs is minutes is None:
        minutes = 5.0
    budget = Budget(steps, epochs, minutes)
    _check_settings(patience, validations, out, resume)
    if rate is not None and descent is not None:
        raise SettingsError(f"give `rate` or `descent`, not both; got {rate} and {descent}")
    if descent is None:
        descent = AdamW() if rate is None else AdamW(rate=rate)
    if isinstance(train, Items):
        check_classes(train)  # before all is read
    fabric = fabric if fabric is not None else Fabric(accelerator="auto", devices=1)
    held: Items | Pairs | None
    train, held = (
        hold_out(train, validation, seed)
        if isinstance(validation, float | int)
        else (train, validation)
    )
    (train, data), held_data = read_both(model.input, train, held, skip_bad=skip_bad)
    seen = _looked_at([(train, data), *([] if held_data is None else [held_data])])
    for side in SIDES:
        input_of(model.input, side).learn(data.of(side))
    loss = loss if loss is not None else default_loss(train, model.metric, model.dim)
    make_ready(loss, model, train, seed)
    batches = (
        sampler(train)
        if sampler is not None
        else default_sampler(train, loss, seed, lone_classes=skip_bad)
    )
    validator = None if held_data is None else Validator(model, *held_data, seed=seed)
    stepper = Stepper(
        model,
        loss,
        data,
        batches,
        augment,
        descent=descent,
        seed=seed,
        fabric=fabric,
    )
    settings = _settings(stepper, budget, validations)
    first = fabric.is_global_zero
    keeper = Keeper(
        Path(out) if out is not None and first else None,
        stepper.modules,
        stepper.optimizer,
        {} if out is None else {"data": _digest(stepper, train), **settings},
        seconds=checkpoint_seconds,
    )
    state = keeper.resume(Path(out)) if resume and out is not None else State()
    run = _Run(budget, stepper, validator, keeper, state, validations, patience)
    with (
        torch.random.fork_rng(),
        Reporter(
            bar=progress and first,
            log=Path(log) if log is not None and first else None,
            tensorboard=Path(tensorboard) if tensorboard is not None and first else None,
            history=state.history,
        ) as reporter,
    ):
        stopped = run.loop(reporter)
    if stopped == INTERRUPTED:
        keeper.save(state)
    model.trained_on = seen if model.trained_on is None else seen.union(model.trained_on)
    _finish(model, train, state, loss, settings, validator, out if first else None)
    if stopped == INTERRUPTED:
        raise KeyboardInterrupt
    keeper.remove()
    skipped = data.skipped + (() if held_data is None else held_data[1].skipped)
    return Fit(state.step, state.seconds, stopped, state.best, state.history, skipped)


@dataclass
class _Run:
    """A run, ready to go on from `state`."""

    budget: Budget
    stepper: Stepper
    validator: Validator | None
    keeper: Keeper
    state: State
    validations: int
    patience: int | None

    def loop(self, reporter: Reporter) -> str:
        """Take steps until the budget is spent or the figure gets no better; say which."""
        state, stepper, budget = self.state, self.stepper, self.budget
        epoch = stepper.sampler.steps_per_epoch
        watch = Watch(stepper.loss)
        clock = checkpoint.Clock(state.seconds)
        with stepper, Interrupt() as interrupt:
            while (done := budget.progress(state, epoch)) < 1:
                value, embeddings = stepper.step(state.step, done)
                watch.look(embeddings, value)
                state.step += 1
                state.seconds, asked = agree(clock.seconds(), interrupt.asked)
                spent = budget.progress(state, epoch)
                record: Record = {
                    "step": state.step,
                    "seconds": round(state.seconds, 3),
                    "loss": value,
                    "rate": stepper.rate,
                }
                if int(spent * self.validations) > int(done * self.validations):
                    self._validate(record)
                if "validation" in record or state.step % RECORD_EVERY == 0:
                    state.history.append(record)
                    reporter.record(record)
                reporter.step(min(spent, 1.0), value)
                if self._is_enough():
                    return "no better figure"
                if asked:
                    return INTERRUPTED
                self.keeper.save_if_due(state)
        return "budget"

    def _is_enough(self) -> bool:
        """Whether patience has run out; in a short budget a few steps do not show it."""
        state = self.state
        waited = self.patience is not None and state.since_best >= self.patience
        return waited and state.step >= FEWEST_STEPS

    def _validate(self, record: Record) -> None:
        """Put the validation figure in the record, and keep the weights if it is the best."""
        if self.validator is None:
            return
        figure = record["validation"] = self.validator.figure()
        if self.state.best is None or figure >= self.state.best:  # later weights win a tie
            self.state.best, self.state.since_best = figure, 0
            self.state.best_weights = checkpoint.copy_weights(self.stepper.model)
        else:
            self.state.since_best += 1


def _check_settings(
    patience: int | None,
    validations: int,
    out: str | PathLike[str] | None,
    resume: bool,
) -> None:
    """Refuse what would only fail, or lose work, after training has begun."""
    for name, value, least in (("patience", patience, 1), ("validations", validations, 1)):
        if value is not None and value < least:
            raise SettingsError(f"`{name}` must be {least} or more; got {value}")
    if out is None:
        return
    path = Path(out)
    if path.is_dir() or not path.absolute().parent.is_dir():
        what = "is a folder" if path.is_dir() else "lies in a folder that does not exist"
        raise SettingsError(f"`out` {what}: {out}; name a file in a folder that is there")
    if resume and path.exists() and not checkpoint.path_for(path).exists():
        raise TrainingError(
            f"{out} is complete: there is no {checkpoint.path_for(path)} to resume. "
            "To train anew and replace it, leave resume out"
        )


def _digest(stepper: Stepper, train: Items | Pairs) -> str:
    """16 hex digits of the items as they are read, and of their labels or pairs."""
    rows = [train.labels] if isinstance(train, Items) else [train.left, train.right, train.same]
    digest = hashlib.sha256(stepper.data.digest())
    for column in rows:
        digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()[:16]


def _settings(stepper: Stepper, budget: Budget, validations: int) -> dict[str, Any]:
    """Parts and settings, in words; with the data they must agree for a run to be resumed."""
    loss = stepper.loss
    return {
        "input": repr(stepper.model.input),
        "encoder": repr(stepper.model.encoder),
        "metric": repr(stepper.model.metric),
        "loss": repr(loss) if isinstance(loss, nn.Module) else name_of(loss),
        "sampler": repr(stepper.sampler),
        "augment": _augment_name(stepper.augment),
        "budget": vars(budget),
        "descent": repr(stepper.descent),
        "validations": validations,
        "precision": str(stepper.fabric.strategy.precision.precision),
        "seed": stepper.seed,
    }


def _looked_at(parts: list[Read]) -> Marks:
    """The marks of all that decides the weights: trained on, or validated on.

    Raises:
        DataError: `same` of a table of pairs seems to be the other way round.
    """
    found = []
    for part, prepared in parts:
        items = digests(prepared)
        if isinstance(part, Pairs):
            check_sense(part, content=items)
        found.append(marks(part, items))
    return found[0] if len(found) == 1 else found[0].union(found[1])


def _augment_name(augment: Augment | None) -> str:
    if isinstance(augment, Mapping):
        return ", ".join(f"{side}: {name_of(warp)}" for side, warp in sorted(augment.items()))
    return name_of(augment)


def thinned(history: list[Record], most: int = MOST_RECORDS) -> list[Record]:
    """Up to `most` records, evenly over the run; half of the room is for validation figures."""
    judged = _evenly([one for one in history if "validation" in one], most // 2)
    others = _evenly([one for one in history if "validation" not in one], most - len(judged))
    return sorted(judged + others, key=lambda one: int(one["step"]))


def _evenly(records: list[Record], most: int) -> list[Record]:
    if len(records) <= most:
        return records
    return [records[i] for i in np.linspace(0, len(records) - 1, most).round().astype(int)]


def _finish(
    model: Siamese,
    train: Items | Pairs,
    state: State,
    loss: Loss,
    settings: dict[str, Any],
    validator: Validator | None,
    out: str | PathLike[str] | None,
) -> None:
    """Put the best weights in, choose the threshold, note what was done, and write the model."""
    if state.best_weights:
        model.load_state_dict(state.best_weights)
    model.threshold = None if validator is None else validator.threshold()
    model.calibration = model.calibrated_on = None  # of the weights that were
    model.training_summary = {
        "data": train.name,
        "items": len(train.values),
        "classes": len(train.classes) if isinstance(train, Items) else None,
        "loss": name_of(loss),
        "steps": state.step,
        "seconds": round(state.seconds, 1),
        "seed": settings["seed"],
        "validation": state.best,
        "settings": settings,
        "versions": storage.versions(),
        "history": thinned(state.history),
    }
    if out is not None:
        model.save(out)
