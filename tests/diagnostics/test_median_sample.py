"""The FVU of the median sample against its definition, and what outliers do to it and to FVU."""

import math
import statistics

import numpy as np
import pytest
import torch
from torch import Tensor

from spadam.config import RunConfig
from spadam.diagnostics import median_sample, reconstruction
from spadam.diagnostics.median_sample import fvu_median_sample, squares_about_median
from spadam.diagnostics.reconstruction import evaluate
from spadam.models.spec import AutoencoderSpec
from spadam.spec import Document, validate
from spadam.tasks.task import build_task

D, N = 6, 151


def samples(seed: int = 0) -> Tensor:
    return torch.randn(N, D, generator=torch.Generator().manual_seed(seed)) * torch.arange(1, D + 1) + 3


def naive(x: Tensor, back: Tensor, centred_by: int = 2000) -> float:
    """Sample by sample, in float64, with the lower median of every feature."""
    a, b = x.double().numpy(), back.double().numpy()
    first = np.sort(a[:centred_by], axis=0)
    centre = first[(len(first) - 1) // 2]
    fractions = [
        float(((one - other) ** 2).sum() / ((one - centre) ** 2).sum())
        for one, other in zip(a, b, strict=True)
        if (one != centre).any()
    ]
    return statistics.median(fractions) if fractions else math.nan


def measured(x: Tensor, back: Tensor) -> float:
    errors = torch.square(back - x).sum(1)
    return fvu_median_sample(errors, squares_about_median(x.__getitem__, torch.arange(len(x))))


@pytest.mark.parametrize("count", [N, N - 1, 3, 2])
def test_against_the_definition(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(median_sample, "_BLOCK", 20 * D)  # several blocks, the last one incomplete
    x, back = samples()[:count], samples()[:count] + 0.3 * samples(1)[:count]
    assert measured(x, back) == pytest.approx(naive(x, back), rel=1e-5)  # squares of a sample are summed in float32


def test_the_centre_is_that_of_the_first_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(median_sample, "CENTRED_BY", 40)
    x, back = samples(), samples() + 0.3 * samples(1)
    assert measured(x, back) == pytest.approx(naive(x, back, 40), rel=1e-5)
    assert naive(x, back, 40) != pytest.approx(naive(x, back), rel=1e-5)


@pytest.mark.parametrize("size", [1e3, 1e6])
def test_a_single_huge_outlier_does_not_decide_it(size: float) -> None:
    """Badly or perfectly reconstructed, it moves the median by a place; FVU becomes its own."""
    x, back = samples(), samples() + 0.3 * samples(1)
    without, others = measured(x, back), sorted((torch.square(back - x).sum(1) / torch.square(x - 3).sum(1)).tolist())
    spread = others[N // 2 + 10] - others[N // 2 - 10]
    for share in (0.0, 1.0):  # of it that is left unexplained
        with_one, its = x.clone(), back.clone()
        with_one[7] = size
        its[7] = size * (1 - share**0.5)
        assert measured(with_one, its) == pytest.approx(without, abs=spread)
        fvu = reconstruction.SquaredErrors()
        fvu.add(with_one, its)
        assert fvu.result().fvu == pytest.approx(share, abs=0.02)


def test_many_outliers_along_one_direction_hide_nothing() -> None:
    """One in 64 at 30 times the norm, along one direction and well explained: the mean is theirs, the median not."""
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(6400, 32, generator=generator)
    back = x * (1 - 0.41**0.5)
    x[::64] = back[::64] = 30 * 32**0.5 * torch.nn.functional.one_hot(torch.tensor(3), 32)
    both = reconstruction.SquaredErrors()
    both.add(x, back)
    assert both.result().fvu < 0.05
    assert measured(x, back) == pytest.approx(0.41, rel=0.01)


def test_a_constant_added_to_everything_changes_nothing() -> None:
    x, back = samples().double(), (samples() + 0.3 * samples(1)).double()
    assert measured(x + 100, back + 100) == pytest.approx(measured(x, back), rel=1e-10)


def test_what_has_no_spread_has_no_fraction() -> None:
    same = torch.ones(5, D)
    assert math.isnan(measured(same, same + 1))
    assert math.isnan(fvu_median_sample(torch.zeros(0), squares_about_median(same.__getitem__, torch.arange(0))))
    one_differs = same.clone()
    one_differs[2] = 3.0
    assert measured(one_differs, one_differs - 1) == pytest.approx(1 / 4)  # the centre is 1: the others are left out


def test_what_was_lost_is_no_number() -> None:
    x = samples()
    assert math.isnan(measured(x, torch.full_like(x, math.nan)))
    assert math.isinf(measured(x, torch.full_like(x, math.inf)))


def test_an_evaluation_has_it_where_it_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconstruction, "_LEAST", 32)
    monkeypatch.setattr(reconstruction, "_BLOCK", 1)
    spec = validate(AutoencoderSpec, Document({"latents": 20, "rule": {"name": "top_k", "k": 2}}, {}, "test"))
    model, x, rows = spec.build(D, torch.Generator().manual_seed(1)).eval(), samples(), torch.randperm(N)[:120]
    squares = squares_about_median(x.__getitem__, rows)
    got = evaluate(model, x.__getitem__, rows, squares)
    plain = evaluate(model, x.__getitem__, rows)
    assert got.fvu_median_sample == pytest.approx(naive(x[rows], model(x[rows]).reconstruction_BD.detach()), rel=1e-5)
    assert math.isnan(plain.fvu_median_sample)
    assert plain.reconstruction == got.reconstruction


def test_a_task_measures_it_on_validation_of_the_set_that_it_is_given() -> None:
    document = {
        "data": {"name": "digits"},
        "model": {"latents": 16, "rule": {"name": "top_k", "k": 2}},
        "optimizer": {"name": "lazy_adam"},
    }
    config = validate(RunConfig, Document(document, {}, "test"))
    other = validate(RunConfig, Document({**document, "data": {"name": "digits", "split_seed": 1}}, {}, "test"))
    task = build_task(config, config.data.load())
    for data in (config.data.load(), config.data.load(), other.data.load()):
        rows = data.validation
        back = task.model(data.take(rows)).reconstruction_BD.detach()  # the rule learns nothing
        for _ in range(2):
            found = task.evaluate(data, "val", rows).metrics["val/fvu_median_sample"]
            assert found == pytest.approx(naive(data.take(rows), back), rel=1e-5)
        assert "val/fvu_median_sample" not in task.evaluate(data, "train", data.train).metrics
