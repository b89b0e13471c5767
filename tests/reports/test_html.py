"""Elements are closed in order, and nothing of the data becomes an element."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pages import parsed

from gemel.reports.html import Html, escaped, join, name_of, plain_name, shortened, tag

HOSTILE = ["<script>alert(1)</script>", "a\"b'c", "&amp;", "]]>", "--><!--", "</td>", "\u202eevil"]


@given(st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(exclude_characters="\r\0"))))
def test_text_comes_back_and_makes_no_element(text: str) -> None:
    root = parsed(tag("p", text, title=text))
    assert [one.name for one in root.everything] == ["", "p"]
    if all(letter.isprintable() for letter in text):
        assert root.text == text
        assert root.find("p")[0].attributes["title"] == text


@given(st.text())
def test_names_are_short_and_can_be_written(text: str) -> None:
    said = name_of(text, 20)
    assert len(parsed(said).text) <= 20 * 6  # a letter shown by its number takes up to 6
    said.encode("utf-8")
    assert not {"\u202e", "\u2066", "\u202b"} & set(plain_name(text))


def test_lone_surrogates_and_controls_are_shown_by_number() -> None:
    assert escaped("a\udc80b") == "a\\udc80b"
    assert escaped("a\x00b\x1bc") == "a\\x00b\\x1bc"


def test_html_is_taken_as_it_is() -> None:
    assert join(Html("<b>1</b>"), "<") == "<b>1</b>&lt;"
    assert tag("p", tag("b", "x")) == "<p><b>x</b></p>"


def test_attributes() -> None:
    drawn = tag("rect", class_="a", aria_hidden="true", x=1.2345, y=2.0, z=3, no=None, off=False)
    assert drawn == '<rect class="a" aria-hidden="true" x="1.23" y="2" z="3"></rect>'
    assert tag("img", hidden=True) == "<img hidden>"


@pytest.mark.parametrize(
    ("text", "longest"), [("abcdefghij", 5), ("abcdefghij", 4), ("a b\n c", 5)]
)
def test_shortened_keeps_both_ends(text: str, longest: int) -> None:
    said = shortened(text, longest)
    assert len(said) <= longest
    assert said[0] == text[0]
    assert said[-1] == text[-1]
    assert ("…" in said) == (len(" ".join(text.split())) > longest)
