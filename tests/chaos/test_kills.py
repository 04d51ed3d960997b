"""R1: workers, their server and the agent are killed at any moment, again and again; nothing is lost by it, exactly.

SPADAM_CHAOS_KILLS says how many kills there are in all, over as many seeds as that takes.
"""

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.chaos.checks import check
from support.chaos.grounds import ground
from support.chaos.plan import SPEC, TPE
from support.chaos.ride import Place, Ride, harass
from support.chaos.warm import Warm

KILLS = int(os.environ.get("SPADAM_CHAOS_KILLS", "50"))
KILLS_OF_A_SEED = 5
SEEDS = max(10, KILLS // KILLS_OF_A_SEED)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_nothing_is_lost(
    seed: int,
    tmp_path: Path,
    undisturbed: Callable[[dict[str, Any]], list[dict[str, Any]]],
    storage: Callable[[str], str | None],
    warm: Warm,
    record_property: Callable[[str, object], None],
) -> None:
    crew, where = ground(seed)
    spec = TPE if seed // 2 % 2 else SPEC
    ride = Ride(Place(tmp_path, spec, storage(where), crew, warm=warm if seed % 5 else None))
    harass(ride, KILLS_OF_A_SEED, random.Random(seed))
    record_property("kills", ride.kills)
    record_property("kills of workers", ride.worker_kills)
    assert check(ride, undisturbed(spec)) == []
    assert ride.kills == KILLS_OF_A_SEED, "the sweep ended too early for its kills"
