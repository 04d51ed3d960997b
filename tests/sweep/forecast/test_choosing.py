"""Trainings that settings are chosen by, in the forecast of a sweep."""

import io
from collections.abc import Callable

from rich.console import Console

from spadam.sweep.forecast.forecast import Forecast, forecast, plain
from spadam.sweep.forecast.timetable import Course, Timetable, simulate
from spadam.terminal.forecast import show_forecast
from support.sweep_bench import Bench


def silent(what: str, number: int, total: int) -> Callable[[object], None]:
    return lambda step: None


def foresee(bench: Bench) -> Forecast:
    return forecast(*bench.read(), bench.out, silent, 1)


def test_choosing_trainings_are_foreseen(bench: Bench) -> None:
    bench.write({"search": {"trials": 4}, "repeat": {"choose": {"top": 3, "seeds": 2}}})
    found = foresee(bench)
    load = found.loads["lazy"]
    assert (load.search, load.choosings, load.repeats, load.left) == (4, 6, 2, 12)
    out = io.StringIO()
    show_forecast(Console(file=out, width=200), found)
    assert "the best of each chosen among 3 by the mean of 2 seeds, 2 repeats of each best" in out.getvalue()
    assert "then choosing and repeats" in out.getvalue()
    assert plain(found)["variants"]["adam"]["choosings_left"] == 6
    assert bench.run() == 0
    bench.write({"search": {"trials": 4}, "repeat": {"choose": {"top": 3, "seeds": 3}}})
    again = foresee(bench).loads["adam"]
    assert (again.choosings, again.choosings_left, again.repeats_left, again.search_left) == (9, 3, 0, 0)


def test_each_phase_of_a_study_waits_for_the_one_before() -> None:
    def course(variant: int) -> Course:
        return Course(variant, 0, [0, 1, 2], [0, 0, 0], [0, 1], 2.0, 5.0, choosings=[0, 1, 2, 3])

    work = 3 * 2.0 + 4 * 2.0 + 2 * 5.0
    assert simulate([course(0)], 1) == Timetable(6.0, work, work, 1)
    assert simulate([course(0)], 99) == Timetable(2.0, 2.0 + 2.0 + 5.0, work, 4)
    assert simulate([course(0)], 2) == Timetable(4.0, 4.0 + 4.0 + 5.0, work, 2)
    assert simulate([course(0), course(1)], 1) == Timetable(12.0, 2 * work, 2 * work, 1)
