"""Recovery: what an agent left when it ended is settled.

Whatever happens, the same command again goes on: attempts that a dead agent left running fail, and a slot without an
accepted attempt is tried again with the parameters that it had.
"""

from __future__ import annotations

from collections.abc import Iterable

from spadam.sweep.definition.spec import Sweep
from spadam.sweep.outcome.progress import Search
from spadam.sweep.search.objective import objective_of
from spadam.sweep.store.attempts import Attempt, kept
from spadam.sweep.store.studies import Studies


def running(searches: Iterable[Search]) -> list[Attempt]:
    """All attempts of ``searches`` that run."""
    records = (record for one in searches for record in (*one.records, *one.superseded))
    return [attempt for record in records for attempt in record.attempts if attempt.state == "running"]


def settle_abandoned(sweep: Sweep, studies: Studies, abandoned: Iterable[Attempt], reason: str) -> None:
    """Settle attempts that run and have nobody any more: tell what was kept of them, fail the rest for ``reason``.

    Only the agent that holds the sweep's lock may ask for it.
    """
    for attempt in abandoned:
        if (result := kept(attempt)) is None:
            studies.fail(attempt, "infra", error=reason)
        else:
            studies.tell(attempt, objective_of(result, sweep.spec.objective), pruned=result.status == "pruned")
