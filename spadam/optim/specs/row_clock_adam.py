"""How a configuration describes RowClockAdam."""

from __future__ import annotations

from typing import ClassVar, Literal

from spadam.optim.specs.adam_family import ENTERS, AdamFamilySpec, Epsilon, Point


class RowClockAdamSpec(AdamFamilySpec):
    """FBGEMM Adam with row-wise bias correction: touched rows only, and it counts each row's own updates."""

    point: ClassVar[Point] = Point(
        moments="freeze", weights="hold", clock="row", epsilon="after", second="element", sample="batch"
    )
    algorithm: ClassVar[str] = "spadam.optim.row_clock_adam.RowClockAdam"
    epsilon_enters: ClassVar[str] = ENTERS["after"]

    name: Literal["row_clock_adam"] = "row_clock_adam"
    epsilon: Epsilon = "after"
