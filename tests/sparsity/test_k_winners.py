"""KWinners: what its duty cycle counts, its boost from epoch to epoch, its k in evaluation; nupic.torch beside it."""

import math

import pytest
import torch
from torch import Tensor

from spadam.sparsity import KWinners, KWinnersSpec, Selection
from spadam.spec import InputError

LATENTS, K = 30, 4


def scores(seed: int = 0) -> Tensor:
    return torch.randn(16, LATENTS, generator=torch.Generator().manual_seed(seed))


def observe(rule: KWinners, x: Tensor) -> Selection:
    selection = rule.training_selection(x)
    rule.observe(selection, x[selection.samples(), selection.latents_P])
    return selection


def of_nupic(duty_L: Tensor, code_BL: Tensor, seen: int, period: int) -> Tensor:
    """nupic.torch 0.0.2, KWinners.update_duty_cycle: ``code`` holds the winners' values, 0 elsewhere."""
    period = min(period, seen)
    return (duty_L * (period - len(code_BL)) + (code_BL > 0).sum(0)) / period


def test_its_duty_cycle_counts_selections_where_nupic_counts_positives() -> None:
    ours = KWinners(K, LATENTS, boost_strength=1.5, duty_cycle_period=40)
    positives_L, selections_L, negative = torch.zeros(LATENTS), torch.zeros(LATENTS), 0
    for step in range(1, 9):
        x = scores(seed=step) - 1.3  # some winners are below 0
        selection = observe(ours, x)
        values_BL, ones_BL = torch.zeros_like(x), torch.zeros_like(x)
        values_BL[selection.samples(), selection.latents_P] = x[selection.samples(), selection.latents_P]
        ones_BL[selection.samples(), selection.latents_P] = 1
        negative += int((values_BL < 0).sum())
        positives_L = of_nupic(positives_L, values_BL, 16 * step, 40)
        selections_L = of_nupic(selections_L, ones_BL, 16 * step, 40)
    assert negative > 0
    torch.testing.assert_close(ours.duty_cycle_L, selections_L)  # the same formula but for what is counted
    assert ours.duty_cycle_L.sum().item() == pytest.approx(K, rel=1e-5)
    assert positives_L.sum().item() < 0.95 * K


def test_with_positive_winners_it_is_nupics() -> None:
    ours, nupic_L = KWinners(K, LATENTS, boost_strength=1.5, duty_cycle_period=40), torch.zeros(LATENTS)
    for step in range(1, 9):
        x = scores(seed=step) + 9
        selection = observe(ours, x)
        code_BL = torch.zeros_like(x)
        code_BL[selection.samples(), selection.latents_P] = x[selection.samples(), selection.latents_P]
        nupic_L = of_nupic(nupic_L, code_BL, 16 * step, 40)
    torch.testing.assert_close(ours.duty_cycle_L, nupic_L)


def test_the_boost_is_multiplied_after_each_epoch() -> None:
    rule = KWinners(K, LATENTS, 1.5, 40, boost_strength_factor=0.9)
    for epoch in range(4):
        assert float(rule.boost_strength) == pytest.approx(1.5 * 0.9**epoch)
        x = scores(seed=epoch)
        boosted = x * torch.exp(1.5 * 0.9**epoch * (K / LATENTS - rule.duty_cycle_L))
        expected = boosted.topk(K, dim=1).indices.sort().values
        assert torch.equal(observe(rule, x).latents_P.reshape(16, K).sort().values, expected)
        rule.end_epoch()


def test_the_boost_is_state_where_it_changes() -> None:
    rule, copy = (KWinners(K, LATENTS, 1.5, 40, boost_strength_factor=0.9) for _ in range(2))
    rule.end_epoch()
    rule.end_epoch()
    copy.load_state_dict(rule.state_dict())
    assert float(copy.boost_strength) == float(rule.boost_strength) == pytest.approx(1.5 * 0.81)
    constant = KWinners(K, LATENTS, 1.5, 40)
    constant.end_epoch()
    assert constant.boost_strength == 1.5
    assert set(constant.state_dict()) == {"duty_cycle_L", "samples_seen"}, "as older releases saved it"


@pytest.mark.parametrize(("factor", "expected"), [(1.0, 4), (1.5, 6), (0.4, 2), (0.01, 1), (7.5, 30)])
def test_evaluation_keeps_k_times_a_factor(factor: float, expected: int) -> None:
    spec = KWinnersSpec(k=K, k_inference_factor=factor)
    spec.check(LATENTS)
    rule = spec.build(LATENTS)
    assert rule.k == spec.per_sample_k(LATENTS) == K, "what is forced on a sample is the k of training"
    assert len(rule.evaluation_selection(scores()).latents_P) == 16 * expected
    assert len(rule.training_selection(scores()).latents_P) == 16 * K
    assert len(rule.evaluation_selection(scores(), 7).latents_P) == 16 * 7


def test_evaluation_keeps_no_more_than_there_are() -> None:
    with pytest.raises(InputError, match=r"k_inference_factor = 7\.7: .* = 31 must be at most latents = 30; lower it"):
        KWinnersSpec(k=K, k_inference_factor=7.7).check(LATENTS)


def test_a_boost_of_0_stays_plain_top_k() -> None:
    rule = KWinners(K, LATENTS, 0.0, 40, boost_strength_factor=0.5)
    rule.duty_cycle_L[:5] = 0.9
    x = scores()
    assert torch.equal(rule.training_selection(x).latents_P.reshape(16, K), x.topk(K, dim=1, sorted=False).indices)
    assert math.isclose(float(rule.boost_strength), 0)
