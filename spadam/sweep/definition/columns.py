"""The metrics that stand beside the objective where a sweep is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from spadam.diagnostics.metric import Metric
from spadam.diagnostics.metrics import lookup
from spadam.spec import InputError, Mistakes
from spadam.sweep.definition.measurable import trained
from spadam.sweep.definition.spec import Sweep

USUAL = ("test/fvu", "sparsity/rows_touched", "sparsity/l0_eval", "sparsity/dead")
"""Those of a sweep whose file names none, as far as they are measured: an error says little without them."""


PROBE = "probe/test_accuracy"
"""Shown on the page too, where the file names no columns and some repeat has measured it."""


def columns(sweep: Sweep) -> tuple[str, ...]:
    """The names of the metrics that stand beside the objective, in order."""
    given, objective = sweep.spec.report.columns, sweep.spec.objective
    if given is not None:
        return given
    known = _measured(sweep)
    wanted = dict.fromkeys((*USUAL, *objective.at))
    return tuple(name for name in wanted if name in known and name not in objective.goals)


def check_columns(sweep: Sweep) -> None:
    """Refuse columns that no training of ``sweep`` can have. Raises :class:`InputError`."""
    known, mistakes = _measured(sweep), Mistakes()
    given = sweep.spec.report.columns or ()
    for number, name in enumerate(given):
        where = sweep.document.where(("report", "columns", number))
        try:
            if lookup(name, "", known).array:
                rule, remedy = "a cell holds one number, and this is more", "remove it: the page has a figure of it"
            elif name in given[:number]:
                rule, remedy = "it stands there already", "remove one of them"
            else:
                continue
        except InputError as error:
            rule, remedy = error.rule, error.remedy
        mistakes.add(InputError("report.columns", name, rule, remedy, where))
    mistakes.tell()


def heading(metric: str, shown: Sequence[str]) -> str:
    """What stands above the column of ``metric`` among all that are ``shown``: its last part where that is enough.

    >>> heading("sparsity/rows_touched", ["sparsity/rows_touched", "sparsity/dead"]), heading("a/k", ["a/k", "b/k"])
    ('rows touched', 'a/k')
    """
    last = metric.rpartition("/")[2]
    alone = [other.rpartition("/")[2] for other in shown].count(last) == 1
    return last.replace("_", " ").replace("l0 eval", "L0") if alone else metric


def is_of_repeats(sweep: Sweep, metric: str) -> bool:
    """Whether only repeats measure ``metric``: it is a verdict on what was found, and shown with its interval."""
    return _measured(sweep)[metric].split == "test"


def _measured(sweep: Sweep) -> Mapping[str, Metric]:
    """What some variant's trainings may measure."""
    return {name: metric for _, config in trained(sweep) for name, metric in config.task.metrics.items()}
