"""Which classes are taken for each other: each item is given the class of its nearest other."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from gemel.embedded import Embedded
from gemel.items import Items
from gemel.reports.html import Html, join, name_of, tag
from gemel.reports.page import table

MOST_IN_MATRIX = 40
WORST = 15
_AT_ONCE = 2**20


@dataclass(frozen=True)
class Confused:
    """A class that is taken for another.

    Attributes:
        true: the class of the items.
        taken_for: the class of their nearest others.
        items: how many of its items; a tie among n others counts 1/n of each.
        count: how many items the class has.
    """

    true: str
    taken_for: str
    items: float
    count: int


def confusion(embedded: Embedded, items: Items) -> csr_array:
    """[C, C] sparse: how many items of a class (row) have a nearest other of a class (column).

    A tie among n others counts 1/n of each.
    """
    ids, count, size = items.class_ids, len(items), len(items.classes)
    whole = csr_array((size, size))
    step = max(_AT_ONCE // count, 1)
    for start in range(0, count, step):
        queries = np.arange(start, min(start + step, count))
        rows = embedded.to_all(queries).astype(np.float64)
        rows[np.arange(len(queries)), queries] = np.inf
        nearest = rows == rows.min(axis=1, keepdims=True)
        query, other = np.nonzero(nearest)
        part = 1 / nearest.sum(axis=1)[query]
        whole = whole + coo_array((part, (ids[queries[query]], ids[other])), shape=(size, size))
    return csr_array(whole)


def worst_confusions(found: csr_array, items: Items, most: int = WORST) -> list[Confused]:
    """The confusions of most items, most first."""
    sparse = coo_array(found)
    off = sparse.row != sparse.col
    row, column, times = sparse.row[off], sparse.col[off], sparse.data[off]
    sizes = np.bincount(items.class_ids)
    order = np.lexsort((column, row, -times))[:most]
    return [
        Confused(
            items.classes[row[i]], items.classes[column[i]], float(times[i]), int(sizes[row[i]])
        )
        for i in order
    ]


def confusion_tables(found: csr_array, items: Items) -> Html:
    """The worst confusions, and the whole matrix where there are few classes."""
    worst = worst_confusions(found, items)
    parts = []
    if worst:
        rows = [
            [name_of(one.true), name_of(one.taken_for), f"{one.items:.4g}", f"{one.count:,}"]
            for one in worst
        ]
        head = ["class", "taken for", "items", "of"]
        caption = "The worst confusions; a tie among n counts 1/n."
        parts.append(table("confusions", caption, head, rows))
    else:
        parts.append(tag("p", "No item has a nearest other of another class."))
    if len(items.classes) <= MOST_IN_MATRIX:
        parts.append(_matrix(np.asarray(found.todense()), items))
    return join(*parts)


def _matrix(times: Float[NDArray[np.float64], "classes classes"], items: Items) -> Html:
    """Rows are true classes; a cell is shaded by its share of the row."""
    shares = times / times.sum(axis=1, keepdims=True)
    head = [tag("th", name_of(name, 12), scope="col") for name in items.classes]
    rows = []
    for number, name in enumerate(items.classes):
        cells = [
            tag(
                "td",
                f"{times[number, other]:.4g}" if times[number, other] else "",
                class_="own" if number == other else None,
                style=f"background:rgb(0 114 178/{0.55 * share:.2f})" if share else None,
            )
            for other, share in enumerate(shares[number].tolist())
        ]
        rows.append(tag("tr", tag("th", name_of(name, 24), scope="row"), *cells))
    caption = (
        "How many items of each class (row) have their nearest other in each class (column); "
        "right ones are framed, empty cells are 0."
    )
    whole = tag(
        "table",
        tag("caption", caption, id="matrix-caption"),
        tag("thead", tag("tr", tag("th", "class", scope="col"), *head)),
        tag("tbody", *rows),
        class_="matrix",
    )
    return tag(
        "div", whole, class_="scroll", role="region", tabindex=0, aria_labelledby="matrix-caption"
    )
