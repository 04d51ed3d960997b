"""`spadam doctor`: what this machine has, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spadam.cli.options import Json, Out, Storage, at_home, error_console, out_console, write_json

if TYPE_CHECKING:
    from rich.table import Table

    from spadam.doctor import Finding


def doctor(
    out: Out = Path("runs"),
    data_root: Annotated[
        Path | None, typer.Option("--data-root", help="A folder that may hold data sets.", callback=at_home)
    ] = None,
    storage: Storage = None,
    json: Json = False,
) -> None:
    """Check this machine: packages, device, data, W&B, storage, room for results. Nothing is changed.

    Ends with exit code 1 when there is a problem; a note is none.
    """
    from spadam.doctor import Asked, examine

    with error_console.status("checking") as line:
        findings = examine(Asked(out, data_root, storage), lambda name: line.update(f"checking: {name}"))
    good = all(finding.state != "problem" for finding in findings.values())
    if json:
        checks = [{"check": name, **finding._asdict()} for name, finding in findings.items()]
        write_json({"ok": good, "checks": checks})
    else:
        out_console.print(_table(findings))
    raise typer.Exit(0 if good else 1)


def _table(findings: dict[str, Finding]) -> Table:
    from rich.table import Table
    from rich.text import Text

    styles = {"ok": "green", "note": "yellow", "problem": "bold red"}
    table = Table(box=None, pad_edge=False)
    table.add_column("check", no_wrap=True, style="bold")
    table.add_column("", no_wrap=True)
    table.add_column("found")
    for name, finding in findings.items():
        remedy = Text(f"\nremedy: {finding.remedy}", "dim") if finding.remedy else Text()
        table.add_row(name, Text(finding.state, styles[finding.state]), Text.assemble(finding.found, remedy))
    return table
