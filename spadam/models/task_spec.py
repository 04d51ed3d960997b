"""What a configuration says of a task, whatever kind it is. It imports nothing heavy."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from spadam.spec import Spec, imported

if TYPE_CHECKING:
    from numpy.typing import NDArray


class TaskSpec(Spec, ABC):
    """Describes a task: what stands under `model` in a configuration, or under its `options` for one of your own."""

    builds: ClassVar[str]
    """The path of its :class:`spadam.tasks.task.Task`, imported when a training begins: torch takes seconds."""
    measured: ClassVar[str]
    """The path of its metrics by name: :data:`spadam.diagnostics.metrics.COMMON`, which is measured of every task, and
    what this one's steps, evaluations and conclusion give."""

    def resolve(self) -> TaskSpec:
        """Itself; what a configuration names by its import path stands for another."""
        return self

    @property
    def own_code(self) -> str | None:
        """Where the code is that a person has written for it; None for what comes with this package."""
        return None

    @property
    def meanings(self) -> Mapping[str, str]:
        """What keys mean that meant something else in an earlier release, where it matters: part of the identity.

        So what was begun with the other meaning is not gone on with.
        """
        return {}

    def check_targets(self) -> None:
        """Raise :class:`InputError` if this cannot be trained on samples with targets of their own (`data.target`)."""
        return

    @property
    def metrics(self) -> Mapping[str, Any]:
        """Everything that a training of it may measure: :class:`spadam.diagnostics.metrics.Metric` by name."""
        found: Mapping[str, Any] = imported(self.measured)
        return found

    def bounds(self, metric: Any) -> tuple[float, float]:
        """Between which values ``metric`` lies, one of :attr:`metrics`, whatever the data and the weights."""
        low, high = metric.bounds
        return low, high

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
