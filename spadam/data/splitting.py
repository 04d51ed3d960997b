"""From what a set holds to the splits that a training sees: official parts, samples left out, groups kept together.

Shapes: N samples of the whole set, P of those that are drawn from.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING

from spadam.data.exclude import ExcludeSpec, excluded
from spadam.data.splits import Sizes, Splits, draw
from spadam.spec import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from spadam.data.samples import Samples


def split(samples: Samples, exclude: ExcludeSpec | None, fit: Callable[[int], Sizes], seed: int) -> Splits:
    """The splits of ``samples``; ``fit`` gives their sizes when so many samples are there to be drawn from.

    Where groups are kept together, training may get fewer samples than that: whoever has asked for more must be told.
    An official part is the split of its name, in its own order; the others are drawn. What ``exclude`` names, or a mask
    of the samples, is in none. Raises :class:`InputError` when samples do not suffice, and when a group that is to be
    kept together is not.
    """
    import torch

    rows_N, out_N = torch.arange(samples.count), excluded(samples, exclude)
    parts = rows_N.split_with_sizes([samples.pool, samples.official_validation, samples.official_test])
    pool_P, validation, test = (part[~out_N[part]] for part in parts)
    if not len(pool_P):
        rule = f"it leaves out all of the {samples.pool} samples that are to be split"
        raise InputError("data.exclude", None, rule, "leave some in")
    sizes, groups_P = fit(len(pool_P)), None
    if samples.groups is not None:
        groups_P = samples.groups[pool_P]
        if len(samples.groups) == samples.count:
            _check_apart(groups_P, samples.groups[validation], samples.groups[test])
    found = draw(pool_P, sizes, seed, groups_P)
    if groups_P is not None and not len(found.train):
        taken, count = (len(found.validation), len(found.test)), len(torch.unique(groups_P))
        rule = f"validation takes {taken[0]} and test {taken[1]} samples of {count} whole groups, and none are left"
        raise InputError("data.groups", None, rule, "lower data.validation_size, or make smaller groups")
    return Splits(
        found.train,
        validation if samples.official_validation else found.validation,
        test if samples.official_test else found.test,
    )


def _check_apart(drawn: Tensor, validation: Tensor, test: Tensor) -> None:
    """Refuse groups with samples in an official part and elsewhere."""
    import torch

    named = {"the samples to be split": drawn, "the validation part": validation, "the test part": test}
    for one, other in itertools.combinations(named, 2):
        if (both := torch.isin(named[one], named[other])).any():
            rule = f"group {int(named[one][both][0])} is both in {one} and in {other} of the set"
            raise InputError("data.groups", None, rule, "take its samples out of one of the two (data.exclude.mask)")
