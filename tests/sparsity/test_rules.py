"""Rules: what each keeps, against naive loops; and one contract over every member of the registry."""

from typing import Any, get_args

import pytest
import torch
from torch import Tensor

from spadam.models.spec import AutoencoderSpec
from spadam.sparsity import (
    RULES,
    BatchTopK,
    KWinners,
    Lifetime,
    LifetimeSpec,
    Relu,
    ReluSpec,
    Rule,
    Selection,
    TopK,
    TopKSpec,
)
from spadam.sparsity.rule import everything, from_mask, to_mask
from spadam.spec import InputError

LATENTS = 30


def spec_of(member: Any, **values: Any) -> Any:
    return member(name=get_args(member.model_fields["name"].annotation)[0], **values)


def scores(batch: int = 16, seed: int = 0) -> Tensor:
    return torch.randn(batch, LATENTS, generator=torch.Generator().manual_seed(seed))


def sets(selection: Selection) -> list[set[int]]:
    """Each sample's latents, by a loop over offsets."""
    ends = [*selection.offsets_B.tolist()[1:], len(selection.latents_P)]
    latents = selection.latents_P.tolist()
    return [set(latents[a:b]) for a, b in zip(selection.offsets_B.tolist(), ends, strict=True)]


def observe(rule: Rule, x: Tensor) -> None:
    """Let the rule see a training batch."""
    selection = rule.training_selection(x)
    rule.observe(selection, x[selection.samples(), selection.latents_P])


def best(row: Tensor, k: int) -> set[int]:
    return set(sorted(range(len(row)), key=lambda i: -row[i].item())[:k])


@pytest.mark.parametrize("member", RULES)
class TestContract:
    def test_selects_each_pair_once_and_deterministically(self, member: Any) -> None:
        rule: Rule = spec_of(member).build(LATENTS)
        first, second = rule.training_selection(scores()), rule.training_selection(scores())
        assert first.latents_P.dtype == torch.int64
        assert torch.equal(first.latents_P, second.latents_P)
        assert sum(map(len, sets(first))) == len(first.latents_P)
        assert torch.equal(from_mask(to_mask(first, LATENTS)).offsets_B, first.offsets_B)

    def test_only_an_l1_term_is_a_penalty(self, member: Any) -> None:
        assert not spec_of(member).penalises
        if "l1" in member.model_fields:
            spec = spec_of(member, l1=0.5)
            assert spec.penalises
            assert spec.build(LATENTS).penalty(torch.tensor(3.0)).item() == 1.5

    def test_no_more_rows_are_touched_than_it_says(self, member: Any) -> None:
        spec = spec_of(member)
        bound = spec.rows_bound(LATENTS, 16)
        touched = sum(len(set.union(*sets(spec.build(LATENTS).training_selection(scores(seed=n))))) for n in range(200))
        # independent samples of equally likely latents reach the bound on average: the tolerance is of chance
        assert bound is None or touched / 200 / LATENTS <= bound + 0.01

    def test_k_overrides_evaluation(self, member: Any) -> None:
        rule: Rule = spec_of(member).build(LATENTS)
        assert [len(s) for s in sets(rule.evaluation_selection(scores(), 7))] == [7] * 16

    def test_what_says_it_is_the_k_best_is(self, member: Any) -> None:
        rule: Rule = spec_of(member).build(LATENTS)
        for seed in range(3):
            observe(rule, scores(seed=seed))
        x = scores(seed=9)
        asked = [(rule.training_k, rule.training_selection(x))]
        asked += [(rule.evaluation_k(k), rule.evaluation_selection(x, k)) for k in (None, 1, 7)]
        for k, selection in asked:
            assert k is None or sets(selection) == [best(row, k) for row in x]
        if rule.training_k is not None:
            buffers = {name: buffer.clone() for name, buffer in rule.named_buffers()}
            observe(rule, x)
            assert all(torch.equal(buffers[name], buffer) for name, buffer in rule.named_buffers())

    def test_what_says_it_is_what_lies_above_a_bound_is(self, member: Any) -> None:
        for relu in (False, True):
            rule: Rule = spec_of(member).build(LATENTS)
            rule.relu = relu
            for seed in range(3):
                observe(rule, scores(seed=seed))
            x = scores(seed=9)
            if (bound := rule.evaluation_bound()) is not None:
                assert bound.dtype == torch.float32
                assert sets(rule.evaluation_selection(x)) == sets(from_mask(x > bound))

    def test_selection_changes_nothing(self, member: Any) -> None:
        rule: Rule = spec_of(member).build(LATENTS)
        before = {name: buffer.clone() for name, buffer in rule.named_buffers()}
        rule.training_selection(scores())
        rule.evaluation_selection(scores())
        assert all(torch.equal(before[name], buffer) for name, buffer in rule.named_buffers())

    def test_what_it_learns_does_not_follow_a_cast_of_the_model(self, member: Any) -> None:
        """In bfloat16 a sum stands still at 256 times what is added to it, and a count is forgotten."""
        cast, plain = (spec_of(member).build(LATENTS) for _ in range(2))
        cast.to(torch.bfloat16)
        for seed in range(600):
            x = scores(seed=seed).abs()
            observe(cast, x)
            observe(plain, x)
        for name, buffer in plain.named_buffers():
            assert cast.get_buffer(name).dtype == buffer.dtype
            assert torch.equal(cast.get_buffer(name), buffer)
        for moved in (cast.half().float(), cast.double()):
            assert all(torch.equal(moved.get_buffer(name), buffer) for name, buffer in plain.named_buffers())

    def test_state_survives_saving(self, member: Any) -> None:
        rule: Rule = spec_of(member).build(LATENTS)
        for seed in range(3):
            observe(rule, scores(seed=seed))
        copy: Rule = spec_of(member).build(LATENTS)
        copy.load_state_dict(rule.state_dict())
        assert sets(copy.evaluation_selection(scores(seed=9))) == sets(rule.evaluation_selection(scores(seed=9)))


@pytest.mark.parametrize("k", [1, 5, LATENTS])
def test_top_k_keeps_exactly_k_largest(k: int) -> None:
    chosen = sets(TopK(k).training_selection(scores()))
    assert chosen == [best(row, k) for row in scores()]
    assert chosen == sets(TopK(k, lifetime=True).evaluation_selection(scores()))


def test_top_k_keeps_exactly_k_among_ties() -> None:
    ties = torch.zeros(4, LATENTS)
    first, second = (TopK(5).training_selection(ties) for _ in range(2))
    assert [len(s) for s in sets(first)] == [5] * 4
    assert torch.equal(first.latents_P, second.latents_P)


def test_top_k_keeps_winners_whatever_their_sign() -> None:
    assert sets(TopK(3).training_selection(-scores().abs())) == [best(row, 3) for row in -scores().abs()]


def test_top_k_with_lifetime_is_a_logical_or() -> None:
    x = scores()
    chosen = sets(TopK(4, lifetime=True).training_selection(x))
    expected = [best(row, 4) for row in x]
    for latent in range(LATENTS):
        expected[int(x[:, latent].argmax())].add(latent)
    assert chosen == expected
    assert set.union(*chosen) == set(range(LATENTS))


def test_lifetime_keeps_each_latents_best_share() -> None:
    x = scores()
    chosen = sets(Lifetime(0.25, 8).training_selection(x))
    for latent in range(LATENTS):
        assert {b for b, on in enumerate(chosen) if latent in on} == best(x[:, latent], 4)
    assert sets(Lifetime(0.25, 8).evaluation_selection(x)) == [set(range(LATENTS))] * 16
    assert sum(map(len, sets(Lifetime(0.001, 1).training_selection(x)))) == LATENTS, "one sample at least"


def test_batch_top_k_keeps_k_times_b_of_the_batch() -> None:
    x = scores()
    flat = best(x.reshape(-1), 3 * 16)
    assert sets(BatchTopK(3).training_selection(x)) == [
        {i % LATENTS for i in flat if i // LATENTS == b} for b in range(16)
    ]


def test_batch_top_k_threshold_is_the_mean_smallest_kept() -> None:
    rule, smallest = BatchTopK(3, threshold="mean"), []
    for seed in range(4):
        x = scores(seed=seed)
        observe(rule, x)
        smallest.append(x.reshape(-1).sort(descending=True).values[3 * 16 - 1].item())
    threshold = sum(smallest) / 4
    x = scores(seed=9)
    assert sets(rule.evaluation_selection(x)) == [
        {i for i in range(LATENTS) if row[i].item() >= threshold} for row in x
    ]


def test_batch_top_k_before_training_uses_the_batch_itself() -> None:
    rule = BatchTopK(3)
    assert sets(rule.evaluation_selection(scores())) == sets(rule.training_selection(scores()))


def test_k_winners_without_boost_is_top_k() -> None:
    rule = KWinners(4, LATENTS, boost_strength=0.0, duty_cycle_period=100)
    assert sets(rule.training_selection(scores())) == sets(TopK(4).training_selection(scores()))


def test_k_winners_duty_cycle_against_a_loop() -> None:
    rule, duty, seen = KWinners(4, LATENTS, boost_strength=1.5, duty_cycle_period=40), [0.0] * LATENTS, 0
    for seed in range(6):
        x = scores(seed=seed)
        boosted = x * torch.tensor([2.718281828459045 ** (1.5 * (4 / LATENTS - d)) for d in duty])
        chosen = rule.training_selection(x)
        assert sets(chosen) == [best(row, 4) for row in boosted]
        observe(rule, x)
        seen += 16
        weight = min(1.0, 16 / min(seen, 40))
        counts = [sum(i in s for s in sets(chosen)) / 16 for i in range(LATENTS)]
        duty = [d + weight * (c - d) for d, c in zip(duty, counts, strict=True)]
        torch.testing.assert_close(rule.duty_cycle_L, torch.tensor(duty))  # float32 against Python floats


def test_an_l1_term_may_be_warmed_up() -> None:
    """In the t-th training batch of w it is t/w of the whole, and all of it from the w-th on; a state goes on."""
    size, rule, whole = torch.tensor(1.5), Relu(0.5, 4), Relu(0.5).penalty(torch.tensor(1.5))
    found = []
    for step in range(6):
        if step == 2:
            saved = rule.state_dict()
            rule = Relu(0.5, 4)
            rule.load_state_dict(saved)
        rule.observe(rule.training_selection(torch.ones(2, 3)), torch.ones(6))
        found.append(float(rule.penalty(size) / whole))
    assert found == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    assert float(rule.penalty(size)) == float(whole), "asking changes nothing"
    assert not Relu(0.5).state_dict()
    assert ReluSpec(l1=0.5, l1_warmup_steps=4).build(8).l1_warmup_steps == 4
    assert "l1_warmup_steps" not in ReluSpec(l1=0.5).model_dump()


def test_relu_keeps_what_is_positive() -> None:
    expected = [{i for i in range(LATENTS) if row[i] > 0} for row in scores()]
    assert sets(Relu().training_selection(scores())) == expected == sets(Relu().evaluation_selection(scores()))


def test_rules_without_a_k_or_with_lifetime_sparsity_have_no_bound() -> None:
    assert TopKSpec(k=3).rows_bound(30, 16) == 1 - (1 - 3 / 30) ** 16
    assert [spec.rows_bound(30, 16) for spec in (TopKSpec(lifetime=True), LifetimeSpec(), ReluSpec())] == [None] * 3


def test_everything_is_everything() -> None:
    assert sets(everything(scores())) == [set(range(LATENTS))] * 16


@pytest.mark.parametrize("member", [m for m in RULES if "k" in m.model_fields])
def test_k_above_latents_is_refused(member: Any) -> None:
    with pytest.raises(InputError, match=r"model\.rule\.k = 31: k <= latents must hold, but latents = 30; lower k"):
        AutoencoderSpec._check(AutoencoderSpec.model_construct(latents=30, rule=spec_of(member, k=31)))
