"""`arrays` and `pair_arrays`: NumPy arrays or torch tensors that are in memory."""

import hashlib
from math import isnan
from typing import Any

import numpy as np
from jaxtyping import Bool, Shaped
from numpy.typing import NDArray

from gemel.checks import check_any, check_both_kinds, settle
from gemel.data.pictures import to_uint8
from gemel.errors import DataError, Problem
from gemel.items import Items, Kind, Pairs, Texts

_SHAPES = (
    "pictures [N, height, width] or [N, height, width, channels] with 1 to 4 channels, "
    "or numbers [N, features]"
)


def arrays(
    values: Any,
    labels: Any,
    *,
    groups: Any = None,
    name: str = "arrays",
    skip_bad: bool = False,
) -> Items:
    """Items from arrays or tensors.

    Args:
        values: pictures [N, H, W] or [N, H, W, C] of uint8, bool, uint16 or floats from 0 to 1,
            kept with 8 bits; or numbers [N, F], kept as floats.
        labels: [N] texts or whole numbers, the class of each item.
        groups: [N] texts or whole numbers, the group of each item's class, or None.
        name: the name of the items.
        skip_bad: go on without bad items; they are listed in `skipped`.

    Raises:
        DataError: another shape or type, other lengths, or no items.
        BadItemsError: an empty label, a NaN or infinite number, a picture out of range.
    """
    table = _numpy(values, "values")
    kind = _kind(table, "values")
    texts = _texts(labels, "labels", len(table))
    group_texts = None if groups is None else _texts(groups, "groups", len(table))
    faults = _faults(table, kind)
    for key, column in (("label", texts), ("group", group_texts)):
        if column is not None:
            faults += [
                (int(i), f"the {key} is empty", "give it") for i in np.flatnonzero(column == "")
            ]
    faults.sort(key=lambda fault: fault[0])
    problems = [Problem(f"{name} item {item}", what, remedy) for item, what, remedy in faults]
    good = np.setdiff1d(np.arange(len(table)), [item for item, _, _ in faults])
    items = Items(
        values=_stored(_chosen(table, good), kind, name),
        labels=texts[good],
        groups=None if group_texts is None else group_texts[good],
        kind=kind,
        name=name,
        origins=[f"{name} item {item}" for item in good] if problems else None,
        skipped=settle(name, problems, skip_bad=skip_bad),
    )
    check_any(items)
    return items


def pair_arrays(
    left: Any, right: Any, same: Any, *, name: str = "pairs", skip_bad: bool = False
) -> Pairs:
    """Pairs from arrays or tensors. Sides that are equal to the bit are one item.

    Args:
        left: the left items of M pairs, as the values of `arrays`.
        right: their right items, of the same shape.
        same: [M] booleans, True where both show the same thing.
        name: the name of the pairs.
        skip_bad: go on without bad pairs; they are listed in `skipped`.

    Raises:
        DataError: another shape or type, other lengths, or pairs of one kind only.
        BadItemsError: a NaN or infinite number, a picture out of range.
    """
    sides = {"left": _numpy(left, "left"), "right": _numpy(right, "right")}
    kind = _kind(sides["left"], "left")
    if sides["left"].shape != sides["right"].shape or sides["left"].dtype != sides["right"].dtype:
        raise DataError(
            "`left` and `right` must have one shape and type; got "
            + " and ".join(f"{list(side.shape)} {side.dtype}" for side in sides.values())
        )
    truth = _same(same, len(sides["left"]))
    faults = sorted(
        (pair, f"{side}: {what}", remedy)
        for side, table in sides.items()
        for pair, what, remedy in _faults(table, kind)
    )
    problems = [Problem(f"{name} pair {pair}", what, remedy) for pair, what, remedy in faults]
    good = np.setdiff1d(np.arange(len(truth)), [pair for pair, _, _ in faults])
    skipped = settle(name, problems, skip_bad=skip_bad)
    both = np.concatenate([_stored(_chosen(side, good), kind, name) for side in sides.values()])
    first, place = _distinct(both)
    pairs = Pairs(
        values=both[first],
        left=place[: len(good)],
        right=place[len(good) :],
        same=truth[good],
        kind=kind,
        name=name,
        origins=[
            f"{name} pair {good[i % len(good)]} {'left' if i < len(good) else 'right'}"
            for i in first
        ],
        skipped=skipped,
    )
    check_both_kinds(pairs)
    return pairs


def _numpy(values: Any, key: str) -> Shaped[np.ndarray, "..."]:
    """`values` as an array; a torch tensor comes to the CPU, without torch being imported here."""
    if hasattr(values, "detach") and hasattr(values, "cpu"):
        values = values.detach().cpu()
    try:
        return np.asarray(values)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"`{key}` is no array: {error}; expected a NumPy array, a torch tensor of a type that "
            "NumPy has, or rows of equal length"
        ) from error


def _kind(table: Shaped[np.ndarray, "..."], key: str) -> Kind:
    if table.ndim == 2 and table.size:
        if table.dtype.kind not in "fiub":
            raise DataError(f"`{key}` must hold numbers; got {table.dtype}")
        return "numbers"
    pictures = table.ndim == 3 or (table.ndim == 4 and table.shape[3] in (1, 2, 3, 4))
    if not pictures or not table.size:
        last = "; channels come last (a tensor: .permute(0, 2, 3, 1))" if table.ndim == 4 else ""
        raise DataError(f"`{key}` must be {_SHAPES}; got {list(table.shape)}{last}")
    if table.dtype.kind != "f":
        to_uint8(table[:0], f"`{key}`")  # refuses types that no picture has
    return "images"


def _faults(table: Shaped[np.ndarray, "items *rest"], kind: Kind) -> list[tuple[int, str, str]]:
    """(item, what, remedy) of items with numbers that are not finite or pixels out of range."""
    if table.dtype.kind != "f":
        return []
    flat = table.reshape(len(table), -1)  # [N, features or pixels]
    finite = np.isfinite(flat).all(axis=1)
    what = "a pixel" if kind == "images" else "a number"
    faults = [
        (int(item), f"{what} is NaN or infinite", "give a finite number, or leave the item out")
        for item in np.flatnonzero(~finite)
    ]
    if kind == "images":
        for item in np.flatnonzero(finite):
            try:
                to_uint8(flat[item], "pixels")
            except DataError as error:
                faults.append((int(item), str(error), ""))
    return faults


def _stored(table: Shaped[np.ndarray, "..."], kind: Kind, name: str) -> NDArray[Any]:
    if kind == "images":
        return to_uint8(table, name)
    return table if table.dtype in (np.float32, np.float64) else table.astype(np.float64)


def _chosen(table: Shaped[np.ndarray, "..."], good: NDArray[np.int64]) -> NDArray[Any]:
    return table if len(good) == len(table) else table[good]


def _texts(values: Any, key: str, count: int) -> Texts:
    """[count] texts; what is missing (None, NaN) becomes ""."""
    column = values if isinstance(values, list | tuple) else _numpy(values, key)
    shape = (len(column),) if isinstance(column, list | tuple) else column.shape
    if shape != (count,):
        raise DataError(
            f"`{key}` must have one entry for each of the {count} items; got {list(shape)}"
        )
    entries = column if isinstance(column, list | tuple) else column.tolist()
    missing = [entry is None or (isinstance(entry, float) and isnan(entry)) for entry in entries]
    texts = ["" if no else str(entry).strip() for entry, no in zip(entries, missing, strict=True)]
    return np.array(texts, dtype=np.str_)


def _same(values: Any, count: int) -> Bool[np.ndarray, "pairs"]:
    truth = _numpy(values, "same")
    if truth.dtype != np.bool_ or truth.shape != (count,):
        raise DataError(
            f"`same` must hold {count} booleans, True where a pair is the same; got "
            f"{list(truth.shape)} {truth.dtype}. Make it so: same == 1"
        )
    return truth


def _distinct(table: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The first place of each distinct row of `table`, and the number of each row among these."""
    numbers: dict[bytes, int] = {}
    first: list[int] = []
    place = np.empty(len(table), dtype=np.int64)
    for index, row in enumerate(table):
        key = hashlib.blake2b(row.tobytes(), digest_size=16).digest()
        place[index] = numbers.setdefault(key, len(numbers))
        if place[index] == len(first):
            first.append(index)
    return np.array(first, dtype=np.int64), place
