"""Where the numbers come from: versions, commit, machines, data, and every seed."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from spadam.report.markup import join, paragraph, table, tag
from spadam.report.section import Section
from spadam.sweep.outcome.outcome import Outcome

_ANCHOR, _TITLE = "provenance", "Provenance"

COMMIT = "commit"
"""What a training calls the commit of its code."""

_OF_EACH = ("started", "seconds", "resumed")
"""What differs in every training, or concerns one alone."""

_PHASES = {"search": "search trials", "choose": "choosing trainings", "repeat": "repeats"}


def provenance(outcome: Outcome) -> Section:
    """A table of what the trainings ran with, and one of seeds."""
    ran, seeds = list(_ran_with(outcome)), list(_seeds(outcome))
    parts = [tag("div", table(("seed", "value"), seeds, "words"), class_="scroll")]
    if ran:
        reading = (
            "What the trainings ran with, each value with the number of trainings that had it: two values of one "
            "thing are worth a look."
        )
        if not any(what == COMMIT for what, *_ in ran):
            reading += " The commit is not known: spadam was not run from a checkout of its repository."
        shown = tag("div", table(("what", "value", "trainings"), ran, "words"), class_="scroll")
        parts = [paragraph(reading, "reading"), shown, *parts]
    return Section(_ANCHOR, _TITLE, join(parts))


def _ran_with(outcome: Outcome) -> Iterator[tuple[str, str, str]]:
    """Every version, device and hash, with how many trainings had it."""
    counts: dict[tuple[str, str], int] = {}
    for result in outcome.results:
        for key, value in leaves(result.provenance):
            counts[key, value] = counts.get((key, value), 0) + 1
    for (key, value), count in sorted(counts.items()):
        yield key, value, str(count)


def leaves(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What of the provenance of a training may be the same in others, in words."""
    for key, value in found.items():
        if isinstance(value, Mapping):
            yield from leaves(value)
        elif key not in _OF_EACH:
            yield key, str(value)


def _seeds(outcome: Outcome) -> Iterator[tuple[str, str]]:
    yield "of the search (search.seed)", str(outcome.sweep.spec.search.seed)
    splits = dict.fromkeys(
        str(v.corners[0].plain()["data"].get("split_seed", "–")) for v in outcome.sweep.variants.values()
    )
    yield "of the split of the data (data.split_seed)", ", ".join(splits)
    for phase, what in _PHASES.items():
        found = {row["seed"] for row in outcome.rows if row["phase"] == phase}
        if found:
            yield f"of the {what}", in_runs(found)


def in_runs(numbers: Iterable[int]) -> str:
    """Whole numbers, those that follow on each other as a run.

    >>> in_runs([3, 1, 2, 7])
    '1 to 3, 7'
    """
    runs = []
    for _, each in itertools.groupby(enumerate(sorted(numbers)), lambda pair: pair[1] - pair[0]):
        run = [number for _, number in each]
        runs.append(str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}")
    return ", ".join(runs)
