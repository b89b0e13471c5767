"""A model as one file: weights as safetensors, and JSON for all the rest, in the file's header."""

import hashlib
import json
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from gemel import storage
from gemel.errors import ModelFileError, SettingsError
from gemel.evaluation.calibration import Calibration
from gemel.inputs import AnyInput
from gemel.leaks import Marks
from gemel.metrics import Metric
from gemel.model import Siamese
from gemel.parts import ENCODERS, INPUTS, METRICS, Saved, describe, restore

Model = TypeVar("Model", bound=Siamese)
MARKS = "trained_on", "calibrated_on"


def save(model: Siamese, path: str | PathLike[str]) -> None:
    """Write `model` to the file `path`.

    Raises:
        ModelFileError: the file cannot be written.
    """
    facts = {
        "written_by": storage.versions(),
        "fingerprint": fingerprint(model),
        "parts": _parts(model),
        "views": model.views,
        "block": model.block,
        "threshold": model.threshold,
        "training": model.training_summary,
        "calibration": None if model.calibration is None else model.calibration.as_dict(),
    }
    tensors = _marks(model)
    facts["marks"] = _digest(tensors)
    storage.write(Path(path), "model", {**model.state_dict(), **tensors}, facts)


def load(
    path: str | PathLike[str],
    *,
    input: AnyInput | None,
    encoder: nn.Module | None,
    metric: Metric | None,
    kind: type[Model],
) -> Model:
    """The model in the file `path`; see `gemel.load`."""
    path = Path(path)
    tensors, facts = storage.read(path, "model")
    try:
        parts = facts["parts"]
        model = kind(
            restore(parts["input"], INPUTS, "input", input),
            restore(parts["encoder"], ENCODERS, "encoder", encoder),
            restore(parts["metric"], METRICS, "metric", metric),
            views=facts["views"],
            block=facts["block"],
        )
        stated = facts["fingerprint"]
        model.threshold = facts["threshold"]
        model.training_summary = facts["training"]
        if facts.get("calibration") is not None:
            model.calibration = Calibration.from_dict(facts["calibration"])
        _take_marks(model, tensors, facts.get("marks"), path)
    except (KeyError, TypeError, SettingsError) as error:
        raise ModelFileError(
            f"{path}: its description is not as gemel writes it: {error!r}"
        ) from error
    storage.check_tensors(path, tensors, model.state_dict())
    model.load_state_dict(tensors)
    if fingerprint(model) != stated:
        raise ModelFileError(
            f"{path} is damaged: its weights or settings are not those it was saved with "
            f"(fingerprint {stated[:12]} was stated); take the file anew from where it came"
        )
    return model


def fingerprint(model: Siamese) -> str:
    """SHA-256 over all that makes an embedding or a distance: parts, views, block and weights.

    The threshold, the calibration, the training summary and the marks of the items are no part of
    it: a gallery stays valid when a model is calibrated anew.
    """
    digest = hashlib.sha256()
    # the name of a part that gemel does not make is where its code lies, not what it does
    made = {role: part for role, part in _parts(model).items() if part["settings"] is not None}
    settings = {"parts": made, "views": model.views, "block": model.block}
    digest.update(json.dumps(settings, sort_keys=True).encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(_bytes(tensor))
    return digest.hexdigest()


def _parts(model: Siamese) -> dict[str, Saved]:
    return {
        "input": describe(model.input, INPUTS),
        "encoder": describe(model.encoder, ENCODERS),
        "metric": describe(model.metric, METRICS),
    }


def _marks(model: Siamese) -> dict[str, Tensor]:
    """What the model was trained and calibrated on, as tensors of digests."""
    return {
        f"{role}.{part}": torch.from_numpy(getattr(known, part))
        for role in MARKS
        if (known := getattr(model, role)) is not None
        for part in ("items", "classes")
    }


def _take_marks(model: Siamese, tensors: dict[str, Tensor], stated: str | None, path: Path) -> None:
    """Move the digests from `tensors` to the model."""
    found = {name: tensors.pop(name) for name in list(tensors) if name.split(".")[0] in MARKS}
    if found and _digest(found) != stated:
        raise ModelFileError(
            f"{path} is damaged: the digests of its training items are not those it was saved "
            "with; take the file anew from where it came"
        )
    for role in MARKS:
        if f"{role}.items" in found:
            parts = (found[f"{role}.{part}"].numpy() for part in ("items", "classes"))
            setattr(model, role, Marks(*parts))


def _digest(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tuple(tensor.shape)}".encode() + _bytes(tensor))
    return digest.hexdigest()


def _bytes(tensor: Tensor) -> bytes:
    if not tensor.numel():  # its stride is 0, which no view as bytes has
        return b""
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    array: np.ndarray[Any, Any] = flat.view(torch.uint8).numpy()
    return array.tobytes()
