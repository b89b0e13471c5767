"""Items as a reader sees them: a small picture, a few numbers, or where they came from."""

import base64
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image

from gemel.inputs import AnyInput, Portrayed, input_of
from gemel.items import Items, Pairs, Side
from gemel.reports.html import EMPTY, Html, name_of, plain_name, tag

SIDE = 72
"""Pixels of the longer side of a small picture, at most."""
MOST_NUMBERS = 6
QUALITY = 80


@dataclass(frozen=True, eq=False)
class Portraits:
    """Draws the items of a data set.

    Attributes:
        data: the items.
        input: reads them; of what it cannot portray, and what are no numbers, nothing is shown.
    """

    data: Items | Pairs
    input: AnyInput

    def are_pictures(self, side: Side) -> bool:
        """Whether items of a side are shown as pictures."""
        return isinstance(input_of(self.input, side), Portrayed)

    def of(self, item: int, side: Side) -> Html:
        """The item as a picture, or the first of its numbers."""
        given, origin = input_of(self.input, side), self.data.origin(item)
        if isinstance(given, Portrayed):
            source = _inline(given.portrait(self.data.values[item], origin))
            return tag(
                "img", src=source, alt=plain_name(f"picture of {self._label(item) or origin}")
            )
        if given.kind != "numbers":
            return EMPTY
        row = np.asarray(self.data.values[item], dtype=np.float64)
        first = ", ".join(f"{value:.3g}" for value in row[:MOST_NUMBERS])
        rest = f", … ({len(row)} numbers)" if len(row) > MOST_NUMBERS else ""
        return tag("span", first + rest, class_="row")

    def named(self, item: int, side: Side) -> Html:
        """The item, its label, and where it came from."""
        label = self._label(item)
        return tag(
            "div",
            self.of(item, side),
            tag("span", name_of(label)) if label else EMPTY,
            tag("span", name_of(self.data.origin(item), 48), class_="soft"),
            class_="item",
        )

    def _label(self, item: int) -> str:
        return str(self.data.labels[item]) if isinstance(self.data, Items) else ""


def _inline(picture: Image.Image) -> str:
    """A small copy inside the page: PNG, or JPEG where there is colour."""
    small = picture.copy()
    small.thumbnail((SIDE, SIDE))
    out = BytesIO()
    if small.mode == "L":
        small.save(out, "PNG", optimize=True)
        return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
    small.convert("RGB").save(out, "JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()
