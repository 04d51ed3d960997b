"""The first of several hosts: with compose.hosts.yaml head, workers and agent use the host's own network."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from spadam.spec import dump
from support.chaos.plan import SMALL
from support.docker.stack import Stack

FILES = ("compose.yaml", "compose.hosts.yaml")


def own_address() -> str:
    """By which others reach this machine: the one that it would send from. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        asked.connect(("192.0.2.1", 9))
        return str(asked.getsockname()[0])


@pytest.fixture
def first(image: str, tmp_path: Path) -> Iterator[Stack]:
    more = {"HEAD_IP": own_address(), "DB_PORT": "15432", "DASHBOARD_PORT": "18081", "SPEC": "sweeps/sweep.yaml"}
    stack = Stack(tmp_path / "first", image, "spadam-test-first", more)
    (tmp_path / "first" / "sweeps" / "sweep.yaml").write_text(dump(SMALL))
    try:
        yield stack
    finally:
        stack.down()


def test_a_sweep_runs_where_a_further_host_has_joined(first: Stack) -> None:
    first.compose("up", "--detach", "--wait", files=FILES)
    first.more["HEAD"] = f"{first.more['HEAD_IP']}:6379"
    first.compose("up", "--detach", "--wait", files=("compose.worker.yaml",), project=first.joined)
    said = first.compose("run", "--rm", "-T", "sweep", files=FILES)
    assert "the page: runs/chaos/report.html" in said
    status = first.ask("status", "/srv/runs/chaos")
    assert status["done"] is True
