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


@pytest.mark.parametrize("name", ["constant", "cosine", "linear", "decay"])
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


def test_a_decay_is_constant_and_then_a_line_to_zero() -> None:
    """Over the last fifth of the run, or over as many steps as are asked for; `constant` with these is one too."""
    assert factors(10, name="decay") == [1.0] * 9 + [0.5, 0.0, 0.0]
    assert factors(10, name="decay", decay_steps=5) == [1.0] * 6 + [0.8, 0.6, 0.4, 0.2, 0.0, 0.0]
    assert factors(10, decay_steps=5) == factors(10, name="decay", decay_steps=5)
    assert factors(4, name="decay") == [1.0, 1.0, 1.0, 1.0, 0.0, 0.0]  # less than five steps: the last of them


def test_a_decay_goes_with_a_warm_up_and_takes_what_that_leaves() -> None:
    assert factors(10, name="decay", warmup_steps=4, decay_steps=3)[:8] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0]
    assert factors(10, warmup_steps=6, decay_steps=8)[6:] == [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    assert factors(4, warmup_steps=6, decay_steps=8) == pytest.approx([n / 6 for n in range(1, 7)])


def test_only_a_constant_schedule_needs_no_length() -> None:
    assert not ScheduleSpec().needs_length
    assert all(ScheduleSpec(name=name).needs_length for name in ("cosine", "linear", "decay"))
    assert ScheduleSpec(decay_steps=3).needs_length


def test_what_a_schedule_is_without_a_decay_is_what_it_was() -> None:
    """Sweeps that began before there was one go on."""
    assert ScheduleSpec().model_dump() == {"name": "constant", "warmup_steps": 0}
    assert ScheduleSpec(decay_steps=3).model_dump()["decay_steps"] == 3


def test_wrong_schedules_are_refused() -> None:
    for wrong in ({"name": "step"}, {"warmup_steps": -1}, {"warmup_steps": 1.5}, {"steps": 3}, {"decay_steps": 0}):
        with pytest.raises(ValidationError):
            ScheduleSpec(**wrong)
    for name in ("cosine", "linear"):
        with pytest.raises(ValidationError, match=f"a {name} schedule falls to 0 over the whole run"):
            ScheduleSpec(name=name, decay_steps=3)
