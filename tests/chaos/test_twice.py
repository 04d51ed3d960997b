"""R5: the same command is given twice at once: one of them leaves, and nothing is done twice."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.chaos.checks import check
from support.chaos.grounds import WHERE
from support.chaos.plan import SMALL
from support.chaos.ride import Place, Ride
from support.chaos.warm import Warm

Results = Callable[[dict[str, Any]], list[dict[str, Any]]]


@pytest.mark.parametrize("where", WHERE)
def test_of_two_in_one_folder_the_second_leaves(
    where: str, tmp_path: Path, undisturbed: Results, storage: Callable[[str], str | None], warm: Warm
) -> None:
    place = Place(tmp_path, SMALL, storage(where), warm=warm)
    both = [Ride(place), Ride(place)]
    for ride in both:
        ride.start()
    first, second = sorted(both, key=lambda ride: ride.agent.wait(timeout=120) != 0)
    assert (first.agent.returncode, second.agent.returncode) == (0, 1), first.said
    assert "another agent works " in first.said
    assert "since 20" in first.said
    held(first, undisturbed)


def held(ride: Ride, undisturbed: Results) -> None:
    """Nothing was lost, and each training was done once."""
    ride.codes.append((0, ride.place.trials()))
    ride.look()
    assert check(ride, undisturbed(SMALL)) == []
    begun = [step for step in ride.steps if step.number == 0]
    assert len(begun) == len(ride.place.trials()) == 3


def test_of_two_in_two_folders_with_one_server_the_second_leaves(
    tmp_path: Path, undisturbed: Results, storage: Callable[[str], str | None], warm: Warm
) -> None:
    here = Place(tmp_path / "here", SMALL, storage("server"), warm=warm)
    both = [Ride(here), Ride(dataclasses.replace(here, folder=tmp_path / "there"))]
    for ride in both:
        ride.start()
    first, second = sorted(both, key=lambda ride: ride.agent.wait(timeout=120) != 0)
    assert (first.agent.returncode, second.agent.returncode) == (0, 1), (first.said, second.said)
    assert "another agent works " in second.said
    assert not list(second.steps)
    held(first, undisturbed)
