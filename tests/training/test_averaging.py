"""Where an optimizer averages, the average is evaluated and saved, and training goes on from the weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from safetensors.torch import load_file
from torch.utils.data import DataLoader

from spadam.config import RunConfig
from spadam.models.autoencoder import SparseAutoencoder
from spadam.models.spec import AutoencoderSpec
from spadam.optim import EmaSpec, LazyAdamSpec, OptimizerSpec, ScheduleFreeSpec
from spadam.sparsity import TopKSpec
from spadam.spec import Document, validate
from spadam.training.ledger import rows
from spadam.training.module import AutoencoderModule
from spadam.training.run import run
from support.short_training import Stop, stop_at

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*smaller than the logging interval"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning"),
]

OPTIMIZERS: dict[str, dict[str, Any]] = {
    "schedule_free": {"name": "schedule_free", "lr": 1e-2},
    "around lazy_adam": {"name": "schedule_free", "inner": {"name": "lazy_adam", "beta1": 0.0}, "lr": 1e-2},
    "ema, held rows": {"name": "lazy_adam", "ema": {"decay": 0.9}, "lr": 1e-2},
    "ema, every row": {"name": "adam", "ema": {"decay": 0.9}, "lr": 1e-2},
}
each = pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)


def config(optimizer: dict[str, Any], **model: Any) -> RunConfig:
    document = {
        "seed": 3,
        "data": {"name": "digits", "batch_size": 64},
        "model": {"latents": 64, "rule": {"name": "top_k", "k": 4}, **model},
        "optimizer": optimizer,
        "trainer": {"epochs": 2, "checkpoint_every": 5},
        "probe": None,
        "tracking": {"mode": "disabled"},
    }
    return validate(RunConfig, Document(document, {}, "test"))


def timeless(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "time" and not name.startswith("time/")}


@each
@pytest.mark.parametrize("stop", [7, 27])
def test_a_training_resumes_to_the_last_bit(
    optimizer: dict[str, Any], stop: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spadam.training.telemetry._PROGRESS_SECONDS", 0.0)
    described = config(optimizer, tied=False, decoder_norm="unit")
    whole = run(described, tmp_path / "whole")

    with pytest.raises(Stop):
        run(described, tmp_path / "out", progress=stop_at(stop))
    resumed = run(described, tmp_path / "out")
    assert resumed.provenance["resumed"][0]["step"] == stop // 5 * 5
    assert timeless(resumed.metrics) == timeless(whole.metrics)
    written = [[timeless(row) for row in rows(tmp_path / name / "metrics.jsonl")] for name in ("out", "whole")]
    assert written[0] == written[1]
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("out", "whole")]
    assert weights[0] == weights[1]


@each
def test_the_last_evaluation_is_of_the_weights_that_are_saved(optimizer: dict[str, Any], tmp_path: Path) -> None:
    described = config(optimizer, tied=False, decoder_norm="unit")
    result = run(described, tmp_path / "out")
    saved = SparseAutoencoder.load(tmp_path / "out")
    dataset = described.data.load()
    x_ND = dataset.take(dataset.validation)
    with torch.no_grad():
        mse = float((saved(x_ND).reconstruction_BD - x_ND).square().mean())
    assert mse == pytest.approx(result.metrics["val/mse"], rel=1e-5)
    torch.testing.assert_close(saved.decoder_weight.norm(dim=1), torch.ones(64), rtol=0, atol=1e-6)


def test_an_average_changes_what_is_evaluated_and_not_what_is_trained(tmp_path: Path) -> None:
    """The loss of every step is that of a training without; what is saved differs."""
    plain, averaged = ({"name": "lazy_adam", "lr": 1e-2, **more} for more in ({}, {"ema": {"decay": 0.9}}))
    found = {}
    for name, optimizer in (("plain", plain), ("averaged", averaged)):
        result = run(config(optimizer), tmp_path / name)
        found[name] = (result, load_file(tmp_path / name / "model.safetensors"))
    (one, weights), (two, averages) = found["plain"], found["averaged"]
    assert one.metrics["train/loss_stream"] == two.metrics["train/loss_stream"]
    assert one.evaluations[0]["val/mse"] == two.evaluations[0]["val/mse"]
    assert one.metrics["val/mse"] != two.metrics["val/mse"]
    assert weights.keys() == averages.keys()
    assert not torch.equal(weights["encoder_weight"], averages["encoder_weight"])


# ---------------------------------------------------------------- under a Trainer of one's own


SPECS: list[OptimizerSpec] = [ScheduleFreeSpec(lr=1e-2), LazyAdamSpec(lr=1e-2, ema=EmaSpec(decay=0.9))]


def module(spec: OptimizerSpec) -> AutoencoderModule:
    model = AutoencoderSpec(latents=24, rule=TopKSpec(k=3)).build(10, torch.Generator().manual_seed(1))
    return AutoencoderModule(model, spec)


def loader() -> DataLoader[Any]:
    return DataLoader(torch.rand(96, 10, generator=torch.Generator().manual_seed(0)), batch_size=16)  # type: ignore[arg-type]


class Watch(pl.Callback):
    """The weights in each validation, what is trained after it, and the average there."""

    def __init__(self) -> None:
        self.validated: list[torch.Tensor] = []
        self.averages: list[torch.Tensor] = []
        self.around: list[torch.Tensor] = []

    def on_validation_batch_start(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        self.validated.append(pl_module.autoencoder.encoder_weight.detach().clone())

    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        weight = pl_module.autoencoder.encoder_weight
        self.around.append(weight.detach().clone())
        ema, optimizer = pl_module.averaging.ema, trainer.optimizers[0]
        self.averages.append(optimizer.average(weight) if ema is None else ema.average(weight))

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        self.around.append(pl_module.autoencoder.encoder_weight.detach().clone())


@pytest.mark.parametrize("spec", SPECS, ids=["schedule_free", "ema"])
def test_validation_sees_the_average_and_training_goes_on_from_the_weights(spec: OptimizerSpec, tmp_path: Path) -> None:
    watch, under_test = Watch(), module(spec)
    trainer = pl.Trainer(
        max_epochs=3, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, default_root_dir=tmp_path, callbacks=[watch], num_sanity_val_steps=0,
    )  # fmt: skip
    trainer.fit(under_test, loader(), DataLoader(torch.rand(8, 10), batch_size=8))  # type: ignore[arg-type]
    assert len(watch.validated) == len(watch.averages) == 3
    for seen, average, before, after in zip(
        watch.validated, watch.averages, watch.around[::2], watch.around[1::2], strict=True
    ):
        assert torch.equal(seen, average)
        assert not torch.equal(seen, before)
        assert torch.equal(before, after)
    assert torch.equal(under_test.autoencoder.encoder_weight, watch.averages[-1])


def test_without_an_average_nothing_is_copied() -> None:
    under_test = module(LazyAdamSpec())
    version = under_test.autoencoder.encoder_weight._version
    with under_test.averaging.evaluated():
        assert under_test.autoencoder.encoder_weight._version == version
    under_test.averaging.settle()
    assert under_test.autoencoder.encoder_weight._version == version
    assert not any(name.startswith("averaging") for name in under_test.state_dict())
