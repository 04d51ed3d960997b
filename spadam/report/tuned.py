"""The table of the tuned comparison as texts: for the page, for LaTeX, for Markdown."""

from __future__ import annotations

from typing import NamedTuple

from spadam.statistics.interval import Estimate, estimate
from spadam.sweep.outcome.outcome import Outcome
from spadam.sweep.outcome.progress import Search
from spadam.sweep.outcome.summary import StudySummary
from spadam.text import interval_text, number

TEST, PROBE = "test/fvu", "probe/test_accuracy"


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
    """The table: what stands above its columns, that of the names first, and a row for every study."""

    head: tuple[str, ...]
    rows: tuple[Row, ...]


def tuned(outcome: Outcome) -> Tuned:
    """The best of every study, and what its repeats say; the probe only where some repeat has measured it."""
    planned, metric = outcome.sweep.spec.repeat.seeds, outcome.metric
    probes = [_probe(outcome, search) for search in outcome.searches]
    measured = any(probes)
    head = ["variant", *map(outcome.short, outcome.axes)]
    head += [f"{metric}: search's best", f"{metric}: repeats", f"{TEST}: repeats", "rows touched"]
    head += ["probe accuracy, test"] if measured else []
    rows = []
    for study, probe in zip(outcome.summaries, probes, strict=True):
        cells = [_param(study, axis) for axis in outcome.axes]
        cells += [Cell(number(study.value)), _interval(study.repeats, planned), _interval(study.test, planned)]
        cells += [Cell(number(study.rows_touched, 3))]
        cells += [_interval(probe, planned)] if measured else []
        rows.append(Row(outcome.number_of(study.variant), outcome.name(study), tuple(cells)))
    return Tuned(tuple(head), tuple(rows))


def _param(study: StudySummary, axis: str) -> Cell:
    """A parameter of the best trial; marked where it lies so near a bound that a better one may lie beyond."""
    near = study.near.get(axis)
    return Cell(number(study.params.get(axis), 3), f"near its {near} bound" if near else "", near is not None)


def _interval(found: Estimate | None, planned: int) -> Cell:
    said, _, seeds = interval_text(found, planned).partition(" (")
    return Cell(said, seeds.rstrip(")"), found is not None and found.few)


def _probe(outcome: Outcome, search: Search) -> Estimate | None:
    return estimate([value for r in search.repeats if (value := outcome.value(r, PROBE)) is not None])
