"""Every item read once, before training starts, to wait in memory or in a mapped file."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gemel.errors import BadItemsError, DataError, Problem
from gemel.inputs.protocol import Input, Stored
from gemel.items import Indices, Side

SHARE = 0.5  # of the free memory that items may take
LITTLE = 2**20  # bytes for which nobody asks how much is free
UNKNOWN = 2 * 2**30  # bytes taken as free where the system does not say
THREADS = 4  # decoding leaves the interpreter free, so large pictures gain
TURN = 16  # items that a thread reads at a time
WORTHWHILE = 256  # fewer items are read without threads


class Prepared:
    """Items in their stored form, in memory or in a file that is gone when this object is.

    Attributes:
        kept: [M] the indices of the items that could be read, among those that were given.
        skipped: what was wrong with the others.
        origins: where each of the M items came from.
    """

    def __init__(
        self,
        stored: Stored,
        kept: Indices,
        skipped: tuple[Problem, ...],
        origins: Sequence[str],
    ) -> None:
        self._stored = stored
        self.kept = kept
        self.skipped = skipped
        self.origins = origins

    def __len__(self) -> int:
        return len(self._stored)

    def __repr__(self) -> str:
        place = "in memory" if self.in_memory else "in a mapped file"
        return f"<Prepared: {len(self)} items, {self.nbytes:,} bytes {place}>"

    @property
    def nbytes(self) -> int:
        """How many bytes the stored items take."""
        return self._stored.nbytes

    def digest(self) -> bytes:
        """BLAKE2 of all that is stored, in order."""
        found = hashlib.blake2b(digest_size=16)
        for start in range(0, len(self), 4096):
            found.update(np.ascontiguousarray(self._stored[start : start + 4096]).tobytes())
        return found.digest()

    @property
    def in_memory(self) -> bool:
        """Whether they are in memory, not in a mapped file."""
        return not isinstance(self._stored, np.memmap)

    def of(self, side: Side) -> "Prepared":  # noqa: ARG002
        """Itself: the items of both sides are the same."""
        return self

    def rows(self, side: Side, items: Indices) -> Indices:  # noqa: ARG002
        """`items` themselves: each has one place, on either side."""
        return items

    def take(self, rows: Indices) -> "Prepared":
        """The items at `rows` [M], in that order; one may come several times."""
        origins = [self.origins[row] for row in rows.tolist()]
        return Prepared(self._stored[rows], np.arange(len(rows)), (), origins)

    def batch(self, items: Indices) -> Tensor:
        """The stored form of the items numbered `items` [B], as a tensor [B, *shape]."""
        return torch.from_numpy(np.asarray(self._stored[items]))


def joined(parts: Sequence[Prepared]) -> Prepared:
    """The items of all `parts` (one at least, read by one input), in order, in memory."""
    stored = np.concatenate([part._stored for part in parts])
    origins = [origin for part in parts for origin in part.origins]
    return Prepared(stored, np.arange(len(stored)), (), origins)


def prepare(
    input: Input,
    values: Sequence[Any] | NDArray[Any],
    origins: Sequence[str] | None = None,
    *,
    skip_bad: bool = False,
    memory: int | None = None,
    name: str = "the items to read",
) -> Prepared:
    """Read N raw items once.

    Items that do not fit in `memory` wait in a temporary file in the folder for such (TMPDIR),
    mapped into memory; the system keeps what was read lately, as far as there is room.

    Args:
        input: reads one item.
        values: N raw items.
        origins: N texts, where each came from; default: its path or its number.
        skip_bad: leave out items that cannot be read.
        memory: bytes up to which they are kept in memory; default: half of what is free.
        name: what the items are called in errors.

    Raises:
        BadItemsError: items that cannot be read, all of them named; with `skip_bad` only when
            none can be read.
        DataError: the items fit neither in memory nor on the disk.
    """
    names = origins if origins is not None else [_name(i, value) for i, value in enumerate(values)]
    stored = _room_for(input, len(values), memory)
    problems: dict[int, Problem] = {}

    def read(item: int) -> None:
        try:
            stored[item] = input.read(values[item], names[item])
        except DataError as error:
            problems[item] = _problem(names[item], error)

    _for_each(read, len(values))
    found = tuple(problems[item] for item in sorted(problems))
    if found and (not skip_bad or len(found) == len(values)):
        raise BadItemsError(name, found)
    kept = np.delete(np.arange(len(values)), sorted(problems))
    whole = stored if not found else _without(stored, kept)
    return Prepared(whole, kept, found, [names[i] for i in kept.tolist()])


def free_memory(share: float = 1.0) -> int:
    """The bytes of memory that this process could still take, times `share`.

    The least of what the system calls available and of what its control group leaves (Linux);
    elsewhere half of all memory; 2 GiB where neither is known.
    """
    limits = []
    info = _number_after(Path("/proc/meminfo"), "MemAvailable:")
    if info is not None:
        limits.append(info * 1024)
    group = Path("/sys/fs/cgroup")
    most, used = (_number_after(group / f"memory.{key}", "") for key in ("max", "current"))
    if most is not None and used is not None:
        limits.append(max(0, most - used))
    if not limits and hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)
    return int(share * min(limits, default=UNKNOWN))


def _number_after(path: Path, key: str) -> int | None:
    """The number behind `key` at the start of a line of a file, where there is one."""
    if not path.is_file():
        return None
    for line in path.read_text().splitlines():
        words = line.removeprefix(key).split()
        if line.startswith(key) and words and words[0].isdigit():
            return int(words[0])
    return None


def _room_for(input: Input, count: int, most: int | None) -> Stored:
    shape, dtype = (count, *input.shape), np.dtype(input.dtype)
    size = prod(shape) * dtype.itemsize
    if most is None and size <= LITTLE:
        return np.empty(shape, dtype)
    memory = free_memory(SHARE) if most is None else most
    if size <= memory:
        return np.empty(shape, dtype)
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if size > free:
        raise DataError(
            f"{count} items of shape {input.shape} take {size:,} bytes; {memory:,} bytes of memory "
            f"and {free:,} bytes of disk in {tempfile.gettempdir()} are free: make the items "
            "smaller, or set TMPDIR to a folder with room"
        )
    # The file has no name (or loses it on closing): it cannot outlive the process, however it ends.
    with tempfile.TemporaryFile(prefix="gemel-") as file:
        return np.memmap(file, dtype, mode="w+", shape=shape)


def _for_each(read: Callable[[int], None], count: int) -> None:
    def read_turn(start: int) -> None:
        for item in range(start, min(start + TURN, count)):
            read(item)

    turns = range(0, count, TURN)
    if count < WORTHWHILE:
        for start in turns:
            read_turn(start)
        return
    threads = ThreadPoolExecutor(THREADS)
    try:
        for _ in threads.map(read_turn, turns):
            pass
    finally:
        threads.shutdown(cancel_futures=True)  # after Ctrl-C the rest is not read


def _without(stored: Stored, kept: Indices) -> Stored:
    """Move the kept rows together, in place, so that a mapped file stays one."""
    for place, item in enumerate(kept):
        stored[place] = stored[item]
    return stored[: len(kept)]


def _name(number: int, value: Any) -> str:
    """What an item is called where nobody said where it came from."""
    return str(value) if isinstance(value, str | os.PathLike) else f"item {number}"


def _problem(origin: str, error: DataError) -> Problem:
    return Problem(origin, str(error).removeprefix(f"{origin}: "))
