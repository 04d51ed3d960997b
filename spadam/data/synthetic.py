"""Samples made from a known dictionary, so that what a model learned can be held against the truth.

Shapes: N samples, D features, A atoms, K atoms of a sample, C samples made at a time.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator
from typing_extensions import override

from spadam.data.source import BaseDatasetSpec, tenth
from spadam.data.splits import seeded
from spadam.spec import InputError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from spadam.data.samples import Samples

_MOST_NUMBERS = 1 << 32
"""16 GB."""

_CHUNK = 1 << 22
"""Arrival times drawn at a time."""


class SyntheticSpec(BaseDatasetSpec):
    """Sparse sums of known unit atoms plus noise; the true dictionary stays available.

    ``x = sum over its K atoms of s_a atom_a + noise z`` with atoms drawn uniformly from the unit sphere, strengths
    ``s_a`` uniform in [0.5, 1.5) and z standard normal. A sample's atoms are drawn one after the other without
    replacement, each with probability proportional to its weight among those that are left: all weights equal
    (``uniform``), or the atom of rank r with weight ``r ** -exponent`` (``zipf``; atom 0 is the most frequent).
    """

    name: Literal["synthetic"] = "synthetic"
    samples: int = Field(default=20_000, gt=0)
    """Samples in all: training, validation and test."""
    features: int = Field(default=64, gt=0)
    """Numbers of a sample."""
    atoms: int = Field(default=256, gt=0)
    """Unit atoms in the dictionary."""
    active: int = Field(default=8, gt=0)
    """Atoms of a sample."""
    frequencies: Literal["uniform", "zipf"] = "uniform"
    """How often atoms fire."""
    exponent: float | None = Field(default=None, gt=0)
    """Of ``zipf``; null: 1."""
    noise: float = Field(default=0.01, ge=0)
    """Standard deviation of the noise on every feature."""
    classes: int | None = Field(default=10, ge=2)
    """A sample's label is its strongest atom's number modulo this; null: no labels."""
    test_size: int | None = Field(default=None, ge=0)
    """Test samples; null: a tenth."""
    seed: int = Field(default=0, ge=0)
    """Which dictionary and samples."""

    @model_validator(mode="after")
    def _agree(self) -> SyntheticSpec:
        for argument, count in (("samples", self.samples), ("atoms", self.atoms)):
            if count * self.features > _MOST_NUMBERS:
                rule = f"{argument} x features must be at most {_MOST_NUMBERS}, the numbers that are held in memory"
                raise InputError(f"data.{argument}", count, rule, f"lower it, or data.features ({self.features})")
        if self.active > self.atoms:
            rule = f"a sample cannot have more atoms than the dictionary, which has {self.atoms}"
            raise InputError("data.active", self.active, rule, "lower it, or raise data.atoms")
        if self.classes is not None and self.classes > self.atoms:
            rule = f"there cannot be more classes than atoms, {self.atoms}"
            raise InputError("data.classes", self.classes, rule, "lower it, or set null for no labels")
        if self.exponent is not None and self.frequencies == "uniform":
            rule = "uniform frequencies have no exponent"
            raise InputError("data.exponent", self.exponent, rule, "remove it, or set `data.frequencies: zipf`")
        self.fit_sizes(self.samples)
        return self

    def files(self) -> tuple[Path, ...]:
        """None: everything is drawn."""
        return ()

    def read(self, files: tuple[Path, ...]) -> Samples:
        """Draw the dictionary, then the samples: the same dictionary for any number of samples.

        Summed in float64, atom by atom, so that no number depends on threads.
        """
        import torch

        from spadam.data.samples import Samples

        atoms_AD = torch.randn(
            self.atoms, self.features, dtype=torch.float64, generator=seeded("dictionary", self.seed)
        )
        atoms_AD /= torch.linalg.vector_norm(atoms_AD, dim=1, keepdim=True)
        atoms_AD = atoms_AD.float()
        random = seeded("samples", self.seed)
        made = [self._make(size, atoms_AD, random) for size in _chunks(self.samples, _CHUNK // self.atoms)]
        x_ND, strongest_N = (torch.cat(parts) for parts in zip(*made, strict=True))
        y_N = None if self.classes is None else strongest_N % self.classes
        return Samples(x_ND, y_N, classes=self.classes, atoms=atoms_AD)

    def weights(self) -> Tensor:
        """How likely each atom is to be drawn first, (A,) float64, sum 1."""
        import torch

        ranks_A = torch.arange(1, self.atoms + 1, dtype=torch.float64)
        exponent = 0.0 if self.frequencies == "uniform" else 1.0 if self.exponent is None else self.exponent
        weights_A = ranks_A**-exponent
        return weights_A / weights_A.sum()

    @property
    @override
    def pool(self) -> int:
        return self.samples

    @property
    @override
    def labelled(self) -> bool:
        return self.classes is not None

    def default_sizes(self, pool: int) -> tuple[int, int]:
        """A tenth for validation, and ``test_size`` or a tenth for test."""
        return tenth(pool), tenth(pool) if self.test_size is None else self.test_size

    def _make(self, samples: int, atoms_AD: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Samples (C, D) in float32, and the strongest atom of each, (C,)."""
        import torch

        # of independent exponential arrival times with rates w, the K earliest are a draw without replacement by w
        times_CA = torch.empty(samples, self.atoms, dtype=torch.float64).exponential_(generator=random)
        fired_CK = times_CA.div_(self.weights()).topk(self.active, dim=1, largest=False).indices
        strengths_CK = torch.rand(samples, self.active, dtype=torch.float64, generator=random) + 0.5
        x_CD = torch.randn(samples, self.features, dtype=torch.float64, generator=random).mul_(self.noise)
        for k in range(self.active):
            x_CD += strengths_CK[:, k : k + 1] * atoms_AD[fired_CK[:, k]]
        strongest_C = fired_CK.gather(1, strengths_CK.argmax(1, keepdim=True)).squeeze(1)
        return x_CD.float(), strongest_C


def _chunks(total: int, size: int) -> list[int]:
    whole, rest = divmod(total, max(1, size))
    return [max(1, size)] * whole + [rest] * bool(rest)
