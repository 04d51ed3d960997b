"""How a configuration describes an average of the weights."""

from __future__ import annotations

from pydantic import Field

from spadam.spec import Spec


class EmaSpec(Spec):
    """An exponential moving average of the weights, which is evaluated and saved instead of them."""

    decay: float = Field(0.999, ge=0, lt=1)  # of OpenAI 2024
    """How much of the average stays in a step."""
