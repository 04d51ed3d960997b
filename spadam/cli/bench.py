"""`spadam bench`: what must be fast, measured on this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spadam.cli.options import at_home, error_console, out_console
from spadam.spec import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.table import Table

    from spadam.bench import Case, Measured, Row, Settings

DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def bench(
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes and few repetitions: about a minute.")] = False,
    json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the rows there as JSON.", callback=at_home)
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="TEXT", help="Only the cases with this in their names. Repeatable."),
    ] = None,
    fashion: Annotated[
        Path,
        typer.Option(
            "--fashion", envvar="SPADAM_FASHION_MNIST", help="Folder with the files of Fashion-MNIST.", callback=at_home
        ),
    ] = DEBIAN,
) -> None:
    """Measure what must be fast: each case a ratio of two things that take turns in one process, and its bar.

    A bar that does not hold is information: the exit code is 0 all the same, and 1 only when a case broke down. The
    full run takes about a quarter of an hour.
    """
    _check_target(json)
    from spadam.bench import CASES, FULL, QUICK, Settings, choose
    from spadam.bench.machine import describe
    from spadam.kernels.arithmetic import arithmetic

    chosen = choose(CASES, only or [])
    settings = Settings(QUICK if quick else FULL, fashion=fashion)
    with arithmetic(settings.threads):
        machine = describe()
    rows = list(_run(chosen, settings))
    out_console.print(_table(rows))
    out_console.print(str(machine), markup=False, soft_wrap=True)
    if quick:
        out_console.print("a quick run: few repetitions, small sizes; leave --quick out for figures to rely on")
    if json is not None:
        from spadam.files import strict_json, write_atomic

        write_atomic(json, strict_json([row.plain(settings, str(machine)) for row in rows], indent=1) + "\n")
    raise typer.Exit(1 if any(row.failed for row in rows) else 0)


def _check_target(target: Path | None) -> None:
    """Find out before anything is run that nothing could be written."""
    if target is None:
        return
    if target.is_dir():
        raise InputError("--json", str(target), "must be a file, not a folder", "add a file's name")
    folder = target.parent
    if not folder.is_dir():
        raise InputError("--json", str(target), f"the folder {folder} must exist", "make it, or give another file")
    if not os.access(folder, os.W_OK):
        raise InputError("--json", str(target), f"the folder {folder} must be writable", "give another file")


def _run(cases: Sequence[Case], settings: Settings) -> Iterator[Row]:
    """The rows as they come, and meanwhile what is measured and how much time is left."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    from spadam.bench import run

    quick = settings.effort.quick
    total = sum(case.seconds for case in cases if case.quick or not quick)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    watched = error_console.is_terminal
    with Progress(
        *columns, console=error_console, transient=True, disable=not watched, speed_estimate_period=600
    ) as bar:
        task = bar.add_task("", total=total)
        for row in run(cases, settings, lambda case: bar.update(task, description=case.name)):
            if row.case.quick or not quick:
                bar.advance(task, row.case.seconds)
            yield row


def _table(rows: Sequence[Row]) -> Table:
    from rich.table import Table
    from rich.text import Text

    from spadam.bench.case import SIGNS

    table = Table(box=None, pad_edge=False)
    table.add_column("case", overflow="fold")
    for name in ("ratio", "bar"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("holds", no_wrap=True)
    table.add_column("of / over, and what to know", style="dim", overflow="fold")
    answers = {True: "yes", False: "no", None: "not run"}
    styles = {True: "green", False: "bold red", None: "yellow"}
    for row in rows:
        case, found = row.case, row.measured
        holds = Text("failed", "bold red") if row.failed else Text(answers[row.holds], styles[row.holds])
        ratio, facts = ("", row.why) if found is None else (f"{found.ratio:.2f}", _facts(found))
        table.add_row(Text(case.name), ratio, f"{SIGNS[case.direction]} {case.bar:g}", holds, Text(facts))
    return table


def _facts(found: Measured) -> str:
    facts = f"{found.of:.4g} / {found.over:.4g} {found.unit}"
    if found.spread is not None and found.repetitions > 1:
        facts += f", {found.repetitions} pairs, middle half {found.spread[0]:.2f}-{found.spread[1]:.2f}"
    return facts + (f"; {found.note}" if found.note else "")
