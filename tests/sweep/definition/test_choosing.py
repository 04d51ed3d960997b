"""`repeat.choose`: what is refused, what may grow, and what a sweep that was begun then has trained again."""

from typing import Any

import pytest

from spadam.spec import InputError
from spadam.spec.earlier import complete_sweep
from spadam.sweep.definition import extension
from spadam.sweep.outcome.outcome import Outcome
from spadam.sweep.running.task import Task
from support import sweep_lucky as lucky
from support.sweep_bench import Bench

FRONT = {"pareto": ["val/fvu", "sparsity/l0_eval"]}


@pytest.mark.parametrize(
    ("choose", "argument", "rule", "remedy"),
    [
        ({"top": 1}, "repeat.choose.top", "of one trial there is nothing to choose", "write `choose: null`"),
        ({"top": 0}, "repeat.choose.top", "2", "raise it"),
        ({"seeds": 0}, "repeat.choose.seeds", "1", ""),
        ({"seeds": 101}, "repeat.choose.seeds", "100", ""),
        ({"tops": 3}, "repeat.choose.tops", "", "top"),
        (3, "repeat.choose", "", ""),
        ([3, 3], "repeat.choose", "", ""),
        ("best", "repeat.choose", "", ""),
    ],
)
def test_what_means_nothing_is_refused(bench: Bench, choose: object, argument: str, rule: str, remedy: str) -> None:
    bench.write({"repeat": {"choose": choose}})
    with pytest.raises(InputError) as caught:
        bench.run()
    assert caught.value.argument == argument
    assert rule in caught.value.rule
    assert remedy in caught.value.remedy
    assert f"{bench.spec}:" in caught.value.where
    assert not bench.out.exists()


def test_a_front_has_points_to_repeat_and_none_to_choose(bench: Bench) -> None:
    bench.write({"repeat": {"choose": {"top": 4}}}, objective=FRONT)
    with pytest.raises(InputError, match=r"repeat.choose = {top: 4, seeds: 3}.*no best setting.*repeat.points"):
        bench.load()
    bench.write({"repeat": {"choose": None}}, objective=FRONT)
    assert bench.load().spec.candidates == 1


def test_choosing_trainings_count_for_the_size_of_a_sweep(bench: Bench) -> None:
    bench.write({"search": {"trials": 40_000}, "repeat": {"choose": {"top": 100, "seeds": 100}}})
    with pytest.raises(InputError, match="40000 trials \\+ 10000 choosing trainings \\+ 2 repeats"):
        bench.load()


def test_a_stored_sweep_that_did_not_choose_does_not_whatever_its_file_means_today() -> None:
    spec = {"repeat": {"seeds": 2}, "variants": {}}
    facts: dict[str, Any] = {"variants": {}, "repeat": {"seeds": 2}}
    assert complete_sweep(spec, facts)["repeat"] == {"seeds": 2, "choose": None}
    facts["repeat"] = {"seeds": 2, "choose": {"top": 3, "seeds": 3}}
    assert complete_sweep(spec, facts)["repeat"] == {"seeds": 2}


def test_a_sweep_that_does_not_choose_is_stored_as_it_always_was(bench: Bench) -> None:
    assert extension.facts(bench.load())["repeat"] == {"seeds": 2}
    bench.write({"repeat": {"choose": {}}})
    assert extension.facts(bench.load())["repeat"] == {"seeds": 2, "choose": {"top": 3, "seeds": 3}}


def repeat(top: int | None, seeds: int = 0, trials: int = 8) -> dict[str, Any]:
    choose = None if top is None else {"top": top, "seeds": seeds}
    return {"search": {"trials": trials}, "repeat": {"seeds": 2, "choose": choose}}


def grow(bench: Bench, changes: dict[str, Any]) -> tuple[Outcome, list[str]]:
    """Change the file of a sweep and run it: what came of it, and what was trained for its first variant."""
    before = {name: content for name, content in bench.files().items() if "/attempt-" in name}
    bench.write(changes)
    log: list[Task] = []
    assert bench.run(lambda task, progress: log.append(task) or lucky.train(task, progress)) == 0
    assert before.items() <= bench.files().items()
    outcome = bench.outcome()
    assert outcome.done
    return outcome, [task.slot.label for task in log if task.slot.variant == "adam"]


def current(outcome: Outcome) -> set[tuple[Any, ...]]:
    """Every training that counts, but for the number of its slot."""
    names = ("variant", "phase", "study", "seed", "status", "value", "attempts")
    rows = [row for row in outcome.rows if row["status"] != "superseded"]
    return {(*(row[name] for name in names), str(row["params"])) for row in rows}


GROWN = [
    (repeat(3, 2), repeat(3, 4), {"choose": 6}),
    (repeat(2, 2), repeat(4, 2), {"choose": 4}),
    (repeat(2, 2), repeat(3, 3), {"choose": 5}),
    (repeat(None), repeat(3, 2), {"choose": 6}),
    (repeat(3, 2), repeat(3, 2, trials=20), {"search": 12}),
    (repeat(3, 2, trials=1), repeat(3, 2), {"search": 7, "choose": 6}),
]


@pytest.mark.parametrize(("before", "after", "trained"), GROWN, ids=range(len(GROWN)))
def test_a_sweep_that_has_grown_is_what_it_would_have_been(
    bench: Bench, tmp_path: Any, before: dict[str, Any], after: dict[str, Any], trained: dict[str, int]
) -> None:
    grow(bench, before)
    first = bench.outcome().best("adam")
    grown, labels = grow(bench, after)
    (tmp_path / "other").mkdir()
    whole, _ = grow(Bench(tmp_path / "other"), after)
    assert current(grown) == current(whole)
    phases = [label.split("-")[0] for label in labels]
    for phase, many in trained.items():
        assert phases.count(phase) == many
    changed = grown.best("adam") != first
    assert phases.count("repeat") == (2 if changed else 0)
    old = [row for row in grown.repeats() if row["variant"] == "adam" and row["status"] == "superseded"]
    assert len(old) == (2 if changed else 0)


def test_after_an_extension_the_setting_that_was_chosen_stays_until_another_is(bench: Bench) -> None:
    outcome, _ = grow(bench, repeat(3, 2))
    chosen = {variant: outcome.best(variant) for variant in ("adam", "lazy")}
    for more in (repeat(5, 2), repeat(3, 4)):
        bench.write(more)
        begun = bench.outcome()
        assert {variant: begun.best(variant) for variant in ("adam", "lazy")} == chosen
        assert not begun.done
        assert [row["status"] for row in begun.repeats()] == ["complete"] * 4


@pytest.mark.parametrize(
    ("after", "argument", "rule"),
    [
        (repeat(2, 2), "repeat.choose.top", "created with 3, and may only grow"),
        (repeat(3, 1), "repeat.choose.seeds", "created with 2, and may only grow"),
        (repeat(None), "repeat.choose", "created with"),
    ],
)
def test_nothing_else_of_it_may_change(bench: Bench, after: dict[str, Any], argument: str, rule: str) -> None:
    grow(bench, repeat(3, 2, trials=3))
    bench.write({**after, "search": {"trials": 3}})
    with pytest.raises(InputError) as caught:
        bench.outcome()
    assert caught.value.argument.startswith(argument)
    assert rule in caught.value.rule
