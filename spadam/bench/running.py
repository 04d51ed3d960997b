"""Runs cases one after the other, and never lets one that breaks down take the others with it."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator, Sequence

from spadam.bench.case import Case, NotRun, Row, Settings
from spadam.kernels.arithmetic import arithmetic
from spadam.spec import InputError

log = logging.getLogger(__name__)

LEFT_OUT = "left out of the quick run"


def choose(cases: Sequence[Case], texts: Sequence[str]) -> list[Case]:
    """The cases whose names hold one of ``texts``, in any case; all when there is none.

    Raises :class:`InputError` for a text that no name holds.
    """
    for text in texts:
        if not any(text.lower() in case.name.lower() for case in cases):
            names = "; ".join(case.name for case in cases)
            raise InputError("--only", text, "must be a part of a case's name", f"the cases are: {names}")
    return [case for case in cases if not texts or any(text.lower() in case.name.lower() for text in texts)]


def run(cases: Sequence[Case], settings: Settings, begin: Callable[[Case], None] = lambda case: None) -> Iterator[Row]:
    """Measure ``cases`` in turn, with the threads of ``settings``; ``begin`` is told before each that is run."""
    for case in cases:
        if settings.effort.quick and not case.quick:
            yield Row(case, None, LEFT_OUT)
            continue
        begin(case)
        with arithmetic(settings.threads):
            row = _measure(case, settings)
        gc.collect()  # a case's models are large, and cycles hold them
        yield row


def _measure(case: Case, settings: Settings) -> Row:
    try:
        return Row(case, case.measure(settings))
    except NotRun as reason:
        return Row(case, None, str(reason))
    except Exception as error:
        log.debug("%s", case.name, exc_info=True)
        return Row(case, None, f"failed: {type(error).__name__}: {' '.join(str(error).split())[:300]}", failed=True)
