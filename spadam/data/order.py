"""In which order an epoch goes through the training samples: all shuffled, or, of a large set in files, by blocks.

Reading a file at random places costs a seek, or many pages around each sample, where memory does not hold the file. So
the training rows, in the order of the file, are cut into blocks of about 10 MB; the blocks are permuted, taken two at a
time, a *window*, and the rows of a window are shuffled. What is read lies together, and every sample comes once.

Shapes: N training samples, K blocks, M rows of a window.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from spadam.data.samples import Samples
from spadam.data.splits import seeded

WHOLE_BYTES = 1 << 28
"""A set in files of at most so many bytes is shuffled as a whole. The order depends on the set alone, on no machine."""

BLOCK_BYTES = 10_000_000

_SPREAD = 4
"""A block whose rows lie among so many times as many others is not worth being read ahead whole."""


def block_rows(samples: Samples) -> int | None:
    """How many rows a block has; None where ``samples`` are in memory, or so few that they are shuffled as a whole."""
    if not samples.mapped or samples.x.nbytes <= WHOLE_BYTES:
        return None
    return max(1, BLOCK_BYTES * len(samples.x) // samples.x.nbytes)


def forwards(samples: Samples, rows_N: Tensor) -> Tensor:
    """``rows_N`` for one pass: block by block of the file, each in the order given; all as given if not in blocks."""
    size = block_rows(samples)
    return rows_N if size is None else rows_N[(rows_N // size).argsort(stable=True)]


class Blocks:
    """The rows ``rows_N`` of ``samples`` by blocks of ``size``; ``seed`` and epoch decide the order, nothing else."""

    def __init__(self, samples: Samples, rows_N: Tensor, size: int, seed: int) -> None:
        self._samples, self._seed = samples, seed
        self._blocks = torch.split(rows_N.sort().values, size)

    def windows(self, epoch: int, skip: int = 0) -> Iterator[Tensor]:
        """The rows of each window of ``epoch``, (M,), without the first ``skip`` rows; the last may be one block.

        The window behind the one that is given is being read meanwhile.
        """
        order_K = torch.randperm(len(self._blocks), generator=seeded("blocks", self._seed, epoch)).tolist()
        pairs = [[self._blocks[block] for block in order_K[first : first + 2]] for first in range(0, len(order_K), 2)]
        for window, blocks in enumerate(pairs):
            if skip >= (count := sum(map(len, blocks))):
                skip -= count
                continue
            for expected in pairs[window : window + 2]:
                self._expect(expected)
            shuffle_M = torch.randperm(count, generator=seeded("window", self._seed, epoch, window))
            yield torch.cat(blocks)[shuffle_M][skip:]
            skip = 0

    def _expect(self, blocks: list[Tensor]) -> None:
        for rows in blocks:
            first, last = int(rows[0]), int(rows[-1])
            if last - first < _SPREAD * len(rows):
                self._samples.expect(first, last)
