"""One training, from its configuration to its result.

:func:`run` is a function of its configuration alone: with the same threads and kernels it gives the same bits, in a
fresh process or after other trainings, resumed or not.
"""

from __future__ import annotations

import contextlib
import json
import platform
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch

from spadam import kernels
from spadam.config import RunConfig
from spadam.data import Batches, Dataset
from spadam.diagnostics import inputs
from spadam.diagnostics.warned import Warned
from spadam.faults import reach
from spadam.files import LOCK, hold, strict_json, write_atomic
from spadam.kernels.arithmetic import arithmetic
from spadam.models.weights import save_weights
from spadam.spec import dump
from spadam.tasks.task import build_task
from spadam.tracking import Identity, open_run
from spadam.training import checkpoint_files
from spadam.training.checkpoint import AtomicCheckpointIO, LatestCheckpoint
from spadam.training.commit import commit
from spadam.training.curve import Pruning
from spadam.training.device import device_for
from spadam.training.ledger import Ledger, Mark, Recorder, rows
from spadam.training.lightning import DirectStrategy, NoProfiler, interruptible, quiet
from spadam.training.limits import Cutter, Limits
from spadam.training.module import TaskModule
from spadam.training.progress import COMPILING, Progress
from spadam.training.randomness import Generators, generators
from spadam.training.result import RunResult, Status, read_result, versions, write_result
from spadam.training.resumption import Resumption, resume
from spadam.training.room import check_room
from spadam.training.telemetry import Telemetry
from spadam.training.view import identity_of, outcome_of

Purpose = Literal["train", "search", "choose", "repeat"]
"""What a training is for: itself, or a phase of a sweep, of which search and choose must not see the test set."""


def run(
    config: RunConfig,
    out: Path | None = None,
    *,
    phase: Purpose = "train",
    refit: bool | None = None,
    pruning: Pruning | None = None,
    origin: Identity | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> RunResult:
    """Train as ``config`` says.

    With a folder ``out``, rows, weights, configuration and result are written there; a run that was interrupted there
    goes on, and one that is finished is read and returned. Test metrics are measured unless ``phase`` is "search" or
    "choose"; ``refit`` decides about the probe's regression where the configuration says `auto` (by default: not then).
    ``pruning`` may end the training after an evaluation; then it has the metrics of that one, and no others.
    ``origin`` is who the training is for whoever watches it, when it is one of a sweep.

    Raises :class:`InputError` before anything is trained when data, folder or device do not serve, or ``out`` holds a
    run of another configuration.
    """
    if out is not None and (finished := read_result(config, out)) is not None:
        return finished
    device = device_for(config.trainer)
    config.optimizer.build([torch.nn.Parameter(torch.zeros(1, 1))])  # a custom one may not be importable
    _ = config.task  # nor may one of your own
    dataset = config.data.load()
    with (
        hold(out) if out is not None else contextlib.nullcontext(),
        kernels.use(config.trainer.kernels),
        arithmetic(config.trainer.threads),
        generators(config.seed, device),
        quiet(),
    ):
        if out is not None:
            if (finished := read_result(config, out)) is not None:  # by whoever held the folder before
                return finished
            write_atomic(out / "config.yaml", dump(config.plain()))
        return _Training(config, dataset, device, out, phase, refit, pruning, origin, progress).run()


class _Training:
    """A training under way: what :func:`run` has found out, and the steps that it takes in order."""

    def __init__(
        self,
        config: RunConfig,
        dataset: Dataset,
        device: torch.device,
        out: Path | None,
        phase: Purpose,
        refit: bool | None,
        pruning: Pruning | None,
        origin: Identity | None,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self.config, self.out, self.device = config, out, device
        self.may_test = phase not in ("search", "choose")
        self.started, self.commit = datetime.now(UTC), commit()
        self.loaded = dataset  # hashed once for all trainings that share it; the copy on a device would be hashed anew
        self.dataset = dataset.to(device)
        self.task = build_task(config, dataset)
        if out is not None:
            check_room(self.task.model, out)
        self.batches = Batches.of(config.data, self.dataset, config.seed)
        self.limits = Limits(config.trainer, len(self.batches))
        self.module = TaskModule(self.task, config.optimizer, self.limits.total_steps)
        self.resumption = Resumption(None, None, [])
        self.who = origin or identity_of(config)
        self.recorder = self._open_recorder(self.who) if out is not None else None
        self.refit = self._wants_refit(refit)
        self.telemetry = Telemetry(
            self.task,
            self.dataset,
            device,
            evaluate_every=config.trainer.steps_between_evaluations(len(self.batches)),
            moves_untouched=not config.optimizer.holds,
            silent_after=config.trainer.silent_after,
            record=self.recorder.record if self.recorder else None,
            keep=self.recorder.sync if self.recorder else None,
            progress=progress,
            total_steps=self.limits.total_steps,
        )
        self.cutter = Cutter(pruning, self.limits, lambda: self.telemetry.evaluations)

    def run(self) -> RunResult:
        if not kernels.is_prepared(self.device):
            self.telemetry.announce(COMPILING)
        kernels.prepare(self.device)
        with self.recorder or contextlib.nullcontext():
            self._fit()
            result = self._conclude()
            if self.recorder is not None:
                assert self.out is not None
                self.recorder.ledger.close()
                reach("worker: ledger synced")
                self._save(self.out, result)
                self._track(self.recorder, result)
        return result

    def _fit(self) -> None:
        trainer_spec = self.config.trainer
        callbacks: list[pl.Callback] = [
            Generators(self.device),
            self.telemetry,
            self.limits,
            self.telemetry.rows,
            self.cutter,
        ]
        folder = None if self.out is None else self.out / checkpoint_files.FOLDER
        path, content, history = self.resumption
        if (every := trainer_spec.checkpoint_every) is not None:
            mark = None if self.recorder is None else self._mark
            callbacks.append(LatestCheckpoint(folder, every, mark, history, path))
        trainer = pl.Trainer(
            accelerator="gpu" if self.device.type == "cuda" else "cpu",
            devices=1,
            strategy=DirectStrategy(self.device),
            profiler=NoProfiler(),
            max_epochs=trainer_spec.epochs or -1,
            gradient_clip_val=trainer_spec.clip_norm,
            callbacks=callbacks,
            plugins=[AtomicCheckpointIO(content)],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
        )
        with interruptible():
            trainer.fit(self.module, self.batches, ckpt_path=path, weights_only=True)
        self.module.averaging.settle()
        for optimizer in trainer.optimizers:
            optimizer.state.clear()  # the trainer is a ring of references: its moments would stay until it is collected
        self.task.model.to(self.device).eval().zero_grad()

    def _wants_refit(self, refit: bool | None) -> bool:
        if self.config.probe is None or not self.task.fits_probe:
            return False
        if self.config.probe.refit != "auto":
            return self.config.probe.refit == "always"
        return self.may_test if refit is None else refit

    def _conclude(self) -> RunResult:
        """Measure what is measured once, and put everything together."""
        status: Status = "diverged" if self.limits.diverged else "pruned" if self.cutter.pruned else "complete"
        last = self.telemetry.evaluations[-1]
        metrics = {name: value for name, value in last.items() if name not in ("epoch", "step", "time")}
        if status == "complete":
            self.telemetry.announce("fitting the probe" if self.refit else "evaluating")
            metrics |= inputs.measure(self.loaded)
            metrics |= self.task.conclude(self.config, self.dataset, test=self.may_test, fit_probe=self.refit)
        result = RunResult(
            status=status,
            metrics=metrics,
            arrays=self.telemetry.arrays,
            warnings=[warned.plain() for warned in self._warnings()],
            config=self.config.plain(),
            provenance=self._provenance(),
            evaluations=self.telemetry.evaluations,
        )
        # What is returned is what is on the disk: one round trip makes nulls of what is not finite.
        return RunResult(**json.loads(strict_json(result._asdict())))

    def _warnings(self) -> list[Warned]:
        """What a reader of the numbers must know: of the inputs, and of what was seen in the training."""
        return self.task.warnings(self.loaded, self.telemetry.evaluations[0]) + self.telemetry.warnings()

    def _provenance(self) -> dict[str, Any]:
        return {
            "versions": versions(),
            **({} if self.commit is None else {"commit": self.commit}),
            "python": platform.python_version(),
            "platform": platform.platform(),
            "device": torch.cuda.get_device_name() if self.device.type == "cuda" else "cpu",
            "threads": torch.get_num_threads(),
            "kernels": kernels.name(self.device),
            **self.task.provenance(),
            "data": self.loaded.content_hash(),
            "started": self.started.isoformat(timespec="seconds"),
            "seconds": round((datetime.now(UTC) - self.started).total_seconds(), 3),
            **({"resumed": self.resumption.history} if self.resumption.history else {}),
        }

    def _save(self, out: Path, result: RunResult) -> None:
        save_weights(self.task.model, out, self._fold_scale())
        reach("worker: before the result")
        write_result(result, out)
        reach("worker: result written")
        checkpoint_files.remove_all(out / checkpoint_files.FOLDER)
        (out / LOCK).unlink()  # a finished folder needs none: who comes now finds the result

    def _fold_scale(self) -> dict[str, str]:
        """Have the model take samples as they are, if it can; what to note beside weights trained on scaled samples."""
        if self.dataset.scaling == "none":
            return {}
        scales = self.dataset.scales
        if folded := self.task.fold_scale(*scales):
            self.dataset = self.dataset.unscaled()
        # one note only: of several the file's order, and so its bytes, would be chance
        what = ("samples", "data/scale") if len(scales) == 1 else ("samples, targets", "data/scale, data/target_scale")
        note = f"trained with {what[1]}" if folded else f"multiply {what[0]} by {what[1]}"
        return {note: ", ".join(map(repr, scales))}

    def _track(self, recorder: Recorder, result: RunResult) -> None:
        """Show what came of the run, once it is on the disk."""
        if result.status == "complete":
            step = result.evaluations[-1]["step"]
            recorder.show(lambda: self.task.pictures(self.dataset), step)
        recorder.finish(summary=outcome_of(result, self.who))

    def _mark(self) -> Mark:
        """How far the ledger is, once that is on the disk: no checkpoint may know rows that a power cut can take."""
        assert self.recorder is not None
        self.recorder.sync()
        return self.recorder.ledger.mark

    def _open_recorder(self, who: Identity) -> Recorder:
        assert self.out is not None
        ledger = Ledger(self.out / "metrics.jsonl")
        try:
            self.resumption = resume(self.out / checkpoint_files.FOLDER, ledger, self.module.state_dict())
        except BaseException:
            ledger.close()
            raise
        tracker = open_run(
            self.config.tracking,
            folder=self.out,
            run_id=who.run_id,
            config=who.config,
            group=who.group,
            job_type=who.job_type,
            tags=who.tags,
            name=who.name,
            before=rows(ledger.path),
        )
        return Recorder(ledger, tracker)
