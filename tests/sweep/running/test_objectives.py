"""Sweeps within a band, and for a front, from the file to the table: what relu and L1 must not be able to do."""

import csv
import json
import logging
import random
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from spadam.cli import app
from spadam.config import RunConfig
from spadam.spec import InputError, parse, validate
from spadam.sweep.outcome.outcome import Outcome
from spadam.sweep.outcome.progress import survey
from spadam.sweep.running.task import Task
from spadam.sweep.store.connection import open_file
from spadam.sweep.store.sqlite_reader import read_file
from spadam.sweep.store.studies import StorageReader
from spadam.training.progress import Progress
from spadam.training.result import RunResult
from support import sweep_sparse as sparse
from support.sweep_bench import Bench

L0 = sparse.L0
BAND = {"at": {L0: [28, 36]}}
FRONT = {"pareto": ["val/fvu", L0]}
SEARCH = {"sampler": "tpe", "trials": 24, "lag": 4}


def write(bench: Bench, objective: dict[str, Any], **changes: Any) -> None:
    bench.write({"base": sparse.BASE, "search": SEARCH, **changes}, objective=objective)


def ran(bench: Bench, objective: dict[str, Any], **changes: Any) -> Outcome:
    write(bench, objective, **changes)
    assert bench.run(sparse.train) == 0
    return bench.outcome()


def trials(outcome: Outcome, variant: str) -> list[dict[str, Any]]:
    return [row for row in outcome.trials() if row["variant"] == variant]


def test_one_metric_alone_is_had_by_the_densest_code(bench: Bench) -> None:
    """What the band is for: the search leaves sparsity, and asks for more room to do so."""
    ran(bench, {"metric": "val/fvu"})
    said = bench.said.getvalue()
    assert "the best optimizer.lr lies within half a decade of its lower bound 1e-05" in said
    assert "so widen the range" in said


def test_a_band_holds_the_best_inside_and_nobody_is_told_to_leave_it(bench: Bench) -> None:
    outcome = ran(bench, BAND)
    for variant in ("adam", "lazy"):
        best = outcome.best(variant)
        mine = trials(outcome, variant)
        inside = [row for row in mine if 28 <= row["metrics"][L0] <= 36]
        assert 0 < len(inside) < len(mine)
        chosen = min(inside, key=lambda row: row["metrics"]["val/fvu"])
        assert best.optimizer.lr == chosen["params"]["optimizer.lr"]
        assert any(row["metrics"]["val/fvu"] < chosen["metrics"]["val/fvu"] for row in mine)
        for row in mine:
            assert row["outside"] == pytest.approx(max(28 - row["metrics"][L0], row["metrics"][L0] - 36, 0) / 36)
            assert row["value"] == (None if row["outside"] else row["metrics"]["val/fvu"])
        later = [row["outside"] for row in mine[12:]]
        assert sum(later) < sum(row["outside"] for row in mine[:12])  # the sampler is drawn to the band
    assert {row["outside"] for row in outcome.repeats()} == {0.0}
    said = bench.said.getvalue()
    assert "widen" not in said
    assert "of 24 trials of study 0 lie outside the bands" in said
    assert "L0" in said.splitlines()[2]


def test_without_a_trial_inside_the_nearest_leads_and_it_is_said(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    outcome = ran(bench, {"at": {L0: [590, 600]}})
    mine = trials(outcome, "adam")
    nearest = max(mine, key=lambda row: row["metrics"][L0])
    assert nearest["outside"] > 0
    with caplog.at_level(logging.WARNING):
        assert outcome.best("adam").optimizer.lr == nearest["params"]["optimizer.lr"]
    assert caplog.messages == [
        f"no trial of adam lies within its bands: the nearest has {L0} {nearest['metrics'][L0]:.4g}"
    ]
    said = bench.said.getvalue()
    assert "no trial lies within its bands; the nearest has sparsity/l0_eval" in said
    assert "(outside)" in said
    assert "so widen the range" in said  # there the range does keep it away


def test_a_front_is_found_repeated_and_shown(bench: Bench) -> None:
    outcome = ran(bench, FRONT, repeat={"seeds": 2, "points": 3})
    for variant in ("adam", "lazy"):
        mine = trials(outcome, variant)
        costs = {row["slot"]: (row["metrics"]["val/fvu"], row["metrics"][L0]) for row in mine}
        nobody = {
            slot
            for slot, (error, l0) in costs.items()
            if not any(e <= error and d <= l0 and (e, d) != (error, l0) for e, d in costs.values())
        }
        assert {row["slot"] for row in mine if row["front"]} == nobody
        front = outcome.front(variant)
        assert {row["slot"] for row in front} == nobody
        assert front == sorted(front, key=lambda row: row["metrics"]["val/fvu"])
        many = len(front)
        assert many > 3
        chosen = [front[(2 * n + 1) * many // 6]["params"] for n in range(3)]
        repeats = [row for row in outcome.repeats() if row["variant"] == variant]
        assert [row["params"] for row in repeats] == [*chosen, *chosen]  # all points before the next seed
        assert [row["seed"] for row in repeats] == [10_000] * 3 + [10_001] * 3
        assert {row["value"] for row in (*mine, *repeats)} == {None}
    said = bench.said.getvalue()
    assert "the front of 24 trials, and 2 repeats of up to 3 points of it with fresh seeds" in said
    assert "widen" not in said
    assert all(row["slot"] == 0 or f"search-{row['slot']} " in said for row in outcome.front("adam"))
    assert "on the front, 60 of 60 done" not in bench.told.getvalue()
    assert f"{len(outcome.front('lazy'))} on the front, 30 of 30 done" in bench.told.getvalue()


def test_a_front_has_no_best_and_says_what_one_may_ask_for(bench: Bench) -> None:
    outcome = ran(bench, FRONT)
    with pytest.raises(InputError, match="a front has no best") as caught:
        outcome.best("adam")
    (first, *_) = outcome.searches[0].points.values()
    assert f"adam/{first.slot.label} (" in caught.value.remedy
    config = outcome.best(f"adam/{first.slot.label}")
    assert config.optimizer.lr == outcome.trials()[first.slot.number]["params"]["optimizer.lr"]
    with pytest.raises(InputError, match="no finished trial is called search-99; there are: search-0 to search-23"):
        outcome.best("adam/search-99")
    with pytest.raises(InputError, match="the sweep has no such variant"):
        outcome.best("nobody/search-1")

    def asked(best: str) -> Any:
        return CliRunner().invoke(app, ["sweep", "results", str(bench.spec), "--out", str(bench.out), "--best", best])

    printed = asked(f"adam/{first.slot.label}").stdout
    assert validate(RunConfig, parse(printed, "best.yaml")) == config
    refused = asked("adam")
    assert isinstance(refused.exception, InputError)
    assert refused.exception.argument == "--best"


@pytest.mark.parametrize("objective", [BAND, FRONT | {"at": {L0: [4, 128]}}], ids=["band", "front"])
def test_kills_and_diverged_trials_change_nothing(bench: Bench, objective: dict[str, Any], tmp_path: Any) -> None:
    def uneven(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        if random.Random(f"{task.slot.variant}/{task.slot.id}").random() < 0.2:
            return sparse.finish(task, None, status="diverged")
        return sparse.train(task, progress)

    write(bench, objective)
    assert bench.run(uneven) == 0
    whole = bench.outcome()
    assert any(row["status"] == "diverged" for row in whole.trials())
    (tmp_path / "other").mkdir()
    other = Bench(tmp_path / "other")
    write(other, objective)
    left = iter(range(1000))

    def killed(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        if next(left) % 7 == 6:
            raise KeyboardInterrupt
        return uneven(task, progress)

    while other.run(killed):
        pass

    def told(outcome: Outcome) -> list[dict[str, Any]]:
        return [{key: value for key, value in row.items() if key != "attempts"} for row in outcome.rows]

    assert told(other.outcome()) == told(whole)


@pytest.mark.parametrize("objective", [BAND, FRONT], ids=["band", "front"])
def test_both_readers_of_a_storage_see_the_same(bench: Bench, objective: dict[str, Any]) -> None:
    outcome = ran(bench, objective)
    tables = read_file(bench.folder / "sweep.db").sweep("lr-eps")
    with open_file(bench.folder / "sweep.db") as storage:
        optuna = StorageReader(storage).sweep("lr-eps")
        for variant in ("adam", "lazy"):
            ours, theirs = (found.records(variant, 1) for found in (tables, optuna))
            assert {k: r.objective for k, r in ours.items()} == {k: r.objective for k, r in theirs.items()}
        (study,) = [s for s in storage.get_all_studies() if s.study_name == "lr-eps/adam/search-0"]
        assert len(study.directions) == len(outcome.metrics)
        assert survey(outcome.sweep, optuna)[0].front == outcome.searches[0].front


def test_a_sweep_for_a_front_that_grows_keeps_what_it_repeats(bench: Bench) -> None:
    first = ran(bench, FRONT, repeat={"seeds": 1, "points": 2}, search={**SEARCH, "trials": 12})
    before = {json.dumps(row["params"]) for row in first.repeats()}
    second = ran(bench, FRONT, repeat={"seeds": 1, "points": 2}, search={**SEARCH, "trials": 20})
    there = {json.dumps(row["params"]): row["status"] for row in second.repeats()}
    assert before <= set(there)
    assert list(there.values()).count("complete") == 4
    assert set(there.values()) <= {"complete", "superseded"}


def test_planned_repeats_are_rows_before_they_are_known(bench: Bench) -> None:
    write(bench, FRONT, repeat={"seeds": 2, "points": 3})
    outcome = bench.outcome()
    waiting = [row for row in outcome.repeats() if row["variant"] == "adam"]
    assert [row["seed"] for row in waiting] == [10_000, 10_001] * 3
    assert {row["status"] for row in waiting} == {"waiting"}
    assert outcome.status()["variants"]["adam"]["slots"] == 24 + 6


def test_columns_come_first_in_the_csv_and_stand_in_the_table(bench: Bench) -> None:
    ran(bench, BAND, report={"columns": ["sparsity/dead", "time/step_ms"]})
    with (bench.folder / "trials.csv").open() as file:
        head, *rows = list(csv.reader(file))
    assert head[:8] == ["variant", "phase", "study", "slot", "seed", "status", "attempts", "value"]
    assert head[8:11] == ["outside", "optimizer.lr", "optimizer.eps"]
    assert head[11:13] == ["sparsity/dead", "time/step_ms"]
    assert {row[11] for row in rows} == {"0.25"}
    assert {row[12] for row in rows} == {""}
    heading = " ".join(bench.said.getvalue().splitlines()[1:4]).split()
    assert heading.count("dead") == 1
    assert "touched" not in heading
    assert "0.25" in bench.said.getvalue()
