"""How a configuration describes SelectiveAdam."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from typing_extensions import override

from spadam.optim.specs.adam_family import AdamFamilySpec, Epsilon, Point

if TYPE_CHECKING:
    from spadam.optim.selective_adam import SelectiveAdam


class SelectiveAdamSpec(AdamFamilySpec):
    """gsplat SelectiveAdam: lazy Adam without bias correction."""

    point: ClassVar[Point] = Point(
        moments="freeze", weights="hold", clock="none", epsilon="hat", second="element", sample="batch"
    )
    lr_center: ClassVar[float] = 1e-3
    epsilon_enters: ClassVar[str] = "√v + ε: there is no bias correction"

    name: Literal["selective_adam"] = "selective_adam"
    epsilon: Epsilon = "hat"

    @classmethod
    @override
    def algorithm(cls) -> type[SelectiveAdam]:
        from spadam.optim.selective_adam import SelectiveAdam

        return SelectiveAdam
