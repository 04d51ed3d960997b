"""The training steps that are compared: ours, its floor, and the one that people write in plain PyTorch.

All sides of a comparison begin with the same weights and go through the same batches in the same order. Samples are
uniform in [0, 1]: like images they share a direction, and a batch touches about as large a share of the rows as theirs.
The lr is so small that this stays so.

Shapes: B samples, D features, L latents.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.optim import Optimizer

from spadam.data.splits import seeded
from spadam.models.autoencoder import SparseAutoencoder
from spadam.models.spec import AutoencoderSpec
from spadam.optim import LazyAdam, LazyAdamSpec
from spadam.training.module import AutoencoderModule

LR = 1e-6

_SAMPLES = 1024
"""Drawn in all, so that a row's weights are not still in the cache from the step before; at least two batches."""


class Size(NamedTuple):
    """A model and a batch."""

    latents: int
    k: int
    batch: int
    features: int = 784

    def __str__(self) -> str:
        return f"{self.latents} latents, k {self.k}, batch {self.batch}"


SMALL, MIDDLE, LARGE, HUGE = Size(1000, 25, 128), Size(4096, 32, 128), Size(16384, 32, 128), Size(65536, 32, 128)
LONG = Size(16384, 32, 4096)
AT_BATCH_128 = (SMALL, MIDDLE, LARGE, HUGE)


def draw(size: Size) -> list[Tensor]:
    """The batches (B, D) of a comparison."""
    random = seeded("bench", size.latents, size.batch)
    count = max(2, _SAMPLES // size.batch)
    return [torch.rand(size.batch, size.features, generator=random) for _ in range(count)]


def build(size: Size, selection: str = "auto", pre_bias: str = "mean") -> SparseAutoencoder:
    """Our model, tied, in training mode, with the weights with which every side begins."""
    rule = {"name": "top_k", "k": size.k}
    spec = {"latents": size.latents, "rule": rule, "selection": selection, "pre_bias": pre_bias}
    model: SparseAutoencoder = AutoencoderSpec.model_validate(spec).build(size.features, seeded("weights", 0))
    return model.train()


class Step(ABC):
    """A whole training step: the loss of the next batch, its gradients, the optimizer."""

    optimizer: Optimizer

    def __init__(self, batches: list[Tensor]) -> None:
        self._batches = itertools.cycle(batches)

    @abstractmethod
    def loss(self, x_BD: Tensor) -> Tensor:
        """The loss of a batch."""

    def backward(self) -> Tensor:
        """The loss of the next batch, after its backward pass."""
        loss = self.loss(next(self._batches))
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def step(self) -> Tensor:
        """One step, and its loss."""
        loss = self.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        return loss


class Ours(Step):
    """Forward, backward and :class:`LazyAdam`: the whole step, without a probe."""

    def __init__(
        self, size: Size, batches: list[Tensor], selection: str = "auto", lr: float = LR, pre_bias: str = "mean"
    ) -> None:
        super().__init__(batches)
        self.model = build(size, selection, pre_bias)
        self.module = AutoencoderModule(self.model, LazyAdamSpec())
        self.optimizer: LazyAdam = LazyAdam(self.model.parameters(), lr=lr)

    def loss(self, x_BD: Tensor) -> Tensor:
        """The module's."""
        return self.module.loss(x_BD, self.model(x_BD))

    def rows_touched(self) -> int:
        """Rows that the last step touched."""
        return len(self.optimizer.touched(self.model.encoder_weight))


class Floor:
    """The one dense product and the selection of the code: what a step cannot do without in float32."""

    def __init__(self, size: Size, batches: list[Tensor]) -> None:
        self.weight_LD = build(size).encoder_weight.detach()
        self.k = size.k
        self._batches = itertools.cycle(batches)

    @torch.no_grad()
    def step(self) -> tuple[Tensor, Tensor]:
        """Values and latents (B, k) of the next batch."""
        values_BK, latents_BK = (next(self._batches) @ self.weight_LD.T).topk(self.k, 1)
        return values_BK, latents_BK


class Naive(Step):
    """The step as one writes it: scatter what top-k kept, multiply, let autograd differentiate, fused dense Adam."""

    def __init__(self, size: Size, batches: list[Tensor], lr: float = LR) -> None:
        super().__init__(batches)
        model = build(size)
        start = (model.encoder_weight, model.encoder_bias, model.decoder_bias)
        self.parameters = [torch.nn.Parameter(parameter.detach().clone()) for parameter in start]
        self.optimizer = torch.optim.Adam(self.parameters, lr=lr, fused=True)
        self.k = size.k

    def loss(self, x_BD: Tensor) -> Tensor:
        """The mean squared error, of a code that is a matrix."""
        weight_LD, bias_L, decoder_bias_D = self.parameters
        scores_BL = torch.addmm(bias_L, x_BD, weight_LD.T)
        values_BK, latents_BK = scores_BL.topk(self.k, 1)
        code_BL = torch.zeros_like(scores_BL).scatter(1, latents_BK, values_BK)
        return (code_BL @ weight_LD + decoder_bias_D - x_BD).square().mean()


def gradients(size: Size, count: int = 4) -> Iterator[Tensor]:
    """Coalesced row-sparse gradients (L, D) of the encoder weights, of so many different batches."""
    ours: Any = Ours(size, draw(size))
    for _ in range(count):
        ours.backward()
        yield ours.model.encoder_weight.grad.coalesce()
        ours.optimizer.zero_grad()
