"""`spadam report`: a page of what came of a sweep."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from spadam.cli.options import SpecOrFolderIfAny, Storage, at_home, both_at_home, error_console, out_console
from spadam.spec import InputError


def report(
    place: SpecOrFolderIfAny = None,
    storage: Storage = None,
    sweep: Annotated[str | None, typer.Option(metavar="NAME", help="With --storage: which sweep of it.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="With SPEC: the folder for results in which the sweep lies, by default runs. Else where to write, by "
            "default the sweep's folder, or with --storage the current one.",
            callback=at_home,
        ),
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write every figure as SVG and PNG there, and the table as LaTeX and Markdown.",
            callback=at_home,
        ),
    ] = None,
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            metavar="DIR DIR",
            help="Write compare.html instead, and compare.json: what differs between the sweeps in two folders, into "
            "the current one or --out.",
            callback=both_at_home,
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Exit with 1 when a claim of the sweep is not true: a sweep as a test."),
    ] = False,
) -> None:
    """Write report.html, one page that opens anywhere without a network, trials.csv and verdicts.json.

    At any time, also while the sweep runs.
    """
    if compare is not None:
        beside = {"SPEC|FOLDER": place, "--storage": storage, "--sweep": sweep, "--export": export, "--check": check}
        _compare(compare, out, beside)
        return
    from spadam.report import write
    from spadam.sweep.outcome.finding import find_begun, in_folder, in_storage
    from spadam.sweep.store.environment import given_or_set
    from spadam.terminal.drawing import drawing
    from spadam.terminal.verdicts import show_verdicts

    if place is None and given_or_set(storage) is None:
        rule = "a report is made of a sweep's file or folder, or of a storage"
        remedy = "write `spadam report runs/NAME`, or `spadam report --storage URL --sweep NAME`"
        raise InputError("SPEC|FOLDER", place and str(place), rule, remedy)
    if place is None:
        if sweep is None:
            raise InputError("--sweep", None, "a storage may hold several sweeps", "add --sweep NAME")
        outcome = in_storage(storage, sweep)
    elif place.is_dir():
        outcome = in_folder(place, sweep, storage)
    else:
        outcome, out = find_begun(place, out or Path("runs"), storage), None
    if check and not outcome.sweep.spec.claims:
        rule = f"{outcome.sweep.name} claims nothing, so there is nothing to check"
        raise InputError("--check", None, rule, "add claims to its file, or leave --check out")
    try:
        with drawing(error_console) as told:
            path = write(outcome, out, export, told)
    except OSError as error:
        rule = f"the page must be written somewhere ({error.strerror})"
        raise InputError("--out", str(out or outcome.folder or "."), rule, "give another folder with --out") from None
    out_console.print(f"written: {path}, trials.csv and verdicts.json", markup=False, soft_wrap=True)
    if export is not None:
        out_console.print(f"exported: figures and tables to {export}", markup=False, soft_wrap=True)
    if check:
        show_verdicts(out_console, outcome)
        if any(verdict.holds is False for verdict in outcome.answers):
            raise typer.Exit(1)


def _compare(folders: tuple[Path, Path], out: Path | None, beside: Mapping[str, object]) -> None:
    """Write what differs between two sweeps; what was given ``beside`` has no place there."""
    from spadam.report.pair import JSON, write_pair

    for argument, value in beside.items():
        if value not in (None, False):
            rule = "--compare takes the folders of exactly two sweeps, and --out"
            given = None if value is True else str(value)
            raise InputError(argument, given, rule, f"leave {argument} out, or --compare")
    try:
        path = write_pair(folders, out or Path())
    except OSError as error:
        rule = f"the page must be written somewhere ({error.strerror})"
        raise InputError("--out", str(out or "."), rule, "give another folder with --out") from None
    out_console.print(f"written: {path} and {JSON}", markup=False, soft_wrap=True)
