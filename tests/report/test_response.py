"""The line through the trials of a search: only where there are enough, and never from one mark to the next."""

import math
import random
from collections.abc import Sequence

import pytest

from spadam.report.axis import Scale
from spadam.report.figures.landscape import landscape
from spadam.report.figures.response import _best_nearby, _Line, response
from spadam.report.section import Section
from spadam.report.trials import Trial
from spadam.sweep.running.task import Task
from spadam.sweep.search.slots import Slot
from spadam.sweep.store.attempts import Record
from spadam.training.result import RunResult
from support.report_bench import Desk
from support.sweep_quadratic import finish

LR = "optimizer.lr"


def trial(lr: float, value: float | None) -> Trial:
    return Trial(Record(Slot("adam", "search", 0, 0, 0)), {LR: lr}, value, "complete", "")


def line_of(found: Sequence[Trial], minimize: bool = True, grid: bool = False) -> _Line:
    return _best_nearby(found, LR, Scale(1e-4, 1e-1, True), minimize, grid)


def spread(many: int) -> list[Trial]:
    """Half of the trials have a hopeless eps, whatever their lr."""
    draw = random.Random(0)
    places = [10 ** draw.uniform(-4, -1) for _ in range(many)]
    return [trial(lr, 0.2 + (math.log10(lr) + 2.5) ** 2 + draw.choice([0.0, 2.0])) for lr in places]


def test_under_twenty_trials_with_a_value_there_is_no_line() -> None:
    found = spread(20)
    assert line_of(found)
    assert line_of([*found[:19], trial(1e-3, None)]) == []


def test_two_trials_at_one_lr_and_other_eps_make_no_spike() -> None:
    found = spread(60)
    near = [found[n]._replace(at={LR: 8e-3 * (1 + n / 1000)}, value=value) for n, value in enumerate((0.2, 0.386))]
    drawn = {place: value for place, value in line_of([*found, *near]) if 7e-3 < place < 9e-3}
    assert len(drawn) >= 2
    assert set(drawn.values()) == {0.2}


@pytest.mark.parametrize("minimize", [True, False])
def test_a_point_is_the_best_of_its_nearest_neighbours(minimize: bool) -> None:
    found = spread(40)
    for place, value in line_of(found, minimize):
        nearest = sorted(found, key=lambda t: abs(math.log(t.at[LR] / place)))[:5]
        far = max(abs(math.log10(t.at[LR] / place)) for t in nearest) > 3 / 6
        best = (min if minimize else max)(t.value for t in nearest if t.value is not None)
        assert value == (None if far else best)


def test_the_line_is_broken_where_trials_are_far_apart() -> None:
    found = [trial(1e-4 * (1 + n / 100), 1.0 + n) for n in range(15)] + [trial(1e-1 - n / 1e3, 3.0) for n in range(3)]
    drawn = line_of([*found, trial(3e-3, 0.1), trial(4e-3, 0.2)])
    assert [value is None for _, value in drawn] == [False] * 15 + [True] * 5


def test_on_a_whole_grid_it_is_the_best_at_each_place() -> None:
    places, others = [1e-4, 1e-3, 1e-2, 1e-1], [0.0, 1.0, 2.0, 3.0, 4.0]
    found = [trial(lr, n + other) for n, lr in enumerate(places) for other in others]
    assert line_of(found, grid=True) == [(lr, float(n)) for n, lr in enumerate(places)]
    unfinished = dict(line_of([*found, trial(3e-3, 9.0)], grid=True))
    assert unfinished[3e-3] != 9.0


def test_equal_places_are_one_point_whatever_their_order() -> None:
    found = [trial(10.0 ** -(1 + n % 4), float(n)) for n in range(24)]
    drawn = line_of(found)
    assert len(drawn) == 4
    assert line_of(found[::-1]) == drawn


def lines(section: Section, panel: int) -> list[str]:
    data = section.panels[f"{section.anchor}-{panel}"].data
    return [trace["line"]["color"] for trace in data if trace["mode"] == "lines"]


def test_a_short_search_has_marks_only_and_the_page_says_why(ended: Desk) -> None:
    section = response(ended.outcome())
    assert lines(section, 0) == lines(section, 1) == []
    assert "No variant has a line, for that takes 20 trials with a value." in section.html
    assert "Marks side by side differ in eps too" in section.html
    assert "The line is" not in section.html


def test_a_long_search_has_its_line_and_those_of_the_others(desk: Desk) -> None:
    def train(task: Task, progress: object) -> RunResult:
        lost = task.slot.variant == "lazy" and task.slot.number > 15
        return finish(task, None if lost else 1.0, "diverged" if lost else "complete")

    desk.bench.write({"search": {"trials": 24}, "repeat": {"seeds": 0}})
    assert desk.run(train) == 0
    section = response(desk.outcome())
    assert lines(section, 0) == ["var(--v0)"]
    assert lines(section, 1) == ["var(--ghost)"]
    assert "lazy: no line, for that takes 20 trials with a value." in section.html


def test_who_is_left_out_of_a_figure_is_named_and_what_it_lacks(desk: Desk) -> None:
    extra = {"sgd": {"optimizer": {"name": "sgd"}, "space": {"optimizer.eps": None}}}
    fixed = {"fixed": {"optimizer": {"name": "adam"}, "space": {"optimizer.lr": None, "optimizer.eps": None}}}
    desk.bench.write({"variants": {**extra, **fixed}, "search": {"trials": 1}, "repeat": {"seeds": 0}})
    assert desk.run(lambda task, progress: finish(task, 1.0)) == 0
    outcome = desk.outcome()
    assert "sgd: no eps." in response(outcome).html
    assert "Not drawn: fixed (searches no number)." in response(outcome).html
    said = "for want of a second searched number: sgd (searches lr; has no eps), fixed (searches no number)."
    assert said in landscape(outcome).html


def test_a_map_says_what_it_does_not_show(desk: Desk) -> None:
    third = {"probe.lr": {"low": 0.1, "high": 0.2}}
    desk.bench.write({"space": third})
    assert desk.run() == 0
    assert "The trials differ in probe.lr too, which the map does not show." in landscape(desk.outcome()).html
