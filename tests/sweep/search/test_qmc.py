"""Points of the sampler qmc: what they depend on, and that they cover the space."""

import itertools
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats.qmc import Sobol

from spadam.spec import InputError, dump
from spadam.sweep.definition import extension
from spadam.sweep.definition.space import Axis, Range
from spadam.sweep.definition.spec import SearchSpec, Variant
from spadam.sweep.search.slots import Slot, enumerate_point, search_slots
from support.sweep_bench import SPEC, Bench

UNIT = Range(low=0.0, high=1.0)


def points(seed: int, study: int, numbers: range, *axes: Axis) -> list[tuple[float, ...]]:
    """Where the slots lie in the unit cube."""
    search, variant = SearchSpec(sampler="qmc", trials=1, seed=seed), Variant("v", None, axes, ())  # type: ignore[arg-type]
    found = []
    for number in numbers:
        point = enumerate_point(search, variant, Slot("v", "search", study, number, 0))
        assert point is not None
        found.append(tuple(float(point[axis.name]) for axis in axes))  # type: ignore[arg-type]
    return found


def axis(dimension: int, name: str = "") -> Axis:
    return Axis(name or f"axis{dimension}", UNIT, False, dimension)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_every_interval_of_every_axis_has_its_point(seed: int, study: int, dimension: int, m: int) -> None:
    """One axis: the first 2^m points lie one in each of the 2^m equal intervals."""
    found = points(seed, study, range(2**m), axis(dimension))
    assert sorted(int(x * 2**m) for (x,) in found) == list(range(2**m))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 7))
def test_every_elementary_interval_of_the_first_two_axes_has_its_point(seed: int, m: int) -> None:
    """Sobol's first two dimensions are a (0, 2)-sequence: one point in every box of 2^-a x 2^-(m-a)."""
    found = points(seed, 0, range(2**m), axis(0), axis(1))
    for a in range(m + 1):
        boxes = Counter((int(x * 2**a), int(y * 2 ** (m - a))) for x, y in found)
        assert set(boxes.values()) == {1}
        assert len(boxes) == 2**m


@pytest.mark.parametrize("block", [1, 2, 5])
def test_later_blocks_of_a_power_of_two_are_spread_as_well(block: int) -> None:
    found = points(0, 0, range(block * 64, (block + 1) * 64), axis(3))
    assert sorted(int(x * 64) for (x,) in found) == list(range(64))


def test_are_the_points_of_scipy_but_for_the_exchange_of_digits() -> None:
    """XOR with one number for all leaves the XOR of any two points what it was."""
    digits = [int(x * 2**53) for (x,) in points(5, 1, range(300), axis(4))]
    plain = [int(x * 2**53) for x in Sobol(8, scramble=False, bits=53).random(512)[:300, 4]]
    assert {one ^ other for one, other in zip(digits, plain, strict=True)} == {digits[0]}
    assert digits[0] != 0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 5000), st.integers(0, 9), st.integers(0, 3))
def test_a_point_depends_on_its_own_axis_alone(number: int, dimension: int, more: int) -> None:
    one = points(0, 0, range(number, number + 1), axis(dimension))[0]
    others = (axis(other) for other in range(more) if other != dimension)
    assert points(0, 0, range(number, number + 1), axis(dimension), *others)[0][:1] == one


def test_seed_study_and_name_each_give_other_points() -> None:
    base = points(0, 0, range(8), axis(0, "a"))
    changed = [
        points(1, 0, range(8), axis(0, "a")),
        points(0, 1, range(8), axis(0, "a")),
        points(0, 0, range(8), axis(0, "b")),
        points(0, 0, range(8), axis(1, "a")),
    ]
    assert all(other != base for other in changed)


def sweep_points(bench: Bench, changes: dict[str, Any], trials: int = 8) -> dict[str, list[dict[str, Any] | None]]:
    data = {**SPEC, "search": {"sampler": "qmc", "trials": trials}}
    bench.write(text=dump({**data, "variants": {**SPEC["variants"], **changes}}))
    sweep = bench.load()
    return {
        name: [enumerate_point(sweep.spec.search, variant, slot) for slot in search_slots(sweep, name)]
        for name, variant in sweep.variants.items()
    }


def test_more_trials_and_variants_leave_the_points_that_there_are(bench: Bench) -> None:
    own = {"optimizer": {"name": "adamw"}, "space": {"optimizer.weight_decay": {"low": 1e-4, "high": 0.1, "log": True}}}
    other = {"optimizer": {"name": "sgd"}, "space": {"optimizer.eps": None, "probe.lr": {"low": 1e-3, "high": 1.0}}}
    first = sweep_points(bench, {"own": own})
    grown = sweep_points(bench, {"own": own, "other": other}, trials=300)
    for name, mine in first.items():
        assert grown[name][:8] == mine
    assert first["adam"] == first["lazy"]
    shared = [{key: point[key] for key in ("optimizer.lr", "optimizer.eps")} for point in first["own"] if point]
    assert shared == first["adam"]
    assert [point["optimizer.lr"] for point in grown["other"] if point] == [
        point["optimizer.lr"] for point in grown["adam"] if point
    ]
    for one, two in itertools.combinations(("optimizer.lr", "optimizer.eps", "optimizer.weight_decay"), 2):
        pairs = [(point[one], point[two]) for point in grown["own"] if point]
        assert len({x for x, _ in pairs}) == len({y for _, y in pairs}) == 300


def test_a_variant_put_before_others_with_axes_of_their_own_is_refused(bench: Bench) -> None:
    """It would move their points to other dimensions, within a search that has begun."""
    own = {"optimizer": {"name": "adam"}, "space": {"probe.lr": {"low": 1e-3, "high": 1.0, "log": True}}}
    new = {
        "optimizer": {"name": "sgd"},
        "space": {"optimizer.momentum": {"low": 0.0, "high": 0.9}, "optimizer.eps": None},
    }
    sweep_points(bench, {"own": own})
    stored = extension.facts(bench.load())
    sweep_points(bench, {"own": own, "new": new})
    extension.check_extends(bench.load(), stored)
    sweep_points(bench, {"new": new, "own": own})
    with pytest.raises(InputError, match="put new variants after those that were there") as caught:
        extension.check_extends(bench.load(), stored)
    assert "had number 2" in caught.value.rule


def test_the_points_of_stored_sweeps_stay() -> None:
    """Another order of the sequence, or other exchanged digits, would change a search that has begun."""
    assert points(0, 0, range(3), axis(2)) == [(0.33189951091858183,), (0.8318995109185818,), (0.08189951091858183,)]
