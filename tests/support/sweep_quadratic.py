"""A training that takes no time: the objective is a bowl over log lr and log eps. Also a program, to be killed."""

import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path

from spadam.sweep.running.task import Task
from spadam.training.progress import Progress
from spadam.training.result import RunResult

CENTRES = {"adam": -3.0, "lazy": -2.0}


def bowl(task: Task) -> float:
    optimizer = task.config.optimizer
    distance = (math.log10(optimizer.lr) - CENTRES.get(task.slot.variant, -3.0)) ** 2
    return 0.1 + distance + 0.1 * (math.log10(optimizer.eps) + 6) ** 2 + 1e-3 * (task.slot.seed % 7)


def train(task: Task, progress: Callable[[Progress], None]) -> RunResult:
    return finish(task, bowl(task))


def finish(task: Task, value: float | None, status: str = "complete", **metrics: float | None) -> RunResult:
    """What a training leaves: its folder, and a result with a first evaluation of 40."""
    task.out.mkdir(parents=True)
    result = RunResult(
        status=status,
        metrics={"val/fvu": value, "test/fvu": value, "sparsity/rows_touched": 0.25, **metrics},
        arrays={"sparsity/density_histogram": {"counts": [1, 2]}},
        warnings=[],
        config=task.config.plain(),
        provenance={"seconds": 2.0},
        evaluations=[{"step": 0, "val/fvu": 40.0}, {"step": 9, "val/fvu": value}],
    )
    (task.out / "result.json").write_text(json.dumps(result._asdict()))
    return result


def main() -> None:
    """Run a sweep and note each training that begins and ends; the one after ENDS never does: ``SPEC OUT LOG ENDS``."""
    from spadam.sweep.running.agent import run_sweep
    from spadam.sweep.running.means import Means

    spec, out, log, ends = sys.argv[1:]

    def noted(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        _note(Path(log), "begin", task)
        if len(Path(log).read_text().splitlines()) > 2 * int(ends):
            time.sleep(3600)
        result = train(task, progress)
        _note(Path(log), "end", task)
        return result

    run_sweep(spec, out, ["adam"], means=Means(0), train=noted)


def _note(log: Path, what: str, task: Task) -> None:
    with log.open("a") as file:
        file.write(json.dumps([what, task.slot.variant, task.slot.id, task.attempt]) + "\n")


if __name__ == "__main__":
    main()
