"""How large samples and gradients are before the first step: what an lr and an eps are to be held against.

An lr that is good for samples of one size need not be for those of another, and the root mean square of the gradient
differs by a factor of 10^5 between usual conventions (a loss that is summed or averaged over features, inputs that are
scaled or not): without it an eps of 1e-8 says nothing.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from spadam.config import RunConfig
from spadam.spec import InputError
from spadam.sweep.definition.relative_axes import EPS, LR
from spadam.sweep.definition.spec import Sweep
from spadam.training.gradient_scale import gradient_rms


class Sizes(NamedTuple):
    """Of a configuration, at the weights that its training begins with."""

    scaling: str
    """`data.scale`."""
    square: float
    """The mean of the squared norms of the training samples, as they are trained on."""
    gradient: float | None
    """Root mean square of the gradient over touched rows of the tables; None where there is none."""


def gauge(config: RunConfig) -> Sizes:
    """How large samples and gradient of ``config`` are. Raises :class:`InputError` when data is missing."""
    dataset = config.data.load()
    square = dataset.moments().square * dataset.scale**2
    try:
        return Sizes(dataset.scaling, square, gradient_rms(config))
    except InputError:  # a gradient of 0, or one that is not finite
        return Sizes(dataset.scaling, square, None)


def plain_sizes(sizes: Sizes | None) -> dict[str, Any]:
    """As plain values, by the names of the plan."""
    scaling, square, gradient = sizes or (None, None, None)
    return {"scaling": scaling, "mean_square": square, "gradient_rms": gradient}


def absolute_axes(sweep: Sweep, variant: str) -> list[str]:
    """The axes of ``variant`` whose numbers mean something at one scale of the inputs only.

    They are `optimizer.lr` around the centre that an optimizer declares, and `optimizer.eps` that is relative to
    nothing.
    """
    ranges = {**sweep.spec.space, **sweep.spec.variants[variant].space}
    lr = ranges.get(LR)
    found = [LR] if lr is not None and lr.around == "declared" else []
    return [*found, EPS] if ranges.get(EPS) is not None else found
