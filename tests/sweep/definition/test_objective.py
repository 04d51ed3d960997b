"""Objectives within bands and of several metrics: what is refused, before anything is trained or read."""

from typing import Any

import pytest

from spadam.spec import InputError
from spadam.sweep.definition import extension
from spadam.sweep.definition.columns import columns, heading
from spadam.sweep.definition.spec import POINTS
from support.sweep_bench import Bench

L0, FVU = "sparsity/l0_eval", "val/fvu"


def refused(bench: Bench, objective: dict[str, Any], **changes: Any) -> InputError:
    bench.write(changes, objective=objective)
    with pytest.raises(InputError) as caught:
        bench.run()
    assert f"{bench.spec}:" in caught.value.where
    assert not bench.out.exists()
    return caught.value


@pytest.mark.parametrize(
    ("objective", "argument", "rule", "remedy"),
    [
        ({"at": {L0: [1.5, 1]}}, f"objective.at.{L0}", "from its lowest value to its highest", "write [1, 1.5]"),
        ({"at": {L0: [1]}}, f"objective.at.{L0}.1", "the list needs more values than 1", "add what is missing"),
        ({"at": {L0: 28}}, f"objective.at.{L0}", "must be a list", "write it as a list"),
        ({"at": {"sparsity/l0": [1, 2]}}, "objective.at.sparsity/l0", "no metric has this name", "did you mean"),
        ({"at": {"test/fvu": [0, 1]}}, "objective.at.test/fvu", "nothing may be chosen by the test split", ""),
        ({"at": {"time/step_ms": [0, 1]}}, "objective.at.time/step_ms", "a search cannot be judged by it", ""),
        ({"at": {"sparsity/density_histogram": [0, 1]}}, "objective.at.sparsity/density_histogram", "one number", ""),
        ({"at": {FVU: [0, 1]}}, f"objective.at.{FVU}", "it is the objective itself", "remove it"),
        ({"pareto": [FVU]}, "objective.pareto", "at least two metrics", f"write `metric: {FVU}`"),
        ({"pareto": []}, "objective.pareto", "at least two metrics", "list two"),
        ({"pareto": [FVU, FVU]}, "objective.pareto", "each metric stands in it once", "remove"),
        ({"pareto": [FVU, "test/fvu"]}, "objective.pareto", "nothing may be chosen by the test split", ""),
        ({"pareto": [FVU, "val/fvv"]}, "objective.pareto", "no metric has this name", "did you mean val/fvu?"),
        ({"pareto": [FVU, L0], "metric": FVU}, "objective.metric", "one metric, or the front of several", "remove it"),
        ({"pareto": [FVU, L0], "direction": "minimize"}, "objective.direction", "front of several", "remove it"),
        (
            {"pareto": [FVU, "probe/online_accuracy"]},
            "objective.pareto",
            "nobody wants it small",
            "{val/fvu: minimize, probe/online_accuracy: maximize}",
        ),
    ],
)
def test_what_means_nothing_is_refused(
    bench: Bench, objective: dict[str, Any], argument: str, rule: str, remedy: str
) -> None:
    error = refused(bench, objective)
    assert error.argument == argument
    assert rule in error.rule
    assert remedy in error.remedy


@pytest.mark.parametrize(
    ("model", "band", "there"),
    [
        ({"rule": {"name": "top_k", "k": 2}}, [28, 36], "0 to 2"),
        ({"rule": {"name": "k_winners", "k": 2}}, [3, 36], "0 to 2"),
        ({"rule": {"name": "relu"}}, [28, 36], "0 to 16"),
        ({"rule": {"name": "lifetime"}, "evaluation": "per_sample_k"}, [2, 3], "0 to 1"),
        ({"rule": {"name": "relu"}}, [-3, -1], "0 to 16"),
    ],
)
def test_a_band_that_cannot_be_met_is_refused(
    bench: Bench, model: dict[str, Any], band: list[float], there: str
) -> None:
    error = refused(bench, {"at": {L0: band}}, base={"model": model})
    assert error.argument == f"objective.at.{L0}"
    assert error.rule == f"it cannot be met: there {L0} is {there} (each of adam, lazy)"
    assert error.remedy == "move the band"


def test_a_share_lies_between_0_and_1_and_the_variant_is_named(bench: Bench) -> None:
    assert "sparsity/dead is 0 to 1" in refused(bench, {"at": {"sparsity/dead": [2, 3]}}).rule
    relu = {"lazy": {"model": {"rule": {"name": "relu"}}}}
    assert "(variant adam)" in refused(bench, {"at": {L0: [3, 5]}}, variants=relu).rule


def test_a_band_that_some_end_of_a_range_can_meet_is_taken(bench: Bench) -> None:
    k = {"model.rule.k": {"low": 2, "high": 8}}
    bench.write({"space": k}, objective={"at": {L0: [6, 8]}})
    assert bench.load().spec.objective.asked == (FVU, L0)
    refused(bench, {"at": {L0: [9, 12]}}, space=k)


def test_what_a_band_or_a_front_needs_of_the_data_is_told(bench: Bench) -> None:
    unlabelled = {"data": {"classes": None}}
    error = refused(bench, {"at": {"probe/val_accuracy": [0.5, 1]}}, base=unlabelled)
    assert (error.argument, "samples without labels" in error.rule) == ("objective.at.probe/val_accuracy", True)
    front = {"pareto": {FVU: "minimize", "probe/val_accuracy": "maximize"}}
    assert "samples without labels" in refused(bench, front, base=unlabelled).rule


def test_pruners_cannot_judge_a_front_nor_what_is_measured_at_the_end(bench: Bench) -> None:
    error = refused(bench, {"pareto": [FVU, L0]}, search={"pruner": "median"})
    assert (error.argument, error.remedy) == ("search.pruner", "set search.pruner: none")
    late = refused(bench, {"at": {"train/fvu_training_code": [0, 1]}}, search={"pruner": "median"})
    assert "measured once, at the end" in late.rule
    bench.write({"search": {"pruner": "median"}}, objective={"at": {L0: [1, 2]}})
    bench.load()


def test_points_are_of_fronts(bench: Bench) -> None:
    bench.write({"repeat": {"points": 2}})
    with pytest.raises(InputError, match="only a front has points") as caught:
        bench.load()
    assert caught.value.argument == "repeat.points"
    bench.write({"repeat": {"points": 2}}, objective={"pareto": [FVU, L0]})
    assert bench.load().spec.repeats == 4
    bench.write(objective={"pareto": [FVU, L0]})
    assert bench.load().spec.points == POINTS


def test_which_way_a_metric_is_good_is_the_metrics_own(bench: Bench) -> None:
    bench.write(objective={"pareto": {FVU: "minimize", "probe/online_accuracy": "maximize"}})
    assert bench.load().spec.objective.goals == {FVU: "minimize", "probe/online_accuracy": "maximize"}
    bench.write(objective={"pareto": [FVU, L0]})
    assert bench.load().spec.objective.goals == {FVU: "minimize", L0: "minimize"}


def test_a_sweep_that_has_begun_keeps_its_bands_and_its_front(bench: Bench) -> None:
    bench.write(objective={"at": {L0: [1, 2]}})
    stored = extension.facts(bench.load())
    bench.write(objective={"at": {L0: [1, 2]}}, report={"columns": ["sparsity/dead"]})
    extension.check_extends(bench.load(), stored)
    bench.write(objective={"at": {L0: [1, 1.5]}})
    with pytest.raises(InputError, match=r"created with \[1.0, 2.0\]"):
        extension.check_extends(bench.load(), stored)
    bench.write()
    with pytest.raises(InputError, match=r"objective.at.sparsity/l0_eval"):
        extension.check_extends(bench.load(), stored)
    bench.write(objective={"pareto": [FVU, L0]})
    stored = extension.facts(bench.load())
    bench.write({"repeat": {"points": 5, "seeds": 4}}, objective={"pareto": {FVU: "minimize", L0: "minimize"}})
    extension.check_extends(bench.load(), stored)
    bench.write({"repeat": {"points": 1}}, objective={"pareto": [FVU, L0]})
    with pytest.raises(InputError, match="may only grow"):
        extension.check_extends(bench.load(), stored)


def test_columns_are_metrics_and_have_a_default(bench: Bench) -> None:
    usual = ("test/fvu", "sparsity/rows_touched", "sparsity/l0_eval", "sparsity/dead")
    assert columns(bench.load()) == usual
    bench.write(objective={"at": {"train/mse": [0, 1]}})
    assert columns(bench.load()) == (*usual, "train/mse")
    bench.write(objective={"pareto": [FVU, L0]})
    assert columns(bench.load()) == ("test/fvu", "sparsity/rows_touched", "sparsity/dead")
    bench.write(report={"columns": ["time/step_ms", "sparsity/dead"]})
    assert columns(bench.load()) == ("time/step_ms", "sparsity/dead")
    bench.write(report={"columns": []})
    assert columns(bench.load()) == ()


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        (["sparsity/ded"], "no metric has this name"),
        (["sparsity/density_histogram"], "a cell holds one number"),
        (["val/fvu", "val/fvu"], "it stands there already"),
    ],
)
def test_columns_that_nothing_has_are_refused(bench: Bench, given: list[str], rule: str) -> None:
    bench.write(report={"columns": given})
    with pytest.raises(InputError) as caught:
        bench.load()
    assert (caught.value.argument, caught.value.rule.startswith(rule)) == ("report.columns", True)
    assert f"{bench.spec}:" in caught.value.where


def test_a_heading_is_as_short_as_tells_it_apart() -> None:
    shown = ["sparsity/rows_touched", "sparsity/l0_eval", "val/fvu", "test/fvu"]
    assert [heading(name, shown) for name in shown] == ["rows touched", "L0", "val/fvu", "test/fvu"]
