"""MNIST and Fashion-MNIST: four IDX files each, read from where they lie, fetched only when they lie nowhere.

Shapes: N images, H x W pixels, D = H W features.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from spadam.data.source import BaseDatasetSpec
from spadam.spec import InputError

if TYPE_CHECKING:
    import numpy as np

    from spadam.data.samples import Samples

_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
_CLASSES = 10
_WHITE = 255
DEBIAN = "/usr/share/datasets/fashion-mnist"


class IdxSet(BaseDatasetSpec):
    """Images and labels in four IDX files, with official test files.

    They are looked for in ``root`` itself (``train-images-idx3-ubyte.gz``, … or unpacked), then in torchvision's
    ``root/<collection>/raw``; nothing is written there. When they are in neither, torchvision downloads them.
    Validation is drawn from the training files: one twelfth by default, 5,000 of 60,000.
    """

    collection: ClassVar[str]
    """torchvision's name of the set and of its folder."""
    remedy: ClassVar[str]
    """What to do when the files are missing."""

    def files(self) -> tuple[Path, ...]:
        """Training images and labels, test images and labels."""
        if self.folder.exists() and not self.folder.is_dir():
            raise InputError("data.root", self.root, "must be a folder, and is a file", "give the folder of the files")
        here, missing = find_files(self.folder)
        if here and missing:
            rule = f"must hold all of the set's four files, but lacks {', '.join(missing)}"
            raise InputError("data.root", self.root, rule, "put them there, or take the others away")
        if here:
            return here
        raw = self.folder / self.collection / "raw"
        if find_files(raw)[1]:
            from spadam.data.download import fetch

            try:
                fetch(self.folder, self.collection)
            except OSError as error:
                names = ", ".join(f"{name}.gz" for name in _FILES)
                rule = f"must hold {names}, here or in {self.collection}/raw, and they cannot be downloaded ({error})"
                raise InputError("data.root", self.root, rule, self.remedy) from None
        return find_files(raw)[0]

    def read(self, files: tuple[Path, ...]) -> Samples:
        """Training images, then test images, one row of D = H W numbers in [0, 1] each, and their classes."""
        import numpy as np
        import torch

        from spadam.data.samples import Samples

        parts = [_read_pair(*files[:2]), _read_pair(*files[2:])]
        (train_NHW, _), (test_NHW, _) = parts
        if train_NHW.shape[1:] != test_NHW.shape[1:]:
            rule = f"test images must be as large as training images, {train_NHW.shape[1:]}, not {test_NHW.shape[1:]}"
            raise InputError(str(files[2]), None, rule, "fetch the files of one set")
        height, width = train_NHW.shape[1:]
        x_ND = np.empty((len(train_NHW) + len(test_NHW), height * width), np.float32)
        np.divide(train_NHW.reshape(len(train_NHW), -1), np.float32(_WHITE), out=x_ND[: len(train_NHW)])
        np.divide(test_NHW.reshape(len(test_NHW), -1), np.float32(_WHITE), out=x_ND[len(train_NHW) :])
        y_N = np.concatenate([labels for _, labels in parts]).astype(np.int64)
        return Samples(
            torch.from_numpy(x_ND),
            torch.from_numpy(y_N),
            classes=_CLASSES,
            image_shape=(height, width),
            official_test=len(test_NHW),
        )

    def default_sizes(self, pool: int) -> tuple[int, int]:
        """A twelfth for validation, at least 1; the test samples are those of the test files."""
        return max(1, pool // 12), 0


class MnistSpec(IdxSet):
    """MNIST: 70,000 handwritten digits of 28 x 28 pixels, 10,000 of them for test.

    LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition", Proc. IEEE, 1998.
    """

    name: Literal["mnist"] = "mnist"

    collection = "MNIST"
    remedy = (
        "put the four files there, connect to the network, or take `data.name: digits`, which needs neither, or "
        f"`fashion_mnist` with Debian's package dataset-fashion-mnist (`data.root: {DEBIAN}`)"
    )


class FashionMnistSpec(IdxSet):
    """Fashion-MNIST: 70,000 pictures of clothes, 28 x 28 pixels, 10,000 of them for test.

    Xiao, Rasul and Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms", 2017.
    """

    name: Literal["fashion_mnist"] = "fashion_mnist"

    collection = "FashionMNIST"
    remedy = (
        "put the four files there, or install Debian's package dataset-fashion-mnist and set "
        f"`data.root: {DEBIAN}`, or connect to the network"
    )


def find_files(folder: Path) -> tuple[tuple[Path, ...], list[str]]:
    """The set's files that are in ``folder``, and the names of those that are not.

    A packed file is preferred to its unpacked twin: it carries a checksum.
    """
    found: list[Path] = []
    missing: list[str] = []
    for name in _FILES:
        choices = [path for path in (folder / f"{name}.gz", folder / name) if path.exists()]
        found.extend(choices[:1])
        if not choices:
            missing.append(f"{name}.gz")
    return tuple(found), missing


def _read_pair(images: Path, labels: Path) -> tuple[np.ndarray, np.ndarray]:
    from spadam.data.idx import read_images, read_labels  # here, because numpy takes its time to import

    x_NHW, y_N = read_images(images), read_labels(labels)
    if len(x_NHW) != len(y_N):
        rule = f"must hold a label for each of the {len(x_NHW)} images of {images.name}, but holds {len(y_N)}"
        raise InputError(str(labels), None, rule, "fetch the files of one set")
    if y_N.max() >= _CLASSES:
        rule = f"a label must be below {_CLASSES}, but one is {y_N.max()}"
        raise InputError(str(labels), None, rule, "fetch the file again, or read the set as `data.name: array`")
    return x_NHW, y_N
