"""The first task: a sparse autoencoder, and beside it a linear probe on its codes.

Shapes: B samples, D features, E features of what is reconstructed (D, unless there are targets), N indices of samples.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import override

from spadam.data import Dataset
from spadam.data.dataset import Batch
from spadam.diagnostics import inputs, outliers, pictures
from spadam.diagnostics.baselines import baselines
from spadam.diagnostics.median_sample import Take, squares_about_median
from spadam.diagnostics.metric import Split
from spadam.diagnostics.probe_regression import refit
from spadam.diagnostics.reconstruction import EVALUATED_TRAIN, calibrate, evaluate, evaluate_training_code
from spadam.diagnostics.warned import Warned
from spadam.encoding.execution import Code
from spadam.encoding.precision import full_precision
from spadam.models.autoencoder import Output, SparseAutoencoder
from spadam.models.probe import LinearProbe
from spadam.models.spec import AutoencoderSpec
from spadam.optim.rows.touched import RowSamples, row_samples
from spadam.tasks.batch import check_classes, check_targets, unpack
from spadam.tasks.task import Evaluation, StepResult, Task

if TYPE_CHECKING:
    from spadam.config import RunConfig
    from spadam.diagnostics.pictures import Picture


class AutoencoderTask(Task):
    """Trains a :class:`SparseAutoencoder` and, beside it, a linear probe on its detached codes.

    Batches are as :mod:`spadam.tasks.batch` says, of samples (B, D) or of images, which are flattened. The probe steps
    its own Adam inside a training step and gives the autoencoder no gradient. The tables are the weight matrices, the
    encoder's first.
    """

    def __init__(
        self, autoencoder: SparseAutoencoder, probe: LinearProbe | None = None, probe_lr: float = 1e-2
    ) -> None:
        self.model = self.autoencoder = autoencoder
        self.probe = probe
        self.probe_optimizer = torch.optim.Adam(probe.parameters(), lr=probe_lr, fused=True) if probe else None
        self.tables = {"encoder_weight": autoencoder.encoder_weight}
        if not autoencoder.spec.tied:
            self.tables["decoder_weight"] = autoencoder.decoder_weight
        self._squares: tuple[Dataset, Tensor, Tensor] | None = None

    @classmethod
    @override
    def begin(cls, spec: AutoencoderSpec, config: RunConfig, dataset: Dataset) -> Self:
        autoencoder = spec.begin(dataset, config.seed)
        if config.probe is None or not dataset.classes:
            return cls(autoencoder)
        return cls(autoencoder, LinearProbe(spec.latents, dataset.classes), config.probe.lr)

    @override
    def modules(self) -> Mapping[str, nn.Module]:
        return {"autoencoder": self.autoencoder} | ({"probe": self.probe} if self.probe else {})

    @full_precision
    def loss(self, target_BE: Tensor, output: Output) -> Tensor:
        """The squared error as `reduction` says, plus the rule's own term, reduced as it is.

        ``target_BE`` is what was to be reconstructed: the samples, unless the model has targets.
        """
        spec = self.autoencoder.spec
        loss = F.mse_loss(output.reconstruction_BD, target_BE, reduction="mean" if spec.reduction == "mean" else "sum")
        if spec.reduction == "sample":
            loss = loss / len(target_BE)
        if not spec.rule.penalises:
            return loss
        penalty = self.autoencoder.rule.penalty(self.autoencoder.size(output.code))
        return loss + (penalty / target_BE.shape[1] if spec.reduction == "mean" else penalty)

    @override
    @full_precision
    def training_step(self, batch: Batch) -> StepResult:
        x_BD, y_B, target_BE = self.unpack(batch)
        before = self.autoencoder.selector.counts
        output: Output = self.autoencoder(x_BD, probe=self.probe is not None and y_B is not None)
        touched = row_samples(self.autoencoder.encoder_weight)
        assert touched is not None, "the autoencoder is in training mode"
        scalars: dict[str, Tensor | int] = {"active": (output.code.values_P.detach() != 0).sum()}
        if output.probe_code is not None and y_B is not None:
            scalars["correct"] = self._step_probe(output.probe_code, y_B)
        after = self.autoencoder.selector.counts
        if after.samples > before.samples:
            scalars["searched"] = after.samples - before.samples
            scalars["certified"] = after.certified - before.certified
            scalars["widenings"] = after.widenings - before.widenings
        return StepResult(self.loss(target_BE, output), touched.batch, dict.fromkeys(self.tables, touched), scalars)

    def _step_probe(self, code: Code, y_B: Tensor) -> Tensor:
        """One step of the probe; the number of samples that it had right before the step."""
        assert self.probe is not None
        assert self.probe_optimizer is not None
        logits_BC = self.probe(code)
        self.probe_optimizer.zero_grad()
        loss: Any = F.cross_entropy(logits_BC, y_B)
        loss.backward()
        self.probe_optimizer.step()
        right: Tensor = logits_BC.detach().argmax(1) == y_B
        return right.sum()

    @override
    def before_update(self) -> None:
        """Give unit decoder rows a gradient along the sphere."""
        self.autoencoder.project_gradient()

    @override
    def after_update(self, touched: Mapping[str, RowSamples] | None) -> None:
        """Put unit decoder rows back onto the sphere."""
        # Rows that an optimizer holds still must not be moved by rounding either.
        self.autoencoder.normalise(None if touched is None else touched["encoder_weight"].rows_R)

    @override
    def end_epoch(self) -> None:
        self.autoencoder.rule.end_epoch()

    @override
    def prepare_evaluation(self, dataset: Dataset, rows_N: Tensor) -> None:
        """Calibrate the rule."""
        calibrate(self.autoencoder, dataset.take, dataset.forwards(rows_N))

    @override
    def evaluate(self, dataset: Dataset, split: Split, rows_N: Tensor) -> Evaluation:
        """The reconstruction with the evaluation code; on validation also the median sample's, and the latents used."""
        squares_N = self._validation_squares(dataset, rows_N) if split == "val" else None
        found = evaluate(self.autoencoder, dataset.take, dataset.forwards(rows_N), squares_N, _targets_of(dataset))
        metrics = found.reconstruction.metrics(split)
        if split != "val":
            return Evaluation(metrics)
        metrics["val/fvu_median_sample"] = found.fvu_median_sample
        return Evaluation(metrics | found.usage.metrics(), found.usage.arrays())

    def _validation_squares(self, dataset: Dataset, rows_N: Tensor) -> Tensor:
        """Squares about the median of what is reconstructed, forwards, on the model's device; once for a set's rows."""
        known = self._squares
        if known is None or known[0] is not dataset or known[1] is not rows_N:
            squares_N = squares_about_median(dataset.take_target, dataset.forwards(rows_N), rows_N)
            self._squares = known = (dataset, rows_N, squares_N.to(self.autoencoder.decoder_bias.device))
        return known[2]

    @property
    @override
    def fits_probe(self) -> bool:
        return self.probe is not None

    @override
    def conclude(self, config: RunConfig, dataset: Dataset, *, test: bool, fit_probe: bool) -> dict[str, float]:
        """The training code, the test set, and the probe's regression; with ``test`` its two baselines beside it."""
        metrics: dict[str, float] = {}
        splits: dict[Split, Tensor] = {"train": dataset.train[:EVALUATED_TRAIN]}
        for split, rows_N in (splits | ({"test": dataset.test} if test else {})).items():
            if not len(rows_N):
                continue
            trained = evaluate_training_code(
                self.autoencoder, dataset.take, dataset.forwards(rows_N), config.data.batch_size, _targets_of(dataset)
            )
            metrics |= trained.metrics(split, training_code=True)
            if split == "test":
                metrics |= self.evaluate(dataset, split, rows_N).metrics
        if fit_probe:
            start = time.perf_counter()
            metrics |= refit(self.autoencoder, dataset, config.seed, test)
            if test:
                metrics |= baselines(self.autoencoder.spec, dataset, config.seed)
            metrics["time/probe_s"] = time.perf_counter() - start
        return metrics

    @override
    def warnings(self, dataset: Dataset, first: Mapping[str, Any]) -> list[Warned]:
        spec, k = self.autoencoder.spec, self.autoencoder.rule.k
        by_chance = 1.0 if k is None else (1 - k / spec.latents) ** len(dataset.validation)
        return inputs.warn(dataset.moments().gamma, spec.pre_bias, first, by_chance) + outliers.warn(dataset)

    @override
    def pictures(self, dataset: Dataset) -> dict[str, Picture]:
        return pictures.draw(self.autoencoder, dataset)

    @override
    def fold_scale(self, scale: float, target_scale: float | None = None) -> bool:
        self.autoencoder.fold_scale(scale, target_scale)
        return True

    @override
    def provenance(self) -> dict[str, str]:
        return {"selection": self.autoencoder.selector.way(self.autoencoder.encoder_weight)}

    @override
    def state_dict(self) -> dict[str, Any]:
        state: dict[str, Any] = {"selector_room": self.autoencoder.selector.room}
        if self.probe_optimizer is not None:
            state["probe_optimizer"] = self.probe_optimizer.state_dict()
        return state

    @override
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.autoencoder.selector.room = state.get("selector_room", 1)  # older modules did not keep it
        if self.probe_optimizer is not None:
            self.probe_optimizer.load_state_dict(state["probe_optimizer"])

    def unpack(self, batch: Any) -> tuple[Tensor, Tensor | None, Tensor]:
        """Samples (B, D) in the type of the weights, their classes (B,) where there are some, and their targets (B, E).

        The targets are the samples themselves where the model has no others.
        """
        _, y, target = unpack(batch)
        x_BD = self.samples(batch)
        y_B = None if y is None or self.probe is None else check_classes(y, len(x_BD))
        target_BE = check_targets(target, len(x_BD), self.autoencoder.targets)
        return x_BD, y_B, x_BD if target_BE is None else target_BE.to(x_BD.dtype)

    def samples(self, batch: Any) -> Tensor:
        """Samples (B, D) in the type of the weights, whatever else there is in a batch."""
        x = unpack(batch).x
        return (x.flatten(1) if x.dim() > 2 else x).to(self.autoencoder.decoder_bias.dtype)


def _targets_of(dataset: Dataset) -> Take | None:
    """What gives the targets of samples; None where they are their own."""
    return None if dataset.targets is None else dataset.take_target
