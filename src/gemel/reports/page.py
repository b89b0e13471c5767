"""A page in one file: its skeleton, its sections, its tables. Nothing in it loads anything."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from gemel.evaluation import Figure, Refused
from gemel.reports.html import EMPTY, Html, join, name_of, tag

LONG = 40
"""Facts of more characters have a line of their own."""


@dataclass(frozen=True)
class Section:
    """A part of a page, under a heading of its own.

    Attributes:
        slug: its id; no other section has it.
        title: its heading.
        body: what stands in it.
    """

    slug: str
    title: str
    body: Html

    def html(self) -> Html:
        """The section as HTML."""
        heading = tag("h2", self.title, id=f"{self.slug}-heading")
        return tag(
            "section", heading, self.body, id=self.slug, aria_labelledby=f"{self.slug}-heading"
        )


def page(title: str, summary: Html, sections: Sequence[Section], *, script: bool) -> str:
    """The whole page.

    Its policy lets a browser load nothing, and run nothing but the page's own script.

    Args:
        title: the heading of it all.
        summary: what stands under it.
        sections: its parts, in order.
        script: whether the script that turns points in space is put in.
    """
    code = Html(_resource("turn.js")) if script else EMPTY
    links = [tag("li", tag("a", one.title, href=f"#{one.slug}")) for one in sections]
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_policy(code)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", Html(_resource("page.css"))),
    )
    body = tag(
        "body",
        tag("a", "To the figures", href="#main", class_="skip"),
        tag("header", tag("h1", title), summary),
        tag("nav", tag("ul", *links), aria_label="Parts of this report"),
        tag("main", *(one.html() for one in sections), id="main"),
        tag("script", code) if script else EMPTY,
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _resource(name: str) -> str:
    return files("gemel.reports").joinpath(name).read_text(encoding="utf-8")


def _policy(code: str) -> str:
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    scripts = f"'sha256-{digest}'" if code else "'none'"
    return (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
        f"style-src 'unsafe-inline'; script-src {scripts}"
    )


def table(
    slug: str,
    caption: str,
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    numbers: bool = True,
) -> Html:
    """A table that scrolls by itself where it is wider than the page.

    Args:
        slug: an id that nothing else has.
        caption: what it holds.
        head: the heading of each column.
        rows: of each row its heading and its cells.
        numbers: whether the cells hold numbers, which stand under each other.
    """
    top = tag("tr", *(tag("th", one, scope="col") for one in head))
    body = [
        tag("tr", tag("th", first, scope="row"), *(tag("td", cell) for cell in cells))
        for first, *cells in rows
    ]
    whole = tag(
        "table",
        tag("caption", caption, id=f"{slug}-caption"),
        tag("thead", top),
        tag("tbody", *body),
        class_="numbers" if numbers else None,
    )
    return tag(
        "div", whole, class_="scroll", role="region", tabindex=0, aria_labelledby=f"{slug}-caption"
    )


def chart(drawing: Html, title: str, reading: str | Html, numbers: Html = EMPTY) -> Html:
    """A chart with its heading, how to read it, and its numbers behind a button."""
    more = tag("details", tag("summary", "The numbers"), numbers) if numbers else EMPTY
    caption = tag("figcaption", tag("h3", title), tag("p", reading))
    return tag("figure", caption, drawing, more)


def facts(pairs: Sequence[tuple[str, str]]) -> Html:
    """A list of what is what."""
    each = [
        tag("div", tag("dt", key), tag("dd", value), class_="wide" if len(value) > LONG else None)
        for key, value in pairs
    ]
    return tag("dl", *each, class_="facts")


def paragraphs(*texts: str) -> Html:
    """Each text as a paragraph."""
    return join(*(tag("p", text) for text in texts))


def value_of(figure: Figure) -> Html:
    """A figure's value as it is read, and to the last digit for machines."""
    return tag("data", said(figure.value, percent=figure.percent), value=repr(figure.value))


def said(value: float | int, *, percent: bool) -> str:
    """A value as it is read."""
    return f"{100 * value:.1f} %" if percent else f"{value:.4f}"


def with_interval(figure: Figure) -> Html:
    """A figure's value and its interval."""
    return join(value_of(figure), " ", tag("span", figure.range, class_="range"))


def rests_on(figure: Figure) -> Html:
    """What a figure rests on, in words."""
    return join(
        f"{figure.count:,} {figure.unit}, split ", name_of(figure.split), f", seed {figure.seed}"
    )


def figures_table(slug: str, caption: str, figures: Sequence[Figure]) -> Html:
    """All about each figure."""
    rows = [
        [
            one.name,
            value_of(one),
            "none" if one.range == f"[{one.method}]" else one.range,
            f"{one.count:,} {one.unit}",
            name_of(one.split),
            str(one.seed),
            one.method,
        ]
        for one in figures
    ]
    head = ["figure", "value", "95 % interval", "rests on", "split", "seed", "interval found by"]
    return table(slug, caption, head, rows)


def refused_list(refused: Sequence[Refused]) -> Html:
    """What is not given, and why."""
    return tag(
        "ul", *(tag("li", tag("b", one.name), f" is not given: {one.why}") for one in refused)
    )
