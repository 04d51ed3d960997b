"""Trainings that workers import by name: some end badly. What each does is decided by its slot and attempt alone."""

import logging
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

from spadam.spec import InputError
from spadam.sweep.running.task import Step, Task
from spadam.training.result import RunResult
from support import sweep_quadratic as quadratic


class At:
    step, total, loss = 3, 4, 0.5


def late(task: Task, progress: Callable[[Step], None]) -> RunResult:
    """Ends in an order that has nothing to do with that of the slots, and another one every time."""
    time.sleep(random.SystemRandom().random() * 0.05)
    return quadratic.train(task, progress)


def killed_once(task: Task, progress: Callable[[Step], None]) -> RunResult:
    if task.slot.id == "search-0/1" and task.slot.variant == "adam" and task.attempt == 0:
        task.out.mkdir(parents=True)
        os.kill(os.getpid(), signal.SIGKILL)
    return quadratic.train(task, progress)


def always_killed(task: Task, progress: Callable[[Step], None]) -> RunResult:
    if task.slot.id == "search-0/1" and task.slot.variant == "adam":
        os._exit(7)
    return quadratic.train(task, progress)


def hangs(task: Task, progress: Callable[[Step], None]) -> RunResult:
    time.sleep(3600)
    raise AssertionError


def speaks(task: Task, progress: Callable[[Step], None]) -> RunResult:
    logging.getLogger("spadam.tracking").warning("W&B: %s", "gone")
    progress(At())
    return quadratic.finish(task, float(os.getpid()), note=os.environ.get("CUDA_VISIBLE_DEVICES"))  # type: ignore[arg-type]


def refuses(task: Task, progress: Callable[[Step], None]) -> RunResult:
    raise InputError("trainer.accelerator", "gpu", "torch must see a CUDA device", "use auto or cpu", "x.yaml:3")


def noted(task: Task, progress: Callable[[Step], None]) -> RunResult:
    """Leaves the process that trains it in a file beside the sweep's folder, and never comes to an end by itself."""
    pids = Path(os.environ["SWEEP_PIDS"])
    (pids / str(os.getpid())).touch()
    return hangs(task, progress)


def main() -> None:
    """Run a sweep with two workers: ``SPEC OUT``."""
    import sys

    from rich.console import Console

    from spadam.sweep.running.agent import run_sweep
    from support import sweep_crew  # workers know it by this name

    console = Console()
    sys.exit(run_sweep(Path(sys.argv[1]), Path(sys.argv[2]), None, console, workers=2, train=sweep_crew.noted))


if __name__ == "__main__":
    main()
