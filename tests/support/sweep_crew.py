"""Trainings that workers import by name: some end badly. What each does is decided by its slot and attempt alone."""

import logging
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

from spadam.spec import InputError
from spadam.sweep.running.task import Task
from spadam.training.progress import Progress
from spadam.training.result import RunResult
from support import sweep_quadratic as quadratic

AT = Progress(3, 4, 0.5, "training")


def late(task: Task, progress: Callable[[Progress], None]) -> RunResult:
    """Ends in an order that has nothing to do with that of the slots, and another one every time."""
    time.sleep(random.SystemRandom().random() * 0.05)
    return quadratic.train(task, progress)


def killed_once(task: Task, progress: Callable[[Progress], None]) -> RunResult:
    if task.slot.id == "search-0/1" and task.slot.variant == "adam" and task.attempt == 0:
        task.out.mkdir(parents=True)
        os.kill(os.getpid(), signal.SIGKILL)
    return quadratic.train(task, progress)


def always_killed(task: Task, progress: Callable[[Progress], None]) -> RunResult:
    if task.slot.id == "search-0/1" and task.slot.variant == "adam":
        os._exit(7)
    return quadratic.train(task, progress)


def hangs(task: Task, progress: Callable[[Progress], None]) -> RunResult:
    time.sleep(3600)
    raise AssertionError


def speaks(task: Task, progress: Callable[[Progress], None]) -> RunResult:
    logging.getLogger("spadam.tracking").warning("W&B: %s", "gone")
    progress(AT)
    return quadratic.finish(task, float(os.getpid()), note=os.environ.get("CUDA_VISIBLE_DEVICES"))  # type: ignore[arg-type]


def cached(task: Task, progress: Callable[[Progress], None]) -> RunResult:
    """Writes into the cache folder that it was given."""
    (Path(os.environ["XDG_CACHE_HOME"]) / f"{task.slot.variant}-{task.slot.label}").touch()
    return quadratic.train(task, progress)


def refuses(task: Task, progress: Callable[[Progress], None]) -> RunResult:
    raise InputError("trainer.accelerator", "gpu", "torch must see a CUDA device", "use auto or cpu", "x.yaml:3")


def noted(task: Task, progress: Callable[[Progress], None]) -> RunResult:
    """Leaves the process that trains it in a file beside the sweep's folder, and never comes to an end by itself."""
    pids = Path(os.environ["SWEEP_PIDS"])
    (pids / str(os.getpid())).touch()
    return hangs(task, progress)


def main() -> None:
    """The command `spadam sweep run`, trained as :func:`noted` does: ``SPEC OUT`` and options, else two workers."""
    import functools
    import sys

    from spadam.cli import program
    from spadam.sweep.running import agent
    from support import sweep_crew  # workers know it by this name

    agent.run_sweep = functools.partial(agent.run_sweep, train=sweep_crew.noted)
    sys.argv[1:] = ["sweep", "run", sys.argv[1], "--out", sys.argv[2], *(sys.argv[3:] or ["--workers", "2"])]
    program()


if __name__ == "__main__":
    main()
