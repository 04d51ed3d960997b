"""Cases of the optimizers alone: against torch's, against memory, and as tables grow.

Shapes: L rows of a table, D features, R rows touched.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from spadam.bench.case import Case, Measured, Settings, measured
from spadam.bench.steps import AT_BATCH_128, LARGE, MIDDLE, SMALL, Size, build, gradients
from spadam.bench.timing import alternate
from spadam.data.splits import seeded
from spadam.optim import OPTIMIZERS, BaseOptimizerSpec, LazyAdam, MaskedAdam, RowSamples

FEATURES, ROWS = 784, 4000
SIZES = (16384, 65536)
GROWN = 262144

_GRADIENTS = 4
"""Different gradients that take turns, so that a row's moments are not still in the cache from the step before."""


class Stepper:
    """An optimizer that steps a table (L, D), given row-sparse gradients that take turns."""

    def __init__(self, weight_LD: Tensor, make: Callable[..., Optimizer], gradients: list[Tensor]) -> None:
        self.table = torch.nn.Parameter(weight_LD.clone())
        self.optimizer = make([self.table])
        self._gradients = itertools.cycle(gradients)

    def step(self) -> None:
        """One step, with the next gradient."""
        self.table.grad = next(self._gradients)
        rows_R = self.table.grad._indices()[0]
        table: Any = self.table
        table.row_samples = RowSamples(rows_R, torch.ones_like(rows_R), len(rows_R))  # those who count want to know
        self.optimizer.step()


class Copy:
    """A plain copy that reads and writes as many bytes as ``stepper`` must, ``rows`` of its rows a step.

    An element is read and written once a step in the table and in every moment of its shape, and read once in the
    gradient; a copy reads one half of its bytes and writes the other.
    """

    def __init__(self, stepper: Stepper, rows: int) -> None:
        stepper.step()  # the state comes with the first step
        table = stepper.table
        state = stepper.optimizer.state[table].values()
        self.moments = sum(1 for value in state if isinstance(value, Tensor) and value.shape == table.shape)
        elements = (2 * self.moments + 3) * rows * table.shape[1]
        self.pairs = torch.ones(_GRADIENTS, 2, elements // 2)  # zeros would need no memory until written
        self.nbytes = self.pairs[0].nbytes
        self._turns = itertools.cycle(self.pairs)

    def run(self) -> None:
        """Copy; not what was copied a moment ago, since a step has other rows too."""
        source, target = next(self._turns)
        target.copy_(source)


def draw_gradients(latents: int, rows: int = ROWS, features: int = FEATURES) -> list[Tensor]:
    """Coalesced COO gradients (L, D) that touch ``rows`` rows each."""
    random = seeded("bench gradients", latents, rows)
    found = []
    for _ in range(_GRADIENTS):
        rows_R = torch.randperm(latents, generator=random)[:rows].sort().values
        values_RD = torch.randn(rows, features, generator=random)
        found.append(_coo(rows_R, values_RD, latents))
    return found


def _coo(rows_R: Tensor, values_RD: Tensor, latents: int) -> Tensor:
    shape = (latents, values_RD.shape[1])
    return torch.sparse_coo_tensor(rows_R[None], values_RD, shape, is_coalesced=True, check_invariants=False)


def sparse_adam_over_lazy(size: Size, settings: Settings) -> Measured:
    """torch.optim.SparseAdam over LazyAdam on a step's gradients. Raises AssertionError when results differ."""
    given = list(gradients(size, _GRADIENTS))
    start_LD = build(size).encoder_weight.detach()
    torchs = Stepper(start_LD, partial(torch.optim.SparseAdam, lr=1e-3), given)
    ours = Stepper(start_LD, partial(LazyAdam, lr=1e-3), given)
    found = alternate(torchs.step, ours.step, settings.effort)
    torch.testing.assert_close(torchs.table, ours.table)
    return measured(found, f"{given[0]._nnz()} of {size.latents} rows touched; the same result")


def step_over_copy(spec: type[BaseOptimizerSpec], latents: int, settings: Settings) -> Measured:
    """A step of 4000 rows over a plain copy of the same bytes."""
    stepper = _stepper(spec().build, latents)
    copy = Copy(stepper, ROWS)
    found = alternate(stepper.step, copy.run, settings.effort)
    speed = copy.nbytes / found.over
    return measured(found, f"{copy.nbytes / 1e6:.0f} MB read and written; the copy {speed / 1e9:.1f} GB/s")


def masked_over_lazy(latents: int, settings: Settings) -> Measured:
    """MaskedAdam over LazyAdam, 4000 rows."""
    masked, lazy = (_stepper(kind, latents) for kind in (MaskedAdam, LazyAdam))
    return measured(alternate(masked.step, lazy.step, settings.effort), f"{ROWS} rows touched")


def growth(optimizer: Callable[..., Optimizer], settings: Settings) -> Measured:
    """A step of 4000 rows of a table of 262144 over one of a table of 16384."""
    large, small = (_stepper(optimizer, latents) for latents in (GROWN, SIZES[0]))
    return measured(alternate(large.step, small.step, settings.effort), f"{ROWS} rows touched")


def _stepper(make: Callable[..., Optimizer], latents: int) -> Stepper:
    weight_LD = torch.randn(latents, FEATURES, generator=seeded("bench table", latents))
    return Stepper(weight_LD, make, draw_gradients(latents))


def holding() -> list[type[BaseOptimizerSpec]]:
    """Every optimizer of the registry that leaves untouched rows where they are and takes row-sparse gradients."""
    return [spec for spec in OPTIMIZERS if not spec.moves_untouched and _form(spec) == "coo"]


def _form(spec: type[BaseOptimizerSpec]) -> str:
    form: str = getattr(spec, "gradient")  # noqa: B009 # each member has one, their base says so in words
    return form


def _name(spec: type[BaseOptimizerSpec]) -> str:
    return str(spec.model_fields["name"].default)


def _cases() -> tuple[Case, ...]:
    cases = [
        Case(
            name=f"SparseAdam / LazyAdam: {size}",
            bar=5.0,
            direction="at least",
            says="torch.optim.SparseAdam over LazyAdam, on the same coalesced COO gradients of a step; results equal.",
            measure=partial(sparse_adam_over_lazy, size),
            seconds=8,
            quick=size in (SMALL, MIDDLE),
        )
        for size in AT_BATCH_128
    ]
    cases += [
        Case(
            name=f"{_name(spec)} / copy: {latents} latents, {ROWS} rows",
            bar=2.0,
            direction="at most",
            says="An optimizer's step over a plain copy that reads and writes as many bytes as the touched rows need.",
            measure=partial(step_over_copy, spec, latents),
            seconds=6,
            quick=latents == LARGE.latents,
        )
        for latents in SIZES
        for spec in holding()
    ]
    cases += [
        Case(
            name=f"masked_adam / lazy_adam: {latents} latents, {ROWS} rows",
            bar=1.5,
            direction="at most",
            says="MaskedAdam, whose decay of untouched moments is exact and deferred, over LazyAdam.",
            measure=partial(masked_over_lazy, latents),
            seconds=7,
            quick=latents == LARGE.latents,
        )
        for latents in SIZES
    ]
    cases += [
        Case(
            name=f"{name}, {GROWN} latents / {SIZES[0]}: {ROWS} rows",
            bar=1.5,
            direction="at most",
            says="An optimizer's step in a table of 262144 rows over its step in one of 16384, as many rows touched.",
            measure=partial(growth, optimizer),
            seconds=12,
        )
        for name, optimizer in (("lazy_adam", LazyAdam), ("masked_adam", MaskedAdam))
    ]
    return tuple(cases)


CASES = _cases()
