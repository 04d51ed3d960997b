"""When a search trial may be cut short: the rule against Optuna's own, and what it may depend on."""

import pickle
import random
import warnings
from typing import Any, Literal

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial

from spadam.sweep.definition.spec import ObjectiveSpec, SearchSpec
from spadam.sweep.search.objective import UNMEASURED, judge, objective_of
from spadam.sweep.search.propose import Seen, is_ready, propose
from spadam.sweep.search.pruning import prune, thresholds
from spadam.sweep.search.slots import Slot, search_slots
from spadam.training.curve import Curve, Pruning, curve
from spadam.training.result import RunResult
from support.sweep_bench import Bench

MEDIAN = SearchSpec(sampler="random", trials=40, pruner="median", lag=1)
SLOT = Slot("adam", "search", 0, 7, 0)
VALUES = st.one_of(st.none(), st.floats(-10, 10), st.sampled_from([0.0, 1.0, 2.0]))
STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "diverged": TrialState.FAIL}


def optuna_cuts(history: list[Seen], so_far: Curve, direction: str) -> bool:
    """What optuna.pruners.MedianPruner says after the last value of ``so_far`` was reported; step 0 never is."""
    pruner = optuna.pruners.MedianPruner()
    study = optuna.create_study(direction=direction, pruner=pruner)
    axis: dict[str, Any] = {"x": FloatDistribution(0, 1)}
    for seen in history:
        reported = {n: float("nan") if v is None else v for n, v in enumerate(seen.curve) if n}
        state, params = STATES[seen.status], {"x": 0.5}
        value = seen.value if seen.status == "complete" else None
        study.add_trial(
            create_trial(state=state, params=params, distributions=axis, value=value, intermediate_values=reported)
        )
    trial = study.ask()
    for number, value in enumerate(so_far):
        if number:
            trial.report(float("nan") if value is None else value, number)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # numpy on a curve without a single value
        return trial.should_prune()


@settings(max_examples=200, deadline=None)
@given(st.data(), st.sampled_from(["minimize", "maximize"]))
def test_cuts_where_optunas_median_pruner_cuts(data: st.DataObject, direction: Literal["minimize", "maximize"]) -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    epochs = data.draw(st.integers(1, 4))
    finite = st.floats(-10, 10)
    history = []
    for _ in range(data.draw(st.integers(0, 9))):
        status = data.draw(st.sampled_from(["complete", "complete", "complete", "pruned", "diverged"]))
        found = data.draw(st.lists(VALUES, min_size=1, max_size=epochs + 1))
        history.append(Seen({}, 1.0, status, tuple(found)))
    # somebody has a value at every evaluation: where nobody has, Optuna takes the median of nothing
    history.append(Seen({}, 1.0, "complete", tuple(data.draw(finite) for _ in range(epochs + 1))))
    so_far = tuple(data.draw(VALUES) for _ in range(data.draw(st.integers(2, epochs + 1))))
    slot = SLOT._replace(number=len(history))
    pruning = prune(MEDIAN, ObjectiveSpec(direction=direction), slot, dict(enumerate(history)))
    cut = pruning is not None and pruning.cuts(so_far)
    assert cut == optuna_cuts(history, so_far, direction)


def complete(*curve: float | None) -> Seen:
    return Seen({}, 1.0, "complete", curve)


def test_thresholds_are_medians_of_the_complete_trials() -> None:
    history = [complete(9, 1, 4), complete(9, 2, None), complete(9, 3), complete(9, 7, 5), complete(9, 8, 6)]
    assert thresholds(MEDIAN, SLOT._replace(number=5), dict(enumerate(history))) == (9, 3, 5)
    assert thresholds(MEDIAN, SLOT._replace(number=4), dict(enumerate(history))) == ()
    others = [Seen({}, 1.0, "pruned", (9, 0)), Seen({}, 1.0, "diverged", (9, 0, 0))]
    assert thresholds(MEDIAN, SLOT, dict(enumerate([*history, *others]))) == (9, 3, 5)
    assert thresholds(MEDIAN, SLOT, dict(enumerate([*history, complete(9, None, None, None), others[0]])))[3] is None


def test_only_search_trials_are_cut_and_only_when_asked() -> None:
    history = dict.fromkeys(range(10), complete(9, 1, 4))
    objective = ObjectiveSpec(metric="val/mse", direction="maximize")
    assert prune(MEDIAN, objective, SLOT, history) == Pruning("val/mse", "maximize", (9, 1, 4))
    assert prune(MEDIAN, objective, SLOT._replace(phase="repeat"), history) is None
    assert prune(MEDIAN.model_copy(update={"pruner": "none"}), objective, SLOT, history) is None
    assert prune(MEDIAN, objective, SLOT._replace(number=4), history) is None


@pytest.mark.parametrize(
    ("so_far", "cut"),
    [
        ((9.0,), False),
        ((0.0,), False),
        ((9.0, 2.0), False),  # no better, but no worse either
        ((9.0, 2.1), True),
        ((0.0, 2.1), True),  # what it had at step 0 is no merit
        ((9.0, 0.9, 5.0), False),  # the best so far counts
        ((9.0, 1.1, 5.0), True),
        ((9.0, None), True),
        ((9.0, None, None), True),
        ((9.0, None, None, None), False),  # nobody had a value there
        ((9.0, 5.0, 5.0, 5.0, 5.0), False),  # nobody went so far
    ],
)
def test_the_rule(so_far: Curve, cut: bool) -> None:
    assert Pruning("val/fvu", "minimize", (0.0, 2.0, 1.0, None)).cuts(so_far) is cut
    flipped = tuple(None if value is None else -value for value in so_far)
    assert Pruning("val/fvu", "maximize", (0.0, -2.0, -1.0, None)).cuts(flipped) is cut


def test_a_curve_holds_what_is_finite() -> None:
    rows: list[dict[str, Any]] = [{"a": 1}, {}, {"a": None}, {"a": float("nan")}, {"a": float("inf")}, {"a": 2.0}]
    assert curve(rows, "a") == (1.0, None, None, None, None, 2.0)


@pytest.mark.parametrize(
    ("values", "number"), [((9.0, 3.0, 4.0), 4.0), ((9.0, 3.0, None), 3.0), ((None, None), UNMEASURED)]
)
def test_a_cut_training_tells_its_last_finite_value(values: Curve, number: float) -> None:
    rows = [{"val/fvu": value} for value in values]
    result = RunResult("pruned", rows[-1], {}, [], {}, {}, rows)
    assert objective_of(result, ObjectiveSpec()) == number


@pytest.mark.parametrize("sampler", ["random", "qmc", "tpe"])
def test_what_is_cut_does_not_depend_on_workers(bench: Bench, sampler: str) -> None:
    bench.write({"search": {"sampler": sampler, "trials": 24, "pruner": "median"}})
    sweep = bench.load()
    one = simulate(sweep, workers=1, seed=0)
    assert {outcome.status for outcome in one.values()} == {"complete", "pruned"}
    for workers, seed in ((2, 1), (4, 2), (4, 3)):
        assert simulate(sweep, workers, seed) == one


def simulate(sweep: Any, workers: int, seed: int) -> dict[int, Seen]:
    """A search whose trials end in random order, each with a curve that its lr determines."""
    order, settings, variant = random.Random(seed), sweep.spec.search, sweep.variants["adam"]
    waiting, running = search_slots(sweep, "adam"), {}
    history: dict[int, Seen] = {}
    while waiting or running:
        while waiting and len(running) < workers and is_ready(settings, variant, waiting[0], history):
            slot = waiting.pop(0)
            params = propose(settings, variant, slot, history)
            running[slot.number] = train(params, prune(settings, sweep.spec.objective, slot, history))
            history[slot.number] = Seen(params)
        ended = order.choice(sorted(running))
        history[ended] = running.pop(ended)
    return dict(sorted(history.items()))


def train(params: dict[str, Any], pruning: Pruning | None) -> Seen:
    levels = [1.0, 0.5 + params["optimizer.lr"], 0.4 + params["optimizer.lr"], 0.3]
    for n in range(1, 3):
        if pruning is not None and pruning.cuts(tuple(levels[: n + 1])):
            return Seen(params, levels[n], "pruned", tuple(levels[: n + 1]))
    return Seen(params, levels[-1], "complete", tuple(levels))


def test_within_bands_a_trial_is_cut_by_how_far_it_lies_outside() -> None:
    """At the first evaluation all are far out, at the last the complete ones are in: neither hides the other."""
    objective = ObjectiveSpec(at={"sparsity/l0_eval": (28, 36)})

    def told(*rows: tuple[float, float]) -> Curve:
        return judge(objective).curve([{"val/fvu": fvu, "sparsity/l0_eval": l0} for fvu, l0 in rows])

    history = {n: Seen({}, 0.3, "complete", told((1, 500), (0.5, 72), (0.3, 29 + n))) for n in range(7)}
    found = prune(MEDIAN, objective, SLOT, history)
    assert found is not None
    found = pickle.loads(pickle.dumps(found))

    def cuts(*rows: tuple[float, float]) -> bool:
        return found.cuts(found.curve([{"val/fvu": fvu, "sparsity/l0_eval": l0} for fvu, l0 in rows]))

    assert not cuts((1, 500), (9.0, 70))  # nearer than the median, whatever its error
    assert cuts((1, 500), (0.1, 74))
    assert not cuts((1, 500), (0.1, 70), (0.29, 33))
    assert cuts((1, 500), (0.1, 70), (0.31, 33))
    assert cuts((1, 500), (0.1, 70), (0.1, 37))
