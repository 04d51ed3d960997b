"""`spadam sweep …`: from a sweep file to its table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spadam.cli.crew import AllowCustom, CheckpointHome, Crew, KeepHome, PerTrial, RayAddress, cluster_of
from spadam.cli.options import (
    Json,
    NoCustom,
    Out,
    OutThere,
    SpecFile,
    SpecOrFolder,
    Storage,
    error_console,
    out_console,
    write_json,
    write_text,
)
from spadam.spec import InputError, dump
from spadam.sweep.running.means import PATIENCE_SECONDS, RETRIES, STALL_SECONDS

if TYPE_CHECKING:
    from spadam.sweep.outcome.outcome import Outcome

Workers = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Worker processes; no result depends on their number. Default: one a GPU, else one a core, at most 4. "
        "0 trains in this process.",
    ),
]

WATCH_SECONDS = 2.0

app = typer.Typer(help="Search lr and eps for several optimizers with equal budgets.", no_args_is_help=True)


@app.command()
def run(
    spec: SpecFile,
    out: Out = Path("runs"),
    workers: Workers = None,
    variants: Annotated[str | None, typer.Option(metavar="A,B", help="Run only these variants.")] = None,
    storage: Storage = None,
    storage_patience: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.0, help="The server of --storage may be away for so long.")
    ] = PATIENCE_SECONDS,
    retries: Annotated[
        int, typer.Option(min=0, help="So often is a training begun again whose worker dies, or whose disk fails.")
    ] = RETRIES,
    stall: Annotated[
        float, typer.Option(metavar="SECONDS", min=1.0, help="A worker not heard of for so long is replaced.")
    ] = STALL_SECONDS,
    crew: Crew = "local",
    ray_address: RayAddress = None,
    per_trial: PerTrial = None,
    keep: KeepHome = None,
    checkpoint_home: CheckpointHome = None,
    allow_custom: AllowCustom = False,
    no_custom: NoCustom = False,
) -> None:
    """Run a sweep, or go on with it; ends with a table, the answers to its claims, and a page.

    Stop it at any time: the same command goes on from there. More trials, studies, seeds or variants in the file extend
    a finished sweep.
    """
    cluster = cluster_of(crew, workers, ray_address, per_trial, keep, checkpoint_home, allow_custom)
    with error_console.status("starting"):  # torch takes its time to import
        from spadam import report
        from spadam.report.upload import show_streamed
        from spadam.sweep.running.agent import choose, run_sweep
        from spadam.sweep.running.means import Means
        from spadam.sweep.store.trouble import StorageTrouble
        from spadam.terminal.sweep import show, watch
        from spadam.terminal.verdicts import show_verdicts

    chosen = _names(variants)
    means = Means(
        workers, cluster, storage=storage, patience_seconds=storage_patience, stall_seconds=stall, retries=retries
    )
    try:
        with watch(error_console) as view:
            outcome = run_sweep(spec, out, chosen, means=means, watcher=view)
    except StorageTrouble as trouble:
        error_console.print(str(trouble), markup=False, soft_wrap=True)
        raise typer.Exit(1) from None
    if outcome.trouble is not None:
        error_console.print(outcome.trouble, markup=False, soft_wrap=True)
        raise typer.Exit(1)
    try:
        said = f"the page: {report.write(outcome)}"
    except OSError as error:
        said = f"the page could not be written ({error}); `spadam report {outcome.folder}` makes it"
    ran = choose(outcome.sweep, chosen)
    show(out_console, outcome.sweep, [study for study in outcome.summaries if study.variant in ran])
    show_verdicts(out_console, outcome)
    out_console.print(said, markup=False, soft_wrap=True)
    if (shown := show_streamed(outcome)) is not None:
        out_console.print(shown, markup=False, soft_wrap=True)


@app.command()
def status(
    spec: SpecOrFolder,
    out: OutThere = Path("runs"),
    storage: Storage = None,
    watch: Annotated[bool, typer.Option("--watch", help="Keep it on the screen until the sweep is done.")] = False,
    json: Json = False,
) -> None:
    """Say how far a sweep is, from any terminal, or from any host with the address of its storage."""
    from spadam.sweep.outcome.finding import find
    from spadam.terminal.status import show_status, watch_status

    if watch and json:
        raise InputError("--json", None, "it is printed once, and --watch looks again", "leave one of them out")
    outcome = find(spec, out, storage)
    if json:
        write_json(outcome.status())
    if _has_not_begun(outcome, out, storage) or json:
        return
    if watch:
        watch_status(lambda: find(spec, out, storage), out_console, WATCH_SECONDS)
    else:
        show_status(outcome, out_console)


@app.command()
def results(
    spec: SpecOrFolder,
    out: OutThere = Path("runs"),
    storage: Storage = None,
    json: Json = False,
    best: Annotated[
        str | None,
        typer.Option(
            metavar="VARIANT",
            help="Print the best configuration of a variant, for `train`; VARIANT/search-7 is that of a trial.",
        ),
    ] = None,
) -> None:
    """Show what a sweep found so far."""
    from spadam.sweep.outcome.finding import find
    from spadam.terminal.sweep import show
    from spadam.terminal.verdicts import show_verdicts

    outcome = find(spec, out, storage)
    if best is not None:
        try:
            config = outcome.best(best)
        except InputError as error:
            raise InputError("--best", best, error.rule, error.remedy) from None
        write_text(dump(config.plain()))
    elif json:
        write_json(outcome.rows)
    if not _has_not_begun(outcome, out, storage) and best is None and not json:
        show(out_console, outcome.sweep, outcome.summaries)
        show_verdicts(out_console, outcome)


@app.command()
def plan(
    spec: SpecOrFolder,
    out: Out = Path("runs"),
    workers: Workers = None,
    variants: Annotated[str | None, typer.Option(metavar="A,B", help="Plan only these variants.")] = None,
    no_custom: NoCustom = False,
    pilot: Annotated[bool, typer.Option("--pilot", help="Measure where to centre the search of each lr.")] = False,
    storage: Storage = None,
    json: Json = False,
) -> None:
    """Say what a sweep will train, touch, take and leave, from short trainings of each variant.

    Nothing of the sweep is trained, and nothing is written into --out.
    """
    from spadam.sweep.outcome.finding import find
    from spadam.sweep.outcome.places import lies_elsewhere
    from spadam.sweep.running.agent import choose

    outcome = find(spec, out, storage)
    if not outcome.attributes and storage is None and lies_elsewhere(outcome.sweep.name, out):  # --out may be mistyped
        _has_not_begun(outcome, out)
    sweep, chosen = outcome.sweep, choose(outcome.sweep, _names(variants))
    searches = [search for search in outcome.searches if search.variant in chosen]
    # Here, because they import what trains: a wrong file is told before that.
    from spadam.sweep.definition.measurable import check_loaded
    from spadam.sweep.forecast.forecast import forecast, plain
    from spadam.sweep.forecast.lr_pilot import measure_centres, plain_centres
    from spadam.terminal.forecast import Waiting, show_centres, show_forecast
    from spadam.training.home import cache

    centres = []
    with cache() as said:
        if said:
            error_console.print(said, markup=False, soft_wrap=True)
        check_loaded(sweep, chosen)
        with Waiting(error_console, "rehearsing") as announce:
            found = forecast(sweep, searches, outcome.folder or out, announce, workers)
        if not json:
            show_forecast(out_console, found)
        if pilot:
            with Waiting(error_console, "pilot:") as announce:
                centres = measure_centres(sweep, chosen, announce)
    if json:
        write_json(plain(found) | ({"pilot": plain_centres(centres)} if pilot else {}))
    elif pilot:
        show_centres(out_console, centres, [name for name in chosen if name not in {c.variant for c in centres}])


def _has_not_begun(outcome: Outcome, out: Path, storage: str | None = None) -> bool:
    """Whether nothing of a sweep is there yet, and then say so."""
    if outcome.attributes:
        return False
    from spadam.sweep.outcome.places import not_begun

    said = not_begun(outcome.sweep.name, out) if storage is None else f"{outcome.sweep.name} has not begun there"
    error_console.print(said, markup=False, soft_wrap=True)
    return True


def _names(variants: str | None) -> list[str] | None:
    """What `--variants` lists."""
    return None if variants is None else [name.strip() for name in variants.split(",")]
