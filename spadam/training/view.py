"""What is shown of a training elsewhere: who it is, what came of it, and all of it again from its folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spadam.config import RunConfig
from spadam.spec import InputError
from spadam.tracking import Identity, Tracker
from spadam.training.ledger import rows
from spadam.training.result import RunResult

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def identity_of(config: RunConfig) -> Identity:
    """Who a training is that belongs to no sweep."""
    data, optimizer, seed = config.data.name, config.optimizer.name, config.seed
    return Identity(
        run_id=f"{data}-{optimizer}-{config.identity()[:8]}-s{seed}",
        name=f"{optimizer} · {data} · seed {seed}",
        job_type="train",
        config=config.plain(),
        tags=(data, optimizer),
    )


def outcome_of(result: RunResult, who: Identity | None = None) -> dict[str, Any]:
    """What came of a training, in a flat mapping, with what ``who`` it is for wants to be said of it."""
    judged = who.judge(result.metrics) if who is not None and who.judge and result.status == "complete" else {}
    warned = {"warnings": [warning["text"] for warning in result.warnings], "warning_count": len(result.warnings)}
    return {"status": result.status, **result.metrics, **judged, **warned}


def show_again(
    config: RunConfig, folder: Path, result: RunResult, tracker: Tracker, noted: Callable[[str], None], who: Identity
) -> None:
    """Tell ``tracker`` of the training that has ended in ``folder`` what it was told, or would have been, meanwhile.

    ``noted`` hears why its pictures are left out, where its data or its weights are not at hand. Raises what the
    tracker does, and OSError or ValueError when the ledger cannot be read.
    """
    for row in rows(folder / "metrics.jsonl"):
        tracker.record(row)

    def draw() -> Mapping[str, NDArray[np.uint8]]:
        try:
            return pictures_of(config, folder)
        except (InputError, OSError) as error:
            noted(str(error))
            return {}

    if result.status == "complete":
        tracker.show(draw, result.evaluations[-1]["step"])
    tracker.summary(outcome_of(result, who))


def pictures_of(config: RunConfig, folder: Path) -> Mapping[str, NDArray[np.uint8]]:
    """The pictures of the model in ``folder``, drawn anew.

    Raises :class:`InputError` or OSError when its data or its weights are not at hand.
    """
    from safetensors.torch import load_file  # here, because torch takes seconds to import

    from spadam.tasks.task import build_task

    dataset = config.data.load()
    task = build_task(config, dataset)
    if dataset.scaling != "none" and task.fold_scale(*dataset.scales):  # as it was before it was saved
        dataset = dataset.unscaled()
    task.model.load_state_dict(load_file(folder / "model.safetensors"))
    task.model.eval()
    return task.pictures(dataset)
