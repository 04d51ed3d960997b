"""The IDX format, in which MNIST and its relatives are published: a magic number, sizes, bytes.

The file begins with two zero bytes, the type of its elements (8: unsigned bytes), the number of dimensions, and each
dimension's size as a big-endian 32-bit number; see LeCun, Cortes and Burges, "The MNIST database of handwritten
digits". torchvision's own reader takes unpacked files only, and costs its import; this one takes both kinds.

Shapes: N images, H x W pixels.
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spadam.data.plain_file import check_file
from spadam.spec import InputError

_REMEDY = "fetch the file again"
_UNSIGNED_BYTES = 8
_MOST_BYTES = 1 << 32
"""All of it is held in memory."""


def read_images(path: Path) -> NDArray[np.uint8]:
    """The images of ``path``, (N, H, W), at least one. Raises :class:`InputError` when the file is damaged."""
    images_NHW = _read(path, dimensions=3)
    if images_NHW.size == 0:
        raise _damaged(path, f"must hold at least one image, but its size is {images_NHW.shape}")
    return images_NHW


def read_labels(path: Path) -> NDArray[np.uint8]:
    """The labels of ``path``, (N,). Raises :class:`InputError` when the file is damaged."""
    return _read(path, dimensions=1)


def _read(path: Path, dimensions: int) -> NDArray[np.uint8]:
    check_file(path, str(path), None, _REMEDY)
    header = 4 + 4 * dimensions
    magic = bytes([0, 0, _UNSIGNED_BYTES, dimensions])
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            first = file.read(header)
            if first[:4] != magic or len(first) < header:
                raise _damaged(path, f"must begin as an IDX file with {dimensions} dimension(s) of bytes does")
            shape = tuple(int(size) for size in np.frombuffer(first, ">u4", dimensions, offset=4))
            expected = math.prod(shape)
            if expected > _MOST_BYTES:
                raise _damaged(path, f"must hold at most {_MOST_BYTES} bytes, and says that its size is {shape}")
            body = np.frombuffer(file.read(expected + 1), np.uint8)  # one more than there may be, and no bomb
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(path, f"must be a whole, readable file ({error})") from None
    if body.size != expected:
        held = f"{body.size}" if body.size < expected else "more"
        raise _damaged(path, f"must hold {expected} bytes for its size {shape}, but holds {held}")
    return body.reshape(shape)


def _damaged(path: Path, rule: str) -> InputError:
    return InputError(str(path), None, rule, _REMEDY)
