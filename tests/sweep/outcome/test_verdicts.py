"""Verdicts of whole sweeps, from the file to verdicts.json: what they rest on, and what is remembered of them."""

import json
import math
from collections.abc import Callable
from typing import Any

import pytest

import spadam
from spadam.report import write
from spadam.spec import InputError
from spadam.sweep.outcome.outcome import Outcome
from spadam.sweep.running.task import Task
from spadam.training.progress import Progress
from spadam.training.result import RunResult
from support.sweep_bench import Bench
from support.sweep_claims import trainer
from support.sweep_quadratic import finish

CLAIM = {"says": "lazy is better", "variants": ["lazy", "adam"], "metric": "test/fvu", "kind": "better", "margin": 0.01}
AXES = {"optimizer.lr": {"low": 1e-6, "high": 1e2, "log": True}}
SEARCH = {"trials": 12}


def write_spec(bench: Bench, *claims: dict[str, Any], seeds: int = 8, **changes: Any) -> None:
    bench.write({"search": SEARCH, "repeat": {"seeds": seeds}, "claims": list(claims), **changes}, space=AXES)


def ran(bench: Bench, *claims: dict[str, Any], factor: float = 0.9, **changes: Any) -> Outcome:
    write_spec(bench, *claims, **changes)
    assert bench.run(trainer({"lazy": factor})) == 0
    return bench.outcome()


def answers(outcome: Outcome) -> list[str]:
    return [claim["verdict"] for claim in outcome.verdicts()["claims"]]


@pytest.mark.parametrize(("factor", "expected"), [(0.5, "supported"), (2.0, "refuted")])
def test_a_claim_is_answered_by_repeats(bench: Bench, factor: float, expected: str) -> None:
    outcome = ran(bench, CLAIM, factor=factor)
    (found,) = outcome.verdicts()["claims"]
    assert (found["verdict"], found["n"], found["looks"], found["post_hoc"]) == (expected, 8, 1, False)
    rows = {(row["variant"], row["seed"]): row["metrics"]["test/fvu"] for row in outcome.repeats()}
    logs = [math.log(rows["lazy", seed] / rows["adam", seed]) for _, seed in rows if ("lazy", seed) in rows]
    assert found["effect"] == pytest.approx(sum(logs) / len(logs))


def test_verdicts_are_a_file_beside_the_page_and_the_same_in_python(bench: Bench) -> None:
    outcome = ran(bench, CLAIM)
    write(outcome)
    told = json.loads((bench.folder / "verdicts.json").read_text())
    assert told == spadam.load(bench.folder).verdicts()
    assert list(told) == ["claims", "comparisons"]
    page = (bench.folder / "report.html").read_text()
    assert "lazy is better" in page
    assert page.index('id="verdicts"') < page.index('id="comparison"')


def test_nothing_is_said_while_trainings_are_missing(bench: Bench) -> None:
    write_spec(bench, CLAIM)
    assert bench.run(trainer({}), ["adam"]) == 0
    (found,) = bench.outcome().verdicts()["claims"]
    assert (found["verdict"], found["effect"]) == ("inconclusive", None)
    assert found["reason"] == "8 of 16 trainings so far"
    assert bench.outcome().attributes["claims"].popitem()[1] == {"post_hoc": False, "looks": []}


def test_two_metrics_of_one_variant(bench: Bench) -> None:
    claim = {**CLAIM, "variants": ["lazy"], "against": "val/fvu", "kind": "equivalent", "margin": 0.5}
    outcome = ran(bench, claim)
    (found,) = outcome.verdicts()["claims"]
    rows = [row["metrics"] for row in outcome.repeats() if row["variant"] == "lazy"]
    logs = [math.log(row["test/fvu"] / row["val/fvu"]) for row in rows]
    assert (found["against"], found["n"]) == ("val/fvu", 8)
    assert found["effect"] == pytest.approx(sum(logs) / len(logs))


@pytest.mark.parametrize(("factor", "expected"), [(1.1, "supported"), (0.9, "refuted")])
def test_more_accuracy_is_better_on_test_samples_too(bench: Bench, factor: float, expected: str) -> None:
    def train(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        accuracy = 0.8 * (factor if task.slot.variant == "lazy" else 1.0) + 0.001 * (task.slot.seed % 3)
        return finish(task, 0.1, **{"probe/test_accuracy": accuracy})

    claim = {**CLAIM, "metric": "probe/test_accuracy", "margin": 0.005}
    bench.write({"search": {"sampler": "grid", "trials": 1}, "repeat": {"seeds": 8}, "claims": [claim]}, space={})
    assert bench.run(train) == 0
    assert answers(bench.outcome()) == [expected]


def test_more_seeds_after_a_verdict_are_another_look(bench: Bench) -> None:
    for seeds, looks in ((6, 1), (6, 1), (8, 2), (10, 3)):
        outcome = ran(bench, CLAIM, seeds=seeds)
        (found,) = outcome.verdicts()["claims"]
        assert (found["n"], found["looks"]) == (seeds, looks)
        assert found["alpha"] == pytest.approx(0.05 / looks)
    assert len(outcome.attributes["claims"].popitem()[1]["looks"]) == 3


def test_a_report_looks_at_what_is_remembered(bench: Bench) -> None:
    outcome = ran(bench, CLAIM, seeds=6)
    for _ in range(3):
        write(bench.outcome())
    assert bench.outcome().verdicts() == outcome.verdicts()


def test_a_claim_that_came_with_the_results_is_post_hoc(bench: Bench) -> None:
    ran(bench, CLAIM)
    later = {**CLAIM, "says": "and worse by nothing", "margin": 0.02}
    write_spec(bench, CLAIM, later)
    assert [claim["post_hoc"] for claim in bench.outcome().verdicts()["claims"]] == [False, True]  # before a run
    assert bench.run(trainer({"lazy": 0.9})) == 0
    assert [claim["post_hoc"] for claim in bench.outcome().verdicts()["claims"]] == [False, True]
    write_spec(bench, {**CLAIM, "says": "mended words"})
    assert [claim["post_hoc"] for claim in bench.outcome().verdicts()["claims"]] == [False]


def test_the_same_bits_are_identical_and_said_without_claims_too(bench: Bench) -> None:
    claim = {**CLAIM, "kind": "equivalent", "variants": ["b", "adam"]}
    write_spec(bench, claim, variants={"b": {"optimizer": {"name": "adam"}}}, seeds=3)
    assert bench.run(trainer({}, spread=0.0)) == 0
    (found,) = bench.outcome().verdicts()["claims"]
    assert (found["verdict"], found["holds"], found["n"]) == ("identical", True, 3)
    same = {tuple(one["variants"]): one["same"] for one in bench.outcome().verdicts()["comparisons"]}
    assert same["b", "adam"] == "the same to the last bit"
    assert same["lazy", "adam"] == ""


def test_one_algorithm_here_is_the_same_by_construction(bench: Bench) -> None:
    fixed = {name: {"optimizer": {"name": f"{name}_adam", "epsilon": "hat"}} for name in ("masked", "lazy")}
    claim = {**CLAIM, "variants": ["masked", "lazy"], "kind": "different"}
    bench.write(
        {"repeat": {"seeds": 6}, "search": {"sampler": "grid", "trials": 1}, "claims": [claim]},
        variants=fixed,
        space={},
    )
    assert bench.run(trainer({"lazy": 0.5}, touched=True)) == 0
    (found,) = bench.outcome().verdicts()["claims"]
    assert (found["verdict"], found["holds"]) == ("same_by_construction", False)


@pytest.mark.parametrize(
    ("epsilon", "touched", "said"),
    [
        ("hat", 0.995, "a step touches 99.5 % of the rows, and where it touches all they are one algorithm"),
        ("after", 0.995, "and where it touches all only the place of epsilon differs"),
        ("hat", 0.9, ""),
    ],
)
def test_what_is_nearly_the_same_is_told(epsilon: str, touched: float, said: str, bench: Bench) -> None:
    variants = {
        "masked": {"optimizer": {"name": "masked_adam", "epsilon": "hat"}},
        "lazy": {"optimizer": {"name": "lazy_adam", "epsilon": epsilon}},
    }
    claim = {**CLAIM, "variants": ["masked", "lazy"]}
    changes = {"repeat": {"seeds": 6}, "search": {"sampler": "grid", "trials": 1}, "claims": [claim]}
    bench.write(changes, variants=variants, space={})
    plain = trainer({})

    def train(task: Any, progress: Any) -> Any:
        found = plain(task, progress)
        return found._replace(metrics={**found.metrics, "sparsity/rows_touched": touched})

    assert bench.run(train) == 0
    (found,) = bench.outcome().verdicts()["claims"]
    assert said in "; ".join(found["caveats"])
    assert bool(said) == bool(found["caveats"])


def test_that_few_rows_tell_them_apart_is_told(bench: Bench) -> None:
    write_spec(bench, CLAIM, seeds=6)
    plain = trainer({"lazy": 0.5})
    warned = {"code": "few_intermittent_rows", "text": "…", "numbers": {}}

    def train(task: Any, progress: Any) -> Any:
        found = plain(task, progress)
        metrics = {**found.metrics, "sparsity/rows_intermittent": 0.02}
        return found._replace(metrics=metrics, warnings=[warned])

    assert bench.run(train) == 0
    (found,) = bench.outcome().verdicts()["claims"]
    assert found["caveats"] == ["2.0 % of the rows are touched now and then, and only these can tell the two apart"]


def test_no_verdict_on_a_variant_whose_best_lies_at_a_bound(bench: Bench) -> None:
    write_spec(bench, CLAIM)
    bench.write(
        {"search": SEARCH, "repeat": {"seeds": 6}, "claims": [CLAIM]},
        space={"optimizer.lr": {"low": 1e-9, "high": 1e-4, "log": True}},
    )
    assert bench.run(trainer({"lazy": 0.5})) == 0
    (found,) = bench.outcome().verdicts()["claims"]
    assert found["verdict"] == "inconclusive"
    assert "optimizer.lr near its upper bound: widen the range" in found["reason"]


def test_studies_are_the_units_of_what_is_said_of_variants(bench: Bench) -> None:
    claim = {**CLAIM, "about": "variants"}
    outcome = ran(bench, claim, factor=0.5, seeds=2, search={"trials": 6, "studies": 6})
    (found,) = outcome.verdicts()["claims"]
    assert (found["verdict"], found["n"], found["about"]) == ("supported", 6, "variants")
    compared = [one for one in outcome.verdicts()["comparisons"] if one["metric"] == "test/fvu"]
    assert [(one["study"], one["n"]) for one in compared] == [*((study, 2) for study in range(6)), (None, 6)]


def test_a_training_that_diverged_counts_and_is_told(bench: Bench) -> None:
    plain = trainer({"lazy": 0.5})

    def train(task: Any, progress: Any) -> Any:
        lost = task.slot.phase == "repeat" and task.slot.variant == "lazy" and task.slot.seed % 10 == 3
        return finish(task, None, status="diverged") if lost else plain(task, progress)

    write_spec(bench, CLAIM, {**CLAIM, "metric": "val/fvu", "says": "on validation"})
    assert bench.run(train) == 0
    found, on_validation = bench.outcome().verdicts()["claims"]
    assert found["diverged"]["lazy"]["share"] == pytest.approx(1 / 8)
    assert found["n"] == on_validation["n"] == 8
    assert on_validation["effect"] > found["effect"]  # step 0 has val/fvu 40, and no test/fvu


def test_differences_stand_beside_the_one_that_was_asked_for(bench: Bench) -> None:
    outcome = ran(bench, factor=0.5, compare={"to": "lazy"})
    assert outcome.verdicts()["claims"] == []
    found = {one["metric"]: one for one in outcome.verdicts()["comparisons"]}
    assert set(found) == {"val/fvu", "test/fvu"}
    assert found["test/fvu"]["variants"] == ["adam", "lazy"]
    assert found["test/fvu"]["effect"] == pytest.approx(0.69, abs=0.05)
    assert (found["test/fvu"]["ratio"], found["test/fvu"]["n"], found["test/fvu"]["same"]) == (True, 8, "")


def test_old_sweeps_have_comparisons_and_no_claims(bench: Bench) -> None:
    outcome = ran(bench)
    assert "claims" not in outcome.attributes
    assert answers(outcome) == []


def test_with_claims_settings_are_chosen_by_fresh_seeds(bench: Bench) -> None:
    assert len(ran(bench, CLAIM).choosings()) == 2 * 3 * 3
    (verdict,) = bench.outcome().verdicts()["claims"]
    assert verdict["n"] == 8


def test_unless_the_file_says_otherwise(bench: Bench) -> None:
    write_spec(bench, CLAIM)
    bench.write({"search": SEARCH, "repeat": {"seeds": 6, "choose": None}, "claims": [CLAIM]}, space=AXES)
    assert bench.run(trainer({})) == 0
    assert bench.outcome().choosings() == []


def test_claims_that_come_later_choose_nothing_anew_unasked(bench: Bench) -> None:
    ran(bench)
    write_spec(bench, CLAIM)
    for look in (bench.run, bench.outcome):
        with pytest.raises(InputError) as caught:
            look()
        assert caught.value.argument == "repeat.choose"
        assert "write `choose: null` under repeat to keep its settings" in caught.value.remedy
    bench.write({"search": SEARCH, "repeat": {"seeds": 8, "choose": None}, "claims": [CLAIM]}, space=AXES)
    assert [claim["post_hoc"] for claim in bench.outcome().verdicts()["claims"]] == [True]
    assert bench.run(trainer({})) == 0
    assert bench.outcome().choosings() == []
