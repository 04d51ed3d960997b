"""`spadam report`: a page of what came of a sweep."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spadam.cli.options import Storage, at_home, out_console
from spadam.spec import InputError


def report(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="FOLDER", help="A sweep's folder: OUT/<sweep name>.", show_default=False, callback=at_home
        ),
    ] = None,
    storage: Storage = None,
    sweep: Annotated[str | None, typer.Option(metavar="NAME", help="With --storage: which sweep of it.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Where to write; by default the sweep's folder, or with --storage the current one.", callback=at_home
        ),
    ] = None,
) -> None:
    """Write report.html, one page that opens anywhere without a network, and trials.csv.

    At any time, also while the sweep runs.
    """
    from spadam.report import write
    from spadam.sweep.outcome.outcome import in_folder, in_storage

    if (folder is None) == (storage is None):
        rule = "a report is made of a sweep's folder, or of a storage"
        remedy = "write `spadam report runs/NAME`, or `spadam report --storage URL --sweep NAME`"
        raise InputError("FOLDER", folder and str(folder), rule, remedy)
    if storage is not None and sweep is None:
        raise InputError("--sweep", None, "a storage may hold several sweeps", "add --sweep NAME")
    if folder is not None:
        outcome = in_folder(folder, sweep)
    else:
        assert storage is not None
        assert sweep is not None
        outcome = in_storage(storage, sweep)
    try:
        path = write(outcome, out)
    except OSError as error:
        rule = f"the page must be written somewhere ({error.strerror})"
        raise InputError("--out", str(out or folder or "."), rule, "give another folder with --out") from None
    out_console.print(f"written: {path} and trials.csv", markup=False, soft_wrap=True)
