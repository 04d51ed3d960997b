"""What a task is: all that training, telemetry and conclusion need of what is trained.

Nobody outside a task asks which kind it is. It owns a model with *tables*, parameters with rows; a step touches some
rows of each. The optimizer is not its own: whoever trains builds one over ``model``'s parameters.

Shapes: N indices of samples.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from torch import Tensor, nn

from spadam.data import Dataset
from spadam.data.dataset import Batch
from spadam.diagnostics.metric import Split
from spadam.diagnostics.warned import Warned
from spadam.optim.rows.touched import RowSamples
from spadam.spec import imported

if TYPE_CHECKING:
    from spadam.config import RunConfig
    from spadam.diagnostics.pictures import Picture


class StepResult(NamedTuple):
    """What a training step gives, before its backward pass."""

    loss: Tensor
    """What is optimised, ()."""
    samples: int
    """Samples in the batch."""
    touched: Mapping[str, RowSamples]
    """For each table the rows that the gradient of this loss touches."""
    scalars: Mapping[str, Tensor | int] = {}
    """What diagnostics may be told beside it, by name, without gradient: `active`, `correct`, …"""


class Evaluation(NamedTuple):
    """What an evaluation of a split gives."""

    metrics: Mapping[str, float]
    """Numbers by their registered names."""
    arrays: Mapping[str, Any] = {}
    """What is more than one number, as plain values."""


class Task(ABC):
    """A model, and how it is trained, evaluated and shown.

    A training calls, in every step: :meth:`training_step`, the backward pass, :meth:`before_update`, the optimizer,
    :meth:`after_update`; and :meth:`end_epoch` after the last of an epoch. In between, at its will,
    :meth:`prepare_evaluation` and, until the next step, :meth:`evaluate`, which changes nothing; and :meth:`conclude`
    and :meth:`pictures` at the end. What a resumed training needs beside the state of :meth:`modules` stands in
    :meth:`state_dict`.
    """

    model: nn.Module
    """What the optimizer trains, and model.safetensors keeps."""
    tables: Mapping[str, nn.Parameter]
    """Its parameters with rows, by name; the first is the main one (:class:`spadam.diagnostics.diagnostic.Setting`)."""

    @classmethod
    @abstractmethod
    def begin(cls, spec: Any, config: RunConfig, dataset: Dataset) -> Self:
        """The task that ``spec`` describes, as the training ``config`` begins with it: a function of the arguments.

        Raises :class:`InputError` when it cannot be done with these data.
        """

    def modules(self) -> Mapping[str, nn.Module]:
        """What has weights, by the names under which they stand in a checkpoint; ``model`` is among it."""
        return {"model": self.model}

    @abstractmethod
    def training_step(self, batch: Batch) -> StepResult:
        """The loss of a batch in training mode.

        Every table has been told its touched rows (``row_samples``, see :mod:`spadam.optim.rows.touched`).
        """

    def before_update(self) -> None:
        """Change the gradients, each of which has the form that the optimizer takes; they are clipped after this."""
        return

    def after_update(self, touched: Mapping[str, RowSamples] | None) -> None:
        """Change the weights once they are updated: only rows ``touched``, or any where that is None."""
        return

    def end_epoch(self) -> None:
        """Take note that an epoch of training is done: it follows :meth:`after_update` of its last step."""
        return

    def prepare_evaluation(self, dataset: Dataset, rows_N: Tensor) -> None:
        """Find out from the training samples ``rows_N``, at least one, what evaluations need of the weights of now.

        It changes nothing that a training step depends on.
        """
        return

    @abstractmethod
    def evaluate(self, dataset: Dataset, split: Split, rows_N: Tensor) -> Evaluation:
        """Measure the samples ``rows_N`` of a split, at least one, and change nothing."""

    @property
    def fits_probe(self) -> bool:
        """A probe's regression can be fitted to what was trained."""
        return False

    def conclude(self, config: RunConfig, dataset: Dataset, *, test: bool, fit_probe: bool) -> dict[str, float]:
        """What is measured once, when a training has ended, by name; of the test split only if ``test``.

        ``fit_probe`` asks for the probe's regression, if this task :attr:`fits_probe`.
        """
        return {}

    def warnings(self, dataset: Dataset, first: Mapping[str, Any]) -> list[Warned]:
        """What a reader of the numbers must know of the samples and this model; ``first`` is the row of step 0."""
        return []

    def pictures(self, dataset: Dataset) -> dict[str, Picture]:
        """Pictures of what was trained by their names; none where there is nothing to see."""
        return {}

    def fold_scale(self, scale: float, target_scale: float | None = None) -> bool:
        """Have the model take samples as they are, having been trained on samples times ``scale``.

        Where they had targets, these were multiplied by ``target_scale``, which is not given otherwise.
        False when it cannot: then it is saved as it is, and who uses it must scale.
        """
        return False

    def provenance(self) -> dict[str, str]:
        """How its numbers came about on this machine, beside what is recorded of every training."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """What a resumed training needs beside weights, as tensors and plain values.

        It stands in a checkpoint beside Lightning's own keys, so its keys must differ from those.
        """
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`state_dict`, with other keys around it."""
        return


def build_task(config: RunConfig, dataset: Dataset) -> Task:
    """What ``config`` trains, as its training begins with it. Raises :class:`InputError`."""
    spec = config.task
    task: Task = imported(spec.builds).begin(spec, config, dataset)
    return task
