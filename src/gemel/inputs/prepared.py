"""Every item read once, before training starts, to wait in memory or in a mapped file."""

import shutil
import tempfile
import weakref
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gemel.errors import BadItemsError, DataError, Problem
from gemel.inputs.protocol import Input
from gemel.items import Indices

MEMORY = 4 * 2**30
"""Bytes up to which items are kept in memory; beyond, they wait in a mapped temporary file."""
THREADS = 4
AT_ONCE = 1024


class Prepared:
    """Items in their stored form.

    Attributes:
        kept: [M] the indices of the items that could be read, among those that were given.
        skipped: what was wrong with the others.
        origins: where each of the M items came from.
    """

    def __init__(
        self,
        stored: NDArray[Any],
        kept: Indices,
        skipped: tuple[Problem, ...],
        origins: Sequence[str],
        folder: Path | None = None,
    ) -> None:
        self._stored = stored
        self.kept = kept
        self.skipped = skipped
        self.origins = origins
        if folder is not None:
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)

    def __len__(self) -> int:
        return len(self._stored)

    @property
    def nbytes(self) -> int:
        """How many bytes the stored items take."""
        return self._stored.nbytes

    @property
    def in_memory(self) -> bool:
        """Whether they are in memory, not in a mapped file."""
        return not isinstance(self._stored, np.memmap)

    def batch(self, items: Indices) -> Tensor:
        """The stored form of the items numbered `items` [B], as a tensor [B, *shape]."""
        return torch.from_numpy(np.asarray(self._stored[items]))


def prepare(
    input: Input,  # noqa: A002 (the house's word for this part)
    values: Sequence[Any] | NDArray[Any],
    origins: Sequence[str] | None = None,
    *,
    skip_bad: bool = False,
    memory: int = MEMORY,
) -> Prepared:
    """Read N raw items once.

    Args:
        input: reads one item.
        values: N raw items.
        origins: N texts, where each came from; default: its number.
        skip_bad: leave out items that cannot be read.
        memory: bytes up to which they are kept in memory.

    Raises:
        BadItemsError: items that cannot be read, all of them named; with `skip_bad` only when
            none can be read.
    """
    names = origins if origins is not None else [_name(i, value) for i, value in enumerate(values)]
    stored, folder = _room_for(input, len(values), memory)
    problems: dict[int, Problem] = {}

    def read(item: int) -> None:
        try:
            stored[item] = input.read(values[item], names[item])
        except DataError as error:
            problems[item] = _problem(names[item], error)

    with ThreadPoolExecutor(THREADS) as threads:
        for start in range(0, len(values), AT_ONCE):
            list(threads.map(read, range(start, min(start + AT_ONCE, len(values)))))
    found = [problems[item] for item in sorted(problems)]
    if found and (not skip_bad or len(found) == len(values)):
        raise BadItemsError("the items to read", found)
    kept = np.delete(np.arange(len(values)), sorted(problems))
    whole = stored if not found else _without(stored, kept)
    return Prepared(whole, kept, tuple(found), [names[i] for i in kept], folder)


def _name(number: int, value: Any) -> str:
    """What an item is called where nobody said where it came from."""
    return str(value) if isinstance(value, str | PathLike) else f"item {number}"


def _room_for(
    input: Input,  # noqa: A002
    count: int,
    memory: int,
) -> tuple[NDArray[Any], Path | None]:
    shape = (count, *input.shape)
    if int(np.prod(shape)) * np.dtype(input.dtype).itemsize <= memory:
        return np.empty(shape, dtype=input.dtype), None
    folder = Path(tempfile.mkdtemp(prefix="gemel-"))
    return np.memmap(folder / "items", dtype=input.dtype, mode="w+", shape=shape), folder


def _without(stored: NDArray[Any], kept: Indices) -> NDArray[Any]:
    """Move the kept rows together, in place, so that a mapped file stays one."""
    for place, item in enumerate(kept):
        stored[place] = stored[item]
    return stored[: len(kept)]


def _problem(origin: str, error: DataError) -> Problem:
    text = str(error).removeprefix(f"{origin}: ")
    return Problem(origin, text)
