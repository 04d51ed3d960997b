"""R4: the PostgreSQL server is killed and comes again, five times: the sweep waits for it, and loses no trial by it."""

import random
import time
from collections.abc import Callable
from typing import Any

from support.chaos.checks import check
from support.chaos.plan import SPEC
from support.chaos.postgres import Postgres
from support.chaos.ride import Place, Ride
from support.chaos.warm import Warm

DOWN_SECONDS = [2.0, 20.0, 5.0, 3.0, 2.0]


def test_a_server_that_comes_again_costs_no_trial(
    server: Postgres, tmp_path: Any, undisturbed: Callable[[dict[str, Any]], list[dict[str, Any]]], warm: Warm
) -> None:
    dice = random.Random(0)
    ride = Ride(Place(tmp_path / "sweep", SPEC, server.database(), warm=warm))
    ride.start()
    for down in DOWN_SECONDS:
        assert ride.let_train(dice.randrange(20, 120)), ride.said
        ride.remember()
        server.kill()
        time.sleep(down)
        server.start()
        assert ride.agent.poll() is None, ride.said[-2000:]
    ride.finish()
    assert [code for code, _ in ride.codes] == [0]
    assert check(ride, undisturbed(SPEC)) == []
    assert [trial for trial in ride.place.trials() if trial.state == "FAIL"] == []
