"""What faults are held against: the same sweeps, to which nothing happens."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from spadam.files import strict_json
from spadam.sweep.running.agent import run_sweep
from spadam.sweep.running.means import Means
from support.chaos.ride import Place
from support.chaos.warm import Warm

Rows = list[dict[str, Any]]


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[dict[str, Any]], Rows]:
    """The results of a sweep that is trained here, by nobody but this process."""
    known: dict[str, Rows] = {}

    def results(spec: dict[str, Any]) -> Rows:
        if (key := json.dumps(spec)) not in known:
            place = Place(tmp_path_factory.mktemp("undisturbed"), spec)
            rows = run_sweep(place.file, place.out, means=Means(workers=0)).rows
            known[key] = json.loads(strict_json(rows))
        return known[key]

    return results


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    """Who begins commands without their imports."""
    warm = Warm()
    yield warm
    warm.close()


@pytest.fixture
def storage() -> Callable[[str], str | None]:
    """The address of a new database for `server`, nothing for `file`."""

    def make(where: str) -> str | None:
        assert where == "file"
        return None

    return make
