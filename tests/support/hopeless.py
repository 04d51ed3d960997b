"""Optimizers that come to nothing, and trainings that workers import by name and that run out of memory or disk."""

from __future__ import annotations

import resource
from collections.abc import Callable
from typing import Any

import torch

from spadam.sweep.running.task import Task
from spadam.sweep.running.task import train as train_task
from spadam.training import telemetry
from spadam.training.progress import Progress
from spadam.training.result import RunResult


class _Spoilt(torch.optim.SGD):
    """Sets every weight to ``worst`` in its third step."""

    worst: float

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = super().step(closure)
        for group in self.param_groups:
            group["made"] = group.get("made", 0) + 1
            for parameter in group["params"] if group["made"] == 3 else ():
                parameter.data.fill_(self.worst)
        return loss


class ToNaN(_Spoilt):
    worst = float("nan")


class Explodes(_Spoilt):
    worst = 1e6


class WithoutGradient(torch.optim.SGD):
    """As if every gradient were zero: nothing moves, and every metric stays what it was."""

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None if closure is None else closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.grad.zero_()
        super().step()
        return loss


def no_memory_once(task: Task, progress: Callable[[Progress], None]) -> RunResult:
    return _fails(task, progress, attempts=1)


def no_memory_ever(task: Task, progress: Callable[[Progress], None]) -> RunResult:
    return _fails(task, progress, attempts=99)


KINDS = (
    lambda: MemoryError(),
    lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."),
    lambda: RuntimeError("[enforce fail at alloc_cpu.cpp:127] data. DefaultCPUAllocator: can't allocate memory: 1"),
)
AT = 3
"""The step after which there is none left."""


def _fails(task: Task, progress: Callable[[Progress], None], attempts: int) -> RunResult:
    telemetry._PROGRESS_SECONDS = 0.0

    def watch(said: Progress) -> None:
        if task.attempt < attempts and task.slot.number == 1 and said.step >= AT:
            raise KINDS[(task.attempt + (task.slot.variant == "lazy")) % len(KINDS)]()
        progress(said)

    return train_task(task, watch)


def no_disk_once(task: Task, progress: Callable[[Progress], None]) -> RunResult:
    """No file of this worker can grow any more, once it has made a few steps of its first attempt."""
    telemetry._PROGRESS_SECONDS = 0.0
    _limit(resource.RLIM_INFINITY)

    def watch(said: Progress) -> None:
        if task.attempt == 0 and task.slot.number == 1 and said.step >= AT:
            _limit(2000)
        progress(said)

    try:
        return train_task(task, watch)
    finally:
        _limit(resource.RLIM_INFINITY)


def _limit(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
