import io
import re
from collections.abc import Callable

from rich.console import Console

from spadam.sweep.running.agent import run_sweep
from spadam.sweep.running.task import Task
from spadam.terminal.sweep import LiveView, LogView, show, watch
from spadam.training.progress import Progress
from spadam.training.result import RunResult
from support import sweep_quadratic as quadratic
from support.sweep_bench import Bench

HALF = Progress(50, 100, 0.25, "training")


def train(task: Task, progress: Callable[[Progress], None]) -> RunResult:
    progress(HALF)
    return quadratic.train(task, progress)


def test_elsewhere_than_on_a_terminal_a_line_a_training(bench: Bench) -> None:
    assert bench.run(train) == 0
    lines = bench.told.getvalue().splitlines()
    assert len(lines) == 10
    number = r"\d+(\.\d+)?"
    for line in lines:
        assert re.fullmatch(
            rf"(adam|lazy) (search|repeat)-\d: val/fvu {number}; best {number}, \d of 5 done; .* left", line
        )
    assert "18 s left" in lines[0] or "8 s left" in lines[0]  # each says that it took 2 s
    assert lines[-1].endswith("5 of 5 done; 0 s left")
    assert "\x1b" not in bench.said.getvalue() + bench.told.getvalue()


def test_the_table_is_not_folded_in_a_pipe(bench: Bench) -> None:
    bench.write({"search": {"trials": 1}, "repeat": {"seeds": 2}})
    out = io.StringIO()
    bench.run(train)
    outcome = bench.outcome()
    show(Console(file=out, width=20), outcome.sweep, outcome.summaries)
    lines = out.getvalue().splitlines()
    assert any(re.search(r"^adam .* ± ", line) for line in lines)
    assert "…" not in out.getvalue()


def test_on_a_terminal_a_live_line_a_variant(bench: Bench) -> None:
    out = io.StringIO()
    terminal = Console(file=out, force_terminal=True, width=140, color_system=None)
    view = watch(terminal)
    assert isinstance(view, LiveView)
    shots: list[str] = []

    def look(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        progress(HALF)
        if task.slot.label == "search-1":
            shots.append(out.getvalue())
        return quadratic.train(task, progress)

    with view:
        run_sweep(bench.spec, bench.out, workers=0, watcher=view, train=look)
    final = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue())
    last = final[final.rindex("variant") :]
    for variant in ("adam", "lazy"):
        assert re.search(rf"{variant}\s+━+\s+5/5\s+[\d.]+\s+0 s", last), last
    assert "best val/fvu" in last


def test_a_frame_shows_what_runs_the_best_so_far_and_the_time_left(bench: Bench) -> None:
    frames: list[str] = []
    terminal = Console(file=io.StringIO(), force_terminal=True, width=140, color_system=None)
    view = LiveView(terminal)
    from spadam.sweep.outcome.progress import tally

    def look(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        view.update(tally(*bench.read()))
        view.begin(task.slot)
        view.move(task.slot, HALF)
        with terminal.capture() as capture:
            terminal.print(view._draw())
        frames.append(capture.get())
        view.end(task.slot, "complete", 0.5)
        return quadratic.train(task, progress)

    bench.run(look)
    first = next(line for line in frames[0].splitlines() if line.startswith("adam"))
    assert re.search(r"0/5\s+–\s+\?\s+search-0: step 50 of 100, loss 0.25", first)
    third = next(line for line in frames[2].splitlines() if line.startswith("adam"))
    assert re.search(r"1/5\s+[\d.]+\s+8 s\s+search-1: step 50 of 100", third)
    assert re.search(r"all\s+16 s", frames[2])


def test_a_pipe_gets_the_quiet_view() -> None:
    assert isinstance(watch(Console(file=io.StringIO())), LogView)
