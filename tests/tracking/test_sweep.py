"""A whole sweep on the command line, streamed to a server: each training is one run, and every row is in it."""

from __future__ import annotations

import pytest

from support.wandb_desk import KEY, Desk
from support.wandb_rows import STEP, logged, run_of, shown
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
  lazy: {optimizer: {name: lazy_adam}}
space:
  optimizer.lr: {low: 1.0e-4, high: 1.0e-1, log: true}
search: {sampler: random, trials: 1, seed: 0}
repeat: {seeds: 2}
claims:
  - {says: lazy is worse, variants: [lazy, adam], metric: test/fvu, kind: worse, margin: 0.01}
"""


@pytest.mark.slow
def test_every_training_of_a_sweep_is_a_run_with_all_its_rows(desk: Desk, server: WandbServer) -> None:
    (desk.root / "here" / "sweep.yaml").write_text(SWEEP)
    quick = {"WANDB_BASE_URL": server.address, "WANDB_API_KEY": KEY, "WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL": "0.2"}
    done = desk.command("spadam", "sweep", "run", "sweep.yaml", **quick)
    assert done.returncode == 0, done.stderr
    attempts = sorted((desk.root / "here" / "runs" / "lr-eps").glob("*/*/attempt-0"))
    assert len(attempts) == 2 * (1 + 2)
    of_the_sweep = [run for run in server.runs.values() if run.said("jobType") == "sweep"]
    assert (len(of_the_sweep), len(server.runs)) == (1, len(attempts) + 1)
    for folder in attempts:
        variant, slot = folder.parts[-3:-1]
        run = run_of(server, folder)
        phase, number = slot.split("-")
        assert (run.said("groupName"), run.said("jobType"), run.said("project")) == ("lr-eps", phase, "sparse")
        assert run.said("displayName") == f"{variant} · {phase} {number}"
        assert {variant, phase, "study-0"} <= set(run.said("tags"))
        place = {"name": "lr-eps", "variant": variant, "phase": phase, "study": 0, "slot": int(number)}
        assert run.config["sweep"] == place
        assert run.config["optimizer"]["name"] == {"adam": "adam", "lazy": "lazy_adam"}[variant]
        *measured, pictured = [shown(row) for row in run.rows]
        assert measured == logged(folder)
        assert set(pictured) == {STEP, "pictures/decoder", "pictures/reconstructions"}
        assert (run.summary["status"], run.complete, run.exit_code) == ("complete", True, 0)
    assert of_the_sweep[0].summary["claims/0"].endswith(": lazy is worse")
    assert {"results", "verdicts", "report"} <= {name for row in of_the_sweep[0].rows for name in row}
    assert not any(KEY.encode() in path.read_bytes() for path in desk.root.rglob("*") if path.is_file())
