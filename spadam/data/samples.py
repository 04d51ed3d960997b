"""Samples as a source holds them: in memory, or mapped from a file.

Shapes: N samples, D features, M samples that were asked for, A true atoms.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from spadam.data.shards import Rows, expect, name_row, pieces
from spadam.spec import InputError

CHUNK = 1 << 22
"""Elements worked on at a time in a pass over many samples."""

_HASHED_BYTES = 1 << 28
"""A memory-mapped set larger than this is hashed by rows that are evenly spread over it."""


@dataclass(frozen=True, eq=False)
class Samples:
    """What a source holds, before it is split. Shared by every training of a process: do not change it in place."""

    x: Rows
    """(N, D) float32; of a memory-mapped set any floating type, in one file or in shards. Images are in [0, 1]."""
    y: Tensor | None = None
    """(N,) int64 class of each sample, or None."""
    classes: int | None = None
    """Number of classes; None without labels."""
    image_shape: tuple[int, int] | None = None
    """(height, width) with height x width = D, when a sample is an image."""
    atoms: Tensor | None = None
    """(A, D) float32 dictionary of unit atoms that the samples were made from, when it is known."""
    official_test: int = 0
    """This many last samples are the set's own test part."""
    mapped: bool = False
    """``x`` lies in files: it is read as it is used, has not been looked through for NaN, and cannot be written to."""
    apart: Mapping[str, Rows] = field(default_factory=dict)
    """Further mapped samples, (…, D) of any floating type, by the argument that names their file; they are numbered
    behind those of ``x``, and ``y`` holds their classes too."""
    official_validation: int = 0
    """This many samples before the official test part are the set's own validation part."""
    groups: Tensor | None = None
    """int64 group of each sample, of those to be split or of all; None where nothing says which belong together."""
    mask: Tensor | None = None
    """bool, of the samples to be split or of all: what is in no split; None where no file says so."""
    argument: str = "data.file"
    """What names the file of ``x``."""
    target: Samples | None = None
    """What is to be reconstructed of each, (N, E), in the same order; None: the samples themselves."""

    @property
    def count(self) -> int:
        """N, all samples."""
        return sum(length for _, length in self.counts)

    @property
    def counts(self) -> list[tuple[str, int]]:
        """How many samples each file has, by the argument that names it."""
        return [(argument, len(part)) for argument, _, part in self._parts()]

    @property
    def pool(self) -> int:
        """How many of them are to be split, the first ones: those that are no official part."""
        return self.count - self.official_validation - self.official_test

    def take(self, rows_M: Tensor) -> Tensor:
        """The samples ``rows_M``, int64 indices on their device, as float32, (M, D).

        Raises :class:`InputError` when a memory-mapped sample holds what is not a finite float32 number.
        """
        x_MD = self._gather(rows_M)
        if self.mapped and not x_MD.isfinite().all():
            row = int(rows_M[(~x_MD.isfinite()).any(1)][0])
            argument, first, part = next(found for found in self._parts() if found[1] <= row < found[1] + len(found[2]))
            rule = f"{name_row(part, row - first)} holds a value that is not a finite float32 number"
            raise InputError(argument, None, rule, "mend the sample or take it out")
        return x_MD

    @cached_property
    def norms(self) -> Tensor:
        """Euclidean norm of every sample, (N,) float64; what is not finite is not told. It reads all of them."""
        found = []
        for start in range(0, self.count, step := max(1, CHUNK // self.x.shape[1])):
            rows = torch.arange(start, min(start + step, self.count), device=self.x.device)
            found.append(self._gather(rows).double().square().sum(1).sqrt().cpu())
        return torch.cat(found)

    def _gather(self, rows_M: Tensor) -> Tensor:
        if not self.apart:
            return self.x.index_select(0, rows_M).to(torch.float32)
        x_MD = torch.empty(len(rows_M), self.x.shape[1])
        for _, first, part in self._parts():
            here_M = (first <= rows_M) & (rows_M < first + len(part))
            x_MD[here_M] = part.index_select(0, rows_M[here_M] - first).to(torch.float32)
        return x_MD

    def expect(self, first: int, last: int) -> None:
        """The mapped samples from ``first`` to ``last`` of ``x`` are needed soon, and their targets: read ahead."""
        expect(self.x, first, last)
        if self.target is not None:
            self.target.expect(first, last)

    def lengths(self, *, pool: bool) -> list[int]:
        """How many samples each file holds: of those to be split (``pool``), or of all; in memory they are in one."""
        if not self.mapped:
            return [self.pool if pool else self.count]
        return [len(piece) for part in ([self.x] if pool else [self.x, *self.apart.values()]) for piece in pieces(part)]

    def _parts(self) -> Iterator[tuple[str, int, Rows]]:
        """Samples that lie together, the argument that names each and the number of its first sample."""
        first = 0
        for argument, part in {self.argument: self.x, **self.apart}.items():
            yield argument, first, part
            first += len(part)

    def to(self, device: torch.device | str) -> Samples:
        """The samples on ``device``. Memory-mapped ones stay on the CPU, where their batches are moved from."""
        if self.mapped or self.x.device == torch.device(device):
            return self
        movable = {name: getattr(self, name) for name in ("x", "y", "atoms", "target")}
        return replace(self, **{name: part.to(device) for name, part in movable.items() if part is not None})

    @cached_property
    def digest(self) -> str:
        """sha256 of everything above, as hex."""
        facts = (tuple(self.x.shape), str(self.x.dtype), self.classes, self.image_shape, self.official_test)
        total = hashlib.sha256(repr(facts).encode())
        for tensor in (*self._spread(self.x), self.y, self.atoms):
            total.update(b"none" if tensor is None else bytes_of(tensor))
        for argument, part in self.apart.items():  # what earlier releases had no name for counts where it is there
            total.update(repr((argument, tuple(part.shape), str(part.dtype))).encode())
            for tensor in self._spread(part):
                total.update(bytes_of(tensor))
        for name in ("groups", "mask"):
            if (tensor := getattr(self, name)) is not None:
                total.update(name.encode() + bytes_of(tensor))
        if self.target is not None:
            total.update(b"target" + self.target.digest.encode())
        return total.hexdigest()

    def _spread(self, x_ND: Rows) -> tuple[Tensor, ...]:
        """``x_ND``, or as many of its rows as are hashed of large files: the same however many files there are."""
        if not self.mapped or x_ND.nbytes <= _HASHED_BYTES:
            return pieces(x_ND)
        rows = max(2, _HASHED_BYTES * len(x_ND) // x_ND.nbytes)
        return (x_ND.index_select(0, torch.linspace(0, len(x_ND) - 1, rows, dtype=torch.float64).long()),)


def bytes_of(tensor: Tensor) -> bytes | memoryview:
    """What ``tensor`` holds, for a hash."""
    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data if tensor.numel() else b""
