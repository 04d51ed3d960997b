"""HTML that is safe by construction: what is not :class:`Html` is text, and is escaped where it is put in."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence


class Html(str):
    """Markup. A plain string is text; so is an f-string, whatever stands in it."""

    __slots__ = ()


def join(parts: Iterable[str], between: str = "") -> Html:
    """``parts`` one after another, text escaped."""
    return Html(_safe(between).join(_safe(part) for part in parts))


def tag(name: str, /, *children: str, **attributes: str | bool) -> Html:
    """The element ``name``. Attributes: ``class_`` is class, ``aria_label`` aria-label, True a bare one, False none."""
    given = [_attribute(key, value) for key, value in attributes.items() if value is not False]
    opening = f"<{' '.join([name, *given])}>"
    return Html(opening if name in _VOID else f"{opening}{join(children)}</{name}>")


_VOID = ("img", "link", "meta")


def table(head: Sequence[str], body: Iterable[Sequence[str]], class_: str = "numbers") -> Html:
    """A table whose first column names the row.

    A cell of ``cards`` knows its heading, for pages too narrow for columns; in large tables that would be most of it.
    """
    cards = "cards" in class_.split()
    heading = tag("thead", tag("tr", *(tag("th", text, scope="col") for text in head)))
    rows = [
        tag(
            "tr",
            tag("th", row[0], scope="row"),
            *(tag("td", cell, data_label=cards and name) for name, cell in zip(head[1:], row[1:], strict=True)),
        )
        for row in body
    ]
    return tag("table", heading, tag("tbody", *rows), class_=class_)


def fold(summary: str, *content: str) -> Html:
    """What is shown only when it is asked for. Wide content scrolls within itself, by keyboard too."""
    scroll = tag("div", *content, class_="scroll", tabindex="0", role="region", aria_label=summary)
    return tag("details", tag("summary", summary), scroll)


def paragraph(text: str, class_: str = "") -> Html:
    """A paragraph."""
    return tag("p", text, class_=class_ or False)


def _attribute(key: str, value: str | bool) -> str:
    name = key.rstrip("_").replace("_", "-")
    return name if value is True else f'{name}="{html.escape(str(value))}"'


def _safe(part: str) -> str:
    return part if isinstance(part, Html) else html.escape(part)
