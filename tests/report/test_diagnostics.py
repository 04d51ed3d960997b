"""What the diagnostics measured: a panel for each that varies, with the seeds' numbers, and words for the rest."""

import json
import statistics
from collections.abc import Callable
from typing import Any

import pytest

from spadam.diagnostics.metrics import METRICS
from spadam.report.figures.diagnostics import diagnostics
from spadam.report.section import Section
from spadam.sweep.running.task import Task
from spadam.training.progress import Progress
from spadam.training.result import RunResult
from support.report_bench import Desk, rows_of, train

ONCE, CURVE = "probe/test_accuracy", "sparsity/row_age"
STEPS = 500


def age(task: Task, step: int) -> float:
    return 1.0 + step / 10 + task.slot.seed % 7 + (50.0 if task.slot.variant == "lazy" else 0.0)


def aging(task: Task, progress: Callable[[Progress], None]) -> RunResult:
    """Trainings with many evaluations; the age of rows grows from step to step."""
    result = train(task, progress)
    rows = [{"step": step, "val/fvu": 1.0, **({CURVE: age(task, step)} if step else {})} for step in range(STEPS)]
    return result._replace(evaluations=rows, metrics={**result.metrics, CURVE: age(task, STEPS - 1)})


@pytest.fixture
def drawn(desk: Desk) -> tuple[Desk, Section]:
    assert desk.run(aging) == 0
    return desk, diagnostics(desk.outcome())


def panel(section: Section, metric: str) -> list[dict[str, Any]]:
    (found,) = [one for one in section.panels.values() if one.head.text == metric]
    return found.data


def test_a_line_is_the_median_of_the_seeds_and_ends_in_a_mark(drawn: tuple[Desk, Section]) -> None:
    desk, section = drawn
    for variant, path, mark in zip(("adam", "lazy"), *(panel(section, CURVE)[n::2] for n in (0, 1)), strict=True):
        ends = [row["metrics"][CURVE] for row in rows_of(desk, variant=variant, phase="repeat")]
        assert mark["y"] == [statistics.median(ends)]
        assert mark["x"] == [STEPS - 1]
        assert variant in mark["hovertext"][0]
        assert path["x"][-1] == STEPS - 1
        assert len(path["x"]) <= 62


def test_what_is_measured_once_has_a_mark_for_every_seed(drawn: tuple[Desk, Section]) -> None:
    desk, section = drawn
    for number, (variant, marks) in enumerate(zip(("adam", "lazy"), panel(section, ONCE), strict=True)):
        values = [row["metrics"][ONCE] for row in rows_of(desk, variant=variant, phase="repeat")]
        assert marks["y"] == values
        assert set(marks["x"]) == {number}


def test_what_never_varies_is_said_and_not_drawn(drawn: tuple[Desk, Section]) -> None:
    _, section = drawn
    assert "sparsity/dead" not in [one.head.text for one in section.panels.values()]
    assert "the same at every step of every training: sparsity/l0_eval 2, sparsity/rows_touched 0.25" in section.html
    assert "sparsity/dead 0.5" in section.html


def test_every_metric_of_the_repeats_that_is_no_error_and_no_time_is_there(digits: Desk) -> None:
    found = {row["metric"] for row in digits.page().table("diagnostics")}
    measured = [row["metrics"] for row in rows_of(digits, phase="repeat")]
    named = {name for metrics in measured for name, value in metrics.items() if value is not None}
    assert found == {name for name in named if not (METRICS[name].error or METRICS[name].unit in ("ms", "s"))}
    assert len(found) > 20
    defined = {row["metric"]: row["how"] for row in digits.page().table("diagnostics", 1)}
    assert {name: METRICS[name].formula for name in found} == defined


def test_the_histogram_has_the_counts_of_the_repeats(digits: Desk) -> None:
    section = diagnostics(digits.outcome())
    steps, mark = panel(section, "sparsity/density_histogram")[:2]
    (record,) = digits.outcome().settings[0].repeats
    assert record.result is not None
    stored = record.result.arrays["sparsity/density_histogram"]
    held = [many for many in stored["counts"] if many]
    assert [many for many in steps["y"] if many][: len(held)] == held
    assert mark["y"] == [max(held)]
    assert f"{stored['never']} never on" in mark["hovertext"][0]


def test_while_there_is_no_repeat_it_is_the_best_trial(desk: Desk) -> None:
    desk.stop_after(3, aging)
    section = diagnostics(desk.outcome())
    assert "All are the best trial of the search" in section.html
    assert {len(marks["y"]) for marks in panel(section, "sparsity/l0_train")} == {1}


def test_a_diverged_repeat_is_left_out(desk: Desk) -> None:
    def one_lost(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        result = aging(task, progress)
        lost = task.slot.phase == "repeat" and task.slot.number == 0
        return result._replace(status="diverged", metrics={CURVE: 1e9}) if lost else result

    assert desk.run(one_lost) == 0
    section = diagnostics(desk.outcome())
    assert "1e+9" not in json.dumps([one.data for one in section.panels.values()])
    assert {row["seeds"] for row in desk.page().table("diagnostics")} == {"1"}


def test_nothing_measured_is_said(desk: Desk) -> None:
    desk.stop_after(0)
    assert "No trial has a finite val/fvu yet" in diagnostics(desk.outcome()).gap
