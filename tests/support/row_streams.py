"""Gradients for the tests: streams of row-sparse gradients, and the forms in which an optimizer may be given them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from spadam.optim import RowSamples


class Entries(NamedTuple):
    """A row-sparse gradient: rows, with duplicates and in any order, and one gradient row for each."""

    rows: Tensor
    values: Tensor


def stream(shape: tuple[int, ...], steps: int, seed: int, dtype: torch.dtype = torch.float64) -> list[Entries]:
    """Random entries: about half of the rows in a step, some of them twice or more."""
    generator = torch.Generator().manual_seed(seed)
    out = []
    for _ in range(steps):
        rows = torch.randint(shape[0], (max(2, (2 * shape[0]) // 3),), generator=generator)
        out.append(Entries(rows, torch.randn(len(rows), *shape[1:], generator=generator, dtype=dtype)))
    return out


def every_row(shape: tuple[int, ...], steps: int, seed: int, dtype: torch.dtype = torch.float64) -> list[Entries]:
    """Random entries with every row once in every step."""
    generator = torch.Generator().manual_seed(seed)
    values = [torch.randn(*shape, generator=generator, dtype=dtype) for _ in range(steps)]
    return [Entries(torch.arange(shape[0]), value) for value in values]


def table(shape: tuple[int, ...], seed: int, dtype: torch.dtype = torch.float64) -> nn.Parameter:
    """A random parameter."""
    return nn.Parameter(torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype))


def coo(entries: Entries, shape: torch.Size) -> Tensor:
    """The uncoalesced COO gradient."""
    return torch.sparse_coo_tensor(entries.rows[None], entries.values, shape, check_invariants=False)


def dense(entries: Entries, shape: torch.Size) -> Tensor:
    """The same gradient, summed into a dense tensor."""
    return torch.zeros(shape, dtype=entries.values.dtype).index_add_(0, entries.rows, entries.values)


def give(param: nn.Parameter, entries: Entries | None, form: str, *, counted: bool = True) -> None:
    """Set ``param.grad`` in the form asked for and, if ``counted``, its row_samples, one sample an entry."""
    if entries is None:
        param.grad = None
        return
    param.grad = coo(entries, param.shape) if form == "coo" else dense(entries, param.shape)
    if counted:
        rows, counts = entries.rows.unique(return_counts=True)
        param.row_samples = RowSamples(rows, counts, len(entries.rows))


def run(optimizer: torch.optim.Optimizer, param: nn.Parameter, grads: list[Entries], form: str = "coo") -> Tensor:
    """Step through ``grads`` and return the weights after each step, (steps, *shape)."""
    out = []
    for entries in grads:
        give(param, entries, form)
        optimizer.step()
        out.append(param.detach().clone())
    return torch.stack(out)
