"""A task of another kind: skip-gram with negative sampling, two embedding tables that are touched differently.

A sample is a pair (centre, context) of word numbers, as floats, as every data source gives them. It is trained and
compared like the autoencoder, through its import path alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spadam.config import RunConfig
from spadam.data import Dataset
from spadam.data.splits import seeded
from spadam.diagnostics.metric import Metric, Split
from spadam.diagnostics.metrics import COMMON
from spadam.models.task_spec import TaskSpec
from spadam.optim.rows.touched import RowSamples, set_row_samples
from spadam.spec import InputError
from spadam.tasks.task import Evaluation, StepResult, Task

OWN = [Metric(f"{split}/loss", "nats", f"{split} split", "Mean of the loss.") for split in ("train", "val")]


MEASURED = COMMON | {metric.name: metric for metric in OWN}


class SkipGramSpec(TaskSpec):
    """Skip-gram on so many words."""

    builds: ClassVar[str] = "support.embedding_task.SkipGram"
    measured: ClassVar[str] = "support.embedding_task.MEASURED"

    words: int
    width: int = 4
    negatives: int = 3
    sparse: bool = False
    """Whether the backward pass gives COO gradients, or dense ones."""

    def rows_bound(self, batch_size: int) -> float:
        return min(1.0, batch_size / self.words)


class SkipGram(Task):
    """log sigmoid of a pair's product, and of minus that of each negative, which are drawn from a generator."""

    def __init__(self, spec: SkipGramSpec, seed: int) -> None:
        self.spec = spec
        centres = nn.Embedding(spec.words, spec.width, sparse=spec.sparse)
        contexts = nn.Embedding(spec.words, spec.width, sparse=spec.sparse)
        for table in (centres, contexts):
            nn.init.normal_(table.weight, generator=seeded("weights", seed))
        self.model = nn.ModuleDict({"centres": centres, "contexts": contexts})
        self.tables = {"centres": centres.weight, "contexts": contexts.weight}
        self.negatives = seeded("negatives", seed)

    @classmethod
    def begin(cls, spec: SkipGramSpec, config: RunConfig, dataset: Dataset) -> SkipGram:
        if dataset.features != 2:
            raise InputError("data", config.data.name, "a sample must be a pair of words", "give two features")
        return cls(spec, config.seed)

    def training_step(self, batch: Any) -> StepResult:
        centre_B, context_B, negative_BN = self._draw(batch, self.negatives)
        touched = {
            "centres": _count(centre_B[:, None]),
            "contexts": _count(torch.cat([context_B[:, None], negative_BN], 1)),
        }
        for name, samples in touched.items():
            set_row_samples(self.tables[name], samples)
        return StepResult(self._loss_B(centre_B, context_B, negative_BN).mean(), len(centre_B), touched)

    @torch.no_grad()
    def evaluate(self, dataset: Dataset, split: Split, rows_N: Tensor) -> Evaluation:
        drawn = self._draw(dataset.take(rows_N), seeded("evaluated negatives", len(rows_N)))
        return Evaluation({f"{split}/loss": float(self._loss_B(*drawn).mean())})

    def state_dict(self) -> dict[str, Any]:
        return {"negatives": self.negatives.get_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.negatives.set_state(state["negatives"])

    def _draw(self, x_B2: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        centre_B, context_B = x_B2.long().unbind(1)
        negative_BN = torch.randint(self.spec.words, (len(x_B2), self.spec.negatives), generator=generator)
        return centre_B, context_B, negative_BN

    def _loss_B(self, centre_B: Tensor, context_B: Tensor, negative_BN: Tensor) -> Tensor:
        centre_BD = self.model["centres"](centre_B)
        right_B = (centre_BD * self.model["contexts"](context_B)).sum(1)
        wrong_BN = (centre_BD[:, None] * self.model["contexts"](negative_BN)).sum(2)
        return -(F.logsigmoid(right_B) + F.logsigmoid(-wrong_BN).sum(1))


def _count(row_BT: Tensor) -> RowSamples:
    """The rows that occur, each counted once a sample."""
    batch, times = row_BT.shape
    pairs = torch.unique(row_BT * batch + torch.arange(batch)[:, None].expand(batch, times))
    rows_R, counts_R = torch.unique_consecutive(pairs // batch, return_counts=True)
    return RowSamples(rows_R, counts_R, batch)
