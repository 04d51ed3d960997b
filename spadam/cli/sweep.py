"""`spadam sweep …`: from a sweep file to its table."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from spadam.cli.options import Json, Out, SpecFile, error_console, out_console, write_json

app = typer.Typer(help="Search lr and eps for several optimizers with equal budgets.", no_args_is_help=True)


@app.command()
def run(
    spec: SpecFile,
    out: Out = Path("runs"),
    workers: Annotated[int, typer.Option(min=1, max=1, help="Worker processes; one, for now.")] = 1,
    variants: Annotated[str | None, typer.Option(metavar="A,B", help="Run only these variants.")] = None,
) -> None:
    """Run a sweep, or go on with it; ends with a table and trials.csv.

    Stop it at any time: the same command goes on from there. More trials, studies, seeds or variants in the file extend
    a finished sweep.
    """
    from spadam.sweep.agent import run_sweep

    chosen = None if variants is None else [name.strip() for name in variants.split(",")]
    raise typer.Exit(run_sweep(spec, out, chosen, out_console, progress=error_console))


@app.command()
def status(spec: SpecFile, out: Out = Path("runs"), json: Json = False) -> None:
    """Say how far a sweep is, from any terminal."""
    from spadam.sweep.results import status
    from spadam.sweep.standing import read
    from spadam.view import show_status

    found = status(*read(spec, out))
    if json:
        write_json(found)
    else:
        show_status(found, out_console)


@app.command()
def results(
    spec: SpecFile,
    out: Out = Path("runs"),
    json: Json = False,
    best: Annotated[
        str | None, typer.Option(metavar="VARIANT", help="Print the best configuration of a variant, for `train`.")
    ] = None,
) -> None:
    """Show what a sweep found so far."""
    from spadam.sweep.results import best_config, rows
    from spadam.sweep.standing import read
    from spadam.sweep.summary import summarise
    from spadam.sweep.view import show

    sweep, searches = read(spec, out)
    if best is not None:
        sys.stdout.write(best_config(sweep, searches, best))
    elif json:
        write_json(rows(sweep, searches))
    else:
        show(out_console, sweep, summarise(sweep, searches))
