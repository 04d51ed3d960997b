"""A constant that is added to all samples changes nothing, and is told where it does."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spadam.config import RunConfig
from spadam.data.dataset import Dataset, Samples
from spadam.data.splits import Splits
from spadam.diagnostics.inputs import warn
from spadam.diagnostics.reconstruction import evaluate, evaluate_training_code
from spadam.models.spec import AutoencoderSpec
from spadam.spec import Document, validate
from spadam.training.result import RunResult
from spadam.training.run import run

SAMPLES, FEATURES = 1500, 16


def samples() -> np.ndarray[Any, Any]:
    """Sparse mixtures of a few directions, whose sums with a whole number are exact in float32."""
    generator = np.random.default_rng(0)
    atoms = generator.normal(size=(48, FEATURES))
    weights = generator.exponential(size=(SAMPLES, 48)) * (generator.random((SAMPLES, 48)) < 0.06)
    return np.round((weights @ atoms) * 1024) / 1024


def train(folder: Path, shift: float, pre_bias: str, **model: Any) -> RunResult:
    folder.mkdir()
    np.save(folder / "x.npy", (samples() + shift).astype(np.float32))
    np.save(folder / "y.npy", np.arange(SAMPLES) % 3)
    text = {
        "data": {"name": "array", "root": str(folder), "file": "x.npy", "labels": "y.npy", "batch_size": 64},
        "model": {"latents": 96, "rule": {"name": "top_k", "k": 4}, "pre_bias": pre_bias, **model},
        "optimizer": {"name": "adam", "lr": 3e-3},
        "trainer": {"epochs": 3},
        "tracking": {"mode": "disabled"},
    }
    return run(validate(RunConfig, Document(text, {}, "test")))


@pytest.mark.parametrize("rule", [{"name": "top_k", "k": 4}, {"name": "batch_top_k", "k": 4}])
def test_every_metric_is_the_same_about_another_place(rule: dict[str, Any], tmp_path: Path) -> None:
    here, there = (train(tmp_path / str(shift), shift, "mean", rule=rule) for shift in (0, 8))
    assert here.metrics.keys() == there.metrics.keys() > {"val/fvu", "probe/baseline_pixels", "sparsity/dead"}
    for name, value in here.metrics.items():
        if not name.startswith(("time/", "data/")):
            expected = None if value is None else pytest.approx(value, rel=1e-4, abs=1e-4)
            assert there.metrics[name] == expected, name
    assert there.metrics["data/gamma"] > 10 * here.metrics["data/gamma"]
    assert not {"uncentred_inputs", "dead_at_start"} & {warned["code"] for warned in there.warnings}


def test_without_a_pre_bias_the_mean_decides_and_is_told(tmp_path: Path) -> None:
    here, there = (train(tmp_path / str(shift), shift, "none") for shift in (0, 8))
    assert there.metrics["sparsity/dead"] > here.metrics["sparsity/dead"] + 0.2
    said = {warned["code"]: warned for warned in there.warnings}
    assert said["uncentred_inputs"]["numbers"] == {"gamma": there.metrics["data/gamma"]}
    assert said["dead_at_start"]["numbers"]["dead"] == there.evaluations[0]["sparsity/dead"]
    assert "uncentred_inputs" not in {warned["code"] for warned in here.warnings}


def test_in_float64_nothing_but_roundings_differs() -> None:
    x_ND = torch.from_numpy(samples())

    def metrics(shift: float) -> list[float]:
        shifted_ND = x_ND + shift
        spec = AutoencoderSpec(latents=96, pre_bias="mean")
        model = spec.build(FEATURES, torch.Generator().manual_seed(0)).double()
        model.initialise(torch.Generator().manual_seed(0), shifted_ND.mean(0))
        optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
        for start in range(0, 1280, 64):
            optimizer.zero_grad()
            batch_BD = shifted_ND[start : start + 64]
            (model(batch_BD).reconstruction_BD - batch_BD).square().mean().backward()
            for parameter in model.parameters():
                assert parameter.grad is not None
                parameter.grad = parameter.grad.to_dense()
            optimizer.step()
        rows = torch.arange(1280, SAMPLES)
        take = shifted_ND.__getitem__
        found, trained = evaluate(model.eval(), take, rows), evaluate_training_code(model, take, rows, 64)
        return [*found.reconstruction, *trained, *found.usage.metrics().values()]

    np.testing.assert_allclose(metrics(8.0), metrics(0.0), rtol=1e-10, atol=0)


def dataset(x_ND: torch.Tensor) -> Dataset:
    rows = torch.randperm(len(x_ND), generator=torch.Generator().manual_seed(0))
    return Dataset(Samples(x_ND), Splits(rows[:900], rows[900:1000], rows[1000:]))


def test_gamma_is_that_of_the_training_split() -> None:
    x_ND = torch.from_numpy(samples()).float() + torch.linspace(-1, 1, FEATURES)
    data = dataset(x_ND)
    taken = x_ND[data.train].double().numpy()
    naive = np.linalg.norm(taken.mean(0)) / np.linalg.norm(taken.std(0))
    found = data.moments()
    assert found.gamma == pytest.approx(naive, rel=1e-12)
    np.testing.assert_allclose(found.variance_D.numpy(), taken.var(0), rtol=1e-10)
    assert data.moments() is found, "the pass is not made again"
    assert Dataset(data.samples, data.splits).moments() is found, "nor for another training on the same samples"
    other = Dataset(data.samples, data.splits._replace(train=data.train[:500]))
    assert other.moments().gamma != found.gamma


@pytest.mark.parametrize(("value", "gamma"), [(0.0, float("nan")), (2.0, float("inf"))])
def test_gamma_of_equal_samples(value: float, gamma: float) -> None:
    assert dataset(torch.full((1200, 3), value)).moments().gamma == pytest.approx(gamma, nan_ok=True)


@pytest.mark.parametrize(
    ("gamma", "pre_bias", "dead", "by_chance", "codes"),
    [
        (0.51, "none", 0.0, 0.0, ["uncentred_inputs"]),
        (0.5, "none", 0.1, 0.0, []),
        (9.0, "mean", 0.1, 0.0, []),
        (9.0, "learned", 0.11, 0.0, ["dead_at_start"]),
        (9.0, "none", 0.11, 0.0, ["uncentred_inputs", "dead_at_start"]),
        (0.1, "mean", 0.5, 0.02, []),  # so few validation samples that it would be so in any case
        (0.1, "mean", None, 0.0, []),  # without validation
        (float("nan"), "none", None, 0.0, []),
    ],
)
def test_what_is_told(gamma: float, pre_bias: str, dead: float | None, by_chance: float, codes: list[str]) -> None:
    first = {} if dead is None else {"sparsity/dead": dead}
    found = warn(gamma, pre_bias, first, by_chance)
    assert [warned.code for warned in found] == codes
    for warned in found:
        for number in warned.numbers.values():
            assert f"{number:.3g}" in warned.text or f"{number:.1%}" in warned.text
