"""Who trains, who validates, who tests: sizes that fit, and a seeded draw.

Also here: :func:`seeded`, from which every random thing of this package is drawn, so that two purposes that were given
the same number (a split seed of 0, a batch order with seed 0) never share their random numbers.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from spadam.spec import InputError

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Sizes(NamedTuple):
    """How many samples each split has. ``train`` is at least 1."""

    train: int
    validation: int
    test: int


class Splits(NamedTuple):
    """Indices of each split, int64, disjoint, in an order drawn by the split seed: a prefix is a fair sample.

    ``test`` of a set that has official test files is their own order.
    """

    train: Tensor
    validation: Tensor
    test: Tensor


def seeded(purpose: str, *numbers: int) -> torch.Generator:
    """A generator on the CPU whose numbers are a function of ``purpose`` and ``numbers`` alone.

    The two are hashed: seeds that differ by 1, or the pairs (1, 0) and (0, 1), give unrelated streams.
    """
    import torch  # here, because sizes are checked without it

    digest = hashlib.sha256(f"{purpose}:{numbers}".encode()).digest()
    # torch's CPU generator takes the lower 32 bits of what it is given; all of them come from the hash
    return torch.Generator().manual_seed(int.from_bytes(digest[:4], "big"))


def fit(samples: int, train: int | None, validation: int, test: int) -> Sizes:
    """The sizes of three splits of ``samples`` samples; ``train=None`` takes what the others leave.

    Raises :class:`InputError` when there are not enough samples.
    """
    left = samples - validation - test
    given = f"{validation} for validation" + (f" and {test} for test" if test else "")
    if left < 1:
        raise InputError(
            "data.validation_size",
            validation,
            f"{given} must leave at least 1 of the {samples} samples for training",
            "lower it" if test < samples else "lower data.test_size",
        )
    if train is not None and train > left:
        raise InputError(
            "data.train_size",
            train,
            f"with {given} it must be at most {left} (there are {samples} samples)",
            "lower it, or set data.validation_size (0 for none)",
        )
    return Sizes(left if train is None else train, validation, test)


def count_batches(samples: int, batch_size: int) -> int:
    """Whole batches in ``samples`` samples. Raises :class:`InputError` when there is none."""
    if batch_size > samples:
        rule = f"a batch must not be larger than the training split, which has {samples} samples"
        raise InputError("data.batch_size", batch_size, rule, f"set it to {samples} or less, or raise data.train_size")
    return samples // batch_size


def draw(rows_P: Tensor, sizes: Sizes, seed: int, groups_P: Tensor | None = None) -> Splits:
    """Draw the splits of the samples ``rows_P``, int64 indices.

    The test part is cut from the drawn order first and the training part last: another ``train`` size changes neither
    of the other two, another ``validation`` size not the test part. With ``groups_P``, the group of each sample, test
    and validation take whole groups in a drawn order until they have their sizes: each has at most one group more than
    it asks for, and no group is in two splits. A part of size 0 is empty, and training has at most ``train`` samples.
    """
    import torch

    order_P = torch.randperm(len(rows_P), generator=seeded("split", seed))
    if groups_P is None:
        behind_test = sizes.test + sizes.validation
        parts = order_P[behind_test : sum(sizes)], order_P[sizes.test : behind_test], order_P[: sizes.test]
    else:
        split_P = _assign(groups_P, sizes, seed)[order_P]
        train, validation, test = (order_P[split_P == split] for split in range(3))
        parts = train[: sizes.train], validation, test
    return Splits(*(rows_P[part] for part in parts))


def _assign(groups_P: Tensor, sizes: Sizes, seed: int) -> Tensor:
    """The split of each sample by its group: the place in :class:`Splits`, (P,)."""
    import torch

    _, group_P, counts_G = torch.unique(groups_P, return_inverse=True, return_counts=True)
    split_G = torch.zeros_like(counts_G)
    order_G = torch.randperm(len(counts_G), generator=seeded("groups", seed))
    before_G = counts_G[order_G].cumsum(0) - counts_G[order_G]  # samples of the groups that were drawn before
    test_G = before_G < sizes.test
    taken = int(counts_G[order_G][test_G].sum())
    split_G[order_G[(before_G < taken + sizes.validation) & ~test_G]] = 1
    split_G[order_G[test_G]] = 2
    return split_G[group_P]
