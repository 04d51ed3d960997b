"""Interruptions, kills, failures: nothing is lost, and nothing is done twice but what was in flight."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from spadam.spec import InputError
from spadam.sweep.outcome.status import status
from spadam.sweep.outcome.table import rows
from spadam.sweep.running.task import Task
from spadam.sweep.search.objective import UNMEASURED, objective_of
from spadam.sweep.store.connection import open_file
from spadam.sweep.store.studies import Studies
from spadam.training.progress import Progress
from spadam.training.result import RunResult
from support import sweep_quadratic as quadratic
from support.sweep_bench import Bench

TPE = {"search": {"sampler": "tpe", "trials": 12, "lag": 2}, "repeat": {"seeds": 2}}
ADAM = ["adam"]


def at(number: int, act: Callable[[Task], RunResult | None], log: list[Task] | None = None) -> Any:
    """A training that does ``act`` when it is called for the ``number``-th time, from 0."""
    calls: list[Task] = [] if log is None else log

    def train(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        calls.append(task)
        result = act(task) if len(calls) == number + 1 else None
        return result or quadratic.train(task, progress)

    return train


def interrupt(task: Task) -> RunResult:
    task.out.mkdir(parents=True)
    (task.out / "half").write_text("half")
    raise KeyboardInterrupt


def outcome(bench: Bench) -> list[dict[str, Any]]:
    """What a sweep comes to, whatever happened on the way."""
    return [{key: value for key, value in row.items() if key != "attempts"} for row in adam(bench)]


def adam(bench: Bench) -> list[dict[str, Any]]:
    return [row for row in rows(*bench.read()) if row["variant"] == "adam"]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    bench = Bench(tmp_path_factory.mktemp("undisturbed"))
    bench.write(TPE)
    assert bench.run(variants=ADAM) == 0
    return outcome(bench)


@pytest.mark.parametrize("number", [0, 5, 11, 13])
def test_interrupted_and_gone_on(bench: Bench, undisturbed: list[dict[str, Any]], number: int) -> None:
    bench.write(TPE)
    assert bench.run(at(number, interrupt), ADAM) == 1
    assert (bench.folder / "trials.csv").exists()
    before = bench.files()
    states = status(*bench.read())["variants"]["adam"]
    assert (states["accepted"], states["running"], states["failed"]) == (number, 0, 0)
    log: list[Task] = []
    assert bench.run(at(-1, interrupt, log), ADAM) == 0
    assert len(log) == 14 - number
    assert outcome(bench) == undisturbed
    assert Counter(row["attempts"] for row in adam(bench)) == {1: 13, 2: 1}
    after = bench.files()
    runs = {name: content for name, content in before.items() if "/attempt-" in name}
    assert runs.items() <= after.items()
    assert log[0].attempt == 1
    assert log[0].out.name == "attempt-1"


def test_interrupted_while_a_result_is_kept(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: Studies, *args: Any) -> None:
        raise KeyboardInterrupt

    log: list[Task] = []
    with monkeypatch.context() as patch:
        patch.setattr(Studies, "keep", interrupted)
        assert bench.run(at(-1, interrupt, log), ADAM) == 1
    assert status(*bench.read())["variants"]["adam"]["waiting"] == 5
    assert bench.run(at(-1, interrupt, log), ADAM) == 0
    assert [(task.slot.number, task.attempt) for task in log[:3]] == [(0, 0), (0, 1), (1, 0)]


def test_killed_and_gone_on(bench: Bench, undisturbed: list[dict[str, Any]]) -> None:
    bench.write(TPE)
    note = bench.spec.parent / "log"
    program = [sys.executable, quadratic.__file__, str(bench.spec), str(bench.out), str(note)]

    def entries() -> list[list[Any]]:
        return [json.loads(line) for line in note.read_text().splitlines()] if note.exists() else []

    started = subprocess.Popen([*program, "11"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while len(entries()) < 2 * 11 + 1:
        assert started.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(started.pid, signal.SIGKILL)
    started.wait()
    killed, before = entries(), bench.files()
    assert bench.run(variants=ADAM) == 0
    assert outcome(bench) == undisturbed
    began = Counter((variant, slot) for what, variant, slot, _ in killed if what == "begin")
    done = {(variant, slot) for what, variant, slot, _ in killed if what == "end"}
    assert set(began.values()) == {1}
    again = {(row["variant"], row["phase"], row["slot"]) for row in adam(bench) if row["attempts"] > 1}
    assert len(again) == len(began) - len(done) == 1, "only the trial in flight is done twice"
    after = bench.files()
    for name, content in before.items():
        if "/attempt-" in name:
            assert after[name] == content


@pytest.mark.parametrize(
    ("method", "call"),
    [("describe", 0), ("begin", 4), ("begin", 11), ("keep", 7), ("tell", 11), ("fail", 0)],
)
@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_dying_between_any_two_transactions(
    bench: Bench,
    undisturbed: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    call: int,
    done: bool,
) -> None:
    bench.write(TPE)
    original, calls = getattr(Studies, method), []

    class Died(BaseException):
        pass

    def dying(self: Studies, *args: Any, **kwargs: Any) -> Any:
        calls.append(method)
        if len(calls) <= call:
            return original(self, *args, **kwargs)
        if done and len(calls) == call + 1:
            original(self, *args, **kwargs)
        raise Died  # and every later call too: it is dead

    log: list[Task] = []
    with monkeypatch.context() as patch, contextlib.suppress(Died):
        patch.setattr(Studies, method, dying)
        bench.run(at(5, interrupt, log) if method == "fail" else at(-1, interrupt, log), ADAM)
    assert calls
    trained = [(task.slot.variant, task.slot.id) for task in log]
    assert bench.run(at(-1, interrupt, log), ADAM) == 0
    assert outcome(bench) == undisturbed
    again = [slot for slot, count in Counter((t.slot.variant, t.slot.id) for t in log).items() if count > 1]
    kept = method == "tell" or (method == "keep" and done)
    assert len(again) <= (0 if kept else 1)
    assert set(again) <= {trained[-1]} if trained else not again


def test_two_lost_attempts_keep_the_first_parameters(bench: Bench) -> None:
    bench.write(TPE)
    log: list[Task] = []
    for number in (11, 12, 13):  # the last search slot, which is proposed, three times over
        bench.run(at(number if number < 13 else -1, interrupt, log), ADAM)
    hit = [task for task in log if task.slot.label == "search-11"]
    assert [task.attempt for task in hit] == [0, 1, 2]
    assert len({task.config.identity() for task in hit}) == 1
    assert len({task.out for task in hit}) == 3


def broken(task: Task) -> RunResult:
    raise ArithmeticError(f"broken at {task.out}")


def test_the_same_error_twice_stops(bench: Bench) -> None:
    log: list[Task] = []

    def train(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        log.append(task)
        return broken(task) if task.slot.number == 1 else quadratic.train(task, progress)

    assert bench.run(train) == 1
    assert [task.slot.label for task in log] == ["search-0", "search-0", "search-1", "search-1"]
    told_ = bench.told.getvalue()
    assert "adam search-1: the same error came twice (ArithmeticError: broken at" in told_
    assert "Traceback" in told_
    states = status(*bench.read())["variants"]["adam"]
    assert (states["accepted"], states["failed"], states["waiting"]) == (1, 1, 3)
    assert bench.run() == 0  # mended
    assert [row["attempts"] for row in rows(*bench.read()) if row["variant"] == "adam"] == [1, 3, 1, 1, 1]


def test_an_error_that_does_not_come_again_is_a_retry(bench: Bench) -> None:
    log: list[Task] = []
    assert bench.run(at(2, broken, log)) == 0
    assert (log[2].slot, log[2].attempt) == (log[3].slot, 0)
    assert log[3].attempt == 1
    assert log[2].config == log[3].config
    assert "failed (bug): ArithmeticError" in bench.told.getvalue()


def test_four_different_errors_stop(bench: Bench) -> None:
    kinds = [TypeError("1"), KeyError("2"), OSError("3"), ZeroDivisionError("4")]

    def train(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        raise kinds[task.attempt]

    assert bench.run(train) == 1
    assert "4 attempts have failed (ZeroDivisionError: 4)" in bench.told.getvalue()


def test_a_full_disk_is_no_bug_and_costs_no_budget(bench: Bench) -> None:
    def full(task: Task) -> RunResult:
        raise OSError(28, "No space left on device")

    assert bench.run(at(1, full)) == 0
    assert "failed (infra): OSError" in bench.told.getvalue()
    found = rows(*bench.read())
    assert len(found) == 10
    assert {row["status"] for row in found} == {"complete"}
    bench.write({"name": "other"})
    always: list[Task] = []
    assert bench.run(lambda task, progress: always.append(task) or full(task)) == 1
    assert len(always) == 2 * 4, "the others go on when a slot is given up, but not when a second one is"
    counts = status(*bench.read())
    assert sum(counts["variants"][name]["failed"] for name in ("adam", "lazy")) == 2
    assert [one["given_up"] for one in counts["failures"]] == ["4 attempts have failed"] * 2
    assert bench.run(lambda task, progress: always.append(task) or full(task), retries=0) == 1
    assert len(always) == 2 * 4 + 2, "each call has its own retries"


def test_a_slot_that_is_given_up_does_not_keep_the_others(bench: Bench) -> None:
    def train(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        if task.slot.id == "search-0/1" and task.slot.variant == "adam":
            raise OSError(5, "Input/output error")
        return quadratic.train(task, progress)

    assert bench.run(train) == 1
    assert "adam search-1 is given up, since 4 attempts have failed; the others go on" in bench.told.getvalue()
    states = Counter(row["status"] for row in rows(*bench.read()))
    assert states == {"complete": 7, "failed": 1, "waiting": 2}, "nothing is repeated before a search has ended"
    assert bench.run() == 0


def test_wrong_input_found_in_a_training_stops(bench: Bench) -> None:
    def wrong(task: Task) -> RunResult:
        raise InputError("trainer.accelerator", "gpu", "torch must see a CUDA device", "use auto or cpu")

    with pytest.raises(InputError, match="CUDA device"):
        bench.run(at(3, wrong))
    assert bench.run() == 0
    assert Counter(row["attempts"] for row in rows(*bench.read())) == {1: 9, 2: 1}


def diverge(task: Task) -> RunResult:
    return quadratic.finish(task, None, status="diverged")


def test_a_diverged_training_is_a_result_and_told_as_a_finite_value(bench: Bench) -> None:
    log: list[Task] = []
    assert bench.run(at(0, diverge, log)) == 0
    assert len(log) == 10
    first = rows(*bench.read())[0]
    assert (first["status"], first["value"], first["attempts"]) == ("diverged", None, 1)
    with open_file(bench.folder / "sweep.db") as storage:
        record = Studies(storage, "lr-eps", "minimize").records("adam", 1)["search-0/0"]
    assert record.objective == 40.0  # the value at step 0
    assert "1 of 3 trials of study 0 diverged" in bench.said.getvalue()


def test_a_variant_without_a_finite_result_has_no_repeats_and_says_so(bench: Bench) -> None:
    log: list[Task] = []

    def train(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        log.append(task)
        return diverge(task) if task.slot.variant == "lazy" else quadratic.train(task, progress)

    assert bench.run(train) == 0
    assert sum(task.slot.variant == "lazy" for task in log) == 3
    assert "lazy: no trial has a finite val/fvu, so there is nothing to repeat" in bench.said.getvalue()
    found = status(*bench.read())
    assert found["done"]
    assert found["variants"]["lazy"] == {"slots": 3, "accepted": 3, "running": 0, "waiting": 0, "failed": 0}
    assert bench.run(train) == 0
    assert len(log) == 8


def result(status: str, value: float | None, *seen: float | None) -> RunResult:
    evaluations = [{"step": n, "val/fvu": one} for n, one in enumerate(seen)]
    return RunResult(status, {"val/fvu": value}, {}, [], {}, {}, evaluations)


@pytest.mark.parametrize(
    ("given", "minimize", "maximize"),
    [
        (result("complete", 0.5, 1.0, 0.5), 0.5, 0.5),
        (result("diverged", None, 1.0, 0.5, None), 1.0, 0.5),  # it got better, then it was lost
        (result("diverged", 7.0, 1.0, 7.0), 7.0, 1.0),
        (result("diverged", float("nan"), 1.0, float("inf")), 1.0, 1.0),
        (result("diverged", None, None), UNMEASURED, -UNMEASURED),
        (result("complete", None, None), UNMEASURED, -UNMEASURED),
    ],
)
def test_what_is_told_is_finite(bench: Bench, given: RunResult, minimize: float, maximize: float) -> None:
    objective = bench.load().spec.objective
    assert objective_of(given, objective) == minimize
    assert objective_of(given, objective.model_copy(update={"direction": "maximize"})) == maximize
