"""mse and fvu against a naive recomputation, with the evaluation code and with the training code."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from spadam.diagnostics import reconstruction
from spadam.diagnostics.metrics import METRICS
from spadam.diagnostics.reconstruction import SquaredErrors, evaluate, evaluate_training_code
from spadam.models.autoencoder import SparseAutoencoder
from spadam.models.spec import AutoencoderSpec
from spadam.spec import Document, validate

D, L, N = 10, 30, 300
RULES: list[dict[str, Any]] = [
    {"name": "top_k", "k": 4},
    {"name": "top_k", "k": 4, "lifetime": True},
    {"name": "lifetime", "rate": 0.1},
    {"name": "batch_top_k", "k": 3},
    {"name": "k_winners", "k": 3},
    {"name": "relu"},
]


def build(rule: dict[str, Any], dtype: torch.dtype = torch.float64, **values: Any) -> SparseAutoencoder:
    spec = validate(AutoencoderSpec, Document({"latents": L, "rule": rule, **values}, {}, "test"))
    model = spec.build(D, torch.Generator().manual_seed(1)).to(dtype)
    model(samples(40).to(dtype))  # one training batch, so that rules that learn have learnt
    return model


def samples(n: int = N) -> Tensor:
    return torch.rand(n, D, generator=torch.Generator().manual_seed(2))


def naive(x: Tensor, back: Tensor) -> tuple[float, float]:
    """By the definition, in float64, with the mean of every feature."""
    a, b = x.double().numpy(), back.double().numpy()
    error = ((a - b) ** 2).sum()
    return error / a.size, error / ((a - a.mean(0)) ** 2).sum()


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize("training", [True, False])
def test_evaluation_code_agrees_with_the_definition(
    rule: dict[str, Any], training: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconstruction, "_LEAST", 32)
    monkeypatch.setattr(reconstruction, "_BLOCK", 64 * L)  # several blocks, the last one incomplete
    model, x = build(rule), samples()
    rows = torch.randperm(N, generator=torch.Generator().manual_seed(3))[:250]
    back = model.eval()(x[rows].double()).reconstruction_BD.detach()
    model.train(training)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    got = evaluate(model, x.__getitem__, rows).reconstruction
    assert got == pytest.approx(naive(x[rows], back), rel=1e-12)  # float64 sums in another order
    assert model.training is training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.encoder_weight.grad is None


@pytest.mark.parametrize("execution", ["sparse", "dense", "gathered", "gathered_union"])
def test_training_code_agrees_with_a_loop_over_training_steps(execution: str) -> None:
    model, x = build({"name": "top_k", "k": 4, "lifetime": True}, execution=execution), samples()
    rows = torch.arange(N).flip(0)
    batches = [rows[:128], rows[128:256]]  # 44 are left over and left out
    back = torch.cat([model.train()(x[b].double()).reconstruction_BD.detach() for b in batches])
    got = evaluate_training_code(model.eval(), x.__getitem__, rows, 128)
    assert got == pytest.approx(naive(x[rows[:256]], back), rel=1e-12)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_training_code_changes_nothing(rule: dict[str, Any]) -> None:
    model, x = build(rule), samples()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    first = evaluate_training_code(model.train(), x.__getitem__, torch.arange(N), 64)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert evaluate_training_code(model.eval(), x.__getitem__, torch.arange(N), 64) == first


def test_fewer_rows_than_a_batch_are_one_batch() -> None:
    model, x = build({"name": "lifetime", "rate": 0.1}), samples()
    back = model.reconstruct_as_trained(x[:50].double()).reconstruction_BD
    got = evaluate_training_code(model, x.__getitem__, torch.arange(50), 128)
    assert got == pytest.approx(naive(x[:50], back), rel=1e-12)


def test_whole_batches_are_all_counted() -> None:
    model, x = build({"name": "top_k", "k": 4}), samples()
    whole = evaluate_training_code(model, x.__getitem__, torch.arange(256), 128)
    back = torch.cat([model.reconstruct_as_trained(x[i : i + 128].double()).reconstruction_BD for i in (0, 128)])
    assert whole == pytest.approx(naive(x[:256], back), rel=1e-12)


@pytest.mark.parametrize("offset", [0.0, 1e4])
@pytest.mark.parametrize("first", [100, 1])
def test_float32_sums_lose_no_digits(offset: float, first: int) -> None:
    """A far mean does not cancel; a first block of one far sample does not hurt either."""
    x = torch.randn(4000, 3, generator=torch.Generator().manual_seed(4)) + offset
    x[0] -= 5
    back = x + 0.1 * torch.randn(4000, 3, generator=torch.Generator().manual_seed(5))
    errors = SquaredErrors()
    for block in (slice(0, first), slice(first, 1700), slice(1700, None)):
        errors.add(x[block], back[block])
    # Squares are rounded to float32 one by one, 6e-8 each; sums are float64. About a lone first sample that lies 5
    # deviations off they are 26 times the squares about the mean.
    assert errors.result() == pytest.approx(naive(x, back), rel=1e-7 if first == 100 else 26 * 6e-8)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e4])
def test_equal_samples_have_no_variance_to_explain(value: float) -> None:
    x = torch.full((1000, D), value)
    errors = SquaredErrors()
    errors.add(x[:300], x[:300] + 1)
    errors.add(x[300:], x[300:] + 1)
    assert errors.result().mse == pytest.approx(1.0)
    assert math.isnan(errors.result().fvu)


def test_no_rows_are_nothing() -> None:
    model, none = build({"name": "top_k", "k": 4}), torch.arange(0)
    assert all(map(math.isnan, evaluate(model, samples().__getitem__, none).reconstruction))
    assert all(map(math.isnan, evaluate_training_code(model, samples().__getitem__, none, 8)))


def test_the_mean_explains_nothing_and_a_copy_everything() -> None:
    x = samples()
    mean, copy = SquaredErrors(), SquaredErrors()
    mean.add(x, x.double().mean(0).float().expand_as(x))
    copy.add(x, x)
    assert mean.result().fvu == pytest.approx(1.0, rel=1e-7)  # the mean is rounded to float32
    assert copy.result() == (0.0, 0.0)


def test_float32_models_and_other_sample_types_are_served() -> None:
    model, x = build({"name": "top_k", "k": 4}, torch.float32), samples()
    half = evaluate(model, x.half().__getitem__, torch.arange(N)).reconstruction
    full = evaluate(model, x.half().float().__getitem__, torch.arange(N)).reconstruction
    assert half == full


def test_metrics_have_registered_names() -> None:
    result = reconstruction.Reconstruction(0.5, 0.25)
    assert result.metrics("val") == {"val/mse": 0.5, "val/fvu": 0.25}
    names = [*result.metrics("val"), *result.metrics("train"), *result.metrics("test")]
    names += [*result.metrics("train", training_code=True), *result.metrics("test", training_code=True)]
    assert set(names) <= set(METRICS)
    assert len(set(names)) == 10


def test_numpy_agrees_on_the_definition_of_the_mean() -> None:
    """The naive side of these tests, by hand: two samples, one feature."""
    mse, fvu = naive(torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [2.0]]))
    assert (mse, fvu) == (0.5, np.float64(0.5))
