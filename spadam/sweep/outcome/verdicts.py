"""What a sweep says to its claims, and how far its variants lie apart."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from spadam.claims.arm import Arm
from spadam.claims.comparison import Comparison, compare
from spadam.claims.judging import Case, judge
from spadam.claims.spec import ClaimSpec
from spadam.claims.verdict import Verdict
from spadam.diagnostics.metric import Metric
from spadam.sweep.definition.claims import metric_of, scale_of
from spadam.sweep.definition.columns import columns, is_of_repeats
from spadam.sweep.definition.spec import Sweep
from spadam.sweep.outcome.arms import blocked, setting_arm, variant_arm
from spadam.sweep.outcome.progress import Search
from spadam.sweep.outcome.sameness import caveats

VERDICTS = "verdicts.json"
"""The file of them, beside every page."""

CLAIMS = "claims"
"""The attribute of a sweep that says what is known of each of its claims, by the claim's key."""


class Known(NamedTuple):
    """What a storage remembers of a claim."""

    post_hoc: bool
    """Whether results were there when it came."""
    looks: tuple[str, ...] = ()
    """The sets of trainings that verdicts on it were computed from, in order: each a digest."""

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Known:
        """As it is stored."""
        return cls(bool(stored["post_hoc"]), tuple(stored["looks"]))

    def plain(self) -> dict[str, Any]:
        """To be stored."""
        return {"post_hoc": self.post_hoc, "looks": list(self.looks)}


def verdicts(sweep: Sweep, searches: Sequence[Search], attributes: Mapping[str, Any]) -> list[Verdict]:
    """The verdicts on all claims of ``sweep``, in the order of the file."""
    return judge(cases(sweep, searches, attributes))


def cases(sweep: Sweep, searches: Sequence[Search], attributes: Mapping[str, Any]) -> list[Case]:
    """Every claim of ``sweep`` with what there is to judge it by."""
    known = remembered(sweep, searches, attributes)
    return [_case(sweep, searches, claim, known[claim.key]) for claim in sweep.spec.claims]


def remembered(sweep: Sweep, searches: Sequence[Search], attributes: Mapping[str, Any]) -> dict[str, Known]:
    """What is known of every claim of ``sweep``: what was stored, or of a new one whether results are there."""
    stored = attributes.get(CLAIMS, {})
    late = any(record.state == "accepted" for search in searches for record in search.trials)
    return {
        claim.key: Known.read(stored[claim.key]) if claim.key in stored else Known(post_hoc=late)
        for claim in sweep.spec.claims
    }


def looked_at(sweep: Sweep, searches: Sequence[Search], attributes: Mapping[str, Any]) -> dict[str, Any]:
    """What to store of the claims now that verdicts on them are computed: the former, and this look where it is new.

    A claim is looked at when all trainings that it rests on are there: whoever looks earlier is told nothing.
    """
    found = {key: Known.read(each) for key, each in attributes.get(CLAIMS, {}).items()}
    found |= remembered(sweep, searches, attributes)
    for claim in sweep.spec.claims:
        mine = found[claim.key]
        if (look := _look(_of(searches, claim.variants))) is not None and look not in mine.looks:
            found[claim.key] = mine._replace(looks=(*mine.looks, look))
    return {key: each.plain() for key, each in found.items()}


def comparisons(sweep: Sweep, searches: Sequence[Search]) -> Iterator[Comparison]:
    """How far every variant lies from the one that it is held against, metric by metric.

    Study by study, for settings that were found; where there are several studies also the variants, all studies
    together. The metrics are the objective, and those that only repeats have.
    """
    if sweep.spec.objective.is_front:
        return
    names = [*sweep.spec.objective.metrics, *(name for name in columns(sweep) if is_of_repeats(sweep, name))]
    for metric in (metric_of(sweep, name) for name in names):
        for variant in sweep.variants:
            if variant != sweep.reference:
                yield from _compare(sweep, searches, metric, variant)


def _compare(sweep: Sweep, searches: Sequence[Search], metric: Metric, variant: str) -> Iterator[Comparison]:
    mine, theirs = (_of(searches, [name]) for name in (variant, sweep.reference))
    scale, larger = scale_of(metric), _larger_is_better(sweep, metric)
    for one, other in zip(mine, theirs, strict=True):
        first, second = (setting_arm(sweep, search, metric) for search in (one, other))
        yield compare(first, second, metric.name, scale, larger_is_better=larger, study=one.study)
    if len(mine) > 1:
        first, second = (variant_arm(sweep, found, metric) for found in (mine, theirs))
        yield compare(first, second, metric.name, scale, larger_is_better=larger, study=None)


def _case(sweep: Sweep, searches: Sequence[Search], claim: ClaimSpec, known: Known) -> Case:
    metric = metric_of(sweep, claim.metric)
    mine = {name: _of(searches, [name]) for name in claim.variants}
    arms = tuple(_arm(sweep, mine[name], metric_of(sweep, measured), claim) for name, measured in claim.sides)
    look = _look([search for found in mine.values() for search in found])
    looks = known.looks.index(look) if look in known.looks else len(known.looks)
    beside = tuple(caveats(sweep, *mine.values())) if len(mine) == 2 else ()
    return Case(claim, scale_of(metric), _larger_is_better(sweep, metric), arms, looks + 1, known.post_hoc, beside)


def _arm(sweep: Sweep, searches: Sequence[Search], metric: Metric, claim: ClaimSpec) -> Arm:
    found = (
        setting_arm(sweep, searches[0], metric) if claim.about == "settings" else variant_arm(sweep, searches, metric)
    )
    # Two metrics of one algorithm are not the same thing.
    alone = found.alone if claim.against is None else None
    return found._replace(blocked=blocked(sweep, searches), alone=alone)


def _of(searches: Iterable[Search], variants: Iterable[str]) -> list[Search]:
    return [search for name in variants for search in searches if search.variant == name]


def _larger_is_better(sweep: Sweep, metric: Metric) -> bool:
    way = sweep.spec.objective.goals.get(metric.name)
    return metric.larger_is_better if way is None else way == "maximize"


def _look(searches: Sequence[Search]) -> str | None:
    """Names the trainings that ``searches`` are judged by; None while some are missing."""
    repeats = [record for search in searches for record in search.repeats]
    whole = all(search.complete for search in searches) and all(record.state == "accepted" for record in repeats)
    if not (repeats and whole):
        return None
    text = ",".join(f"{record.slot.variant}/{record.slot.id}" for record in repeats)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
