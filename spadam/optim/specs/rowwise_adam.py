"""How a configuration describes RowwiseAdam."""

from __future__ import annotations

from typing import ClassVar, Literal

from spadam.optim.specs.adam_family import AdamFamilySpec, Epsilon, Point


class RowwiseAdamSpec(AdamFamilySpec):
    """FBGEMM partial row-wise Adam: lazy Adam with one second moment a row, the mean of its g²."""

    point: ClassVar[Point] = Point(
        moments="freeze", weights="hold", clock="global", epsilon="after", second="row", sample="batch"
    )
    algorithm: ClassVar[str] = "spadam.optim.rowwise_adam.RowwiseAdam"
    epsilon_enters: ClassVar[str] = "√v̂ of the row + ε: after bias correction (option `hat`: √v + ε)"

    name: Literal["rowwise_adam"] = "rowwise_adam"
    epsilon: Epsilon = "after"
