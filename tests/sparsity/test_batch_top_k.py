"""BatchTopK: its three thresholds against naive loops, and what a relu after it changes."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from spadam.sparsity import BatchTopK, Selection
from spadam.sparsity.specs.batch_top_k import Threshold

LATENTS, K = 30, 3


def scores(batch: int = 16, seed: int = 0) -> Tensor:
    return torch.randn(batch, LATENTS, generator=torch.Generator().manual_seed(seed))


def observe(rule: BatchTopK, x: Tensor) -> Selection:
    selection = rule.training_selection(x)
    rule.observe(selection, x[selection.samples(), selection.latents_P])
    return selection


def relu(rule: BatchTopK) -> BatchTopK:
    rule.relu = True
    return rule


def pairs(selection: Selection) -> set[tuple[int, int]]:
    return set(zip(selection.samples().tolist(), selection.latents_P.tolist(), strict=True))


def blocks_of(x: Tensor, *sizes: int) -> Iterator[Tensor]:
    start = 0
    for size in sizes:
        yield x[start : start + size]
        start += size
    assert start == len(x)


def naive(x: Tensor, least: float) -> set[tuple[int, int]]:
    return {(b, i) for b, row in enumerate(x.tolist()) for i, score in enumerate(row) if score >= least}


BLOCKS = [(16, 16, 16), (1, 40, 7), (48,), (1,) * 48]


@pytest.mark.parametrize("sizes", BLOCKS, ids=str)
@pytest.mark.parametrize("k", [1, K, LATENTS])
def test_the_calibrated_threshold_keeps_k_a_sample(sizes: tuple[int, ...], k: int) -> None:
    x, rule = scores(48), BatchTopK(k)
    rule.calibrate(48, blocks_of(x, *sizes))
    assert rule.threshold.item() == sorted(x.flatten().tolist(), reverse=True)[k * 48 - 1]
    chosen = rule.evaluation_selection(x)
    assert len(chosen.latents_P) == k * 48
    assert pairs(chosen) == naive(x, rule.threshold.item())
    new = scores(5, seed=1)
    assert pairs(rule.evaluation_selection(new)) == naive(new, rule.threshold.item())


def test_calibrating_asks_for_one_block_after_the_other() -> None:
    asked: list[int] = []

    def blocks() -> Iterator[Tensor]:
        for seed in range(4):
            asked.append(seed)
            block = scores(seed=seed)
            yield block
            block.fill_(torch.inf)  # what it wants to keep of a block, it must have taken by now

    rule = BatchTopK(K)
    rule.calibrate(64, blocks())
    whole = torch.cat([scores(seed=seed) for seed in range(4)])
    assert rule.threshold.item() == whole.flatten().sort(descending=True).values[K * 64 - 1].item()
    assert asked == [0, 1, 2, 3]


def test_ties_at_the_calibrated_threshold_all_stay_on() -> None:
    x, rule = torch.ones(4, LATENTS), BatchTopK(K)
    rule.calibrate(4, [x])
    assert len(rule.evaluation_selection(x).latents_P) == x.numel()


def test_calibrating_again_forgets_what_was() -> None:
    rule, other = BatchTopK(K), BatchTopK(K)
    rule.calibrate(16, [100 * scores()])
    rule.calibrate(16, [scores(seed=1)])
    other.calibrate(16, [scores(seed=1)])
    assert torch.equal(rule.threshold, other.threshold)


def test_until_it_is_calibrated_the_mean_stands_in() -> None:
    rule, mean = BatchTopK(K), BatchTopK(K, "mean")
    for seed in range(3):
        observe(rule, scores(seed=seed))
        observe(mean, scores(seed=seed))
    assert pairs(rule.evaluation_selection(scores(seed=9))) == pairs(mean.evaluation_selection(scores(seed=9)))
    rule.calibrate(16, [scores()])
    assert len(rule.evaluation_selection(scores()).latents_P) == K * 16


def test_only_what_is_calibrated_asks_for_scores() -> None:
    def blocks() -> Iterator[Tensor]:
        asked.append(True)
        yield scores()

    asked: list[bool] = []
    sources: tuple[Threshold, ...] = ("mean", "ema")
    for source in sources:
        rule = BatchTopK(K, source)
        before = {name: buffer.clone() for name, buffer in rule.named_buffers()}
        rule.calibrate(16, blocks())
        assert not asked
        assert all(torch.equal(before[name], buffer) for name, buffer in rule.named_buffers())


def test_the_moving_threshold_is_saelens() -> None:
    """(1 - .01) threshold + .01 (smallest positive kept value), from 0; a batch without one leaves it alone."""
    rule, threshold = BatchTopK(K, "ema"), 0.0
    assert pairs(rule.evaluation_selection(scores())) == pairs(rule.training_selection(scores())), "nothing is known"
    for seed in range(120):
        x = scores(seed=seed) - (9.0 if seed % 5 == 4 else 1.2 if seed % 5 == 3 else 0.0)
        selection = observe(rule, x)
        kept = [x[b, i].item() for b, i in pairs(selection)]
        positive = [value for value in kept if value > 0]
        if positive:
            threshold = (1 - 0.01) * threshold + 0.01 * min(positive)
        assert rule.threshold.item() == pytest.approx(threshold, rel=1e-12)
    assert threshold > 0.5
    x = scores(seed=999)
    assert pairs(rule.evaluation_selection(x)) == naive(x, rule.threshold.float().item())


def test_an_unreached_mean_is_no_mean() -> None:
    rule = relu(BatchTopK(K, "mean"))
    observe(rule, -scores().abs())
    assert (int(rule.batches), float(rule.threshold_sum)) == (0, 0)
    x = scores()
    selection = observe(rule, x)
    assert rule.threshold_sum.item() == pytest.approx(min(x[b, i].item() for b, i in pairs(selection)))


@pytest.mark.parametrize("source", ["calibrated", "ema", "mean"])
def test_before_a_relu_only_what_is_positive_is_selected(source: Threshold) -> None:
    rule, x = relu(BatchTopK(K, source)), scores() - 1.5
    positive = {(b, i) for b in range(16) for i in range(LATENTS) if x[b, i] > 0}
    assert 0 < len(positive) < K * 16, "there are fewer than the batch may keep"
    assert pairs(observe(rule, x)) == positive
    rule.calibrate(16, [x])
    for least in (-1.0, 0.0):
        if source != "mean":
            rule.threshold.fill_(least)
        assert pairs(rule.evaluation_selection(x)) <= positive
    plain = BatchTopK(K)
    assert len(plain.training_selection(x).latents_P) == K * 16, "without a relu winners stay whatever their sign"


def test_where_too_little_is_positive_all_of_it_is_on() -> None:
    rule, x = relu(BatchTopK(K)), scores() - 1.5
    rule.calibrate(16, blocks_of(x, 5, 5, 5, 1))
    assert rule.threshold == 0
    new = scores(seed=1)
    assert pairs(rule.evaluation_selection(new)) == {(b, i) for b, i in naive(new, 0.0) if new[b, i] > 0}


def test_with_a_relu_enough_positive_scores_give_the_same_threshold() -> None:
    plain, rectified = BatchTopK(K), relu(BatchTopK(K))
    for rule in (plain, rectified):
        rule.calibrate(16, blocks_of(scores(), 5, 5, 5, 1))
    assert torch.equal(plain.threshold, rectified.threshold)
    assert pairs(plain.training_selection(scores())) == pairs(rectified.training_selection(scores()))


def test_what_another_release_has_saved_is_read_as_a_mean() -> None:
    before = {"threshold_sum": torch.tensor(6.0, dtype=torch.float64), "batches": torch.tensor(4)}
    rule = BatchTopK(K, "mean")
    rule.load_state_dict(before)
    assert pairs(rule.evaluation_selection(scores())) == naive(scores(), 1.5)
