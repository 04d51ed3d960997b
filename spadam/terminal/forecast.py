"""What a person sees of a forecast and of a pilot: progress while short trainings run, then tables and a few lines."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from spadam.sweep.definition.relative_axes import LR
from spadam.sweep.definition.space import Axis, Value
from spadam.sweep.forecast.forecast import Forecast, Space
from spadam.sweep.forecast.lr_pilot import Centre, snippet
from spadam.sweep.forecast.sizes import absolute_axes
from spadam.terminal.tables import print_table
from spadam.text import byte_size, count, duration, number, share
from spadam.training.progress import Progress

_POINTS_SHOWN = 4


class Waiting:
    """A bar of short trainings; where the output is no terminal, nothing."""

    def __init__(self, console: Console, doing: str) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[step]}"),
            TimeElapsedColumn(),
        )
        self._doing = doing
        self._bar = Bar(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bar.add_task(doing, total=None, step="")

    def __call__(self, what: str, number: int, total: int) -> Callable[[Progress], None]:
        """Show that training ``number`` of ``total`` begins."""
        description = escape(f"{self._doing} {what}")
        self._bar.update(self._task, description=description, completed=max(0, number - 1), total=total, step="")
        return lambda progress: self._bar.update(self._task, step=f"step {progress.step}")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._bar.stop()


def show_forecast(console: Console, found: Forecast) -> None:
    """Print a forecast."""
    search, repeat = found.sweep.spec.search, found.sweep.spec.repeat
    studies = f" in {search.studies} studies" if search.studies > 1 else ""
    planned = f"{count(len(found.loads), 'variant')} x {count(found.sweep.trials, 'trial')}{studies}"
    points = count(found.sweep.spec.points, "point")
    best = f"up to {points} of each front" if found.sweep.spec.objective.is_front else "each best"
    if (choose := found.sweep.spec.chooses) is not None:
        planned += f", the best of each chosen among {choose.top} by the mean of {count(choose.seeds, 'seed')}"
    planned += f", {count(repeat.seeds, 'repeat')} of {best}" if repeat.seeds else ", no repeats"
    _say(console, f"[bold]{escape(found.sweep.name)}[/]: {planned}: {count(found.left, 'training')} to go")
    _say(console, "")
    print_table(console, _trainings(found))
    if found.sights:
        _say(console, "")
        print_table(console, _rows(found))
        bounds = any(sight.rehearsal.rows_bound is not None for sight in found.sights)
        bound = "; at most: 1-(1-k/n)^B" if bounds else ""
        _say(console, f"[dim]expected: 1-(1-p)^B, p being each row's density{bound}[/]")
        for line in _sizes(found):
            _say(console, line)
    for space in found.spaces:
        _say(console, "")
        _show_space(console, found, space)
    if not found.sights:
        return
    _say(console, "")
    _say(console, _time(found))
    _say(console, f"[bold]Disk[/]: {byte_size(found.disk)}, of {byte_size(found.free)} that are free")
    for warned in found.warnings:
        about = f"{escape(', '.join(warned.variants))}: " if warned.variants else ""
        _say(console, f"[yellow]warning[/]: {about}{escape(warned.text)}")


def show_centres(console: Console, centres: Sequence[Centre], others: Sequence[str]) -> None:
    """Print measured centres, and what to paste into the file; ``others`` are variants that search no lr."""
    _say(console, "")
    if centres:
        print_table(console, _losses(centres))
    for centre in centres:
        if centre.measured is None:
            _say(console, f"[yellow]warning[/]: {escape(centre.variant)}: every training diverged")
        elif centre.at_edge:
            text = f"{centre.measured:g} is the outermost lr that was tried; a better one may lie beyond"
            _say(console, f"[yellow]warning[/]: {escape(centre.variant)}: {text}")
    if others:
        _say(console, f"{escape(', '.join(others))}: no optimizer.lr to centre")
    measured = [centre for centre in centres if centre.measured is not None]
    if measured and all(math.isclose(c.declared, c.measured or 0) for c in measured):
        _say(console, "Every declared centre is the best here: `optimizer.lr: {around: declared, …}` has them.")
    elif measured:
        _say(console, "To search around the measured centres, put this into the file:")
        console.print(snippet(centres), end="", markup=False, highlight=False, soft_wrap=True)


def _trainings(found: Forecast) -> Table:
    begun = any(load.left < load.planned for load in found.loads.values())
    chooses = any(load.choosings for load in found.loads.values())
    headings = ["trials", *(["choosing"] if chooses else []), "repeats", *(["accepted", "to go"] if begun else [])]
    headings += ["a trial", "a repeat", "leaves"] if found.costs else []
    table = _table("Trainings", *headings)
    for name, load in found.loads.items():
        cells = [str(load.search), *([str(load.choosings)] if chooses else []), str(load.repeats)]
        cells += [str(load.planned - load.left), str(load.left)] if begun else []
        if (cost := found.costs.get(name)) is not None:
            cells += [duration(cost.trial_seconds), duration(cost.repeat_seconds), byte_size(cost.kept_bytes)]
        table.add_row(escape(name), *cells)
    return table


def _rows(found: Forecast) -> Table:
    steps = max(sight.rehearsal.steps for sight in found.sights)
    headings = ("touched", "expected", "at most", "in 2-90 % of steps", "gradient rms")
    table = _table(f"Rows, first {steps} steps", *headings)
    for sight in found.sights:
        seen = sight.rehearsal
        name = f"  {sight.end[0]} = {_value(sight.end[1])}" if sight.end else sight.variant
        shares = (seen.rows_touched, seen.rows_expected, seen.rows_bound, seen.rows_intermittent)
        gradient = None if sight.sizes is None else sight.sizes.gradient
        table.add_row(escape(name), *map(share, shares), "-" if gradient is None else f"{gradient:.2g}")
    return table


def _sizes(found: Forecast) -> Iterator[str]:
    """How large gradients and inputs are before the first step, and which numbers are to be held against that."""
    sized = [(sight.variant, sight.sizes) for sight in found.sights if sight.sizes is not None]
    if gradients := [sizes.gradient for _, sizes in sized if sizes.gradient is not None]:
        low, high = min(gradients), max(gradients)
        spread = f"{low:.2g}" if low == high else f"{low:.2g} to {high:.2g}, a factor of {number(high / low, 3)}"
        yield f"[dim]gradient rms: over touched rows, before the first step; {spread}[/]"
    for scaling, square in dict.fromkeys((sizes.scaling, sizes.square) for _, sizes in sized):
        names = dict.fromkeys(name for name, sizes in sized if (sizes.scaling, sizes.square) == (scaling, square))
        axes = list(dict.fromkeys(axis for name in names for axis in absolute_axes(found.sweep, name)))
        yield f"[bold]Scale[/]: data.scale: {scaling}, mean |x|² = {number(square, 3)}{_assumed(axes, scaling)}"


def _assumed(axes: Sequence[str], scaling: str) -> str:
    """What the ranges of ``axes`` take for granted."""
    if not axes:
        return ""
    named = " and ".join("optimizer.lr around declared centres" if axis == LR else axis for axis in axes)
    if scaling == "unit_sq":
        return f", as {named} assume{'s' * (len(axes) == 1)}"
    return f"; {named} mean{'s' * (len(axes) == 1)} the same on other data with data.scale: unit_sq only"


def _show_space(console: Console, found: Forecast, space: Space) -> None:
    """The axes of a space, and the first of its points."""
    search = found.sweep.spec.search
    if len(found.spaces) > 1:
        _say(console, escape(", ".join(space.variants)))
    if not space.axes:
        _say(console, "Nothing is searched: every trial is the configuration itself")
        return
    names = (axis.name + (", log" if axis.range.log else "") for axis in space.axes)
    table = _table(f"Searched by {search.sampler}", *names)
    ends = [axis.ends() if axis.range.choices is None else (_choices(axis), "") for axis in space.axes]
    table.add_row("from", *(_value(values[0]) for values in ends))
    table.add_row("to", *(_value(values[1]) for values in ends))
    points = space.points[0]
    for trial, point in enumerate(points[:_POINTS_SHOWN]):
        table.add_row(f"trial {trial}", *(_value(point[axis.name]) for axis in space.axes))
    print_table(console, table)
    more = []
    if len(points) > _POINTS_SHOWN:
        more.append(f"{len(points) - _POINTS_SHOWN} more points")
    if space.asked:
        more.append(f"{space.asked} that {search.sampler} proposes from results")
    if more:
        _say(console, f"[dim]then {', then '.join(more)} (--json has all)[/]")
    if search.studies > 1:
        own = "all studies try the same" if search.sampler == "grid" else "every study has points of its own"
        _say(console, f"[dim]these are of study 0: {own}[/]")


def _time(found: Forecast) -> str:
    times = found.timetable
    most = "at most " if found.sweep.spec.search.pruner != "none" else ""
    workers = count(found.workers, "worker")
    parts = ""
    if 0 < times.search < times.all:
        then = "choosing and repeats" if any(load.choosings_left for load in found.loads.values()) else "repeats"
        parts = f": searches {duration(times.search)}, then {then} {duration(times.all - times.search)}"
    slower = "\n[dim]workers that are busy together slow each other a little[/]" if times.most > 1 else ""
    return f"[bold]Time[/]: {most}about {duration(times.all)} with {workers}{parts}{slower}"


def _losses(centres: Sequence[Centre]) -> Table:
    """The training loss at every lr, a column a variant; the best is marked."""
    table = _table("lr", *(centre.variant for centre in centres))
    losses: Mapping[str, dict[float, float]] = {centre.variant: dict(centre.losses) for centre in centres}
    for lr in sorted({lr for centre in centres for lr, _ in centre.losses}):
        cells = []
        for centre in centres:
            loss = losses[centre.variant].get(lr)
            text = "" if loss is None else "diverged" if math.isinf(loss) else f"{loss:.3g}"
            best = lr == centre.measured
            cells.append(Text(f"* {text}" if best else text, style="bold" if best else ""))
        table.add_row(f"{lr:g}", *cells)
    table.add_row("declared", *(f"{centre.declared:g}" for centre in centres))
    table.add_row("measured", *("-" if c.measured is None else f"* {c.measured:g}" for c in centres))
    if any(centre.sizes is not None for centre in centres):
        table.add_row("data.scale", *("-" if c.sizes is None else c.sizes.scaling for c in centres))
        gradients = [None if centre.sizes is None else centre.sizes.gradient for centre in centres]
        table.add_row("gradient rms", *("-" if rms is None else f"{rms:.2g}" for rms in gradients))
    return table


def _table(*headings: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column(escape(headings[0]), overflow="fold", min_width=12)
    for heading in headings[1:]:
        table.add_column(escape(heading), justify="right", no_wrap=True)
    return table


def _say(console: Console, text: str) -> None:
    console.print(text, highlight=False, soft_wrap=not console.is_terminal)


def _choices(axis: Axis) -> str:
    assert axis.range.choices is not None
    text = " | ".join(map(_value, axis.range.choices))
    return text if len(text) <= 24 else f"{len(axis.range.choices)} choices"


def _value(value: Value) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
