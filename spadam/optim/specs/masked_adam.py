"""How a configuration describes MaskedAdam."""

from __future__ import annotations

from typing import ClassVar, Literal

from spadam.optim.specs.adam_family import ENTERS, AdamFamilySpec, Epsilon, Point


class MaskedAdamSpec(AdamFamilySpec):
    """What the article describes: moments decay in every row, weights move in touched rows only."""

    point: ClassVar[Point] = Point(
        moments="decay", weights="hold", clock="global", epsilon="hat", second="element", sample="batch"
    )
    algorithm: ClassVar[str] = "spadam.optim.masked_adam.MaskedAdam"
    epsilon_enters: ClassVar[str] = ENTERS["hat"]

    name: Literal["masked_adam"] = "masked_adam"
    epsilon: Epsilon = "hat"
