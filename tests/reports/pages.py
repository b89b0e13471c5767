"""Reading a page back: what a browser would find in it."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise

EMPTY = {"meta", "img", "br"}


@dataclass
class Element:
    """An element of a page, with its text and children in order."""

    name: str
    attributes: dict[str, str | None]
    parts: list["Element | str"] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(one if isinstance(one, str) else one.text for one in self.parts)

    @property
    def everything(self) -> list["Element"]:
        inside = [one for one in self.parts if isinstance(one, Element)]
        return [self, *(found for one in inside for found in one.everything)]

    def find(self, name: str, **attributes: str) -> list["Element"]:
        return [
            one
            for one in self.everything
            if one.name == name
            and all(
                one.attributes.get(key.rstrip("_")) == value for key, value in attributes.items()
            )
        ]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({key for key, _ in attrs}) == len(attrs), f"an attribute twice: {attrs}"
        found = Element(tag, dict(attrs))
        self.open[-1].parts.append(found)
        if tag not in EMPTY:
            self.open.append(found)

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].name == tag, f"</{tag}> closes <{self.open[-1].name}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].parts.append(data)


def parsed(page: str) -> Element:
    """The page's root; elements that are not closed in order fail."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == [reader.root], f"left open: {[one.name for one in reader.open]}"
    return reader.root


def sound(page: str) -> Element:
    """The page's root, after what must hold of every page is looked at."""
    root = parsed(page)
    ids = [one.attributes["id"] for one in root.everything if "id" in one.attributes]
    assert len(set(ids)) == len(ids), "an id stands twice"
    for one in root.everything:
        for name in ("aria-labelledby", "aria-describedby"):
            for target in (one.attributes.get(name) or "").split():
                assert target in ids, f"{name} names {target}, which is not there"
        for name in ("src", "href", "data", "poster", "srcset", "action"):
            value = one.attributes.get(name)
            assert value is None or value.startswith(("data:image/", "#")), (one.name, value)
        assert not [key for key in one.attributes if key.startswith("on")], "code in an attribute"
    links = [one.attributes["href"] for one in root.find("a")]
    assert all(str(link).removeprefix("#") in ids for link in links)
    style = "".join(one.text for one in root.find("style"))
    assert "@import" not in style
    assert "url(" not in style
    levels = [int(one.name[1]) for one in root.everything if one.name in ("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    for one in root.find("svg", role="img"):
        assert one.find("title")
        assert one.find("desc")
    for one in root.find("table"):
        assert one.find("caption")
        assert all("scope" in head.attributes for head in one.find("th"))
    assert all(one.attributes.get("alt") for one in root.find("img"))
    return root


def rows(root: Element, table: str) -> list[list[Element]]:
    """The cells of the body of the table whose caption has the id `table`-caption."""
    body = next(
        one for one in root.find("table") if one.find("caption", id=f"{table}-caption")
    ).find("tbody")[0]
    return [[cell for cell in row.parts if isinstance(cell, Element)] for row in body.find("tr")]
