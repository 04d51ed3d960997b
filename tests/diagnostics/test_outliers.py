"""A few samples that carry the squares are told."""

import numpy as np
import pytest
import torch

from spadam.data import DigitsSpec
from spadam.data.dataset import Dataset
from spadam.data.samples import Samples
from spadam.data.splits import Splits
from spadam.diagnostics import outliers

NONE = torch.arange(0)


def of(x: torch.Tensor, train: torch.Tensor | None = None) -> Dataset:
    return Dataset(Samples(x), Splits(torch.arange(len(x)) if train is None else train, NONE, NONE))


def tokens(samples: int = 1000, every: int = 64, times: float = 30.0) -> torch.Tensor:
    """Tokens of which every 64th is so many times as long as the others."""
    x = torch.randn(samples, 8, generator=torch.Generator().manual_seed(0))
    x[::every] *= times
    return x


def test_it_is_the_share_of_the_furthest() -> None:
    data = of(tokens())
    x = data.x.numpy().astype(np.float64)
    squares = np.sort(((x - x.mean(0)) ** 2).sum(1))
    found = outliers.find(data)
    assert found is not None
    assert found.samples == 10
    assert found.share == pytest.approx(squares[-10:].sum() / squares.sum(), rel=1e-12)
    assert found.times == pytest.approx((squares[-1] / squares[499]) ** 0.5, rel=1e-12)


def test_one_token_in_64_is_told() -> None:
    [warned] = outliers.warn(of(tokens()))
    assert warned.code == "outliers"
    assert warned.numbers["share"] > 0.6
    assert f"{warned.numbers['share']:.0%} of the sum of squares" in warned.text
    assert "data.exclude" in warned.text


@pytest.mark.parametrize("times", [1.0, 3.0])
def test_tokens_of_like_sizes_are_not(times: float) -> None:
    assert outliers.warn(of(tokens(times=times))) == []


def test_images_are_not() -> None:
    found = outliers.find(DigitsSpec().load())
    assert found is not None
    assert 0.01 < found.share < 0.04


def test_a_constant_and_a_scale_change_nothing() -> None:
    x = tokens().double()
    first, moved = (outliers.find(of(each)) for each in (x, 0.5 * x + 100))
    assert first is not None
    assert moved is not None
    assert moved.share == pytest.approx(first.share, rel=1e-4)  # what is taken is float32
    assert outliers.warn(of(x + 1000)) != []


def test_only_training_samples_are_looked_at() -> None:
    x = tokens()
    short = torch.tensor([row for row in range(1000) if row % 64])
    assert outliers.warn(of(x, short)) == []


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = outliers.find(of(tokens()))
    monkeypatch.setattr(outliers, "CHUNK", 24)
    parts = outliers.find(of(tokens()))
    assert whole is not None
    assert parts is not None
    assert parts.share == pytest.approx(whole.share, rel=1e-12)


@pytest.mark.parametrize("x", [torch.randn(99, 3), torch.ones(500, 3)], ids=["few", "equal"])
def test_where_there_is_no_hundredth_or_no_spread_nothing_is_said(x: torch.Tensor) -> None:
    assert outliers.find(of(x)) is None
    assert outliers.warn(of(x)) == []
