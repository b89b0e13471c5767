"""From `Items` or `Pairs` to what a model's input has read, row by row alike."""

import numpy as np

from gemel.errors import BadItemsError, Problem, SettingsError
from gemel.inputs.prepared import Prepared, prepare
from gemel.inputs.protocol import Input
from gemel.inputs.sides import AnyInput, PreparedSides, Sides, input_of
from gemel.items import SIDES, Indices, Items, Pairs, Side

AnyPrepared = Prepared | PreparedSides


def read_items(
    given: AnyInput, data: Items | Pairs, *, skip_bad: bool = False
) -> tuple[Items | Pairs, AnyPrepared]:
    """Every item of `data` read once; and `data` without what could not be read, row by row alike.

    With an input for each side (`inputs.Sides`) an item is read for the sides it stands on.

    Raises:
        SettingsError: the items are of another kind than the input takes.
        BadItemsError: items that cannot be read, unless `skip_bad`.
    """
    for side in SIDES:
        wanted = input_of(given, side).kind
        if data.kind_of(side) != wanted:
            where = "" if not isinstance(given, Sides) else f" as {side} items"
            raise SettingsError(
                f"{data.name} holds {data.kind_of(side)}{where}; this model's input takes {wanted}"
            )
    if isinstance(given, Sides):
        return _read_sides(given, data, skip_bad=skip_bad)
    prepared = _read(given, data, np.arange(len(data.values)), skip_bad=skip_bad)
    return (data.keep_items(prepared.kept) if prepared.skipped else data), prepared


def _read(given: Input, data: Items | Pairs, items: Indices, *, skip_bad: bool) -> Prepared:
    every = len(items) == len(data.values)
    values = data.values if every else [data.values[i] for i in items.tolist()]
    origins = [data.origin(i) for i in items.tolist()]
    return prepare(given, values, origins, skip_bad=skip_bad, name=data.name)


def _read_sides(
    given: Sides, data: Items | Pairs, *, skip_bad: bool
) -> tuple[Items | Pairs, PreparedSides]:
    found: dict[Side, Prepared] = {}
    rows: dict[Side, Indices] = {}
    problems: list[Problem] = []
    good = np.ones(len(data.values), dtype=bool)
    for side in SIDES:
        items = np.unique(getattr(data, side)) if isinstance(data, Pairs) else np.arange(len(data))
        try:
            prepared = _read(input_of(given, side), data, items, skip_bad=skip_bad)
        except BadItemsError as error:
            problems += error.problems
            continue
        problems += prepared.skipped
        good[np.delete(items, prepared.kept)] = False
        found[side], rows[side] = prepared, np.full(len(good), -1)
        rows[side][items[prepared.kept]] = np.arange(len(prepared))
    problems = list(dict.fromkeys(problems))
    if len(found) < len(SIDES):
        raise BadItemsError(data.name, problems)
    kept = np.flatnonzero(good)
    whole = data if good.all() else data.keep_items(kept)
    return whole, PreparedSides(
        found["left"],
        found["right"],
        {side: places[kept] for side, places in rows.items()},
        tuple(problems),
        [data.origin(i) for i in kept.tolist()],
    )
