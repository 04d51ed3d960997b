"""Where the weights of an autoencoder begin.

Shapes: L latents, D features of a row.
"""

from __future__ import annotations

import torch
from torch import Tensor


@torch.no_grad()
def draw_rows(weight_LD: Tensor, generator: torch.Generator, scale: float | None = None) -> None:
    """Draw the rows from N(0, 1/D), or from N(0, scale²), in place."""
    weight_LD.normal_(generator=generator)
    if scale is None:
        weight_LD.div_(weight_LD.shape[1] ** 0.5)
    else:
        weight_LD.mul_(scale)


@torch.no_grad()
def start_at(bias: Tensor, mean_D: Tensor | None) -> None:
    """Begin with the mean, or with 0 where there is none, in place."""
    if mean_D is None:
        bias.zero_()
    else:
        bias.copy_(mean_D)
