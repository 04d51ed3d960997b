"""The command line: parse, call, print. A file a command, or a group; what is heavy is imported inside the commands."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from spadam import __version__
from spadam.cli import bench, dashboard, doctor, listing, report, schema, sweep, sync, train
from spadam.cli.large_pages import ask_for_large_pages
from spadam.cli.options import error_console
from spadam.cli.waiting import wait_briefly
from spadam.spec import InputError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(train.train)
app.add_typer(sweep.app, name="sweep")
app.command()(report.report)
app.command()(sync.sync)
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


def main() -> None:
    """Run the command line. Wrong input is told in one message, with exit code 2."""
    ask_for_large_pages()
    wait_briefly()
    try:
        app()
    except InputError as error:
        tell(error)
        sys.exit(2)


def tell(error: InputError) -> None:
    """Print what is wrong, the rule, and the remedy."""
    error_console.print(error.headline, style="bold red", markup=False, soft_wrap=True)
    error_console.print(f"  rule:   {error.rule}", markup=False, soft_wrap=True)
    error_console.print(f"  remedy: {error.remedy}", markup=False, soft_wrap=True)
