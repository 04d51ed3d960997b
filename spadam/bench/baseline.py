"""The training that one writes first: Lightning, a torchvision DataLoader, masks, autograd, torch.optim.Adam.

It has no probe and measures nothing. Shapes: B samples, D features, L latents, H x W pixels.
"""

from __future__ import annotations

import time
from typing import Any

import pytorch_lightning as pl
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset
from torchvision.transforms import ToTensor
from typing_extensions import override

from spadam.data import Dataset
from spadam.data.splits import seeded
from spadam.kernels.arithmetic import arithmetic
from spadam.training.lightning import quiet

_SIDE = 28


class PilImages(TorchDataset[tuple[Tensor, int]]):
    """The training split as torchvision's FashionMNIST gives it: a byte image, through PIL, through ToTensor."""

    def __init__(self, dataset: Dataset) -> None:
        x_ND = dataset.take(dataset.train)
        low, high = x_ND.aminmax()
        scale = 255 / (high - low)  # of Fashion-MNIST, whose pixels are in [0, 1], the bytes of its files
        self.data = ((x_ND - low) * scale).round().to(torch.uint8).reshape(-1, _SIDE, _SIDE)
        assert dataset.y is not None
        self.targets = dataset.y[dataset.train]
        self.transform = ToTensor()

    def __len__(self) -> int:
        return len(self.data)

    @override
    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image, target = self.data[index], int(self.targets[index])
        return self.transform(Image.fromarray(image.numpy())), target


class MaskedAutoencoder(pl.LightningModule):
    """A tied top-k autoencoder: encode, mask, decode, mean squared error."""

    def __init__(self, weight_LD: Tensor, k: int, lr: float = 1e-3) -> None:
        super().__init__()
        latents, features = weight_LD.shape
        self.weight = torch.nn.Parameter(weight_LD.clone())
        self.bias = torch.nn.Parameter(torch.zeros(latents))
        self.decoder_bias = torch.nn.Parameter(torch.zeros(features))
        self.k, self.lr = k, lr

    @override
    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x_BD = batch[0].flatten(1)
        scores_BL = torch.addmm(self.bias, x_BD, self.weight.T)
        mask_BL = torch.zeros_like(scores_BL).scatter_(1, scores_BL.topk(self.k, 1).indices, 1.0)
        loss: Tensor = ((scores_BL * mask_BL) @ self.weight + self.decoder_bias - x_BD).square().mean()
        return loss

    @override
    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.lr)


class _Clock(pl.Callback):
    """Notes when the first and the last step of an epoch ended."""

    first = last = 0.0

    @override
    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.last = time.perf_counter()
        self.first = self.first or self.last


class Baseline:
    """Such a training, an epoch at a time, each from fresh weights. Nothing is logged or saved."""

    def __init__(self, dataset: Dataset, latents: int, k: int, batch_size: int, threads: int) -> None:
        self.images, self.k, self.batch_size, self.threads = PilImages(dataset), k, batch_size, threads
        random = seeded("weights", 0)
        self.weight_LD = torch.randn(latents, dataset.features, generator=random) / dataset.features**0.5

    def epoch(self) -> float:
        """One epoch; seconds of a step, the mean over all but the first."""
        loader = DataLoader(self.images, batch_size=self.batch_size, shuffle=True, drop_last=True)
        clock = _Clock()
        with arithmetic(self.threads), quiet():
            trainer = pl.Trainer(
                accelerator="cpu",
                devices=1,
                max_epochs=1,
                callbacks=[clock],
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
            )
            trainer.fit(MaskedAutoencoder(self.weight_LD, self.k), loader)
        return (clock.last - clock.first) / (len(loader) - 1)
