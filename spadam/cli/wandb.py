"""`spadam wandb`: dashboards as code, and the way to W&B's own sweeps."""

from __future__ import annotations

import json as json_module
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from spadam.cli.options import (
    Out,
    SpecFile,
    SpecOrFolder,
    Storage,
    at_home,
    error_console,
    out_console,
    write_json,
)

if TYPE_CHECKING:
    from spadam.sweep.definition.spec import Sweep
    from spadam.tracking.views.publishing import View

app = typer.Typer(no_args_is_help=True, help="Make W&B's workspace and report of a sweep, or W&B's own sweeps of it.")

_PLAIN: Final[Mapping[str, Any]] = {"markup": False, "soft_wrap": True}

Json = Annotated[bool, typer.Option("--json", help="Print the JSON of the view, and ask no server.")]


@app.command()
def workspace(place: SpecOrFolder, out: Out = Path("runs"), storage: Storage = None, json: Json = False) -> None:
    """Make the workspace in which a sweep's runs are looked at: variants, search, curves, use of the rows.

    It is published where the sweep's runs are streamed to (`tracking.mode: online`, or WANDB_MODE=online); else its
    JSON is printed. The sweep need not have begun, and the same command again replaces the workspace.
    """
    from spadam.report.views import workspace_of
    from spadam.sweep.outcome.finding import find

    outcome = find(place, out, storage)
    _show(workspace_of(outcome.sweep), outcome.sweep, json)


@app.command()
def report(place: SpecOrFolder, out: Out = Path("runs"), storage: Storage = None, json: Json = False) -> None:
    """Make a W&B report that tells what came of a sweep: its table with intervals, its runs, its file.

    At any time, also while the sweep runs; published or printed as `spadam wandb workspace` does.
    """
    from spadam.report.views import report_of
    from spadam.sweep.outcome.finding import find_begun

    outcome = find_begun(place, out, storage)
    _show(report_of(outcome), outcome.sweep, json)


@app.command("sweep-config")
def sweep_config(
    spec: SpecFile,
    to: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where to write them, by default NAME-wandb here.", callback=at_home),
    ] = None,
) -> None:
    """Write W&B's own sweeps of a sweep, one for each variant, for those who want `wandb agent`.

    Their program is `spadam train`. What is lost that way is said, and stands in the files.
    """
    from spadam.files import write_atomic
    from spadam.spec import InputError, dump
    from spadam.sweep.definition.reading import load
    from spadam.sweep.definition.wandb_sweeps import config_file, lost, wandb_sweeps

    sweep = load(spec)
    folder = to or Path(f"{sweep.name}-wandb")
    made, missing = wandb_sweeps(sweep, folder), lost(sweep)
    head = "".join(f"# {line}\n" for line in (f"Of the sweep {sweep.name}. What it does and this does not:", *missing))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for one in made:
            write_atomic(config_file(folder, one.variant), dump(one.config))
            write_atomic(folder / f"{one.variant}.sweep.yaml", head + dump(one.sweep))
    except OSError as error:
        rule = f"the files must be written somewhere ({error.strerror})"
        raise InputError("--to", str(folder), rule, "give another folder with --to") from None
    out_console.print(f"written: {folder}, two files for each variant. From this folder, for each of them:", **_PLAIN)
    out_console.print(
        f"  wandb sweep {folder / made[0].variant}.sweep.yaml   # says how its agent is started", **_PLAIN
    )
    out_console.print("What W&B's own sweeps do not do:", **_PLAIN)
    for sentence in missing:
        out_console.print(f"- {sentence}", markup=False)


def _show(view: View, sweep: Sweep, json: bool) -> None:
    """Publish ``view``, or print it."""
    from spadam.tracking import settle
    from spadam.tracking.views.publishing import Unpublished, publish

    tracking = sweep.tracking
    if not json:
        spec, said = settle(tracking)
        if said:
            error_console.print(said, **_PLAIN)
        if spec.mode == "online":
            try:
                address = publish(view, spec)
            except (ConnectionError, Unpublished) as error:
                error_console.print(f"W&B: {error}; nothing was published", **_PLAIN)
                raise typer.Exit(1) from None
            out_console.print(f"at W&B: {address}", **_PLAIN)
            return
        if tracking.mode == spec.mode and not said:
            error_console.print(
                f"not published, as the sweep is not streamed (tracking.mode: {spec.mode}): WANDB_MODE=online "
                "publishes it",
                **_PLAIN,
            )
    write_json(json_module.loads(view.spec))
