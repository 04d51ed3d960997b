"""Learning curves and the best so far: the right seeds, an honest median, and every trial at its place."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from spadam.report.figures.best_so_far import best_so_far
from spadam.report.figures.curves import curves
from spadam.report.section import Section
from spadam.report.seeds import Point, Seed, median, nearest, thinned
from spadam.sweep.running.task import Task
from spadam.sweep.running.task import train as real_train
from spadam.sweep.search.slots import Slot
from spadam.sweep.store.attempts import Record
from spadam.training.progress import Progress
from spadam.training.result import RunResult
from support.report_bench import Desk, rows_of, train
from support.sweep_bench import Bench
from support.sweep_quadratic import finish

STEPS = (0, 10, 20, 30)


def traces(section: Section, panel: int, mode: str) -> list[dict[str, Any]]:
    return [trace for trace in section.panels[f"{section.anchor}-{panel}"].data if trace["mode"] == mode]


def seed(*points: Point, lost: bool = False) -> Seed:
    return Seed(Record(Slot("adam", "repeat", 0, 0, 0)), list(points), lost)


def with_curve(task: Task, values: list[float | None], status: str = "complete", metric: str = "val/fvu") -> RunResult:
    result = finish(task, values[-1], status)
    steps = [10 * n for n in range(len(values))]
    return result._replace(evaluations=[{"step": s, metric: v} for s, v in zip(steps, values, strict=True)])


def test_the_median_is_that_of_the_seeds_at_every_step() -> None:
    found = [seed((0, 9.0), (5, 3.0)), seed((0, 8.0), (5, 1.0)), seed((0, 7.0), (5, 2.0))]
    assert median(found, minimize=True) == [(0, 8.0), (5, 2.0)]
    assert median(found[:2], minimize=True) == [(0, 8.5), (5, 2.0)]
    assert median([], minimize=True) == []


@pytest.mark.parametrize("minimize", [True, False])
def test_a_seed_that_diverged_counts_as_the_worst(minimize: bool) -> None:
    found = [seed((0, 9.0), (5, 1.0)), seed((0, 9.0), (5, 2.0)), seed((0, 9.0), (5, None), lost=True)]
    assert median(found, minimize) == [(0, 9.0), (5, 2.0 if minimize else 1.0)]
    assert median([found[0], *[found[2]] * 2], minimize) == [(0, 9.0), (5, None)]
    assert median([found[2]], minimize) == []


def test_the_median_ends_where_the_first_seed_ends() -> None:
    found = [seed((0, 1.0), (5, 1.0), (9, 1.0)), seed((0, 3.0), (5, 3.0))]
    assert median(found, minimize=True) == [(0, 2.0), (5, 2.0)]


def test_a_single_pass_has_a_curve_and_can_be_cut(bench: Bench) -> None:
    """Of one epoch, 5 steps: evaluated at its end alone, it had two points on the page and was never cut."""
    trainer = {"epochs": 1, "steps": None, "evaluate_every": 1}
    search = {"trials": 9, "pruner": "median", "lag": 1}
    bench.write({"base": {"trainer": trainer, "probe": None}, "search": search, "repeat": {"seeds": 1}})
    assert bench.run(real_train) == 0
    outcome = bench.outcome()
    status = {row["status"] for row in outcome.rows if row["phase"] == "search"}
    assert status == {"complete", "pruned"}
    (drawn,) = [trace for trace in traces(curves(outcome), 1, "lines") if trace["line"]["width"] == 2.5]
    assert drawn["x"] == [0, 1, 2, 3, 4, 5]
    assert None not in drawn["y"]


def test_a_thinned_line_keeps_its_ends_its_spikes_and_its_breaks() -> None:
    points: list[Point] = [(step, math.sin(step / 500)) for step in range(10_000)]
    points[4321] = (4321, 77.0)
    points[600:700] = [(step, None) for step in range(600, 700)]
    drawn = thinned(points, 200)
    assert len(drawn) <= 202
    assert (drawn[0], drawn[-1]) == (points[0], points[-1])
    assert (4321, 77.0) in drawn
    assert any(value is None for _, value in drawn)
    assert drawn == sorted(drawn, key=lambda point: point[0])
    assert thinned(points[:50], 200) == points[:50]


def test_every_variant_shows_its_repeats_and_their_median(desk: Desk) -> None:
    def learn(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        if task.slot.phase == "search":
            return finish(task, 0.5 + 0.01 * task.slot.number)
        level = 0.1 * (1 + task.slot.number)
        return with_curve(task, [2.0, level + 0.3, level + 0.1, level])

    desk.bench.write({"repeat": {"seeds": 3}})
    assert desk.run(learn) == 0
    section = curves(desk.outcome())
    ghost, *thin, thick = traces(section, 0, "lines")
    assert [line["y"][-1] for line in thin] == pytest.approx([0.1, 0.2, 0.3])
    assert thick["x"] == ghost["x"] == list(STEPS)
    assert thick["y"] == pytest.approx([2.0, 0.5, 0.3, 0.2])
    assert {line["line"]["width"] for line in thin} == {1}
    assert section.panels["curves-0"].head.aside == "3 seeds, median 0.2 at step 30"
    high = section.panels["curves-0"].layout["yaxis"]["range"][1]
    assert high < 2.0  # what was before training lies beyond the axis, and the page says so
    assert "Before training it was 2, beyond the axis." in section.html
    table = desk.page().table("curves")
    assert table[3] == {
        **{"variant": "adam", "step": "30", "median": "0.2", "lowest": "0.1", "highest": "0.3", "seeds": "3"}
    }


def test_a_repeat_that_diverged_ends_in_a_cross(desk: Desk) -> None:
    def learn(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        if task.slot.phase == "repeat" and task.slot.number == 0:
            return with_curve(task, [2.0, 1.0, None], "diverged")
        return with_curve(task, [2.0, 0.5, 0.4, 0.3])

    desk.bench.write({"repeat": {"seeds": 3}})
    assert desk.run(learn) == 0
    section = curves(desk.outcome())
    *_, crosses = traces(section, 0, "markers")
    assert (crosses["x"], crosses["y"]) == ([10], [1.0])
    assert "1 diverged" in section.panels["curves-0"].head.aside
    assert traces(section, 0, "lines")[-1]["y"][1:] == [0.5, 0.4, 0.3]
    assert "A cross ends a training that diverged" in section.html


def test_without_repeats_the_best_trial_is_shown(desk: Desk) -> None:
    desk.bench.write({"repeat": {"seeds": 0}})
    assert desk.run(lambda task, progress: with_curve(task, [2.0, 1.0, 0.5 - 0.1 * task.slot.number])) == 0
    section = curves(desk.outcome())
    assert section.panels["curves-0"].head.aside == "search-2, no repeat yet, 0.3 at step 20"
    assert len(traces(section, 0, "lines")) == 2  # and the other variant's
    assert "All are the best trial of the search" in section.html


def test_an_objective_of_the_end_is_shown_by_the_nearest_metric(desk: Desk) -> None:
    metric = "train/fvu_training_code"

    def learn(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        result = finish(task, 1.0, **{metric: 0.5})
        rows = [{"step": s, "val/fvu": 1.0, "train/mse": 1.0, "train/fvu": 0.6} for s in STEPS]
        return result._replace(evaluations=rows)

    desk.bench.write({"objective": {"metric": metric}})
    assert desk.run(learn) == 0
    outcome = desk.outcome()
    assert nearest(outcome, [search.best for search in outcome.searches if search.best]) == "train/fvu"
    assert f"{metric} is measured at the end only, so this is train/fvu" in curves(outcome).html
    assert curves(outcome).panels["curves-0"].layout["yaxis"]["title"]["text"] == "train/fvu"


def test_without_evaluations_there_is_a_reason(desk: Desk) -> None:
    assert desk.run(lambda task, progress: finish(task, 1.0)._replace(evaluations=[])) == 0
    assert curves(desk.outcome()).gap == "No evaluation within a training holds val/fvu, or a metric like it."


def test_the_best_so_far_goes_by_trials_that_are_finished(ended: Desk) -> None:
    section = best_so_far(ended.outcome())
    table = ended.page().table("best-so-far")
    for variant, line in zip(("adam", "lazy"), traces(section, 0, "lines"), strict=True):
        rows = rows_of(ended, variant=variant, phase="search")
        best, expected = math.inf, []
        for row in rows:
            best = min(best, row["value"] if row["value"] is not None else math.inf)
            expected.append(best)
        known = [(n, value) for n, value in enumerate(expected, 1) if value < math.inf]
        turns = [pair for pair, before in zip(known, [(0, None), *known], strict=False) if pair[1] != before[1]]
        assert list(zip(line["x"], line["y"], strict=True)) == list(dict.fromkeys([*turns, known[-1]]))
        assert line["line"]["shape"] == "hv"
        mine = [row for row in table if row["variant"] == variant]
        assert [row["trials finished"] for row in mine] == [str(n) for n in range(1, 9)]
        assert [row["training"] for row in mine] == [f"search-{row['slot']}" for row in rows]
    lost = [trace for trace in traces(section, 0, "markers") if trace["marker"]["symbol"] == "x-thin"]
    assert [len(trace["x"]) for trace in lost] == [
        len(rows_of(ended, variant=variant, phase="search", status="diverged")) for variant in ("adam", "lazy")
    ]
    assert "A cross is a trial without a value" in section.html


def test_large_is_good_when_the_objective_says_so(desk: Desk) -> None:
    metric = "probe/online_accuracy"
    values = [0.5, 0.4, 0.7]

    def score(task: Task, progress: object) -> RunResult:
        level = values[task.slot.number] if task.slot.phase == "search" else 0.7
        rows = [{"step": 0}, {"step": 9, metric: level}]
        return finish(task, 1.0, **{metric: level})._replace(evaluations=rows)

    desk.bench.write({"objective": {"metric": metric, "direction": "maximize"}})
    assert desk.run(score) == 0
    section = best_so_far(desk.outcome())
    assert traces(section, 0, "lines")[0]["y"] == [0.5, 0.7]
    assert traces(section, 0, "lines")[0]["x"] == [1, 3]
    assert traces(section, 0, "markers")[0]["x"] == [1, 3]
    assert "still rises near its end" in section.html
    assert "still rises at its end" in curves(desk.outcome()).html


def test_studies_have_lines_of_their_own(desk: Desk) -> None:
    desk.bench.write({"search": {"studies": 2}})
    assert desk.run() == 0
    lines = traces(best_so_far(desk.outcome()), 0, "lines")
    assert [(line["line"]["color"], line["line"]["dash"]) for line in lines] == [
        *(("var(--v0)", "solid"), ("var(--v0)", "dash")),
        *(("var(--v1)", "solid"), ("var(--v1)", "dash")),
    ]


def test_a_variant_without_a_value_is_named(desk: Desk) -> None:
    def fail(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        return finish(task, None, "diverged") if task.slot.variant == "lazy" else train(task, progress)

    assert desk.run(fail) == 0
    assert "Not drawn, for want of a finite val/fvu: lazy." in best_so_far(desk.outcome()).html
    assert "Not drawn, for want of a curve: lazy." in curves(desk.outcome()).html
