"""The live view of a sweep, as a terminal shows it: 80 columns, more, fewer, and a window that changes."""

import io
import itertools
from collections.abc import Callable, Sequence

import pyte
import pytest
from rich.console import Console

from spadam.sweep.outcome.progress import Tally
from spadam.sweep.running.agent import run_sweep
from spadam.sweep.running.means import Means
from spadam.sweep.running.task import Task
from spadam.sweep.search.slots import Slot
from spadam.terminal.live import LiveView
from spadam.training.progress import Progress
from spadam.training.result import RunResult
from support import sweep_quadratic as quadratic
from support.sweep_bench import Bench

NAMES = ("adam", "masked_adam", "lazy_adam", "row_clock_adam")


class Window:
    """A terminal, the console that writes to it, and its size."""

    def __init__(self, width: int, height: int) -> None:
        self.screen = pyte.Screen(width, height)
        self.screen.set_mode(pyte.modes.LNM)  # no driver is there to turn a new line into two codes
        self._out = io.StringIO()
        self.console = Console(
            file=self._out, width=width, height=height, force_terminal=True, force_interactive=True, highlight=False
        )

    def lines(self) -> list[str]:
        """What stands there, without blank lines at the end."""
        pyte.Stream(self.screen).feed(self._out.getvalue())
        self._out.seek(0)
        self._out.truncate()
        lines = [line.rstrip() for line in self.screen.display]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    def shrink(self, width: int, *, wraps: bool) -> None:
        """Make it narrower, as terminals do that wrap what stands there, and those that cut it off."""
        before, height = self.lines(), self.screen.lines
        if not wraps:
            self.screen.resize(height, width)
            return
        pieces = [line[at : at + width] for line in before for at in range(0, max(1, len(line)), width)]
        self.screen = pyte.Screen(width, height)
        self.screen.set_mode(pyte.modes.LNM)
        pyte.Stream(self.screen).feed("\n".join(pieces))


def tally(variant: str, accepted: int = 0, **changes: object) -> Tally:
    best, times = 0.25 if accepted else None, (2.0,) * min(accepted, 7)
    plain = Tally(variant, 15, accepted, 1, 14 - accepted, 0, 0, best, 12 - accepted, 3, times, ())
    return plain._replace(**changes)  # type: ignore[arg-type]


def slot(variant: str, number: int = 0) -> Slot:
    return Slot(variant, "search", 0, number, 0)


class Shown:
    """A live view in a window, drawn when one looks."""

    def __init__(self, window: Window, tallies: Sequence[Tally], workers: int = 2) -> None:
        self.window, self.view = window, LiveView(window.console)
        self.view._live.auto_refresh = False
        self.view.open("val/fvu", workers)
        self.view.update(tallies)

    def lines(self) -> list[str]:
        self.view._live.refresh()
        return self.window.lines()


@pytest.fixture(params=[80, 140])
def width(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def test_everything_stands_in_its_column(width: int) -> None:
    shown = Shown(Window(width, 24), [tally(name, 4) for name in NAMES])
    shown.view.begin(slot("lazy_adam", 11))
    shown.view.move(slot("lazy_adam", 11), Progress(45, 100, 0.0123, "training"))
    lines = shown.lines()
    assert len(lines) == 6
    assert not any("…" in line for line in lines)
    heading = lines[0].split()
    assert heading == ["variant", "done", "best", "val/fvu", "left", "running"]
    for name, line in zip(NAMES, lines[1:], strict=False):
        assert line.startswith(name)
        assert "━━━━" in line
        assert line[: lines[0].index("done") + 4].endswith("4/15")
    running = "search-11 45 %" if width == 80 else "search-11: step 45 of 100, loss 0.0123"
    assert lines[3].endswith(running)
    assert lines[5].split()[0] == "all"
    assert "16/60" in lines[5]
    assert lines[5].endswith("1 of 2 workers")


def test_nothing_moves_while_numbers_change(width: int) -> None:
    shown = Shown(Window(width, 24), [tally("adam"), tally("lazy_adam")])
    places = set()
    for at in (None, Progress(1, 100, 123.456, "training"), Progress(100, 100, None, "fitting the probe")):
        for accepted, seconds in itertools.product((0, 9, 15), (0.01, 5.0, 7000.0, 1e6)):
            times = (seconds,) * min(3, accepted)
            shown.view.update([tally("adam", accepted, trial_times=times, trials_left=9), tally("lazy_adam", accepted)])
            shown.view.move(slot("adam"), at) if at else shown.view.begin(slot("adam"))
            lines = shown.lines()
            assert all(len(line) <= width for line in lines)
            assert len(lines) == 4
            places.add((lines[0], lines[1].index("/15"), lines[1].index("search-0")))
    assert len(places) == 1


def test_failures_have_a_column_once_there_are_some() -> None:
    shown = Shown(Window(80, 24), [tally("adam", 4, failures=0), tally("lazy_adam", 4, failures=2)])
    lines = shown.lines()
    assert "failed" in lines[0]
    assert lines[2][: lines[0].index("failed") + 6].endswith("  2")


def test_what_runs_is_counted_and_named() -> None:
    shown = Shown(Window(80, 24), [tally("adam"), tally("lazy_adam")], workers=4)
    for number, at in enumerate((None, Progress(20, 100, 1.0, "training"), Progress(90, 100, 1.0, "training"))):
        shown.view.begin(slot("adam", number))
        if at is not None:
            shown.view.move(slot("adam", number), at)
    assert shown.lines()[1].endswith("search-2 90 % +2")
    shown.view.end(slot("adam", 2), "complete", 0.2)
    assert shown.lines()[1].endswith("search-1 20 % +1")


@pytest.mark.parametrize("narrow", [70, 50, 30, 10, 1])
def test_narrow_terminals_are_borne(narrow: int) -> None:
    shown = Shown(Window(narrow, 24), [tally(name, 4) for name in NAMES])
    shown.view.begin(slot("adam"))
    lines = shown.lines()
    assert len(lines) == 6
    if narrow >= 30:
        assert all(f"{done}" in line for done, line in zip(["4/15"] * 4, lines[1:], strict=False))


@pytest.mark.parametrize("wraps", [True, False])
@pytest.mark.parametrize("late", [0, 2])
@pytest.mark.parametrize("narrow", [100, 60, 41])
def test_a_window_that_shrinks_leaves_no_stray_lines(narrow: int, wraps: bool, late: int) -> None:
    window = Window(140, 40)
    window.console.print("\n" * 8)
    shown = Shown(window, [tally(name, 4) for name in NAMES])
    shown.view.begin(slot("adam"))
    shown.view.move(slot("adam"), Progress(45, 100, 0.0123, "training"))
    assert len([line for line in shown.lines() if line]) == 6
    for now in (narrow, narrow - 7):
        window.shrink(now, wraps=wraps)
        for _ in range(late):  # refreshes before the program is told
            shown.lines()
        window.console.width = now
        lines = [line for line in shown.lines() if line]
        assert len(lines) == 6, lines
        assert lines[0].startswith("variant")
        assert all(len(line) <= now for line in lines)


def test_of_more_variants_than_lines_those_stand_there_that_run() -> None:
    names = [f"variant-{n:02}" for n in range(30)]
    window = Window(80, 12)
    shown = Shown(window, [tally(name, 15 if n < 20 else 3, trials_left=0) for n, name in enumerate(names)])
    shown.view.begin(slot("variant-25"))
    lines = shown.lines()
    assert lines[0].startswith("variant ")
    assert any(line.startswith("variant-25") for line in lines)
    assert not any(line.startswith("variant-03") for line in lines)
    assert lines[-1].startswith("all")
    assert lines[-2] == "… and 22 more variants"
    for _ in range(3):
        assert len(shown.lines()) == len(lines)
    shown.view.__exit__(None, None, None)
    assert shown.lines()[-2].startswith("variant-29")


def test_a_whole_sweep(bench: Bench) -> None:
    window = Window(80, 24)
    view = LiveView(window.console)
    shots: list[list[str]] = []

    def look(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        progress(Progress(50, 100, 0.25, "training"))
        view._live.refresh()
        shots.append(window.lines())
        return quadratic.train(task, progress)

    with view:
        run_sweep(bench.spec, bench.out, means=Means(0), watcher=view, train=look)
    assert shots[0][1].endswith("search-0 50 %")
    assert shots[0][1].split()[-4] == "?"  # nobody knows yet
    assert shots[2][1].split()[-5:-3] == ["7", "s"]  # of 4 x 2 s, half of one is done
    last = window.lines()
    assert [line.split()[0] for line in last] == ["variant", "adam", "lazy", "all"]
    assert all("5/5" in line and line.endswith("0 s") for line in last[1:3])


def test_where_trainings_run_on_several_hosts(width: int) -> None:
    shown = Shown(Window(width, 24), [tally("adam", 3), tally("lazy_adam", 3)], workers=3)
    shown.view.begin(slot("adam", 4), "node-b, process 12")
    shown.view.begin(slot("lazy_adam", 5), "node-b, process 13")
    assert "2 of 3 workers" in shown.lines()[-1]
    shown.view.end(slot("lazy_adam", 5), "complete", 0.1)
    shown.view.begin(slot("lazy_adam", 6), "node-a, process 14")
    lines = shown.lines()
    assert "2 of 3 on 2 hosts" in lines[-1]
    assert ("search-4 starting on node-b" in lines[1]) == (width == 140)
