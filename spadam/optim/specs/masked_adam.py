"""How a configuration describes MaskedAdam."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from typing_extensions import override

from spadam.optim.specs.adam_family import ENTERS, AdamFamilySpec, Epsilon, Point

if TYPE_CHECKING:
    from spadam.optim.masked_adam import MaskedAdam


class MaskedAdamSpec(AdamFamilySpec):
    """What the article describes: moments decay in every row, weights move in touched rows only."""

    point: ClassVar[Point] = Point(
        moments="decay", weights="hold", clock="global", epsilon="hat", second="element", sample="batch"
    )
    epsilon_enters: ClassVar[str] = ENTERS["hat"]

    name: Literal["masked_adam"] = "masked_adam"
    epsilon: Epsilon = "hat"

    @classmethod
    @override
    def algorithm(cls) -> type[MaskedAdam]:
        from spadam.optim.masked_adam import MaskedAdam

        return MaskedAdam
