"""The pair kernels against dense matrices, in float64 (1e-12: sums of at most 64 products of numbers near 1)."""

from typing import Any

import pytest
import torch
from torch import Tensor

from spadam.kernels import choose, name, reference, use

B, L, D = 6, 11, 5


def mask_of(case: str) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    masks = {
        "random": torch.rand(B, L, generator=generator) < 0.3,
        "sparse": torch.rand(B, L, generator=generator) < 0.05,
        "full": torch.ones(B, L, dtype=torch.bool),
        "none": torch.zeros(B, L, dtype=torch.bool),
        "one row": torch.arange(L).expand(B, L) == 4,
    }
    return masks[case]


@pytest.fixture(params=["random", "sparse", "full", "none", "one row"])
def pairs(request: pytest.FixtureRequest) -> dict[str, Any]:
    mask = mask_of(request.param)
    generator = torch.Generator().manual_seed(1)
    dense = torch.randn(B, L, generator=generator, dtype=torch.float64) * mask
    samples, latents = mask.nonzero(as_tuple=True)
    counts = mask.sum(1)
    return {
        "dense": dense,
        "mask": mask,
        "samples": samples,
        "latents": latents,
        "offsets": counts.cumsum(0) - counts,
        "values": dense[samples, latents],
        "weight": torch.randn(L, D, generator=generator, dtype=torch.float64),
        "x": torch.randn(B, D, generator=generator, dtype=torch.float64),
    }


def close(a: Tensor, b: Tensor) -> None:
    torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


def test_samples_of_pairs(pairs: dict[str, Any]) -> None:
    assert torch.equal(reference.samples_of_pairs(pairs["offsets"], len(pairs["latents"])), pairs["samples"])


@pytest.mark.parametrize("dense_share", [0.0, 2.0])
def test_decode_either_way(pairs: dict[str, Any], dense_share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "_DENSE_SHARE", dense_share)
    sums = reference.decode(pairs["latents"], pairs["values"], pairs["offsets"], pairs["weight"])
    close(sums, pairs["dense"] @ pairs["weight"])


@pytest.mark.parametrize("dense_share", [0.0, 2.0])
@pytest.mark.parametrize("block", [1, 12, 1 << 17])
def test_sampled_products_either_way(
    pairs: dict[str, Any], dense_share: float, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference, "_DENSE_SHARE", dense_share)
    monkeypatch.setattr(reference, "_BLOCK", block)
    products = reference.sampled_products(pairs["latents"], pairs["offsets"], pairs["x"], pairs["weight"])
    close(products, (pairs["x"] @ pairs["weight"].T)[pairs["mask"]])


def test_groups_and_row_sums(pairs: dict[str, Any]) -> None:
    groups = reference.group_by_row(pairs["latents"], pairs["offsets"], L)
    rows = pairs["mask"].any(0).nonzero()[:, 0]
    assert torch.equal(groups.rows_R, rows)
    assert torch.equal(groups.counts_R, pairs["mask"].sum(0)[rows])
    assert torch.equal(groups.samples_P, pairs["samples"][groups.order_P])
    close(reference.row_sum(pairs["values"], groups), pairs["dense"].sum(0)[rows])
    gradient = reference.row_gradient(groups, (pairs["values"], pairs["x"]))
    close(gradient, (pairs["dense"].T @ pairs["x"])[rows])


def test_the_same_arguments_give_the_same_bits(pairs: dict[str, Any]) -> None:
    groups = reference.group_by_row(pairs["latents"], pairs["offsets"], L)
    first, second = (reference.row_gradient(groups, (pairs["values"].float(), pairs["x"].float())) for _ in range(2))
    assert torch.equal(first, second)


def test_every_device_has_kernels() -> None:
    assert name(torch.device("cpu")) == "compiled"
    assert choose(torch.device("cuda")) is reference
    with use("reference"):
        assert choose(torch.device("cpu")) is reference
    assert name(torch.device("cpu")) == "compiled"
