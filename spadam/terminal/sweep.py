"""What a person sees of a sweep: a line per variant while it runs, and the table at its end."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spadam.statistics.interval import ENOUGH, Estimate
from spadam.sweep.definition.columns import columns, heading, is_of_repeats
from spadam.sweep.definition.spec import Sweep
from spadam.sweep.outcome.left import seconds_left, total
from spadam.sweep.outcome.progress import Tally
from spadam.sweep.outcome.summary import StudySummary, notes_of
from spadam.sweep.running.watcher import Watcher
from spadam.sweep.search.slots import Slot
from spadam.terminal.live import LiveView
from spadam.terminal.tables import needed, print_table
from spadam.text import count, duration, interval, number, short
from spadam.training.progress import Progress


class View(Watcher, Protocol):
    """A watcher that prints: on its console from the beginning of its block to the end."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None: ...


def watch(console: Console) -> View:
    """The view that suits ``console``: live lines on a terminal, one line a training elsewhere."""
    return LiveView(console) if console.is_terminal else LogView(console)


class LogView:
    """One line a finished training, for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._console, self._metric, self._workers = console, "", 1
        self._ended: list[tuple[Slot, str, float | None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        return None

    def open(self, metric: str, workers: int) -> None:
        """Keep what later lines need."""
        self._metric, self._workers = metric, workers

    def resize(self, workers: int) -> None:
        """Keep what later lines need."""
        self._workers = workers

    def update(self, tallies: Sequence[Tally]) -> None:
        """Write a line for every training that has just ended: it says how far its variant is."""
        left = duration(total(seconds_left(tallies, self._workers)))
        for slot, status, value in self._ended:
            mine = next(tally for tally in tallies if tally.variant == slot.variant)
            said = f"{self._metric} {number(value)}" if status == "complete" else status
            best = f"{_leading(mine)}, {mine.accepted} of {mine.slots} done"
            self.note(f"{slot.variant} {slot.label}: {said}; {best}; {left} left")
        self._ended.clear()

    def begin(self, slot: Slot, where: str = "") -> None:
        """Nothing to say yet."""

    def move(self, slot: Slot, progress: Progress) -> None:
        """Nothing to say yet."""

    def end(self, slot: Slot, status: str, value: float | None) -> None:
        """Keep what ended until the numbers that go with it come; a failure has said so itself."""
        if status != "failed":
            self._ended.append((slot, status, value))

    def note(self, text: str) -> None:
        """Write a line."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def _leading(tally: Tally) -> str:
    """The best so far, or how many there are of which none is better than another."""
    return f"best {number(tally.best)}" if tally.front is None else f"{tally.front} on the front"


def table(sweep: Sweep, studies: Sequence[StudySummary], *, narrow: bool = False) -> Table:
    """The outcome of a sweep: for every study its best or its front, and the mean of repeats with a 95 % interval."""
    seeds, shown, objective = count(sweep.spec.repeat.seeds, "repeat"), columns(sweep), sweep.spec.objective
    title = f"{sweep.name}: the best of {count(sweep.trials, 'trial')}{_how(sweep)}, and {seeds} of it with fresh seeds"
    if objective.is_front:
        points = f"{seeds} of up to {count(sweep.spec.points, 'point')} of it"
        title = f"{sweep.name}: the front of {count(sweep.trials, 'trial')}, and {points} with fresh seeds"
    outcome = Table(title=title, title_justify="left", box=None, padding=(0, 1 if narrow else 2, 0, 0), pad_edge=False)
    outcome.add_column("variant", no_wrap=True)
    if objective.is_front:
        outcome.add_column("trial", no_wrap=True)
    for name in sweep.axes:
        outcome.add_column(escape(short(name, sweep.axes)), justify="right", no_wrap=True)
    headings = [part for metric in objective.metrics for part in (f"{metric}\nsearch", f"{metric}\n{seeds}")]
    for metric in shown:
        repeated = is_of_repeats(sweep, metric)
        headings.append(f"{metric}\n{seeds}" if repeated else heading(metric, shown).replace(" ", "\n"))
    for text in headings:
        outcome.add_column(text, justify="right")
    for study in studies:
        cells = _cells(sweep, study, shown)
        outcome.add_row(*([cell.replace(" ± ", "±") for cell in cells] if narrow else cells))
    return outcome


def _how(sweep: Sweep) -> str:
    """How the best is chosen, where it is not the best trial as it is."""
    choose = sweep.spec.chooses
    return "" if choose is None else f" (chosen of {choose.top} by the mean of {count(choose.seeds, 'seed')})"


def _cells(sweep: Sweep, study: StudySummary, shown: Sequence[str]) -> list[str]:
    planned = sweep.spec.repeat.seeds
    cells = [study.variant + (f" (study {study.study})" if sweep.spec.search.studies > 1 else "")]
    cells += [study.label] if sweep.spec.objective.is_front else []
    cells += [_param(study, axis) for axis in sweep.axes]
    for value, repeats in zip(study.values, study.repeats, strict=True):
        cells += [number(value) + (" (outside)" if study.outside else ""), _interval(repeats, planned)]
    for metric in shown:
        column = study.columns[metric]
        cells.append(_interval(column.repeats, planned) if is_of_repeats(sweep, metric) else number(column.mean, 3))
    return cells


def _param(study: StudySummary, axis: str) -> str:
    """A parameter of the best, with an arrow where it lies near a bound of its range."""
    if axis not in study.params:
        return ""
    return number(study.params[axis], 3) + {"low": "↓", "high": "↑", None: ""}[study.near.get(axis)]


def _interval(estimate: Estimate | None, planned: int) -> str:
    """A mean and its interval, with a mark where these are of few seeds."""
    return interval(estimate, planned) + ("*" if estimate is not None and estimate.few else "")


def show(console: Console, sweep: Sweep, studies: Sequence[StudySummary]) -> None:
    """Print the table, and below it what one must know to read it."""
    outcome = table(sweep, studies)
    if console.is_terminal and needed(console, outcome) > console.width:
        outcome = table(sweep, studies, narrow=True)
    print_table(console, outcome)
    estimates = [estimate for study in studies for estimate in _intervals(sweep, study)]
    if any(estimate.half is not None for estimate in estimates):
        _say(console, "±: 95 % interval of the mean over fresh seeds (Student's t)")
    if any(estimate.few for estimate in estimates):
        _say(console, f"*: of fewer than {ENOUGH} seeds: too few to rely on")
    if any(study.near for study in studies):
        _say(console, "↓ ↑: within half a decade of the lower, the upper bound of its range")
    for note, variants in notes_of(studies).items():
        _say(console, f"{', '.join(variants)}: {note}")


def _intervals(sweep: Sweep, study: StudySummary) -> list[Estimate]:
    """What the table shows with an interval."""
    shown = [study.columns[metric].repeats for metric in columns(sweep) if is_of_repeats(sweep, metric)]
    return [found for found in (*study.repeats, *shown) if found is not None]


def _say(console: Console, text: str) -> None:
    """Print a line: folded between words on a terminal, whole elsewhere."""
    console.print(text, markup=False, highlight=False, soft_wrap=not console.is_terminal)
