"""A sweep on a cluster that is streamed to W&B: its nodes know no key, and the agent's is seen nowhere."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.ray_cluster import ray_cluster
from support.wandb_desk import KEY, Desk
from support.wandb_rows import logged, run_of, shown
from support.wandb_server import WandbServer

SWEEP = """\
name: lr-eps
base:
  data: {name: digits, batch_size: 256}
  model: {latents: 32, rule: {name: top_k, k: 4}}
  trainer: {epochs: 2}
  tracking: {mode: online, project: sparse}
variants:
  adam: {optimizer: {name: adam}}
space:
  optimizer.lr: {low: 1.0e-4, high: 1.0e-1, log: true}
search: {sampler: random, trials: 2, seed: 0}
repeat: {seeds: 1}
"""


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head that trains nothing, and a node."""
    for name in ("WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/nonexistent")  # neither in the home folder
    with ray_cluster(cpus=0) as made:
        made.add_node(num_cpus=1)
        yield made


def test_the_agents_key_reaches_workers_and_is_seen_nowhere(desk: Desk, server: WandbServer, cluster: Any) -> None:
    here = desk.root / "here"
    (here / "sweep.yaml").write_text(SWEEP)
    online = {
        "WANDB_BASE_URL": server.address,
        "WANDB_API_KEY": KEY,
        "WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL": "0.2",
        "RAY_ADDRESS": cluster.address,
    }
    done = desk.command("spadam", "sweep", "run", "sweep.yaml", "--crew", "ray", **online)
    assert done.returncode == 0, done.stderr
    attempts = sorted((here / "runs" / "lr-eps").glob("*/*/attempt-0"))
    assert len(attempts) == 3
    for folder in attempts:
        run = run_of(server, folder)
        *measured, pictured = [shown(row) for row in run.rows]
        assert measured == logged(folder)
        assert "pictures/decoder" in pictured
        assert (run.complete, run.exit_code) == (True, 0)
    assert {request.authorization for request in server.requests} != {None}
    assert KEY not in done.stdout + done.stderr
    session = Path(cluster.head_node.get_session_dir_path())
    known = {path: content for path, content in _contents(desk.root, session) if KEY.encode() in content}
    assert not known
    assert KEY.encode() not in _told_by_the_head(cluster)
    assert KEY not in subprocess.run(["ps", "axww"], capture_output=True, text=True, check=True).stdout


def _contents(*folders: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file below ``folders``; among those of Ray its logs and what it was begun with."""
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    assert any(path.name.startswith("worker-") for path in files), "Ray's logs are not among them"
    for path in files:
        yield path, path.read_bytes()


def _told_by_the_head(cluster: Any) -> bytes:
    """All that the cluster's head knows of jobs, actors, tasks, workers and nodes: what Ray's state API shows."""
    from ray._raylet import GcsClientOptions, GlobalStateAccessor

    options = GcsClientOptions.create(cluster.address, None, allow_cluster_id_nil=True, fetch_cluster_id_if_nil=False)
    head = GlobalStateAccessor(options)
    assert head.connect()
    tables = [head.get_job_table(), head.get_actor_table(None, None), head.get_task_events(), head.get_worker_table()]
    found = b"".join(bytes(entry) for table in tables for entry in table)
    assert b"Worker.join" in found, "the tables lack what was asked of workers"
    return found + repr(head.get_node_table()).encode()
