"""How a configuration describes LazyAdam."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from typing_extensions import override

from spadam.optim.specs.adam_family import ENTERS, AdamFamilySpec, Epsilon, Point

if TYPE_CHECKING:
    from spadam.optim.lazy_adam import LazyAdam


class LazyAdamSpec(AdamFamilySpec):
    """TF LazyAdam and torch SparseAdam: moments and weights change in touched rows only, the clock is global."""

    point: ClassVar[Point] = Point(
        moments="freeze", weights="hold", clock="global", epsilon="hat", second="element", sample="batch"
    )
    epsilon_enters: ClassVar[str] = ENTERS["hat"]

    name: Literal["lazy_adam"] = "lazy_adam"
    epsilon: Epsilon = "hat"

    @classmethod
    @override
    def algorithm(cls) -> type[LazyAdam]:
        from spadam.optim.lazy_adam import LazyAdam

        return LazyAdam
