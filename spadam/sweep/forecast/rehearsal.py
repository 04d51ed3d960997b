"""Rehearsals: short trainings that show what long ones touch, and what they cost.

A *rehearsal* trains a configuration for some steps in a folder that is gone afterwards. It never looks at test samples
and streams nothing, whatever the configuration says.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from spadam.config import RunConfig
from spadam.data.splits import count_batches
from spadam.diagnostics.reconstruction import EVALUATED_TRAIN
from spadam.diagnostics.warned import Warned, read_warning
from spadam.training.ledger import rows
from spadam.training.progress import Progress
from spadam.training.result import RunResult
from spadam.training.run import run
from spadam.training.scratch import scratch_folder
from spadam.training.telemetry import short_rows

STEPS = 60
"""Steps of a rehearsal: the shares of touched rows settle within about 30 on images."""

_WANDB = 2.5
"""W&B's file of a run grows by so many times what its ledger grows by."""


class Length(NamedTuple):
    """How long a training is."""

    steps: int | None
    """None when only its time is limited."""
    evaluate_every: int
    """Steps between two evaluations."""
    seconds: float | None
    """The limit on its time, if there is one."""


class Pace(NamedTuple):
    """What the parts of a training take, in seconds."""

    start: float
    """From the call to the first evaluation."""
    step: float
    evaluation: float
    """One evaluation of training and validation split, with the checkpoint that follows."""
    refit: float | None
    """One fit of the probe's regression; None when it was not asked for, or there is none."""
    end: float
    """What is measured once, and the files."""


class Files(NamedTuple):
    """What a training leaves in its folder, in bytes."""

    kept: int
    """All of it, once the training has ended."""
    checkpoint: int
    """What lies there beside it while it goes on."""
    result: int
    """result.json, which the storage of a sweep keeps too."""
    evaluations: int
    """Rows of an evaluation among it."""
    looks: int
    """Rows between evaluations among it."""
    per_evaluation: float
    """What one more row of an evaluation adds, all files together."""
    per_look: float


class Rehearsal(NamedTuple):
    """What a rehearsal of a configuration showed."""

    config: RunConfig
    """As it is planned, not as it was rehearsed."""
    steps: int
    """So many were made."""
    diverged: bool
    rows_touched: float
    rows_expected: float
    """For independent samples with the densities that were seen."""
    rows_intermittent: float
    """Share of rows touched in 2-90 % of the steps."""
    length: Length
    evaluated: int
    """Samples of an evaluation."""
    tested: int
    """Samples of the test split."""
    pace: Pace
    files: Files
    warned: tuple[Warned, ...] = ()
    """What the training has warned of."""

    @property
    def all_touched(self) -> bool:
        """Every step touched every row."""
        return self.rows_touched == 1

    @property
    def rows_bound(self) -> float | None:
        """The share of rows that independent samples touch at most; None where the task knows no bound."""
        return self.config.task.rows_bound(self.config.data.batch_size)

    @property
    def steps_planned(self) -> float:
        """The steps of the whole training; where only its time is limited, as many as it has time for."""
        if self.length.steps is not None:
            return self.length.steps
        assert self.length.seconds is not None, "a training has an end"
        return self.length.seconds / max(self.pace.step, 1e-9)

    @property
    def evaluations(self) -> int:
        """Evaluations of the whole training after that of step 0."""
        return math.ceil(self.steps_planned / self.length.evaluate_every)

    def trial_seconds(self, refit: float = 0.0) -> float:
        """What a trial of a search takes; ``refit`` are the seconds of the probe's regression where trials fit it."""
        body = self.steps_planned * self.pace.step + self.evaluations * self.pace.evaluation
        limited = body if self.length.seconds is None else min(body, self.length.seconds)
        return self.pace.start + self.pace.evaluation + limited + self.pace.end + refit

    def repeat_seconds(self, refit: float = 0.0) -> float:
        """What a repeat takes: the test split with both codes too, and with the regression come its two baselines."""
        tested = 2 * self.pace.evaluation * self.tested / self.evaluated
        return self.trial_seconds() + tested + 3 * refit

    def kept_bytes(self) -> float:
        """What the whole training leaves on the disk, in its folder and in the storage of its sweep."""
        looks = short_rows(self.length.evaluate_every) * self.evaluations
        more_evaluations = (self.evaluations + 1 - self.files.evaluations) * self.files.per_evaluation
        more_looks = (looks - self.files.looks) * self.files.per_look
        return self.files.kept + self.files.result + more_evaluations + more_looks


def rehearse(
    config: RunConfig, refit: bool = False, steps: int = STEPS, progress: Callable[[Progress], None] | None = None
) -> Rehearsal:
    """Train ``config`` for ``steps`` steps, or as many as it has, and fit the probe's regression if ``refit``.

    Raises :class:`InputError` when the training could not begin.
    """
    dataset = config.data.load()
    length = measure_length(config, len(dataset.train))
    steps = steps if length.steps is None else min(steps, length.steps)
    with scratch_folder("rehearsal") as folder:
        out = folder / "run"
        watch = _Watch(out, progress)
        result = run_short(config, steps, out, refit=refit, progress=watch)
        ended = time.perf_counter()
        pace, files = watch.pace(result, ended), _weigh(out, result, watch.checkpoint)
    metrics = {name: math.nan if value is None else value for name, value in result.metrics.items()}
    return Rehearsal(
        config,
        steps,
        result.status == "diverged",
        metrics["sparsity/rows_touched"],
        metrics["sparsity/rows_touched_expected"],
        metrics["sparsity/rows_intermittent"],
        length,
        min(len(dataset.train), EVALUATED_TRAIN) + len(dataset.validation),
        len(dataset.test),
        pace,
        files,
        tuple(map(read_warning, result.warnings)),
    )


def run_short(
    config: RunConfig,
    steps: int,
    out: Path,
    refit: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> RunResult:
    """Train ``config`` for ``steps`` steps in the folder ``out``, as a search does, and streaming nothing.

    It is evaluated when an epoch ends, whatever ``config`` says: a few steps between two evaluations have no pace.
    """
    every = None if config.trainer.checkpoint_every is None else "epoch"  # there is one then, however short it is
    limits: dict[str, object] = {"steps": steps, "epochs": None, "time_limit": None}
    limits |= {"checkpoint_every": every, "evaluate_every": "epoch"}
    update: dict[str, object] = {"trainer": config.trainer.model_copy(update=limits)}
    if config.tracking.mode == "online":
        update["tracking"] = config.tracking.model_copy(update={"mode": "offline"})
    return run(config.model_copy(update=update), out, phase="search", refit=refit, progress=progress)


def measure_length(config: RunConfig, samples: int) -> Length:
    """The length of a training on ``samples`` samples."""
    epoch, trainer = count_batches(samples, config.data.batch_size), config.trainer
    return Length(trainer.most_steps(epoch), trainer.steps_between_evaluations(epoch), trainer.time_limit)


class _Watch:
    """Notes when a training tells where it is, and how large its checkpoints are."""

    def __init__(self, out: Path, progress: Callable[[Progress], None] | None) -> None:
        self.checkpoint = 0
        self._out, self._progress = out, progress
        self._begun = time.perf_counter()
        self._steps: list[tuple[float, int]] = []
        self._turns: list[tuple[float, int]] = []

    def __call__(self, progress: Progress) -> None:
        mark = (time.perf_counter(), progress.step)
        if progress.doing == "training":
            self._steps.append(mark)
        else:  # an evaluation, or whatever comes after the last one
            self._turns.append(mark)
            self.checkpoint = max(self.checkpoint, _size(self._out / "checkpoints"))
        if self._progress is not None:
            self._progress(progress)

    def pace(self, result: RunResult, ended: float) -> Pace:
        """The parts of the training that gave ``result``, by what was noted."""
        evaluations = self._turns[: len(result.evaluations)]
        after = self._turns[len(evaluations)][0] if len(self._turns) > len(evaluations) else ended
        (before, first), (last, steps) = evaluations[-2:]
        evaluation = after - last
        # From a step on that was told, if there was time for that: the evaluation before it is then no guess.
        told = next(((when, step) for when, step in self._steps if before < when < last), None)
        if told is not None and steps - told[1] >= 10:
            step = (last - told[0]) / (steps - told[1])
        else:
            step = max(0.0, last - before - evaluation) / max(1, steps - first)
        refit = result.metrics.get("time/probe_s")
        return Pace(evaluations[0][0] - self._begun, step, evaluation, refit, ended - after - (refit or 0.0))


def _weigh(out: Path, result: RunResult, checkpoint: int) -> Files:
    """What lies in the folder of a finished training."""
    lines = (out / "metrics.jsonl").read_bytes().splitlines()
    full = [any(one.items() <= row.items() for one in result.evaluations) for row in rows(out / "metrics.jsonl")]
    evaluations = [len(line) for line, is_full in zip(lines, full, strict=True) if is_full]
    looks = [len(line) for line, is_full in zip(lines, full, strict=True) if not is_full]
    wandb = _WANDB if (out / "wandb").is_dir() else 0.0
    return Files(
        _size(out),
        checkpoint,
        (out / "result.json").stat().st_size,
        len(evaluations),
        len(looks),
        max(evaluations) * (2 + wandb),  # it stands in result.json too
        max(looks, default=0) * (1 + wandb),
    )


def _size(folder: Path) -> int:
    """What a folder takes on the disk, which is more than its files hold: each has whole blocks."""
    return sum(512 * path.stat().st_blocks for path in folder.rglob("*")) if folder.is_dir() else 0
