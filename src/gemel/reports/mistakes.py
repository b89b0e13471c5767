"""The worst mistakes: different pairs that are nearest, and same pairs that are farthest apart."""

import numpy as np

from gemel.items import Indices
from gemel.measure import Judged
from gemel.reports.html import EMPTY, Html, join, tag
from gemel.reports.portraits import Portraits

SHOWN = 12


def worst(judged: Judged, *, same: bool, most: int = SHOWN) -> Indices:
    """The numbers of the worst pairs of one kind, worst first."""
    of_kind = np.flatnonzero(judged.same == same)
    order = np.argsort(judged.distance[of_kind] * (-1 if same else 1), kind="stable")
    return of_kind[order[:most]].astype(np.int64)


def mistakes(judged: Judged) -> Html:
    """Both kinds, each pair with what it is and how far apart it was found."""
    portraits = Portraits(judged.data, judged.embedded.model.input)
    threshold = judged.embedded.model.threshold
    parts = []
    for same, title, reading in (
        (
            False,
            "Different, and taken for the nearest",
            "Different pairs with the smallest distances among the judged pairs, nearest first. "
            "Where two look truly the same, a label may be wrong.",
        ),
        (
            True,
            "Same, and farthest apart",
            "Same pairs with the largest distances, farthest first.",
        ),
    ):
        shown = [
            _pair(judged, portraits, number, threshold)
            for number in worst(judged, same=same).tolist()
        ]
        parts += [tag("h3", title), tag("p", reading), tag("ul", *shown, class_="gallery")]
    return join(*parts)


def _pair(judged: Judged, portraits: Portraits, number: int, threshold: float | None) -> Html:
    distance, same = float(judged.distance[number]), bool(judged.same[number])
    verdict = EMPTY
    if threshold is not None:
        right = (distance <= threshold) == same
        mark = ("✓ judged right", "good") if right else ("✗ judged wrong", "bad")
        verdict = tag("span", mark[0], class_=mark[1])
    both = tag(
        "div",
        portraits.named(int(judged.left[number]), "left"),
        portraits.named(int(judged.right[number]), "right"),
        class_="pair",
    )
    return tag("li", tag("p", f"distance {distance:.4f} ", verdict), both)
