"""Small charts as SVG: axes, lines, marks, bars. Colours come from the page's style sheet.

A series has a colour, a line style and a mark of its own, so that none is told by colour alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gemel.reports.html import Html, escaped, join, tag

Places = ArrayLike | float | int
WIDTH, HEIGHT = 360, 280
LEFT, RIGHT, TOP, BOTTOM = 56, 22, 10, 42
SERIES = 8
MARKS = (
    "M-3 0A3 3 0 1 0 3 0A3 3 0 1 0-3 0Z",  # a disc
    "M-2.7-2.7H2.7V2.7H-2.7Z",  # a square
    "M0-3.6L3.3 2.4H-3.3Z",  # a triangle
    "M0-3.8L3.8 0L0 3.8L-3.8 0Z",  # a diamond
    "M0 3.6L3.3-2.4H-3.3Z",  # a triangle upside down
    "M-1.1-3.4H1.1V-1.1H3.4V1.1H1.1V3.4H-1.1V1.1H-3.4V-1.1H-1.1Z",  # a cross
    "M-3.2 2.2L0-3.6L3.2 2.2L0 .8Z",  # an arrow head
    "M-3.6-1.4H3.6V1.4H-3.6Z",  # a bar
)
_NEARER = 0.4  # of a unit: points nearer to the last one drawn cannot be seen


@dataclass(frozen=True)
class Axis:
    """One axis of a chart.

    Attributes:
        label: what it shows, with its unit.
        low: its lower end.
        high: its upper end.
        ticks: where a line stands, and what is written there.
        scale: from values to what is drawn evenly, such as `np.log10`.
    """

    label: str
    low: float | int
    high: float | int
    ticks: Sequence[tuple[float | int, str]]
    scale: Callable[[NDArray[np.float64]], NDArray[np.float64]] = np.asarray

    def share(self, values: Places) -> NDArray[np.float64]:
        """Where values lie: 0 at the lower end, 1 at the upper one."""
        low, high = self.scale(np.array([self.low, self.high], dtype=np.float64))
        given = np.asarray(values, dtype=np.float64)
        return np.asarray((self.scale(given) - low) / (high - low))


def even_axis(label: str, low: float | int, high: float | int, *, percent: bool = False) -> Axis:
    """A plain axis with round ticks."""
    wide = max(float(high - low), 1e-12)
    step = 10.0 ** np.floor(np.log10(wide))
    step *= next(size for size in (0.2, 0.25, 0.5, 1, 2) if wide / (step * size) <= 6)
    places = np.arange(np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9) + 1) * step
    said = [f"{100 * place:.4g} %" if percent else f"{place:.4g}" for place in places + 0.0]
    return Axis(label, low, high, list(zip(places.tolist(), said, strict=True)))


class Plot:
    """A chart that is drawn piece by piece; later pieces lie over earlier ones, marks over all.

    Args:
        across: the axis from left to right.
        up: the axis from the bottom to the top.
        height: of the whole, where the width is 360.
    """

    def __init__(self, across: Axis, up: Axis, *, height: int = HEIGHT) -> None:
        self.across = across
        self.up = up
        self.height = height
        self._pieces: list[Html] = []
        self._marks: list[Html] = []
        self._legend: list[Html] = []

    def places(self, x: Places, y: Places) -> NDArray[np.float64]:
        """[K, 2] where points stand in the drawing."""
        across, up = np.broadcast_arrays(self.across.share(x), self.up.share(y))
        wide, tall = WIDTH - LEFT - RIGHT, self.height - TOP - BOTTOM
        return np.stack([LEFT + across * wide, TOP + (1 - up) * tall], axis=-1)

    def line(
        self, x: Places, y: Places, series: int, name: str | None = None, *, fill: bool = False
    ) -> None:
        """A line through points [K]; with `fill` also what lies under it."""
        points = _thinned(self.places(x, y))
        path = "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in points.tolist())
        if fill:
            floor = self.height - BOTTOM
            area = f"{path}L{points[-1, 0]:.1f} {floor}L{points[0, 0]:.1f} {floor}Z"
            self._pieces.append(tag("path", d=area, class_=f"area s{series}"))
        self._pieces.append(tag("path", d=path, class_=f"line s{series}"))
        if name is not None:
            self._legend.append(_sample(tag("path", d="M0 5H26", class_=f"line s{series}"), name))

    def marks(self, x: Places, y: Places, series: int, name: str | None = None) -> None:
        """A mark at each point [K]."""
        for a, b in np.atleast_2d(self.places(x, y)).tolist():
            self._marks.append(mark(a, b, series))
        if name is not None:
            self._legend.append(_sample(mark(13, 5, series), name))

    def whisker(self, x: float, low: float, high: float, series: int) -> None:
        """An upright interval at `x`."""
        (a, top), (_, bottom) = self.places([x, x], [high, low]).tolist()
        self._pieces.append(
            tag("path", d=f"M{a:.1f} {top:.1f}V{bottom:.1f}", class_=f"whisker s{series}")
        )

    def rule(self, x: float, name: str) -> None:
        """An upright line through the whole chart."""
        a = float(self.places(x, self.up.low)[0])
        path = f"M{a:.1f} {TOP}V{self.height - BOTTOM}"
        self._pieces.append(tag("path", d=path, class_="rule"))
        self._legend.append(_sample(tag("path", d="M13 0V10", class_="rule"), name))

    def band(self, low: float, high: float, name: str) -> None:
        """A shaded range of the lower axis."""
        (a, _), (b, _) = self.places([low, high], [self.up.low] * 2).tolist()
        tall = self.height - TOP - BOTTOM
        self._pieces.append(tag("rect", x=a, y=TOP, width=b - a, height=tall, class_="band"))
        self._legend.append(
            _sample(tag("rect", x=0, y=0, width=26, height=10, class_="band"), name)
        )

    def svg(self, slug: str, title: str, description: str) -> Html:
        """The drawing, with its legend under it.

        Args:
            slug: an id that no other chart of the page has.
            title: what it is, for those who do not see it.
            description: what it shows, for them.
        """
        tall = self.height - TOP - BOTTOM
        inner = WIDTH - LEFT - RIGHT
        drawing = tag(
            "svg",
            tag("title", title, id=f"{slug}-title"),
            tag("desc", description, id=f"{slug}-desc"),
            *self._grid(),
            tag(
                "svg",  # cuts off what lies outside the axes
                *self._pieces,
                x=LEFT,
                y=TOP,
                width=inner,
                height=tall,
                viewBox=f"{LEFT} {TOP} {inner} {tall}",
            ),
            *self._marks,
            viewBox=f"0 0 {WIDTH} {self.height}",
            class_="chart",
            role="img",
            aria_labelledby=f"{slug}-title {slug}-desc",
        )
        legend = tag("ul", *self._legend, class_="legend") if self._legend else escaped("")
        return join(drawing, legend)

    def _grid(self) -> list[Html]:
        floor, right = self.height - BOTTOM, WIDTH - RIGHT
        found = [tag("path", d=f"M{LEFT} {TOP}V{floor}H{right}", class_="frame")]
        for value, said in self.across.ticks:
            a = float(self.places(value, self.up.low)[0])
            found.append(tag("path", d=f"M{a:.1f} {TOP}V{floor}", class_="grid"))
            found.append(tag("text", said, x=a, y=floor + 14, text_anchor="middle"))
        for value, said in self.up.ticks:
            b = float(self.places(self.across.low, value)[1])
            found.append(tag("path", d=f"M{LEFT} {b:.1f}H{right}", class_="grid"))
            found.append(tag("text", said, x=LEFT - 5, y=b + 3.5, text_anchor="end"))
        middle = (LEFT + right) / 2
        found.append(
            tag(
                "text",
                self.across.label,
                x=middle,
                y=floor + 33,
                text_anchor="middle",
                class_="axis",
            )
        )
        turn = f"translate(11 {(TOP + floor) / 2:.0f}) rotate(-90)"
        found.append(
            tag("text", self.up.label, transform=turn, text_anchor="middle", class_="axis")
        )
        return found


def mark(
    x: float | int,
    y: float | int,
    shape: int,
    *children: Html,
    colour: int | None = None,
    at: str | None = None,
) -> Html:
    """A mark at a place in a drawing; unless a colour is given, that of the same number.

    Args:
        x: to the right.
        y: down.
        shape: the number of the mark.
        children: what stands in it, such as a title.
        colour: the number of the colour.
        at: its place in space, for the script that turns it.
    """
    return tag(
        "path",
        *children,
        d=MARKS[shape % len(MARKS)],
        class_=f"mark s{(shape if colour is None else colour) % SERIES}",
        transform=f"translate({x:.1f} {y:.1f})",
        data_at=at,
    )


def _sample(drawing: Html, name: str) -> Html:
    sample = tag("svg", drawing, viewBox="-1 -1 28 12", class_="sample", aria_hidden="true")
    return tag("li", sample, tag("span", name))


def _thinned(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """`points` [K, 2] without those that lie on the one drawn before; the last one stays."""
    kept = [0]
    for number in range(1, len(points) - 1):
        if np.abs(points[number] - points[kept[-1]]).max() >= _NEARER:
            kept.append(number)
    if len(points) > 1:
        kept.append(len(points) - 1)
    return points[kept]
