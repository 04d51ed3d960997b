"""How a configuration describes RowwiseAdam."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from typing_extensions import override

from spadam.optim.specs.adam_family import AdamFamilySpec, Epsilon, Point

if TYPE_CHECKING:
    from spadam.optim.rowwise_adam import RowwiseAdam


class RowwiseAdamSpec(AdamFamilySpec):
    """FBGEMM partial row-wise Adam: lazy Adam with one second moment a row, the mean of its g²."""

    point: ClassVar[Point] = Point(
        moments="freeze", weights="hold", clock="global", epsilon="after", second="row", sample="batch"
    )
    epsilon_enters: ClassVar[str] = "√v̂ of the row + ε: after bias correction (option `hat`: √v + ε)"

    name: Literal["rowwise_adam"] = "rowwise_adam"
    epsilon: Epsilon = "after"

    @classmethod
    @override
    def algorithm(cls) -> type[RowwiseAdam]:
        from spadam.optim.rowwise_adam import RowwiseAdam

        return RowwiseAdam
