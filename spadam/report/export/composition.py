"""A section of the page as one figure that stands alone: its panels side by side, its titles and legend drawn in.

Plotly draws it all at once, so text stays text, and a paper includes one file. Lengths are pixels, 96 to an inch; three
small panels in a row are 8.6 inches wide, which on a text width of 6.5 inches leaves letters of 7 points.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from spadam.report.drawing import SEQUENCE, SQUARE, Head, Panel, colour, layout, plain, symbol
from spadam.report.export.paper import on_paper
from spadam.report.section import GLYPHS, Chip, Ramp, Section

_SMALL, _WIDE = 256, 396
_GAP, _EDGE = 18, 14
_LEFT, _BARE, _BELOW = 60, 12, 46
"""Room for an axis upwards, where none is shown, and for one across."""
_TITLE, _LINE, _LETTER = 30, 16, 6.4
"""Height of the title and of a line of text, and about the width of a letter in it."""
_RAMP = 150


class Figure(NamedTuple):
    """What plotly draws, and how large."""

    data: list[dict[str, Any]]
    layout: dict[str, Any]
    width: int
    height: int
    label: str
    """What a reader who does not see it is told."""


class _Cell(NamedTuple):
    """Where a panel lies."""

    left: int
    top: int
    """Of its heading."""
    plot: tuple[int, int, int, int]
    """Of what its axes enclose: left, top, right, bottom."""


def compose(section: Section, sweep: str) -> Figure:
    """All panels of ``section``, with what the page says around them; the ``sweep`` is named beside the title."""
    panels = list(section.panels.values())
    columns, width = _columns(panels)
    whole = 2 * _EDGE + columns * width + (columns - 1) * _GAP
    legend, top = _legend(section, whole, _EDGE + _TITLE)
    cells, height = _cells(panels, columns, width, top)
    title = f"<b>{plain(section.title)}</b>   {_quiet(sweep)}"
    notes = [_text(title, _EDGE, _EDGE, size=16), *legend]
    data: list[dict[str, Any]] = []
    axes: dict[str, Any] = {}
    for n, (panel, cell) in enumerate(zip(panels, cells, strict=True), 1):
        data += [{**trace, "xaxis": _axis("x", n), "yaxis": _axis("y", n)} for trace in panel.data]
        left, upper, right, lower = cell.plot
        across = {"domain": [left / whole, right / whole], "anchor": _axis("y", n)}
        upwards = {"domain": [1 - lower / height, 1 - upper / height], "anchor": _axis("x", n)}
        number = "" if n == 1 else str(n)
        axes[f"xaxis{number}"] = _placed(panel.layout["xaxis"], n, across)
        axes[f"yaxis{number}"] = _placed(panel.layout["yaxis"], n, upwards)
        notes += [_heading(panel.head, cell), *(_within(note, n) for note in panel.layout.get("annotations", ()))]
    if isinstance(section.legend, Ramp):
        data.append(_ramp(section.legend, whole, height))
    drawn = layout({}, {}, margin=dict.fromkeys("lrtb", 0), width=whole, height=height) | axes
    drawn |= {"annotations": [_from_corner(note, whole, height) for note in notes], "paper_bgcolor": "#ffffff"}
    label = ". ".join([f"{section.title}, {sweep}", *(panel.label for panel in panels)])
    return Figure(on_paper(data), on_paper(drawn), whole, height, label)


def _columns(panels: Sequence[Panel]) -> tuple[int, int]:
    """How many panels stand in a row, and how wide each is: what is drawn in rows of its own needs most width."""
    if any(panel.layout["yaxis"].get("visible") is False for panel in panels) or len(panels) == 1:
        return min(len(panels), 2), _WIDE
    return min(len(panels), 2 if len(panels) == 4 else 3), _SMALL if len(panels) > 2 else (_SMALL + _WIDE) // 2


def _cells(panels: Sequence[Panel], columns: int, width: int, top: int) -> tuple[list[_Cell], int]:
    """Where every panel lies, row by row, and how high all of it is; rows are as high as the highest panel in them."""
    cells = []
    for first in range(0, len(panels), columns):
        row = panels[first : first + columns]
        upper = top + 6 + max(_LINE * len(_lines(panel.head, width)) for panel in row)
        lower = upper
        for n, panel in enumerate(row):
            left = _EDGE + n * (width + _GAP)
            inner = left + (_BARE if panel.layout["yaxis"].get("visible") is False else _LEFT)
            high = left + width - inner if panel.height == SQUARE else panel.height - _BELOW
            cells.append(_Cell(left, top, (inner, upper, left + width - 4, upper + high)))
            lower = max(lower, upper + high)
        top = lower + _BELOW + _GAP
    return cells, top - _GAP + _EDGE


def _axis(letter: str, n: int) -> str:
    return letter if n == 1 else f"{letter}{n}"


def _placed(axis: Mapping[str, Any], n: int, place: Mapping[str, Any]) -> dict[str, Any]:
    """``axis`` of panel ``n`` in its place, which nothing may move any more."""
    anchored = {"scaleanchor": _axis(axis["scaleanchor"], n)} if "scaleanchor" in axis else {}
    return {**axis, **place, **anchored, "automargin": False}


def _within(note: Mapping[str, Any], n: int) -> dict[str, Any]:
    """An annotation of panel ``n``; what is placed on the paper of a panel is placed between its axes here."""
    refs = {}
    for letter in "xy":
        ref = note.get(f"{letter}ref", letter)
        refs[f"{letter}ref"] = f"{_axis(letter, n)} domain" if ref == "paper" else _axis(letter, n)
    return {**note, **refs}


def _text(text: str, left: float, top: float, **font: Any) -> dict[str, Any]:
    """Text whose upper left corner lies so many pixels from that of the figure."""
    shown = {"text": text, "showarrow": False, "align": "left", "xanchor": "left", "yanchor": "top", "borderpad": 0}
    return {**shown, "font": {"size": 12, "color": "var(--ink)", **font}, "corner": (left, top)}


def _from_corner(note: dict[str, Any], whole: int, height: int) -> dict[str, Any]:
    if "corner" not in note:
        return note
    left, top = note.pop("corner")
    return {**note, "xref": "paper", "yref": "paper", "x": left / whole, "y": 1 - top / height}


def _quiet(text: str) -> str:
    return f'<span style="color:var(--muted);font-size:12px">{plain(text)}</span>'


def _mark(variant: int) -> str:
    return f'<span style="color:{colour(variant)}">{GLYPHS[symbol(variant)]}</span> '


def _lines(head: Head, width: int) -> list[str]:
    return [head.text, *textwrap.wrap(head.aside, int(width / _LETTER))]


def _heading(head: Head, cell: _Cell) -> dict[str, Any]:
    width = cell.plot[2] - cell.left
    first, *others = _lines(head, width)
    mark = "" if head.variant is None else _mark(head.variant)
    return _text("<br>".join([f"{mark}<b>{plain(first)}</b>", *map(_quiet, others)]), cell.left, cell.top)


def _legend(section: Section, whole: int, top: int) -> tuple[list[dict[str, Any]], int]:
    """The legend from ``top`` on, and where it ends."""
    if isinstance(section.legend, Ramp):
        left = _EDGE + _LETTER * len(section.legend.best) + 8
        ends = (section.legend.best, _EDGE), (section.legend.worst, left + _RAMP + 10)
        return [_text(plain(said), at, top, color="var(--muted)") for said, at in ends], top + _LINE + 10
    rows: list[list[Chip]] = []
    room = 0.0
    for chip in section.legend:
        needed = _LETTER * (len(f"{chip.name}{chip.said}") + 9)
        if needed > room:
            rows.append([])
            room = whole - 2 * _EDGE
        rows[-1].append(chip)
        room -= needed
    said = [
        "     ".join(f"{_mark(chip.variant)}{plain(chip.name)} <b>{plain(chip.said)}</b>" for chip in row)
        for row in rows
    ]
    return [_text("<br>".join(said), _EDGE, top)] if said else [], top + (_LINE * len(rows) + 10 if rows else 0)


def _ramp(ramp: Ramp, whole: int, height: int) -> dict[str, Any]:
    """The colours from best to worst, between the two texts that say what they stand for."""
    left, top = _EDGE + _LETTER * len(ramp.best) + 8, _EDGE + _TITLE + _LINE / 2
    place = {"x": left / whole, "xanchor": "left", "y": 1 - top / height, "yanchor": "middle"}
    size = {"orientation": "h", "lenmode": "pixels", "len": _RAMP, "thickness": 9, "xpad": 0, "ypad": 0}
    bar = {**place, **size, "showticklabels": False, "outlinewidth": 1, "outlinecolor": "var(--edge)"}
    scale = [[n / (len(SEQUENCE) - 1), shade] for n, shade in enumerate(SEQUENCE)]
    marker = {"color": [0], "cmin": 0, "cmax": 1, "colorscale": scale, "showscale": True, "colorbar": bar}
    return {"type": "scatter", "mode": "markers", "x": [None], "y": [None], "marker": marker}
