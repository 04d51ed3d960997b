"""The far end of wandb's client, and a place for the processes that talk to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.wandb_desk import Desk
from support.wandb_server import WandbServer


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def server() -> Iterator[WandbServer]:
    with WandbServer() as listening:
        yield listening
