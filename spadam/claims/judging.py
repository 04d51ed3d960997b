"""From what was measured to verdicts.

Let d be the differences of two variants, unit by unit (:mod:`spadam.claims.scale`), and m the margin as one of them.
With a small metric being good, *better* is that the mean of d lies below -m, *worse* that it lies above m, *different*
either, *equivalent* neither; *at least* and *at most* hold the mean against a bound. A claim is *supported*, or
*refuted*, when the interval of the mean lies on one side of where it turns true, and for support the sign-flip test
agrees. An equivalence takes two one-sided tests, and so *different* is refuted by an equivalence alone. What is the
same to the last bit, or one algorithm where every step touches every row, is not tested: it is known.

All claims of a sweep share one chance of error, .05, by Holm's procedure; one that was looked at before, with fewer
units, has its p-value multiplied by the number of looks. Intervals have the level that is left.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from spadam.claims.arm import Arm, places, worst_of
from spadam.claims.scale import Scale
from spadam.claims.spec import ClaimSpec
from spadam.claims.verdict import Answer, Verdict
from spadam.statistics.equivalence import p_within
from spadam.statistics.holm import Step, holm
from spadam.statistics.paired import MANY, Interval, fewest_units, interval, p_sign_flip, p_student
from spadam.statistics.power import units_needed
from spadam.statistics.rate import rate
from spadam.text import count

ALPHA = 0.05
"""The chance that any claim of a sweep is called supported, or refuted, wrongly."""


class Case(NamedTuple):
    """A claim with what there is to judge it by."""

    claim: ClaimSpec
    scale: Scale
    larger_is_better: bool
    arms: tuple[Arm, ...]
    """Those of its variants, in its order."""
    looks: int = 1
    post_hoc: bool = False
    caveats: tuple[str, ...] = ()
    """What must be known of the two, in words, whatever is measured."""


def judge(cases: Sequence[Case], alpha: float = ALPHA) -> list[Verdict]:
    """The verdicts on ``cases``, in their order."""
    found = [_known(case) or _test(case) for case in cases]
    tests = [one for one in found if isinstance(one, _Test)]
    steps = iter(holm([min(1.0, one.p * one.case.looks) for one in tests], alpha))
    return [_decide(one, next(steps)) if isinstance(one, _Test) else one for one in found]


def differences(arms: Sequence[Arm], scale: Scale, larger_is_better: bool) -> dict[int, float]:
    """Of two arms first minus second, unit by unit; of one what it has."""
    worst = worst_of(arms, larger_is_better)
    first, *others = (places(arm, scale, worst) for arm in arms)
    if not others:
        return first
    return {unit: place - others[0][unit] for unit, place in first.items() if unit in others[0]}


def sameness(first: Arm, second: Arm) -> tuple[Answer, str] | None:
    """Whether two arms are known to be the same, and why, in words; None where they are not."""
    if _identical(first, second):
        return "identical", "the same to the last bit"
    if first.alone is not None and first.alone == second.alone:
        return "same_by_construction", "every step touches every row, and there they are one algorithm"
    return None


class _Test(NamedTuple):
    """What is tested of a case: where its mean lies says which answer it can have."""

    case: Case
    differences: list[float]
    answer: Answer
    p: float
    within: bool
    """Whether it is tested that the mean lies within bounds, by two one-sided tests."""
    distance: float
    """How far the mean lies from where the claim turns."""

    def interval(self, alpha: float) -> Interval:
        """That which goes with the test at ``alpha``."""
        return interval(self.differences, 1 - (2 if self.within else 1) * alpha)


def _known(case: Case) -> Verdict | None:
    """The verdict that needs no test; None where one is needed."""
    claim, arms = case.claim, case.arms
    mine = {arm.name: arm for arm in arms}.values()  # with two metrics of a variant its trainings are both sides'
    made = sum(arm.trainings for arm in mine)
    if made < (planned := sum(arm.planned for arm in mine)):
        return _plain(case, "inconclusive", None, f"{made} of {planned} trainings so far")
    found = _found(case)
    if len(arms) == 2 and (same := sameness(*arms)) is not None:
        return _plain(case, same[0], _if_equal(case), same[1], found)
    if blocked := "; ".join(dict.fromkeys(f"{arm.name}: {arm.blocked}" for arm in arms if arm.blocked)):
        return _plain(case, "inconclusive", None, blocked, found)
    if not found:
        which = "none of its trainings has" if len(mine) == 1 else "no two of their trainings have"
        what = " and ".join(dict.fromkeys(metric for _, metric in claim.sides))
        return _plain(case, "inconclusive", None, f"{which} a {what} that can be compared")
    if claim.kind == "equivalent" and any(arm.diverged for arm in arms):
        tested = _test(case)
        if tested.answer == "supported":
            return _plain(case, "inconclusive", None, "trainings diverged, so they are not called equivalent", found)
    return None


def _found(case: Case) -> list[float]:
    return list(differences(case.arms, case.scale, case.larger_is_better).values())


def _identical(first: Arm, second: Arm) -> bool:
    """Whether both have the same values to the last bit, in every unit."""
    shared = first.units.keys() & second.units.keys()
    lists = [(list(first.units[unit]), list(second.units[unit])) for unit in shared]
    whole = shared and len(shared) == max(len(first.units), len(second.units))
    finite = len(list(first.finite())) == first.trainings > 0
    return bool(whole) and finite and all(one == other for one, other in lists)


def _if_equal(case: Case) -> bool:
    """Whether the claim is true of two that are the same."""
    if case.claim.bound is None:
        return case.claim.kind == "equivalent"
    turn, sign = _turn(case)
    return (0.0 - turn) * sign >= 0


def _turn(case: Case) -> tuple[float, int]:
    """Where a claim of one side turns true, and on which side of it: 1 above, -1 below."""
    claim, scale = case.claim, case.scale
    if claim.bound is not None:
        turn = scale.place(claim.bound) if len(case.arms) == 2 else claim.bound
        return turn, 1 if claim.kind == "at_least" else -1
    assert claim.margin is not None
    sign = 1 if (claim.kind == "worse") != case.larger_is_better else -1
    return sign * scale.beyond(claim.margin), sign


def _test(case: Case) -> _Test:
    found = _found(case)
    mean, claim = math.fsum(found) / len(found), case.claim
    if claim.kind not in ("equivalent", "different"):
        turn, sign = _turn(case)
        on_its_side = (mean - turn) * sign > 0
        p = _p(found, turn, both=on_its_side)
        return _Test(case, found, "supported" if on_its_side else "refuted", p, False, abs(mean - turn))
    assert claim.margin is not None
    margin, inside = case.scale.beyond(claim.margin), claim.kind == "equivalent"
    if abs(mean) < margin:
        answer: Answer = "supported" if inside else "refuted"
        return _Test(case, found, answer, p_within(found, -margin, margin), True, margin - abs(mean))
    answer = "refuted" if inside else "supported"
    p = _p(found, math.copysign(margin, mean), both=True)
    return _Test(case, found, answer, p, False, abs(mean) - margin)


def _p(found: Sequence[float], turn: float, both: bool) -> float:
    """Two-sided: of Student's t, and with ``both`` of the sign-flip test, which from 20 units on is alone."""
    if len(found) >= MANY:
        return p_sign_flip(found, turn)
    return max(p_student(found, turn), p_sign_flip(found, turn)) if both else p_student(found, turn)


def _decide(test: _Test, step: Step) -> Verdict:
    alpha = step.alpha / test.case.looks
    shown = test.interval(alpha)
    if step.passes and _clear(test, shown):
        answer: Answer = test.answer
        return _verdict(test.case, answer, answer == "supported", shown, test.p, alpha)
    two_sided = 2 * alpha if test.within else alpha
    fewest, reason = fewest_units(two_sided), ""
    if len(test.differences) < fewest and test.answer == "supported":
        what = count(len(test.differences), test.case.claim.unit)
        reason = f"{what} cannot give a sign-flip p below {alpha:.2g}, however large the difference; {fewest} can"
    needed = units_needed(test.distance, statistics.stdev(test.differences), two_sided) if shown.n > 1 else None
    needed = None if needed is None else max(needed, fewest)
    verdict = _verdict(test.case, "inconclusive", None, shown, test.p, alpha)
    return verdict._replace(needed=needed, reason=reason)


def _clear(test: _Test, shown: Interval) -> bool:
    """Whether the interval says what the test says; a bootstrap's may not."""
    claim, case = test.case.claim, test.case
    if claim.kind in ("equivalent", "different"):
        margin = case.scale.beyond(claim.margin or 0.0)
        return -margin < shown.low and shown.high < margin if test.within else max(shown.low, -shown.high) > margin
    turn, sign = _turn(case)
    above, below = shown.low > turn, shown.high < turn
    return (above if sign > 0 else below) if test.answer == "supported" else (below if sign > 0 else above)


def _plain(case: Case, answer: Answer, holds: bool | None, reason: str, found: Sequence[float] = ()) -> Verdict:
    """A verdict that no test has given; the interval is what it would have alone."""
    verdict = _verdict(case, answer, holds, interval(found, 1 - ALPHA) if found else None)
    return verdict._replace(reason=reason)


def _verdict(
    case: Case,
    answer: Answer,
    holds: bool | None,
    shown: Interval | None,
    p: float | None = None,
    alpha: float | None = None,
) -> Verdict:
    rates = {arm.name: rate(arm.diverged, arm.trainings) for arm in case.arms if arm.diverged}
    verdict = Verdict(case.claim, answer, holds, p=p, alpha=alpha, looks=case.looks, post_hoc=case.post_hoc)
    verdict = verdict._replace(diverged=rates, scale=case.scale, caveats=case.caveats)
    if shown is None:
        return verdict
    return verdict._replace(effect=shown.mean, low=shown.low, high=shown.high, level=shown.level, n=shown.n)
