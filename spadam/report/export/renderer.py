"""From a figure to SVG and PNG: plotly's own kaleido, which draws in a browser that is installed on this machine.

Nothing is asked of a network: plotly.js is plotly's, formulas are off, and the browser reaches nobody.
"""

from __future__ import annotations

import contextlib
import html
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from spadam.report.export.browser import JOBS, TROUBLE
from spadam.report.export.composition import Figure
from spadam.spec import InputError

Told = Callable[[int, int], None]
"""Hears how many figures are drawn, and of how many."""

_SCALE = 3
"""Pixels of a PNG for every one of its figure: 288 to an inch."""
_SECONDS = 60
"""The browser has so long to start, and to draw a figure: it takes 3 s and a fifth of one where nobody else is busy."""
_GRACE_SECONDS = 5
"""Its process has so long to take the browser with it."""

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
    pairs = list(zip(figures, names, strict=True))
    with tempfile.TemporaryDirectory(prefix="spadam-", ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch)
        jobs = [{"name": name, "data": figure.data, "layout": figure.layout} for figure, name in pairs]
        (folder / JOBS).write_text(json.dumps(jobs), encoding="utf-8")
        if not _draw(folder, len(pairs), told):
            trouble = folder / TROUBLE
            said = trouble.read_text(encoding="utf-8") if trouble.exists() else "its process ended"
            rule = f"the browser must draw every figure, and it did not: {' '.join(said.split())[:200].rstrip('.')}"
            remedy = "set BROWSER_PATH to another Chromium, or leave --export out"
            raise InputError("--export", place, rule, remedy)
        files = {}
        for figure, name in pairs:
            svg = (folder / f"{name}.svg").read_text(encoding="utf-8")
            files[f"{name}.svg"] = _named(svg, name, figure.label).encode()
            files[f"{name}.png"] = (folder / f"{name}.png").read_bytes()
    return files


def _draw(folder: Path, many: int, told: Told) -> bool:
    """Have the jobs in ``folder`` drawn by a process of their own; whether all of them were."""
    found = (
        f"import sys; sys.path[:] = {sys.path!r}; from spadam.report.export.browser import main; main(*sys.argv[1:])"
    )
    command = [sys.executable, "-c", found, str(folder), str(_SECONDS), str(_SCALE)]
    environment = {**os.environ, "TMPDIR": str(folder)}  # what the browser leaves behind is removed with it
    told(0, many)
    # In a session of its own it does not hear Ctrl-C, but is told to end.
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True, start_new_session=True
    ) as process:
        try:
            assert process.stdout is not None
            for done, _ in enumerate(process.stdout, 1):
                told(done, many)
            return process.wait() == 0
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE_SECONDS)
            process.kill()


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
