"""Reports: what came of a sweep, as one page that opens anywhere, and as a table of all its trainings.

An *outcome* is a sweep, where it stands, and what its trainings gave; it can be read at any time, beside the sweep that
writes it. A *section* is a part of the page, a *panel* one plot in it. A figure says how it is read in one sentence and
brings its numbers as a table; one that cannot be drawn says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spadam.sweep.definition.spec import Sweep
    from spadam.sweep.outcome.progress import Search


def write(
    sweep: Sweep,
    searches: Sequence[Search],
    attributes: Mapping[str, Any],
    folder: Path | None,
    out: Path | None = None,
) -> Path:
    """Write report.html and trials.csv; returns the page's path.

    ``attributes`` are what :meth:`spadam.sweep.store.studies.Studies.attributes` gives. ``folder`` holds the folders of
    the trainings (for pictures), None when they are not at hand. The files go to ``out``, by default to ``folder``.
    Raises OSError when nothing can be written there.
    """
    from spadam.files import write_atomic
    from spadam.report.appendix import CSV
    from spadam.report.outcome import Outcome
    from spadam.report.page import page
    from spadam.sweep.outcome.table import write_csv

    outcome = Outcome(sweep, searches, attributes, folder)
    target = out or folder or Path()
    target.mkdir(parents=True, exist_ok=True)
    write_csv(target / CSV, outcome.rows)
    path = target / "report.html"
    write_atomic(path, page(outcome))
    return path
