"""When things are measured: the Lightning callback that calls the diagnostics and records what they say.

It computes nothing itself. Every step it notes what was touched, without waiting for the device; every
:data:`LOOK_EVERY` steps it looks at what the optimizer does and records a short row; at step 0 and after every epoch it
evaluates and records a full one.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from typing_extensions import override

from spadam.config import RunConfig
from spadam.data import Dataset
from spadam.diagnostics.comparability import warn
from spadam.diagnostics.reconstruction import EVALUATED_TRAIN, evaluate
from spadam.diagnostics.row_usage import RowUsage
from spadam.diagnostics.warned import Warned
from spadam.diagnostics.weight_updates import Change, Kept, compare, eps_bound, keep, update_rms
from spadam.encoding import Selector
from spadam.encoding.selector import Counts
from spadam.optim import RowSamples
from spadam.optim.inspection import view
from spadam.optim.rows.touched import touched_rows
from spadam.training.module import AutoencoderModule
from spadam.training.progress import Progress

LOOK_EVERY = 50
"""Steps of an epoch between two looks at the optimizer; the first step of an epoch is always looked at."""

_PROGRESS_SECONDS = 0.1


class Telemetry(pl.Callback):
    """Measures an :class:`AutoencoderModule` while it is trained on ``dataset``, on ``device``.

    ``record`` takes every row, ``progress`` is told where the training stands; ``total_steps`` is its length, if known.
    ``evaluations`` are the full rows so far, ``arrays`` what is more than one number. What has been counted is part of
    the checkpoint, so a resumed run reports the same.
    """

    def __init__(
        self,
        dataset: Dataset,
        config: RunConfig,
        device: torch.device,
        record: Callable[[Mapping[str, Any]], None] | None = None,
        progress: Callable[[Progress], None] | None = None,
        total_steps: int | None = None,
    ) -> None:
        self.evaluations: list[dict[str, Any]] = []
        self.arrays: dict[str, Any] = {}
        self._dataset, self._record, self._progress, self._total_steps = dataset, record, progress, total_steps
        self._usage = RowUsage(config.model.latents, device)
        self._loss_sum = torch.zeros((), dtype=torch.float64, device=device)
        self._correct = torch.zeros((), dtype=torch.int64, device=device)
        self._labelled = 0
        self._looks: dict[str, list[float]] = {}
        self._step_ms: list[float] = []
        self._optimizer_ms: list[float] = []
        self._seconds_before = 0.0
        self._start = time.perf_counter()
        self._selector = Selector()
        self._found, self._room = self._selector.counts, self._selector.room
        self._looking = False
        self._kept: list[Kept] = []
        self._step_start = self._told = 0.0

    @override
    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._selector = _own(pl_module).autoencoder.selector
        self._selector.counts, self._selector.room = self._found, self._room
        if not self.evaluations:
            self._evaluate(trainer, _own(pl_module), epoch=0)

    @override
    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self._looking = batch_idx % LOOK_EVERY == 0
        self._step_start = time.perf_counter()

    @override
    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        if self._looking:
            module = _own(pl_module)
            all_may_move = module.optimizer_spec.moves_untouched
            self._kept = [keep(w, touched_rows(w), all_may_move=all_may_move) for w in _weights(module)]

    @override
    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        module = _own(pl_module)
        self._step_ms.append(1e3 * (time.perf_counter() - self._step_start))
        self._optimizer_ms.append(1e3 * module.optimizer_seconds)
        touched: RowSamples = outputs["touched"]
        self._usage.update(touched.rows_R, touched.counts_R, touched.batch, outputs["active"])
        self._loss_sum += outputs["loss"]
        if "correct" in outputs:
            self._correct += outputs["correct"]
            self._labelled += touched.batch
        if self._looking:
            self._look(module, trainer.optimizers[0])
            if batch_idx and not trainer.is_last_batch:
                self._note({**self._place(trainer, trainer.current_epoch), **self._stream()})
        self._tell(trainer, outputs["loss"])

    @override
    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._evaluate(trainer, _own(pl_module), epoch=trainer.current_epoch + 1)
        self._usage.reset()
        for counter in (self._loss_sum, self._correct):
            counter.zero_()
        self._labelled = 0
        for values in (self._step_ms, self._optimizer_ms, self._looks):
            values.clear()

    def warnings(self) -> list[Warned]:
        """What a reader of the numbers must know."""
        intermittent = self.evaluations[-1].get("sparsity/rows_intermittent", float("nan"))
        return warn(self._usage.total_steps > 0 and self._usage.all_rows_touched, intermittent)

    def _evaluate(self, trainer: pl.Trainer, module: AutoencoderModule, epoch: int) -> None:
        """Record a full row: the stream, what was touched, and the evaluation code on training and validation."""
        self._tell(trainer, None, doing="evaluating")
        autoencoder, data = module.autoencoder, self._dataset
        row = {**self._place(trainer, epoch), **self._stream()}
        if self._usage.steps:
            row |= self._usage.report()
            row["time/step_ms"] = statistics.median(self._step_ms)
            row["time/optimizer_ms"] = statistics.median(self._optimizer_ms)
        row |= evaluate(autoencoder, data.take, data.train[:EVALUATED_TRAIN]).reconstruction.metrics("train")
        if len(data.validation):
            validation = evaluate(autoencoder, data.take, data.validation)
            row |= validation.reconstruction.metrics("val") | validation.usage.metrics()
            self.arrays = validation.usage.arrays()
        self._selector.counts = Counts()  # evaluations are not counted
        self.evaluations.append(row)
        self._note(row | self.arrays)

    def _stream(self) -> dict[str, float]:
        """What is known without an evaluation; nothing before the first step of an epoch."""
        if not self._usage.steps:
            return {}
        stream = {"train/loss_stream": float(self._loss_sum) / self._usage.steps}
        if self._labelled:
            stream["probe/online_accuracy"] = int(self._correct) / self._labelled
        found = self._selector.counts
        if found.samples:
            stream["selection/certified"] = found.certified / found.samples
            stream["selection/widenings"] = float(found.widenings)
        return stream | {name: statistics.fmean(values) for name, values in self._looks.items()}

    def _look(self, module: AutoencoderModule, optimizer: torch.optim.Optimizer) -> None:
        """Note what the last step did to the weight matrices."""
        seen, moved = view(optimizer), []
        eps = float(optimizer.param_groups[0].get("eps", 0.0))
        for kept, weight in zip(self._kept, _weights(module), strict=True):
            rows_R = seen.touched(weight) if kept.rows_K is None else kept.rows_K
            moved.append(compare(Change(kept, weight.detach(), rows_R, seen.denominator(weight, rows_R), eps)))
        self._kept = []
        self._looks.setdefault("optim/update_rms", []).append(update_rms(moved))
        bound = eps_bound(moved)
        if bound is not None:
            self._looks.setdefault("optim/eps_bound", []).append(bound)

    def _place(self, trainer: pl.Trainer, epoch: int) -> dict[str, Any]:
        return {"epoch": epoch, "step": trainer.global_step, "time": round(self._seconds(), 3)}

    def _seconds(self) -> float:
        return self._seconds_before + time.perf_counter() - self._start

    def _note(self, row: Mapping[str, Any]) -> None:
        if self._record is not None:
            self._record(row)

    def announce(self, doing: str) -> None:
        """Say what is being done once the last step is made."""
        if self._progress is not None:
            self._progress(Progress(self.evaluations[-1]["step"], self._total_steps, None, doing))

    def _tell(self, trainer: pl.Trainer, loss: Tensor | None, doing: str = "training") -> None:
        if self._progress is None:
            return
        now = time.perf_counter()
        if doing != "training" or now - self._told > _PROGRESS_SECONDS:
            self._told = now
            known = None if loss is None else float(loss)
            self._progress(Progress(trainer.global_step, self._total_steps, known, doing))

    @override
    def state_dict(self) -> dict[str, Any]:
        return {
            "evaluations": self.evaluations,
            "arrays": self.arrays,
            "usage": self._usage.state_dict(),
            "loss_sum": self._loss_sum,
            "correct": self._correct,
            "labelled": self._labelled,
            "selection": (tuple(self._selector.counts), self._selector.room),
            "looks": self._looks,
            "step_ms": self._step_ms,
            "optimizer_ms": self._optimizer_ms,
            "seconds": self._seconds(),
        }

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.evaluations, self.arrays = state_dict["evaluations"], state_dict["arrays"]
        self._usage.load_state_dict(state_dict["usage"])
        self._loss_sum.copy_(state_dict["loss_sum"])
        self._correct.copy_(state_dict["correct"])
        self._labelled, self._looks = state_dict["labelled"], state_dict["looks"]
        self._found, self._room = Counts(*state_dict["selection"][0]), state_dict["selection"][1]
        self._step_ms, self._optimizer_ms = state_dict["step_ms"], state_dict["optimizer_ms"]
        self._seconds_before = state_dict["seconds"]


def _own(module: pl.LightningModule) -> AutoencoderModule:
    assert isinstance(module, AutoencoderModule)
    return module


def _weights(module: AutoencoderModule) -> list[torch.nn.Parameter]:
    """The latent-major weight matrices."""
    return [p for p in module.autoencoder.latent_parameters if p.dim() == 2]
