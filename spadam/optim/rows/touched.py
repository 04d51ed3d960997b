"""Which rows a gradient touches, with what gradient, and how many samples stand behind each.

Shapes: L rows of a parameter, D features, R rows touched. Every parameter is seen as (L, D): of a 1-D parameter each
element is a row, of an N-D one everything after the first dimension is flattened, a scalar is one row.

A row is *touched* in a step when it is

1. listed in ``param.row_samples``, if whoever made the gradient has set it (:class:`RowSamples` says how);
2. else named by the indices of a COO gradient, a zero value included;
3. else not all zero in a dense gradient: that is all such a gradient can tell.

``row_samples`` belong to one step: a row optimizer sets them to None when it has stepped, so that those of an earlier
batch are never used for a later gradient. Where a batch is thrown away instead, set them to None with the gradient.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from spadam.optim.rows.options import widened
from spadam.spec import InputError


class RowSamples(NamedTuple):
    """What may stand in ``param.row_samples`` (a plain tuple serves as well)."""

    rows_R: Tensor
    """int64, distinct, ascending."""
    counts_R: Tensor
    """int64, in how many of the batch's samples each row was on: from 1 to all of them."""
    batch: int
    """Samples in the batch."""


class Listing(NamedTuple):
    """A gradient, row by row."""

    rows_R: Tensor
    """int64, distinct, ascending."""
    grad_RD: Tensor
    """Their gradients, duplicates summed; of a type smaller than float32, in float32."""
    counts_R: Tensor | None
    """Samples behind each row; None when nobody counted."""
    batch: int
    """Samples in the batch; 0 when nobody counted."""


def as_rows(tensor: Tensor) -> Tensor:
    """``tensor`` as (L, D): a view where its layout allows one."""
    if tensor.dim() == 2:
        return tensor
    rows = tensor.shape[0] if tensor.dim() else 1
    return tensor.reshape(rows, math.prod(tensor.shape[1:]))  # of no rows as well


def row_samples(param: Tensor) -> RowSamples | None:
    """What stands in ``param.row_samples``, None when nothing does.

    Raises :class:`InputError` for what could not be the rows of ``param``, their counts and a batch.
    """
    found = getattr(param, "row_samples", None)
    if found is None:
        return None
    _check_kinds(found, param)
    samples = RowSamples(*found)
    _check_numbers(samples, param.shape[0] if param.dim() else 1)
    return samples


def set_row_samples(param: Tensor, samples: RowSamples | None) -> None:
    """Say which rows of ``param`` the coming gradient touches; None takes it back."""
    # a plain tuple: a parameter is saved and loaded with it
    param.row_samples = None if samples is None else tuple(samples)  # type: ignore[attr-defined] # tensors carry some


def list_rows(param: Tensor, *, count: bool = False) -> Listing:
    """The gradient of ``param`` row by row.

    ``count`` asks for the samples behind each row where ``row_samples`` do not tell: the duplicates of an uncoalesced
    COO gradient, each of its entries one sample. That is exact for a lookup of one row a sample; where a sample looks
    up several, :func:`spadam.optim.count_rows` counts samples. torch calls a gradient of one entry coalesced.

    Raises :class:`InputError` when ``row_samples`` are none, or do not list a row that has a gradient.
    """
    assert param.grad is not None
    grad = widened(param.grad)
    samples = row_samples(param)
    if grad.layout == torch.sparse_coo:
        if samples is not None and _lists_the_same(grad, samples):
            # autograd drops the flag of a coalesced gradient; what is listed row by row need not be sorted again
            return Listing(samples.rows_R, _values(grad), samples.counts_R, samples.batch)
        listing = _list_coo(grad, count=count and samples is None)
    elif grad.layout == torch.strided:
        grad_LD = as_rows(grad)
        if samples is not None:
            return _pick(grad_LD, samples)
        rows_R = (grad_LD != 0).any(1).nonzero()[:, 0]
        return Listing(rows_R, _select(grad_LD, rows_R), None, 0)
    else:
        raise InputError("gradient", grad.layout, "must be dense or COO", "use grad.to_sparse_coo()")
    return listing if samples is None else _spread(listing, samples)


def touched_rows(param: Tensor) -> Tensor:
    """The rows that the gradient of ``param`` touches, (R,) ascending; none when it has no gradient."""
    samples = row_samples(param)
    if param.grad is None:
        return torch.empty(0, dtype=torch.int64, device=param.device)
    return list_rows(param).rows_R if samples is None else samples.rows_R


def _list_coo(grad: Tensor, count: bool) -> Listing:
    if grad.sparse_dim() != 1:
        rule = "a COO gradient must be sparse in its first dimension only"
        raise InputError("gradient.sparse_dim()", grad.sparse_dim(), rule, "make it with grad.to_sparse(1)")
    counts_R, batch = None, 0
    if count and (not grad.is_coalesced() or grad._nnz() == 0):
        indices = grad._indices()[0]
        counts_R, batch = torch.unique(indices, return_counts=True)[1], len(indices)
    grad = grad.coalesce()
    rows_R = grad.indices()[0]
    return Listing(rows_R, _values(grad), counts_R, batch)


def _lists_the_same(grad: Tensor, samples: RowSamples) -> bool:
    return grad.sparse_dim() == 1 and torch.equal(grad._indices()[0], samples.rows_R)


def _values(grad: Tensor) -> Tensor:
    """The values of a COO gradient, (R, D)."""
    return as_rows(grad._values()).contiguous()


def _pick(grad_LD: Tensor, samples: RowSamples) -> Listing:
    """The rows of a dense gradient that the samples list; all others must be zero."""
    if samples.rows_R.shape[0] < grad_LD.shape[0]:
        others_L = (grad_LD.abs() > 0).any(1)  # a NaN everywhere is a training that diverged, not a row forgotten
        others_L[samples.rows_R] = False
        _check_listed(others_L.nonzero()[:, 0])
    return Listing(samples.rows_R, _select(grad_LD, samples.rows_R), samples.counts_R, samples.batch)


def _spread(listing: Listing, samples: RowSamples) -> Listing:
    """The rows that the samples list, with the gradient of the listing, zero where it has none."""
    rows_R, counts_R, batch = samples
    grad_RD = listing.grad_RD
    if not torch.equal(rows_R, listing.rows_R):
        _check_listed(listing.rows_R[~torch.isin(listing.rows_R, rows_R)])
        grad_RD = grad_RD.new_zeros(len(rows_R), grad_RD.shape[1])
        grad_RD.index_copy_(0, torch.searchsorted(rows_R, listing.rows_R), listing.grad_RD)
    return Listing(rows_R, grad_RD, counts_R, batch)


def _select(grad_LD: Tensor, rows_R: Tensor) -> Tensor:
    return grad_LD.contiguous() if rows_R.shape[0] == grad_LD.shape[0] else grad_LD.index_select(0, rows_R)


def _check_kinds(found: Any, param: Tensor) -> None:
    rule = f"must be (rows, counts, batch): two int64 tensors of one length on {param.device.type}, and a whole number"
    remedy = "use torch.unique(rows, return_counts=True)"
    if not isinstance(found, tuple) or len(found) != 3:
        raise InputError("row_samples", type(found).__name__, rule, remedy)
    rows, counts, batch = found
    for name, tensor in (("rows", rows), ("counts", counts)):
        if not isinstance(tensor, Tensor):
            raise InputError(f"row_samples: {name}", type(tensor).__name__, rule, remedy)
        if tensor.dtype != torch.int64 or tensor.device != param.device:
            raise InputError(f"row_samples: {name}", f"{tensor.dtype} on {tensor.device}", rule, remedy)
    if rows.dim() != 1 or rows.shape != counts.shape:
        raise InputError("row_samples", f"rows {tuple(rows.shape)}, counts {tuple(counts.shape)}", rule, remedy)
    if not isinstance(batch, int) or isinstance(batch, bool) or batch < 0:
        raise InputError("row_samples: batch", batch, rule, "give the number of samples in the batch")


def _check_numbers(samples: RowSamples, rows: int) -> None:
    if not samples.rows_R.shape[0]:
        return
    rows_R: Any = samples.rows_R
    counts_R: Any = samples.counts_R
    if rows_R.device.type == "cpu":  # a third of the time that torch takes there
        rows_R, counts_R = rows_R.numpy(), counts_R.numpy()
    ascending = (rows_R[1:] > rows_R[:-1]).all()
    inside = (rows_R[0] >= 0) & (rows_R[-1] < rows)
    counted = (counts_R.min() >= 1) & (counts_R.max() <= samples.batch)
    if bool(ascending & inside & counted):  # asked once: a device is waited for
        return
    if not ascending:
        rule, remedy = "its rows must be distinct and ascending", "use torch.unique(rows, return_counts=True)"
        raise InputError("row_samples: rows", rows_R.tolist(), rule, remedy)
    if not inside:
        rule = f"the parameter has rows 0 to {rows - 1}"
        raise InputError("row_samples: rows", rows_R.tolist(), rule, "list rows that it has")
    rule = f"a row is on in 1 sample at least, and in the {samples.batch} of the batch at most"
    raise InputError("row_samples: counts", counts_R.tolist(), rule, "leave out rows that are on in none")


def _check_listed(missing_R: Tensor) -> None:
    if len(missing_R):
        rule = "it must list every row that has a gradient"
        remedy = f"it lacks row {int(missing_R[0])}: set it for each batch, and to None with a gradient thrown away; "
        remedy += "a loss of all rows (a penalty on weights) wants an optimizer with dense gradients"
        raise InputError("row_samples", None, rule, remedy)
