"""What trainings cost: the times of results, by variant, and on what they were measured."""

import statistics
from collections.abc import Callable

import pytest

from spadam.report.figures.cost import cost
from spadam.sweep.running.task import Task
from spadam.training.progress import Progress
from spadam.training.result import RunResult
from support.report_bench import Desk, close, rows_of, train


def timed(task: Task, progress: Callable[[Progress], None]) -> RunResult:
    """A repeat takes 10 s and a trial 2; the optimizer of `lazy` takes a quarter of a step, else half of it."""
    result = train(task, progress)
    where = {"device": "cpu", "threads": 1 + task.slot.study, "kernels": "compiled", "platform": "Linux"}
    seconds = 10.0 if task.slot.phase == "repeat" else 2.0
    step = 4.0 + 0.1 * (task.slot.seed % 3)
    part = step * (0.25 if task.slot.variant == "lazy" else 0.5)
    metrics = {**result.metrics, "time/step_ms": step, "time/optimizer_ms": part}
    return result._replace(metrics=metrics, provenance={**where, "seconds": seconds})


@pytest.mark.parametrize("studies", [1, 2])
def test_the_table_has_the_times_of_the_trainings(desk: Desk, studies: int) -> None:
    desk.bench.write({"search": {"studies": studies}})
    assert desk.run(timed) == 0
    page = desk.page()
    for row in page.table("cost"):
        mine = rows_of(desk, variant=row["variant"], status="complete")
        steps = [each["metrics"]["time/step_ms"] for each in mine]
        assert close(row["step, ms"].split(" ± ")[0], statistics.fmean(steps), 2)
        assert row["share"] == ("25.0 %" if row["variant"] == "lazy" else "50.0 %")
        assert row["a repeat"].startswith("10 ± 0 ")
        assert row["trainings"] == str(5 * studies)
    assert f"All {10 * studies} trainings together took {52 * studies} s" in page.texts["cost"].replace(
        "1 min 44", "104"
    )


def test_it_says_on_what_it_was_measured_and_where_machines_are_mixed(desk: Desk) -> None:
    desk.bench.write({"search": {"studies": 2}})
    assert desk.run(timed) == 0
    said = desk.page().texts["cost"]
    for threads in ("1 thread", "2 threads"):
        assert f"cpu, {threads} a training, compiled kernels, Linux (10)" in said
    assert "Trainings on unlike machines are mixed here" in said


def test_trainings_cut_short_count_in_all_but_not_in_the_means(desk: Desk) -> None:
    def cut(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        result = timed(task, progress)
        return result._replace(status="diverged") if task.slot.label == "search-0" else result

    assert desk.run(cut) == 0
    page = desk.page()
    assert {row["trainings"] for row in page.table("cost")} == {"5"}
    assert {row["a search trial"] for row in page.table("cost")} == {"2 ± 0 (n 2: too few) s"}


def test_without_a_training_it_says_so(desk: Desk) -> None:
    desk.stop_after(0)
    assert "No training has ended yet" in cost(desk.outcome()).gap
