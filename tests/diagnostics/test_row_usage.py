"""What the training batches touched, against loops over a history of steps."""

import math
from typing import Any

import pytest
import torch

from spadam.diagnostics.metrics import METRICS
from spadam.diagnostics.row_usage import RowUsage

L, B = 40, 16
SILENT = 25 * B
Step = list[list[int]]
"""For every sample of a batch the rows that are on."""


def history(steps: int, seed: int = 0) -> list[Step]:
    """Row 0 is never on, the next ones rarely, the last ones in every sample."""
    generator = torch.Generator().manual_seed(seed)
    density = torch.linspace(-0.02, 1.1, L).clamp(0, 1) ** 4
    on = torch.rand(steps, B, L, generator=generator) < density
    return [[sample.nonzero()[:, 0].tolist() for sample in batch] for batch in on]


def play(usage: RowUsage, steps: list[Step]) -> None:
    for batch in steps:
        pairs = torch.tensor([row for sample in batch for row in sample], dtype=torch.int64)
        rows, counts = pairs.unique(return_counts=True)
        usage.update(rows, counts, len(batch), torch.tensor(len(pairs)))


def naive(steps: list[Step], before: list[Step]) -> dict[str, float]:
    """Every metric of ``steps``, by its definition, when ``before`` had come before the last reset."""
    sets = [set().union(*map(set, batch)) for batch in steps]
    samples = [sample for batch in steps for sample in batch]
    everything = [set().union(*map(set, batch)) for batch in before + steps]
    density = [sum(row in sample for sample in samples) / len(samples) for row in range(L)]
    share = [sum(row in touched for touched in sets) / len(sets) for row in range(L)]
    last = [max((n + 1 for n, touched in enumerate(everything) if row in touched), default=0) for row in range(L)]
    silent = [(len(everything) - step) * B >= SILENT for step in last]
    return {
        "sparsity/l0_train": sum(map(len, samples)) / len(samples),
        "sparsity/rows_touched": sum(map(len, sets)) / (len(sets) * L),
        "sparsity/rows_touched_expected": sum(1 - (1 - p) ** B for p in density) / L,
        "sparsity/rows_intermittent": sum(0.02 <= f <= 0.9 for f in share) / L,
        "sparsity/samples_per_row": sum(map(len, samples)) / sum(map(len, sets)),
        "sparsity/row_age": sum(len(everything) - step for step in last) / L,
        "sparsity/silent": sum(silent) / L if len(everything) * B >= SILENT else math.nan,
    }


def test_against_the_definitions_with_a_reset_between() -> None:
    steps, usage = history(70), RowUsage(L, silent_after=SILENT)
    play(usage, steps[:30])
    assert usage.report() == pytest.approx(naive(steps[:30], []), rel=1e-12, nan_ok=True)  # float64
    usage.reset()
    play(usage, steps[30:])
    got = usage.report()
    assert got == pytest.approx(naive(steps[30:], steps[:30]), rel=1e-12, nan_ok=True)
    assert 0 < got["sparsity/rows_intermittent"] < 1
    assert 1 / L < got["sparsity/silent"] < 1
    assert 0 < got["sparsity/rows_touched"] < 1
    assert got["sparsity/row_age"] >= 70 / L  # row 0 was never touched: it counts from step 0
    assert usage.report() == pytest.approx(got, rel=0, nan_ok=True)  # reporting changes nothing


def test_names_are_registered() -> None:
    assert set(RowUsage(L).report()) <= set(METRICS)


def test_intermittent_includes_both_ends() -> None:
    usage = RowUsage(4)
    for step in range(50):
        on = [0] if step < 1 else []  # 2 %
        on += [1] if step < 45 else []  # 90 %
        on += [2] if step < 46 else []  # above
        play(usage, [[on]])  # row 3: never
    assert usage.report()["sparsity/rows_intermittent"] == 2 / 4


def test_expected_rows_keep_the_digits_of_rare_rows_and_reach_one() -> None:
    usage = RowUsage(2)
    usage.update(torch.tensor([0, 1]), torch.tensor([10**9, 1]), 10**9, torch.tensor(0))
    assert usage.report()["sparsity/rows_touched_expected"] == pytest.approx((1 + (1 - math.exp(-1))) / 2, rel=1e-8)


def test_silence_needs_its_samples_and_forgets_those_before() -> None:
    usage, batch = RowUsage(4, silent_after=SILENT), SILENT // 4
    ones = torch.ones(1, dtype=torch.int64)
    for row in (0, 1, 2):
        usage.update(torch.tensor([row]), ones, batch, ones[0])
    assert math.isnan(usage.report()["sparsity/silent"])
    usage.update(torch.tensor([1]), ones, batch, ones[0])
    assert usage.report()["sparsity/silent"] == 1 / 4  # row 3, for all the samples
    usage.reset()
    usage.update(torch.tensor([1]), ones, batch, ones[0])
    assert usage.report()["sparsity/silent"] == 2 / 4  # row 0 now too


def test_where_nobody_says_when_no_row_is_ever_silent() -> None:
    usage, none = RowUsage(2), torch.tensor([], dtype=torch.int64)
    usage.update(none, none, 10**12, torch.tensor(0))
    assert math.isnan(usage.report()["sparsity/silent"])


def test_all_rows_touched_is_about_every_step() -> None:
    usage, every = RowUsage(3), torch.arange(3)
    assert not usage.all_rows_touched
    usage.update(every, every + 1, 4, torch.tensor(6))
    assert usage.all_rows_touched
    assert usage.report()["sparsity/rows_touched"] == 1.0
    usage.update(every[:2], every[:2] + 1, 4, torch.tensor(3))
    usage.reset()
    usage.update(every, every + 1, 4, torch.tensor(6))
    assert not usage.all_rows_touched


def test_a_step_that_touches_nothing_counts() -> None:
    usage = RowUsage(3)
    none = torch.tensor([], dtype=torch.int64)
    usage.update(none, none, 5, torch.tensor(0))
    got = usage.report()
    assert got["sparsity/rows_touched"] == got["sparsity/l0_train"] == got["sparsity/rows_touched_expected"] == 0
    assert got["sparsity/row_age"] == 1
    assert math.isnan(got["sparsity/samples_per_row"])


def test_before_any_step_nothing_is_known() -> None:
    report = RowUsage(3).report()
    assert report.pop("sparsity/row_age") == 0
    assert all(map(math.isnan, report.values()))


def test_resumed_counts_are_the_same_to_the_last_bit(tmp_path: Any) -> None:
    steps, straight = history(60, seed=1), RowUsage(L)
    play(straight, steps[:20])
    straight.reset()
    play(straight, steps[20:37])
    torch.save(straight.state_dict(), tmp_path / "usage.pt")
    play(straight, steps[37:])
    resumed = RowUsage(L)
    resumed.load_state_dict(torch.load(tmp_path / "usage.pt", weights_only=True))
    play(resumed, steps[37:])
    assert {k: v for k, v in resumed.report().items() if v == v} == {
        k: v for k, v in straight.report().items() if v == v
    }
    a, b = resumed.state_dict(), straight.state_dict()
    assert all(torch.equal(torch.as_tensor(a[name]), torch.as_tensor(b[name])) for name in b)


def test_state_is_a_copy() -> None:
    usage = RowUsage(L)
    play(usage, history(3))
    state = usage.state_dict()
    kept = state["touched_L"].clone()
    play(usage, history(3))
    assert torch.equal(state["touched_L"], kept)
