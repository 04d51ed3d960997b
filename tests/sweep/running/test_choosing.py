"""A sweep that chooses its settings by fresh seeds, from the file to the table."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
from typer.testing import CliRunner

from spadam.cli import app
from spadam.report.page import page
from spadam.sweep.outcome.outcome import Outcome
from spadam.sweep.outcome.status import status
from spadam.sweep.running.task import Task
from spadam.sweep.running.task import train as train_task
from spadam.training.progress import Progress
from spadam.training.result import RunResult
from support import sweep_lucky as lucky
from support import sweep_sparse as sparse
from support.sweep_bench import Bench

CHOOSE = {"search": {"trials": 8}, "repeat": {"seeds": 2, "choose": {"top": 3, "seeds": 2}}}
CHOOSING_SEEDS = [100_010_000, 100_010_001]


def ran(bench: Bench, changes: dict[str, Any], train: Any = lucky.train, **how: Any) -> Outcome:
    bench.write(changes)
    assert bench.run(train, **how) == 0
    return bench.outcome()


def of(rows: list[dict[str, Any]], variant: str, study: int = 0) -> list[dict[str, Any]]:
    return [row for row in rows if (row["variant"], row["study"]) == (variant, study)]


def told(outcome: Outcome) -> list[dict[str, Any]]:
    """What a sweep comes to, whatever happened on the way."""
    return [{key: value for key, value in row.items() if key != "attempts"} for row in outcome.rows]


def naive_choice(outcome: Outcome, variant: str, top: int, study: int = 0) -> tuple[dict[str, Any], float]:
    """The trial whose parameters have the best mean over their choosing trainings, and that mean."""
    trials = sorted(of(outcome.trials(), variant, study), key=lambda row: (row["value"], row["slot"]))[:top]
    choosings = [row for row in of(outcome.choosings(), variant, study) if row["status"] == "complete"]
    assert {str(row["params"]) for row in choosings} == {str(row["params"]) for row in trials}
    means = [mean(row["value"] for row in choosings if row["params"] == trial["params"]) for trial in trials]
    best = means.index(min(means))
    return trials[best], means[best]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return ran(Bench(tmp_path_factory.mktemp("undisturbed")), CHOOSE)


def test_the_best_trials_are_trained_again_and_the_best_mean_is_repeated(undisturbed: Outcome) -> None:
    others = 0
    for variant in ("adam", "lazy"):
        chosen, _ = naive_choice(undisturbed, variant, 3)
        luckiest = min(of(undisturbed.trials(), variant), key=lambda row: row["value"])
        others += chosen != luckiest
        repeats = of(undisturbed.repeats(), variant)
        assert [row["params"] for row in repeats] == [chosen["params"]] * 2
        assert [row["seed"] for row in repeats] == [10_000, 10_001]
        choosings = of(undisturbed.choosings(), variant)
        assert [row["seed"] for row in choosings] == [seed for seed in CHOOSING_SEEDS for _ in range(3)]
        assert [row["slot"] for row in choosings] == list(range(6))
        assert {row["phase"] for row in choosings} == {"choose"}
        best = undisturbed.best(variant)
        assert (best.optimizer.lr, best.seed) == (chosen["params"]["optimizer.lr"], 0)
        (line,) = [summary for summary in undisturbed.summaries if summary.variant == variant]
        assert (line.params, line.value) == (chosen["params"], chosen["value"])
    assert others, "this space was chosen so that some luckiest trial is not the chosen one"
    assert status(undisturbed.sweep, undisturbed.searches)["variants"]["adam"] == {
        **{"slots": 8 + 6 + 2, "accepted": 16, "running": 0, "waiting": 0, "failed": 0}
    }


def test_searches_come_first_then_choosing_then_repeats(bench: Bench) -> None:
    log: list[tuple[str, str]] = []

    def train(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        log.append((task.slot.variant, task.slot.label))
        return lucky.train(task, progress)

    ran(bench, CHOOSE, train)
    phases = (("search", 8), ("choose", 6), ("repeat", 2))
    assert log == [(v, f"{phase}-{n}") for phase, many in phases for n in range(many) for v in ("adam", "lazy")]


def test_planned_choosing_trainings_are_rows_before_they_are_known(bench: Bench) -> None:
    bench.write(CHOOSE)
    waiting = of(bench.outcome().rows, "lazy")
    assert [(row["phase"], row["slot"]) for row in waiting] == [
        (phase, n) for phase, many in (("search", 8), ("choose", 6), ("repeat", 2)) for n in range(many)
    ]
    assert sorted(row["seed"] for row in waiting if row["phase"] == "choose") == sorted(3 * CHOOSING_SEEDS)
    assert {row["status"] for row in waiting} == {"waiting"}


@pytest.mark.slow
@pytest.mark.parametrize("every", [3, 7])
def test_kills_and_diverged_trainings_change_nothing(bench: Bench, tmp_path: Path, every: int) -> None:
    def uneven(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        if random.Random(f"{task.slot.variant}/{task.slot.id}").random() < 0.2:
            return lucky.finish(task, None, status="diverged")
        return lucky.train(task, progress)

    whole = ran(bench, CHOOSE, uneven)
    assert any(row["status"] == "diverged" for row in whole.choosings())
    (tmp_path / "other").mkdir()
    other, left = Bench(tmp_path / "other"), iter(range(1000))
    other.write(CHOOSE)

    def killed(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        if next(left) % every == every - 1:
            raise KeyboardInterrupt
        return uneven(task, progress)

    while other.run(killed):
        pass
    assert told(other.outcome()) == told(whole)


def test_nothing_is_repeated_before_all_that_it_is_chosen_by_is_there(bench: Bench, undisturbed: Outcome) -> None:
    def broken(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        if (task.slot.variant, task.slot.label) == ("adam", "choose-4"):
            raise OSError(28, "No space left on device")
        return lucky.train(task, progress)

    bench.write(CHOOSE)
    assert bench.run(broken, retries=1) == 1
    begun = bench.outcome()
    assert [row["status"] for row in of(begun.choosings(), "adam")].count("failed") == 1
    assert {row["status"] for row in of(begun.repeats(), "adam")} == {"waiting"}
    assert {row["status"] for row in of(begun.repeats(), "lazy")} == {"complete"}
    assert "5 of 6 choosing trainings so far" in " ".join(begun.summaries[0].notes)
    assert bench.run(lucky.train) == 0
    assert told(bench.outcome()) == told(undisturbed)


@pytest.mark.slow
def test_workers_change_nothing(bench: Bench, undisturbed: Outcome) -> None:
    assert told(ran(bench, CHOOSE, workers=2)) == told(undisturbed)


def test_a_diverged_training_counts_as_the_worst_that_was_seen(bench: Bench) -> None:
    def train(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        mine = {"search-0": 1.0, "search-1": 2.0, "search-2": 3.0}.get(task.slot.label)
        if mine is None and task.slot.phase == "search":
            mine = 9.0
        if task.slot.phase == "choose" and task.slot.number == 3:  # a second seed of what ranked first
            return lucky.finish(task, 0.5, status="diverged")  # it began at 40
        return lucky.finish(task, 1.0 if mine is None else mine)

    outcome = ran(bench, CHOOSE, train)
    (search, _) = outcome.searches
    assert search.best is not None
    assert search.best.slot.label == "search-1"  # the mean of 1 and 40 is no match for that of 1 and 1
    assert search.leader is search.trials[0]
    assert "1 of 6 choosing trainings diverged" in bench.said.getvalue()


def test_of_several_studies_the_one_with_the_best_mean_is_best(bench: Bench) -> None:
    outcome = ran(bench, CHOOSE | {"search": {"trials": 6, "studies": 3}})
    for variant in ("adam", "lazy"):
        found = [naive_choice(outcome, variant, 3, study) for study in range(3)]
        trial, _ = min(found, key=lambda pair: pair[1])
        assert outcome.best(variant).optimizer.lr == trial["params"]["optimizer.lr"]
        assert outcome.best_first(variant)[0].study == trial["study"]
        assert outcome.front(variant) == [trial]


def test_within_bands_the_means_are_judged(bench: Bench) -> None:
    banded = {"base": sparse.BASE, "objective": {"at": {sparse.L0: [28, 36]}}}
    search = {"sampler": "tpe", "trials": 20, "lag": 4}
    outcome = ran(bench, {**CHOOSE, **banded, "search": search}, sparse.train)
    for found in outcome.searches:
        assert found.chosen is not None
        assert len(found.candidates) == 3
        assert outcome.judge.distance((found.best or found.trials[0]).metrics) == 0.0
        assert found.chosen.costs[1] < 1e20


@pytest.mark.parametrize(
    ("trials", "space", "choosings"),
    [
        (1, {"optimizer.lr": {"low": 1e-4, "high": 1e-2}}, 0),
        (2, {"optimizer.lr": {"low": 1e-4, "high": 1e-2}}, 4),
        (8, {"optimizer.lr": [1e-3, 1e-2]}, 4),
        (8, {"optimizer.lr": [1e-3]}, 0),
    ],
    ids=["one trial", "two trials", "two places", "one place"],
)
def test_settings_are_chosen_among_those_that_there_are(
    bench: Bench, trials: int, space: dict[str, Any], choosings: int
) -> None:
    bench.write({**CHOOSE, "search": {"trials": trials}}, space=space)
    assert bench.run(lucky.train) == 0
    outcome = bench.outcome()
    assert outcome.done
    assert len(of(outcome.choosings(), "adam")) == choosings
    assert len(of(outcome.repeats(), "adam")) == 2


def test_where_nothing_is_searched_nothing_is_chosen(bench: Bench) -> None:
    bench.write(CHOOSE, space={})
    assert sum(row["phase"] == "choose" for row in bench.outcome().rows) == 0
    assert bench.run(lucky.train) == 0
    assert len(of(bench.outcome().rows, "adam")) == 8 + 2


def test_what_is_printed_tells_of_it(undisturbed: Outcome) -> None:
    folder = str(undisturbed.folder)

    def asked(*arguments: str) -> str:
        return CliRunner().invoke(app, ["sweep", *arguments]).stdout

    rows = json.loads(asked("results", folder, "--json"))
    assert [row for row in rows if row["phase"] == "choose"] == undisturbed.choosings()
    assert json.loads(asked("status", folder, "--json"))["variants"]["lazy"]["slots"] == 16
    title = " ".join(asked("results", folder).split())
    said = "the best of 8 trials (chosen of 3 by the mean of 2 seeds), and 2 repeats of it with fresh seeds"
    assert title.startswith(f"lr-eps: {said}")
    assert "chosen among 3 trials by the mean of 2 fresh seeds, is trained again" in page(undisturbed)
    for found in undisturbed.searches:
        assert found.best is not None
        assert found.leader is not None
        note = f"{found.best.slot.label} was chosen: its mean over fresh seeds is better than that of the best trial"
        assert (note in title) == (found.best is not found.leader)
    best = asked("results", folder, "--best", "adam")
    assert f"lr: {naive_choice(undisturbed, 'adam', 3)[0]['params']['optimizer.lr']}" in best


def test_real_trainings_choose_by_validation_metrics(bench: Bench) -> None:
    base = {
        "data": {"name": "digits", "batch_size": 64},
        "model": {"latents": 32, "rule": {"name": "top_k", "k": 4}},
        "trainer": {"epochs": None, "steps": 12},
        "tracking": {"mode": "disabled"},
    }
    space = {"optimizer.lr": {"low": 2e-3, "high": 6e-3, "log": True}}
    bench.write({"search": {"trials": 4}, "repeat": CHOOSE["repeat"]}, base=base, space=space)
    assert bench.run(train_task, variants=["adam"]) == 0
    outcome = bench.outcome()
    trials, choosings, repeats = (of(r, "adam") for r in (outcome.trials(), outcome.choosings(), outcome.repeats()))
    assert [len(rows) for rows in (trials, choosings, repeats)] == [4, 6, 2]
    assert {row["seed"] for row in trials} == {0}
    for row in (*trials, *choosings):
        assert row["metrics"].keys() == trials[0]["metrics"].keys()
        assert not [name for name in row["metrics"] if name.startswith("test/")]
    assert all("test/fvu" in row["metrics"] for row in repeats)
    chosen, _ = naive_choice(outcome, "adam", 3)
    assert {str(row["params"]) for row in repeats} == {str(chosen["params"])}
    folders = {path.name for path in (bench.folder / "adam").iterdir()}
    assert {f"choose-{n}" for n in range(6)} <= folders
