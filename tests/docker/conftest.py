"""The engine, the image, and the sweep to which everything happens, once for all tests of this folder."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spadam.files import strict_json
from spadam.sweep.running.agent import run_sweep
from spadam.sweep.running.means import Means
from support.chaos.ride import Place
from support.docker.build import build
from support.docker.ride import SPEC, Ridden, ride
from support.docker.stack import Stack
from support.paths import ROOT

ENGINE = ROOT / "tests" / "support" / "docker" / "engine.sh"


@pytest.fixture(scope="session")
def engine() -> Iterator[None]:
    """A Docker engine; where there can be none, all tests are skipped, and say why."""
    started = subprocess.run([ENGINE, "up"], capture_output=True, text=True, check=False)
    try:
        if started.returncode == 3:
            pytest.skip(started.stderr.strip())
        assert started.returncode == 0, started.stderr
        yield
    finally:
        subprocess.run([ENGINE, "stop"], check=True)


@pytest.fixture(scope="session")
def image(engine: None, tmp_path_factory: pytest.TempPathFactory) -> str:
    return build(tmp_path_factory.mktemp("build"))


@pytest.fixture(scope="session")
def stack(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("stack"), image)
    stack.down()  # what an earlier session left
    try:
        yield stack
    finally:
        stack.down()


@pytest.fixture(scope="session")
def ridden(stack: Stack) -> Ridden:
    return ride(stack)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The results of the same sweep, trained in no container."""
    place = Place(tmp_path_factory.mktemp("undisturbed"), SPEC)
    rows: list[dict[str, Any]] = json.loads(strict_json(run_sweep(place.file, place.out, means=Means(workers=2)).rows))
    return rows


@pytest.fixture(scope="session")
def home(ridden: Ridden, stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the sweep, brought out as docs/deploy.md says."""
    folder = tmp_path_factory.mktemp("out")
    stack.compose("cp", f"dashboard:/srv/runs/{SPEC['name']}", str(folder))
    return folder / str(SPEC["name"])
