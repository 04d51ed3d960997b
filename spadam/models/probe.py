"""The probe: a linear classifier on codes, trained along with them.

Shapes: B samples, L latents, C classes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spadam.encoding.execution import Code
from spadam.encoding.precision import full_precision
from spadam.kernels import reference


class LinearProbe(nn.Module):
    r"""Class scores of a code, :math:`z W + b`, with latent-major weights (L, C).

    Everything starts at 0, so no random numbers are drawn. Codes are taken as they are: no gradient reaches what made
    them.
    """

    def __init__(self, latents: int, classes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(latents, classes))
        self.bias = nn.Parameter(torch.zeros(classes))

    @full_precision
    def forward(self, code: Code) -> Tensor:
        """Logits (B, C)."""
        latents_P, offsets_B = code.selection
        # The reference and not the chosen kernels: autograd has to go through it, and it is a small part of a step.
        return reference.decode(latents_P, code.values_P.detach(), offsets_B, self.weight) + self.bias
