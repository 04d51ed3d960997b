"""A run's rows in one form, whether they come from its ledger or from W&B."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spadam.training.ledger import rows
from support.wandb_server import SeenRun, WandbServer

STEP = "trainer/global_step"


def run_of(server: WandbServer, folder: Path) -> SeenRun:
    """What ``server`` has of the attempt in ``folder``, which lies in the folder of its sweep."""
    sweep, variant, slot, _ = folder.parts[-4:]
    (run,) = [run for name, run in server.runs.items() if name.startswith(f"{sweep}-{variant}-{slot}-")]
    return run


def logged(folder: Path) -> list[dict[str, Any]]:
    """The rows in a run's ledger, as W&B is told them: without nulls, histograms in its form."""
    names = {"step": STEP}
    return [
        {names.get(name, name): _value(value) for name, value in row.items() if value is not None}
        for row in rows(folder / "metrics.jsonl")
    ]


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row at W&B, without what its client adds and without NaN, which the ledger has as null."""
    return {name: value for name, value in row.items() if name[0] != "_" and value == value and value != "NaN"}


def _value(value: object) -> object:
    if isinstance(value, Mapping):
        return {"_type": "histogram", "values": value["counts"], "bins": value["edges"]}
    return value
