"""Samples with the three splits of them that a training sees, in the scale that it sees them in.

Shapes: N samples, D features, E features of a target, M samples that were asked for, A true atoms.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from spadam.data.moments import Moments, moments
from spadam.data.order import forwards
from spadam.data.samples import CHUNK, Samples, bytes_of
from spadam.data.scale import Scaling, factor
from spadam.data.shards import Rows
from spadam.data.splits import Splits

Batch = Tensor | tuple[Tensor, Tensor] | dict[str, Tensor]
"""What a training step is given: ``(x_BD, y_B)`` of a set with labels, ``x_BD`` alone of one without; of a set with
targets always ``{"x": x_BD, "target": target_BE}``, and ``"y"`` with labels."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples with their splits: what a training is given.

    Take rows with :meth:`take` or :meth:`batch`, which multiply them by ``scale``; ``x`` itself is as it is stored, may
    have another type than float32 and lie in a file.
    """

    samples: Samples
    splits: Splits
    scaling: Scaling = "none"
    """What ``scale`` was chosen for."""
    scale: float = 1.0
    """The number, exact in float32, that samples are multiplied by."""
    target_scale: float = 1.0
    """The same of targets; where samples are their own, it is not used."""

    @property
    def x(self) -> Rows:
        """(N, D) samples, not scaled: float32, or the floating type of a mapped file.

        A tensor, or :class:`~spadam.data.shards.Shards` of one where they lie in several files. Those of validation and
        test files are not among them.
        """
        return self.samples.x

    @property
    def y(self) -> Tensor | None:
        """(N,) int64 classes, or None: then there is nothing to probe."""
        return self.samples.y

    @property
    def train(self) -> Tensor:
        """Indices of the training split, int64, at least one."""
        return self.splits.train

    @property
    def validation(self) -> Tensor:
        """Indices of the validation split, int64; empty when ``validation_size`` is 0."""
        return self.splits.validation

    @property
    def test(self) -> Tensor:
        """Indices of the test split, int64; empty when ``test_size`` is 0."""
        return self.splits.test

    @property
    def features(self) -> int:
        """D, the number of features of a sample."""
        return self.x.shape[1]

    @property
    def classes(self) -> int | None:
        """Number of classes, or None without labels."""
        return self.samples.classes

    @property
    def image_shape(self) -> tuple[int, int] | None:
        """(height, width) of a sample, or None when it is no image."""
        return self.samples.image_shape

    @property
    def targets(self) -> int | None:
        """E, the number of features of a target; None where samples are their own targets."""
        return None if self.samples.target is None else self.samples.target.x.shape[1]

    @property
    def target_image_shape(self) -> tuple[int, int] | None:
        """(height, width) of what is reconstructed of a sample, or None when it is no image."""
        return (self.samples.target or self.samples).image_shape

    @property
    def atoms(self) -> Tensor | None:
        """(A, D) true dictionary of unit atoms, or None where it is not known."""
        return self.samples.atoms

    def take(self, rows_M: Tensor) -> Tensor:
        """The samples ``rows_M`` (int64 indices) times the scale, as float32, (M, D).

        Raises :class:`InputError` when a memory-mapped sample holds what is not a finite float32 number.
        """
        return self._take(self.samples, self.scale, rows_M)

    def take_target(self, rows_M: Tensor) -> Tensor:
        """What is to be reconstructed of the samples ``rows_M``, times its scale, as float32, (M, E).

        Without targets these are the samples. Raises as :meth:`take` does.
        """
        target = self.samples.target
        return self.take(rows_M) if target is None else self._take(target, self.target_scale, rows_M)

    def _take(self, samples: Samples, scale: float, rows_M: Tensor) -> Tensor:
        x_MD = samples.take(rows_M.to(samples.x.device))
        return x_MD if self.scaling == "none" else x_MD.mul_(scale)

    def batch(self, rows_M: Tensor) -> Batch:
        """The samples ``rows_M`` as a training step takes them; see :data:`Batch`. Raises as :meth:`take` does."""
        x_MD = self.take(rows_M)
        y_M = None if self.y is None else self.y.index_select(0, rows_M.to(self.y.device))
        if self.targets is not None:
            named = {"x": x_MD, "target": self.take_target(rows_M)}
            return named if y_M is None else {**named, "y": y_M}
        return x_MD if y_M is None else (x_MD, y_M)

    def forwards(self, rows_M: Tensor) -> Tensor:
        """``rows_M`` in an order in which one pass reads a large set in files forwards; of others as given."""
        return forwards(self.samples, rows_M)

    def moments(self) -> Moments:
        """Of the training samples as they are stored, not scaled.

        Reads every one of them, of a memory-mapped set too, forwards through the file. They are kept as long as the
        samples are: trainings that share them share the pass.
        """
        return self._moments(self.samples)

    def target_moments(self) -> Moments:
        """The same of what is to be reconstructed of them."""
        return self._moments(self.samples.target or self.samples)

    def _moments(self, samples: Samples) -> Moments:
        kept = _moments.setdefault(samples, {})
        split = hashlib.sha256(bytes_of(self.train)).digest()
        if split not in kept:
            rows_N = self.train.sort().values.to(samples.x.device)
            blocks = torch.split(rows_N, max(1, CHUNK // samples.x.shape[1]))
            kept[split] = moments(samples.take(rows) for rows in blocks)
        return kept[split]

    def train_mean(self) -> Tensor:
        """Mean of every feature over the scaled training split, (D,) float32."""
        return (self.moments().mean_D * self.scale).float()

    def target_mean(self) -> Tensor:
        """The same of what is to be reconstructed, (E,) float32."""
        return (self.target_moments().mean_D * self.scales[-1]).float()

    @property
    def scales(self) -> tuple[float, ...]:
        """``(scale,)``, or ``(scale, target_scale)`` where there are targets."""
        return (self.scale,) if self.targets is None else (self.scale, self.target_scale)

    def scaled(self, scaling: Scaling) -> Dataset:
        """The same set, scaled as ``scaling`` says: targets by a number of their own, found as that of samples is.

        Raises :class:`InputError` when its samples or targets give no scale.
        """
        if scaling == "none":
            return self
        own = 1.0 if self.targets is None else factor(scaling, self.target_moments(), "targets of the training samples")
        return replace(self, scaling=scaling, scale=factor(scaling, self.moments()), target_scale=own)

    def unscaled(self) -> Dataset:
        """The same set with its samples and targets as they are stored."""
        return replace(self, scaling="none", scale=1.0, target_scale=1.0)

    def to(self, device: torch.device | str) -> Dataset:
        """The same set with its tensors on ``device``; a memory-mapped one is returned as it is."""
        if self.samples.mapped:
            return self
        splits = Splits(*(rows.to(device) for rows in self.splits))
        return replace(self, samples=self.samples.to(device), splits=splits)

    def content_hash(self) -> str:
        """sha256 of samples, labels, targets, splits and scaling, as hex: the same hash means the same data.

        Computed when first asked for (0.2 s for 220 MB) and kept for other splits of the same samples. Of a
        memory-mapped set above 256 MiB that many bytes of evenly spread rows are hashed, not the whole file.
        """
        total = hashlib.sha256(self.samples.digest.encode())
        for rows in self.splits:
            total.update(len(rows).to_bytes(8, "big") + bytes_of(rows))
        if self.scaling != "none":
            total.update(self.scaling.encode())
        return total.hexdigest()


_moments: WeakKeyDictionary[Samples, dict[bytes, Moments]] = WeakKeyDictionary()
"""Of the training splits of samples, by their hashes."""
