"""The commands, together: a file each, or a group; what is heavy is imported inside them."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from spadam import __version__
from spadam.cli import (
    activations,
    bench,
    dashboard,
    doctor,
    export,
    listing,
    report,
    schema,
    sweep,
    sync,
    train,
    wandb,
)
from spadam.cli.ending import Commands

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(train.train)
app.add_typer(sweep.app, name="sweep")
app.command()(activations.activations)
app.command()(report.report)
app.command()(export.export)
app.command()(sync.sync)
app.add_typer(wandb.app, name="wandb")
app.command("list")(listing.list_members)
app.command()(doctor.doctor)
app.command("schema")(schema.print_schema)
app.command()(dashboard.dashboard)
app.command()(bench.bench)


def _show_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"spadam {__version__}\n")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
]


@app.callback()
def root(version: Version = False) -> None:
    """Settle how Adam and its sparse variants behave when only some rows of a model get a gradient in a step."""
