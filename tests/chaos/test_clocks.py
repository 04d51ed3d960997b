"""R11: one process has another clock, or another time zone, than those that look at what it does."""

import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support.chaos.checks import check
from support.chaos.plan import LAZY, SPEC
from support.chaos.ride import Place, Ride
from support.chaos.variables import CLOCK

EAST, WEST = "Pacific/Kiritimati", "America/Los_Angeles"
"""22 hours apart."""

LONG = {**SPEC, **LAZY}


@pytest.mark.parametrize(("hours", "where"), [(1, "server"), (0, "file"), (-1, "file")])
def test_nothing_is_given_up_for_a_wrong_clock_and_times_are_right(
    hours: int,
    where: str,
    tmp_path: Path,
    undisturbed: Callable[[dict[str, Any]], list[dict[str, Any]]],
    storage: Callable[[str], str | None],
) -> None:
    """The agent's clock is wrong by so many hours, that of who looks by as many the other way; then they exchange."""
    ride, turned = Ride(Place(tmp_path, LONG, storage(where))), str(3600 * hours)
    agent, reader = {CLOCK: turned, "TZ": EAST}, {CLOCK: str(-3600 * hours), "TZ": WEST}
    ride.start(**agent)
    assert ride.let_train(40), ride.said
    ride.look(**reader)
    (look,) = ride.looks
    since = datetime.fromisoformat(look.status["agent"]["since"]) - timedelta(hours=hours)
    assert abs((datetime.now(UTC) - since).total_seconds()) < 120
    ride.kill(ride.agent.pid)
    ride.look(**reader)
    said = subprocess.run(
        ride.place.words("status"),
        env=ride.place.environment(**reader),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = re.search(r"nobody works on it since (\S+ \S+) UTC", said)
    assert found, said
    left = datetime.fromisoformat(found[1]).replace(tzinfo=UTC)
    assert abs((datetime.now(UTC) - left).total_seconds()) < 60
    ride.finish(**reader)
    assert check(ride, undisturbed(LONG)) == []
    lost = [trial for trial in ride.place.trials() if trial.state == "FAIL"]
    assert len(lost) <= ride.place.size  # what was under way when the agent was killed
