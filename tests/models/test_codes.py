"""What a model's keys say of its rule: the scale it begins with, and what a relu does to the batch's best."""

from typing import Any

import pytest
import torch
from torch import Tensor

from spadam.models.autoencoder import SparseAutoencoder
from spadam.models.spec import AutoencoderSpec
from spadam.optim.rows.touched import row_samples
from spadam.spec import Document, InputError, validate

B, D, L = 24, 12, 40


def build(seed: int = 1, **values: Any) -> SparseAutoencoder:
    spec = validate(AutoencoderSpec, Document({"latents": L, **values}, {}, "test"))
    model: SparseAutoencoder = spec.build(D, torch.Generator().manual_seed(seed))
    return model


def batch(seed: int = 0) -> Tensor:
    return torch.rand(B, D, generator=torch.Generator().manual_seed(seed))


def touched(model: SparseAutoencoder) -> Tensor:
    samples = row_samples(model.encoder_weight)
    assert samples is not None
    return samples.rows_R


@pytest.mark.parametrize("tied", [True, False])
def test_rows_begin_with_the_scale_that_is_asked_for(tied: bool) -> None:
    drawn = torch.empty(L, D).normal_(generator=torch.Generator().manual_seed(1))
    usual, small = build(tied=tied), build(tied=tied, init_scale=0.01)
    assert torch.equal(usual.encoder_weight, drawn / D**0.5)
    assert torch.equal(small.encoder_weight, drawn * 0.01)
    assert torch.equal(small.decoder_rows, small.encoder_weight)


def test_unit_decoder_rows_keep_their_length_whatever_the_scale() -> None:
    model = build(tied=False, decoder_norm="unit", init_scale=0.01)
    torch.testing.assert_close(model.decoder_weight.norm(dim=1), torch.ones(L))
    assert model.encoder_weight.std().item() == pytest.approx(0.01, rel=0.15)  # of 480 draws: 1 / sqrt(960) = 3 %


@pytest.mark.parametrize("scale", [0, -1.0])
def test_a_scale_is_above_0(scale: float) -> None:
    with pytest.raises(InputError, match=r"model\.init_scale|init_scale"):
        build(init_scale=scale)


@pytest.mark.parametrize("execution", ["sparse", "dense"])
def test_a_relu_before_the_batchs_best_leaves_zeros_out(execution: str) -> None:
    rule = {"name": "batch_top_k", "k": 10}
    rectified = build(rule=rule, activation="relu", execution=execution)
    with torch.no_grad():
        rectified.encoder_bias.fill_(-0.9)  # some scores stay positive, fewer than 10 a sample
    x = batch()
    positive = rectified.scores(x) > 0
    output = rectified(x)
    assert 0 < len(output.code.values_P) == int(positive.sum()) < 10 * B
    assert (output.code.values_P > 0).all()
    assert torch.equal(output.code.dense(L) > 0, positive)
    assert torch.equal(touched(rectified), positive.any(0).nonzero()[:, 0])
    rectified.eval()
    assert (rectified(x).code.values_P > 0).all()


@pytest.mark.parametrize("execution", ["sparse", "dense"])
def test_a_batch_may_select_nothing_at_all(execution: str) -> None:
    model = build(rule={"name": "batch_top_k", "k": 3}, activation="relu", execution=execution)
    with torch.no_grad():
        model.encoder_bias.fill_(-100)
    output = model(batch())
    output.reconstruction_BD.sum().backward()
    assert len(output.code.values_P) == len(touched(model)) == 0
    assert model.encoder_weight.grad is not None
    assert not model.encoder_weight.grad.to_dense().any()
    assert model.decoder_bias.grad is not None
    assert torch.equal(output.reconstruction_BD, model.decoder_bias.expand(B, D))


def test_top_k_keeps_its_winners_before_a_relu() -> None:
    """The relu comes after the rule: a winner of 0 is selected, and its row is touched."""
    model = build(rule={"name": "top_k", "k": 3}, activation="relu")
    with torch.no_grad():
        model.encoder_bias.fill_(-100)
    assert len(model(batch()).code.values_P) == 3 * B


def test_a_schedule_counts_training_batches_and_no_others() -> None:
    model = build(rule={"name": "top_k", "k": 2, "k_from": 8, "k_steps": 3})
    seen = []
    for _ in range(5):
        seen.append(len(model(batch()).code.values_P) // B)
        model.reconstruct_as_trained(batch())
        model.eval()
        model(batch())
        model.encode(batch())
        model.train()
    assert seen == [8, 6, 4, 2, 2]


@pytest.mark.parametrize("k_from", [8, 30])
def test_a_schedule_goes_through_the_certified_search_and_out_of_it(k_from: int) -> None:
    """Where most latents are on all are scored, where few are on they are searched for: the code is the same."""
    rule = {"name": "top_k", "k": 2, "k_from": k_from, "k_steps": 4}
    plain, certified = build(rule=rule, execution="dense", selection="float32"), build(rule=rule, selection="certified")
    for seed in range(6):
        codes = [model(batch(seed)).code.dense(L) for model in (plain, certified)]
        torch.testing.assert_close(*codes)
        assert (codes[0] != 0).sum() == plain_k(k_from, seed) * B


def plain_k(k_from: int, step: int) -> int:
    return round(2 + (k_from - 2) * max(0, 4 - step) / 4)
