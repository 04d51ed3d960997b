"""Recovery: what an agent left when it ended is settled, and every slot that needs an attempt has one.

Whatever happens, the same command again goes on: attempts that a dead agent left running fail, and every slot without
a live or accepted attempt is enqueued again with the parameters that it had.
"""

from __future__ import annotations

from collections.abc import Sequence

from spadam.sweep.definition.space import Value
from spadam.sweep.definition.spec import Sweep, Variant
from spadam.sweep.outcome.progress import Search, survey
from spadam.sweep.search.objective import objective_of
from spadam.sweep.search.slots import enumerate_point
from spadam.sweep.store.attempts import Attempt, Record, kept
from spadam.sweep.store.studies import Studies


def settle_abandoned(sweep: Sweep, studies: Studies, reason: str) -> None:
    """Settle what is running and has nobody any more: tell what was kept of it, fail the rest for ``reason``.

    Only the agent that holds the sweep's lock may ask for it, and only while none of its own trainings is under way.
    """
    for search in survey(sweep, studies):
        for record in (*search.trials, *search.repeats, *search.superseded):
            for attempt in record.attempts:
                if attempt.state != "running":
                    continue
                if (result := kept(attempt)) is None:
                    studies.fail(attempt, "infra", error=reason)
                else:
                    objective = objective_of(result, sweep.spec.objective)
                    studies.tell(attempt, objective, pruned=result.status == "pruned")


def fill(sweep: Sweep, studies: Studies, variants: Sequence[str]) -> list[Search]:
    """Enqueue an attempt for every slot that has none left, and drop waiting ones that nobody needs any more.

    Gives the studies of ``variants`` as they stand after that.
    """
    searches = survey(sweep, studies, variants)
    changed = False
    for search in searches:
        variant = sweep.variants[search.variant]
        for record in (*search.trials, *search.repeats):
            if record.state in ("planned", "failed"):
                studies.enqueue(record.slot, _known_params(sweep, variant, search, record))
                changed = True
        for attempt in _unneeded(search):
            studies.fail(attempt, "superseded")
            changed = True
    return survey(sweep, studies, variants) if changed else searches


def _known_params(sweep: Sweep, variant: Variant, search: Search, record: Record) -> dict[str, Value] | None:
    if (params := record.params(variant)) is not None and record.attempts:
        return params  # a retry keeps what it was first given
    if record.slot.phase == "search":
        return enumerate_point(sweep.spec.search, variant, record.slot)
    assert search.best is not None
    return search.best.params(variant)


def _unneeded(search: Search) -> list[Attempt]:
    """Waiting attempts at slots that have another owner, or that repeat what is no longer the best."""
    current = [
        attempt
        for record in (*search.trials, *search.repeats)
        for attempt in record.attempts
        if attempt is not record.owner and attempt.state == "waiting"
    ]
    old = [attempt for record in search.superseded for attempt in record.attempts if attempt.state == "waiting"]
    return current + old
