"""A training of a second on digits, how it is stopped, and what of it is held against that of another.

As a program it trains into the folder it is given, and is killed in its second epoch, with a checkpoint every step.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from spadam.config import RunConfig
from spadam.spec import Document, merge, validate
from spadam.training import ledger, telemetry
from spadam.training.progress import Progress
from spadam.training.result import RunResult
from spadam.training.run import run

BASE: dict[str, Any] = {
    "seed": 3,
    "data": {"name": "digits", "batch_size": 64},
    # `auto` is certified only where small products are fast, and only then there is something to say of it.
    "model": {"latents": 64, "rule": {"name": "top_k", "k": 4}, "selection": "certified"},
    "optimizer": {"name": "lazy_adam", "lr": 1e-2},
    "trainer": {"epochs": 2},
    "tracking": {"mode": "disabled"},
}
STEPS = 1200 // 64  # in an epoch


def config(**overlay: Any) -> RunConfig:
    return validate(RunConfig, Document(merge(BASE, overlay), {}, "test"))


def timeless(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != "time" and not name.startswith("time/")}


def same(a: RunResult, b: RunResult) -> bool:
    """Every number equal to the last bit, but times."""
    return (
        timeless(a.metrics) == timeless(b.metrics)
        and a.arrays == b.arrays
        and a.status == b.status
        and list(map(timeless, a.evaluations)) == list(map(timeless, b.evaluations))
    )


def rows(folder: Path) -> list[dict[str, Any]]:
    return [timeless(row) for row in ledger.rows(folder / "metrics.jsonl")]


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


class Stop(Exception):
    """Ends a training as a kill would: nothing after it is written."""


def run_until(step: int, wanted: RunConfig, folder: Path) -> Path:
    """Train into ``folder`` and stop at ``step``, which is seen because every step is told."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(telemetry, "_PROGRESS_SECONDS", 0.0)
        with pytest.raises(Stop):
            run(wanted, folder, progress=stop_at(step))
    return folder


def stop_at(step: int, error: type[BaseException] = Stop) -> Any:
    def watch(progress: Progress) -> None:
        if progress.step >= step:
            raise error

    return watch


def _die(progress: Progress) -> None:
    if progress.step > STEPS:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    telemetry._PROGRESS_SECONDS = 0.0  # every step is told
    run(config(trainer={"checkpoint_every": 1}), Path(sys.argv[1]), progress=_die)
