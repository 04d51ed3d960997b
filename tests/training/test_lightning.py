"""The short way through Lightning against Lightning's own: the same hooks in the same order, the same bits."""

from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor

from spadam.data import Batches, Dataset
from spadam.data.dataset import Samples
from spadam.data.splits import Splits
from spadam.models.spec import AutoencoderSpec
from spadam.optim import LazyAdamSpec
from spadam.sparsity import TopKSpec
from spadam.training.lightning import DirectStrategy, NoProfiler
from spadam.training.module import AutoencoderModule

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*no `val_dataloader`"),
]

HOOKS = (
    "on_train_batch_start",
    "on_before_zero_grad",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
    "on_train_batch_end",
)


class Listener(pl.Callback):
    """Notes which hooks are called, and with how large a gradient."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, bool]] = []

    def __getattribute__(self, name: str) -> Any:
        if name in HOOKS:
            return lambda trainer, module, *_: self.heard.append(
                (name, module.autoencoder.encoder_weight.grad is not None)
            )
        return super().__getattribute__(name)


def batches() -> Batches:
    x = torch.rand(64, 10, generator=torch.Generator().manual_seed(0))
    rows = torch.arange(64)
    return Batches(Dataset(Samples(x), Splits(rows, rows[:0], rows[:0])), rows, 16, seed=1)


def fit(tmp_path: Any, clip: float | None, **values: Any) -> tuple[Listener, list[Tensor]]:
    spec = AutoencoderSpec(latents=24, rule=TopKSpec(k=3))
    model = spec.build(10, torch.Generator().manual_seed(2))
    listener = Listener()
    trainer = pl.Trainer(
        max_epochs=2,
        accelerator="cpu",
        devices=1,
        gradient_clip_val=clip,
        callbacks=[listener],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        default_root_dir=tmp_path,
        **values,
    )
    trainer.fit(AutoencoderModule(model, LazyAdamSpec(lr=1e-2)), batches())
    assert trainer.global_step == 8
    return listener, [value.clone() for value in model.state_dict().values()]


@pytest.mark.parametrize("clip", [None, 1e-3])
def test_trains_as_lightning_does(clip: float | None, tmp_path: Any) -> None:
    theirs, wanted = fit(tmp_path, clip)
    ours, found = fit(tmp_path, clip, strategy=DirectStrategy(torch.device("cpu")), profiler=NoProfiler())
    assert ours.heard == theirs.heard
    assert {name for name, _ in ours.heard} == set(HOOKS)
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


def test_clipping_is_not_left_out(tmp_path: Any) -> None:
    """Adam does not see the scale of a gradient, but its eps does."""
    _, free = fit(tmp_path, None, strategy=DirectStrategy(torch.device("cpu")))
    _, clipped = fit(tmp_path, 1e-12, strategy=DirectStrategy(torch.device("cpu")))
    assert not all(torch.equal(a, b) for a, b in zip(free, clipped, strict=True))


def test_a_batch_that_is_there_is_not_touched() -> None:
    strategy, x = DirectStrategy(torch.device("cpu")), torch.ones(2, 3)
    assert strategy.batch_to_device(x) is x
    pair = (x, torch.zeros(2))
    assert strategy.batch_to_device(pair) is pair


def test_a_batch_that_is_elsewhere_is_moved() -> None:
    strategy, x = DirectStrategy(torch.device("cpu")), torch.ones(2, 3)
    moved = strategy.batch_to_device((x, x), torch.device("meta"))
    assert [part.device.type for part in moved] == ["meta", "meta"]
