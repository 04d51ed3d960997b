"""A run that an older release began goes on: the layout of its checkpoint, written down as that release saved it."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch

from spadam.config import RunConfig
from spadam.optim import Signum, SignumSpec
from spadam.spec import Document, validate
from spadam.training import checkpoint_files
from spadam.training.ledger import rows
from spadam.training.old_checkpoints import modernise
from spadam.training.progress import Progress
from spadam.training.run import run


class Stop(Exception):
    pass


def config(tied: bool) -> RunConfig:
    document = {
        "seed": 3,
        "data": {"name": "digits", "batch_size": 64},
        "model": {"latents": 64, "tied": tied, "rule": {"name": "top_k", "k": 4}, "selection": "certified"},
        "optimizer": {"name": "lazy_adam", "lr": 1e-2},
        "trainer": {"epochs": 2, "checkpoint_every": 5},
        "tracking": {"mode": "disabled"},
    }
    return validate(RunConfig, Document(document, {}, "test"))


def as_before(new: dict[str, Any]) -> dict[str, Any]:
    """The checkpoint as it was: all that telemetry counted under its own keys, and the search's room with it."""
    old, telemetry = dict(new), dict(new["callbacks"]["Telemetry"])
    seen = telemetry.pop("diagnostics")
    search, usages = seen["TopKSearch"], list(seen["RowUsages"]["tables"].values())
    telemetry |= {
        "usage": usages[0],
        "loss_sum": seen["LossStream"]["sum"],
        "correct": seen["OnlineAccuracy"]["correct"],
        "labelled": seen["OnlineAccuracy"]["samples"],
        "selection": ((search["searched"], search["certified"], search["widenings"]), old.pop("selector_room")),
        "looks": seen["WeightUpdates"],
        **seen["StepTimes"],
    }
    assert sorted(telemetry) == [
        "arrays", "correct", "evaluations", "labelled", "looks", "loss_sum", "optimizer_ms", "seconds", "selection",
        "step_ms", "usage",
    ]  # fmt: skip
    return {**old, "callbacks": {**new["callbacks"], "Telemetry": telemetry}}


def timeless(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "time" and not name.startswith("time/")}


@pytest.mark.parametrize("tied", [True, False])
def test_it_resumes_to_the_last_bit(tied: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spadam.training.telemetry._PROGRESS_SECONDS", 0.0)
    whole = run(config(tied), tmp_path / "whole")

    def stop(progress: Progress) -> None:
        if progress.step >= 27:
            raise Stop

    with pytest.raises(Stop):
        run(config(tied), tmp_path / "out", progress=stop)
    saved = checkpoint_files.latest(tmp_path / "out" / "checkpoints")
    assert saved is not None
    old = as_before(torch.load(saved, weights_only=True))
    assert "diagnostics" not in old["callbacks"]["Telemetry"]
    torch.save(old, saved)
    saved.with_name(saved.name + ".sha256").write_text(hashlib.sha256(saved.read_bytes()).hexdigest())
    resumed = run(config(tied), tmp_path / "out")
    assert timeless(resumed.metrics) == timeless(whole.metrics)
    assert resumed.arrays == whole.arrays
    written = [[timeless(row) for row in rows(tmp_path / name / "metrics.jsonl")] for name in ("out", "whole")]
    assert written[0] == written[1]
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("out", "whole")]
    assert weights[0] == weights[1]


def test_signum_without_momentum_goes_on_as_sign_sgd() -> None:
    param = torch.nn.Parameter(torch.ones(3, 2))
    old = Signum([param], lr=0.1, momentum=0.0)
    for _ in range(2):
        param.grad = torch.ones(3, 2).to_sparse(1)
        old.step()
    found = modernise({"optimizer_states": [old.state_dict()], "callbacks": {}})
    twin = torch.nn.Parameter(param.detach().clone())
    heir = SignumSpec(momentum=0.0, lr=0.5).build([twin])
    heir.load_state_dict(found["optimizer_states"][0])
    for weight, optimizer in ((param, old), (twin, heir)):
        weight.grad = -torch.ones(3, 2).to_sparse(1)
        optimizer.step()
    assert torch.equal(param, twin)
    with_momentum = {"optimizer_states": [Signum([param]).state_dict()], "callbacks": {}}
    assert modernise(with_momentum) is with_momentum


def test_one_of_today_is_left_alone() -> None:
    for today in ({"callbacks": {"Telemetry": {"diagnostics": {}}}}, {"callbacks": {}}, {"state_dict": {}}):
        assert modernise(today) is today


def test_old_names_of_callbacks_are_kept() -> None:
    """Lightning finds a callback's state by its class's name."""
    from spadam.training.checkpoint import LatestCheckpoint
    from spadam.training.limits import Cutter, Limits
    from spadam.training.telemetry import Telemetry

    names = [kind.__qualname__ for kind in (Telemetry, Limits, Cutter, LatestCheckpoint)]
    assert names == ["Telemetry", "Limits", "Cutter", "LatestCheckpoint"]
