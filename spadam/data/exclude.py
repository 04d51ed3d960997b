"""Which samples are in no split: those that a file marks, and those that are far longer than the others.

A sample of a huge norm carries a mean squared error alone: one token in 64 at 30 times the norm of the others holds
nine tenths of the sum of squares, and an fvu is then about it. Shapes: N samples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from spadam.data.mapped import check_ending, check_key
from spadam.spec import InputError, Spec

if TYPE_CHECKING:
    from torch import Tensor

    from spadam.data.samples import Samples


class ExcludeSpec(Spec):
    """Samples that are left out: of training, of every evaluation, of the statistics that inputs are scaled by."""

    mask: str | None = Field(default=None, min_length=1)
    """A .npy or .safetensors file with one truth value a sample: true, or 1, leaves it out. Or a pattern: a file for
    each of those with the samples."""
    mask_key: str | None = None
    """Which tensor of the mask's .safetensors file; null: the only one."""
    norm_over: float | None = Field(default=None, gt=1)
    """Leave out what is longer than so many times the median: of the Euclidean norms of all samples but those that the
    mask leaves out. 10 is usual for activations of language models, whose first tokens are that long."""

    @model_validator(mode="after")
    def _check(self) -> ExcludeSpec:
        if self.mask is None and self.norm_over is None:
            rule = "what is to be left out must be said"
            raise InputError("data.exclude", None, rule, "give mask or norm_over, or remove data.exclude")
        check_ending(self.mask, "data.exclude.mask")
        check_key(self.mask_key, "data.exclude.mask_key", {"data.exclude.mask": self.mask})
        return self

    @property
    def read(self) -> ExcludeSpec | None:
        """What of it is read from files; None where nothing is."""
        return None if self.mask is None else self.model_copy(update={"norm_over": None})


def excluded(samples: Samples, spec: ExcludeSpec | None) -> Tensor:
    """Which of all ``samples`` are in no split, (N,) bool.

    With `norm_over` every sample is read, once for as long as ``samples`` are kept. A norm that is not a number is not
    over anything: such a sample is told when it is taken.
    """
    import torch

    out_N = torch.zeros(samples.count, dtype=torch.bool)
    if samples.mask is not None:
        out_N[: len(samples.mask)] = samples.mask
    if spec is not None and spec.norm_over is not None and not out_N.all():
        norms_N = samples.norms
        out_N |= norms_N > spec.norm_over * norms_N[~out_N].nanmedian()
    return out_N
