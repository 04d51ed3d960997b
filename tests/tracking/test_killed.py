"""Workers that are killed in the middle of tracked trainings: every row once, online and when it is brought there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from spadam.training import ledger
from support.killed_training import STEPS
from support.paths import SUPPORT
from support.short_training import timeless
from support.wandb_desk import KEY, Desk
from support.wandb_rows import STEP, logged, run_of, shown
from support.wandb_server import WandbServer

SWEEP = """\
name: lr-eps
base:
  data: {name: digits, batch_size: 256}
  model: {latents: 16, rule: {name: top_k, k: 4}}
  trainer: {epochs: null, steps: 12, checkpoint_every: 2, kernels: reference}
  probe: null
  tracking: {mode: MODE, project: sparse}
variants:
  lazy: {optimizer: {name: lazy_adam}}
space:
  optimizer.lr: {low: 1.0e-4, high: 1.0e-1, log: true}
search: {sampler: random, trials: 1, seed: 0}
repeat: {seeds: 0}
"""


def killed_sweep(desk: Desk, server: WandbServer, mode: str) -> list[Path]:
    """A sweep each of whose trainings is killed twice; the folders of the attempts that were accepted."""
    (desk.root / "here" / "sweep.yaml").write_text(SWEEP.replace("MODE", mode))
    path = f"{SUPPORT}:{desk.environment['PYTHONPATH']}"
    here = {"WANDB_BASE_URL": server.address, "WANDB_API_KEY": KEY, "WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL": "0.2"}
    done = subprocess.run(
        [sys.executable, "-m", "support.killed_training", "sweep.yaml", "runs"],
        cwd=desk.root / "here",
        env=desk.environment | here | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    folders = sorted((desk.root / "here" / "runs" / "lr-eps").glob("lazy/*/attempt-2"))
    assert len(folders) == 1
    return folders


def arrived(server: WandbServer, folder: Path) -> list[dict[str, Any]]:
    run = run_of(server, folder)
    assert run.summary["status"] == "complete"
    *measured, pictured = [shown(row) for row in run.rows]
    assert set(pictured) == {STEP, "pictures/decoder", "pictures/reconstructions"}
    return [timeless(row) for row in measured]


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["online", "offline"])
def test_every_row_of_a_killed_training_is_there_once(desk: Desk, server: WandbServer, mode: str) -> None:
    folders = killed_sweep(desk, server, mode)
    for _ in range(2):
        if mode == "offline":
            here = {"WANDB_BASE_URL": server.address, "WANDB_API_KEY": KEY}
            done = desk.command("spadam", "sync", "runs/lr-eps", **here)
            assert done.returncode == 0, done.stderr
        for folder in folders:
            evaluated = [row["step"] for row in ledger.rows(folder / "metrics.jsonl") if "val/fvu" in row]
            assert evaluated == sorted(set(evaluated))
            assert evaluated[-1] == STEPS
            assert arrived(server, folder) == [timeless(row) for row in logged(folder)]
            assert len([run for run in server.runs if folder.parts[-2] in run]) == 1, "one run for all attempts"
