"""Each check objects to what it is there for: violations are planted in a sweep that has none."""

import contextlib
import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from spadam.sweep.running.agent import run_sweep
from spadam.sweep.running.means import Means
from support.chaos import checks, stored
from support.chaos.plan import SMALL
from support.chaos.ride import Look, Place, Ride
from support.chaos.stored import Stored
from support.chaos.trained import Step

LAZY = "chaos/lazy/search-0"


@pytest.fixture(scope="module")
def _ended(tmp_path_factory: pytest.TempPathFactory) -> Ride:
    ride = Ride(Place(tmp_path_factory.mktemp("ended"), SMALL))
    ride.finish()
    ride.remember()
    return ride


@pytest.fixture
def ride(_ended: Ride, tmp_path: Path) -> Ride:
    """A sweep that has come to its end, to be spoiled."""
    shutil.copytree(_ended.place.folder, tmp_path / "ended")
    return Ride(Place(tmp_path / "ended", SMALL), _ended.codes, _ended.looks, _ended.acknowledged, _ended.begun)


def sql(ride: Ride, *statements: str) -> None:
    connection = sqlite3.connect(str(ride.place.storage))
    for statement in statements:
        assert connection.execute(statement).rowcount > 0
    connection.commit()
    connection.close()


def accept_again(ride: Ride) -> None:
    """Have the first trial once more, accepted too."""
    sql(
        ride,
        "INSERT INTO trials SELECT 99, 2, study_id, state, datetime_start, datetime_complete FROM trials"
        " WHERE trial_id = 1",
        *(
            f"INSERT INTO {table} SELECT NULL, 99, {columns} FROM {table} WHERE trial_id = 1"
            for table, columns in (
                ("trial_user_attributes", "key, value_json"),
                ("trial_params", "param_name, param_value, distribution_json"),
                ("trial_values", "objective, value, value_type"),
            )
        ),
    )


def test_a_sweep_without_faults_has_none(ride: Ride, undisturbed: Any) -> None:
    assert checks.check(ride, undisturbed(SMALL), 1) == []
    assert len(ride.looks) == 1
    assert len(ride.acknowledged) == 3


def test_n1_sees_what_is_missing_running_or_not_planned(ride: Ride) -> None:
    trials = ride.place.trials()
    assert checks.one_outcome(SMALL, trials) == []
    lost = [t._replace(state="FAIL") if t.id == 1 else t for t in trials]
    assert checks.one_outcome(SMALL, lost)[0] == "lazy search-0/0 has 0 accepted attempts"
    first = next(t for t in trials if t.study == LAZY)
    running = [*trials, first._replace(id=98, number=2, state="RUNNING")]
    assert checks.one_outcome(SMALL, running) == [f"{LAZY} 2 is RUNNING"]
    stray = [*trials, _with(first._replace(id=98, number=2), slot="search-0/2")]
    assert checks.one_outcome(SMALL, stray) == [f"{LAZY} 2 was accepted, and is not planned"]
    unrepeated = [t for t in trials if t.study != "chaos/lazy/repeat"]
    assert "0 accepted repeats" in checks.one_outcome(SMALL, unrepeated)[0]


def test_n1_and_n3_see_a_slot_that_was_accepted_twice(ride: Ride) -> None:
    accept_again(ride)
    trials = ride.place.trials()
    assert checks.one_outcome(SMALL, trials) == ["lazy search-0/0 has 2 accepted attempts"]
    assert checks.none_twice(trials, set()) == [f"{LAZY} search-0/0 was accepted 2 times"]


def test_n2_sees_a_changed_row_and_a_changed_file(ride: Ride) -> None:
    def wrong() -> list[str]:
        there = ride.place
        return checks.unchanged(ride.acknowledged.values(), there.trials(), there.home, SMALL)

    assert wrong() == []
    ledger = ride.place.home / "lazy/search-0/attempt-0/metrics.jsonl"
    ledger.write_bytes(ledger.read_bytes() + b"\n")
    assert wrong() == [f"{LAZY} 0 has other files: metrics.jsonl"]
    sql(ride, "UPDATE trial_values SET value = value * (1 + 1e-15) WHERE trial_id = 1")
    assert wrong() == [f"{LAZY} 0 has another values"]
    sql(ride, "DELETE FROM trials WHERE trial_id = 1")
    assert wrong() == [f"{LAZY} 0 is gone"]


def test_n3_sees_what_was_thrown_away_and_what_failed_without_a_word(ride: Ride) -> None:
    trials = ride.place.trials()
    assert checks.none_twice(trials, {t.id for t in trials}) == []
    mute = next(t for t in trials if t.study == LAZY)._replace(id=98, number=2, state="FAIL")
    assert checks.none_twice([*trials, mute], set()) == [f"{LAZY} 2 failed, and nothing says why"]
    assert checks.none_twice([*trials, _with(mute, failure="infra")], set()) == []
    assert checks.none_twice(trials[1:], {trials[0].id})[-1] == f"attempt {trials[0].id} is gone"
    assert "has the trials [1]" in checks.none_twice([t for t in trials if t.number != 0], set())[0]


def steps_of(attempt: int, *numbers: int, pid: int = 1) -> list[Step]:
    return [Step("lazy", "search-0/0", attempt, pid, number) for number in (0, *numbers)]


def test_n4_sees_what_was_trained_again_skipped_or_trained_by_two() -> None:
    killed = steps_of(0, *range(1, 15))
    assert checks.lost_steps([*killed, *steps_of(1, *range(13, 19))], 6) == []
    assert checks.lost_steps([*killed, *steps_of(1, *range(9, 19))], 6) == []
    again = [*killed, *steps_of(1, *range(7, 19))]
    assert checks.lost_steps(again, 6) == [
        "lazy search-0/0 attempt 1 begins with step 7, and 14 were made before",
    ]
    assert checks.lost_steps(again, None) == []
    assert "begins with step 17" in checks.lost_steps([*killed, *steps_of(1, 17, 18)], None)[0]
    assert "leaves steps out" in checks.lost_steps(steps_of(0, 1, 2, 4), None)[0]
    assert "several processes" in checks.lost_steps([*steps_of(0, 1), *steps_of(0, 2, pid=2)], None)[0]


def test_n5_sees_a_ledger_or_weights_that_are_not_those_of_the_result(ride: Ride) -> None:
    folder, trials = ride.place.home / "lazy/search-0/attempt-0", ride.place.trials()

    def wrong() -> str:
        (said,) = checks.ledgers(SMALL, trials, ride.place.home)
        return said.removeprefix(f"{LAZY} 0 ")

    assert checks.ledgers(SMALL, trials, ride.place.home) == []
    ledger = (folder / "metrics.jsonl").read_text()
    lines = ledger.splitlines(keepends=True)
    assert len(lines) == 4
    for spoiled in (lines[:2] + lines[3:], [*lines, lines[-1]], [lines[0], lines[2], lines[1], lines[3]]):
        (folder / "metrics.jsonl").write_text("".join(spoiled))
        assert wrong().startswith("evaluated at the steps")
    (folder / "metrics.jsonl").write_text(ledger)
    other = ride.place.home / "lazy/search-1/attempt-0/model.safetensors"
    shutil.copy(other, folder / "model.safetensors")
    assert wrong().startswith("has weights of")


def test_n6_and_n7_see_a_result_too_few_and_one_that_differs(ride: Ride) -> None:
    results = ride.place.ask("results")
    assert checks.counts(SMALL, results) == []
    assert checks.counts(SMALL, results[1:]) == ["lazy has 1 results of phase search, and 2 are planned"]
    assert "not planned" in checks.counts(SMALL, [*results, {**results[0], "variant": "adam"}])[0]
    assert checks.differences(results, results) == []
    other = json.loads(json.dumps(results))
    other[1]["metrics"]["train/mse"] *= 1 + 1e-15
    other[1]["metrics"]["time/step_ms"] = 7
    assert checks.differences(results, other) == ["('lazy', 'search', 0, 0, 1) differs in train/mse"]
    assert "in one of them only" in checks.differences(results, results[1:])[0]


def test_n8_sees_a_lie(ride: Ride) -> None:
    trials = ride.place.trials()
    half = [t._replace(state="RUNNING") if t.id == 1 else t for t in trials]  # the best one, which was repeated
    assert checks.codes(SMALL, [(0, trials), (1, half), (-9, half)]) == []
    assert checks.codes(SMALL, [(0, half)]) == [f"exit code 0, and {LAZY} 0 is RUNNING"]
    assert checks.codes(SMALL, [(1, trials)]) == ["exit code 1, and nothing is left to do"]
    assert checks.codes(SMALL, [(-6, half)]) == ["exit code -6"]
    look = Look(False, ride.place.ask("status"), trials, trials)
    assert checks.status(SMALL, look) == []
    assert "it lives" in checks.status(SMALL, look._replace(attended=True))[0]
    assert "stored are 1 to 1" in checks.status(SMALL, look._replace(before=half, after=half))[0]
    assert checks.status(SMALL, look._replace(status={**look.status, "done": False})) == ["status says done: False"]


def test_a_traceback_is_seen(ride: Ride) -> None:
    (ride.place.folder / "said").write_text("Traceback (most recent call last):\n")
    assert checks.check(ride, None)[0].startswith("N8 a traceback")


def _with(trial: Stored, **attributes: str) -> Stored:
    known = {**trial.known, **attributes}
    return trial._replace(attributes=tuple((key, json.dumps(value)) for key, value in sorted(known.items())))


def test_rows_are_read_as_they_are(ride: Ride) -> None:
    assert stored.read(ride.place.folder / "nothing.db") == []
    first = ride.place.trials()
    assert [(t.study, t.number, t.state) for t in first][-1] == (LAZY, 1, "COMPLETE")
    assert [name for name, _ in first[-1].params] == ["optimizer.lr"]


def test_what_is_told_between_two_questions_is_seen_whole_or_not_at_all(
    tmp_path: Path, storage: Callable[[str], str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a server, where each question may have an answer of its own; a file keeps its writers waiting."""
    url = storage("server")
    assert url is not None
    place = Place(tmp_path, SMALL, url)
    run_sweep(place.file, place.out, means=Means(workers=0, storage=url))
    with contextlib.closing(psycopg.connect(url.replace("postgresql+psycopg://", "postgresql://"))) as there:
        (kept,) = there.execute("SELECT objective, value, value_type FROM trial_values WHERE trial_id = 1").fetchall()
        there.execute("DELETE FROM trial_values WHERE trial_id = 1")
        there.execute("UPDATE trials SET state = 'RUNNING' WHERE trial_id = 1")
        there.commit()

        class Slow:
            """A cursor: between the question after values and the next one the trial is told."""

            def __init__(self, cursor: Any) -> None:
                self._cursor, self.fetchall = cursor, cursor.fetchall

            def execute(self, query: str) -> None:
                if "trial_params" in query:
                    there.execute("INSERT INTO trial_values VALUES (DEFAULT, 1, %s, %s, %s)", kept)
                    there.execute("UPDATE trials SET state = 'COMPLETE' WHERE trial_id = 1")
                    there.commit()
                self._cursor.execute(query)

        read = stored._read
        monkeypatch.setattr(stored, "_read", lambda cursor: read(Slow(cursor)))
        (mine,) = [trial for trial in place.trials() if trial.id == 1]
        assert (mine.state, mine.values) == ("RUNNING", ())
        monkeypatch.undo()
        (mine,) = [trial for trial in place.trials() if trial.id == 1]
        assert mine.state == "COMPLETE"
        assert mine.values
