"""What a configuration says of a task, whatever kind it is. It imports nothing heavy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from spadam.spec import Spec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spadam.config import RunConfig
    from spadam.data import Dataset
    from spadam.diagnostics.metrics import Metric
    from spadam.tasks.task import Task


class TaskSpec(Spec, ABC):
    """Describes a task: what stands under `model` in a configuration, or under its `options` for one of your own."""

    def resolve(self) -> TaskSpec:
        """Itself; what a configuration names by its import path stands for another."""
        return self

    @property
    @abstractmethod
    def metrics(self) -> Mapping[str, Metric]:
        """Everything that a training of it may measure, by name.

        That is :data:`spadam.diagnostics.metrics.COMMON`, which is measured of every task, and what this one's steps,
        evaluations and conclusion give.
        """

    @abstractmethod
    def build_task(self, config: RunConfig, dataset: Dataset) -> Task:
        """The task as the training ``config`` begins with it: a function of its arguments alone.

        Raises :class:`InputError` when it cannot be done with these data.
        """

    def rows_bound(self, batch_size: int) -> float | None:
        """The share of the main table's rows that a batch of independent samples touches at most; None: not known."""
        return None

    @property
    def has_pictures(self) -> bool:
        """Rows of a trained model are worth a picture each where samples are images."""
        return False

    def rows_to_draw(self, tensors: Mapping[str, NDArray[Any]], seed: int) -> NDArray[Any] | None:
        """Of the stored weights the rows to draw, (rows, features), those that training moved furthest first.

        ``seed`` is the training's. None where the weights are not those of such a model.
        """
        return None
