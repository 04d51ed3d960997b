"""Reports: what came of a sweep, as one page that opens anywhere, and as a table of all its trainings.

A *section* is a part of the page, a *panel* one plot in it. A figure says how it is read in one sentence and brings its
numbers as a table; one that cannot be drawn says why.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spadam.report.export.renderer import Told
    from spadam.sweep.outcome.outcome import Outcome


def write(
    outcome: Outcome,
    out: Path | None = None,
    export: Path | None = None,
    told: Told = lambda drawn, figures: None,
) -> Path:
    """Write report.html, trials.csv and verdicts.json; returns the page's path.

    The files go to ``out``, by default to the sweep's folder, or to the current one where there is none. Raises OSError
    when nothing can be written there. Figures and tables for a paper go to ``export``, where that is given; ``told``
    hears how many figures are drawn, and of how many. Raises :class:`spadam.spec.InputError`, before anything is
    written, when they cannot be made here.
    """
    from spadam.files import strict_json, write_atomic
    from spadam.report.page import page
    from spadam.sweep.definition.columns import columns
    from spadam.sweep.outcome.table import CSV, write_csv
    from spadam.sweep.outcome.verdicts import VERDICTS

    files = {}
    if export is not None:
        from spadam.report.export import exported, put

        files = exported(outcome, export, told)
    target = out or outcome.folder or Path()
    target.mkdir(parents=True, exist_ok=True)
    write_csv(target / CSV, outcome.rows, columns(outcome.sweep))
    path = target / "report.html"
    write_atomic(path, page(outcome))
    write_atomic(target / VERDICTS, strict_json(outcome.verdicts(), indent=1) + "\n")
    if export is not None:
        put(files, export)
    return path
