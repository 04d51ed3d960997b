"""Which rows of each table the training batches touch: how often, by how many samples, and how long ago.

Shapes: L rows of a table (latents), R rows touched in a step.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor
from typing_extensions import override

from spadam.diagnostics.comparability import warn, warn_of_codes
from spadam.diagnostics.diagnostic import Diagnostic, Setting, Step
from spadam.diagnostics.warned import Warned

_TENSORS = ("touched_L", "samples_L", "last_step_L", "last_sample_L", "nonzero")
_NUMBERS = ("steps", "samples", "total_steps", "total_samples", "none_missed")


class RowUsage:
    """Counts what every training step touches of one table; tensors stay on ``device`` and no step waits for it.

    Since the last :meth:`reset`: ``steps`` and ``samples``; per row the steps that touched it and the samples in which
    it was on; non-zero values of the code. Over the whole training: ``total_steps`` and ``total_samples``; per row the
    step and the sample count at which it was last touched; and ``none_missed``, whether no step has left a row out. A
    row is silent when its last touch lies ``silent_after`` samples back, or more.
    """

    def __init__(self, rows: int, device: torch.device | str = "cpu", silent_after: float = math.inf) -> None:
        self.touched_L, self.samples_L, self.last_step_L, self.last_sample_L = (
            torch.zeros(rows, dtype=torch.int64, device=device) for _ in range(4)
        )
        self.nonzero = torch.zeros((), dtype=torch.int64, device=device)
        self.steps = self.samples = self.total_steps = self.total_samples = 0
        self.none_missed = True
        self._silent_after = silent_after
        self._ones_L = torch.ones_like(self.touched_L)

    def update(self, rows_R: Tensor, counts_R: Tensor, batch: int, nonzero: Tensor | int = 0) -> None:
        """Take note of one step.

        ``rows_R`` are the rows it touched, distinct; ``counts_R`` in how many of the ``batch`` samples each was on
        (both int64); ``nonzero`` () how many values of the code were not zero.
        """
        self.steps += 1
        self.samples += batch
        self.total_steps += 1
        self.total_samples += batch
        self.touched_L.index_add_(0, rows_R, self._ones_L[: rows_R.shape[0]])
        self.samples_L.index_add_(0, rows_R, counts_R)
        self.last_step_L.index_fill_(0, rows_R, self.total_steps)
        self.last_sample_L.index_fill_(0, rows_R, self.total_samples)
        self.nonzero += nonzero
        self.none_missed = self.none_missed and rows_R.shape == self.touched_L.shape

    @property
    def all_rows_touched(self) -> bool:
        """Every step since the beginning of the training, and there was one, touched every row."""
        return self.total_steps > 0 and self.none_missed

    def report(self) -> dict[str, float]:
        """The metrics of the steps since the last :meth:`reset`, under their names; NaN where not defined."""
        touched_L, samples_L = self.touched_L.cpu(), self.samples_L.cpu()
        touched = int(touched_L.sum())
        age = self.total_steps * len(touched_L) - int(self.last_step_L.sum())
        silent_L = self.total_samples - self.last_sample_L >= self._silent_after
        # In whole numbers, so that exactly 2 % and 90 % of the steps count on every machine.
        intermittent_L = (50 * touched_L >= self.steps) & (10 * touched_L <= 9 * self.steps)
        rows = len(touched_L)
        return {
            "sparsity/l0_train": _ratio(int(self.nonzero), self.samples),
            "sparsity/rows_touched": _ratio(touched, self.steps * rows),
            "sparsity/rows_touched_expected": self._expected(samples_L),
            "sparsity/rows_intermittent": int(intermittent_L.sum()) / rows if self.steps else math.nan,
            "sparsity/samples_per_row": _ratio(int(samples_L.sum()), touched),
            "sparsity/row_age": age / rows,
            "sparsity/silent": int(silent_L.sum()) / rows if self.total_samples >= self._silent_after else math.nan,
        }

    def _expected(self, samples_L: Tensor) -> float:
        """Mean over the rows of 1-(1-p)^B, without loss of digits for rare rows; B is the same in every step."""
        if not self.steps:
            return math.nan
        density_L = samples_L.double() / self.samples
        batch = self.samples / self.steps
        return float(-torch.expm1(batch * torch.log1p(-density_L)).mean())

    def reset(self) -> None:
        """Begin a new report; what is known of the whole training stays."""
        self.steps = self.samples = 0
        for tensor in (self.touched_L, self.samples_L, self.nonzero):
            tensor.zero_()

    def state_dict(self) -> dict[str, Any]:
        """Everything, as tensors and plain numbers."""
        tensors = {name: getattr(self, name).clone() for name in _TENSORS}
        return tensors | {name: getattr(self, name) for name in _NUMBERS}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`state_dict`; later reports are then the same to the last bit."""
        for name in _TENSORS:
            tensor: Tensor = getattr(self, name)
            assert state[name].shape == tensor.shape
            tensor.copy_(state[name])
        for name in _NUMBERS:
            setattr(self, name, state[name])


class RowUsages(Diagnostic):
    """The usage of every table; what is reported, and warned of, is that of the main one.

    A step's scalar `active`, (), says how many values of the code were not zero; a task without a code has none, and no
    `sparsity/l0_train`.
    """

    metrics: ClassVar = (
        "sparsity/l0_train",
        "sparsity/rows_touched",
        "sparsity/rows_touched_expected",
        "sparsity/rows_intermittent",
        "sparsity/samples_per_row",
        "sparsity/row_age",
        "sparsity/silent",
    )
    schedule: ClassVar = "step"
    cost: ClassVar = "four operations on the touched rows of each table"
    streams: ClassVar = False

    @override
    def begin(self, setting: Setting) -> None:
        self.tables = {
            name: RowUsage(len(table), setting.device, setting.silent_after) for name, table in setting.tables.items()
        }
        self._main = next(iter(self.tables.values()))
        self._has_code = False

    @override
    def observe(self, step: Step) -> None:
        active = step.scalars.get("active")
        self._has_code = active is not None
        for name, usage in self.tables.items():
            rows_R, counts_R, batch = step.touched[name]
            usage.update(rows_R, counts_R, batch, 0 if active is None else active)

    @override
    def report(self) -> dict[str, float]:
        if not self._main.steps:
            return {}
        found = self._main.report()
        return found if self._has_code else {name: found[name] for name in found if name != "sparsity/l0_train"}

    @override
    def reset(self) -> None:
        for usage in self.tables.values():
            usage.reset()

    @override
    def warnings(self, last: Mapping[str, Any]) -> list[Warned]:
        rows_intermittent, l0_train, l0_eval = (
            last.get(f"sparsity/{name}", math.nan) for name in ("rows_intermittent", "l0_train", "l0_eval")
        )
        return warn(self._main.all_rows_touched, rows_intermittent) + warn_of_codes(l0_train, l0_eval)

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"tables": {name: usage.state_dict() for name, usage in self.tables.items()}, "code": self._has_code}

    @override
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for name, usage in self.tables.items():
            usage.load_state_dict(state["tables"][name])
        self._has_code = state["code"]


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
