"""When a training ends: what its limits remember when it is resumed."""

from typing import Any

import pytest

from spadam.config import TrainerSpec
from spadam.training.limits import Limits


class Trainer:
    """As much of a trainer as limits look at."""

    global_step = 0
    should_stop = False


def test_seconds_count_over_all_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("spadam.training.limits.time.monotonic", lambda: now)
    spec, module, trainer = TrainerSpec(epochs=None, time_limit=10.0), Any, Trainer()

    def step(limits: Limits) -> bool:
        limits.on_train_batch_end(trainer, module, {"loss": 1.0}, None, 0)  # type: ignore[arg-type]
        return trainer.should_stop

    first = Limits(spec, 5)
    first.on_train_start(trainer, module)  # type: ignore[arg-type]
    now += 6.0
    assert not step(first)
    second, trainer = Limits(spec, 5), Trainer()
    second.load_state_dict(first.state_dict())
    now += 500.0
    second.on_train_start(trainer, module)  # type: ignore[arg-type]
    assert not trainer.should_stop, "the time between two attempts is nobody's"
    now += 3.0
    assert not step(second)
    now += 1.5
    assert step(second), "6 + 4.5 of 10 seconds"
    third, trainer = Limits(spec, 5), Trainer()
    third.load_state_dict(second.state_dict())
    third.on_train_start(trainer, module)  # type: ignore[arg-type]
    assert trainer.should_stop, "nothing is left"
