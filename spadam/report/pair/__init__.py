"""Two sweeps on one page: what differs in what they were asked and ran with, and what in what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

PAGE, JSON = "compare.html", "compare.json"
"""The files that are written."""


def write_pair(folders: Sequence[Path], out: Path) -> Path:
    """Write compare.html and compare.json of the sweeps in two ``folders`` into ``out``; returns the page's path.

    Raises :class:`spadam.spec.InputError` when one holds no sweep or both are the same, before anything is written;
    OSError when nothing can be written there.
    """
    from spadam.files import strict_json, write_atomic
    from spadam.report.page import document
    from spadam.report.pair.pair import read
    from spadam.report.pair.sections import head, sections

    pair = read(folders)
    text = document(f"{' and '.join(pair.names)} – spadam", head(pair), sections(pair))
    told = strict_json(pair.as_json(), indent=1) + "\n"
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(out / PAGE, text)
    write_atomic(out / JSON, told)
    return out / PAGE
