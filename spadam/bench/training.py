"""Cases of a whole training step: over its floor, and against the step in plain PyTorch."""

from __future__ import annotations

from functools import partial

from spadam.bench.case import Case, Measured, NotRun, Settings, measured
from spadam.bench.steps import HUGE, LARGE, LONG, MIDDLE, SMALL, Floor, Naive, Ours, Size, draw
from spadam.bench.timing import alternate
from spadam.encoding.speed import fast_type

FLOAT32 = {SMALL: 1.45, MIDDLE: 1.25, LARGE: 1.25, HUGE: 1.25, LONG: 1.30}
CERTIFIED = {SMALL: 1.25, MIDDLE: 0.75, LARGE: 0.45, HUGE: 0.32, LONG: 0.50}
NAIVE = {SMALL: 4.0, LARGE: 11.0, HUGE: 25.0}

_SECONDS = {SMALL: 6, MIDDLE: 6, LARGE: 8, HUGE: 18, LONG: 25}
"""About how long a case over the floor takes."""


def over_floor(size: Size, selection: str, settings: Settings) -> Measured:
    """Our whole step over the float32 product and top-k."""
    if selection == "certified" and fast_type() is None:
        raise NotRun("this processor has no fast products of int8 or bfloat16")
    batches = draw(size)
    ours = Ours(size, batches, selection)
    found = alternate(ours.step, Floor(size, batches).step, settings.effort)
    return measured(found, _touched(ours, size))


def naive_over_ours(size: Size, settings: Settings) -> Measured:
    """The step in plain PyTorch over ours."""
    batches = draw(size)
    ours = Ours(size, batches)
    return measured(alternate(Naive(size, batches).step, ours.step, settings.effort), _touched(ours, size))


def _touched(ours: Ours, size: Size) -> str:
    counts = ours.model.selector.counts
    certified = f", {counts.certified / counts.samples:.2%} of samples certified" if counts.samples else ""
    return f"{ours.rows_touched()} of {size.latents} rows touched{certified}"


def _cases() -> tuple[Case, ...]:
    whole = "forward, backward and LazyAdam, tied, no probe"
    floor = "the float32 encoder product and top-k"
    cases = []
    for selection, bars in (("float32", FLOAT32), ("certified", CERTIFIED)):
        cases += [
            Case(
                name=f"{selection} step / floor: {size}",
                bar=bar,
                direction="at most",
                says=f"A training step ({whole}; selection {selection}) over {floor}.",
                measure=partial(over_floor, size, selection),
                seconds=_SECONDS[size],
                quick=size in (SMALL, MIDDLE),
            )
            for size, bar in bars.items()
        ]
    cases += [
        Case(
            name=f"naive step / ours: {size}",
            bar=bar,
            direction="at least",
            says="A step in plain PyTorch (scattered code, autograd, fused dense Adam) over our step on its best path.",
            measure=partial(naive_over_ours, size),
            seconds=40 if size == HUGE else _SECONDS[size],
            quick=size == SMALL,
        )
        for size, bar in NAIVE.items()
    ]
    return tuple(cases)


CASES = _cases()
