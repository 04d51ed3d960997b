"""`spadam sweep …`: from a sweep file to its table."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from spadam.cli.options import Json, Out, SpecFile, error_console, out_console, write_json

Workers = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Worker processes; no result depends on their number. Default: one a GPU, else one a core, at most 4. "
        "0 trains in this process.",
    ),
]

app = typer.Typer(help="Search lr and eps for several optimizers with equal budgets.", no_args_is_help=True)


@app.command()
def run(
    spec: SpecFile,
    out: Out = Path("runs"),
    workers: Workers = None,
    variants: Annotated[str | None, typer.Option(metavar="A,B", help="Run only these variants.")] = None,
) -> None:
    """Run a sweep, or go on with it; ends with a table, report.html and trials.csv.

    Stop it at any time: the same command goes on from there. More trials, studies, seeds or variants in the file extend
    a finished sweep.
    """
    with error_console.status("starting"):  # torch takes its time to import
        from spadam import report
        from spadam.sweep.running.agent import run_sweep

    chosen = None if variants is None else [name.strip() for name in variants.split(",")]
    code = run_sweep(spec, out, chosen, out_console, progress=error_console, workers=workers, write_page=report.write)
    raise typer.Exit(code)


@app.command()
def status(spec: SpecFile, out: Out = Path("runs"), json: Json = False) -> None:
    """Say how far a sweep is, from any terminal."""
    from spadam.sweep.outcome.progress import read
    from spadam.sweep.outcome.table import status
    from spadam.terminal.sweep import show_status

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
    from spadam.sweep.outcome.progress import read
    from spadam.sweep.outcome.summary import summarise
    from spadam.sweep.outcome.table import best_config, rows
    from spadam.terminal.sweep import show

    sweep, searches = read(spec, out)
    if best is not None:
        sys.stdout.write(best_config(sweep, searches, best))
    elif json:
        write_json(rows(sweep, searches))
    else:
        show(out_console, sweep, summarise(sweep, searches))


@app.command()
def plan(
    spec: SpecFile,
    out: Out = Path("runs"),
    workers: Workers = None,
    variants: Annotated[str | None, typer.Option(metavar="A,B", help="Plan only these variants.")] = None,
    pilot: Annotated[bool, typer.Option("--pilot", help="Measure where to centre the search of each lr.")] = False,
    json: Json = False,
) -> None:
    """Say what a sweep will train, touch, take and leave, from short trainings of each variant.

    Nothing of the sweep is trained, and nothing is written into --out.
    """
    from spadam.sweep.outcome.progress import read
    from spadam.sweep.running.agent import choose

    sweep, searches = read(spec, out)
    chosen = choose(sweep, None if variants is None else [name.strip() for name in variants.split(",")])
    # Here, because they import what trains: a wrong file is told before that.
    from spadam.sweep.forecast.forecast import forecast, plain
    from spadam.sweep.forecast.lr_pilot import measure_centres, plain_centres
    from spadam.terminal.forecast import Waiting, show_centres, show_forecast

    with Waiting(error_console, "rehearsing") as told:
        found = forecast(sweep, [search for search in searches if search.variant in chosen], out, told, workers)
    if not json:
        show_forecast(out_console, found)
    centres = []
    if pilot:
        with Waiting(error_console, "pilot:") as told:
            centres = measure_centres(sweep, chosen, told)
    if json:
        write_json(plain(found) | ({"pilot": plain_centres(centres)} if pilot else {}))
    elif pilot:
        show_centres(out_console, centres, [name for name in chosen if name not in {c.variant for c in centres}])
