"""HTML and SVG by plain functions: text is escaped unless it is `Html` already."""

import html
import re
import unicodedata

LONGEST = 80
"""How many characters of a name from the data are shown."""


class Html(str):
    """Text that is HTML. All other text is escaped when `tag` or `join` takes it."""

    __slots__ = ()


EMPTY = Html("")
_EMPTY_ELEMENTS = frozenset({"meta", "img", "br"})


def escaped(text: str) -> Html:
    """`text` as HTML; what HTML or UTF-8 cannot hold is shown by its number."""
    if isinstance(text, Html):
        return text
    whole = text.encode("utf-8", "backslashreplace").decode("utf-8")
    shown = re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]", _by_number, whole)
    return Html(html.escape(shown, quote=True))


def join(*parts: str) -> Html:
    """The parts one after another."""
    return Html("".join(escaped(part) for part in parts))


def tag(name: str, /, *children: str, **attributes: str | float | int | bool | None) -> Html:
    """An element. Attributes that are None or False are left out; `class_` is `class`."""
    words = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{_said(value)}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _EMPTY_ELEMENTS:
        return Html(f"<{name}{words}>")
    return Html(f"<{name}{words}>{join(*children)}</{name}>")


def shortened(text: str, longest: int = LONGEST) -> str:
    """`text` on one line, at most `longest` characters: its middle is left out."""
    line = " ".join(text.split())
    if len(line) <= longest:
        return line
    tail = (longest - 1) // 2
    return f"{line[: longest - 1 - tail]}…{line[len(line) - tail :]}"


def name_of(text: str, longest: int = LONGEST) -> Html:
    """A name from the data: cut short, and kept from turning the text around it."""
    return tag("bdi", shortened(text, longest))


def plain_name(text: str, longest: int = LONGEST) -> str:
    """The same where no element may stand, as in an attribute: marks of direction are dropped."""
    return "".join(
        letter
        for letter in shortened(text, longest)
        if unicodedata.bidirectional(letter) not in _TURNS
    )


_TURNS = frozenset({"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"})


def _by_number(found: re.Match[str]) -> str:
    return f"\\x{ord(found[0]):02x}"


def _said(value: str | float | int | bool) -> str:
    """An attribute's value: numbers to a hundredth, since they are places in a drawing."""
    if isinstance(value, str):
        return escaped(value)
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
