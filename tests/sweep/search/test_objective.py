"""How trials are ranked: within bands, outside them, and on fronts; and what a study is told."""

import json
import math
import pickle
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spadam.sweep.definition.objective import ObjectiveSpec
from spadam.sweep.search.front import Front, Standing, front, spread
from spadam.sweep.search.objective import OUTSIDE, UNMEASURED, judge, listed, objective_of, spoken
from spadam.training.result import RunResult

L0 = "sparsity/l0_eval"
AT = ObjectiveSpec(at={L0: (28, 36)})
FRONT = ObjectiveSpec(pareto=("val/fvu", L0))

numbers = st.floats(0, 1e6)


def row(fvu: float | None, l0: float | None) -> dict[str, float | None]:
    return {"val/fvu": fvu, L0: l0}


def result(metrics: Mapping[str, Any], status: str = "complete", *rows: Mapping[str, Any]) -> RunResult:
    return RunResult(status, dict(metrics), {}, [], {}, {}, list(map(dict, rows)))  # type: ignore[arg-type]


def naive_distance(l0: float, low: float, high: float) -> float:
    if l0 < low:
        return (low - l0) / max(abs(low), abs(high))
    return (l0 - high) / max(abs(low), abs(high)) if l0 > high else 0.0


@given(numbers, numbers)
def test_the_distance_is_what_is_missed_over_the_larger_bound(fvu: float, l0: float) -> None:
    assert judge(AT).distance(row(fvu, l0)) == pytest.approx(naive_distance(l0, 28, 36))


def test_several_bands_add_up_and_a_band_of_nothing_has_a_unit() -> None:
    both = judge(ObjectiveSpec(at={L0: (28, 36), "sparsity/dead": (0, 0)}))
    assert both.distance({**row(0.1, 18), "sparsity/dead": 0.25}) == pytest.approx(10 / 36 + 0.25)
    assert both.distance(row(0.1, 18)) is None
    assert both.outside({**row(0.1, 30), "sparsity/dead": 0.25}) == ["sparsity/dead 0.25"]


@given(numbers, st.floats(28, 36), numbers, numbers, st.sampled_from(["minimize", "maximize"]))
def test_whatever_lies_outside_is_told_as_worse_than_all_inside_and_by_distance(
    inside: float, l0: float, other: float, beyond: float, way: str
) -> None:
    ours = judge(ObjectiveSpec(direction=way, at={L0: (28, 36)}))  # type: ignore[arg-type]
    sign = 1 if way == "minimize" else -1
    good, bad = ours.costs(row(inside, l0)), ours.costs(row(other, beyond))
    assert good is not None
    assert bad is not None
    if naive_distance(beyond, 28, 36):
        assert good < bad
        assert OUTSIDE <= bad[0] < UNMEASURED
    else:
        assert bad == (sign * other,)
    assert ours.rank(ours.told(bad)) == bad
    assert ours.values(row(other, beyond)) == (None if naive_distance(beyond, 28, 36) else (other,))


def test_a_small_step_towards_the_band_is_a_better_rank() -> None:
    ours = judge(AT)
    told = [ours.told_of(row(0.1, l0)) for l0 in (36.0, 36.001, 36.002, 40, 27, 1e3, 1e12, 1e30)]
    assert all(value is not None for value in told)
    nearer = [value for value in (told[1], told[2], told[4], told[3], *told[5:]) if value is not None]
    assert told[0] == 0.1
    assert all(one < other for one, other in pairwise(nearer[:-1]))
    assert nearer[-1] < UNMEASURED


def test_an_inside_value_however_large_is_better_than_any_outside() -> None:
    ours = judge(AT)
    huge, outside = ours.costs(row(1e25, 30)), ours.costs(row(0.0, 36.0001))
    assert huge is not None
    assert outside is not None
    assert huge < outside


def test_without_bands_a_study_is_told_the_value_itself() -> None:
    assert objective_of(result(row(0.3, 5)), ObjectiveSpec()) == 0.3
    assert objective_of(result(row(0.3, 5)), ObjectiveSpec(direction="maximize")) == 0.3


def test_of_a_diverged_training_the_worst_counts_and_of_one_cut_short_the_last() -> None:
    rows = [row(1.2, 30), row(0.4, 90), row(0.5, 33)]
    outside = OUTSIDE * (1 + naive_distance(90, 28, 36))
    assert objective_of(result({}, "diverged", *rows), AT) == pytest.approx(outside)
    assert objective_of(result({}, "pruned", *rows), AT) == 0.5
    assert objective_of(result({}, "diverged"), AT) == UNMEASURED
    assert objective_of(result({}, "diverged", *rows), FRONT) == (1.2, 90.0)
    assert objective_of(result({}, "diverged"), FRONT) == (UNMEASURED, UNMEASURED)
    assert objective_of(result(row(0.3, None)), FRONT) == (UNMEASURED, UNMEASURED)


def test_of_a_front_the_directions_are_each_metrics_own_and_bands_hold() -> None:
    both = ObjectiveSpec(pareto={"val/fvu": "minimize", "probe/val_accuracy": "maximize"}, at={L0: (28, 36)})
    ours, metrics = judge(both), {**row(0.3, 30), "probe/val_accuracy": 0.9}
    assert objective_of(result(metrics), both) == (0.3, 0.9)
    beyond = objective_of(result({**metrics, L0: 72}), both)
    assert beyond == (OUTSIDE * 2, -OUTSIDE * 2)
    assert ours.rank(beyond) == (OUTSIDE * 2, OUTSIDE * 2)
    assert ours.curve([metrics]) == ()


def test_a_training_is_spoken_of_by_what_counts() -> None:
    assert spoken(judge(AT), result(row(0.3, 30))) == ("complete", 0.3)
    assert spoken(judge(AT), result(row(0.3, 90))) == ("outside its bands (sparsity/l0_eval 90)", None)
    assert spoken(judge(FRONT), result(row(0.3, 90))) == ("val/fvu 0.3, sparsity/l0_eval 90", None)
    assert spoken(judge(AT), result({}, "diverged")) == ("diverged", None)
    assert spoken(judge(AT), result(row(None, 30))) == ("complete", None)


def test_who_judges_can_be_handed_to_another_process() -> None:
    told_of = pickle.loads(pickle.dumps(judge(AT).told_of))
    assert told_of(row(0.3, 30)) == 0.3
    assert json.dumps(AT.facts()) == json.dumps(
        {"metric": "val/fvu", "direction": "minimize", "at": {L0: [28.0, 36.0]}}
    )
    assert ObjectiveSpec().facts() == {"metric": "val/fvu", "direction": "minimize"}  # as it was stored before


def naive_front(costs: list[tuple[float, ...]]) -> set[tuple[float, ...]]:
    def beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
        return one != other and all(a <= b for a, b in zip(one, other, strict=True))

    return {one for one in costs if not any(beats(other, one) for other in costs)}


costs = st.integers(1, 3).flatmap(
    lambda many: st.lists(st.tuples(*[st.integers(0, 6).map(float)] * many), min_size=1, max_size=40)
)


@given(costs, st.randoms())
def test_a_front_is_what_nobody_beats_whatever_order_trials_come_in(
    found: list[tuple[float, ...]], random: Any
) -> None:
    standings = [Standing(one, number) for number, one in enumerate(found)]
    at_once = front(standings, lambda _: True)
    assert {one.costs for one in at_once} == naive_front(found)
    assert len(at_once) == len(naive_front(found))
    assert all(one.number == found.index(one.costs) for one in at_once)  # of equal ones the first
    bit_by_bit, shuffled = Front(), list(standings)
    random.shuffle(shuffled)
    for standing in shuffled:
        bit_by_bit.add(standing)
    assert bit_by_bit.members == at_once


def test_who_does_not_count_leaves_room_and_few_are_asked() -> None:
    asked: list[int] = []

    def counts(one: Standing) -> bool:
        asked.append(one.number)
        return one.number != 1

    standings = [Standing((float(value),), number) for number, value in enumerate([5, 1, 3, 4])]
    assert front(standings, counts) == [Standing((3.0,), 2)]
    assert asked == [1, 2]


@given(st.integers(1, 60), st.integers(1, 20))
def test_points_are_the_middles_of_equal_parts(many: int, points: int) -> None:
    found = spread(range(many), points)
    assert len(found) == min(many, points)
    if many > points:
        exact = [(n + 0.5) * many / points for n in range(points)]
        assert found == [math.floor(place) for place in exact]
        assert len(set(found)) == points


def test_told_values_are_listed() -> None:
    assert listed(0.5) == (0.5,)
    assert listed((0.5, 2.0)) == (0.5, 2.0)
