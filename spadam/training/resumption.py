"""What a run goes on from: the newest checkpoint that can be gone on from, and a record of those that cannot.

A checkpoint is believed when its digest is right, when it can be read without executing anything, when it is of this
very training, and when the ledger begins with the rows that it had then. Otherwise it is passed over for the one
before, and without any the run starts anew. Either way one warning says so, and the result's `provenance.resumed`.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from spadam.training import checkpoint_files
from spadam.training.checkpoint import AtomicCheckpointIO, LatestCheckpoint
from spadam.training.conditions import check_weights
from spadam.training.ledger import Ledger, Mark, rows
from spadam.training.memory import ran_out

log = logging.getLogger(__name__)

_PARTS = {"epoch", "global_step", "loops", "state_dict", "optimizer_states", "lr_schedulers", "callbacks"}


class Resumption(NamedTuple):
    """Where a run goes on, or begins."""

    path: Path | None
    """The checkpoint; None at the very beginning."""
    content: dict[str, Any] | None
    """What it holds, read already."""
    history: list[dict[str, Any]]
    """All resumptions of the run, this one too: `step`, and what was passed over as `damaged`."""


def resume(folder: Path, ledger: Ledger, weights: Mapping[str, Any]) -> Resumption:
    """Where the run goes on whose checkpoints are in ``folder``; ``ledger`` is set back to there.

    ``weights`` are those of its module, by name. Raises OSError when the ledger cannot be written.
    """
    passed_over: list[str] = []
    for path in checkpoint_files.saved(folder):
        found = _read(path, ledger, weights)
        if isinstance(found, str):
            passed_over.append(f"{path.name}: {found}")
            continue
        content, mark = found
        if mark is None:
            ledger.truncate(checkpoint_files.step_of(path))
        else:
            ledger.rewind(mark)
        step, before = checkpoint_files.step_of(path), _own(content).get("resumed", [])
        history = [*before, {"step": step, "damaged": passed_over}]
        _tell(folder, passed_over, f"going on from step {step}")
        return Resumption(path, content, history)
    ledger.rewind(None)
    _tell(folder, passed_over, "starting anew")
    return Resumption(None, None, [{"step": 0, "damaged": passed_over}] if passed_over else [])


def _read(path: Path, ledger: Ledger, weights: Mapping[str, Any]) -> tuple[dict[str, Any], Mark | None] | str:
    """What the checkpoint at ``path`` holds, and where the ledger was; or why it cannot be gone on from.

    There is no mark in what an older release has written.
    """
    if (said := checkpoint_files.damage(path)) is not None:
        return said
    try:
        with warnings.catch_warnings(action="ignore"):  # torch wonders at what is none
            content = AtomicCheckpointIO().load_checkpoint(path)
        if missing := _PARTS - content.keys():
            return f"it lacks {', '.join(sorted(missing))}"
        if content["global_step"] != checkpoint_files.step_of(path):
            return f"it is of step {content['global_step']}"
        check_weights(content["state_dict"], weights)
        mark = None if (noted := _own(content).get("ledger")) is None else Mark(*noted)
        if not (_is_readable(ledger) if mark is None else ledger.holds(mark)):
            return f"{ledger.path.name} has not the rows that it had then"
    except Exception as error:  # whatever has the right digest may be in there
        if ran_out(error):
            raise
        return f"it is no checkpoint of this training ({type(error).__name__})"
    return content, mark


def _own(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """What :class:`LatestCheckpoint` has noted in a checkpoint."""
    noted: Mapping[str, Any] = content["callbacks"].get(LatestCheckpoint.__qualname__, {})
    return noted


def _is_readable(ledger: Ledger) -> bool:
    try:
        rows(ledger.path)
    except ValueError:
        return False
    return True


def _tell(folder: Path, passed_over: list[str], then: str) -> None:
    if passed_over:
        log.warning("%s: damaged, %s (%s)", folder, then, "; ".join(passed_over))
