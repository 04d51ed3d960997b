"""R3: a worker, or the agent, stands still for longer than is borne, and then goes on as if nothing had been."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.chaos import processes
from support.chaos.checks import check
from support.chaos.plan import SPEC
from support.chaos.ride import Place, Ride
from support.chaos.variables import STALL
from support.chaos.warm import Warm

STALL_SECONDS, STOPPED_SECONDS = 10.0, 13.0
"""A worker that begins imports for some seconds, in which nothing is heard of it: on a busy machine up to eight."""


@pytest.mark.parametrize(("who", "where"), [("worker", "file"), ("agent", "server")])
def test_a_late_result_is_refused_or_accepted_once(
    who: str,
    where: str,
    tmp_path: Path,
    undisturbed: Callable[[dict[str, Any]], list[dict[str, Any]]],
    storage: Callable[[str], str | None],
    warm: Warm,
) -> None:
    ride = Ride(Place(tmp_path, SPEC, storage(where), warm=warm))
    ride.start(**{STALL: str(STALL_SECONDS)})
    assert ride.let_train(40), ride.said
    ride.remember()
    found = processes.workers(ride.agent.pid)
    assert found
    pid = found[0] if who == "worker" else ride.agent.pid
    os.kill(pid, signal.SIGSTOP)
    time.sleep(STOPPED_SECONDS)
    processes.kill(pid, signal.SIGCONT)
    ride.finish(**{STALL: str(STALL_SECONDS)})
    assert [code for code, _ in ride.codes] == [0]
    assert check(ride, undisturbed(SPEC)) == []
    lost = [trial for trial in ride.place.trials() if trial.state == "FAIL"]
    if who == "worker":
        assert len(lost) == 1
        assert "nothing was heard of it for 10 s" in lost[0].known["error"]
    else:
        assert len(lost) <= 2
