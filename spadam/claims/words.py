"""Verdicts and differences as sentences: the same in a terminal and on a page."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from spadam.claims.comparison import Comparison
from spadam.claims.spec import ClaimSpec
from spadam.claims.verdict import Answer, Verdict
from spadam.text import count, number, share

ANSWERS: dict[Answer, str] = {
    "supported": "supported",
    "refuted": "refuted",
    "inconclusive": "inconclusive",
    "identical": "identical",
    "same_by_construction": "the same by construction",
}
"""What each answer is called."""


def sentence(verdict: Verdict) -> str:
    """What was measured, by how much and how sure, and what must be known of it."""
    return "; ".join([_measured(verdict), *_beside(verdict)])


def asked(verdict: Verdict) -> str:
    """What decides on the claim, in words: for whoever does not have the sweep's file at hand.

    >>> from spadam.claims.spec import ClaimSpec
    >>> from spadam.claims.scale import Scale
    >>> given = {"says": "so", "variants": ("a", "b"), "metric": "test/fvu", "kind": "better", "margin": 0.01}
    >>> asked(Verdict(ClaimSpec(**given), "supported", True, scale=Scale(True)))
    'a better than b in test/fvu by more than 1 %'
    """
    claim, scale = verdict.claim, verdict.scale
    first, second = claim.variants[0], claim.variants[-1]
    if claim.bound is not None:
        what = f"{claim.metric} of {first}"
        if len(claim.sides) == 2:
            what += f" {'over' if scale.ratio else 'minus'} {_other(claim)}"
        return f"{what} {claim.kind.replace('_', ' ')} {number(claim.bound)}"
    margin = scale.amount(scale.beyond(claim.margin or 0.0))
    mine, other, of = first, second, f" in {claim.metric}"
    if claim.against is not None:
        mine, other, of = f"{claim.metric} of {first}", _other(claim), ""
    return {
        "better": f"{mine} better than {other}{of} by more than {margin}",
        "worse": f"{mine} worse than {other}{of} by more than {margin}",
        "different": f"{mine} and {other} differ{of} by more than {margin}",
        "equivalent": f"{mine} and {other} differ{of} by less than {margin}",
    }[claim.kind]


def difference(found: Comparison) -> str:
    """How far two variants lie apart: the mean, its interval, and of how many units."""
    if found.same == "" and found.difference is None:
        return "–"
    n = 0 if found.difference is None else found.difference.n
    of = count(n, "seed" if found.study is not None else "study")
    if found.same.startswith("the same"):
        return f"the same bits ({of})"
    assert found.difference is not None
    signed, (mean, low, high, _, _) = found.scale.signed, found.difference
    said = signed(mean) if n < 2 else f"{signed(mean)} ({signed(low, mean)} to {signed(high, mean)})"
    return f"{said}, {of}" + (f"; {found.same}" if found.same else "")


def _measured(verdict: Verdict) -> str:
    claim, scale = verdict.claim, verdict.scale
    of = count(verdict.n, claim.unit)
    if verdict.effect is None:
        return verdict.reason or "nothing was measured"
    if verdict.answer == "identical":
        if claim.against is not None:
            return f"{claim.metric} of {claim.variants[0]} and {_other(claim)} are the same to the last bit ({of})"
        return f"{claim.variants[0]} and {claim.variants[1]} have the same {claim.metric} to the last bit ({of})"
    if len(claim.sides) == 1:
        said = f"{claim.variants[0]} has a mean {claim.metric} of {number(verdict.effect)}"
        interval = _ends(verdict, lambda end: number(end))
    else:
        mean = verdict.effect
        said, interval = _difference(verdict), _ends(verdict, lambda end: scale.signed(end, mean))
    return f"{said} ({interval}{of})"


def _difference(verdict: Verdict) -> str:
    ((first, metric), (second, _)), effect = verdict.claim.sides, verdict.effect or 0.0
    if verdict.claim.against is not None:
        mine, other = f"{metric} of {first}", _other(verdict.claim)
        if effect == 0:
            return f"{mine} and {other} are the same on average"
        if verdict.scale.is_factor(effect):
            return f"{mine} is {number(math.exp(effect), 3)} times {other}"
        return f"{mine} is {verdict.scale.amount(effect)} {'more' if effect > 0 else 'less'} than {other}"
    if effect == 0:
        return f"{first} and {second} have the same {metric} on average"
    if verdict.scale.is_factor(effect):
        return f"{metric} of {first} is {number(math.exp(effect), 3)} times that of {second}"
    return f"{first} has {verdict.scale.amount(effect)} {'more' if effect > 0 else 'less'} {metric} than {second}"


def _other(claim: ClaimSpec) -> str:
    """What the first is held against, after it was named.

    >>> given = {"says": "so", "metric": "test/fvu", "kind": "better", "margin": 0.01}
    >>> _other(ClaimSpec(**given, variants=("a", "b"))), _other(ClaimSpec(**given, variants=("a",), against="val/fvu"))
    ('that of b', 'its val/fvu')
    """
    (first, _), (second, metric) = claim.sides
    if second == first:
        return f"its {metric}"
    return f"that of {second}" if claim.against is None else f"{metric} of {second}"


def _ends(verdict: Verdict, say: Callable[[float], str]) -> str:
    """The interval and its level, with a semicolon behind it; nothing where there is none."""
    low, high = verdict.low, verdict.high
    if low is None or high is None or verdict.level is None or not math.isfinite(low + high):
        return ""
    return f"{share(verdict.level).replace('.0', '')} interval {say(low)} to {say(high)}; "


def _beside(verdict: Verdict) -> Iterator[str]:
    claim = verdict.claim
    if verdict.effect is not None and verdict.answer != "identical" and verdict.reason:
        yield verdict.reason
    if verdict.answer == "inconclusive" and verdict.needed is not None:
        yield f"about {count(verdict.needed, claim.unit)} would settle it four times in five, if spread and mean stay"
    yield from verdict.caveats
    for name, rate in verdict.diverged.items():
        times = round(rate.share * rate.n)
        yield f"{times} of {rate.n} trainings of {name} diverged ({share(rate.low)} to {share(rate.high)})"
    if verdict.looks > 1:
        yield f"look number {verdict.looks} at it, so its level is divided by {verdict.looks}"
    if verdict.post_hoc:
        yield "post hoc: the claim was made when results were there already"
