"""How a configuration describes SelectiveAdam."""

from __future__ import annotations

from typing import ClassVar, Literal

from spadam.optim.specs.adam_family import AdamFamilySpec, Epsilon, Point


class SelectiveAdamSpec(AdamFamilySpec):
    """gsplat SelectiveAdam: lazy Adam without bias correction."""

    point: ClassVar[Point] = Point(
        moments="freeze", weights="hold", clock="none", epsilon="hat", second="element", sample="batch"
    )
    lr_center: ClassVar[float] = 1e-3
    algorithm: ClassVar[str] = "spadam.optim.selective_adam.SelectiveAdam"
    epsilon_enters: ClassVar[str] = "√v + ε: there is no bias correction"

    name: Literal["selective_adam"] = "selective_adam"
    epsilon: Epsilon = "hat"
