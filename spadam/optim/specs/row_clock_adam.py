"""How a configuration describes RowClockAdam."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from typing_extensions import override

from spadam.optim.specs.adam_family import ENTERS, AdamFamilySpec, Epsilon, Point

if TYPE_CHECKING:
    from spadam.optim.row_clock_adam import RowClockAdam


class RowClockAdamSpec(AdamFamilySpec):
    """DGL SparseAdam: touched rows only, and bias correction counts each row's own updates."""

    point: ClassVar[Point] = Point(
        moments="freeze", weights="hold", clock="row", epsilon="after", second="element", sample="batch"
    )
    epsilon_enters: ClassVar[str] = ENTERS["after"]

    name: Literal["row_clock_adam"] = "row_clock_adam"
    epsilon: Epsilon = "after"

    @classmethod
    @override
    def algorithm(cls) -> type[RowClockAdam]:
        from spadam.optim.row_clock_adam import RowClockAdam

        return RowClockAdam
