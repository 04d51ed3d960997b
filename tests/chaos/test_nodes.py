"""R6: nodes of a Ray cluster come, are drained and die, its head too; the same command goes on, on a new one."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.chaos import processes
from support.chaos.checks import check
from support.chaos.plan import SPEC
from support.chaos.ride import Place, Ride
from support.chaos.variables import LOG
from support.ray_cluster import ray_cluster

ADDRESS = "RAY_ADDRESS"

Results = Callable[[dict[str, Any]], list[dict[str, Any]]]
Storage = Callable[[str], str | None]


@contextmanager
def cluster(place: Place) -> Iterator[Any]:
    """A cluster of a head without processors and one node, on this machine; its workers note the steps of ``place``."""
    with pytest.MonkeyPatch.context() as patch:
        for name in (LOG, "PYTHONPATH"):
            patch.setenv(name, place.environment()[name])
        with ray_cluster(cpus=0) as made:
            made.add_node(num_cpus=1)
            yield made


def raylet(node: Any) -> int:
    """The process that is a node."""
    return int(node.all_processes["raylet"][0].process.pid)


def more_steps(ride: Ride, many: int = 60) -> None:
    assert ride.let_train(many), ride.said
    ride.remember()


@pytest.mark.parametrize("where", ["server"])
def test_nodes_come_are_drained_and_die(where: str, tmp_path: Path, undisturbed: Results, storage: Storage) -> None:
    place = Place(tmp_path, SPEC, storage(where), "ray")
    ride = Ride(place)
    with cluster(place) as here:
        ride.start(**{ADDRESS: here.address})
        more_steps(ride)
        second = here.add_node(num_cpus=1)
        more_steps(ride)
        here.remove_node(second, allow_graceful=True)
        third = here.add_node(num_cpus=1)
        more_steps(ride)
        processes.kill(raylet(third), signal.SIGKILL)
        ride.finish(**{ADDRESS: here.address})
    assert check(ride, undisturbed(SPEC)) == []


@pytest.mark.parametrize("where", ["file"])
def test_after_the_head_has_died_the_command_goes_on_elsewhere(
    where: str, tmp_path: Path, undisturbed: Results, storage: Storage
) -> None:
    place = Place(tmp_path, SPEC, storage(where), "ray")
    ride = Ride(place)
    with cluster(place) as here:
        ride.start(**{ADDRESS: here.address})
        more_steps(ride)
        here.head_node.kill_gcs_server(check_alive=False)
        processes.kill(raylet(here.head_node), signal.SIGKILL)
        end = time.monotonic() + 120
        while ride.agent.poll() is None and time.monotonic() < end:
            time.sleep(0.2)
        if ride.agent.poll() is None:
            ride.agent.kill()  # it waits for a cluster that does not come again: a person would stop it
        ride.wait()
    with cluster(place) as there:
        ride.finish(**{ADDRESS: there.address})
    assert check(ride, undisturbed(SPEC)) == []
