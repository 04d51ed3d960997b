"""Samplers for fronts and within bands: pure functions too, and led to where trials count."""

import math
import random
from typing import Any

import pytest

from spadam.sweep.definition.objective import ObjectiveSpec
from spadam.sweep.definition.spec import Sweep
from spadam.sweep.search.objective import OUTSIDE, UNMEASURED, Told, judge
from spadam.sweep.search.propose import Proposer, Seen, _bounded, is_ready, propose
from spadam.sweep.search.slots import search_slots
from support.sweep_bench import Bench

L0 = "sparsity/l0_eval"
WAYS = ("minimize", "maximize")


def two(params: dict[str, Any]) -> tuple[float, float]:
    """A cost and a gain that pull lr apart; eps serves neither."""
    lr, eps = math.log10(params["optimizer.lr"]), math.log10(params["optimizer.eps"])
    return (lr + 4) ** 2 + 0.1 * (eps + 6) ** 2, -((lr + 2) ** 2) - 0.1 * (eps + 6) ** 2


def banded(params: dict[str, Any]) -> Told:
    """An error that falls as lr does, where only lr of 1e-3 to 2e-3 lies within the band."""
    lr, eps = math.log10(params["optimizer.lr"]), math.log10(params["optimizer.eps"])
    found = {"val/fvu": lr + 6 + 0.1 * (eps + 6) ** 2, L0: 1000 * params["optimizer.lr"]}
    told = judge(ObjectiveSpec(at={L0: (1, 2)})).told_of(found)
    assert told is not None
    return told


def searched(sweep: Sweep, value: Any, ways: Any, workers: int, seed: int) -> list[dict[str, Any]]:
    """A search by so many workers whose trials end in random order."""
    order, waiting = random.Random(seed), search_slots(sweep, "adam")
    params: dict[int, dict[str, Any]] = {}
    told: dict[int, Told] = {}
    running: list[int] = []
    settings, variant = sweep.spec.search, sweep.variants["adam"]
    proposer = Proposer(settings, variant, ways)
    while waiting or running:
        while waiting and len(running) < workers:
            history = {n: Seen(p, told.get(n)) for n, p in params.items()}
            if not is_ready(settings, variant, waiting[0], history):
                break
            slot = waiting.pop(0)
            params[slot.number] = proposer.propose(slot, history)
            assert params[slot.number] == propose(settings, variant, slot, history, ways)
            running.append(slot.number)
        ended = running.pop(order.randrange(len(running)))
        told[ended] = value(params[ended])
    return [params[number] for number in sorted(params)]


def load(bench: Bench, sampler: str, trials: int) -> Sweep:
    bench.write({"search": {"sampler": sampler, "trials": trials, "seed": 1}})
    return bench.load()


@pytest.mark.parametrize(("sampler", "trials"), [("tpe", 24), ("gp", 14), ("random", 16), ("qmc", 16)])
def test_of_a_front_workers_and_the_order_of_finishing_change_nothing(bench: Bench, sampler: str, trials: int) -> None:
    sweep = load(bench, sampler, trials)
    one = searched(sweep, two, WAYS, workers=1, seed=0)
    assert len({str(params) for params in one}) == trials
    for workers, seed in ((2, 1), (4, 2)):
        assert searched(sweep, two, WAYS, workers, seed) == one


@pytest.mark.parametrize(("sampler", "trials"), [("tpe", 40), ("gp", 20)])
def test_what_learns_comes_closer_to_a_front_than_chance(bench: Bench, sampler: str, trials: int) -> None:
    """On the front eps is 1e-6 and lr between 1e-4 and 1e-2; by how much the second half of the trials misses that."""

    def missed(params: dict[str, Any]) -> float:
        lr, eps = math.log10(params["optimizer.lr"]), math.log10(params["optimizer.eps"])
        return max(-4 - lr, lr + 2, 0.0) + 0.3 * abs(eps + 6)

    def half(name: str) -> float:
        later = searched(load(bench, name, trials), two, WAYS, workers=1, seed=0)[trials // 2 :]
        return sum(map(missed, later)) / len(later)

    assert half(sampler) < 0.8 * half("random")


@pytest.mark.parametrize(("sampler", "trials"), [("tpe", 40), ("gp", 20)])
def test_what_learns_is_drawn_into_a_band(bench: Bench, sampler: str, trials: int) -> None:
    def inside(name: str) -> int:
        later = searched(load(bench, name, trials), banded, "minimize", workers=1, seed=0)[trials // 2 :]
        return sum(1e-3 <= params["optimizer.lr"] <= 2e-3 for params in later)

    assert inside(sampler) > 2 * inside("random")


def test_gp_is_told_of_what_lies_outside_as_close_behind_what_does_not() -> None:
    told = [0.1, 0.5, 0.3, OUTSIDE * 1.5, OUTSIDE * 1.1, OUTSIDE * 3]
    seen = {n: Seen({}, value) for n, value in enumerate(told)} | {6: Seen({}, UNMEASURED, "diverged")}
    bounded = _bounded(seen, "minimize")
    assert [bounded[n] for n in range(3)] == [0.1, 0.5, 0.3]
    assert bounded[4] == pytest.approx(0.5 + 0.4 * 0.1 / 1.1)
    assert bounded[4] < bounded[3] < bounded[5]
    assert bounded[5] <= 0.9
    assert bounded[6] == bounded[5]  # none is worse than the worst that was trained to its end
    flipped = _bounded({n: one._replace(value=-one.value) for n, one in seen.items()}, "maximize")  # type: ignore[operator]
    assert {n: -value for n, value in flipped.items()} == pytest.approx(bounded)  # type: ignore[operator]


def test_gp_is_told_of_a_front_metric_by_metric() -> None:
    told = [(0.1, 5.0), (0.5, 9.0), (0.3, 7.0), (UNMEASURED, -UNMEASURED)]
    seen = {n: Seen({}, value, "complete" if n < 3 else "diverged") for n, value in enumerate(told)}
    assert _bounded(seen, WAYS) == {0: (0.1, 5.0), 1: (0.5, 9.0), 2: (0.3, 7.0), 3: (0.5, 5.0)}
