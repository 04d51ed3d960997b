"""The live lines of a sweep: a table that fits its terminal, whatever its width, and does not move about.

What is done, the best, the time left and what runs have columns of a fixed width; the bar has what they leave.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress_bar import ProgressBar
from rich.text import Text

from spadam.sweep.outcome.left import seconds_left, total
from spadam.sweep.outcome.progress import Tally
from spadam.sweep.search.slots import Slot
from spadam.text import count, duration, number
from spadam.training.progress import Progress

_GAP = "  "
_BAR, _WIDEST_BAR = 6, 40
_NAME, _WIDEST_NAME = 10, 28
_BEST, _LEFT = 12, 12
_RUNNING, _WIDE_RUNNING = 20, 42
"""`search-11 evaluating`, and with step and loss."""


class State(NamedTuple):
    """What a frame shows."""

    metric: str
    workers: int
    tallies: Sequence[Tally]
    running: Mapping[Slot, Progress | None]
    hosts: Mapping[Slot, str] = MappingProxyType({})
    """On which host each of them runs; they are shown where there are several."""
    over: bool = False
    """Whether nothing will change any more: then all is shown, however many lines it takes."""


class Frame:
    """Draws a :class:`State`, and remembers how long its lines are: a window that shrinks will have wrapped them."""

    def __init__(self) -> None:
        self.state = State("", 1, (), {})
        self._lengths: list[int] = []

    def wrapped(self, width: int) -> int:
        """So many lines more than were drawn take the lines of the last frame in a window of ``width``."""
        return sum((length - 1) // width for length in self._lengths if length)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = list(_lines(self.state, console, options.max_width))
        for line in lines:
            line.rstrip()  # terminals do not agree whether blanks at the end of a line are wrapped
        self._lengths = [line.cell_len for line in lines]
        yield from lines


def _lines(state: State, console: Console, width: int) -> Iterator[Text]:
    """The heading, a line a variant, one for all of them, as many as fit."""
    under_way = {slot: share for slot, at in state.running.items() if (share := _share(at)) is not None}
    left = seconds_left(state.tallies, state.workers, under_way)
    columns = _Columns.fit(state, width)
    hosts = state.hosts if len(set(state.hosts.values())) > 1 else {}
    yield columns.heading(state.metric, any(tally.front is not None for tally in state.tallies))
    shown = list(state.tallies) if state.over else _that_fit(state, console.height - 3)
    for tally in shown:
        mine = {slot: at for slot, at in state.running.items() if slot.variant == tally.variant}
        bar = _bar(console, tally.accepted, tally.slots, columns.bar)
        running, failed = _running(mine, hosts, columns.running), str(tally.failures or "")
        done = f"{tally.accepted}/{tally.slots}"
        yield columns.line(tally.variant, bar, done, leading(tally), failed, left[tally.variant], running)
    if len(state.tallies) > 1:
        accepted, slots = (sum(getattr(t, name) for t in state.tallies) for name in ("accepted", "slots"))
        bar = _bar(console, accepted, slots, columns.bar)
        busy = _busy(state, len(set(hosts.values()))) if state.workers > 1 and not state.over else ""
        if hidden := len(state.tallies) - len(shown):
            yield Text(f"… and {count(hidden, 'more variant')}")
        yield columns.line("all", bar, f"{accepted}/{slots}", "", "", total(left), busy)


def leading(tally: Tally) -> str:
    """The best value so far, or how many trials its fronts have."""
    return number(tally.best) if tally.front is None else str(tally.front)


def _bar(console: Console, done: int, slots: int, width: int) -> Text:
    """A bar of so many cells; nothing for none."""
    bar = ProgressBar(total=max(1, slots), completed=done, width=width)
    drawn = Text()
    for segment in console.render(bar) if width else ():
        drawn.append(segment.text, segment.style)
    drawn.pad_right(width - drawn.cell_len)
    return drawn


def _that_fit(state: State, lines: int) -> list[Tally]:
    """As many as there are lines: first of those where something runs, then of those that are not done; in order."""
    if len(state.tallies) <= lines:
        return list(state.tallies)
    busy = {slot.variant for slot in state.running}
    ranked = sorted(state.tallies, key=lambda tally: (tally.variant not in busy, tally.accepted == tally.slots))
    chosen = {tally.variant for tally in ranked[: max(1, lines - 1)]}  # one line says how many more there are
    return [tally for tally in state.tallies if tally.variant in chosen]


class _Columns(NamedTuple):
    """How wide each column is; 0: it is left out."""

    name: int
    bar: int
    done: int
    best: int
    failed: int
    left: int
    running: int

    @classmethod
    def fit(cls, state: State, width: int) -> _Columns:
        """The widths for a terminal of ``width``: the bar gives way first, then what runs, then names."""
        tallies = state.tallies
        name = min(_WIDEST_NAME, max((cell_len(tally.variant) for tally in tallies), default=0))
        name = max(name, len("variant"))
        slots = sum(tally.slots for tally in tallies)
        done = max(len("done"), len(f"{slots}/{slots}"))
        failed = len("failed") if any(tally.failures for tally in tallies) else 0
        best = max([_BEST, *(len(leading(tally)) for tally in tallies)])
        wide = _WIDE_RUNNING if width >= 120 else _RUNNING
        fixed = sum(len(_GAP) + column for column in (done, best, failed, _LEFT) if column)
        rest = width - fixed - name - len(_GAP) - wide
        if rest - len(_GAP) >= _BAR:
            return cls(name, min(_WIDEST_BAR, rest - len(_GAP)), done, best, failed, _LEFT, wide)
        if rest < 0:
            shorter = max(min(name, _NAME), name + rest)
            name, rest = shorter, rest + name - shorter
        return cls(name, 0, done, best, failed, _LEFT, max(0, wide + min(0, rest)))

    def heading(self, metric: str, front: bool) -> Text:
        """What the columns are; ``front``: the fourth counts the trials of fronts."""
        texts = ["on the front"] if front else [f"best {metric}", metric]
        best = next((text for text in texts if len(text) <= self.best), "best")
        cells = ("done", best, "failed", "left")
        line = self._join("variant", Text(" " * self.bar), cells, "running")
        line.stylize("bold")
        return line

    def line(self, name: str, bar: Text, done: str, best: str, failed: str, left: float | None, running: str) -> Text:
        """A variant, or all of them."""
        return self._join(name, bar, (done, best, failed, duration(left)), running)

    def _join(self, name: str, bar: Text, cells: Sequence[str], running: str) -> Text:
        """A line; ``cells`` are those between the bar and what runs, which stand at the right of their columns."""
        widths = (self.done, self.best, self.failed, self.left)
        parts = [Text(_cut(name, self.name)), *([bar] if self.bar else [])]
        parts += [Text(text.rjust(width)) for text, width in zip(cells, widths, strict=True) if width]
        parts += [Text(_cut(running, self.running))] if self.running else []
        return Text(_GAP, no_wrap=True, overflow="crop").join(parts)


def _cut(text: str, width: int) -> str:
    """``text`` in exactly so many cells."""
    return set_cell_size(text, width) if cell_len(text) <= width else set_cell_size(text, width - 1) + "…"


def _busy(state: State, hosts: int) -> str:
    """How many of the workers train; on how many hosts, where there are several."""
    many = f"{len(state.running)} of {state.workers}"
    return f"{many} on {hosts} hosts" if hosts else f"{many} workers"


def _running(trainings: Mapping[Slot, Progress | None], hosts: Mapping[Slot, str], width: int) -> str:
    """The trainings of a variant that run: that which is furthest, and how many there are beside it."""
    if not trainings:
        return ""
    slot, at = max(trainings.items(), key=lambda pair: _share(pair[1]) or -1.0)
    text = f"{slot.label} {_state(at, width)}"
    if width >= _WIDE_RUNNING and slot in hosts:
        text = f"{text} on {hosts[slot]}"
    elif width >= _WIDE_RUNNING and at is not None and at.loss is not None and at.doing == "training":
        steps = f"step {at.step}" + (f" of {at.total}" if at.total else "")
        text = f"{slot.label}: {steps}, loss {number(at.loss)}"
    return text + (f" +{len(trainings) - 1}" if len(trainings) > 1 else "")


def _state(at: Progress | None, width: int) -> str:
    if at is None:
        return "starting"
    share = _share(at)
    if at.doing != "training":
        return at.doing if width >= _WIDE_RUNNING else at.doing.split()[0]
    return f"step {at.step}" if share is None else f"{100 * share:.0f} %"


def _share(at: Progress | None) -> float | None:
    """Which share of a training is done, where that is known."""
    return None if at is None or not at.total else min(1.0, at.step / at.total)
