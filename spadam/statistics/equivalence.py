"""Whether a difference is too small to matter: two one-sided tests (Schuirmann 1987)."""

from __future__ import annotations

from collections.abc import Sequence

from spadam.statistics.paired import MANY, p_sign_flip, p_student


def p_within(differences: Sequence[float], low: float, high: float) -> float:
    """The p-value that the mean of ``differences`` does *not* lie between ``low`` and ``high``.

    It is the larger of that for "at most ``low``" and that for "at least ``high``", and of Student's t-test (below 20
    units) and of the sign-flip test. Where it is below alpha, an interval of the level 1 - 2 alpha lies within them.
    """
    tests = (p_student, p_sign_flip) if len(differences) < MANY else (p_sign_flip,)
    return max(p for test in tests for p in (test(differences, low, "greater"), test(differences, high, "less")))
