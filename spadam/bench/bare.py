"""The steps of a training in a plain ``for`` loop: what is left of it when the platform is taken away."""

from __future__ import annotations

import time

import torch

from spadam.config import RunConfig
from spadam.data import Batches, Dataset
from spadam.diagnostics.reconstruction import EVALUATED_TRAIN
from spadam.tasks.task import build_task
from spadam.training.module import TaskModule


class BareLoop:
    """Makes the very steps of :func:`spadam.training.run.run`, the probe's included, and ends with the same weights."""

    def __init__(self, config: RunConfig, dataset: Dataset) -> None:
        self.dataset = dataset
        self.task = build_task(config, dataset)
        self.module = TaskModule(self.task, config.optimizer).train()
        self.optimizer = config.optimizer.build(self.task.model.parameters())
        self.batches = Batches.of(config.data, dataset, config.seed)

    @torch.enable_grad()
    def epoch(self) -> float:
        """Go through one epoch; seconds of a step, the mean over all but the first."""
        first = 0.0
        for index, batch in enumerate(self.batches):
            self.module.training_step(batch, index)["loss"].backward()
            self.optimizer.step()
            self.optimizer.zero_grad()
            first = first or time.perf_counter()
        return (time.perf_counter() - first) / (len(self.batches) - 1)

    def evaluated_epoch(self) -> None:
        """Evaluate, then go through one epoch."""
        self.evaluate()
        self.epoch()

    def evaluate(self) -> None:
        """Evaluate what the platform evaluates between two epochs."""
        self.task.evaluate(self.dataset, "train", self.dataset.train[:EVALUATED_TRAIN])
        self.task.evaluate(self.dataset, "val", self.dataset.validation)
