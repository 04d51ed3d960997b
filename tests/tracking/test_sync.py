"""A run that was kept offline, and what W&B has of it once it was uploaded, with our command or the client's own."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image

from spadam.config import RunConfig
from spadam.diagnostics import pictures
from spadam.models.autoencoder import SparseAutoencoder
from spadam.spec import load, validate
from spadam.training.ledger import rows
from support.wandb_desk import KEY, Desk
from support.wandb_rows import STEP, logged, shown
from support.wandb_server import WandbServer

CONFIG = """\
data: {name: digits}
model: {latents: 32, rule: {name: top_k, k: 4}}
optimizer: {name: lazy_adam, lr: 1.0e-2}
trainer: {epochs: 2}
probe: null
tracking: {mode: offline, project: sparse}
"""


@pytest.mark.slow
@pytest.mark.parametrize("way", ["spadam", "wandb"])
def test_an_offline_run_needs_no_account_and_is_uploaded_whole(desk: Desk, server: WandbServer, way: str) -> None:
    (desk.root / "here" / "run.yaml").write_text(CONFIG)
    done = desk.command("spadam", "train", "run.yaml", "--out", "run", WANDB_BASE_URL=server.address)
    assert done.returncode == 0, done.stderr
    assert server.requests == []

    folder = desk.root / "here" / "run"
    (kept,) = folder.glob("wandb/offline-run-*")
    here = {"WANDB_BASE_URL": server.address, "WANDB_API_KEY": KEY}
    done = desk.command(*(("spadam", "sync", "run") if way == "spadam" else ("wandb", "sync", str(kept))), **here)
    assert done.returncode == 0, done.stderr
    assert server.not_understood == []
    ((name, run),) = server.runs.items()
    assert name in kept.name
    assert run.said("displayName") == "lazy_adam · digits · seed 0"
    again = desk.command("spadam", "sync", "run", **here)
    assert again.stdout == f"nothing new: the only run is there already ({server.address}, project sparse)\n"
    assert (run.complete, run.exit_code, run.said("project")) == (True, 0, "sparse")

    *measured, pictured = [shown(row) for row in run.rows]
    assert measured == logged(folder)
    assert pictured[STEP] == rows(folder / "metrics.jsonl")[-1]["step"]

    result = json.loads((folder / "result.json").read_text())
    assert run.config == result["config"]
    known = {name: value for name, value in result["metrics"].items() if value is not None}
    assert {name: run.summary[name] for name in known} == known
    texts = [warning["text"] for warning in result["warnings"]]
    assert (run.summary["status"], run.summary["warnings"]) == ("complete", texts)
    assert run.summary["warning_count"] == len(result["warnings"])

    config = validate(RunConfig, load(folder / "config.yaml"))
    drawn = pictures.draw(SparseAutoencoder.load(folder), config.data.load())
    assert set(drawn) == {name for name in pictured if name != STEP} == {"pictures/decoder", "pictures/reconstructions"}
    for name, picture in drawn.items():
        arrived = np.asarray(Image.open(io.BytesIO(run.uploads[pictured[name]["path"]])))
        np.testing.assert_array_equal(arrived, picture)
