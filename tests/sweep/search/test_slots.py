import itertools
import math
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from spadam.spec import InputError
from spadam.sweep.definition.spec import MOST_CHOOSING, SEEDS_APART, Sweep
from spadam.sweep.search.propose import Seen, propose
from spadam.sweep.search.slots import choosing_seeds, digest, enumerate_point, repeat_seeds, search_slots
from support.sweep_bench import Bench

GRID = {
    "space": {
        "optimizer.lr": {"points": 3},
        "optimizer.eps": {"points": 2},
    },
    "search": {"sampler": "grid", "trials": None},
}


def points(sweep: Sweep, variant: str, study: int = 0) -> list[dict[str, Any] | None]:
    slots = [slot for slot in search_slots(sweep, variant) if slot.study == study]
    return [enumerate_point(sweep.spec.search, sweep.variants[variant], slot) for slot in slots]


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_every_variant_has_exactly_the_budget_in_every_study(bench: Bench, sampler: str) -> None:
    bench.write({"search": {"sampler": sampler, "trials": 7, "studies": 3}})
    sweep = bench.load()
    for variant in sweep.variants:
        slots = search_slots(sweep, variant)
        assert Counter(slot.study for slot in slots) == {0: 7, 1: 7, 2: 7}
        assert len({slot.id for slot in slots}) == len({slot.folder for slot in slots}) == 21


def test_search_studies_and_repeats_have_seeds_of_their_own(bench: Bench) -> None:
    bench.write({"base": {"seed": 5}, "search": {"studies": 3}, "repeat": {"seeds": 4}})
    sweep = bench.load()
    searches = [{slot.seed for slot in search_slots(sweep, variant)} for variant in sweep.variants]
    assert searches == [{5, 6, 7}, {5, 6, 7}]
    repeats = [set(repeat_seeds(sweep, study)) for study in range(3)]
    assert repeats[0] == {10_005, 10_006, 10_007, 10_008}
    for one, other in itertools.combinations([searches[0], *repeats], 2):
        assert not one & other


def test_no_two_phases_or_studies_share_a_seed_however_many_there_are(bench: Bench) -> None:
    most = {"search": {"studies": SEEDS_APART, "trials": 1}, "repeat": {"seeds": SEEDS_APART}}
    bench.write({"base": {"seed": 5}, "repeat": {"choose": {"top": 2, "seeds": MOST_CHOOSING}}})
    sweep = bench.load()
    search = sweep.spec.search.model_copy(update=most["search"])
    repeat = sweep.spec.repeat.model_copy(update=most["repeat"])
    whole = replace(sweep, trials=1, spec=sweep.spec.model_copy(update={"search": search, "repeat": repeat}))
    searches = [slot.seed for slot in search_slots(whole, "adam")]
    assert len(searches) == len(set(searches)) == SEEDS_APART
    studies = (0, 1, 2, 4999, 9998, 9999)
    repeats = [seed for study in studies for seed in repeat_seeds(whole, study)]
    choosings = [seed for study in studies for seed in choosing_seeds(whole, study)]
    assert len(choosings) == len(studies) * MOST_CHOOSING
    assert max(searches) < min(repeats) <= max(repeats) < min(choosings)
    for seeds in (repeats, choosings):
        assert len(seeds) == len(set(seeds))
    # Between these every study's lie in a span of their own.
    assert all(repeat_seeds(whole, n + 1)[0] > repeat_seeds(whole, n)[0] + SEEDS_APART - 1 for n in range(30))
    assert all(choosing_seeds(whole, n + 1)[0] > choosing_seeds(whole, n)[-1] for n in range(SEEDS_APART - 1))


def test_enumerated_points_are_the_same_for_every_variant(bench: Bench) -> None:
    # also where a variant has dropped an axis, or has one more
    changes = {
        "variants": {
            "sgd": {"optimizer": {"name": "sgd"}, "space": {"optimizer.eps": None}},
            "more": {"optimizer": {"name": "lazy_adam"}, "space": {"probe.lr": {"low": 1e-3, "high": 1e-1}}},
        },
        "search": {"trials": 20, "studies": 2},
    }
    bench.write(changes)
    sweep = bench.load()
    for study in (0, 1):
        adam, lazy = points(sweep, "adam", study), points(sweep, "lazy", study)
        assert adam == lazy
        assert len({digest(point) for point in adam if point}) == 20
        assert [{"optimizer.lr": p["optimizer.lr"]} for p in adam if p] == points(sweep, "sgd", study)
        more = [
            {name: p[name] for name in ("optimizer.lr", "optimizer.eps")} for p in points(sweep, "more", study) if p
        ]
        assert more == adam
    assert points(sweep, "adam", 0) != points(sweep, "adam", 1)


def test_another_seed_gives_other_points_and_more_trials_the_same_ones_first(bench: Bench) -> None:
    bench.write({"search": {"trials": 5}})
    first = points(bench.load(), "adam")
    bench.write({"search": {"trials": 9}})
    assert points(bench.load(), "adam")[:5] == first
    bench.write({"search": {"trials": 5, "seed": 1}})
    assert not any(point in first for point in points(bench.load(), "adam"))


def test_points_are_spread_over_the_range(bench: Bench) -> None:
    bench.write({"search": {"trials": 400}})
    decades = Counter(math.floor(math.log10(p["optimizer.lr"])) for p in points(bench.load(), "adam") if p)
    # 400 draws over 4 decades: binomial, mean 100, standard deviation 8.7; five of them either way
    assert set(decades) == {-5, -4, -3, -2}
    assert all(abs(count - 100) < 44 for count in decades.values())


def test_startup_trials_of_tpe_are_enumerated_and_so_the_same(bench: Bench) -> None:
    bench.write({"search": {"sampler": "tpe", "trials": 12}})
    tpe = bench.load()
    assert points(tpe, "adam") == points(tpe, "lazy")
    assert [point is None for point in points(tpe, "adam")] == [False] * 10 + [True] * 2
    bench.write({"search": {"sampler": "random", "trials": 10}})
    assert points(tpe, "adam")[:10] == points(bench.load(), "adam")


def test_a_grid_is_all_combinations_once(bench: Bench) -> None:
    bench.write(GRID)
    sweep = bench.load()
    assert sweep.trials == 6
    grid = [(point["optimizer.eps"], point["optimizer.lr"]) for point in points(sweep, "adam") if point]
    assert grid == list(itertools.product((1e-10, 1.0), (1e-5, pytest.approx(1e-3, rel=1e-12), 1e-1)))
    assert points(sweep, "adam") == points(sweep, "lazy")


@pytest.mark.parametrize(
    ("changes", "argument", "rule"),
    [
        ({"search": {"trials": 5}}, "search.trials", "variant adam has 6 grid points"),
        (
            {"space": {"optimizer.eps": {"points": None}}},
            "space.optimizer.eps.points",
            "a grid needs a number of points",
        ),
        (
            {"variants": {"sgd": {"optimizer": {"name": "sgd"}, "space": {"optimizer.eps": None}}}},
            "search.trials",
            "variant sgd has 3 grid points",
        ),
        (
            {"space": {"model.rule.k": {"low": 1, "high": 2, "points": 3}}},
            "space.model.rule.k.points",
            "so many whole numbers do not lie between 1 and 2",
        ),
    ],
)
def test_a_grid_that_gives_unequal_budgets_is_refused(
    bench: Bench, changes: dict[str, Any], argument: str, rule: str
) -> None:
    bench.write({key: {**GRID.get(key, {}), **value} for key, value in (GRID | changes).items()})
    with pytest.raises(InputError) as caught:
        bench.load()
    assert caught.value.argument == argument
    assert rule in caught.value.rule
    assert caught.value.remedy
    assert caught.value.where


@pytest.mark.parametrize("sampler", ["grid", "tpe"])
def test_the_order_of_lines_changes_nothing(bench: Bench, sampler: str) -> None:
    bench.write(GRID if sampler == "grid" else {"search": {"sampler": "tpe", "trials": 12}})
    sweep = bench.load()
    variant = sweep.variants["adam"]
    turned = variant._replace(axes=variant.axes[::-1])
    history: dict[int, Seen] = {}
    for slot in search_slots(sweep, "adam"):
        params = propose(sweep.spec.search, variant, slot, history)
        assert propose(sweep.spec.search, turned, slot, history) == params
        history[slot.number] = Seen(params, params["optimizer.lr"])


def test_a_variant_with_fewer_axes_can_have_more_points(bench: Bench) -> None:
    more = {"optimizer.eps": None, "optimizer.lr": {"low": 1e-5, "high": 1e-1, "log": True, "points": 6}}
    bench.write({**GRID, "variants": {"sgd": {"optimizer": {"name": "sgd"}, "space": more}}})
    assert bench.load().trials == 6


def test_a_space_without_axes(bench: Bench) -> None:
    bench.write({"search": {"sampler": "tpe", "trials": 11}})
    empty = {"optimizer.lr": None, "optimizer.eps": None}
    bench.write({"variants": {"fixed": {"optimizer": {"name": "adam"}, "space": empty}}, "search": {"trials": 11}})
    sweep = bench.load()
    history = {number: Seen({}, 1.0) for number in range(10)}
    slot = search_slots(sweep, "fixed")[10]
    assert propose(sweep.spec.search, sweep.variants["fixed"], slot, history) == {}
