"""A k that changes while a rule is trained: the numbers it takes, its state, and what it needs to be one."""

from typing import Any

import pytest
import torch

from spadam.sparsity import RULES, BatchTopK, BatchTopKSpec, TopK, TopKSpec
from spadam.sparsity.scheduled_k import ScheduledK
from spadam.sparsity.specs.scheduled_k import ScheduledKSpec
from spadam.spec import Document, InputError, validate

LATENTS = 40
SCHEDULED: list[Any] = [member for member in RULES if "k_from" in member.model_fields]


def built(member: Any, **values: Any) -> ScheduledK:
    rule: ScheduledK = member(**values).build(LATENTS)
    return rule


def scores(seed: int = 0) -> torch.Tensor:
    return torch.randn(8, LATENTS, generator=torch.Generator().manual_seed(seed))


def test_top_k_and_batch_top_k_have_one() -> None:
    assert {TopKSpec, BatchTopKSpec} == set(SCHEDULED)
    assert all(issubclass(member, ScheduledKSpec) for member in SCHEDULED)


@pytest.mark.parametrize("member", SCHEDULED)
@pytest.mark.parametrize(("first", "last", "over"), [(20, 5, 10), (5, 20, 7), (9, 9, 3), (30, 1, 1)])
def test_it_goes_in_a_line_and_stays(member: Any, first: int, last: int, over: int) -> None:
    rule = built(member, k=last, k_from=first, k_steps=over)
    for step in range(over + 5):
        expected = round(first + (last - first) * min(1.0, step / over))
        assert rule.k == expected
        assert len(rule.training_selection(scores()).latents_P) == expected * 8
        rule.advance()
    assert rule.k == last


def test_every_number_between_comes_up() -> None:
    rule, seen = TopK(25, k_from=200, k_steps=10_000), []
    for _ in range(10_001):
        seen.append(rule.k)
        rule.advance()
    assert sorted(set(seen), reverse=True) == list(range(200, 24, -1))
    assert seen == sorted(seen, reverse=True)


def test_evaluation_uses_the_k_of_the_moment() -> None:
    rule = TopK(4, k_from=10, k_steps=3)
    for expected in (10, 8, 6, 4, 4):
        assert (rule.training_k, rule.evaluation_k(None), rule.evaluation_k(7)) == (expected, expected, 7)
        assert len(rule.evaluation_selection(scores()).latents_P) == expected * 8
        rule.advance()


def test_a_calibrated_threshold_is_for_the_k_of_the_moment() -> None:
    rule = BatchTopK(4, k_from=10, k_steps=3)
    for expected in (10, 8, 6, 4):
        rule.calibrate(8, [scores()])
        assert len(rule.evaluation_selection(scores()).latents_P) == expected * 8
        rule.advance()


@pytest.mark.parametrize("member", SCHEDULED)
def test_its_state_is_where_it_stands(member: Any) -> None:
    rule = built(member, k=4, k_from=20, k_steps=9)
    for _ in range(5):
        rule.advance()
    copy = built(member, k=4, k_from=20, k_steps=9)
    copy.load_state_dict(rule.state_dict())
    for _ in range(6):
        assert copy.k == rule.k
        assert torch.equal(copy.steps, rule.steps)
        rule.advance()
        copy.advance()


@pytest.mark.parametrize("member", SCHEDULED)
def test_without_one_there_is_no_state(member: Any) -> None:
    rule = built(member, k=4)
    rule.advance()
    assert rule.k == 4
    assert "steps" not in rule.state_dict()


@pytest.mark.parametrize("member", SCHEDULED)
@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"k_from": 30}, r"model\.rule\.k_from = 30 \(test\): .*over how many steps.*set model\.rule\.k_steps"),
        ({"k_steps": 30}, r"model\.rule\.k_steps = 30 \(test\): .*where k begins.*set model\.rule\.k_from"),
    ],
)
def test_half_a_schedule_is_refused(member: Any, values: dict[str, int], said: str) -> None:
    with pytest.raises(InputError, match=said):
        validate(member, Document(values, {}, "test"))


@pytest.mark.parametrize("member", SCHEDULED)
def test_it_begins_within_the_latents(member: Any) -> None:
    member(k_from=LATENTS, k_steps=5).check(LATENTS)
    with pytest.raises(InputError, match=r"model\.rule\.k_from = 41: k_from <= latents must hold, but latents = 40"):
        member(k_from=LATENTS + 1, k_steps=5).check(LATENTS)


@pytest.mark.parametrize("member", SCHEDULED)
def test_the_bound_on_rows_is_that_of_the_largest_k(member: Any) -> None:
    plain, down, up = member(k=20), member(k=5, k_from=20, k_steps=3), member(k=20, k_from=5, k_steps=3)
    assert plain.rows_bound(LATENTS, 4) == down.rows_bound(LATENTS, 4) == up.rows_bound(LATENTS, 4)
    assert (plain.per_sample_k(LATENTS), down.per_sample_k(LATENTS)) == (20, 5)
