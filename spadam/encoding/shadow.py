"""A copy of the encoder's rows in a smaller type, with what bounds its products, kept up to date row by row.

Shapes: L latents, D features.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from spadam.kernels.topk_bounds import Rounded, as_they_are
from spadam.optim.rows.changes import row_changes


class Shadow:
    """Follows one weight matrix: rounds its rows to ``dtype``, or only measures them if that is their own.

    A matrix is known by the tensor that it is: an address may be used again. Every change of a tensor raises its
    version, which torch counts. When an optimizer has said which rows the last change touched
    (:mod:`spadam.optim.rows.changes`), these are looked at again, after any other change all. What goes around the
    count (``weight.data``, a NumPy view) is not seen, until :meth:`holds` asks whether the rows are still those that
    were looked at: of each a number is kept that another row does not have.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self.forget()

    def forget(self) -> None:
        """Look at every row again."""
        self._seen: tuple[Any, ...] | None = None
        self._weight: Callable[[], Tensor | None] = _nothing

    def follow(self, weight_LD: Tensor, kernels: ModuleType) -> None:
        """Bring everything up to date with ``weight_LD``, by ``kernels`` that take it."""
        if self._weight() is not weight_LD:
            self.forget()
            self._weight = weakref.ref(weight_LD)
        seen = (weight_LD.data_ptr(), weight_LD.shape, weight_LD.device, weight_LD._version)
        if seen == self._seen:
            return
        with torch.inference_mode(False):  # what is made within it could not be changed by a training afterwards
            rows_R = self._changed(weight_LD)
            source_LD = weight_LD.detach()
            if self._seen is None or self._seen[:3] != seen[:3]:
                self.rounded = Rounded.like(source_LD, self.dtype)
            kernels.round_rows(source_LD, rows_R, self.rounded)
            checks_R = kernels.row_checks(source_LD, rows_R)
            if rows_R is None:
                self._checks_L = checks_R
            else:
                self._checks_L.index_copy_(0, rows_R, checks_R)
        self._seen = seen

    def holds(self, weight_LD: Tensor, kernels: ModuleType) -> bool:
        """Whether the rows of ``weight_LD``, which it follows, are to the bit those that were looked at."""
        return torch.equal(kernels.row_checks(weight_LD.detach(), None), self._checks_L)

    def exact(self) -> Rounded:
        """The weights as they are: products in their own type."""
        weight_LD = self._weight()
        assert weight_LD is not None
        return as_they_are(weight_LD.detach(), self.rounded)

    def _changed(self, weight_LD: Tensor) -> Tensor | None:
        """The rows to look at again; None for all."""
        where = (weight_LD.data_ptr(), weight_LD.shape, weight_LD.device)
        changes = row_changes(weight_LD)
        if changes is not None:
            before, after, rows_R = changes
            if rows_R is not None and self._seen == (*where, before) and after == weight_LD._version:
                return rows_R
        return None

    def __getstate__(self) -> dict[str, Any]:
        """It can be made again from the weights, so it is neither copied nor saved with them."""
        return {"dtype": self.dtype, "_seen": None, "_weight": _nothing}


def _nothing() -> None:
    """What a reference to no tensor leads to."""
