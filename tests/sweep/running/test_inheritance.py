"""Workers that are killed, at steps and in the middle of writing: the bits of an undisturbed sweep, and little lost."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from spadam.spec import dump, merge
from spadam.sweep.outcome.table import rows
from spadam.sweep.running.task import train as train_task
from spadam.training import ledger
from support import killed_training
from support.killed_training import EVENTS, EVERY, KILLED_AT, STEPS
from support.short_training import timeless
from support.sweep_bench import SPEC, Bench


def write(bench: Bench, trials: int) -> None:
    trainer = {"epochs": None, "steps": STEPS, "checkpoint_every": EVERY, "kernels": "reference"}
    spec = merge(SPEC, {"base": {"trainer": trainer, "probe": None}, "search": {"trials": trials}})
    bench.spec.write_text(dump({**spec, "variants": {"masked": {"optimizer": {"name": "masked_adam"}}}}))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    bench = Bench(tmp_path_factory.mktemp("undisturbed"))
    write(bench, len(EVENTS))
    assert bench.run(train_task) == 0
    return bench


def table(bench: Bench) -> dict[tuple[str, int], dict[str, Any]]:
    return {(row["phase"], row["slot"]): row for row in rows(*bench.read()) if row["phase"] == "search"}


def recorded(folder: Path) -> list[dict[str, Any]]:
    return [timeless(row) for row in ledger.rows(folder / "metrics.jsonl")]


def check(bench: Bench, undisturbed: Bench) -> None:
    """Table, evaluations, ledgers, weights: to the last bit; and nothing is left of those who were killed."""
    whole = table(undisturbed)
    for place, row in table(bench).items():
        slot = bench.folder / "masked" / f"search-{place[1]}"
        mine, other = slot / f"attempt-{row['attempts'] - 1}", whole[place]
        assert (row["status"], row["value"], row["params"]) == (other["status"], other["value"], other["params"])
        assert timeless(row["metrics"]) == timeless(other["metrics"])
        theirs = undisturbed.folder / "masked" / f"search-{place[1]}" / "attempt-0"
        assert (mine / "model.safetensors").read_bytes() == (theirs / "model.safetensors").read_bytes()
        assert recorded(mine) == recorded(theirs), "every row once, in order"
        results = [json.loads((folder / "result.json").read_text()) for folder in (mine, theirs)]
        assert results[0]["arrays"] == results[1]["arrays"]
        mine_seen, theirs_seen = (list(map(timeless, result["evaluations"])) for result in results)
        assert mine_seen == theirs_seen
        assert not list(slot.glob("*/checkpoints")), "they would stay for ever"


def test_killed_at_steps_costs_an_interval_at_most(tmp_path: Path, undisturbed: Bench) -> None:
    bench = Bench(tmp_path)
    write(bench, len(KILLED_AT))
    assert bench.run(killed_training.at_a_step, workers=2) == 0
    check(bench, undisturbed)
    for number, killed in enumerate(KILLED_AT):
        slot = bench.folder / "masked" / f"search-{number}"
        made = killed_training.steps(slot)
        times = sum(at is not None for at in killed)
        assert table(bench)["search", number]["attempts"] == times + 1
        again = sum(count - 1 for count in Counter(step for _, step in made).values())
        # a step is told after it is made and before it is saved: the one that was killed at is lost with its interval
        assert again <= times * EVERY
        assert {step for _, step in made} == set(range(1, STEPS + 1))
        result = json.loads((slot / f"attempt-{times}" / "result.json").read_text())
        resumed = [each["step"] for each in result["provenance"].get("resumed", [])]
        # what a resumed attempt was is known once it has saved a checkpoint of its own
        assert resumed == sorted({(at - 1) // EVERY * EVERY for at in killed if at is not None} - {0})


def test_killed_in_the_middle_of_writing_loses_nothing(tmp_path: Path, undisturbed: Bench) -> None:
    bench = Bench(tmp_path)
    write(bench, len(EVENTS))
    assert bench.run(killed_training.in_the_middle_of_writing, workers=2) == 0
    check(bench, undisturbed)
    assert Counter(row["attempts"] for row in table(bench).values()) == {3: len(EVENTS)}
