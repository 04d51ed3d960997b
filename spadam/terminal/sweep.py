"""What a person sees of a sweep: a line per variant while it runs, and the table at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol, Self

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.measure import Measurement
from rich.progress_bar import ProgressBar
from rich.table import Table

from spadam.sweep.definition.spec import Sweep
from spadam.sweep.outcome.progress import Tally
from spadam.sweep.outcome.summary import StudySummary, notes_of
from spadam.sweep.running.watcher import Watcher
from spadam.sweep.search.slots import Slot
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

    def update(self, tallies: Sequence[Tally]) -> None:
        """Write a line for every training that has just ended: it says how far its variant is."""
        left = duration(_all_seconds_left(tallies, self._workers))
        for slot, status, value in self._ended:
            mine = next(tally for tally in tallies if tally.variant == slot.variant)
            said = f"{self._metric} {number(value)}" if status == "complete" else status
            best = f"best {number(mine.best)}, {mine.accepted} of {mine.slots} done"
            self.note(f"{slot.variant} {slot.label}: {said}; {best}; {left} left")
        self._ended.clear()

    def begin(self, slot: Slot) -> None:
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


class LiveView:
    """A line per variant that is kept up to date on a terminal."""

    def __init__(self, console: Console) -> None:
        self._metric, self._workers = "", 1
        self._tallies: Sequence[Tally] = ()
        self._running: dict[Slot, Progress | None] = {}
        self._reading = console.status("reading the data")
        self._live = Live(console=console, get_renderable=self._draw, refresh_per_second=4)

    def __enter__(self) -> Self:
        self._reading.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._running.clear()
        self._reading.stop()
        self._live.stop()

    def open(self, metric: str, workers: int) -> None:
        """Show live lines from now on."""
        self._metric, self._workers = metric, workers
        self._reading.stop()
        self._live.start()

    def update(self, tallies: Sequence[Tally]) -> None:
        """Show the new numbers."""
        self._tallies = tallies

    def begin(self, slot: Slot) -> None:
        """Show it as running."""
        self._running[slot] = None

    def move(self, slot: Slot, progress: Progress) -> None:
        """Show its step and loss."""
        self._running[slot] = progress

    def end(self, slot: Slot, status: str, value: float | None) -> None:
        """It runs no more."""
        self._running.pop(slot, None)

    def note(self, text: str) -> None:
        """Write a line above the live ones."""
        self._live.console.print(text, markup=False, highlight=False)

    def _draw(self) -> Table:
        table = Table(box=None, pad_edge=False)
        for heading in ("variant", "", "done", f"best {self._metric}", "failed", "left", "running"):
            table.add_column(heading, no_wrap=True)
        for tally in self._tallies:
            bar = ProgressBar(total=max(1, tally.slots), completed=tally.accepted, width=20)
            done, failed = f"{tally.accepted}/{tally.slots}", str(tally.failures or "")
            left = duration(_seconds_left(tally))
            running = {slot: at for slot, at in self._running.copy().items() if slot.variant == tally.variant}
            table.add_row(tally.variant, bar, done, number(tally.best), failed, left, _running(running))
        if len(self._tallies) > 1:
            left = duration(_all_seconds_left(self._tallies, self._workers))
            busy = f"{len(self._running)} of {self._workers} workers" if self._workers > 1 else ""
            table.add_row("all", "", "", "", "", left, busy)
        return table


def _running(trainings: Mapping[Slot, Progress | None]) -> str:
    """The trainings of a variant that run: one of them with its step and loss, several with their shares."""
    if len(trainings) == 1:
        ((slot, at),) = trainings.items()
        if at is None:
            return f"{slot.label}: starting"
        steps = f"step {at.step}" + (f" of {at.total}" if at.total else "")
        return f"{slot.label}: {steps}" + (f", loss {number(at.loss)}" if at.loss is not None else "")
    return ", ".join(f"{slot.label} {_share(at)}" for slot, at in trainings.items())


def _share(at: Progress | None) -> str:
    if at is None:
        return "starting"
    return f"{at.step / at.total:.0%}" if at.total else f"step {at.step}"


def table(sweep: Sweep, studies: Sequence[StudySummary]) -> Table:
    """The outcome of a sweep: for every study its best, and the mean of its repeats with a 95 % interval."""
    metric = sweep.spec.objective.metric
    counts = (count(sweep.trials, "trial"), count(sweep.spec.repeat.seeds, "repeat"))
    title = f"{sweep.name}: the best of {counts[0]}, and {counts[1]} of it with fresh seeds"
    outcome = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0), pad_edge=False)
    outcome.add_column("variant", no_wrap=True)
    for name in sweep.axes:
        outcome.add_column(escape(short(name, sweep.axes)), justify="right", no_wrap=True)
    for heading in (f"{metric}\nsearch", f"{metric}\nrepeats", "test/fvu\nrepeats", "rows\ntouched"):
        outcome.add_column(heading, justify="right")
    for study in studies:
        name = study.variant + (f" (study {study.study})" if sweep.spec.search.studies > 1 else "")
        params = [_param(study, axis) for axis in sweep.axes]
        repeats = (interval(estimate, sweep.spec.repeat.seeds) for estimate in (study.repeats, study.test))
        outcome.add_row(name, *params, number(study.value), *repeats, number(study.rows_touched, 3))
    return outcome


def _param(study: StudySummary, axis: str) -> str:
    """A parameter of the best, with an arrow where it lies near a bound of its range."""
    if axis not in study.params:
        return ""
    return number(study.params[axis], 3) + {"low": "↓", "high": "↑", None: ""}[study.near.get(axis)]


def show(console: Console, sweep: Sweep, studies: Sequence[StudySummary]) -> None:
    """Print the table, and below it what one must know to read it."""
    outcome = table(sweep, studies)
    if not console.is_terminal:  # a pipe has no width: nothing is folded there
        needed = Measurement.get(console, console.options.update(max_width=10_000), outcome).maximum
        console = Console(file=console.file, width=max(console.width, needed))
    console.print(outcome)
    if any(study.repeats is not None and study.repeats.half is not None for study in studies):
        console.print("±: 95 % interval of the mean over fresh seeds (Student's t)", highlight=False)
    if any(study.near for study in studies):
        console.print("↓ ↑: within half a decade of the lower, the upper bound of its range", highlight=False)
    for note, variants in notes_of(studies).items():
        console.print(f"{', '.join(variants)}: {note}", markup=False, highlight=False, soft_wrap=True)


def _seconds_left(tally: Tally) -> float | None:
    """Training time that the variant still needs; None before its first training has ended."""
    if tally.seconds is None:
        return None if tally.accepted < tally.slots else 0.0
    return tally.seconds * (tally.slots - tally.accepted)


def _all_seconds_left(tallies: Sequence[Tally], workers: int) -> float | None:
    """Time until the end of all, while all workers have something to do; None before anything has ended."""
    known = [seconds for tally in tallies if (seconds := _seconds_left(tally)) is not None]
    return sum(known) / workers if known else None


def show_status(status: Mapping[str, Any], console: Console) -> None:
    """Print how many slots of each variant are in which state."""
    title = f"{status['sweep']}: {'done' if status['done'] else 'not done'}"
    table = Table(title=title, title_justify="left", box=None)
    states = ("slots", "accepted", "running", "waiting", "failed")
    table.add_column("variant", no_wrap=True)
    for state in states:
        table.add_column(state, justify="right")
    for variant, counts in status["variants"].items():
        table.add_row(escape(variant), *(str(counts[state]) for state in states))
    console.print(table)
