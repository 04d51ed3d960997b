"""How a configuration describes ActiveAdam."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from typing_extensions import override

from spadam.optim.specs.adam_family import ENTERS, AdamFamilySpec, Epsilon, Point

if TYPE_CHECKING:
    from spadam.optim.active_adam import ActiveAdam


class ActiveAdamSpec(AdamFamilySpec):
    """Ours: row-clock Adam on the mean gradient over the samples in which a row was on."""

    point: ClassVar[Point] = Point(
        moments="freeze", weights="hold", clock="row", epsilon="after", second="element", sample="active"
    )
    epsilon_enters: ClassVar[str] = ENTERS["after"]

    name: Literal["active_adam"] = "active_adam"
    epsilon: Epsilon = "after"

    @classmethod
    @override
    def algorithm(cls) -> type[ActiveAdam]:
        from spadam.optim.active_adam import ActiveAdam

        return ActiveAdam
