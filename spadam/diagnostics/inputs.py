"""What the samples are like before anything is trained on them, and whether a model can see what varies in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spadam.data import Dataset
from spadam.diagnostics.warned import Warned

UNCENTRED = 0.5
"""Above this gamma the encoder of a model without a pre-bias mostly sees the mean."""

DEAD_AT_START = 0.1
"""Above this share of latents that no sample selects before the first step something is wrong with the inputs."""

CODES = ("uncentred_inputs", "dead_at_start", "outliers")
"""The warnings that are of the inputs: a short training gives them as a long one does."""

_BY_CHANCE = 0.01
"""A share of dead latents tells nothing where so many would be left out by chance."""


def measure(dataset: Dataset) -> dict[str, float]:
    """Numbers of the training samples, by their names; of targets only where they have some."""
    scales = dict(zip(("data/scale", "data/target_scale"), dataset.scales, strict=False))
    return {"data/gamma": dataset.moments().gamma, **scales}


def warn(gamma: float, pre_bias: str, first: Mapping[str, Any], dead_by_chance: float) -> list[Warned]:
    """What a reader must know of the inputs.

    ``first`` is the row of step 0; ``dead_by_chance`` the share of latents that its evaluation would have found dead if
    all were used alike.
    """
    found = []
    if pre_bias == "none" and gamma > UNCENTRED:
        text = (
            f"the inputs are not centred: |mean| / |standard deviation| is {gamma:.3g}, and without a pre-bias the "
            "encoder sees mostly the mean; use model.pre_bias: mean"
        )
        found.append(Warned("uncentred_inputs", text, {"gamma": gamma}))
    dead = first.get("sparsity/dead")
    if dead is not None and dead > DEAD_AT_START and dead_by_chance < _BY_CHANCE:
        text = f"{dead:.1%} of the latents were selected for no validation sample before the first step"
        found.append(Warned("dead_at_start", text, {"dead": dead}))
    return found
