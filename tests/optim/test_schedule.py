"""Factors of the lr over a run."""

from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from spadam.optim import ScheduleSpec
from spadam.optim.schedule import factor


def factors(total: int, **options) -> list[float]:
    schedule = ScheduleSpec(**options)
    return [factor(schedule, step, total) for step in range(total + 2)]


def test_constant_is_one() -> None:
    assert factors(5, name="constant") == [1.0] * 7


@pytest.mark.parametrize("name", ["constant", "cosine", "linear"])
def test_warm_up_rises_in_a_line_to_one(name) -> None:
    assert factors(10, name=name, warmup_steps=4)[:4] == [0.25, 0.5, 0.75, 1.0]
    assert factors(10, name=name, warmup_steps=1)[0] == 1.0
    assert factors(10, name=name)[0] == 1.0


def test_cosine_and_line_fall_to_zero_and_stay_there() -> None:
    cosine = factors(8, name="cosine", warmup_steps=4)[4:]
    assert cosine == pytest.approx([1.0, (1 + math.cos(math.pi / 4)) / 2, 0.5, (1 - math.cos(math.pi / 4)) / 2, 0, 0])
    assert factors(8, name="linear", warmup_steps=4)[4:] == [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]


def test_a_warm_up_longer_than_the_run_is_all_there_is() -> None:
    assert factors(3, name="cosine", warmup_steps=6) == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6])


def test_wrong_schedules_are_refused() -> None:
    for wrong in ({"name": "step"}, {"warmup_steps": -1}, {"warmup_steps": 1.5}, {"steps": 3}):
        with pytest.raises(ValidationError):
            ScheduleSpec(**wrong)
