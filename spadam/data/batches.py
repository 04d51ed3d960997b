"""Training batches, made by indexing the set.

Shapes: N samples of a split, B samples of a batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from spadam.data.dataset import Batch, Dataset
from spadam.data.order import Blocks, block_rows
from spadam.data.source import BaseDatasetSpec, Composition
from spadam.data.splits import count_batches, seeded
from spadam.spec import InputError


class Batches:
    """Shuffled batches of ``rows_N``, one epoch per ``iter()``; the last incomplete batch of an epoch is left out.

    ``dataset`` is where the samples are; ``rows_N`` the indices to go through (``dataset.train``); ``batch_size`` B;
    ``seed`` what the order depends on, together with the epoch and nothing else (neither device nor what was drawn
    before). A set in files that is larger than 256 MiB is shuffled by blocks (:mod:`spadam.data.order`). With
    ``composed="by_class"`` the shuffled samples are sorted by class before they are cut into batches, and the batches
    are shuffled: each holds samples of one class, at a border of two. Every batch is a
    :data:`~spadam.data.dataset.Batch`: ``(x_BD, y_B)``, or ``x_BD`` alone without labels.

    ``state_dict()`` is ``{"epoch", "position"}``: the epoch under way and how many of its batches were handed out.
    What an iterator goes through is decided when its first batch is taken:

    - after ``load_state_dict``, the rest of that epoch, or the next epoch when nothing is left;
    - after ``sampler.set_epoch(e)``, epoch e from its start, or the rest of it when a loaded state has begun it;
    - otherwise the next epoch if a batch of this one was handed out, however many (as a DataLoader does).

    Lightning needs all three: it makes iterators that it never uses, tells the epoch through ``sampler``, and loads the
    state of a checkpoint that was saved within an epoch, but not of one that was saved at its end. It takes one batch
    at a time and saves after a step, so that a checkpoint holds just what was trained on.

    Serves one iterator at a time. Raises :class:`InputError` when not even one batch can be made, or none by class.
    """

    def __init__(
        self, dataset: Dataset, rows_N: Tensor, batch_size: int, seed: int, composed: Composition = "shuffled"
    ) -> None:
        self.dataset, self.rows_N, self.batch_size, self.seed = dataset, rows_N, batch_size, seed
        self.epoch = self.position = 0
        self._length = count_batches(len(rows_N), batch_size)
        self._begun = False
        block = block_rows(dataset.samples)
        self._blocks = None if block is None else Blocks(dataset.samples, rows_N, block, seed)
        self._classes_N = _classes(dataset, rows_N, in_blocks=block is not None) if composed == "by_class" else None

    @classmethod
    def of(cls, spec: BaseDatasetSpec, dataset: Dataset, seed: int) -> Batches:
        """The training batches of ``dataset`` that ``spec`` asks for."""
        return cls(dataset, dataset.train, spec.batch_size, seed, composed=spec.batches)

    def __len__(self) -> int:
        """Batches in a whole epoch."""
        return self._length

    def __iter__(self) -> Iterator[Batch]:
        if self._begun or self.position == len(self):
            self.epoch, self.position, self._begun = self.epoch + 1, 0, False
        epoch, first = self.epoch, self.position
        for index, rows_B in enumerate(self._rows(epoch, first), first):
            batch = self.dataset.batch(rows_B)
            self.epoch, self.position, self._begun = epoch, index + 1, True
            yield batch

    @property
    def sampler(self) -> Batches:
        """Itself: where Lightning looks for :meth:`set_epoch`."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Go through ``epoch`` next, unless that is the one a loaded state has begun."""
        if self._begun or epoch != self.epoch:
            self.epoch, self.position, self._begun = epoch, 0, False

    def order(self, epoch: int) -> Tensor:
        """All indices in the order of ``epoch``, on the device of the samples, (N,)."""
        if self._blocks is not None:
            return torch.cat(list(self._blocks.windows(epoch)))
        shuffle_N = torch.randperm(len(self.rows_N), generator=seeded("batches", self.seed, epoch))
        if self._classes_N is not None:
            shuffle_N = self._by_class(shuffle_N, self._classes_N, epoch)
        order_N = self.rows_N.index_select(0, shuffle_N.to(self.rows_N.device))
        return order_N.to(self.dataset.x.device)  # once an epoch, so that no batch waits for a copy

    def _by_class(self, shuffle_N: Tensor, classes_N: Tensor, epoch: int) -> Tensor:
        """``shuffle_N`` sorted by class, cut into batches, and these shuffled; what is left over comes last.

        Which class is sorted last, and so loses samples, is drawn too.
        """
        cut, drawn = len(self) * self.batch_size, seeded("batches by class", self.seed, epoch)
        place_C = torch.randperm(int(classes_N.max()) + 1, generator=drawn)
        sorted_N = shuffle_N[place_C[classes_N[shuffle_N]].argsort(stable=True)]
        batches = torch.randperm(len(self), generator=drawn)
        return torch.cat([sorted_N[:cut].view(-1, self.batch_size)[batches].flatten(), sorted_N[cut:]])

    def _rows(self, epoch: int, position: int) -> Iterator[Tensor]:
        """The indices of each batch of ``epoch`` from that at ``position`` on, (B,)."""
        size = self.batch_size
        if self._blocks is None:
            yield from torch.split(self.order(epoch)[position * size : len(self) * size], size)
            return
        held: list[Tensor] = []
        for window_M in self._blocks.windows(epoch, position * size):
            held.append(window_M)
            if (rows := sum(map(len, held))) >= size:
                *batches, left = torch.cat(held).tensor_split(tuple(range(size, rows + 1, size)))
                held = [left]
                yield from batches

    def state_dict(self) -> dict[str, int]:
        """Where the iteration stands: ``epoch`` from 0, and its ``position`` in batches."""
        return {"epoch": self.epoch, "position": self.position}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on from ``state``. Raises ValueError when it cannot be one of this set and batch size."""
        epoch, position = state["epoch"], state["position"]
        if epoch < 0 or not 0 <= position <= len(self):
            raise ValueError(
                f"`0 <= epoch` and `0 <= position <= {len(self)}` must hold, but got ({epoch=}, {position=}): "
                "the state was saved with another set or batch size"
            )
        self.epoch, self.position, self._begun = epoch, position, False


def _classes(dataset: Dataset, rows_N: Tensor, in_blocks: bool) -> Tensor:
    """The classes of ``rows_N``, (N,), on the CPU."""
    if dataset.y is None or in_blocks:
        rule = "samples without labels have no classes" if dataset.y is None else "so large a set is read in blocks"
        raise InputError("data.batches", "by_class", rule, "set data.batches: shuffled")
    return dataset.y.index_select(0, rows_N.to(dataset.y.device)).cpu()
