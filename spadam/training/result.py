"""What a training gave, and the file that holds it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, NamedTuple

from spadam.config import RunConfig, stored_config
from spadam.diagnostics.former_names import renamed
from spadam.diagnostics.warned import read_warning
from spadam.files import check_folder, strict_json, write_atomic
from spadam.spec import InputError, load

Status = Literal["complete", "pruned", "diverged"]
"""How a training ended. `pruned`: a search cut it short. `diverged`: its loss was not finite or exploded; a result."""


class RunResult(NamedTuple):
    """What a training gave; result.json holds it."""

    status: Status
    metrics: dict[str, float | None]
    """The last value of every metric; null where it is not a finite number."""
    arrays: dict[str, Any]
    """Metrics that are more than one number."""
    warnings: list[dict[str, Any]]
    """What keeps the numbers from meaning what one may think (:mod:`spadam.diagnostics.warned`)."""
    config: dict[str, Any]
    """The whole configuration."""
    provenance: dict[str, Any]
    """Versions, device, threads, kernels, data hash, times."""
    evaluations: list[dict[str, Any]]
    """Every evaluation, step 0 first: epoch, step, time, metrics."""


def read_result(config: RunConfig, out: Path) -> RunResult | None:
    """The result in ``out``; None if there is none yet. Raises :class:`InputError` when another run lives there."""
    check_folder(out)
    if not (out / "config.yaml").exists():
        return None
    known = stored_config(load(out / "config.yaml"))
    if known.identity() != config.identity():
        rule = "the folder holds a run of another configuration"
        raise InputError("--out", str(out), rule, "choose another folder, or remove this one")
    if not (path := out / "result.json").exists():
        return None
    try:
        return restore(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        rule = f"{path} must be readable ({error.strerror})"
        raise InputError("--out", str(out), rule, "mend it, or choose another folder") from None
    except (ValueError, TypeError, AttributeError) as error:
        rule = f"{path} must hold the result of a training ({error})"
        raise InputError("--out", str(out), rule, "remove it and the same command trains again") from None


def restore(stored: Mapping[str, Any]) -> RunResult:
    """A result as files and storages keep it, read again.

    Warnings of older ones, which were texts, become records, and metrics have their names of today.
    """
    there = RunResult(**stored)
    return there._replace(
        metrics=renamed(there.metrics),
        evaluations=[renamed(row) for row in there.evaluations],
        warnings=[read_warning(warned).plain() for warned in there.warnings],
    )


def versions() -> dict[str, str]:
    """The releases of what can change a number."""
    packages = ("spadam", "torch", "pytorch-lightning", "optuna", "wandb", "numpy", "numba", "scikit-learn")
    return {name: version(name) for name in packages}


def write_result(result: RunResult, out: Path) -> None:
    """Write ``out``/result.json, whole or not at all."""
    write_atomic(out / "result.json", strict_json(result._asdict(), indent=1) + "\n")
