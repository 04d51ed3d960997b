"""The command line as it is, but that trainings note their steps; and that a test may turn this process's clock.

`python -m support.chaos.command sweep run …`; see :mod:`support.chaos.variables`.
"""

from __future__ import annotations

import datetime
import functools
import os
import sys
import time
from dataclasses import replace
from typing import Any

from support.chaos.variables import CLOCK, LOG, STALL


def turn_clock(seconds: float) -> None:
    """Have this process believe that it is so much later; what runs meanwhile is measured by another clock."""
    true_time, true_datetime, shift = time.time, datetime.datetime, datetime.timedelta(seconds=seconds)

    class Alike(type(true_datetime)):
        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, true_datetime)

    class Turned(true_datetime, metaclass=Alike):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:
            return true_datetime.now(tz) + shift

        @classmethod
        def utcnow(cls) -> datetime.datetime:
            return true_datetime.now(datetime.UTC).replace(tzinfo=None) + shift

    time.time = lambda: true_time() + seconds
    datetime.datetime = Turned  # type: ignore[misc]


def main() -> None:
    if CLOCK in os.environ:
        turn_clock(float(os.environ[CLOCK]))
    if LOG in os.environ and sys.argv[1:3] == ["sweep", "run"]:
        from spadam.sweep.running import agent
        from support.chaos import trained

        run = agent.run_sweep

        @functools.wraps(run)
        def run_noted(*given: Any, means: Any, **named: Any) -> Any:
            if STALL in os.environ:
                means = replace(means, stall_seconds=float(os.environ[STALL]))
            return run(*given, means=means, train=trained.train, **named)

        agent.run_sweep = run_noted
    from spadam.cli import program

    program()


if __name__ == "__main__":
    main()
