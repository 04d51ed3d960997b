"""A line of the table: which bests lie near a bound."""

from typing import Any

import pytest
from optuna.trial import TrialState, create_trial

from spadam.sweep.definition.spec import Sweep
from spadam.sweep.outcome.progress import Search
from spadam.sweep.outcome.summary import StudySummary, summarise
from spadam.sweep.search.slots import search_slots
from spadam.sweep.store.attempts import Record
from spadam.sweep.store.studies import attempt_of
from spadam.training.result import RunResult
from support.sweep_bench import Bench


def search(sweep: Sweep, variant: str, *trials: tuple[str, dict[str, Any], float]) -> Search:
    """A finished search with ``trials``: status, parameters, value."""
    records = []
    for slot, (status, params, value) in zip(search_slots(sweep, variant), trials, strict=False):
        result = RunResult(status, {"val/fvu": value}, {}, [], {}, {}, [])._asdict()  # type: ignore[arg-type]
        space = {axis.name: axis.distribution() for axis in sweep.variants[variant].axes}
        trial = create_trial(
            state=TrialState.COMPLETE, params=params, distributions=space, value=value, user_attrs={"result": result}
        )
        records.append(Record(slot, (attempt_of(trial),)))
    complete = [record for record, trial in zip(records, trials, strict=False) if trial[0] == "complete"]
    best = min(complete, key=lambda record: record.owner.value if record.owner else 0.0)
    return Search(variant, 0, tuple(records), best, (), ())


def at(lr: float, eps: float) -> dict[str, Any]:
    return {"optimizer.lr": lr, "optimizer.eps": eps}


@pytest.mark.parametrize(
    ("params", "near"),
    [
        (at(1e-3, 1e-5), {}),
        (at(7.2e-2, 1e-5), {"optimizer.lr": "high"}),
        (at(1.2e-5, 1e-5), {"optimizer.lr": "low"}),
        (at(1.2e-5, 0.9), {"optimizer.lr": "low", "optimizer.eps": "high"}),
    ],
)
def test_a_best_near_a_bound_is_told(bench: Bench, params: dict[str, Any], near: dict[str, str]) -> None:
    sweep = bench.load()
    other = at(9e-2, 1e-10)  # near, but not the best
    (line,) = summarise(sweep, [search(sweep, "adam", ("complete", params, 0.5), ("complete", other, 0.6))])
    assert line.near == near
    assert sum("half a decade" in note for note in line.notes) == len(near)


def test_the_note_names_axis_and_bound_and_is_one_for_variants_with_one_range(bench: Bench) -> None:
    sweep = bench.load()
    searches = [search(sweep, name, ("complete", at(lr, 1e-5), 0.5)) for name, lr in (("adam", 0.07), ("lazy", 0.09))]
    adam, lazy = summarise(sweep, searches)
    note = "the best optimizer.lr lies within half a decade of its upper bound 0.1: a better one may lie beyond it"
    assert [said for said in adam.notes if note in said] == [said for said in lazy.notes if note in said] != []


def test_the_note_names_the_lower_bound_too(bench: Bench) -> None:
    sweep = bench.load()
    (line,) = summarise(sweep, [search(sweep, "adam", ("complete", at(1e-3, 1.5e-10), 0.5))])
    assert any("the best optimizer.eps lies within half a decade of its lower bound 1e-10" in n for n in line.notes)


def test_a_line_needs_no_best(bench: Bench) -> None:
    sweep = bench.load()
    line = summarise(sweep, [Search("adam", 0, (), None, (), ())])[0]
    assert (line.params, line.near) == ({}, {})
    assert StudySummary("a", 0, {}, (None,), (None,), {}, ()).near == {}
