"""The size of a code, and the L1 term that is made of it: against loops, in value and in every gradient."""

from typing import Any

import pytest
import torch
from torch import Tensor

from spadam.config import RunConfig
from spadam.models.autoencoder import SparseAutoencoder
from spadam.models.spec import AutoencoderSpec
from spadam.spec import Document, validate
from spadam.tasks.autoencoder import AutoencoderTask

B, D, L = 24, 12, 40
EXACT = 1e-10  # float64: what the executions round differently is about 1e-15
KINDS: list[dict[str, Any]] = [{"tied": True}, {"tied": False}, {"tied": False, "decoder_norm": "unit"}]


def build(**values: Any) -> SparseAutoencoder:
    data = {"latents": L, "rule": {"name": "relu", "l1": 0.1}, **values}
    model = validate(AutoencoderSpec, Document(data, {}, "test")).build(D, torch.Generator().manual_seed(1)).double()
    with torch.no_grad():  # rows of many lengths, one of them 0; biases that leave some latents off everywhere
        factors_L = torch.linspace(0.2, 3.0, L, dtype=torch.float64)
        if not model.spec.tied and model.spec.decoder_norm == "free":
            model.decoder_weight.mul_(factors_L.flip(0)[:, None])
            model.decoder_weight[3] = 0.0
        model.encoder_bias.copy_(torch.linspace(-2.0, 0.5, L, dtype=torch.float64))
    return model


def batch() -> Tensor:
    return torch.rand(B, D, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def loss_and_gradients(model: SparseAutoencoder) -> list[Tensor]:
    x = batch()
    loss = AutoencoderTask(model).loss(x, model(x))
    loss.backward()
    return [loss.detach(), *(p.grad.to_dense() for p in model.parameters() if p.grad is not None)]


def naive_loss(model: SparseAutoencoder, l1: float, reduction: str) -> Tensor:
    """What the loss is, sample by sample and latent by latent."""
    x, total = batch(), torch.zeros((), dtype=torch.float64)
    for sample in x:
        built, penalty = model.decoder_bias[0], torch.zeros((), dtype=torch.float64)
        for latent in range(L):
            score = model.encoder_weight[latent] @ sample + model.encoder_bias[latent]
            if score > 0:
                row = model.decoder_rows[latent]
                built = built + score * row
                length = row.square().sum().sqrt() if row.any() else row.sum()
                penalty = penalty + score.abs() * (length if model.spec.decoder_norm == "free" else 1.0)
        total = total + (built - sample).square().sum() + l1 * penalty
    return total / (B * (D if reduction == "mean" else 1))


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("reduction", ["mean", "sample"])
@pytest.mark.parametrize("execution", ["sparse", "dense"])
def test_l1_is_what_loops_over_latents_give(kind: dict[str, Any], reduction: str, execution: str) -> None:
    model = build(**kind, reduction=reduction, execution=execution)
    ours = loss_and_gradients(model)
    model.zero_grad()
    loss = naive_loss(model, 0.1, reduction)
    loss.backward()
    expected = [loss.detach(), *(p.grad for p in model.parameters() if p.grad is not None)]
    assert len(ours) == len(expected) == (4 if kind["tied"] else 5)
    for mine, theirs in zip(ours, expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=EXACT)


def test_the_reduction_does_not_change_what_l1_means() -> None:
    """Both losses are one, but for the number of features."""
    mean, summed = (loss_and_gradients(build(tied=False, reduction=name)) for name in ("mean", "sample"))
    for one, other in zip(mean, summed, strict=True):
        torch.testing.assert_close(one * D, other, rtol=0, atol=EXACT)


def test_long_rows_and_small_codes_gain_nothing() -> None:
    model = build(tied=False)
    before = model.size(model(batch()).code).item()
    with torch.no_grad():
        model.encoder_weight.mul_(0.01)
        model.encoder_bias.mul_(0.01)
        model.decoder_weight.mul_(100.0)
    assert model.size(model(batch()).code).item() == pytest.approx(before, rel=1e-12)


@pytest.mark.parametrize("tied", [True, False])
def test_the_gradient_stays_row_sparse_over_the_touched_rows(tied: bool) -> None:
    model = build(tied=tied)
    x = batch()
    output = model(x)
    AutoencoderTask(model).loss(x, output).backward()
    rows = output.code.selection.latents_P.unique()
    assert 0 < len(rows) < L
    for parameter in model.latent_parameters:
        assert parameter.grad is not None
        assert parameter.grad.is_sparse
        assert torch.equal(parameter.grad.coalesce().indices()[0], rows)


def test_a_row_of_zeros_has_no_direction() -> None:
    model = build(tied=False)
    model.size(model(batch()).code).backward()
    assert model.decoder_weight.grad is not None
    assert torch.equal(model.decoder_weight.grad.to_dense()[3], torch.zeros(D, dtype=torch.float64))


def test_an_l1_of_another_meaning_is_another_training() -> None:
    def config(l1: float) -> RunConfig:
        model = {"rule": {"name": "relu", "l1": l1}}
        data = {"data": {"name": "digits"}, "optimizer": {"name": "adam"}, "model": model}
        return validate(RunConfig, Document(data, {}, "test"))

    assert "penalty" in config(0.1).facts()["model"]
    assert "penalty" not in config(0.0).facts()["model"]
