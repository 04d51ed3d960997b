"""A finished sweep may grow; what stands there is not touched, and nothing else of its file may change."""

import json
import sqlite3
from collections import Counter
from typing import Any

import pytest

from spadam.spec import InputError
from spadam.sweep.outcome.finding import in_folder
from spadam.sweep.outcome.status import status
from spadam.sweep.outcome.table import rows
from spadam.sweep.running.task import Task
from support import sweep_quadratic as quadratic
from support.sweep_bench import Bench


def grow(bench: Bench, changes: dict[str, Any]) -> list[Task]:
    """Change the file of a finished sweep and run it: what was trained. Everything that was there is as it was."""
    before = {name: content for name, content in bench.files().items() if "/attempt-" in name}
    bench.write(changes)
    log: list[Task] = []
    assert bench.run(lambda task, progress: log.append(task) or quadratic.train(task, progress)) == 0
    assert before.items() <= bench.files().items()
    assert status(*bench.read())["done"]
    return log


def labels(log: list[Task], variant: str = "adam") -> list[str]:
    return [task.slot.label for task in log if task.slot.variant == variant]


def test_more_seeds(finished: Bench) -> None:
    log = grow(finished, {"repeat": {"seeds": 4}})
    assert labels(log) == labels(log, "lazy") == ["repeat-2", "repeat-3"]
    assert [task.config.seed for task in log] == [10_002, 10_002, 10_003, 10_003]


def test_more_variants(finished: Bench) -> None:
    log = grow(finished, {"variants": {"clock": {"optimizer": {"name": "row_clock_adam"}}}})
    assert labels(log, "clock") == ["search-0", "search-1", "search-2", "repeat-0", "repeat-1"]
    assert len(log) == 5


def as_an_earlier_release_left_it(bench: Bench) -> None:
    """What is stored of a sweep from before there were `model.pre_bias`, `data.scale`, and other keys of data."""
    with sqlite3.connect(bench.folder / "sweep.db") as there:
        for row, text in list(there.execute("SELECT study_user_attribute_id, value_json FROM study_user_attributes")):
            stored = json.loads(text)
            if isinstance(stored, dict) and "facts" in stored:
                for variant in stored["facts"]["variants"].values():
                    variant["config"]["model"].pop("pre_bias")
                    for key in ("scale", "groups", "groups_key", "exclude"):
                        variant["config"]["data"].pop(key, None)
                there.execute(
                    "UPDATE study_user_attributes SET value_json = ? WHERE study_user_attribute_id = ?",
                    (json.dumps(stored), row),
                )


def test_a_sweep_of_an_earlier_release_keeps_what_was_done_then(finished: Bench) -> None:
    as_an_earlier_release_left_it(finished)
    with pytest.raises(InputError, match=r"model\.pre_bias = .mean.*: the sweep was created with none"):
        finished.run()
    assert in_folder(finished.folder).best("adam").model.pre_bias == "none"
    then = {"model": {"pre_bias": "none"}}
    for data, told in (
        ({"scale": "unit_sq"}, "scale = 'unit_sq'.*with none"),
        ({"groups": "g.npy"}, "groups = 'g.npy'"),
    ):
        finished.write({"base": {**then, "data": data}})
        with pytest.raises(InputError, match=rf"data\.{told}"):
            finished.run()
    log = grow(finished, {"base": {"model": {"pre_bias": "none"}}, "repeat": {"seeds": 3}})
    assert {task.config.model.pre_bias for task in log} == {"none"}
    assert len(log) == 2


def test_more_studies(finished: Bench) -> None:
    log = grow(finished, {"search": {"studies": 2}})
    assert labels(log) == ["search-s1-0", "search-s1-1", "search-s1-2", "repeat-s1-0", "repeat-s1-1"]
    assert len(log) == 10


def test_more_trials_without_a_new_best_keep_the_repeats(bench: Bench) -> None:
    bench.write({"search": {"trials": 3, "seed": 1}})
    assert bench.run() == 0
    log = grow(bench, {"search": {"trials": 4, "seed": 1}})
    values = [row["value"] for row in rows(*bench.read()) if row["variant"] == "adam" and row["phase"] == "search"]
    assert values[3] > min(values), "this seed was chosen so that the fourth is not the best"
    assert labels(log) == ["search-3"]


def test_a_new_best_makes_new_repeats_and_supersedes_the_old(bench: Bench) -> None:
    bench.write({"search": {"trials": 1}})
    assert bench.run() == 0
    log = grow(bench, {"search": {"trials": 7}})
    assert labels(log) == [*(f"search-{n}" for n in range(1, 7)), "repeat-2", "repeat-3"]
    mine = [row for row in rows(*bench.read()) if row["variant"] == "adam"]
    repeats = [row for row in mine if row["phase"] == "repeat"]
    assert [(row["slot"], row["seed"], row["status"]) for row in repeats] == [
        (0, 10_000, "superseded"),
        (1, 10_001, "superseded"),
        (2, 10_000, "complete"),
        (3, 10_001, "complete"),
    ]
    best = min((row for row in mine if row["phase"] == "search"), key=lambda row: row["value"])
    assert best["slot"] > 0
    assert repeats[2]["params"] == best["params"] != repeats[0]["params"]
    found = status(*bench.read())["variants"]["adam"]
    assert found == {"slots": 9, "accepted": 9, "running": 0, "waiting": 0, "failed": 0}
    assert "superseded" in (bench.folder / "trials.csv").read_text()


def test_waiting_repeats_of_an_old_best_are_not_trained(bench: Bench) -> None:
    bench.write({"search": {"trials": 1}})

    def stop(task: Task, progress: object) -> Any:
        if task.slot.label == "repeat-1":
            raise KeyboardInterrupt
        return quadratic.train(task, lambda step: None)

    assert bench.run(stop) == 1
    bench.write({"search": {"trials": 7}})
    log: list[Task] = []
    assert bench.run(lambda task, progress: log.append(task) or quadratic.train(task, progress)) == 0
    assert labels(log)[-2:] == ["repeat-2", "repeat-3"]
    assert "repeat-1" not in labels(log)
    assert Counter(row["status"] for row in rows(*bench.read())) == {"complete": 18, "superseded": 3}


SAME = [
    {"base": {"tracking": {"mode": "offline", "project": "other"}}},
    {"base": {"data": {"root": "elsewhere"}}},
    {"base": {"trainer": {"accelerator": "cpu"}}},
    {"base": {"model": {"latents": 16, "tied": True}, "seed": 0}},  # spelled out, what was a default
    {"search": {"pruner": "none"}},
]


@pytest.mark.parametrize("changes", SAME, ids=[str(change) for change in SAME])
def test_what_does_not_determine_results_may_change(finished: Bench, changes: dict[str, Any]) -> None:
    assert grow(finished, changes) == []


def test_comments_and_the_order_of_keys_may_change(finished: Bench) -> None:
    lines = finished.spec.read_text().splitlines()
    assert lines[0] == "name: lr-eps"
    finished.write(text="\n".join(["# a comment", *lines[1:], lines[0], ""]))
    assert finished.run() == 0


CHANGED = [
    ({"base": {"model": {"latents": 17}}}, "variant adam: model.latents", "latents", "created with 16"),
    ({"base": {"seed": 1}}, "variant adam: seed", "seed: 1", "created with 0"),
    ({"base": {"trainer": {"steps": 3}}}, "variant adam: trainer.steps", "steps", "created with 2"),
    (
        {"variants": {"lazy": {"optimizer": {"name": "adam"}}}},
        "variant lazy: optimizer.name",
        "name: adam",
        "created with",
    ),
    ({"space": {"optimizer.lr": {"high": 1.0}}}, "variant adam: space.optimizer.lr.high", "optimizer.lr", "with 0.1"),
    (
        {"space": {"probe.lr": {"low": 0.1, "high": 0.2}}},
        "variant adam: space.probe.lr",
        "probe.lr",
        "created without this axis",
    ),
    ({"search": {"trials": 2}}, "search.trials", "trials", "created with 3, and may only grow"),
    ({"search": {"seed": 1}}, "search.seed", "seed", "created with 0"),
    ({"search": {"sampler": "tpe"}}, "search.sampler", "sampler", "created with random"),
    ({"search": {"lag": 1}}, "search.lag", "lag", "created with 4"),
    ({"search": {"pruner": "median"}}, "search.pruner", "pruner", "created with none"),
    ({"search": {"sampler": "qmc"}}, "search.sampler", "sampler", "created with random"),
    ({"repeat": {"seeds": 1}}, "repeat.seeds", "seeds", "created with 2, and may only grow"),
    ({"objective": {"metric": "val/mse"}}, "objective.metric", "metric", "created with val/fvu"),
    ({"objective": {"direction": "maximize"}}, "objective.direction", "direction", "created with minimize"),
]


@pytest.mark.parametrize(("changes", "argument", "line", "rule"), CHANGED, ids=[str(case[0]) for case in CHANGED])
def test_any_other_change_is_refused(
    finished: Bench, changes: dict[str, Any], argument: str, line: str, rule: str
) -> None:
    before = finished.files()
    finished.write(changes)
    for command in (finished.run, finished.read):
        with pytest.raises(InputError) as caught:
            command()
        assert caught.value.argument == argument
        assert rule in caught.value.rule
        assert "another `name` or --out" in caught.value.remedy
        found = int(caught.value.where.rpartition(":")[2])
        assert any(line in text for text in finished.spec.read_text().splitlines()[found - 1 : found + 1])
    assert finished.files() == before


def test_a_variant_that_is_gone_is_refused(finished: Bench) -> None:
    text = finished.spec.read_text()
    finished.write(text=text.replace("  lazy:\n    optimizer:\n      name: lazy_adam\n", ""))
    assert finished.spec.read_text() != text
    with pytest.raises(InputError, match="use --variants") as caught:
        finished.run()
    assert caught.value.argument == "variants.lazy"


def test_a_sweep_from_before_its_keys_and_its_metric_were_renamed_is_read_and_goes_on(bench: Bench) -> None:
    """As it was stored: its objective by the old name, results with it, facts without the keys that came later."""

    def train(task: Task, progress: Any) -> Any:
        return quadratic.finish(task, None, **{"sparsity/silent": quadratic.bowl(task)})

    bench.write({"base": {"trainer": {"steps": 3125}}, "objective": {"metric": "sparsity/silent"}})
    assert bench.run(train) == 0
    values = [row["value"] for row in rows(*bench.read())]
    assert None not in values
    with sqlite3.connect(bench.folder / "sweep.db") as connection:
        for table in ("study_user_attributes", "trial_user_attributes"):
            renamed = f"UPDATE {table} SET value_json = replace(value_json, 'sparsity/silent', 'sparsity/dead_1e5')"
            assert connection.execute(renamed).rowcount
        (stored,) = connection.execute("SELECT value_json FROM study_user_attributes WHERE key = 'plan'").fetchone()
        assert "evaluate_every" not in stored
        assert "silent_after" not in stored
    found = in_folder(bench.folder)
    assert found.metric == "sparsity/silent"
    assert [row["value"] for row in found.rows] == values
    assert all("sparsity/dead_1e5" not in row["metrics"] for row in found.rows)
    for name in ("sparsity/dead_1e5", "sparsity/silent"):  # the file as it was, or as one writes it today
        bench.write({"base": {"trainer": {"steps": 3125}}, "objective": {"metric": name}})
        assert bench.run(train) == 0
        assert [row["value"] for row in rows(*bench.read())] == values
    bench.write(
        {"base": {"trainer": {"steps": 3125, "evaluate_every": 100}}, "objective": {"metric": "sparsity/silent"}}
    )
    with pytest.raises(InputError, match=r"evaluate_every = 100 .*created with epoch"):
        bench.run(train)
