"""What a diagnostic is: something that watches training steps and says now and then what it saw.

A *step* is one update of the tables and what led to it. A *look* is a step that expensive diagnostics watch: the first
after an evaluation and every so many after it. A *row* is what is recorded at a time: of an evaluation, or a short one
in between. Who calls is :mod:`spadam.training.telemetry`, in this order: once :meth:`Diagnostic.begin`; in every step,
or at looks, :meth:`Diagnostic.prepare` before the update and :meth:`Diagnostic.observe` after it;
:meth:`Diagnostic.report` for a row, and :meth:`Diagnostic.reset` after the row of an evaluation, or after every one. A
new one is a file in this folder and its name in :mod:`spadam.diagnostics.registry`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer

from spadam.diagnostics.warned import Warned
from spadam.optim.rows.touched import RowSamples


class Setting(NamedTuple):
    """What is known before the first step."""

    tables: Mapping[str, Parameter]
    """The parameters with rows by their names. The first is the task's main table: what metrics say of rows without
    naming a table is said of it."""
    device: torch.device
    """Where the steps will be; the tables may come there only later."""
    moves_untouched: bool
    """The optimizer may move rows that a step does not touch."""
    silent_after: float = math.inf
    """Training samples after which a row that was not touched counts as silent; by default none ever does."""


class Step(NamedTuple):
    """One training step, once its update is done. Gradients are still there."""

    samples: int
    """Samples in the batch."""
    loss: Tensor
    """What was optimised, (), without gradient."""
    tables: Mapping[str, Parameter]
    """As in :class:`Setting`, with the weights after the update."""
    touched: Mapping[str, RowSamples]
    """For each table the rows that this step's gradient touched."""
    scalars: Mapping[str, Tensor | int]
    """What else the task says of the step, by name; a diagnostic that needs one reports nothing where it is missing."""
    optimizer: Optimizer
    """Ask it with :func:`spadam.optim.inspection.view`."""
    seconds: float
    """Wall time of the step, everything included."""
    update_seconds: float
    """Wall time of clipping and update."""
    clip_factor: Tensor | None = None
    """What the gradient was multiplied by to have no larger norm than it may, (); None where nothing is clipped."""


class Diagnostic(ABC):
    """Watches a training. What it has seen is part of a checkpoint, so a resumed run reports the same to the last bit.

    It changes nothing in what it watches, and does not wait for the device in :meth:`observe` unless ``schedule`` is
    "look".
    """

    metrics: ClassVar[tuple[str, ...]]
    """All names that it may report, each in the registry of metrics."""
    schedule: ClassVar[Literal["step", "look"]]
    """Which steps it watches: every one, or looks only."""
    cost: ClassVar[str]
    """What watching a step costs, in a few words."""
    streams: ClassVar[bool]
    """It reports in the short rows between evaluations, too; then a report must be cheap."""
    since: ClassVar[Literal["evaluation", "row"]] = "evaluation"
    """What begins a new report: an evaluation, or every row; the latter only where it streams."""

    @abstractmethod
    def begin(self, setting: Setting) -> None:
        """Get ready for a training; called once, before a state is loaded."""

    def prepare(self, tables: Mapping[str, Parameter]) -> None:
        """The weights, with their gradients, right before an update that will be observed."""
        return

    @abstractmethod
    def observe(self, step: Step) -> None:
        """Take note of a step."""

    @abstractmethod
    def report(self) -> dict[str, float]:
        """What was seen since the last :meth:`reset`, under its names; nothing where there was no step.

        It changes nothing.
        """

    @abstractmethod
    def reset(self) -> None:
        """Begin a new report. What is known of the whole training may stay."""

    def warnings(self, last: Mapping[str, Any]) -> list[Warned]:
        """What a reader of the numbers must know; ``last`` is the row of the last evaluation."""
        return []

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Everything that was seen, as tensors and plain values."""

    @abstractmethod
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`state_dict`."""
