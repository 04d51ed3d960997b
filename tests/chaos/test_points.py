"""R2: the agent dies at each point where something is half done, and so does a worker; the same command goes on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spadam.faults import DIE_AT, POINTS
from spadam.spec import merge
from spadam.sweep.running.agent import run_sweep
from spadam.sweep.running.means import Means
from support.chaos.checks import check
from support.chaos.grounds import WHERE
from support.chaos.plan import SMALL
from support.chaos.ride import Place, Ride
from support.chaos.warm import Warm

LONGER = merge(SMALL, {"search": {"trials": 4}, "repeat": {"seeds": 2}})
"""What SMALL is extended to."""

ORDERS = [
    *(point for point in POINTS if point != "agent: mid-extension"),
    "agent: sweep half created#3",
    "agent: attempt created#3",  # the first repeat
    "worker: mid-epoch#25",
    "worker: mid-checkpoint#30",
    "worker: checkpoint published#5",
]

NEEDS_NO_CREW = ("sweep half created", "parameters half written", "attempt created", "result kept", "told")

Results = Callable[[dict[str, Any]], list[dict[str, Any]]]


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("order", ORDERS)
def test_a_death_at_a_point_costs_nothing_that_was_there(
    order: str, where: str, tmp_path: Path, undisturbed: Results, storage: Callable[[str], str | None], warm: Warm
) -> None:
    size = 0 if any(name in order for name in NEEDS_NO_CREW) else 1
    ride = Ride(Place(tmp_path, SMALL, storage(where), size=size, warm=warm))
    die(ride, order)
    assert check(ride, undisturbed(SMALL)) == []


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("order", ["agent: mid-extension", "agent: mid-extension#2"])
def test_a_death_while_a_sweep_is_extended_leaves_the_old_one_or_the_new_one(
    order: str, where: str, tmp_path: Path, undisturbed: Results, storage: Callable[[str], str | None], warm: Warm
) -> None:
    url = storage(where)
    before = Place(tmp_path, SMALL, url)
    run_sweep(before.file, before.out, means=Means(workers=0, storage=url))
    ride = Ride(Place(tmp_path, LONGER, url, size=0, warm=warm))
    ride.remember()
    die(ride, order)
    assert check(ride, undisturbed(LONGER)) == []


def die(ride: Ride, order: str) -> None:
    """Give the command, have somebody die as ordered, and give it again until all is done."""
    died = ride.place.folder / "died"
    variables = {DIE_AT: f"{order}@{died}"}
    ride.start(**variables)
    code = ride.wait()
    assert died.exists(), f"nobody came to {order}:\n{ride.said[-2000:]}"
    assert code == (-9 if order.startswith("agent") else 0), ride.said[-2000:]
    ride.remember()
    if code:
        ride.look()
    ride.finish(**variables)
