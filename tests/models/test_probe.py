"""The probe: its gradient stays its own; the regression finds the optimum that scikit-learn finds."""

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_info, threadpool_limits
from torch import Tensor

from spadam.data import Dataset
from spadam.data.dataset import Samples
from spadam.data.splits import Splits
from spadam.diagnostics import probe_regression
from spadam.diagnostics.metrics import METRICS
from spadam.diagnostics.probe_regression import baseline_pixels, baseline_untrained, refit
from spadam.models.autoencoder import SparseAutoencoder
from spadam.models.probe import LinearProbe
from spadam.models.spec import AutoencoderSpec, ProbeSpec
from spadam.spec import Document, InputError, validate

D, L, CLASSES = 12, 40, 3


def dataset(n: int = 900, classes: int = CLASSES, validation: int = 200, test: int = 200) -> Dataset:
    """Overlapping clouds, one a class."""
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(0, classes, (n,), generator=generator)
    centres = torch.rand(classes, D, generator=generator)
    x = (centres[y] + 0.35 * torch.randn(n, D, generator=generator)).clamp(0)
    order = torch.randperm(n, generator=generator)
    splits = Splits(order[validation + test :], order[:validation], order[validation : validation + test])
    return Dataset(Samples(x, y, classes), splits)


def build(**values: Any) -> SparseAutoencoder:
    rule = {"name": "top_k", "k": 4}
    spec = validate(AutoencoderSpec, Document({"latents": L, "rule": rule, **values}, {}, "test"))
    return spec.build(D, torch.Generator().manual_seed(1))


def matrix(model: SparseAutoencoder, x: Tensor, k: int | None) -> Tensor:
    return model.encode(x, k).dense(L)


# ---- the probe beside the autoencoder


def test_spec_has_the_defaults_of_the_contract_and_refuses_what_is_wrong() -> None:
    assert (ProbeSpec().lr, ProbeSpec().refit) == (1e-2, "auto")
    for wrong in ({"lr": 0.0}, {"lr": -1.0}, {"refit": "sometimes"}, {"epochs": 3}):
        with pytest.raises(InputError):
            validate(ProbeSpec, Document(wrong, {}, "test"))


@pytest.mark.parametrize("k", [1, 12, L])
def test_probe_is_a_matrix_product_and_passes_no_gradient_on(k: int) -> None:
    model, x = build(), dataset().x[:20]
    code = model.encode(x, k)
    code = code._replace(values_P=code.values_P.requires_grad_())
    linear = LinearProbe(L, CLASSES)
    assert not linear.weight.any()
    assert not linear.bias.any()
    with torch.no_grad():
        linear.weight.normal_(generator=torch.Generator().manual_seed(2))
        linear.bias.normal_(generator=torch.Generator().manual_seed(3))
    logits = linear(code)
    z = matrix(model, x, k)
    torch.testing.assert_close(logits, z @ linear.weight + linear.bias)
    target = torch.arange(20) % CLASSES
    torch.nn.functional.cross_entropy(logits, target).backward()
    assert code.values_P.grad is None
    error = (logits.detach().softmax(1) - torch.eye(CLASSES)[target]) / 20
    torch.testing.assert_close(linear.weight.grad, z.T @ error)
    torch.testing.assert_close(linear.bias.grad, error.sum(0))


def test_probe_serves_samples_without_any_latent() -> None:
    model, linear = build(rule={"name": "relu"}), LinearProbe(L, CLASSES)
    with torch.no_grad():
        model.encoder_bias.fill_(-1e3)
        linear.bias.copy_(torch.arange(CLASSES))
    logits = linear(model.encode(dataset().x[:5]))
    assert torch.equal(logits, torch.arange(CLASSES).float().expand(5, -1))


# ---- the regression


@pytest.mark.parametrize("sparse", [True, False])
@pytest.mark.parametrize("classes", [2, 3])
def test_gradient_is_that_of_autograd(sparse: bool, classes: int) -> None:
    generator = np.random.default_rng(0)
    x = (generator.random((30, 7)) * (generator.random((30, 7)) < 0.5)).astype(np.float32)
    column, mean = generator.integers(0, classes, 30), x.mean(0, dtype=np.float64)
    parameters = generator.normal(size=(7 + 1) * classes)
    loss, gradient = probe_regression._objective(parameters, csr_array(x) if sparse else x, column, mean, 0.1)
    p = torch.tensor(parameters, requires_grad=True)
    weight, bias = p[: 7 * classes].reshape(7, classes), p[7 * classes :]
    logits = (torch.tensor(x).double() - torch.tensor(mean)) @ weight + bias
    expected = torch.nn.functional.cross_entropy(logits, torch.tensor(column)) + 0.05 * weight.square().sum()
    expected.backward()
    assert p.grad is not None
    # Products with samples are float32 (6e-8 each, of terms around 1); the gradient is an average of them.
    assert loss == pytest.approx(expected.item(), abs=1e-6)
    np.testing.assert_allclose(gradient, p.grad.numpy(), atol=1e-6)


@pytest.mark.parametrize("sparse", [True, False])
def test_fits_reach_the_optimum_that_scikit_learn_reaches(sparse: bool) -> None:
    data = dataset()
    x, y = data.x[data.train].numpy(), data.samples.y[data.train].numpy()  # type: ignore[index]
    fits = probe_regression._fit_all(csr_array(x) if sparse else x, y)
    assert [fit.l2 for fit in fits] == [1e-2, 1e-3, 1e-4]
    scale = np.sqrt((x.astype(np.float64) ** 2).sum() / np.count_nonzero(x))
    for fit in fits:
        assert fit.converged
        scaled = x.astype(np.float64) / scale
        peer = LogisticRegression(C=1 / (fit.l2 * len(x)), tol=1e-9, max_iter=10_000).fit(scaled, y)
        ours = _log_probabilities(x @ fit.weight_FC + fit.bias_C)
        # The gradient has 39 elements of at most 1e-4 and the curvature is at least l2: the loss is at most
        # 39e-8 / (2 l2) above its minimum. Products with samples are float32, and what they round off is below 1e-6.
        loss = -ours[np.arange(len(y)), y].mean() + fit.l2 / 2 * (fit.weight_FC**2).sum() * scale**2
        theirs = peer.predict_log_proba(scaled)
        optimum = -theirs[np.arange(len(y)), y].mean() + fit.l2 / 2 * (peer.coef_**2).sum()
        assert optimum - 1e-6 <= loss <= optimum + 39e-8 / (2 * fit.l2) + 1e-6


def _log_probabilities(logits: Any) -> Any:
    logits = logits - logits.max(1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(1, keepdims=True))


def naive(x: Tensor, data: Dataset, test: bool) -> dict[str, float]:
    """The refit with scikit-learn on dense features ``x`` of all samples, run to its end."""
    assert data.y is not None
    y = data.y.numpy()
    train = x[data.train].double().numpy()
    scale = np.sqrt((train**2).sum() / np.count_nonzero(train))

    def score(model: LogisticRegression, rows: Tensor) -> float:
        return float(model.score(x[rows].double().numpy() / scale, y[rows]))

    models = [
        LogisticRegression(C=1 / (l2 * len(train)), tol=1e-9, max_iter=10_000).fit(train / scale, y[data.train])
        for l2 in (1e-2, 1e-3, 1e-4)
    ]
    scores = [score(model, data.validation) for model in models]
    best = scores.index(max(scores))
    found = {"probe/train_accuracy": score(models[best], data.train), "probe/val_accuracy": scores[best]}
    return found | ({"probe/test_accuracy": score(models[best], data.test)} if test else {})


@pytest.mark.parametrize("test", [True, False])
@pytest.mark.parametrize("rule", [{"name": "top_k", "k": 4}, {"name": "relu"}], ids=str)
def test_refit_is_the_regression_on_probe_codes(rule: dict[str, Any], test: bool) -> None:
    model, data = build(rule=rule), dataset()
    got = refit(model, data, seed=0, test=test)
    expected = naive(matrix(model, data.x, model.spec.probe_k), data, test)
    assert {name: got[name] for name in expected} == pytest.approx(expected, abs=0.011)  # two samples of 200
    assert set(got) - set(expected) == {"probe/converged", "probe/l2"}
    assert got["probe/converged"] in (0.0, 1.0)
    assert got["probe/l2"] in probe_regression.STRENGTHS
    assert set(got) <= set(METRICS)


def test_baselines_are_the_same_regression_on_other_inputs() -> None:
    model, data = build(), dataset()
    pixels = naive(data.x, data, test=True)
    assert baseline_pixels(data, 0, test=True)["probe/baseline_pixels"] == pytest.approx(
        pixels["probe/test_accuracy"], abs=0.011
    )
    assert baseline_pixels(data, 0, test=False)["probe/baseline_pixels"] == pytest.approx(
        pixels["probe/val_accuracy"], abs=0.011
    )
    fitted = refit(model, data, 0, test=True)
    assert baseline_untrained(model, data, 0, test=True) == {"probe/baseline_untrained": fitted["probe/test_accuracy"]}
    assert baseline_untrained(model, data, 0, test=False) == {"probe/baseline_untrained": fitted["probe/val_accuracy"]}


def test_nothing_depends_on_mode_or_thread_setting() -> None:
    model, data = build(), dataset()
    first = refit(model.train(), data, 3, test=True)
    with threadpool_limits(1, user_api="blas"):
        assert refit(model.eval(), data, 3, test=True) == first
    threads = [pool["num_threads"] for pool in threadpool_info()]
    refit(model, data, 3, test=True)
    assert [pool["num_threads"] for pool in threadpool_info()] == threads


def test_test_samples_choose_nothing() -> None:
    model, data = build(), dataset()
    assert data.y is not None
    wrong = data.y.clone()
    wrong[data.test] = (wrong[data.test] + 1) % CLASSES
    other = Dataset(Samples(data.x, wrong, CLASSES), data.splits)
    a, b = (refit(model, d, 0, test=True) for d in (data, other))
    assert a.pop("probe/test_accuracy") != b.pop("probe/test_accuracy")
    assert a == b


def test_equal_strengths_give_the_stronger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_regression, "STRENGTHS", (1e-3, 1e-3, 1e-3, 1e-9))
    x = torch.eye(4).repeat(50, 1)  # separable: every strength is right everywhere
    data = Dataset(
        Samples(x, torch.arange(4).repeat(50), 4), Splits(torch.arange(100), torch.arange(100, 200), torch.arange(0))
    )
    measured = probe_regression._measure(lambda rows: x[rows].numpy(), data, 0, test=True)
    assert (measured.fit.l2, measured.validation, measured.test) == (1e-3, 1.0, None)


def test_without_validation_the_middle_strength_is_taken() -> None:
    model, data = build(), dataset(validation=0)
    got = refit(model, data, 0, test=True)
    assert got["probe/l2"] == 1e-3
    assert "probe/val_accuracy" not in got
    assert baseline_pixels(data, 0, test=False) == {}
    assert baseline_untrained(model, data, 0, test=True)["probe/baseline_untrained"] == got["probe/test_accuracy"]


def test_training_codes_are_a_seeded_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_regression, "SAMPLES", 60)
    model, data = build(), dataset()
    seen: list[Tensor] = []

    def features(rows: Tensor) -> Any:
        seen.append(rows)
        return data.x[rows].numpy()

    for seed in (0, 0, 1):
        probe_regression._measure(features, data, seed, test=False)
    samples = [rows for rows in seen if set(rows.tolist()) <= set(data.train.tolist())]
    assert [len(rows) for rows in samples] == [60, 60, 60]
    assert torch.equal(samples[0], samples[1])
    assert not torch.equal(samples[0], samples[2])
    blocks = [len(rows) for rows in seen if set(rows.tolist()) <= set(data.validation.tolist())]
    assert blocks == [60, 60, 60, 20] * 3
    assert refit(model, data, 0, test=True) == refit(model, data, 0, test=True)


def test_an_unfinished_fit_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_regression, "ITERATIONS", 2)
    assert refit(build(), dataset(), 0, test=False)["probe/converged"] == 0.0
    monkeypatch.setattr(probe_regression, "ITERATIONS", 1000)
    assert refit(build(), dataset(), 0, test=False)["probe/converged"] == 1.0


def test_odd_classes_and_codes_are_served() -> None:
    """Classes missing in training, a single class, and codes that are all zero."""
    data, model = dataset(), build()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y = torch.full_like(data.y, 2)  # type: ignore[arg-type]
        single = Dataset(Samples(data.x, y, CLASSES), data.splits)
        assert refit(model, single, 0, test=True)["probe/test_accuracy"] == 1.0
        y[data.test] = 0
        missing = Dataset(Samples(data.x, y, CLASSES), data.splits)
        assert refit(model, missing, 0, test=True)["probe/test_accuracy"] == 0.0
        dead = build(rule={"name": "relu"})
        with torch.no_grad():
            dead.encoder_bias.fill_(-1e3)
        assert data.y is not None
        largest = int(data.y[data.train].bincount().argmax())
        got = refit(dead, data, 0, test=True)
        assert got["probe/test_accuracy"] == float((data.y[data.test] == largest).double().mean())


def test_scale_and_dead_latents_change_nothing() -> None:
    data = dataset()
    x = data.x.numpy()
    padded = np.concatenate([x * 1024, np.zeros((len(x), 5), np.float32)], axis=1)
    plain = probe_regression._measure(lambda rows: x[rows.numpy()], data, 0, test=True)
    other = probe_regression._measure(lambda rows: padded[rows.numpy()], data, 0, test=True)
    assert plain[1:] == other[1:]
    # A power of two shifts exponents only; zero columns may change the order of sums, in float32.
    np.testing.assert_allclose(other.fit.weight_FC[:D] * 1024, plain.fit.weight_FC, rtol=1e-2, atol=1e-3)
    assert not other.fit.weight_FC[D:].any()


def test_no_labels_are_refused() -> None:
    data = dataset()
    with pytest.raises(ValueError, match="needs labels"):
        refit(build(), Dataset(Samples(data.x), data.splits), 0, test=False)
