"""Tensors and JSON in one safetensors file, written at once or not at all, never pickled."""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from gemel.errors import ModelFileError
from gemel.version import __version__

FORMAT = 1


def write(path: Path, kind: str, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write `tensors` and `facts` (JSON) to `path`; a crash leaves the old file or the new one.

    Raises:
        ModelFileError: the folder is missing or cannot be written, or the facts are no JSON.
    """
    if path.is_dir():
        raise ModelFileError(f"cannot write {path}: it is a folder; name a file")
    try:
        text = sealed({**facts, "kind": kind, "format": FORMAT})
    except (TypeError, ValueError) as error:
        raise ModelFileError(
            f"cannot write {path}: {error}; what describes the {kind} must be texts, finite "
            "numbers, booleans, and lists and dicts of them"
        ) from error
    whole = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        save_file(whole, temporary, metadata={"gemel": text})
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except (OSError, SafetensorError) as error:
        raise ModelFileError(
            f"cannot write {path}: {error}; the folder must exist, be writable and have room"
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def read(path: Path, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the facts of a file that `write` wrote.

    Raises:
        ModelFileError: the file is missing, damaged, of another program or of a newer gemel.
    """
    try:
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "does not exist"
            raise ModelFileError(f"{path} {what}; expected a gemel {kind} file")
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if "gemel" not in metadata:
                raise ModelFileError(
                    f"{path} is a safetensors file, but not one of gemel: its header lacks `gemel`"
                )
            facts = json.loads(metadata["gemel"])
            _check_kind(path, kind, facts)
            stated = facts.pop("checksum", None)
            if stated != _checksum(facts):
                raise ModelFileError(
                    f"{path} is damaged: its description is not what was written; "
                    "take it anew from where it came"
                )
            return {name: file.get_tensor(name) for name in file.keys()}, facts  # noqa: SIM118
    except (SafetensorError, OSError, json.JSONDecodeError, RuntimeError) as error:
        raise ModelFileError(
            f"{path} cannot be read as a gemel {kind} file: {error}. It may be truncated, "
            "damaged, or no gemel file at all; take it anew from where it came"
        ) from error


def _check_kind(path: Path, kind: str, facts: Any) -> None:
    if not isinstance(facts, dict) or not isinstance(facts.get("format"), int):
        raise ModelFileError(
            f"{path} is damaged: its header does not say in which format it is; "
            "take the file anew from where it came"
        )
    if facts.get("kind") != kind:
        raise ModelFileError(f"{path} holds a gemel {facts.get('kind')}, not a {kind}")
    if facts["format"] > FORMAT:
        raise ModelFileError(
            f"{path} has format {facts['format']}, written by {facts.get('written_by')}; "
            f"this gemel reads up to format {FORMAT}: "
            "upgrade with `pip install --upgrade gemel`"
        )


def sealed(facts: Mapping[str, Any]) -> str:
    """`facts` as JSON, with their checksum among them.

    It is one entry of the header, since the header's entries come in no fixed order, and the same
    content is to give the same bytes.

    Raises:
        TypeError, ValueError: they are no JSON.
    """
    return json.dumps({**facts, "checksum": _checksum(facts)}, allow_nan=False)


def _checksum(facts: Mapping[str, Any]) -> str:
    """SHA-256 of the facts; tensors have the fingerprint of the model that they make."""
    return hashlib.sha256(json.dumps(facts, allow_nan=False).encode()).hexdigest()


def check_tensors(path: Path, saved: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """Refuse weights that are not those that the settings need, naming the first that disagrees.

    Raises:
        ModelFileError: a weight is missing, left over, or of another shape or type.
    """
    for name, tensor in wanted.items():
        if name not in saved:
            raise ModelFileError(f"{path} lacks the weight `{name}` {tuple(tensor.shape)}")
        if saved[name].shape != tensor.shape or saved[name].dtype != tensor.dtype:
            raise ModelFileError(
                f"`{name}` in {path} is {saved[name].dtype} {tuple(saved[name].shape)}; "
                f"its settings need {tensor.dtype} {tuple(tensor.shape)}"
            )
    if extra := sorted(set(saved) - set(wanted)):
        raise ModelFileError(f"{path} has weights that its settings do not know: {extra[0]}, ...")


def versions() -> dict[str, str]:
    """What wrote a file: the versions of gemel and torch."""
    return {"gemel": __version__, "torch": str(torch.__version__)}
