"""`quarter_turns`: each quarter turn of a class as a class of its own."""

from typing import Any

import numpy as np

from gemel.data.pictures import Turned
from gemel.errors import DataError
from gemel.items import Items


def quarter_turns(items: Items) -> Items:
    """Four times the items: as they are, and turned by 90, 180 and 270 degrees counter-clockwise.

    A turned class is a class of its own: "Greek/character01" turned once is
    "Greek/character01@90", in group "Greek@90". A class that looks the same when turned becomes
    classes that cannot be told apart: use it where symbols have an upright. Nothing is copied:
    arrays are turned as views, other pictures as `Turned`, when they are read.

    Source: Vinyals et al., "Matching Networks for One Shot Learning" (2016), section 4.1.1, which
    adds classes to Omniglot so.

    Raises:
        DataError: the items are no pictures.
    """
    if items.kind != "images":
        raise DataError(f"{items.name}: only pictures can be turned, these items are {items.kind}")
    values = [_turned(value, turns) for turns in range(4) for value in items.values]
    origins = [items.origin(item) for item in range(len(items))]
    return Items(
        values=values,
        labels=np.concatenate([_suffixed(items.labels, turns) for turns in range(4)]),
        groups=None
        if items.groups is None
        else np.concatenate([_suffixed(items.groups, turns) for turns in range(4)]),
        kind=items.kind,
        name=f"{items.name}+turns",
        origins=origins + [f"{at} turned {90 * turns}" for turns in (1, 2, 3) for at in origins],
        details={key: np.concatenate([column] * 4) for key, column in items.details.items()},
        skipped=items.skipped,
    )


def _turned(value: Any, turns: int) -> Any:
    if turns == 0:
        return value
    return np.rot90(value, turns) if isinstance(value, np.ndarray) else Turned(value, turns)


def _suffixed(texts: np.ndarray, turns: int) -> np.ndarray:
    return np.char.add(texts, f"@{90 * turns}") if turns else texts
