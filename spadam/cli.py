"""The command line: parse, call, print. What is heavy is imported by the command that needs it."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from spadam import __version__
from spadam.spec import InputError

if TYPE_CHECKING:
    from spadam.spec import Document

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
sweep_app = typer.Typer(help="Search lr and eps for several optimizers with equal budgets.", no_args_is_help=True)
app.add_typer(sweep_app, name="sweep")

out_console = Console(highlight=False)
error_console = Console(stderr=True, highlight=False)


class Listing(StrEnum):
    """What `spadam list` can list."""

    optimizers = "optimizers"
    rules = "rules"
    datasets = "datasets"
    diagnostics = "diagnostics"


SpecFile = Annotated[Path, typer.Argument(metavar="SPEC", help="A sweep file (YAML).")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Out = Annotated[Path, typer.Option("--out", help="Folder for results.", show_default=True)]


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


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="Configuration of one run, a YAML file.")],
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Set one value, such as optimizer.lr=1e-3. Repeatable."),
    ] = None,
    out: Out = Path("runs"),
) -> None:
    """Train one model. The folder gets result.json, metrics.jsonl, model.safetensors and config.yaml.

    The same command again goes on where it was interrupted, and does nothing when the run is finished.
    """
    from spadam.config import RunConfig
    from spadam.spec import load, validate

    run_config = validate(RunConfig, _with_sets(load(config), sets or []))

    from spadam.result import read_result
    from spadam.view import TrainingProgress, show_result

    finished = read_result(run_config, out)
    if finished is not None:
        out_console.print(f"done already: {out} holds this run", markup=False)
        show_result(finished, out, out_console)
        return
    try:
        with TrainingProgress(error_console) as progress:
            from spadam import train as training

            result = training.run(run_config, out, progress=progress.update)
    except KeyboardInterrupt:
        error_console.print("interrupted: the same command goes on from the last checkpoint")
        raise typer.Exit(1) from None
    show_result(result, out, out_console)


@sweep_app.command("run")
def sweep_run(
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


@sweep_app.command("status")
def sweep_status(spec: SpecFile, out: Out = Path("runs"), json: Json = False) -> None:
    """Say how far a sweep is, from any terminal."""
    from spadam.sweep.results import status
    from spadam.sweep.standing import read
    from spadam.view import show_status

    found = status(*read(spec, out))
    if json:
        _write_json(found)
    else:
        show_status(found, out_console)


@sweep_app.command("results")
def sweep_results(
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
        _write_json(rows(sweep, searches))
    else:
        show(out_console, sweep, summarise(sweep, searches))


@app.command("list")
def list_members(what: Annotated[Listing, typer.Argument(help="What to list.")]) -> None:
    """List the optimizers, rules, datasets or diagnostics that a configuration can name."""
    from spadam.listing import table

    out_console.print(table(what.value))


def _write_json(value: object) -> None:
    from spadam.ledger import strict_json

    sys.stdout.write(strict_json(value, indent=1) + "\n")


def _with_sets(document: Document, sets: list[str]) -> Document:
    """``document`` with the values of ``--set key=value``; values are YAML."""
    from spadam.spec import assign, parse

    data, given = document.data, set()
    for text in sets:
        key, equals, value = text.partition("=")
        if not equals or not key or not all(key.split(".")):
            raise InputError("--set", text, "must be KEY=VALUE with a dotted key", "write --set optimizer.lr=1e-3")
        data = assign(data, key, parse(f"value: {value}", f"--set {key}").data["value"])
        given.add(tuple(key.split(".")))
    return document._replace(data=data, given=frozenset(given))
