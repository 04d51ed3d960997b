"""A whole sweep on the command line, streamed to a server: each training is one run, and every row is in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from wandb_desk import KEY, Desk
from wandb_server import WandbServer

from spadam.ledger import rows

SWEEP = """\
name: lr-eps
base:
  data: {name: digits, batch_size: 256}
  model: {latents: 32, rule: {name: top_k, k: 4}}
  trainer: {epochs: 2}
  tracking: {mode: online, project: sparse}
variants:
  adam: {optimizer: {name: adam}}
  lazy: {optimizer: {name: lazy_adam}}
space:
  optimizer.lr: {low: 1.0e-4, high: 1.0e-1, log: true}
search: {sampler: random, trials: 2, seed: 0}
repeat: {seeds: 1}
"""


def logged(folder: Path) -> list[dict[str, Any]]:
    """The numbers in a run's ledger, as W&B is told them."""
    names = {"step": "trainer/global_step"}
    return [
        {names.get(name, name): value for name, value in row.items() if value is not None}
        for row in rows(folder / "metrics.jsonl")
    ]


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """A row at the server, without what wandb adds and without NaN, which the ledger has as null."""
    return {name: value for name, value in row.items() if name[0] != "_" and value == value}


def test_every_training_of_a_sweep_is_a_run_with_all_its_rows(desk: Desk, server: WandbServer) -> None:
    (desk.root / "here" / "sweep.yaml").write_text(SWEEP)
    quick = {"WANDB_BASE_URL": server.address, "WANDB_API_KEY": KEY, "WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL": "0.2"}
    command = [str(Path(sys.executable).with_name("spadam")), "sweep", "run", "sweep.yaml"]
    done = subprocess.run(
        command,
        cwd=desk.root / "here",
        env=desk.environment | quick,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    attempts = sorted((desk.root / "here" / "runs" / "lr-eps").glob("*/*/attempt-0"))
    assert len(attempts) == 2 * (2 + 1)
    assert len(server.runs) == len(attempts)
    for folder in attempts:
        variant, slot = folder.parts[-3:-1]
        (run,) = [run for name, run in server.runs.items() if name.startswith(f"lr-eps-{variant}-{slot}-")]
        assert (run.said("groupName"), run.said("jobType"), run.said("project")) == ("lr-eps", variant, "sparse")
        assert slot.split("-")[0] in run.said("tags")
        assert run.config["optimizer"]["name"] == {"adam": "adam", "lazy": "lazy_adam"}[variant]
        assert [shown(row) for row in run.rows] == logged(folder)
        assert (run.summary["status"], run.complete, run.exit_code) == ("complete", True, 0)
    assert not any(KEY.encode() in path.read_bytes() for path in desk.root.rglob("*") if path.is_file())
