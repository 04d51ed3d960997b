"""Objectives that can never be finite: refused by what the file says, by what the data have, by the first trial."""

import sqlite3
from typing import Any

import numpy as np
import pytest

from spadam.config import RunConfig
from spadam.data import ArraySpec
from spadam.diagnostics.metrics import METRICS
from spadam.spec import InputError, parse, validate
from spadam.sweep.definition.measurable import Available, check_loaded, why_never
from spadam.sweep.outcome.finding import in_folder
from support import sweep_quadratic as quadratic
from support.sweep_bench import Bench

SGD = "data: {name: digits}\noptimizer: {name: sgd}\n"
PLENTY = Available(labels=True, train=10**9, validation=10**9)


def config(text: str = "") -> RunConfig:
    return validate(RunConfig, parse(f"data: {{name: digits}}\noptimizer: {{name: lazy_adam}}\n{text}", "x.yaml"))


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if metric.searchable])
def test_a_large_set_with_labels_may_measure_everything(name: str) -> None:
    assert why_never(METRICS[name], config("trainer: {epochs: 3, clip_norm: 1.0}"), PLENTY) is None


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if metric.searchable])
def test_what_a_metric_needs_it_is_refused_without(name: str) -> None:
    metric, training = METRICS[name], config("trainer: {epochs: null, steps: 1, clip_norm: 1.0}")
    early = metric.silence
    assert (why_never(metric, training, PLENTY._replace(labels=False)) is not None) is (metric.labels or early)
    none = why_never(metric, training, PLENTY._replace(validation=0))
    assert (none is not None) is (metric.split == "val" or early)
    one = why_never(metric, training, Available(True, 128, 1))
    assert (one is not None) is ((metric.split == "val" and metric.least > 1) or early)
    sgd = training.model_copy(update={"optimizer": validate(RunConfig, parse(SGD, "x.yaml")).optimizer})
    assert (why_never(metric, sgd, PLENTY) is not None) is (metric.denominator or early)
    unclipped = config("trainer: {epochs: 3}")
    assert (why_never(metric, unclipped, PLENTY) is not None) is metric.clipping


def test_a_scale_of_targets_needs_some() -> None:
    metric, own = METRICS["data/target_scale"], config()
    why = why_never(metric, own, PLENTY)
    assert why == ("has samples without targets of their own", "set data.target")
    data = ArraySpec(file="x.npy", target="t.npy")
    assert why_never(metric, own.model_copy(update={"data": data}), PLENTY) is None


@pytest.mark.parametrize(
    ("changes", "metric", "rule"),
    [
        ({"base": {"data": {"classes": None}}}, "probe/val_accuracy", "each of adam, lazy has samples without labels"),
        ({"base": {"data": {"classes": None}}}, "probe/online_accuracy", "each of adam, lazy has samples without"),
        ({"base": {"data": {"validation_size": 1}}}, "val/fvu", "has 1 validation sample, and a spread needs 2"),
        ({}, "sparsity/silent", "sees at most 64 samples in a training, and it is measured after 100000"),
        ({}, "optim/clipped", "each of adam, lazy clips no gradient"),
        ({"variants": {"lazy": {"data": {"classes": None}}}}, "probe/val_accuracy", "variant lazy has samples without"),
        (
            {"space": None, "variants": {"lazy": {"optimizer": {"name": "sgd"}}}},
            "optim/eps_bound",
            "variant lazy has an optimizer that divides by nothing (sgd)",
        ),
    ],
)
def test_what_the_file_tells_is_refused_before_anything(
    bench: Bench, changes: dict[str, Any], metric: str, rule: str
) -> None:
    if changes.pop("space", True) is None:
        changes["space"] = {"optimizer.eps": {"low": 1e-10, "high": 1.0, "log": True}}
        changes["variants"]["lazy"]["space"] = {"optimizer.eps": None}
    bench.write({**changes, "objective": {"metric": metric}})
    with pytest.raises(InputError) as caught:
        bench.run()
    assert caught.value.argument == "objective.metric"
    assert rule in caught.value.rule
    assert "or choose another metric" in caught.value.remedy
    assert f"{bench.spec}:" in caught.value.where
    assert not bench.out.exists()


def test_one_validation_sample_is_enough_for_an_error_and_long_trainings_for_silence(bench: Bench) -> None:
    bench.write({"base": {"data": {"validation_size": 1}}, "objective": {"metric": "val/mse"}})
    bench.load()
    bench.write({"base": {"trainer": {"steps": 3125}}, "objective": {"metric": "sparsity/silent"}})
    bench.load()
    bench.write({"base": {"trainer": {"silent_after": 64}}, "objective": {"metric": "sparsity/silent"}})
    bench.load()


def array(bench: Bench, name: str, x: np.ndarray) -> dict[str, Any]:
    np.save(bench.spec.with_name(name), x.astype(np.float32))
    return {"data": {"name": "array", "root": str(bench.spec.parent), "file": name, "batch_size": 4}}


def test_what_the_data_tell_is_refused_once_they_are_read(bench: Bench) -> None:
    few = array(bench, "few.npy", np.random.default_rng(0).normal(size=(12, 8)))
    bench.write({"variants": {"lazy": few}})
    sweep = bench.load()
    check_loaded(sweep, ["adam"])
    with pytest.raises(InputError, match="variant lazy has 1 validation sample, and a spread needs 2"):
        check_loaded(sweep, ["lazy"])
    with pytest.raises(InputError, match="variant lazy has 1 validation sample"):
        bench.run()
    assert not bench.out.exists()


def test_constant_data_stop_the_sweep_after_the_first_trial(bench: Bench) -> None:
    from spadam.sweep.running.task import train

    bench.write({"base": array(bench, "same.npy", np.ones((60, 8)))})
    assert bench.run(train) == 1
    said = bench.told.getvalue().splitlines()[-1]
    assert said.startswith(
        "the objective val/fvu came out as null in the first trial of adam, though it did not diverge"
    )
    assert "(it is so when all samples of the split are equal)" in said
    assert [row["status"] for row in bench.outcome().trials()] == ["complete", *["waiting"] * 5]
    assert (bench.folder / "trials.csv").read_text().count("complete") == 1


def unmeasured(task: Any, progress: Any) -> Any:
    return quadratic.finish(task, None)


def test_the_same_command_goes_on_after_a_mend(bench: Bench) -> None:
    assert bench.run(unmeasured) == 1
    assert bench.run(unmeasured) == 1
    assert "in the first trial of lazy" in bench.told.getvalue()
    assert bench.run(unmeasured) == 1
    assert "in all 2 trials so far of adam, though they did not diverge" in bench.told.getvalue()
    assert bench.run() == 0


@pytest.mark.parametrize("status", ["diverged", "pruned"])
def test_a_trial_that_did_not_end_whole_says_nothing_of_the_objective(bench: Bench, status: str) -> None:
    assert bench.run(lambda task, _: quadratic.finish(task, None, status)) == 0


def test_a_trial_without_an_objective_among_others_is_a_result(bench: Bench) -> None:
    def some(task: Any, progress: Any) -> Any:
        return quadratic.finish(task, None if task.slot.number == 1 else quadratic.bowl(task))

    assert bench.run(some) == 0


def test_a_sweep_that_was_trained_before_this_was_refused_is_read(bench: Bench) -> None:
    bench.write({"base": {"data": {"validation_size": 1}}, "objective": {"metric": "val/mse"}})
    assert bench.run(lambda task, _: quadratic.finish(task, 1.0, **{"val/mse": 1.0})) == 0
    with sqlite3.connect(bench.folder / "sweep.db") as connection:
        changed = "UPDATE study_user_attributes SET value_json = replace(value_json, 'val/mse', 'val/fvu')"
        assert connection.execute(changed).rowcount
    assert in_folder(bench.folder).metric == "val/fvu"
