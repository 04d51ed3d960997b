"""`spadam list`: what a configuration can name, made from the registries, so that nothing is listed twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, get_args

import typer

from spadam.cli.options import out_console

if TYPE_CHECKING:
    from rich.table import Table


class Listing(StrEnum):
    """What `spadam list` can list."""

    optimizers = "optimizers"
    rules = "rules"
    datasets = "datasets"
    diagnostics = "diagnostics"


def list_members(what: Annotated[Listing, typer.Argument(help="What to list.")]) -> None:
    """List the optimizers, rules, datasets or diagnostics that a configuration can name."""
    out_console.print(table(what.value))


class Entry(NamedTuple):
    """A member of a registry: its name, what it is, and what else one wants to know."""

    name: str
    text: str
    facts: str


def table(what: str) -> Table:
    """All "optimizers", "rules", "datasets" or "diagnostics", each with its name, what it is, and its facts below."""
    from rich.table import Table
    from rich.text import Text

    entries = {
        "optimizers": _optimizers,
        "rules": _rules,
        "datasets": _datasets,
        "diagnostics": _diagnostics,
    }[what]()
    found = Table(box=None, pad_edge=False, show_header=False)
    found.add_column(no_wrap=True, style="bold")
    found.add_column()
    for entry in entries:
        found.add_row(entry.name, Text.assemble(entry.text, "\n", (entry.facts, "dim")))
    return found


def _optimizers() -> Iterator[Entry]:
    from spadam.optim import OPTIMIZERS

    for member in OPTIMIZERS:
        facts = f"epsilon: {member.epsilon_enters}; lr centre: {member.lr_center:g}"
        yield Entry(_name(member), member.summary(), facts)


def _rules() -> Iterator[Entry]:
    from spadam.sparsity import RULES

    return _described(RULES)


def _datasets() -> Iterator[Entry]:
    from spadam.data import DATASETS

    return _described(DATASETS)


def _diagnostics() -> Iterator[Entry]:
    from spadam.diagnostics.metrics import METRICS

    for metric in METRICS.values():
        yield Entry(metric.name, metric.formula, f"{metric.unit}; {metric.over}")


def _described(members: Iterable[type[Any]]) -> Iterator[Entry]:
    for member in members:
        keys = ", ".join(key for key in member.model_fields if key != "name")
        yield Entry(_name(member), (member.__doc__ or "").strip().splitlines()[0], f"keys: {keys}")


def _name(member: type[Any]) -> str:
    return str(get_args(member.model_fields["name"].annotation)[0])
