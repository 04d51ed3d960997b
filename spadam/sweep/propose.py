"""The parameters of a slot, as a pure function of what the slot may see.

An Optuna sampler is asked on a study in memory that is rebuilt in slot order: the slots up to ``number - lag`` with
what they were told, those between as running. A slot waits for those that it may see. So a proposal depends neither on
the number of workers, nor on the order in which trials finish, nor on how often the sweep was stopped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Literal, NamedTuple

import optuna
from optuna.trial import TrialState, create_trial

from spadam.sweep.plan import Slot, enumerate_point
from spadam.sweep.space import Value
from spadam.sweep.spec import SearchSpec, Variant

Direction = Literal["minimize", "maximize"]


class Told(NamedTuple):
    """What a slot was given, and what the study was told of it; None while it runs."""

    params: Mapping[str, Value]
    value: float | None = None


def sees(search: SearchSpec, slot: Slot) -> range:
    """The slots of the same study whose results ``slot`` is proposed from."""
    return range(max(0, slot.number - search.lag + 1))


def is_ready(search: SearchSpec, variant: Variant, slot: Slot, history: Mapping[int, Told]) -> bool:
    """Whether ``slot`` can be proposed now; ``history`` holds the slots of its study."""
    if enumerate_point(search, variant, slot) is not None:
        return True
    return all(number in history and history[number].value is not None for number in sees(search, slot))


def propose(
    search: SearchSpec, variant: Variant, slot: Slot, history: Mapping[int, Told], direction: Direction = "minimize"
) -> dict[str, Value]:
    """The parameters of ``slot``.

    ``history`` holds at least the slots that it may see, told. Results of later slots are not looked at; parameters of
    the slots between are proposed again where they are missing, which gives the same.
    """
    if (point := enumerate_point(search, variant, slot)) is not None:
        return point
    distributions = {axis.name: axis.distribution() for axis in sorted(variant.axes, key=lambda axis: axis.name)}
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.TPESampler(seed=_seed(search, slot), n_startup_trials=0)
    study = optuna.create_study(sampler=sampler, direction=direction)
    for number in range(slot.number):
        if number in sees(search, slot):
            told = history[number]
            assert told.value is not None, f"slot {slot.number} waits for slot {number}"
            seen = create_trial(params=dict(told.params), distributions=distributions, value=told.value)
        else:
            earlier = slot._replace(number=number)
            known = history[number].params if number in history else None
            params = propose(search, variant, earlier, history, direction) if known is None else known
            seen = create_trial(params=dict(params), distributions=distributions, state=TrialState.RUNNING)
        study.add_trial(seen)
    return dict(study.ask(fixed_distributions=distributions).params)


def _seed(search: SearchSpec, slot: Slot) -> int:
    """A seed of the sampler for this slot alone; the same one in every slot would suggest the same points again."""
    text = f"{search.seed}/{slot.variant}/{slot.study}/{slot.number}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
