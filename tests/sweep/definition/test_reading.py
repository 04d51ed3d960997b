"""Every wrong input: one message with argument, value, rule, remedy and line, before anything is made."""

from pathlib import Path
from typing import Any

import pytest

from spadam.spec import InputError
from support.sweep_bench import Bench


def refused(bench: Bench) -> InputError:
    """What ``sweep run`` says of the file; nothing has been made, and reading says the same."""
    with pytest.raises(InputError) as caught:
        bench.run()
    assert not bench.out.exists()
    with pytest.raises(InputError) as again:
        bench.read()
    assert str(again.value) == str(caught.value)
    assert caught.value.argument
    assert caught.value.rule
    assert caught.value.remedy
    return caught.value


def line_of(bench: Bench, text: str, after: int = 0) -> str:
    """``file:line`` of the first line that holds ``text``, or so many lines after it."""
    lines = bench.spec.read_text().splitlines()
    return f"{bench.spec}:{after + next(n for n, line in enumerate(lines, 1) if text in line)}"


def lr(**range_: Any) -> dict[str, Any]:
    return {"space": {"optimizer.lr": {"low": None, "high": None, "log": False, **range_}}}


CASES = [
    ({"serach": {}}, "serach", "serach", "not known", "search"),
    ({"search": {"trails": 3}}, "search.trails", "trails", "not known", "trials"),
    ({"search": {"trials": "many"}}, "search.trials", "trials", "whole number", ""),
    ({"search": {"trials": 0}}, "search.trials", "trials", "greater than 0", ""),
    ({"search": {"trials": None}}, "search.trials", "search", "needs a number of trials", "trials: 40"),
    ({"search": {"studies": 10_001}}, "search.studies", "studies", "less than or equal to 10000", ""),
    ({"search": {"lag": 0}}, "search.lag", "lag", "greater than 0", ""),
    ({"search": {"sampler": "annealing"}}, "search.sampler", "sampler", "'random', 'grid', 'qmc', 'tpe' or 'gp'", ""),
    ({"search": {"pruner": "hyperband"}}, "search.pruner", "pruner", "'none' or 'median'", ""),
    ({"repeat": {"seeds": -1}}, "repeat.seeds", "seeds", "greater than or equal to 0", ""),
    ({"name": "a/b"}, "name", "name", "letters, digits", "another"),
    ({"name": ".."}, "name", "name", "letters, digits", "another"),
    ({"name": "x" * 49}, "name", "name", "at most 48", "another"),
    ({"variants": {"a:b": {"optimizer": {"name": "adam"}}}}, "variants", "a:b", "letters, digits", "another"),
    ({"variants": {}}, "variants", "variants", "at least one variant", "add one"),
    ({"variants": None}, "variants", "variants", "at least one variant", "add one"),
    (
        {"variants": {"lazy": {"optimizer": {"name": "lazy_adm"}}}},
        "variant lazy: optimizer.name",
        "lazy_adm",
        "",
        "lazy_adam",
    ),
    ({"variants": {"lazy": {"optimiser": {}}}}, "variant lazy: optimiser", "optimiser", "not known", "optimizer"),
    ({"variants": {"lazy": {"seed": 1}}}, "variants.lazy.seed", "seed", "share their seeds", "base.seed"),
    ({"base": {"model": {"latents": "16"}}}, "variant adam: model.latents", "latents", "whole number", ""),
    ({"base": {"model": {"rule": {"k": 17}}}}, "variant adam: model.rule.k", "k: 17", "", ""),
    ({"base": {"seed": -1}}, "variant adam: seed", "seed: -1", "greater than or equal to 0", ""),
    (lr(low=1e-1, high=1e-5), "space.optimizer.lr.low", "low: 0.1", "low < high must hold", "exchange"),
    (lr(low=0.0, high=1.0, log=True), "space.optimizer.lr.low", "low: 0.0", "above 0", "log: false"),
    (lr(around=1e-3, log=None), "space.optimizer.lr.log", "log:", "true or false", "false then"),
    (lr(around=1e-3, log=True), "space.optimizer.lr.around", "around: 0.001", "needs a width", "decades: 4"),
    (
        lr(around="declred", decades=4, log=True),
        "space.optimizer.lr.around",
        "around:",
        "'declared', a number or a mapping",
        "declared",
    ),
    (lr(around=0.0, decades=4, log=True), "space.optimizer.lr.around", "around: 0.0", "above 0", "low and high"),
    (lr(around=1.0, decades=0, log=True), "space.optimizer.lr.decades", "decades: 0", "between 0.01", "4"),
    (lr(choices=[]), "space.optimizer.lr.choices", "choices", "something to choose", "list"),
    ({"space": {"optimizer.lr": {"hihg": 1}}}, "space.optimizer.lr.hihg", "hihg", "not known", "high"),
    ({"space": {"optimizer.lr": None}}, "space.optimizer.lr", "optimizer.lr", "", ""),
    (
        {"space": {"optimizer.lrr": {"low": 1.0, "high": 2.0}}},
        "space.optimizer.lrr",
        "lrr",
        "has this key",
        "optimizer.lr",
    ),
    ({"space": {"optimiser.lr": {"low": 1.0, "high": 2.0}}}, "space.optimiser.lr", "optimiser", "", "optimizer.lr"),
    ({"space": {"seed": {"choices": [1, 2]}}}, "space.seed", "seed:", "cannot be searched", "base"),
    ({"space": {"data.root": {"choices": ["a"]}}}, "space.data.root", "data.root", "cannot be searched", "base"),
    ({"space": {"tracking.mode": {"choices": ["a"]}}}, "space.tracking.mode", "tracking.mode", "cannot be", "base"),
    (
        {"space": {"trainer.accelerator": {"choices": ["cpu"]}}},
        "space.trainer.accelerator",
        "trainer.accelerator",
        "cannot be searched",
        "base",
    ),
    (
        {"base": {"probe": None}, "space": {"probe.lr": {"low": 1e-3, "high": 1e-1}}},
        "variant adam: probe",
        "probe: ",
        "no key",
        "",
    ),
    ({"space": {"model.k": {"low": 1, "high": 2}}}, "space.model.k", "model.k", "has this key", "model.rule.k"),
    ({"space": {"optimizer.eps-rel": {"low": 1.0, "high": 2.0}}}, "space.optimizer.eps-rel", "eps-rel", "", "eps_rel"),
    ({"space": {"optimizer.lr.x": {"low": 1.0, "high": 2.0}}}, "space.optimizer.lr.x", "lr.x", "", "optimizer.lr.at"),
    (
        {"space": {"optimizer.betas": {"low": 0.1, "high": 0.2}}},
        "space.optimizer.betas",
        "betas",
        "a list",
        "optimizer.beta1",
    ),
    (
        {"space": {"optimizer.eps": {"around": {"at": 1.0}, "decades": 1, "low": None, "high": None, "log": True}}},
        "variant adam: space.optimizer.eps.around",
        "optimizer.eps",
        "a centre for optimizer.lr only",
        "give a number",
    ),
    (lr(choices=[[0.9, 0.99]]), "space.optimizer.lr.choices", "choices", "must be one value", "a variant"),
    (lr(choices=[{"a": 1}]), "space.optimizer.lr.choices", "choices", "must be one value", "a variant"),
    (lr(low="1e-4", high=1.0), "space.optimizer.lr.low", "low:", "must be a number", "take the quotes away: 1e-4"),
    (lr(low={"a": 1}, high=1.0), "space.optimizer.lr.low", "low:", "must be a number", "change the value"),
    (lr(around="1e-3", decades=4), "space.optimizer.lr.around", "around:", "", "take the quotes away: 1e-3"),
    (lr(around={"at": 1.0, "k": 1}, decades=4), "space.optimizer.lr.around.k", "k: 1", "not known", "at, n, rule"),
    (lr(around={"at": 0}, decades=4), "space.optimizer.lr.around.at", "at: 0", "greater than 0", ""),
    (lr(around={"at": 1.0, "rule": "n"}, decades=4), "space.optimizer.lr.around.rule", "rule: n", "'sqrt_n'", ""),
    (lr(around={"at": 1.0}), "space.optimizer.lr.around", "around:", "a centre needs a width", "add decades"),
    (lr(around=[1.0], decades=4), "space.optimizer.lr.around", "around:", "'declared', a number or a mapping", ""),
    ({"space": {"optimizer.lr": [1.0, 1]}}, "space.optimizer.lr.choices", "optimizer.lr", "stand only once", ""),
    ({"space": {"optimizer.lr": []}}, "space.optimizer.lr.choices", "optimizer.lr", "to choose from", ""),
    ({"space": {"optimizer.beta1": [0.9, 1.0]}}, "variant adam: optimizer.beta1", "beta1", "at the choice 1.0", ""),
    ({"space": {"optimizer.lr.att": [1.0]}}, "space.optimizer.lr.att", "lr.att", "has this key", "optimizer.lr.at?"),
    ({"objective": {"direction": "min"}}, "objective.direction", "direction", "", "minimize?"),
    ({"variants": {"lazy": None}}, "variants.lazy", "lazy", "a mapping of keys", "space"),
    ({"variants": {"lazy": {"optimizer": "lazy_adam"}}}, "variant lazy: optimizer", "optimizer: lazy", "no key", ""),
    ({"space": {"optimizer.lr": {"points": 3}}}, "space.optimizer.lr.points", "optimizer.lr", "only the sampler", ""),
    (
        {"variants": {"lazy": {"space": {"probe.lr": None}}}},
        "variants.lazy.space.probe.lr",
        "probe.lr",
        "only an axis of the sweep",
        "remove",
    ),
    (
        {"variants": {"lazy": {"space": {"optimizer.lr": {"low": 2.0, "high": 1.0, "log": False}}}}},
        "variants.lazy.space.optimizer.lr.low",
        "low: 2.0",
        "low < high",
        "exchange",
    ),
    (
        {"search": {"pruner": "median"}, "objective": {"metric": "train/fvu_training_code"}},
        "objective.metric",
        "metric",
        "measured once, at the end",
        "search.pruner: none",
    ),
    (
        {"search": {"pruner": "median"}, "objective": {"metric": "probe/val_accuracy"}},
        "objective.metric",
        "metric",
        "measured once, at the end",
        "search.pruner: none",
    ),
    ({"objective": {"metric": "val/fuv"}}, "objective.metric", "metric", "no metric has this name", "val/fvu"),
    ({"objective": {"metric": "test/fvu"}}, "objective.metric", "metric", "test split", "val/fvu"),
    ({"objective": {"metric": "probe/test_accuracy"}}, "objective.metric", "metric", "test split", "val/fvu"),
    ({"objective": {"metric": "time/step_ms"}}, "objective.metric", "metric", "cannot be judged", "val/fvu"),
    ({"objective": {"metric": "sparsity/density_histogram"}}, "objective.metric", "metric", "one number", "val/fvu"),
    ({"objective": {"direction": "down"}}, "objective.direction", "direction", "'minimize' or 'maximize'", ""),
    (
        {"base": {"probe": None}, "objective": {"metric": "probe/val_accuracy"}},
        "objective.metric",
        "metric",
        "has no probe",
        "probe: null",
    ),
    (
        {"base": {"probe": {"refit": "never"}}, "objective": {"metric": "probe/val_accuracy"}},
        "objective.metric",
        "metric",
        "never fits it",
        "refit: auto",
    ),
    ({"base": {"data": {"validation_size": 0}}}, "objective.metric", "metric", "no validation samples", "set data"),
    ({"base": {"data": {"batch_size": 1000}}}, "variant adam: data.batch_size", "batch_size", "", ""),
]


@pytest.mark.parametrize(("changes", "argument", "line", "rule", "remedy"), CASES, ids=[str(c[0])[:60] for c in CASES])
def test_wrong_input(bench: Bench, changes: dict[str, Any], argument: str, line: str, rule: str, remedy: str) -> None:
    bench.write(changes)
    if changes.get("variants", ...) in ({}, None):  # laid over, it would leave those that are there
        bench.write(
            text=bench.spec.read_text().partition("variants:")[0]
            + f"variants: {changes['variants']}\n".replace("None", "")
        )
    error = refused(bench)
    assert error.argument == argument
    assert rule in error.rule
    assert remedy in error.remedy
    text, _, after = line.partition("+")
    assert error.where == line_of(bench, text, int(after or 0))


def test_a_duplicate_key(bench: Bench) -> None:
    bench.write(text=bench.spec.read_text() + "search:\n  sampler: tpe\n")
    error = refused(bench)
    assert error.argument == "search"
    assert "only once" in error.rule
    assert error.where.endswith(f":{len(bench.spec.read_text().splitlines()) - 1}")


def test_a_missing_part_and_a_missing_file(bench: Bench) -> None:
    bench.write(text="name: a\n")
    assert refused(bench).argument in ("base", "variants")
    bench.spec.unlink()
    assert "must be readable" in refused(bench).rule


def test_an_eps_for_an_optimizer_without_one(bench: Bench) -> None:
    bench.write({"variants": {"sgd": {"optimizer": {"name": "sgd"}}}})
    error = refused(bench)
    assert error.argument == "variant sgd: optimizer.eps"
    assert "at both ends of its range" in error.rule
    assert "no epsilon" in error.rule
    assert "space: {optimizer.eps: null}" in error.remedy
    assert error.where == line_of(bench, "optimizer.eps")
    bench.write({"variants": {"sgd": {"optimizer": {"name": "sgd"}, "space": {"optimizer.eps": None}}}})
    assert [axis.name for axis in bench.load().variants["sgd"].axes] == ["optimizer.lr"]


def test_an_end_that_cannot_be_trained_is_named(bench: Bench) -> None:
    bench.write({"space": {"model.rule.k": {"low": 1, "high": 17}}})
    error = refused(bench)
    assert error.argument == "variant adam: model.rule.k"
    assert error.rule.startswith("at the high end of model.rule.k (17), ")
    assert error.where == line_of(bench, "model.rule.k")


def test_ends_that_do_not_go_together_are_named(bench: Bench) -> None:
    bench.write({"space": {"model.rule.k": {"low": 1, "high": 8}, "model.latents": {"choices": [4, 8]}}})
    error = refused(bench)
    assert "at the high end of model.rule.k (8) and at the choice 4 of model.latents" in error.rule


def test_bounds_of_a_whole_key_must_be_whole(bench: Bench) -> None:
    bench.write({"space": {"model.rule.k": {"low": 1, "high": 8.5}}})
    assert "at the high end of model.rule.k (8.5)" in refused(bench).rule


def test_whole_numbers_only_where_the_key_takes_nothing_else(bench: Bench) -> None:
    bench.write({"space": {"model.rule.k": {"low": 1, "high": 8}, "probe.lr": {"low": 1, "high": 2}}})
    whole = {axis.name: axis.whole for axis in bench.load().variants["adam"].axes}
    assert whole == {"optimizer.lr": False, "optimizer.eps": False, "model.rule.k": True, "probe.lr": False}


def test_too_many_corners(bench: Bench) -> None:
    many = {"choices": list(range(1, 80))}
    bench.write({"space": {"data.split_seed": many, "trainer.threads": many}})
    assert "at most 4096" in refused(bench).rule


def test_a_variant_may_override_anything_of_base_and_of_space(bench: Bench) -> None:
    own = {"low": 1e-3, "high": 1e-2, "log": True}
    lazy = {"model": {"latents": 32}, "trainer": {"steps": 5}, "space": {"optimizer.lr": own, "probe.lr": own}}
    bench.write({"variants": {"lazy": {"optimizer": {"name": "lazy_adam"}, **lazy}}})
    variant = bench.load().variants["lazy"]
    assert [(axis.name, axis.range.low) for axis in variant.axes] == [
        ("optimizer.lr", 1e-3),
        ("optimizer.eps", 1e-10),
        ("probe.lr", 1e-3),
    ]
    config = variant.config({"optimizer.lr": 2e-3, "optimizer.eps": 1e-8, "probe.lr": 5e-3}, seed=3)
    assert (config.model.latents, config.trainer.steps, config.model.rule.k, config.seed) == (32, 5, 2, 3)
    assert (config.optimizer.name, config.optimizer.lr, config.probe.lr) == ("lazy_adam", 2e-3, 5e-3)
    assert bench.load().variants["adam"].config({}, 0).model.latents == 16


@pytest.mark.parametrize("data", [{"name": "array", "file": "none.npy"}, {"name": "array", "file": "none.safetensors"}])
def test_missing_data_stops_before_anything_is_made(bench: Bench, data: dict[str, Any], tmp_path: Path) -> None:
    bench.write({"base": {"data": {**data, "root": str(tmp_path)}}})
    bench.load()  # reading a file looks at no data
    with pytest.raises(InputError, match="none"):
        bench.run()
    assert not bench.out.exists()


def test_an_output_folder_that_cannot_be_written(bench: Bench) -> None:
    bench.out.write_text("a file, not a folder")
    with pytest.raises(InputError, match="must be writable") as caught:
        bench.run()
    assert caught.value.argument == "--out"


def test_an_unknown_variant_on_the_command_line(bench: Bench) -> None:
    with pytest.raises(InputError, match="choose from: adam, lazy") as caught:
        bench.run(variants=["lzy"])
    assert (caught.value.argument, caught.value.value) == ("--variants", "lzy")
    assert not bench.out.exists()


@pytest.mark.parametrize(
    ("axis", "rule", "remedy"),
    [
        ("lr", "no configuration has this key", "did you mean optimizer.lr or probe.lr?"),
        ("optimizer", "it holds keys", "search optimizer."),
        (".lr", "no configuration has this key", "did you mean optimizer.lr"),
        ("optimizer.learning_rate", "no configuration has this key", "known in optimizer: "),
    ],
)
def test_axes_that_no_configuration_has(bench: Bench, axis: str, rule: str, remedy: str) -> None:
    bench.write({"space": {axis: {"low": 1.0, "high": 2.0}}})
    error = refused(bench)
    assert error.argument == f"space.{axis}"
    assert rule in error.rule
    assert error.remedy.startswith(remedy)


def test_all_mistakes_of_a_sweep_are_told_at_once(bench: Bench) -> None:
    bench.write(
        {
            "search": {"trials": "2"},
            "space": {"optimizer.lr": {"low": "1e-4", "high": []}, "optimizer.eps": {"hihg": 1}},
        }
    )
    assert sorted(mistake.argument for mistake in refused(bench).mistakes) == [
        "search.trials",
        "space.optimizer.eps.hihg",
        "space.optimizer.lr.high",
        "space.optimizer.lr.low",
    ]
    bench.write({"variants": {"adam": {"model": {"tied": 1}}, "lazy": {"optimizer": {"betas": 3}, "probe": 4}}})
    told = [mistake.argument for mistake in refused(bench).mistakes]
    assert told == ["variant adam: model.tied", "variant lazy: optimizer.betas", "variant lazy: probe"]
