"""What the agent knows of its sweep is what its storage says, after every event, and is looked up in no time."""

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from spadam.sweep.outcome.progress import survey, tally
from spadam.sweep.outcome.status import status
from spadam.sweep.outcome.table import rows
from spadam.sweep.running.dispatch import Dispatcher
from spadam.sweep.running.task import Task
from spadam.sweep.search.objective import judge
from spadam.sweep.search.propose import Seen, is_ready
from spadam.sweep.search.slots import turn
from spadam.sweep.store.connection import open_file
from spadam.sweep.store.studies import Studies
from spadam.training.progress import Progress
from spadam.training.result import RunResult
from support import sweep_quadratic as quadratic
from support import sweep_sparse as sparse
from support.queued_sweep import enqueue, fill
from support.sweep_bench import Bench

SWEEPS = [
    {"search": {"trials": 5, "studies": 2}, "repeat": {"seeds": 2}},
    {
        "search": {"sampler": "tpe", "trials": 14, "lag": 2},
        "repeat": {"seeds": 3},
        "objective": {"direction": "maximize"},
    },
    {"search": {"sampler": "tpe", "trials": 9, "pruner": "median"}, "repeat": {"seeds": 0}},
    {
        "search": {"sampler": "tpe", "trials": 14, "lag": 2},
        "repeat": {"seeds": 2},
        "objective": {"at": {sparse.L0: [20, 40]}},
        "base": sparse.BASE,
    },
    {"search": {"trials": 5, "studies": 2}, "repeat": {"seeds": 2, "choose": {"top": 3, "seeds": 2}}},
    {
        "search": {"sampler": "tpe", "trials": 12, "lag": 2},
        "repeat": {"seeds": 1, "choose": {"top": 2, "seeds": 2}},
        "objective": {"at": {sparse.L0: [20, 40]}},
        "base": sparse.BASE,
    },
]
FRONT = {"pareto": ["val/fvu", sparse.L0]}


def uneven(task: Task, progress: Callable[[Progress], None]) -> RunResult:
    """Diverges, fails or completes, by its slot and attempt alone."""
    drawn = random.Random(f"{task.slot.variant}/{task.slot.id}/{task.attempt}").random()
    if drawn < 0.15:
        raise OSError(28, f"No space left on device: {task.attempt}")
    if drawn < 0.35:
        return quadratic.finish(task, None, status="diverged")
    return (sparse if sparse.L0 in task.objective.asked else quadratic).train(task, progress)


def naive_next(bench: Bench) -> tuple[str, str] | None:
    """Variant and id of the slot whose turn it is, of all that the storage says."""
    sweep, searches = bench.read()
    order = list(sweep.variants)
    found = []
    for search in searches:
        variant = sweep.variants[search.variant]
        history = {}
        for record in search.trials:
            params, result = record.params(variant), record.result
            if params is not None and record.attempts:
                told = None if result is None else record.objective
                seen = () if result is None else judge(sweep.spec.objective).curve(result.evaluations)
                history[record.slot.number] = Seen(params, told, "complete", seen)
        may_repeat = search.complete and all(record.state == "accepted" for record in search.choosings)
        again = search.choosings if search.complete else ()
        for record in (*search.trials, *again, *(search.repeats if may_repeat else ())):
            free = record.slot.phase != "search" or record.started
            ready = free or is_ready(sweep.spec.search, variant, record.slot, history)
            if record.state in ("planned", "waiting") and ready:
                slot = record.slot
                found.append((turn(slot.phase, slot.number, slot.study, order.index(slot.variant)), slot))
    return (min(found)[1].variant, min(found)[1].id) if found else None


@pytest.mark.parametrize(
    ("changes", "instead"),
    [*((changes, {}) for changes in SWEEPS), (SWEEPS[3] | {"objective": {}}, {"objective": FRONT})],
)
def test_it_says_after_every_event_what_the_storage_does(
    bench: Bench, changes: dict[str, Any], instead: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.write(changes, **instead)
    agents: list[Dispatcher] = []
    begin = Dispatcher.work
    monkeypatch.setattr(Dispatcher, "work", lambda agent: (agents.append(agent), begin(agent)))
    looked = 0

    def look(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        nonlocal looked
        looked += 1
        (agent,) = agents
        sweep, _ = bench.read()
        assert agent.picture.tallies == tally(sweep, survey(sweep, agent.studies))
        found = agent.picture.next()
        assert (None if found is None else (found.record.slot.variant, found.record.slot.id)) == naive_next(bench)
        return uneven(task, progress)

    assert bench.run(look) == 0
    assert looked >= sum(found.accepted for found in agents[0].picture.tallies)
    assert agents[0].picture.left == 0
    assert agents[0].picture.tallies == tally(*bench.read())


def test_the_storage_is_read_at_the_start_and_at_the_end(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.write({"search": {"trials": 20}})
    calls: Counter[str] = Counter()

    def count(name: str) -> None:
        method = getattr(Studies, name)

        def counted(self: Studies, *args: Any, **named: Any) -> Any:
            calls[name] += 1
            return method(self, *args, **named)

        monkeypatch.setattr(Studies, name, counted)

    for name in ("records", "attributes", "running", "begin", "keep", "tell"):
        count(name)
    assert bench.run() == 0
    assert (calls["begin"], calls["keep"], calls["tell"]) == (44, 44, 44)
    assert calls["records"] == 2 * 2  # for each variant, at the start and for the table
    assert calls["attributes"] < 10
    assert calls["running"] == 0


@pytest.fixture
def begun_with_a_queue(bench: Bench) -> Bench:
    """A sweep whose first trial was interrupted, as an earlier agent left it."""
    bench.write(SWEEPS[1] | {"objective": {"direction": "minimize"}})

    def interrupt(task: Task, progress: Callable[[Progress], None]) -> RunResult:
        raise KeyboardInterrupt

    assert bench.run(interrupt) == 1
    fill(bench)
    return bench


def without_attempts(bench: Bench) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "attempts"} for row in rows(*bench.read())]


def test_a_sweep_that_was_begun_with_a_queue_is_read_extended_and_finished(begun_with_a_queue: Bench) -> None:
    (folder := begun_with_a_queue.spec.parent / "other").mkdir()
    bench, other = begun_with_a_queue, Bench(folder)
    variants = status(*bench.read())["variants"]
    assert variants["lazy"] == {"slots": 17, "accepted": 0, "running": 0, "waiting": 17, "failed": 0}
    assert bench.run() == 0
    with open_file(bench.folder / "sweep.db") as storage:
        states = Counter(trial.state.name for id_ in range(1, 6) for trial in storage.get_all_trials(id_))
    assert states == {"COMPLETE": 34, "FAIL": 1 + 14}  # the interrupted one, and those that were twice in the queue
    other.write(SWEEPS[1] | {"objective": {"direction": "minimize"}})
    assert other.run() == 0
    assert without_attempts(bench) == without_attempts(other)
    more = {"search": {"sampler": "tpe", "trials": 16, "lag": 2}, "repeat": {"seeds": 3}}
    for one in (bench, other):
        one.write(more)
        assert one.run() == 0
    assert without_attempts(bench) == without_attempts(other)


def test_repeats_that_wait_for_nothing_are_given_up(begun_with_a_queue: Bench) -> None:
    bench = begun_with_a_queue
    old = next(s for s in bench.read()[1] if s.variant == "adam").trials[0].slot
    with open_file(bench.folder / "sweep.db") as storage:
        waiting = old._replace(phase="repeat", point="0" * 12, seed=1_000_000)
        enqueue(storage, "lr-eps", waiting, {"optimizer.lr": 1e-3, "optimizer.eps": 1e-8})
    assert bench.run() == 0
    search = next(search for search in bench.read()[1] if search.variant == "adam")
    (given_up,) = search.superseded
    assert given_up.attempts[0].attributes["failure"] == "superseded"
    assert not given_up.started
