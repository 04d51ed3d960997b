"""When a range is said to be too narrow, where bands may be what holds the best."""

import math
from typing import Any

import pytest
from optuna.trial import TrialState, create_trial

from spadam.sweep.definition.spec import Sweep
from spadam.sweep.outcome.progress import Search, survey
from spadam.sweep.outcome.range_advice import FEWEST, near_bounds
from spadam.sweep.search.objective import objective_of
from spadam.sweep.search.slots import search_slots
from spadam.sweep.store.attempts import Record, gather
from spadam.sweep.store.studies import attempt_of
from spadam.training.result import RunResult
from support import sweep_sparse as sparse
from support.sweep_bench import Bench

L0 = sparse.L0
LR, EPS = "optimizer.lr", "optimizer.eps"


class Stored:
    """A storage with the trials of one variant."""

    def __init__(self, sweep: Sweep, trials: list[tuple[float, float, float, float]]) -> None:
        variant = sweep.variants["adam"]
        self._attempts = []
        for slot, (lr, eps, fvu, l0) in zip(search_slots(sweep, "adam"), trials, strict=True):
            result = RunResult("complete", {"val/fvu": fvu, L0: l0}, {}, [], {}, {}, [])
            told = objective_of(result, sweep.spec.objective)
            attributes = {"slot": slot.id, "study": 0, "number": slot.number, "seed": slot.seed}
            trial = create_trial(
                state=TrialState.COMPLETE,
                params={LR: lr, EPS: eps},
                distributions={axis.name: axis.distribution() for axis in variant.axes},
                values=list(told) if isinstance(told, tuple) else [told],
                user_attrs={**attributes, "result": result._asdict()},
            )
            self._attempts.append(attempt_of(trial))

    def attributes(self) -> dict[str, Any]:
        return {}

    def records(self, variant: str, studies: int) -> dict[str, Record]:
        return gather(variant, self._attempts if variant == "adam" else [])


def searched(
    bench: Bench, objective: dict[str, Any], trials: list[tuple[float, float, float, float]]
) -> tuple[Sweep, Search]:
    changes = {"base": sparse.BASE, "search": {"trials": len(trials)}, "variants": {"lazy": {}}}
    bench.write(changes, objective=objective)
    sweep = bench.load()
    return sweep, survey(sweep, Stored(sweep, trials), ["adam"])[0]


def falling(many: int) -> list[tuple[float, float, float, float]]:
    """Trials whose L0 falls with lr and does not mind eps; the error is the smaller the larger L0, and near eps 1."""
    found = []
    for n in range(many):
        lr, eps = 10 ** (-4.9 + 3.8 * n / many), 10.0 ** -((7 * n) % many * 9.0 / many + 0.1)
        l0 = 40 / (1 + n)
        found.append((lr, eps, 1 / l0 - 0.001 * math.log10(eps), l0))
    return found


def test_the_axis_that_moves_a_band_is_held_by_it_and_the_other_by_its_range(bench: Bench) -> None:
    trials = falling(12)
    for objective, near in (({"metric": "val/fvu"}, {LR: "low", EPS: "high"}), ({"at": {L0: [30, 41]}}, {EPS: "high"})):
        sweep, search = searched(bench, objective, trials)
        assert search.best is not None
        assert search.best.slot.number == 0
        assert near_bounds(sweep, search) == near


def test_of_few_trials_nothing_is_known(bench: Bench) -> None:
    sweep, search = searched(bench, {"at": {L0: [30, 41]}}, falling(FEWEST - 1))
    assert near_bounds(sweep, search) == {}


def test_where_nothing_lies_within_the_band_the_range_may_be_what_keeps_it_away(bench: Bench) -> None:
    sweep, search = searched(bench, {"at": {L0: [100, 200]}}, falling(12))
    assert near_bounds(sweep, search) == {LR: "low", EPS: "high"}


@pytest.mark.parametrize("points", [1, 3])
def test_a_front_is_told_nothing_of_its_ends(bench: Bench, points: int) -> None:
    changes = {"base": sparse.BASE, "search": {"trials": 12}, "repeat": {"points": points}}
    bench.write(changes, objective={"pareto": ["val/fvu", L0]})
    sweep = bench.load()
    search = survey(sweep, Stored(sweep, falling(12)), ["adam"])[0]
    assert len(search.front) == 12
    assert near_bounds(sweep, search) == {}
