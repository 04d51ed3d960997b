"""What is said below the table: of the trainings that the numbers come from, and apart from those, of the others."""

from collections.abc import Sequence

import pytest
from optuna.trial import TrialState, create_trial

from spadam.diagnostics.warned import Warned
from spadam.sweep.definition.spec import Sweep
from spadam.sweep.outcome.notes import _merge, notes
from spadam.sweep.outcome.progress import Search
from spadam.sweep.search.slots import Slot
from spadam.sweep.store.attempts import Record
from spadam.sweep.store.studies import attempt_of
from spadam.training.result import RunResult, Status
from support.sweep_bench import Bench

FEW = "{:.1%} of the rows were touched in 2-90 % of the steps: only these rows can tell variants apart"
ALL = "every row was touched in every step"
PARAMS = {"optimizer.lr": 1e-3, "optimizer.eps": 1e-5}


def few(share: float) -> Warned:
    return Warned("few_intermittent_rows", FEW.format(share), {"rows_intermittent": share})


def ended(sweep: Sweep, slot: Slot, warned: Sequence[Warned] = (), status: Status = "complete") -> Record:
    result = RunResult(status, {"val/fvu": 0.5}, {}, [w.plain() for w in warned], {}, {}, [])
    space = {axis.name: axis.distribution() for axis in sweep.variants[slot.variant].axes}
    state, stored = TrialState.COMPLETE, {"result": result._asdict()}
    trial = create_trial(state=state, params=PARAMS, distributions=space, value=0.5, user_attrs=stored)
    return Record(slot, (attempt_of(trial),))


Ended = Sequence[Warned] | Status


def study(sweep: Sweep, trials: Sequence[Ended], repeats: Sequence[Ended], number: int = 0) -> Search:
    """A finished search whose first trial is the best, by what each training warned of, or how it ended."""

    def records(phase: str, found: Sequence[Ended]) -> tuple[Record, ...]:
        slots = [Slot("adam", phase, number, n, n, "" if phase == "search" else "p") for n in range(len(found))]  # type: ignore[arg-type]
        return tuple(
            ended(sweep, slot, status=one) if isinstance(one, str) else ended(sweep, slot, one)
            for slot, one in zip(slots, found, strict=True)
        )

    searched = records("search", trials)
    return Search("adam", number, searched, searched[0], records("repeat", repeats), ())


def test_what_only_rejected_trials_warn_of_is_theirs_with_their_numbers(bench: Bench) -> None:
    sweep = bench.load()
    found = study(sweep, [[], [few(0.0)], [few(0.004)], [], [few(0.001)]], [[], []])
    shares = FEW.format(0).replace("0.0%", "0.0% to 0.4%", 1)
    assert notes(sweep, found, {}) == (f"3 of the 4 other trials of study 0: {shares}",)


def test_what_the_best_and_its_repeats_warn_of_is_said_of_them(bench: Bench) -> None:
    sweep = bench.load()
    found = study(sweep, [[few(0.031)], [few(0.0)]], [[few(0.028)], []])
    mine, others = notes(sweep, found, {})
    assert mine == f"2.8% to 3.1%{FEW.format(0).removeprefix('0.0%')} (its best trial and 1 of 2 repeats)"
    assert others == f"1 of the 1 other trials of study 0: {FEW.format(0)}"


def test_what_repeats_alone_warn_of_does_not_name_the_best(bench: Bench) -> None:
    sweep = bench.load()
    (note,) = notes(sweep, study(sweep, [[], []], [[few(0.01)], []]), {})
    assert note == f"{FEW.format(0.01)} (1 of 2 repeats)"


def test_one_of_several_studies_is_named_wherever_numbers_are_its_own(bench: Bench) -> None:
    bench.write({"search": {"studies": 2}})
    sweep = bench.load()
    everywhere = Warned("all_rows_touched", ALL)
    found = study(sweep, [[few(0.01), everywhere], [few(0.02)], "diverged"], [[everywhere], "diverged"], number=1)
    assert notes(sweep, found, {"optimizer.lr": "high"}) == (
        "1 of 2 repeats of study 1 diverged",
        "1 of 3 trials of study 1 diverged",
        f"{FEW.format(0.01)} (its best trial of study 1)",
        f"{ALL} (its best trial and 1 of 2 repeats)",
        "the best optimizer.lr of study 1 lies within half a decade of its upper bound 0.1: "
        "a better one may lie beyond it, so widen the range",
        f"1 of the 2 other trials of study 1: {FEW.format(0.02)}",
    )


def test_trainings_that_were_cut_short_are_counted_by_phase(bench: Bench) -> None:
    sweep = bench.load()
    found = study(sweep, [[], "pruned", "diverged", "diverged"], [[], "diverged", []])
    assert notes(sweep, found, {}) == (
        "1 of 3 repeats diverged",
        "2 of 4 trials of study 0 diverged",
        "1 of 4 trials of study 0 ended early (pruned)",
    )


def test_without_a_best_all_trials_are_alike(bench: Bench) -> None:
    sweep = bench.load()
    found = study(sweep, [[few(0.01)], [few(0.01)]], [])
    bestless = Search("adam", 0, found.trials, None, (), ())
    nothing, few_rows = notes(sweep, bestless, {})
    assert nothing == "no trial has a finite val/fvu, so there is nothing to repeat"
    assert few_rows == f"2 of the 2 trials of study 0: {FEW.format(0.01)}"


def test_warnings_of_old_results_are_counted_with_the_new_ones(bench: Bench) -> None:
    sweep = bench.load()
    found = study(sweep, [[], [few(0.01)], [few(0.03)]], [])
    owner = found.trials[2].owner
    assert owner is not None
    owner.attributes["result"]["warnings"] = [FEW.format(0.03)]
    (note,) = notes(sweep, found, {})
    assert note.startswith("2 of the 2 other trials of study 0: 1.0% to 3.0% of the rows")


@pytest.mark.parametrize(
    ("texts", "merged"),
    [
        (["a 1.5 b 2", "a 0.5 b 2", "a 10 b 2"], "a 0.5 to 10 b 2"),
        (["1e-05 of 3%", "2e-05 of 12%"], "1e-05 to 2e-05 of 3% to 12%"),
        (["one", "two"], "one"),
        (["the same"] * 3, "the same"),
    ],
)
def test_texts_that_differ_in_numbers_become_one(texts: list[str], merged: str) -> None:
    assert _merge(texts) == merged
