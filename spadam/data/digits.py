"""scikit-learn's digits: real images that come with a package, for runs without network or files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import model_validator
from typing_extensions import override

from spadam.data.source import BaseDatasetSpec

if TYPE_CHECKING:
    from spadam.data.samples import Samples

_SAMPLES, _VALIDATION, _TEST = 1797, 300, 297
_WHITE = 16.0


class DigitsSpec(BaseDatasetSpec):
    """1,797 handwritten digits of 8 x 8 pixels that scikit-learn brings along (no files, no network).

    The set has no test part of its own: 297 test samples and, by default, 300 validation samples are drawn by
    ``split_seed``; 1,200 are left to train on. Grey values 0..16 are divided by 16.

    Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998.
    """

    name: Literal["digits"] = "digits"

    @model_validator(mode="after")
    def _fits(self) -> DigitsSpec:
        self.fit_sizes(_SAMPLES)
        return self

    def files(self) -> tuple[Path, ...]:
        """None: the images are in the package."""
        return ()

    def read(self, files: tuple[Path, ...]) -> Samples:
        """All images, (1797, 64), and their digits."""
        import torch
        from sklearn.datasets import load_digits  # here, because importing it takes longer than loading

        from spadam.data.samples import Samples

        images, digits = load_digits(return_X_y=True)
        assert images.shape == (_SAMPLES, 64), "the sizes of the splits rely on it"
        x_ND = torch.from_numpy(images).to(torch.float32).div_(_WHITE)
        return Samples(x_ND, torch.from_numpy(digits).to(torch.int64), classes=10, image_shape=(8, 8))

    @property
    @override
    def pool(self) -> int:
        return _SAMPLES

    def default_sizes(self, pool: int) -> tuple[int, int]:
        """300 validation and 297 test samples."""
        return _VALIDATION, _TEST
