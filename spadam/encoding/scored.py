"""A selection with the scores that it was made by, however its pairs were found.

Shapes: B samples, L latents, P pairs (sample, latent) that are on, k latents of a sample.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from spadam.encoding.selector import Best
from spadam.sparsity.rule import Selection


class Scored(NamedTuple):
    """A selection and the pre-activations of its pairs, (P,), without gradient."""

    selection: Selection
    scores_P: Tensor


def all_of(best: Best) -> Scored:
    """The best latents of each sample, the same number for all."""
    scores_Bk, latents_Bk = best
    batch, k = latents_Bk.shape
    offsets_B = torch.arange(0, batch * k, k, device=latents_Bk.device)
    return Scored(Selection(latents_Bk.reshape(-1), offsets_B), scores_Bk.reshape(-1))


def look_up(scores_BL: Tensor, selection: Selection) -> Scored:
    """The pairs of ``selection`` with their scores, which are among those of all."""
    return Scored(selection, scores_BL[selection.samples(), selection.latents_P])
