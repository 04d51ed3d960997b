import math
import random
from typing import Any

import pytest
from sweep_bench import Bench

from spadam.sweep.plan import search_slots
from spadam.sweep.propose import Told, is_ready, propose, sees
from spadam.sweep.spec import Sweep


@pytest.fixture
def sweep(bench: Bench) -> Sweep:
    space = {"model.rule.k": {"low": 1, "high": 8}, "model.tied": {"choices": [True, False]}}
    bench.write({"search": {"sampler": "tpe", "trials": 24}, "space": space})
    return bench.load()


def value(params: dict[str, Any]) -> float:
    return float((math.log10(params["optimizer.lr"]) + 3) ** 2 + 0.1 * (math.log10(params["optimizer.eps"]) + 6) ** 2)


def search(sweep: Sweep, workers: int, seed: int, forget: bool = False, variant: str = "adam") -> list[dict[str, Any]]:
    """A search by so many workers whose trials end in random order; each begins the first slot that is ready.

    With ``forget`` a proposal does not know the parameters of slots that run, as when they are not stored yet.
    """
    order = random.Random(seed)
    waiting = search_slots(sweep, variant)
    params: dict[int, dict[str, Any]] = {}
    told: dict[int, float] = {}
    running: list[int] = []
    while waiting or running:
        while waiting and len(running) < workers:
            slot = waiting[0]
            history = {n: Told(p, told.get(n)) for n, p in params.items() if not (forget and n in running)}
            if not is_ready(sweep.spec.search, sweep.variants[variant], slot, history):
                break
            params[slot.number] = propose(sweep.spec.search, sweep.variants[variant], slot, history)
            running.append(slot.number)
            del waiting[0]
        ended = order.choice(running)
        running.remove(ended)
        told[ended] = value(params[ended])
    return [params[number] for number in sorted(params)]


def test_workers_and_the_order_of_finishing_change_nothing(sweep: Sweep) -> None:
    one = search(sweep, workers=1, seed=0)
    assert len({str(params) for params in one}) == 24, "no point is suggested twice"
    for workers, seed in ((2, 1), (4, 2), (4, 3), (8, 4)):
        assert search(sweep, workers, seed) == one
    assert search(sweep, workers=4, seed=5, forget=True) == one


def test_two_calls_give_the_same_and_variants_differ_after_the_startup(sweep: Sweep) -> None:
    assert search(sweep, 1, 0) == search(sweep, 1, 0)
    adam, lazy = search(sweep, 1, 0), search(sweep, 1, 0, variant="lazy")
    assert adam[:10] == lazy[:10]
    assert all(one != other for one, other in zip(adam[10:], lazy[10:], strict=True))


def test_what_lies_within_the_lag_is_not_looked_at(sweep: Sweep) -> None:
    settings, variant = sweep.spec.search, sweep.variants["adam"]
    slot = search_slots(sweep, "adam")[15]
    points = search(sweep, 1, 0)
    history = {number: Told(points[number], value(points[number])) for number in range(15)}
    assert sees(settings, slot) == range(12)
    proposed = propose(settings, variant, slot, history)
    blind = {n: told if n < 12 else Told(told.params, None) for n, told in history.items()}
    absurd = {n: told if n < 12 else Told(told.params, -1e9) for n, told in history.items()}
    assert propose(settings, variant, slot, blind) == propose(settings, variant, slot, absurd) == proposed
    changed = {**history, 11: Told(points[11], -1e9)}
    assert propose(settings, variant, slot, changed) != proposed


def test_a_slot_waits_for_what_it_may_see(sweep: Sweep) -> None:
    settings, variant, slots = sweep.spec.search, sweep.variants["adam"], search_slots(sweep, "adam")
    told = {number: Told({}, 1.0) for number in range(8)}
    assert is_ready(settings, variant, slots[9], {})  # a start-up trial waits for nothing
    assert not is_ready(settings, variant, slots[10], {n: told[n] for n in range(6)})
    assert not is_ready(settings, variant, slots[10], {**{n: told[n] for n in range(6)}, 6: Told({}, None)})
    assert is_ready(settings, variant, slots[10], {n: told[n] for n in range(7)})


def test_tpe_learns(sweep: Sweep) -> None:
    # 14 trials that learned against the 10 drawn ones before them, on a bowl: better on the whole
    values = [value(params) for params in search(sweep, 1, 0)]
    assert sum(values[10:]) / 14 < 0.7 * sum(values[:10]) / 10


def test_maximize_is_minimize_upside_down(sweep: Sweep) -> None:
    settings, variant = sweep.spec.search, sweep.variants["adam"]
    points = search(sweep, 1, 0)
    slot = search_slots(sweep, "adam")[20]
    down = {n: Told(points[n], value(points[n])) for n in range(20)}
    up = {n: Told(told.params, -told.value) for n, told in down.items() if told.value is not None}
    assert propose(settings, variant, slot, down) == propose(settings, variant, slot, up, "maximize")
    assert propose(settings, variant, slot, down) != propose(settings, variant, slot, up, "minimize")


def test_values_have_the_kind_of_their_key(sweep: Sweep) -> None:
    for params in search(sweep, 1, 0):
        assert isinstance(params["model.rule.k"], int)
        assert params["model.tied"] in (True, False)
        assert 1e-5 <= params["optimizer.lr"] <= 1e-1
        sweep.variants["adam"].config(params, 0)  # each can be trained
