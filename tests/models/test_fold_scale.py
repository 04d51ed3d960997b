"""A model that was trained on scaled samples takes samples as they are once it is saved, and does the same there."""

from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from spadam.config import RunConfig
from spadam.data import Dataset
from spadam.models.autoencoder import SparseAutoencoder
from spadam.sparsity import RULES
from spadam.spec import Document, validate
from spadam.tasks.task import build_task
from spadam.training.run import run
from spadam.training.view import pictures_of

RULE_NAMES = [get_args(rule.model_fields["name"].annotation)[0] for rule in RULES]


def config(rule: str = "top_k", scale: str = "unit_sq", **model: Any) -> RunConfig:
    document = {
        "data": {"name": "digits", "scale": scale, "batch_size": 64, "train_size": 640},
        "model": {"latents": 48, "rule": {"name": rule}, **model},
        "optimizer": {"name": "lazy_adam", "lr": 0.01},
        "trainer": {"epochs": 2},
        "probe": {"refit": "never"},
        "tracking": {"mode": "disabled"},
    }
    return validate(RunConfig, Document(document, {}, "test"))


def trained(wanted: RunConfig, data: Dataset) -> SparseAutoencoder:
    """A model whose biases and rule have learnt something: three batches by hand."""
    model = build_task(wanted, data).model
    assert isinstance(model, SparseAutoencoder)
    optimizer = wanted.optimizer.build(model.parameters())
    model.train()
    for rows in torch.split(data.train, 64)[:3]:
        x = data.take(rows)
        optimizer.zero_grad()
        (model(x).reconstruction_BD - x).square().mean().backward()
        optimizer.step()
    return model.eval()


def code(model: SparseAutoencoder, x: Tensor, k: int | None = None) -> tuple[Tensor, Tensor]:
    """Which latents are on, and every value, (B, L)."""
    found = model.encode(x, k)
    values = torch.zeros(len(x), model.spec.latents, dtype=x.dtype)
    on = torch.zeros_like(values, dtype=torch.bool)
    at = found.selection.samples(), found.selection.latents_P
    values[at], on[at] = found.values_P, True
    return on, values


@pytest.mark.parametrize(("scale", "activation"), [("unit_sq", "linear"), ("sqrt_d", "relu")])
@pytest.mark.parametrize("pre_bias", ["none", "mean", "learned"])
@pytest.mark.parametrize("rule", RULE_NAMES)
def test_folded_it_selects_the_same_and_reconstructs_in_units_of_the_data(
    rule: str, pre_bias: str, scale: str, activation: str
) -> None:
    wanted = config(rule, scale, pre_bias=pre_bias, activation=activation, tied=False)
    data = wanted.data.load()
    model = trained(wanted, data).double()  # so that only the model's own arithmetic counts
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert before["decoder_bias"].abs().max() > 0
    x = data.unscaled().take(data.validation).double()
    on, values = code(model, x * data.scale)
    reconstruction = model(x * data.scale).reconstruction_BD
    of_k = None if model.rule.k is None else code(model, x * data.scale, 3)[0]
    model.fold_scale(data.scale)
    on_folded, values_folded = code(model, x)
    assert torch.equal(on_folded, on)
    torch.testing.assert_close(values_folded, values / data.scale, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(model(x).reconstruction_BD, reconstruction / data.scale, rtol=1e-10, atol=1e-10)
    if of_k is not None:
        assert torch.equal(code(model, x, 3)[0], of_k)
    for name in ("encoder_weight", "decoder_weight"):
        assert torch.equal(before[name], model.state_dict()[name])


def test_what_is_saved_takes_samples_as_they_are(tmp_path: Path) -> None:
    wanted = config("batch_top_k")
    result = run(wanted, tmp_path)
    data = wanted.data.load()
    assert data.scale != 1
    assert result.metrics["data/scale"] == data.scale
    with safe_open(tmp_path / "model.safetensors", "pt") as file:
        assert file.metadata() == {"trained with data/scale": repr(data.scale)}
    loaded = SparseAutoencoder.load(tmp_path)
    x = data.unscaled().take(data.validation)
    error = (loaded(x).reconstruction_BD - x).double().square().mean().item()
    assert error * data.scale**2 == pytest.approx(result.metrics["val/mse"], rel=1e-5)
    on, _ = code(loaded, x)
    assert on.double().sum(1).mean().item() == pytest.approx(result.metrics["sparsity/l0_eval"], rel=1e-3)


def test_nothing_is_noted_without_a_scale(tmp_path: Path) -> None:
    result = run(config(scale="none"), tmp_path)
    assert result.metrics["data/scale"] == 1
    with safe_open(tmp_path / "model.safetensors", "pt") as file:
        assert file.metadata() is None


def test_a_checkpoint_keeps_the_units_of_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spadam.training.telemetry._PROGRESS_SECONDS", 0.0)

    def stop(progress: Any) -> None:
        if progress.step >= 12:
            raise KeyboardInterrupt

    whole = run(config("batch_top_k"), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(config("batch_top_k"), tmp_path / "cut", progress=stop)
    resumed = run(config("batch_top_k"), tmp_path / "cut")
    assert resumed.metrics["val/mse"] == whole.metrics["val/mse"]
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "cut")]
    assert weights[0] == weights[1]


def test_pictures_are_of_samples_as_they_are(tmp_path: Path) -> None:
    """Drawn from what was saved they are what they were, and samples are the pictures that they are without a scale."""
    drawn = []
    for scale in ("unit_sq", "none"):
        wanted = config(scale=scale)
        run(wanted, tmp_path / scale)
        drawn.append(pictures_of(wanted, tmp_path / scale)["pictures/reconstructions"])
    height = len(drawn[0]) // 2
    assert (drawn[0][:height] == drawn[1][:height]).all()
