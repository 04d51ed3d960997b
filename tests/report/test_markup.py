"""Whatever is no markup is text."""

from html.parser import HTMLParser

from hypothesis import example, given
from hypothesis import strategies as st

from spadam.report.markup import Html, fold, join, table, tag

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\x00"))


class Reader(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


@given(TEXT, TEXT)
@example('"><script>&amp;', '"><script>&amp;')
def test_no_text_becomes_markup(text: str, attribute: str) -> None:
    read = Reader(tag("p", text, tag("b", text), title=attribute))
    assert read.tags == ["p", "b"]
    assert read.text == text + text
    assert read.attributes == [("title", attribute)]


@given(TEXT)
def test_no_cell_and_no_summary_becomes_markup(text: str) -> None:
    read = Reader(fold(text, table((text, text), [(text, text)])))
    assert read.tags.count("td") == 1
    assert read.text == text * 5


def test_markup_stays_markup_and_an_f_string_does_not() -> None:
    inner = tag("i", "x")
    assert tag("p", inner) == "<p><i>x</i></p>"
    assert tag("p", f"{inner}") == "<p>&lt;i&gt;x&lt;/i&gt;</p>"
    assert isinstance(join(["<", inner]), Html)
    assert join(["<", inner], " & ") == "&lt; &amp; <i>x</i>"


def test_attributes() -> None:
    assert tag("img", alt="a", hidden=True, class_=False) == '<img alt="a" hidden>'
    assert tag("p", aria_label="x", class_="y") == '<p aria-label="x" class="y"></p>'
