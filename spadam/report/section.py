"""A part of the page: its panels or pictures, and the text around them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

from spadam.report.drawing import COLOURS, SQUARE, Head, Panel, symbol
from spadam.report.markup import Html, fold, join, paragraph, table, tag

_T = TypeVar("_T")


class Image(NamedTuple):
    """One picture."""

    pixels: np.ndarray[Any, Any]
    """(height, width, 3), bytes."""
    label: str
    """What a reader who does not see it is told."""
    head: Head

    def png(self) -> bytes:
        """It as a file."""
        from PIL import Image as Pillow

        file = io.BytesIO()
        Pillow.fromarray(self.pixels).save(file, "PNG")
        return file.getvalue()


class Chip(NamedTuple):
    """An entry of a legend: a variant, and a number of it."""

    variant: int
    name: str
    said: str


class Ramp(NamedTuple):
    """A legend for colours: what the first and what the last of them stand for."""

    best: str
    worst: str


Legend = Sequence[Chip] | Ramp


class Section(NamedTuple):
    """A part of the page."""

    anchor: str
    title: str
    html: Html
    panels: Mapping[str, Panel] = {}
    """What plotly draws into the page's elements, by their ids."""
    images: Sequence[Image] = ()
    legend: Legend = ()
    gap: str = ""
    """Why there is no figure, where there should be one."""


MOST_ROWS = 1_200
"""Rows of a table of numbers; of more, as many are shown evenly over it, for a page is to stay small."""


def swatch(variant: int) -> Html:
    """The colour and marker of a variant, for text."""
    return tag("span", GLYPHS[symbol(variant)], class_=f"swatch v{variant % COLOURS}", aria_hidden="true")


def heading(head: Head) -> Html:
    """What stands above a panel or a picture."""
    mark = "" if head.variant is None else swatch(head.variant)
    return tag("h3", mark, tag("span", head.text), tag("small", head.aside) if head.aside else "")


def code(text: str) -> Html:
    """Text as it is to be typed, or stands in a file."""
    return tag("pre", tag("code", text))


def draw(
    anchor: str,
    title: str,
    reading: str,
    panels: Sequence[Panel],
    head: Sequence[str],
    numbers: Iterable[Sequence[str]],
    *,
    missing: Sequence[str] = (),
    legend: Legend = (),
    wide: bool = False,
) -> Section:
    """A figure: its title, one sentence how to read it, its panels, and its numbers as a table.

    ``missing`` says what it leaves out, and why. ``wide`` panels stand below each other on narrow screens only, small
    ones as many in a row as there is room for.
    """
    ids = [f"{anchor}-{n}" for n in range(len(panels))]
    plots = [
        tag(
            "div",
            heading(panel.head),
            tag("div", id=id_, role="img", aria_label=panel.label, **_size(panel.height)),
            class_="panel",
        )
        for id_, panel in zip(ids, panels, strict=True)
    ]
    figure = tag(
        "figure",
        tag("figcaption", paragraph(reading, "reading")),
        _legend(legend),
        tag("div", *plots, class_="panels wide" if wide else "panels"),
        *(paragraph(text, "gap") for text in missing),
        fold("The numbers of this figure", *_table(head, list(numbers))),
    )
    return Section(anchor, title, figure, dict(zip(ids, panels, strict=True)), legend=legend)


def gap(anchor: str, title: str, reason: str) -> Section:
    """In place of a figure that cannot be drawn: why."""
    return Section(anchor, title, paragraph(reason, "gap"), gap=reason)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterable[Html]:
    if len(rows) > MOST_ROWS:
        many, rows = len(rows), evenly(rows, MOST_ROWS)
        yield paragraph(f"{len(rows)} of {many} rows, evenly over them: more would make the page large.", "gap")
    yield table(head, rows)


def evenly(found: Sequence[_T], most: int) -> list[_T]:
    """``found``, or of more than ``most`` so many of them, at even distances, the first and the last among them."""
    if len(found) <= most:
        return list(found)
    return [found[round(n * (len(found) - 1) / max(1, most - 1))] for n in range(most)]


def _size(height: int) -> dict[str, str]:
    return {"class_": "plot square"} if height == SQUARE else {"class_": "plot", "style": f"--height:{height}px"}


def _legend(legend: Legend) -> Html:
    if isinstance(legend, Ramp):
        ramp = tag("span", class_="ramp", aria_hidden="true")
        return tag("p", tag("span", legend.best), ramp, tag("span", legend.worst), class_="legend")
    chips = [tag("li", swatch(chip.variant), f"{chip.name} ", tag("b", chip.said)) for chip in legend]
    return tag("ul", *chips, class_="chips") if chips else join([])


GLYPHS = {
    "circle": "●",
    "square": "■",
    "diamond": "◆",
    "triangle-up": "▲",
    "triangle-down": "▼",
    "pentagon": "⬟",
    "star": "★",
}
"""The markers of variants as letters, for text."""
