"""What figures are made of: panels as plotly draws them, and their marks.

Colours are names of CSS variables, so that the page alone decides what they are by day, by night and on paper.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from spadam.report.axis import Scale

COLOURS = 8
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "pentagon", "star")
SEQUENCE = tuple(f"var(--s{n})" for n in range(7))
"""From the best value to the worst."""
MOST_BEHIND = COLOURS
"""Of so many variants at most, each panel shows the others behind its own: of more it would be a thicket."""
SQUARE = 0
"""In place of a height: as high as wide."""
_ROW_PIXELS, _FRAME_PIXELS = 46, 56


class Head(NamedTuple):
    """What stands above a panel or a picture."""

    text: str
    aside: str = ""
    """Quieter, below it."""
    variant: int | None = None
    """The number of the variant that it is about: its colour and marker stand before the text."""


class Panel(NamedTuple):
    """One plot."""

    data: list[dict[str, Any]]
    layout: dict[str, Any]
    height: int
    """In pixels, or :data:`SQUARE`; the width is what the page has."""
    label: str
    """What a reader who does not see it is told."""
    head: Head


def colour(variant: int) -> str:
    """The colour of the variant that is number ``variant``."""
    return f"var(--v{variant % COLOURS})"


def symbol(variant: int) -> str:
    """Its marker: no two variants share both, up to 56 of them."""
    return SYMBOLS[variant % len(SYMBOLS)]


def dots(x: Sequence[float], y: Sequence[float], hover: Sequence[str], **marker: Any) -> dict[str, Any]:
    """A mark at every (x, y), with its text under the pointer."""
    return {
        "type": "scatter",
        "mode": "markers",
        "x": list(x),
        "y": list(y),
        "hovertext": [plain(text) for text in hover],
        "hoverinfo": "text",
        "cliponaxis": False,
        "marker": marker,
    }


def ring(x: float, y: float, hover: str) -> dict[str, Any]:
    """The mark around the best of many."""
    edge = {"width": 2}
    return dots([x], [y], [hover], symbol="circle-open", size=16, color="var(--ink)", line=edge)


def crosses(x: Sequence[float], y: Sequence[float], hover: Sequence[str]) -> dict[str, Any]:
    """The marks of trainings without a value."""
    return dots(x, y, hover, symbol="x-thin", size=8, color="var(--ink)", line={"width": 1.5, "color": "var(--ink)"})


def line(x: Sequence[float], y: Sequence[float | None], **style: Any) -> dict[str, Any]:
    """A line through every (x, y), broken where y is None."""
    return {"type": "scatter", "mode": "lines", "x": list(x), "y": list(y), "hoverinfo": "skip", "line": style}


def words(text: str, place: Mapping[str, Any], *, aside: str = "", colour: str = "var(--ink)") -> dict[str, Any]:
    """An annotation; what stands aside is quieter."""
    shown = f"<b>{plain(text)}</b>   {plain(aside)}" if aside else plain(text)
    return {"text": shown, "showarrow": False, "font": {"size": 12, "color": colour}, **place}


def layout(xaxis: Mapping[str, Any], yaxis: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A quiet layout: no frame, no legend, nothing that moves."""
    return {
        "xaxis": dict(xaxis),
        "yaxis": dict(yaxis),
        "showlegend": False,
        "hovermode": "closest",
        "dragmode": False,
        "font": {"family": "inherit", "size": 12, "color": "var(--ink)"},
        "hoverlabel": {"bgcolor": "var(--card)", "bordercolor": "var(--axis)", "font": {"color": "var(--ink)"}},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 8, "r": 12, "t": 8, "b": 8},
        **more,
    }


def rowed(
    scale: Scale, title: str, rows: Sequence[tuple[str, str]], data: list[dict[str, Any]], label: str, head: str
) -> Panel:
    """A panel with a row for everything that has a name; row n lies at y = n, its name and value stand above it."""
    labels = [
        words(name, {"xref": "paper", "x": 0, "xanchor": "left", "xshift": -10, "y": row - 0.42}, aside=said)
        for row, (name, said) in enumerate(rows)
    ]
    yaxis = {"range": [len(rows) - 0.5, -0.75], "visible": False, "fixedrange": True}
    drawn = layout(scale.axis(title), yaxis, annotations=labels, margin={"l": 10, "r": 12, "t": 0, "b": 8})
    return Panel(data, drawn, _FRAME_PIXELS + _ROW_PIXELS * len(rows), label, Head(head))


def plain(text: str) -> str:
    """Text for plotly, which reads tags of its own: they are shown as they stand."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", "<br>")
