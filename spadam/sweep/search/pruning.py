"""When a search trial may be cut short, as a pure function of what its slot may see.

The rule is that of Optuna's MedianPruner. The thresholds are fixed before the training begins and come from the same
slots that its parameters are suggested from: so what is cut depends neither on the number of workers nor on the order
in which trials finish.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest
from statistics import median

from spadam.sweep.definition.objective import ObjectiveSpec
from spadam.sweep.definition.spec import SearchSpec
from spadam.sweep.search.objective import judge
from spadam.sweep.search.propose import Seen, sees
from spadam.sweep.search.slots import Slot
from spadam.training.curve import Curve, Pruning

FEWEST = 5
"""Nothing is cut before a slot sees so many complete trials (Optuna's default)."""


def prune(search: SearchSpec, objective: ObjectiveSpec, slot: Slot, history: Mapping[int, Seen]) -> Pruning | None:
    """What the training of ``slot`` must reach to go on; None when it goes on to its end in any case.

    ``history`` holds at least the slots of its study that it may see, told.
    """
    if search.pruner == "none" or slot.phase != "search":
        return None
    found = thresholds(search, slot, history)
    if not found:
        return None
    return Pruning(objective.metric, objective.direction, found, judge(objective).told_of if objective.at else None)


def thresholds(search: SearchSpec, slot: Slot, history: Mapping[int, Seen]) -> Curve:
    """The median of the complete trials that ``slot`` may see, at every evaluation; empty while they are too few.

    Trials that diverged or were cut short themselves are not among them.
    """
    seen = (history[number] for number in sees(search, slot))
    curves = [one.curve for one in seen if one.status == "complete"]
    if len(curves) < FEWEST:
        return ()
    found = ([value for value in values if value is not None] for values in zip_longest(*curves))
    return tuple(median(values) if values else None for values in found)
