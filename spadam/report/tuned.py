"""The table of the tuned comparison as texts: for the page, for LaTeX, for Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from spadam.statistics.interval import Estimate
from spadam.sweep.definition.columns import PROBE, columns, heading, is_of_repeats
from spadam.sweep.definition.space import SIDES
from spadam.sweep.outcome.outcome import Outcome
from spadam.sweep.outcome.summary import StudySummary
from spadam.text import interval_text, number

TEST = "test/fvu"
"""What repeats are judged by beside the objective, where they have it."""


class Cell(NamedTuple):
    """A number, and what must be said of it."""

    text: str
    aside: str = ""
    careful: bool = False
    """Whether the number says less than it seems to."""

    @property
    def whole(self) -> str:
        """All of it in one line."""
        return f"{self.text} ({self.aside})" if self.aside else self.text


class Row(NamedTuple):
    """A study."""

    variant: int
    """The number of its variant."""
    name: str
    cells: tuple[Cell, ...]


class Tuned(NamedTuple):
    """The table: what stands above its columns, that of the names first, and a row for every study, or for every trial
    on its front.
    """

    head: tuple[str, ...]
    rows: tuple[Row, ...]


def tuned(outcome: Outcome) -> Tuned:
    """The best of every study or its front, what its repeats say, and the columns that its file asks for.

    Where it asks for none, the probe's accuracy too, if some repeat has measured it.
    """
    sweep, shown = outcome.sweep, columns(outcome.sweep)
    probed = any(PROBE in study.columns and study.columns[PROBE].repeats for study in outcome.summaries)
    if sweep.spec.report.columns is None and probed:
        shown = (*shown, PROBE)
    head = ["variant", *(["trial"] if outcome.is_front else []), *map(outcome.short, outcome.axes)]
    for metric in outcome.metrics:
        head += [f"{metric}: search" if outcome.is_front else f"{metric}: search's best", f"{metric}: repeats"]
    head += [_heading(outcome, metric, shown) for metric in shown]
    rows = []
    for study in outcome.summaries:
        cells = [Cell(study.label)] if outcome.is_front else []
        cells += [_param(study, axis) for axis in outcome.axes]
        for value, repeats in zip(study.values, study.repeats, strict=True):
            cells += [_found(study, value), _interval(repeats, sweep.spec.repeat.seeds)]
        cells += [_column(outcome, study, metric) for metric in shown]
        rows.append(Row(outcome.number_of(study.variant), outcome.name(study), tuple(cells)))
    return Tuned(tuple(head), tuple(rows))


def _heading(outcome: Outcome, metric: str, shown: Sequence[str]) -> str:
    if metric == PROBE:
        return "probe accuracy, test"
    return f"{metric}: repeats" if is_of_repeats(outcome.sweep, metric) else heading(metric, shown)


def _column(outcome: Outcome, study: StudySummary, metric: str) -> Cell:
    found = study.columns[metric]
    if is_of_repeats(outcome.sweep, metric):
        return _interval(found.repeats, outcome.sweep.spec.repeat.seeds)
    return Cell(number(found.mean, 3))


def _found(study: StudySummary, value: float | None) -> Cell:
    """What the search's best had; marked where it lies outside the bands."""
    return Cell(number(value), "outside its bands" if study.outside else "", study.outside)


def _param(study: StudySummary, axis: str) -> Cell:
    """A parameter of the best trial; marked where it lies so near a bound that a better one may lie beyond."""
    near = study.near.get(axis)
    return Cell(number(study.params.get(axis), 3), f"near its {SIDES[near]} bound" if near else "", near is not None)


def _interval(found: Estimate | None, planned: int) -> Cell:
    said, _, seeds = interval_text(found, planned).partition(" (")
    return Cell(said, seeds.rstrip(")"), found is not None and found.few)
