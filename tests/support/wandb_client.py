"""A stand-in for a training, run as a process of its own: wandb's client keeps state for the whole of one.

Reads a list of runs as JSON from standard input and writes, as JSON, what it saw to standard output; log lines go to
standard error. The runs follow one another in this process, each with a ledger and a recorder as a training has them.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from spadam.tracking import TrackingSpec, open_run
from spadam.training.ledger import Ledger, Recorder


def train(run: dict[str, Any]) -> None:
    folder = Path(run["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    tracker = open_run(
        TrackingSpec.model_validate(run["spec"]),
        folder=folder,
        run_id=run["id"],
        config=run.get("config", {}),
        group=run.get("group"),
        job_type=run.get("job_type"),
        tags=tuple(run.get("tags", ())),
        name=run.get("name"),
        before=run.get("before"),
    )
    recorder = Recorder(Ledger(folder / "metrics.jsonl"), tracker)
    for n, row in enumerate(run["rows"]):
        recorder.record(row)
        if n == run.get("kill_client_at"):
            for child in children():
                os.kill(child, signal.SIGKILL)
            time.sleep(0.2)
    if "pictures" in run:
        pictures = {name: np.array(values, np.uint8) for name, values in run["pictures"].items()}
        recorder.show(lambda: pictures, step=run["rows"][-1]["step"] + 1)
    time.sleep(run.get("pause", 0.0))
    if run.get("kill_me"):
        (kept,) = folder.glob("wandb/offline-run-*/run-*.wandb")
        end = time.monotonic() + 10  # unless told otherwise, the client writes after fifteen seconds
        while run["last"].encode() not in kept.read_bytes() and time.monotonic() < end:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGKILL)
    recorder.finish(run.get("summary", {}), exit_code=run.get("exit_code", 0))


def children() -> list[int]:
    return [int(pid) for pid in Path("/proc/self/task", str(os.getpid()), "children").read_text().split()]


def arguments() -> list[str]:
    """The command lines of this process and of those it started."""
    return [Path("/proc", str(pid), "cmdline").read_text() for pid in (os.getpid(), *children())]


if __name__ == "__main__":
    logging.basicConfig(level=logging.DEBUG, format="%(name)s %(levelname)s %(message)s")
    told = []
    for each in json.load(sys.stdin):
        train(each)
        told += arguments()
    json.dump({"arguments": told, "wandb": "wandb" in sys.modules}, sys.stdout)
