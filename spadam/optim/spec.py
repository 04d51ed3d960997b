"""What every optimizer of a configuration declares."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from spadam.optim.schedule import ScheduleSpec
from spadam.optim.specs.ema import EmaSpec
from spadam.spec import InputError, Spec, as_tuple

if TYPE_CHECKING:
    from torch.optim import Optimizer
    from torch.optim.optimizer import ParamsT


def _below_one(betas: tuple[float, float]) -> tuple[float, float]:
    if not all(0 <= beta < 1 for beta in betas):
        raise ValueError("each beta must be in [0, 1)")
    return betas


Betas = Annotated[tuple[float, float], BeforeValidator(as_tuple), AfterValidator(_below_one)]
"""Two numbers in [0, 1); a YAML list is one."""


CENTRE_SQUARE = 162.0
"""The mean of the squared norms of the samples that centres were measured with."""


class BaseOptimizerSpec(Spec, ABC):
    """Describes an optimizer. Beside what stands here each has a ``name``, an ``lr`` and a ``gradient``.

    ``gradient`` is the form of gradient that it takes: "coo" (row-sparse) or "dense".
    """

    lr_center: ClassVar[float]
    """Where to centre a search of the lr, so that ranges of equal width are comparable between optimizers.

    Each is the best of half-decades by training loss in one and the same short run: 400 steps on Fashion-MNIST, 1000
    tied latents, top-k 25, batch 128, loss averaged over features, defaults otherwise. Its images have a mean square of
    162; with `data.scale: unit_sq`, which makes that 1, the same half-decades are the best, but for what is
    :attr:`proportional`.
    """
    proportional: ClassVar[bool] = False
    """Its steps are proportional to the gradient: ``lr_center`` is that of samples and a loss of the size that it was
    measured with, and of no others."""
    moves_untouched: ClassVar[bool]
    """Rows that a step does not touch may move; :attr:`holds` says whether they do with the options given."""
    epsilon_enters: ClassVar[str]
    """Where epsilon enters, in short; "none" for an optimizer without one, which then refuses `eps`."""
    averages: ClassVar[bool] = False
    """What is evaluated is an average that it makes itself."""

    schedule: ScheduleSpec = ScheduleSpec()
    """How the lr changes over the run."""
    ema: EmaSpec | None = Field(None, exclude_if=lambda ema: ema is None)
    """Evaluate and save an exponential moving average of the weights."""

    @property
    def holds(self) -> bool:
        """Rows that a step does not touch stay where they are, with these options."""
        return not self.moves_untouched

    @property
    def own_code(self) -> str | None:
        """Where the code is that a person has written for it; None for what comes with this package, or torch."""
        return None

    @abstractmethod
    def build(self, params: ParamsT) -> Optimizer:
        """The optimizer for ``params``."""

    def divides(self) -> bool | None:
        """Whether updates are divided by something in which an epsilon stands; None where that is not known."""
        return self.epsilon_enters != "none"

    def when_all_touched(self) -> Mapping[str, Any]:
        """What its algorithm is where every step touches every row: plain values, without lr and eps.

        Optimizers that say the same are one algorithm there, however differently they treat rows that are not touched.
        """
        return self.model_dump(mode="json", exclude={"lr", "eps"})

    @classmethod
    def summary(cls) -> str:
        """What it is, in one line."""
        return (cls.__doc__ or "").strip().splitlines()[0]

    @model_validator(mode="before")
    @classmethod
    def _refuse_eps(cls, data: Any) -> Any:
        """Say why an eps is refused: dropping it would give a flat curve over eps, and no error."""
        if "eps" not in cls.model_fields and isinstance(data, Mapping) and "eps" in data:
            name = cls.model_fields["name"].default
            raise InputError("optimizer.eps", data["eps"], f"{name} has no epsilon", cls.eps_remedy())
        return data

    @model_validator(mode="after")
    def _refuse_two_averages(self) -> Self:
        if self.ema is not None and self.averages:
            name = type(self).model_fields["name"].default
            rule = f"{name} evaluates an average of its own"
            raise InputError("optimizer.ema", self.ema.model_dump(), rule, "remove optimizer.ema")
        return self

    @classmethod
    def eps_remedy(cls) -> str:
        """What to do instead of giving an eps."""
        return "remove optimizer.eps (in a sweep: `space: {optimizer.eps: null}` for this variant)"
