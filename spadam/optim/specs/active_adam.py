"""How a configuration describes ActiveAdam."""

from __future__ import annotations

from typing import ClassVar, Literal

from spadam.optim.specs.adam_family import ENTERS, AdamFamilySpec, Epsilon, Point


class ActiveAdamSpec(AdamFamilySpec):
    """Row-clock Adam on the mean gradient over the samples in which a row was on; DGL's SparseAdam, up to eps."""

    point: ClassVar[Point] = Point(
        moments="freeze", weights="hold", clock="row", epsilon="after", second="element", sample="active"
    )
    algorithm: ClassVar[str] = "spadam.optim.active_adam.ActiveAdam"
    epsilon_enters: ClassVar[str] = ENTERS["after"]

    name: Literal["active_adam"] = "active_adam"
    epsilon: Epsilon = "after"
