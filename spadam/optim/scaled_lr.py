"""An lr that follows the number of latents, and what may stand at `lr`."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PositiveFloat, PositiveInt, ValidationError

from spadam.spec import Document, InputError, Spec, validate


class ScaledLr(Spec):
    """An lr by the number of latents: `at` where there are `n`, and as 1/√latents elsewhere."""

    rule: Literal["sqrt_n"] = "sqrt_n"
    """How it scales: lr = at · √(n / latents), as the best lr of an autoencoder does (OpenAI 2024; sparsify)."""
    at: PositiveFloat
    """The lr where there are `n` latents."""
    n: PositiveInt = 16384  # sparsify's
    """The number of latents at which the lr is `at`."""

    def of(self, latents: int) -> float:
        """The lr of a model with ``latents``."""
        return self.at * math.sqrt(self.n / latents)


def scaled(value: object) -> ScaledLr | None:
    """What is written at `lr`, if it is one by the number of latents; None where it is not, or not quite."""
    if isinstance(value, ScaledLr):
        return value
    with contextlib.suppress(ValidationError):
        return ScaledLr.model_validate(value) if isinstance(value, Mapping) else None
    return None


def _refuse_rule(value: object) -> object:
    """Say what is wrong with a rule that nobody has made a number of."""
    if isinstance(value, Mapping):
        validate(ScaledLr, Document(dict(value), {}, "optimizer.lr"), within="optimizer.lr.")
        rule = "an lr by the number of latents needs a configuration whose model has latents"
        raise InputError("optimizer.lr", dict(value), rule, "give a number")
    return value


Lr = Annotated[
    float,
    Field(gt=0),
    BeforeValidator(_refuse_rule, json_schema_input_type=Annotated[float, Field(gt=0)] | ScaledLr),
]
"""A step size. A whole configuration takes a :class:`ScaledLr` too, and makes a number of it."""
