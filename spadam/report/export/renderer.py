"""From a figure to SVG and PNG: plotly's own kaleido, which draws in a browser that is installed on this machine.

Nothing is asked of a network: plotly.js is the one that plotly brings, formulas are off, and the browser is given a
proxy where nobody listens, so whatever else it would like to fetch stays away.
"""

from __future__ import annotations

import asyncio
import html
import logging
import os
import re
from collections.abc import Callable, Sequence
from typing import Any

from spadam.report.export.composition import Figure
from spadam.spec import InputError

Told = Callable[[int, int], None]
"""Hears how many figures are drawn, and of how many."""

_NOBODY = "127.0.0.1:9"
_SCALE = 3
"""Pixels of a PNG for every one of its figure: 288 to an inch."""
_SECONDS = 60
"""A figure takes a fifth of a second, but a machine may be busy."""

_DRAWN = re.compile(r"\b(trace|cb)[0-9a-f]{6}\b")
"""Plotly's names for traces and colour bars, drawn at random."""


def check(place: str) -> None:
    """Raise :class:`InputError` about exporting to ``place`` when there is nothing to draw with."""
    try:
        import kaleido  # noqa: F401
        from choreographer.browsers.chromium import Chromium
    except ImportError:
        rule = "SVG and PNG are drawn by kaleido, which is not installed"
        remedy = 'pip install "spadam[export]", or leave --export out: the page needs neither'
        raise InputError("--export", place, rule, remedy) from None
    found = Chromium.find_browser(skip_local=False)
    if found is None or not os.path.isfile(found):
        rule = "SVG and PNG are drawn in Chromium or Chrome, and " + (f"{found} is none" if found else "none was found")
        remedy = "install one (Debian: apt install chromium) or name it in BROWSER_PATH, or leave --export out"
        raise InputError("--export", place, rule, remedy)


def render(figures: Sequence[Figure], names: Sequence[str], told: Told, place: str) -> dict[str, bytes]:
    """Every figure as `<name>.svg` and `<name>.png`. Raises :class:`InputError` when the browser does not do it."""
    for library in ("choreographer", "kaleido"):  # they tell whatever the browser mutters
        logging.getLogger(library).setLevel(logging.CRITICAL)
    try:
        return asyncio.run(_render(figures, names, told))
    except Exception as error:
        said = " ".join(str(error).split())[:200] or type(error).__name__
        rule = f"the browser must draw every figure, and it did not ({said})"
        raise InputError(
            "--export", place, rule, "set BROWSER_PATH to another Chromium, or leave --export out"
        ) from None


async def _render(figures: Sequence[Figure], names: Sequence[str], told: Told) -> dict[str, bytes]:
    from kaleido import Kaleido

    files: dict[str, bytes] = {}
    told(0, len(figures))
    async with Kaleido(mathjax=False, timeout=_SECONDS, proxy_server=_NOBODY) as browser:
        for n, (figure, name) in enumerate(zip(figures, names, strict=True), 1):
            drawn: dict[str, Any] = {"data": figure.data, "layout": figure.layout}
            svg = await browser.calc_fig(drawn, {"format": "svg"})
            files[f"{name}.svg"] = _named(svg.decode(), name, figure.label).encode()
            files[f"{name}.png"] = await browser.calc_fig(drawn, {"format": "png", "scale": _SCALE})
            told(n, len(figures))
    return files


def _named(svg: str, name: str, label: str) -> str:
    """``svg`` with ids that are the same every time and differ between figures, and a title for who cannot see it."""
    if (found := re.search(r'id="defs-([0-9a-f]+)"', svg)) is not None:
        svg = svg.replace(found[1], f"-{name}-")
    numbers: dict[str, str] = {}

    def numbered(drawn: re.Match[str]) -> str:
        return numbers.setdefault(drawn[0], f"{drawn[1]}{len(numbers)}")

    svg = re.sub(r"<[^>]*>", lambda tag: _DRAWN.sub(numbered, tag[0]), svg)  # not in what a person wrote
    root, close, rest = svg.partition(">")
    return f'{root} role="img"{close}<title>{html.escape(label)}</title>{rest}\n'
