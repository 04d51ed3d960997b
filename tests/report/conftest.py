import shutil
from pathlib import Path

import pytest

from support.report_bench import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture(scope="session")
def _ended(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    desk = Desk(tmp_path_factory.mktemp("ended"))
    desk.bench.write({"search": {"trials": 8}, "repeat": {"seeds": 3}})
    assert desk.run() == 0
    return desk


@pytest.fixture
def ended(_ended: Desk, tmp_path: Path) -> Desk:
    """A sweep that has ended, some of its trials diverged, to do with as one likes."""
    shutil.copytree(_ended.bench.spec.parent, tmp_path, dirs_exist_ok=True)
    return Desk(tmp_path, begun=True)


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A real sweep on images: its trainings have weights, and say on what they ran."""
    desk = Desk(tmp_path_factory.mktemp("digits"))
    base = {
        "data": {"name": "digits", "batch_size": 256},
        "model": {"latents": 32, "rule": {"name": "top_k", "k": 4}},
        "trainer": {"steps": 8},
    }
    desk.bench.write({"base": base, "search": {"trials": 1}, "repeat": {"seeds": 1}})
    assert desk.run(None) == 0
    return desk
