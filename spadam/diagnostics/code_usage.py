"""Which latents a code uses, and how evenly: over an evaluated set.

Shapes: B samples of a block, L latents, P pairs (sample, latent) that are on.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from spadam.encoding.execution import Code

EDGES = np.arange(-24, 1) / 4
"""Edges of the bins of log10 density: from one sample in a million to all, four bins a decade."""


class CodeUsage(NamedTuple):
    """What a code uses; NaN where that is not defined.

    A latent is *selected* by the rule, whatever its value; it has *fired* where it is selected with a value above 0.
    With a linear activation negative values are selected too.
    """

    l0: float
    """Mean number of non-zero values per sample."""
    fired: float
    """Mean number of values above 0 per sample."""
    dead: float
    """Share of latents that were never selected."""
    dead_fired: float
    """Share of latents that have never fired."""
    entropy: float
    """Entropy of the distribution of selections over the latents, over log L; NaN for one latent or no selection."""
    histogram: dict[str, Any]
    """Of the latents' densities (share of samples): ``edges`` of log10 density, ``counts``, and how many ``never``."""

    def metrics(self) -> dict[str, float]:
        """The numbers under their names."""
        return {
            "sparsity/l0_eval": self.l0,
            "sparsity/fired": self.fired,
            "sparsity/dead": self.dead,
            "sparsity/dead_fired": self.dead_fired,
            "sparsity/usage_entropy": self.entropy,
        }

    def arrays(self) -> dict[str, Any]:
        """The histogram under its name."""
        return {"sparsity/density_histogram": self.histogram}


class UsageCounts:
    """Counts selections and values above 0, block after block, without waiting for the device."""

    def __init__(self, latents: int, device: torch.device) -> None:
        self._samples = 0
        self._selected_L, self._fired_L = torch.zeros(2, latents, dtype=torch.int64, device=device)
        self._nonzero = torch.zeros((), dtype=torch.int64, device=device)

    def add(self, code: Code) -> None:
        """Take note of the code of a block."""
        self._samples += len(code.selection.offsets_B)
        self._selected_L += torch.bincount(code.selection.latents_P, minlength=len(self._selected_L))
        self._fired_L.index_add_(0, code.selection.latents_P, (code.values_P > 0).long())
        self._nonzero += (code.values_P != 0).sum()

    def result(self) -> CodeUsage:
        """Everything over the samples that were added."""
        selected_L, fired_L = self._selected_L.cpu(), self._fired_L.cpu()
        seen = self._samples > 0
        return CodeUsage(
            l0=int(self._nonzero) / self._samples if seen else math.nan,
            fired=int(fired_L.sum()) / self._samples if seen else math.nan,
            dead=int((selected_L == 0).sum()) / len(selected_L) if seen else math.nan,
            dead_fired=int((fired_L == 0).sum()) / len(fired_L) if seen else math.nan,
            entropy=_entropy(selected_L),
            histogram=_histogram(selected_L, self._samples),
        )


def _entropy(selected_L: Tensor) -> float:
    total = int(selected_L.sum())
    if total == 0 or len(selected_L) == 1:
        return math.nan
    share_L = selected_L.double() / total
    nats = -float(torch.xlogy(share_L, share_L).sum())
    return min(1.0, max(0.0, nats / math.log(len(selected_L))))  # rounding must not leave [0, 1]


def _histogram(selected_L: Tensor, samples: int) -> dict[str, Any]:
    used = selected_L[selected_L > 0].double().numpy()
    log_density = np.log10(used / max(1, samples))
    counts, _ = np.histogram(np.maximum(log_density, EDGES[0]), bins=EDGES)
    return {"edges": EDGES.tolist(), "counts": counts.tolist(), "never": len(selected_L) - len(used)}
