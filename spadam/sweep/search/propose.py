"""The parameters of a slot, as a pure function of what the slot may see.

An Optuna sampler is asked on a study in memory that is rebuilt in slot order: the slots up to ``number - lag`` with
what they were told, those between as running. A slot waits for those that it may see. So a proposal depends neither on
the number of workers, nor on the order in which trials finish, nor on how often the sweep was stopped.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from statistics import median
from typing import Literal, NamedTuple

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from spadam.sweep.definition.space import Value
from spadam.sweep.definition.spec import SearchSpec, Variant
from spadam.sweep.search.objective import UNMEASURED
from spadam.sweep.search.slots import Slot, enumerate_point
from spadam.training.curve import Curve

Direction = Literal["minimize", "maximize"]


class Seen(NamedTuple):
    """What a slot was given, and what came of it; ``value`` is None while it runs."""

    params: Mapping[str, Value]
    value: float | None = None
    """What the study was told."""
    status: Literal["complete", "pruned", "diverged"] = "complete"
    curve: Curve = ()
    """The objective at every evaluation, step 0 first."""


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
    search: SearchSpec, variant: Variant, slot: Slot, history: Mapping[int, Seen], direction: Direction = "minimize"
) -> dict[str, Value]:
    """The parameters of ``slot``.

    ``history`` holds at least the slots that it may see, told. Results of later slots are not looked at; parameters of
    the slots between are proposed again where they are missing, which gives the same.

    What the sampler is told of bad values is bounded, see :func:`_bounded`.
    """
    if (point := enumerate_point(search, variant, slot)) is not None:
        return point
    distributions = {axis.name: axis.distribution() for axis in sorted(variant.axes, key=lambda axis: axis.name)}
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=_sampler(search, slot), direction=direction)
    values = _bounded({number: history[number] for number in sees(search, slot)}, direction)
    for number in range(slot.number):
        if number in sees(search, slot):
            study.add_trial(_finished(history[number], values.get(number), distributions))
        else:
            earlier = slot._replace(number=number)
            known = history[number].params if number in history else None
            params = propose(search, variant, earlier, history, direction) if known is None else known
            running = create_trial(params=dict(params), distributions=distributions, state=TrialState.RUNNING)
            study.add_trial(running)
    with _steady_arithmetic() if search.sampler == "gp" else contextlib.nullcontext():
        return dict(study.ask(fixed_distributions=distributions).params)


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


def _finished(seen: Seen, value: float | None, distributions: dict[str, BaseDistribution]) -> FrozenTrial:
    """A slot with a result as Optuna has it.

    One that was cut short is PRUNED, with its curve: `tpe` ranks it behind the others, by how far it came and what it
    had there; `gp` does not look at it.
    """
    pruned = seen.status == "pruned"
    return create_trial(
        params=dict(seen.params),
        distributions=distributions,
        state=TrialState.PRUNED if pruned else TrialState.COMPLETE,
        value=value,
        intermediate_values={n: value for n, value in enumerate(seen.curve) if value is not None} if pruned else {},
    )


def _bounded(seen: Mapping[int, Seen], direction: Direction) -> dict[int, float]:
    """What the sampler is told of the trials that were not cut short: their values, but bad ones made less bad.

    None is told as worse than the worst of the complete trials, and none lies further behind the median than the best
    lies before it. `gp` standardises values: beside the 1e3 of a diverged trial, let alone
    :data:`~spadam.sweep.search.objective.UNMEASURED`, all good ones would be one. On a bowl with a cliff (30 trials,
    floor 0.1) its best came to 0.357 without this and to 0.100 with it; `random` has 0.227. `tpe` ranks, and looks only
    at who is among the best, which stays.
    """
    sign = 1 if direction == "minimize" else -1
    costs = {n: sign * one.value for n, one in seen.items() if one.status != "pruned" and one.value is not None}
    complete = [cost for n, cost in costs.items() if seen[n].status == "complete" and cost < UNMEASURED]
    if len(set(complete)) > 1:  # else the others tell at least that they are worse
        costs = {n: min(cost, max(complete)) for n, cost in costs.items()}
    bound = 2 * median(costs.values()) - min(costs.values())
    return {n: sign * min(cost, bound) for n, cost in costs.items()}


@contextlib.contextmanager
def _steady_arithmetic() -> Iterator[None]:
    """One thread for torch and BLAS: with more of them sums have other roundings, and a suggestion other digits."""
    from threadpoolctl import threadpool_limits

    from spadam.kernels.arithmetic import arithmetic  # here, because they take seconds to import

    with arithmetic(1), threadpool_limits(1, user_api="blas"):
        yield
