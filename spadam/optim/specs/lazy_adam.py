"""How a configuration describes LazyAdam."""

from __future__ import annotations

from typing import ClassVar, Literal

from spadam.optim.specs.adam_family import ENTERS, AdamFamilySpec, Epsilon, Point


class LazyAdamSpec(AdamFamilySpec):
    """TF LazyAdam and torch SparseAdam: moments and weights change in touched rows only, the clock is global."""

    point: ClassVar[Point] = Point(
        moments="freeze", weights="hold", clock="global", epsilon="hat", second="element", sample="batch"
    )
    algorithm: ClassVar[str] = "spadam.optim.lazy_adam.LazyAdam"
    epsilon_enters: ClassVar[str] = ENTERS["hat"]

    name: Literal["lazy_adam"] = "lazy_adam"
    epsilon: Epsilon = "hat"
