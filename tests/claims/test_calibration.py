"""How often verdicts are wrong, in a short run: of a variant and its copy, search and choice included.

`make calibrate` runs the long form, whose figures stand in docs/statistics.md.
"""

import math
from functools import partial

import numpy as np
import pytest
from scipy.stats import binom

from spadam.statistics.paired import interval
from support.copies import generators, share, verdict

TIMES = 150


def most(times: int, rate: float) -> int:
    """What a true rate stays below with a chance of .999."""
    return int(binom.ppf(0.999, times, rate))


def test_the_bound_of_a_thousand_is_seventy_three() -> None:
    assert most(1000, 0.05) == 73


def test_studies_tell_a_variant_from_its_copy_as_often_as_they_may() -> None:
    copies = partial(verdict, margin=1e-9, studies=6, seeds=2, sampler="random")
    assert share(TIMES, copies, "supported") <= most(TIMES, 0.05)


def test_seeds_alone_do_so_far_too_often_without_a_margin() -> None:
    """What studies are for: two searches found two places, and ten seeds see that."""
    copies = partial(verdict, margin=1e-9, studies=1, seeds=10, sampler="random")
    assert share(TIMES, copies, "supported") > 2 * most(TIMES, 0.05)


def test_with_a_margin_a_copy_is_hardly_ever_another() -> None:
    copies = partial(verdict, margin=0.01, studies=6, seeds=2, sampler="random")
    assert share(TIMES, copies, "supported") <= most(TIMES, 0.01)


def test_what_is_there_is_found() -> None:
    other = partial(verdict, kind="better", margin=0.01, studies=6, seeds=2, better=0.1, sampler="random")
    assert share(60, other, "supported") >= 50


@pytest.mark.parametrize(("n", "level"), [(6, 0.95), (10, 0.90), (24, 0.95)])
def test_intervals_cover_what_they_say(n: int, level: float) -> None:
    times, covered = 400, 0
    for rng in generators(times):
        found = interval(list(rng.normal(0.3, 1.0, n)), level)
        covered += found.low <= 0.3 <= found.high
    slack = 4 * math.sqrt(level * (1 - level) / times)
    assert covered / times == pytest.approx(level, abs=slack)
    assert isinstance(rng, np.random.Generator)
