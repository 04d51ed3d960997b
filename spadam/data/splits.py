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


def draw(samples: int, sizes: Sizes, official_test: int, seed: int) -> Splits:
    """Draw the splits of ``samples`` samples; ``official_test`` further ones behind them are test samples as they are.

    The test part is cut from the drawn order first and the training part last: another ``train_size`` changes neither
    of the other two, another ``validation_size`` not the test part.
    """
    assert not (official_test and sizes.test), "a set has official test samples or a drawn test part, not both"
    import torch

    order_N = torch.randperm(samples, generator=seeded("split", seed))
    behind_test = sizes.test + sizes.validation
    test, validation = order_N[: sizes.test], order_N[sizes.test : behind_test]
    if official_test:
        test = torch.arange(samples, samples + official_test)
    return Splits(order_N[behind_test : sum(sizes)], validation, test)
