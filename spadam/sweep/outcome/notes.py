"""What one must know to read the numbers of a study; each note says which of its trainings it is about.

A study is judged by its best trial and the repeats of that; what those warned of is about the numbers in the table.
What other trials warned of is not, so it says whose it is: the trials that a search tries and leaves behind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from spadam.diagnostics.warned import Warned
from spadam.sweep.definition.space import SIDES, Axis, Bound
from spadam.sweep.definition.spec import Sweep
from spadam.sweep.outcome.progress import Search
from spadam.sweep.search.objective import Judge, judge
from spadam.sweep.search.slots import Slot
from spadam.sweep.store.attempts import Record
from spadam.text import count
from spadam.training.result import Status

_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?%?")
_CUT: dict[Status, str] = {"diverged": "diverged", "pruned": "ended early (pruned)"}


def notes(sweep: Sweep, search: Search, near: Mapping[str, Bound]) -> tuple[str, ...]:
    """What is missing of ``search``, what was cut short, what its trainings warned of, and which ranges are too narrow.

    ``near`` has the axes on which its best lies close to a bound.
    """
    which = f" of study {search.study}" if sweep.spec.search.studies > 1 else ""
    axes, ours = sweep.variants[search.variant].axes, judge(sweep.spec.objective)
    return (
        *_missing(search, " and ".join(sweep.spec.objective.asked), which),
        *_chosen(search, which),
        *_cut_short(search, which),
        *_outside(search, ours, which),
        *_of_the_judged(search, which),
        *_too_narrow(axes, near, which),
        *_of_the_others(search),
    )


def _missing(search: Search, metric: str, which: str) -> Iterator[str]:
    if not search.complete:
        accepted = sum(record.state == "accepted" for record in search.trials)
        yield f"{accepted} of {len(search.trials)} trials{which} so far"
    elif (accepted := sum(record.state == "accepted" for record in search.choosings)) < len(search.choosings):
        yield f"{accepted} of {len(search.choosings)} choosing trainings{which} so far: another trial may be chosen"
    elif search.best is None:
        yield f"no trial{which} has a finite {metric}, so there is nothing to repeat"


def _chosen(search: Search, which: str) -> Iterator[str]:
    """That another trial than the best was chosen: the table shows its value, which is not the best one."""
    best, leader = search.best, search.leader
    if best is not None and leader is not None and best.slot != leader.slot:
        better = f"its mean over fresh seeds is better than that of the best trial, {leader.slot.label}"
        yield f"{best.slot.label} was chosen{which}: {better}"


def _cut_short(search: Search, which: str) -> Iterator[str]:
    for records, what in _phases(search, which):
        ended = [record.status for record in records if record.status is not None]
        for status, said in _CUT.items():
            if (many := ended.count(status)) > 0:
                yield f"{many} of {len(ended)} {what} {said}"


def _outside(search: Search, ours: Judge, which: str) -> Iterator[str]:
    """How many trainings lie outside the bands, and whether the best is one of them."""
    if not ours.bands:
        return
    if search.leader is not None and (beyond := ours.outside(search.leader.metrics)):
        yield f"no trial{which} lies within its bands; the nearest has {' and '.join(beyond)}"
    elif search.best is not None and (beyond := ours.outside(search.best.metrics)):
        yield f"the trial{which} that was chosen has {' and '.join(beyond)}, outside its bands; its means were judged"
    for records, what in _phases(search, which):
        complete = [record for record in records if record.status == "complete"]
        if many := sum(bool(ours.outside(record.metrics)) for record in complete):
            yield f"{many} of {len(complete)} {what} lie outside the bands"


def _phases(search: Search, which: str) -> Iterator[tuple[Sequence[Record], str]]:
    """The trainings of every phase, and what they are called."""
    yield search.repeats, f"repeats{which}"
    yield search.choosings, f"choosing trainings{which}"
    yield search.trials, f"trials of study {search.study}"


def _of_the_judged(search: Search, which: str) -> Iterator[str]:
    """What the best and its repeats warned of. The study is named where the text has numbers, which are its own."""
    best, repeats = _leading(search), _ended(search.repeats)
    for found in _by_code([*best, *repeats]):
        mine_too = sum(record.slot in found for record in best)
        leading = f"{mine_too} of {count(len(best), 'trial')} on its front" if search.front else "its best trial"
        who = [leading] if mine_too else []
        if many := sum(record.slot in found for record in repeats):
            who.append(f"{many} of {count(len(repeats), 'repeat')}")
        mine = which if any(warned.numbers for warned in found.values()) else ""
        yield f"{_merge([warned.text for warned in found.values()])} ({' and '.join(who)}{mine})"


def _too_narrow(axes: Sequence[Axis], near: Mapping[str, Bound], which: str) -> Iterator[str]:
    """What to do about a best near a bound; without its value, so that variants with the same range share the note."""
    for axis in axes:
        if (bound := near.get(axis.name)) is not None:
            edge = axis.range.low if bound == "low" else axis.range.high
            yield (
                f"the best {axis.name}{which} lies within half a decade of its {SIDES[bound]} bound {edge:g}: a better "
                "one may lie beyond it, so widen the range"
            )


def _of_the_others(search: Search) -> Iterator[str]:
    """What trials show that the search left behind: how many they are, of which study, and with their numbers."""
    leading = {record.slot for record in _leading(search)}
    others = _ended([record for record in search.trials if record.slot not in leading])
    what = f"{'other ' if search.best else ''}trials of study {search.study}"
    for found in _by_code(others):
        yield f"{len(found)} of the {len(others)} {what}: {_merge([warned.text for warned in found.values()])}"


def _leading(search: Search) -> list[Record]:
    """The trials that the table is about."""
    return _ended(search.front or ([search.best] if search.best else []))


def _ended(records: Sequence[Record]) -> list[Record]:
    return [record for record in records if record.status is not None]


def _by_code(records: Sequence[Record]) -> list[dict[Slot, Warned]]:
    """What trainings warned of: for every code the slots that did, and what each said."""
    found: dict[str, dict[Slot, Warned]] = {}
    for record in records:
        for warned in record.warnings:
            found.setdefault(warned.code, {})[record.slot] = warned
    return list(found.values())


def _merge(texts: Sequence[str]) -> str:
    """One text for several that differ in their numbers only, with the smallest and largest of each; else the first.

    >>> _merge(["3.0% of 64 rows", "0.5% of 64 rows"])
    '0.5% to 3.0% of 64 rows'
    """
    words = [_NUMBER.split(text) for text in texts]
    if any(other != words[0] for other in words):
        return texts[0]
    columns = zip(*(_NUMBER.findall(text) for text in texts), strict=True)
    spans = [sorted(set(column), key=lambda said: float(said.rstrip("%"))) for column in columns]
    said = [span[0] if len(span) == 1 else f"{span[0]} to {span[-1]}" for span in spans]
    return "".join(part for pair in zip(words[0], [*said, ""], strict=True) for part in pair)
