"""Which comparisons of a sweep cannot tell its variants apart, as far as that is known before it runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from spadam.diagnostics.comparability import FEW, warnings
from spadam.sweep.definition.extension import facts
from spadam.sweep.definition.spec import Sweep
from spadam.sweep.forecast.costs import Sight
from spadam.sweep.forecast.rehearsal import Rehearsal


class Caveat(NamedTuple):
    """What a reader of the sweep must know, and of which variants."""

    variants: tuple[str, ...]
    text: str


def find_caveats(sweep: Sweep, sights: Sequence[Sight]) -> list[Caveat]:
    """What must be known of the variants that were rehearsed."""
    centres = {sight.variant: sight.rehearsal for sight in sights if sight.end is None}
    return [*_twins(sweep, centres), *_dense(centres), *_rare(centres), *_at_ends(centres, sights), *_diverged(centres)]


def _twins(sweep: Sweep, rehearsals: Mapping[str, Rehearsal]) -> Iterator[Caveat]:
    """Variants with the same configuration and the same space."""
    known = facts(sweep)["variants"]
    for names in _alike({name: known[name] for name in rehearsals}):
        yield Caveat(names, "the same configuration and the same space: one variant under several names")


def _dense(rehearsals: Mapping[str, Rehearsal]) -> Iterator[Caveat]:
    """Variants whose steps touch every row, and those among them that are one algorithm then."""
    dense = {name: seen for name, seen in rehearsals.items() if seen.all_touched}
    if not dense:
        return
    for text in warnings(True, float("nan")):
        yield Caveat(tuple(dense), text)
    for names in _alike({name: seen.config.optimizer.when_all_touched() for name, seen in dense.items()}):
        text = "one algorithm in this sweep: what differs between them is chance, or their spaces"
        yield Caveat(names, text)


def _rare(rehearsals: Mapping[str, Rehearsal]) -> Iterator[Caveat]:
    """Variants of which few rows are touched now and then."""
    sparse = {name: seen.rows_intermittent for name, seen in rehearsals.items() if not seen.all_touched}
    few = {name: share for name, share in sparse.items() if share < FEW}
    if few:
        most = "" if len(set(few.values())) == 1 else "at most "
        for text in warnings(False, max(few.values())):
            yield Caveat(tuple(few), most + text)


def _at_ends(rehearsals: Mapping[str, Rehearsal], sights: Sequence[Sight]) -> Iterator[Caveat]:
    """The same of the ends of an axis, where the centre is better."""
    for sight in sights:
        centre, seen = rehearsals[sight.variant], sight.rehearsal
        fine = not centre.all_touched and centre.rows_intermittent >= FEW
        if sight.end is not None and fine:
            few = float("nan") if seen.all_touched else seen.rows_intermittent
            for text in warnings(seen.all_touched, few):
                yield Caveat((sight.variant,), f"at {sight.end[0]} = {sight.end[1]}, {text}")


def _diverged(rehearsals: Mapping[str, Rehearsal]) -> Iterator[Caveat]:
    for name, seen in rehearsals.items():
        if seen.diverged:
            yield Caveat(
                (name,), f"diverged within {seen.steps} steps at the centre of its space: lr is too high there"
            )


def _alike(described: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """The names of what is described alike, two or more at a time."""
    groups: dict[str, list[str]] = {}
    for name, description in described.items():
        groups.setdefault(json.dumps(description, sort_keys=True), []).append(name)
    yield from (tuple(names) for names in groups.values() if len(names) > 1)
