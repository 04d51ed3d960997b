import io
import re
from collections.abc import Callable

import pytest
from rich.console import Console

from spadam.sweep.running.task import Task
from spadam.terminal.live import LiveView
from spadam.terminal.sweep import LogView, show, watch
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


def test_a_terminal_gets_the_live_view() -> None:
    assert isinstance(watch(Console(file=io.StringIO(), force_terminal=True)), LiveView)


def test_a_pipe_gets_the_quiet_view() -> None:
    assert isinstance(watch(Console(file=io.StringIO())), LogView)


@pytest.fixture
def repeated(bench: Bench) -> Bench:
    bench.write({"search": {"trials": 1}, "repeat": {"seeds": 3}})
    assert bench.run() == 0
    return bench


def shown(bench: Bench, width: int) -> list[str]:
    """What `sweep results` prints on a terminal of this width."""
    terminal, outcome = Console(file=(out := io.StringIO()), width=width, force_terminal=True), bench.outcome()
    show(terminal, outcome.sweep, outcome.summaries)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue()).splitlines()


def test_the_table_fits_80_columns_and_says_how_many_seeds_an_interval_has(repeated: Bench) -> None:
    lines = shown(repeated, 80)
    assert max(map(len, lines)) <= 80
    assert any(re.search(r"^adam .*±[\d.]+\* .*±[\d.]+\* ", line) for line in lines), lines
    assert sum("3 repeats" in line for line in lines) == 2  # the title and the heading
    assert "*: of fewer than 5 seeds: too few to rely on" in lines


def test_enough_seeds_have_no_mark(bench: Bench) -> None:
    bench.write({"search": {"trials": 1}, "repeat": {"seeds": 5}})
    assert bench.run() == 0
    assert "*" not in "".join(shown(bench, 80))


def test_notes_are_folded_between_words(repeated: Bench) -> None:
    note = "a better one may lie beyond it, so widen the range, which costs nothing but another handful of trials"
    terminal, outcome = Console(file=(out := io.StringIO()), width=60, force_terminal=True), repeated.outcome()
    show(terminal, outcome.sweep, [study._replace(notes=[note]) for study in outcome.summaries])
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue()).splitlines()
    assert max(map(len, lines)) <= 60
    assert f"adam, lazy: {note}" in " ".join(map(str.rstrip, lines))
