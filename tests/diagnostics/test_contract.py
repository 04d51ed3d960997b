"""What every diagnostic promises, over the registry: a member is tested here without being asked."""

import copy
import inspect
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from spadam.config import RunConfig
from spadam.diagnostics import inputs
from spadam.diagnostics.diagnostic import Diagnostic, Setting, Step
from spadam.diagnostics.metrics import COMMON, METRICS
from spadam.diagnostics.registry import DIAGNOSTICS
from spadam.optim import LazyAdam, RowSamples
from spadam.optim.rows.touched import set_row_samples
from spadam.spec import Document, validate
from spadam.tasks.task import build_task
from spadam.training.run import run

ROWS, WIDTH, BATCH = 12, 3, 8
CPU = torch.device("cpu")
member = pytest.mark.parametrize("kind", DIAGNOSTICS, ids=lambda kind: kind.__name__)


class Training:
    """Steps on two tables that are touched differently, and all that a step may say."""

    def __init__(self, scalars: bool = True) -> None:
        self.random = torch.Generator().manual_seed(0)
        self.tables = {name: torch.nn.Parameter(torch.ones(ROWS, WIDTH)) for name in ("main", "other")}
        self.optimizer = LazyAdam(self.tables.values(), lr=0.1)
        self.scalars = scalars
        self.seconds = 0.0

    def setting(self) -> Setting:
        return Setting(self.tables, CPU, moves_untouched=False, silent_after=5 * BATCH)

    def steps(self, count: int, *watching: Diagnostic) -> None:
        for _ in range(count):
            touched = {"main": self._touch(ROWS // 3), "other": self._touch(ROWS // 2)}
            for name, samples in touched.items():
                gradient = torch.zeros(ROWS, WIDTH)
                gradient[samples.rows_R] = self._draw(len(samples.rows_R), WIDTH)
                self.tables[name].grad = gradient
                set_row_samples(self.tables[name], samples)
            for diagnostic in watching:
                diagnostic.prepare(self.tables)
            self.optimizer.step()
            self.seconds += 1e-3
            said: dict[str, Tensor | int] = {
                "active": torch.tensor(20) + int(self.seconds * 1e3),
                "correct": torch.tensor(3),
                "searched": BATCH,
                "certified": BATCH - 1,
                "widenings": 1,
            }
            loss, said = self._draw(1)[0], said if self.scalars else {}
            seconds, factor = (self.seconds, self.seconds / 2), (2 * self._draw(1)[0]).clamp(max=1.0)
            step = Step(BATCH, loss, self.tables, touched, said, self.optimizer, *seconds, factor)
            for diagnostic in watching:
                diagnostic.observe(step)

    def _draw(self, *shape: int) -> Tensor:
        return torch.rand(*shape, generator=self.random)

    def _touch(self, most: int) -> RowSamples:
        rows_R = torch.randperm(ROWS, generator=self.random)[: most - 1].sort().values
        return RowSamples(rows_R, torch.full_like(rows_R, 2), BATCH)


def begun(kind: type[Diagnostic], training: Training) -> Diagnostic:
    diagnostic = kind()
    diagnostic.begin(training.setting())
    return diagnostic


@member
def test_it_says_what_it_measures_when_and_at_which_cost(kind: type[Diagnostic]) -> None:
    assert kind.metrics
    assert set(kind.metrics) <= set(METRICS)
    assert not [name for name in kind.metrics if METRICS[name].array]
    assert kind.schedule in ("step", "look")
    assert kind.cost
    assert isinstance(kind.streams, bool)
    assert kind.since == "evaluation" or (kind.since == "row" and kind.streams), "who does not stream has no short row"
    assert not inspect.isabstract(kind)


@member
def test_it_reports_what_it_names_and_nothing_before_a_step(kind: type[Diagnostic]) -> None:
    training = Training()
    diagnostic = begun(kind, training)
    assert diagnostic.report() == {}
    training.steps(7, diagnostic)
    found = diagnostic.report()
    assert set(found) == set(kind.metrics)
    assert all(type(value) is float for value in found.values())
    assert repr(diagnostic.report()) == repr(found), "a report changes nothing"


@member
def test_it_needs_nothing_that_a_task_need_not_say(kind: type[Diagnostic]) -> None:
    training = Training(scalars=False)
    diagnostic = begun(kind, training)
    training.steps(3, diagnostic)
    assert set(diagnostic.report()) == set(kind.metrics) & set(COMMON)


@member
@pytest.mark.parametrize("when", [0, 4])
def test_saved_and_loaded_in_the_middle_it_reports_the_same(kind: type[Diagnostic], when: int) -> None:
    whole, training = Training(), Training()
    never = begun(kind, whole)
    whole.steps(2, never)
    never.reset()
    whole.steps(9, never)

    first = begun(kind, training)
    training.steps(2, first)
    first.reset()
    training.steps(when, first)
    state = copy.deepcopy(first.state_dict())
    second = begun(kind, training)
    second.load_state_dict(first.state_dict())
    training.steps(9 - when, second)
    assert repr(second.report()) == repr(never.report()), "to the last bit"
    assert same(first.state_dict(), state), "a state is a copy: what loads it leaves it as it was"


@member
def test_a_state_goes_through_a_file(kind: type[Diagnostic], tmp_path: Any) -> None:
    training = Training()
    diagnostic = begun(kind, training)
    training.steps(3, diagnostic)
    torch.save(diagnostic.state_dict(), tmp_path / "state")
    assert same(torch.load(tmp_path / "state", weights_only=True), diagnostic.state_dict())


@member
def test_after_a_reset_a_report_is_of_the_new_steps(kind: type[Diagnostic]) -> None:
    """But for what it says of the whole training."""
    training, since_begin = Training(), {"sparsity/row_age", "sparsity/silent"}
    old = begun(kind, training)
    training.steps(5, old)
    old.reset()
    assert old.report() == {}
    new = begun(kind, training)
    training.steps(4, old, new)
    found, fresh = old.report(), new.report()
    assert {n: repr(v) for n, v in found.items() if n not in since_begin} == {
        n: repr(v) for n, v in fresh.items() if n not in since_begin
    }


@member
def test_it_changes_nothing_that_it_watches(kind: type[Diagnostic]) -> None:
    watched, alone = Training(), Training()
    watched.steps(5, begun(kind, watched))
    alone.steps(5)
    assert all(torch.equal(watched.tables[name], alone.tables[name]) for name in alone.tables)


def test_rows_are_counted_table_by_table() -> None:
    from spadam.diagnostics.row_usage import RowUsages

    training, usages = Training(), RowUsages()
    usages.begin(training.setting())
    training.steps(6, usages)
    shares = {name: usage.report()["sparsity/rows_touched"] for name, usage in usages.tables.items()}
    assert shares == {"main": (ROWS // 3 - 1) / ROWS, "other": (ROWS // 2 - 1) / ROWS}
    assert usages.report()["sparsity/rows_touched"] == shares["main"]


def test_the_registry_is_complete() -> None:
    """What diagnostics name, what is said of the samples, and what the first task's evaluations and conclusion give."""
    named = [name for kind in DIAGNOSTICS for name in kind.metrics]
    assert len(named) == len(set(named)), "a metric has one diagnostic"
    document = {
        "data": {"name": "digits", "train_size": 200},
        "model": {"latents": 16, "rule": {"name": "top_k", "k": 2}},
        "optimizer": {"name": "lazy_adam"},
        "trainer": {"epochs": 1},
        "tracking": {"mode": "disabled"},
    }
    config = validate(RunConfig, Document(document, {}, "test"))
    data = config.data.load()
    targeted = replace(data, samples=replace(data.samples, target=data.samples))
    said = set(inputs.measure(targeted))
    assert said - set(inputs.measure(data)) == {"data/target_scale"}
    assert set(COMMON) <= said | set(named)
    task = build_task(config, data)
    found = said | set(task.conclude(config, data, test=True, fit_probe=True))
    for split, rows in (("train", data.train), ("val", data.validation)):
        evaluation = task.evaluate(data, split, rows)  # type: ignore[arg-type]
        found |= set(evaluation.metrics) | set(evaluation.arrays)
    assert found | set(named) == set(METRICS)
    assert not found & set(named)


class Largest(Diagnostic):
    """The largest loss: one file, one name in the registry, and one line in that of metrics."""

    metrics = ("train/loss_largest",)
    schedule = "step"
    cost = "a comparison"
    streams = True

    def begin(self, setting: Setting) -> None:
        self.largest = -math.inf

    def observe(self, step: Step) -> None:
        self.largest = max(self.largest, float(step.loss))

    def report(self) -> dict[str, float]:
        return {} if self.largest == -math.inf else {"train/loss_largest": self.largest}

    def reset(self) -> None:
        self.largest = -math.inf

    def state_dict(self) -> dict[str, Any]:
        return {"largest": self.largest}

    def load_state_dict(self, state: Any) -> None:
        self.largest = state["largest"]


@pytest.fixture
def with_largest(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("spadam.diagnostics.registry.DIAGNOSTICS", (*DIAGNOSTICS, Largest))
    monkeypatch.setattr("spadam.training.telemetry._PROGRESS_SECONDS", 0.0)
    return


@pytest.mark.usefixtures("with_largest")
def test_a_new_one_needs_its_name_in_the_registry_and_nothing_else(tmp_path: Any) -> None:
    document = {
        "data": {"name": "digits", "batch_size": 64},
        "model": {"latents": 32, "rule": {"name": "top_k", "k": 2}},
        "optimizer": {"name": "sgd", "lr": 10.0},
        "trainer": {"epochs": 2, "checkpoint_every": 5},
        "tracking": {"mode": "disabled"},
    }
    config = validate(RunConfig, Document(document, {}, "test"))
    losses: list[list[float]] = [[]]

    def watch(progress: Any) -> None:
        if progress.doing == "training":
            losses[-1].append(progress.loss)
        elif losses[-1]:
            losses.append([])

    whole = run(config, phase="search", progress=watch)
    rows = [row.get("train/loss_largest") for row in whole.evaluations]
    assert rows == [None, max(losses[0]), max(losses[1])], "it is reset in between"

    def stop(progress: Any) -> None:
        if progress.step >= 28:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(config, tmp_path / "out", phase="search", progress=stop)
    resumed = run(config, tmp_path / "out", phase="search")
    assert [row.get("train/loss_largest") for row in resumed.evaluations] == rows, "it is saved and loaded"


def same(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return torch.equal(a, b) if isinstance(a, Tensor) else bool(a == b)
