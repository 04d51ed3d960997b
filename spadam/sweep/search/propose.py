"""The parameters of a slot, as a pure function of what the slot may see.

An Optuna sampler is asked on a study in memory that is filled in slot order: the slots up to ``number - lag`` with
what they were told, those between as running. A slot waits for those that it may see. So a proposal depends neither on
the number of workers, nor on the order in which trials finish, nor on how often the sweep was stopped.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from statistics import median
from typing import Literal, NamedTuple

import optuna
from optuna.samplers import BaseSampler
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState, create_trial

from spadam.sweep.definition.objective import Direction
from spadam.sweep.definition.space import Value
from spadam.sweep.definition.spec import SearchSpec, Variant
from spadam.sweep.search.objective import OUTSIDE, UNMEASURED, Directions, Told, listed, ways
from spadam.sweep.search.slots import Slot, enumerate_point
from spadam.training.curve import Curve


class Seen(NamedTuple):
    """What a slot was given, and what came of it; ``value`` is None while it runs."""

    params: Mapping[str, Value]
    value: Told | None = None
    """What the study was told."""
    status: Literal["complete", "pruned", "diverged"] = "complete"
    curve: Curve = ()
    """What every evaluation told of the objective, step 0 first; empty of a front."""


def sees(search: SearchSpec, slot: Slot) -> range:
    """The slots of the same study whose results ``slot`` depends on."""
    return range(max(0, slot.number - search.lag + 1))


def is_ready(search: SearchSpec, variant: Variant, slot: Slot, history: Mapping[int, Seen]) -> bool:
    """Whether ``slot`` can begin now; ``history`` holds the slots of its study.

    With a pruner every slot waits for those that it may see, since they say when it is cut short.
    """
    if search.pruner == "none" and enumerate_point(search, variant, slot) is not None:
        return True
    return all(number in history and history[number].value is not None for number in sees(search, slot))


def propose(
    search: SearchSpec, variant: Variant, slot: Slot, history: Mapping[int, Seen], direction: Directions = "minimize"
) -> dict[str, Value]:
    """The parameters of ``slot``.

    ``history`` holds at least the slots that it may see, told. Results of later slots are not looked at; parameters of
    the slots between are proposed again where they are missing, which gives the same.
    """
    return Proposer(search, variant, direction).propose(slot, history)


class Proposer:
    """Proposes the slots of one study in turn, as :func:`propose` does, and keeps what it has told Optuna.

    `gp` alone is told everything anew, for what it hears of a trial changes with later ones, see :func:`_bounded`; its
    own work takes longer by far.
    """

    def __init__(self, search: SearchSpec, variant: Variant, direction: Directions) -> None:
        self._search, self._variant = search, variant
        self._directions = ways(direction)
        self._study: _Study | None = None

    def propose(self, slot: Slot, history: Mapping[int, Seen]) -> dict[str, Value]:
        """The parameters of ``slot``; what ``history`` held of a slot that was seen before must still be so."""
        if (point := enumerate_point(self._search, self._variant, slot)) is not None:
            return point
        gp = self._search.sampler == "gp"
        kept = None if gp or self._study is None or slot.number < self._study.trials else self._study
        missing = range(kept.trials if kept else 0, slot.number)
        params = [
            history[number].params if number in history else self.propose(slot._replace(number=number), history)
            for number in missing
        ]
        self._study = study = kept or _Study(self._variant, self._directions)
        for number, given in zip(missing, params, strict=True):
            if number == study.trials:  # else it was asked for just now
                study.run(given)
        seen = {number: history[number] for number in sees(self._search, slot)}
        values: Mapping[int, Told | None]
        values = _bounded(seen, self._directions) if gp else {number: one.value for number, one in seen.items()}
        for number in range(study.told, len(seen)):
            study.tell(seen[number], values.get(number))
        with _steady_arithmetic() if gp else contextlib.nullcontext():
            return study.ask(_sampler(self._search, slot))


class _Study:
    """A study of Optuna in memory, whose trials begin and end in the order of their slots."""

    def __init__(self, variant: Variant, directions: Sequence[Direction]) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._distributions = {axis.name: axis.distribution() for axis in sorted(variant.axes, key=lambda it: it.name)}
        self._storage = InMemoryStorage()  # of this study alone: the id of a trial there is its number
        self._study = optuna.create_study(storage=self._storage, directions=directions)
        self.trials = self.told = 0
        """So many trials have begun, and of so many it is known what came of them."""

    def run(self, params: Mapping[str, Value]) -> None:
        """The next trial runs."""
        running = TrialState.RUNNING
        self._study.add_trial(create_trial(params=dict(params), distributions=self._distributions, state=running))
        self.trials += 1

    def ask(self, sampler: BaseSampler) -> dict[str, Value]:
        """The parameters of the next trial, which runs."""
        self._study.sampler = sampler
        self.trials += 1
        return dict(self._study.ask(fixed_distributions=self._distributions).params)

    def tell(self, seen: Seen, value: Told | None) -> None:
        """The first trial of those that run has ended, with ``value``.

        One that was cut short is PRUNED, with its curve: `tpe` ranks it behind the others, by how far it came and what
        it had there; `gp` does not look at it.
        """
        if seen.status == "pruned":
            for step, at in enumerate(seen.curve):
                if at is not None:
                    self._storage.set_trial_intermediate_value(self.told, step, at)
            self._storage.set_trial_state_values(self.told, TrialState.PRUNED)
        else:
            assert value is not None
            self._storage.set_trial_state_values(self.told, TrialState.COMPLETE, listed(value))
        self.told += 1


def _sampler(search: SearchSpec, slot: Slot) -> BaseSampler:
    """The sampler for ``slot``, with a seed of its own: the same in every slot would suggest the same points again.

    The first trials are enumerated, so none is drawn by the sampler.
    """
    text = f"{search.seed}/{slot.variant}/{slot.study}/{slot.number}"
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
    if search.sampler == "tpe":
        return optuna.samplers.TPESampler(seed=seed, n_startup_trials=0)
    assert search.sampler == "gp"
    return optuna.samplers.GPSampler(seed=seed, n_startup_trials=0, deterministic_objective=False)


def _bounded(seen: Mapping[int, Seen], direction: Directions) -> dict[int, Told]:
    """What `gp` is told of the trials that were not cut short: their values, but bad ones made less bad.

    None is told as worse than the worst of the complete trials, and none lies further behind the median than the best
    lies before it. `gp` standardises values: beside the 1e3 of a diverged trial, let alone
    :data:`~spadam.sweep.search.objective.UNMEASURED`, all good ones would be one. On a bowl with a cliff (30 trials,
    floor 0.1) its best came to 0.357 without this and to 0.100 with it; `random` has 0.227. `tpe` ranks them,
    and is told them as they are.
    """
    told = {n: listed(one.value) for n, one in seen.items() if one.status != "pruned" and one.value is not None}
    complete = {n for n in told if seen[n].status == "complete"}
    columns = []
    for place, way in enumerate(ways(direction)):
        sign = 1 if way == "minimize" else -1
        found = _bounded_costs({n: sign * values[place] for n, values in told.items()}, complete)
        columns.append({n: sign * cost for n, cost in found.items()})
    return {n: columns[0][n] if len(columns) == 1 else tuple(column[n] for column in columns) for n in told}


def _bounded_costs(costs: dict[int, float], complete: Collection[int]) -> dict[int, float]:
    inside = [costs[n] for n in complete if costs[n] < OUTSIDE]
    costs = {n: _drawn_near(cost, inside) for n, cost in costs.items()}
    known = [costs[n] for n in complete if costs[n] < UNMEASURED]
    if len(set(known)) > 1:  # else the others tell at least that they are worse
        costs = {n: min(cost, max(known)) for n, cost in costs.items()}
    bound = 2 * median(costs.values()) - min(costs.values())
    return {n: min(cost, bound) for n, cost in costs.items()}


def _drawn_near(cost: float, inside: Sequence[float]) -> float:
    """The cost of a trial outside the bands: behind all ``inside``, by less than these lie apart, nearer ones first."""
    if not OUTSIDE <= cost < UNMEASURED:
        return cost
    worst, distance = max(inside, default=0.0), cost / OUTSIDE - 1
    return worst + ((worst - min(inside, default=0.0)) or 1.0) * distance / (1 + distance)


@contextlib.contextmanager
def _steady_arithmetic() -> Iterator[None]:
    """One thread for torch and BLAS: with more of them sums have other roundings, and a suggestion other digits."""
    from threadpoolctl import threadpool_limits

    from spadam.kernels.arithmetic import arithmetic  # here, because they take seconds to import

    with arithmetic(1), threadpool_limits(1, user_api="blas"):
        yield
