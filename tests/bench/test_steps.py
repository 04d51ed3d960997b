"""The steps that are compared do the same work: the same code, the same loss, the same gradients."""

import pytest
import torch

from spadam import kernels
from spadam.bench import FULL, NotRun, Settings
from spadam.bench.steps import Floor, Naive, Ours, Size, draw, gradients
from spadam.bench.timing import Effort
from spadam.bench.training import naive_over_ours, over_floor

TINY = Size(latents=96, k=3, batch=16, features=24)
ONCE = Settings(Effort(least=2, slow=1, most=2, seconds=0.0, warmup=1))


@pytest.mark.parametrize("selection", ["float32", "certified", "auto"])
def test_the_naive_step_is_ours_in_loss_and_gradient(selection: str) -> None:
    batches = draw(TINY)
    ours, naive = Ours(TINY, batches, selection), Naive(TINY, batches)
    for _ in range(2):
        torch.testing.assert_close(ours.backward(), naive.backward())
        parameters = (ours.model.encoder_weight, ours.model.encoder_bias, ours.model.decoder_bias)
        for mine, theirs in zip(parameters, naive.parameters, strict=True):
            assert mine.grad is not None
            torch.testing.assert_close(mine.grad.to_dense(), theirs.grad)
        ours.optimizer.zero_grad()
        naive.optimizer.zero_grad()


def test_the_floor_chooses_what_we_choose() -> None:
    batches = draw(TINY)
    ours, floor = Ours(TINY, batches), Floor(TINY, batches)
    code = ours.model(batches[0]).code
    values_BK, latents_BK = floor.step()
    for b, (values_K, latents_K) in enumerate(zip(values_BK, latents_BK, strict=True)):
        mine = slice(b * TINY.k, (b + 1) * TINY.k)
        assert set(code.selection.latents_P[mine].tolist()) == set(latents_K.tolist())
        torch.testing.assert_close(code.values_P[mine].sort().values, values_K.sort().values)


def test_steps_move_the_weights_and_hardly_change_them() -> None:
    batches = draw(TINY)
    ours, naive = Ours(TINY, batches), Naive(TINY, batches)
    before_LD = ours.model.encoder_weight.detach().clone()
    for side in (ours, naive):
        assert side.step().isfinite()
    for after_LD in (ours.model.encoder_weight, naive.parameters[0]):
        assert 0 < (after_LD - before_LD).abs().max() < 1e-5
    assert 0 < ours.rows_touched() <= TINY.latents


def test_batches_differ_and_are_the_same_for_all_sides() -> None:
    first, second = draw(TINY), draw(TINY)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert not torch.equal(first[0], first[1])
    assert sum(len(batch) for batch in draw(Size(8, 2, 4096, 4))) == 2 * 4096


def test_the_gradients_of_a_step_are_row_sparse() -> None:
    found = list(gradients(TINY, 2))
    assert all(grad.is_coalesced() and grad.shape == (96, 24) for grad in found)
    assert not torch.equal(found[0].to_dense(), found[1].to_dense())


@pytest.mark.parametrize("selection", ["float32", "certified"])
def test_cases_run(selection: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spadam.bench.training.fast_type", lambda: torch.int8)
    found = over_floor(TINY, selection, ONCE)
    assert found.ratio == pytest.approx(found.of / found.over)
    assert "of 96 rows touched" in found.note
    assert ("certified" in found.note) == (selection == "certified")
    assert naive_over_ours(TINY, ONCE).ratio > 0


def test_certified_is_not_measured_without_fast_products(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spadam.bench.training.fast_type", lambda: None)
    with pytest.raises(NotRun, match="no fast products"):
        over_floor(TINY, "certified", Settings(FULL))


def test_the_reference_kernels_can_be_measured_as_well() -> None:
    with kernels.use("reference"):
        assert over_floor(TINY, "float32", ONCE).ratio > 0
