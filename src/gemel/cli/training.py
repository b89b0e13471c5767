"""`gemel train`: words to objects, then `fit`, then what was done."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from gemel.errors import SettingsError


@dataclass(frozen=True)
class Request:
    """The arguments of `gemel train`."""

    data: str
    out: Path
    budget: dict[str, Any]
    size: int | None
    channels: int | None
    encoder: str | None
    dim: int | None
    metric: str | None
    comparer: Any
    loss: str | None
    margin: float | None
    augment: bool
    views: int
    validation: float
    by_item: bool
    rate: float
    seed: int
    resume: bool
    log: Path | None
    tensorboard: Path | None
    skip_bad: bool
    accelerator: str
    devices: int
    precision: str


def run(request: Request) -> None:
    """Train as asked, print what was chosen and what came of it, and write the model.

    Raises:
        KeyboardInterrupt: passed on, after the model is written and the way on is printed.
    """
    from gemel.cli.sources import open_source
    from gemel.metrics import CodeMetric
    from gemel.model import Siamese
    from gemel.parts import named_encoder, named_loss, named_metric
    from gemel.recipes import choose, default_metric
    from gemel.training import fit
    from gemel.training.checkpoint import path_for
    from gemel.training.validation import hold_out, hold_out_items

    fabric = _fabric(request)
    if request.devices > 1:
        fabric.launch()
    data = open_source(request.data, use="train", skip_bad=request.skip_bad, seed=request.seed)
    part = hold_out_items if request.by_item else hold_out
    kept, held = part(data, request.validation, request.seed)
    joint = request.comparer == "joint"
    metric = (
        named_metric(request.metric)
        if request.metric is not None
        else default_metric(
            kept, joint=joint, with_encoder=request.encoder is None and request.dim is None
        )
    )
    recipe = choose(
        kept,
        size=request.size,
        channels=request.channels,
        encoder=None
        if request.encoder is None
        else named_encoder(
            request.encoder,
            1 if joint else request.dim,
            balanced=isinstance(metric, CodeMetric),
        ),
        dim=request.dim,
        metric=metric,
        loss=None if request.loss is None else named_loss(request.loss, request.margin, metric),
        comparer=request.comparer,
        augment=request.augment,
        lone_classes=request.skip_bad,
        seed=request.seed,
    )
    model = Siamese(
        recipe.input, recipe.encoder, recipe.metric, seed=request.seed, views=request.views
    )
    say = typer.echo if fabric.is_global_zero else _silent
    _introduce(say, data, kept, held, recipe.reasons)
    if request.resume and not path_for(request.out).exists():
        say(f"there is nothing to resume at {path_for(request.out)}: it begins anew")
    try:
        done = fit(
            model,
            kept,
            loss=recipe.loss,
            augment=recipe.augment,
            validation=held,
            **request.budget,
            rate=request.rate,
            seed=request.seed,
            out=request.out,
            resume=request.resume,
            log=request.log,
            tensorboard=request.tensorboard,
            progress=True,
            skip_bad=request.skip_bad,
            fabric=fabric,
        )
    except KeyboardInterrupt:
        if path_for(request.out).exists():
            say(f"stopped; {request.out} holds the best model so far. To go on: add --resume")
        raise
    skipped = (*data.skipped, *done.skipped)
    if skipped:
        say(f"went on without {len(skipped)} bad items:")
        for problem in skipped:
            say(f"  {problem}")
    figure = "" if done.validation is None else f", validation figure {done.validation:.1%}"
    say(f"{done.steps} steps in {done.seconds:.0f} s (stopped by: {done.stopped}){figure}")
    say(f"wrote {request.out}; next: gemel evaluate {request.out} DATA")


def _introduce(say: Any, data: Any, kept: Any, held: Any, reasons: dict[str, str]) -> None:
    say(repr(data))
    what = "nothing" if held is None else repr(held)
    say(f"held out for validation: {what}")
    if held is not None and set(getattr(kept, "classes", ())) & set(getattr(held, "classes", ())):
        say("  of known classes: the validation figure does not say how unseen ones are told apart")
    for part, reason in reasons.items():
        say(f"  {part:<13} {reason}")


def _fabric(request: Request) -> Any:
    from lightning_fabric import Fabric

    try:
        return Fabric(
            accelerator=request.accelerator, devices=request.devices, precision=_precision(request)
        )
    except (ValueError, TypeError, RuntimeError) as error:
        raise SettingsError(
            f"cannot run on {request.devices} x {request.accelerator!r} at {request.precision}: "
            f"{error}. --accelerator auto --devices 1 always runs"
        ) from error


def _precision(request: Request) -> Any:
    known = ("32-true", "bf16-mixed", "16-mixed")
    if request.precision not in known:
        raise SettingsError(
            f"--precision is {request.precision!r}; it must be one of {', '.join(known)}"
        )
    return request.precision


def _silent(_: str) -> None:
    """Say nothing: another process speaks."""
