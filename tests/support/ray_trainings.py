"""Trainings that workers on a Ray cluster import by name; what each does is decided by its slot's number."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from spadam.sweep.running.task import Task
from spadam.sweep.running.task import train as train_task
from spadam.training.progress import Progress
from spadam.training.result import RunResult
from support import sweep_crew
from support import sweep_quadratic as quadratic

SPEAKS, HANGS, DIES, LASTS, RESUMES, FAILS, GIVES_UP = range(7)

DIES_AT = 7
"""The step that the first attempt of a training that is resumed does not live through."""


def by_number(task: Task, progress: Callable[[Progress], None]) -> RunResult:
    match task.slot.number:
        case 0:
            return sweep_crew.speaks(task, progress)
        case 1:
            return sweep_crew.hangs(task, progress)
        case 2:
            os.kill(os.getpid(), signal.SIGKILL)
        case 3:
            end = time.monotonic() + 8.0
            while time.monotonic() < end:
                progress(sweep_crew.AT)
                time.sleep(0.1)
        case 4:
            return resumed(task, progress)
        case 5:
            raise RuntimeError("a bug")
        case 6:
            task.out.mkdir()
            (task.out / "metrics.jsonl").touch()
            raise OSError(28, "No space left on device")
    return quadratic.train(task, progress)


def resumed(task: Task, progress: Callable[[Progress], None]) -> RunResult:
    """A real training, whose worker is killed in its first attempt, once its checkpoints have had time to come home."""
    from spadam.training import checkpoint

    save = checkpoint.LatestCheckpoint._save

    def save_and_die(self: checkpoint.LatestCheckpoint, trainer: Any) -> None:
        save(self, trainer)
        if trainer.global_step >= DIES_AT:
            time.sleep(3)
            os.kill(os.getpid(), signal.SIGKILL)

    if task.attempt == 0:
        checkpoint.LatestCheckpoint._save = save_and_die  # type: ignore[method-assign]  # of a process that dies of it
    there = sorted(path.name for path in (task.out / "checkpoints").glob("*.ckpt"))
    result = train_task(task, progress)
    (task.out / "begun").write_text(" ".join(there))
    return result


def killed_once(task: Task, progress: Callable[[Progress], None]) -> RunResult:
    """A real training; one worker is killed."""
    if (task.slot.variant, task.slot.phase, task.slot.number, task.attempt) == ("adam", "search", 1, 0):
        os.kill(os.getpid(), signal.SIGKILL)
    return train_task(task, progress)


def noted(task: Task, progress: Callable[[Progress], None]) -> RunResult:
    """Is at an end at once, but for the slots from 1 on, which never are; each leaves its number in a file."""
    (Path(os.environ["SWEEP_PIDS"]) / f"{task.slot.variant}-{task.slot.label}").touch()
    return quadratic.train(task, progress) if task.slot.number == 0 else sweep_crew.hangs(task, progress)


def main() -> None:
    """The command `spadam sweep run` on a cluster, trained as :func:`noted` does: ``SPEC OUT ADDRESS``."""
    import functools
    import sys

    from spadam.cli import program
    from spadam.sweep.running import agent
    from spadam.sweep.running.cluster import crew
    from support import ray_trainings  # workers know it by this name

    crew._SILENCE_SECONDS = 4.0
    agent.run_sweep = functools.partial(agent.run_sweep, train=ray_trainings.noted)
    spec, out, address = sys.argv[1:]
    options = ["--variants", "adam", "--crew", "ray", "--ray-address", address]
    sys.argv[1:] = ["sweep", "run", spec, "--out", out, *options]
    program()


if __name__ == "__main__":
    main()
