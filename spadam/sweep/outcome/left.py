"""How long what is left of a sweep will take, by the trainings that have ended lately."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from spadam.sweep.outcome.progress import Tally
from spadam.sweep.search.slots import Slot

_ENOUGH = 3
"""A variant's own trainings tell its time from so many on: the first of all wait for imports."""


def seconds_left(
    tallies: Sequence[Tally], workers: int, under_way: Mapping[Slot, float] | None = None
) -> dict[str, float | None]:
    """The time that each variant still needs when ``workers`` share the work; the sum is that of the sweep.

    ``under_way`` says of trainings that run which share of them is done. A training is taken to last as long as the
    last ones did in the middle: those of its variant where there are some, else those of all. The time is None before
    any has ended, and while nobody works.
    """
    trials, repeats = (
        [t for tally in tallies for t in getattr(tally, name)] for name in ("trial_times", "repeat_times")
    )
    left: dict[str, float | None] = {}
    for tally in tallies:
        trial = _middle(tally.trial_times, trials, tally.repeat_times, repeats)
        repeat = _middle(tally.repeat_times, repeats, tally.trial_times, trials)
        trials_left = tally.trials_left + tally.choosings_left  # both are trained alike
        if trial is None or repeat is None or not workers:
            left[tally.variant] = None if trials_left or tally.repeats_left else 0.0
            continue
        seconds = trials_left * trial + tally.repeats_left * repeat
        for slot, share in (under_way or {}).items():
            if slot.variant == tally.variant:
                seconds -= share * (repeat if slot.phase == "repeat" else trial)
        left[tally.variant] = max(0.0, seconds) / workers
    return left


def total(left: Mapping[str, float | None]) -> float | None:
    """The time that the whole sweep still needs; None when that is not known."""
    known = [seconds for seconds in left.values() if seconds is not None]
    return sum(known) if len(known) == len(left) else None


def _middle(*times: Sequence[float]) -> float | None:
    """The median of the first that are enough, or else of the first that are any."""
    chosen = next((some for some in times if len(some) >= _ENOUGH), next((some for some in times if some), None))
    return None if chosen is None else median(chosen)
