"""What a model of images has learnt, as pictures: its decoder rows, and what it reconstructs beside how.

A picture is a uint8 array, (height, width) of greys or (height, width, 3) of colours, with lines between its cells.
Small images are enlarged by whole numbers, so no value is blurred.

Shapes: N samples, D features, E features of what is reconstructed, L latents, h and w of an image, D (or E) = h x w.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from spadam.data import Dataset
    from spadam.models.autoencoder import SparseAutoencoder

Picture = NDArray[np.uint8]

_CELL = 56
"""Pixels that the longer side of an image has at least, as far as whole factors go."""

_LINE, _WIDTH = 128, 2
"""Grey and width of the lines between cells: seen on black and on white."""

_STOPS = np.linspace(-1, 1, 7)
_COLOURS = np.array(
    [(8, 48, 107), (33, 113, 181), (146, 197, 222), (250, 250, 250), (244, 165, 130), (203, 45, 38), (103, 0, 13)]
)
"""Blue is negative, near white is zero, red is positive; both ends are equally dark."""

_LOOKED_AT = 1024
"""Samples that the use of the latents is counted on; it only puts rows in order."""

_BLOCK = 128


def decoder_picture(
    rows_LD: NDArray[Any], image_shape: tuple[int, int], most: int = 100, order: Sequence[int] | None = None
) -> Picture:
    """A grid of decoder rows, each scaled by its own largest magnitude, in colours: blue below zero, red above.

    ``order`` lists the rows to show, the first in the top left corner, row by row; by default their own order. At most
    ``most`` are shown. What is not finite is shown as zero. Raises ValueError when rows are no images of that shape, or
    there is none.
    """
    shown_LD = np.asarray(rows_LD[list(order)[:most]] if order is not None else rows_LD[:most], np.float64)
    shown_LD = np.nan_to_num(shown_LD, posinf=0, neginf=0)
    largest_L1 = np.abs(shown_LD).max(1, initial=0, keepdims=True)
    scaled_LD = shown_LD / np.where(largest_L1 > 0, largest_L1, 1)
    cells_LD3 = np.stack([np.interp(scaled_LD, _STOPS, channel) for channel in _COLOURS.T], axis=-1)
    return _grid(cells_LD3, image_shape, columns=math.ceil(math.sqrt(len(shown_LD))))


def reconstruction_picture(
    x_ND: NDArray[Any], reconstruction_ND: NDArray[Any], image_shape: tuple[int, int], n: int = 10
) -> Picture:
    """The first ``n`` samples in greys, 0 black and 1 white, each above its reconstruction; values beyond are cut.

    What is not finite is black. Raises ValueError when samples are no images of that shape, or there is none.
    """
    both_ND = np.concatenate([np.asarray(each, np.float64)[:n] for each in (x_ND, reconstruction_ND)])
    cells_ND1 = 255 * np.clip(np.nan_to_num(both_ND, posinf=0, neginf=0), 0, 1)[..., None]
    return _grid(cells_ND1, image_shape, columns=len(both_ND) // 2)[..., 0]


def draw(autoencoder: SparseAutoencoder, dataset: Dataset) -> dict[str, Picture]:
    """Both pictures of a trained model by their names, the most used latents first.

    None when what is reconstructed are no images: the samples, or where they have targets, these. The samples are those
    of validation, or of training where there is no validation; never of the test set.
    """
    shape = dataset.target_image_shape
    if shape is None:
        return {}
    split = dataset.validation if len(dataset.validation) else dataset.train
    uses_L = np.zeros(autoencoder.spec.latents, np.int64)
    for start in range(0, min(_LOOKED_AT, len(split)), _BLOCK):
        code = autoencoder.encode(dataset.take(split[start : start + _BLOCK]).to(autoencoder.decoder_bias))
        uses_L += np.bincount(code.selection.latents_P.cpu().numpy(), minlength=len(uses_L))
    x_ND = dataset.take(split[:10]).to(autoencoder.decoder_bias)
    reconstruction_NE = autoencoder.decode(autoencoder.encode(x_ND)).detach()
    target_NE = x_ND if dataset.targets is None else dataset.take_target(split[:10])
    rows_LE = autoencoder.decoder_rows.detach()
    order = np.argsort(-uses_L, kind="stable").tolist()
    return {
        "pictures/decoder": decoder_picture(rows_LE.cpu().numpy(), shape, order=order),
        "pictures/reconstructions": reconstruction_picture(
            target_NE.cpu().numpy(), reconstruction_NE.cpu().numpy(), shape
        ),
    }


def _grid(cells_NDC: NDArray[np.float64], image_shape: tuple[int, int], columns: int) -> Picture:
    """The cells in rows of ``columns``, enlarged, with a line around each."""
    height, width = image_shape
    if not len(cells_NDC) or cells_NDC.shape[1] != height * width:
        raise ValueError(f"(N, D) = {cells_NDC.shape[:2]} must be at least one image of {height} x {width}")
    factor = max(1, round(_CELL / max(height, width)))
    high, wide = height * factor + _WIDTH, width * factor + _WIDTH
    rows = math.ceil(len(cells_NDC) / columns)
    picture = np.full((rows * high + _WIDTH, columns * wide + _WIDTH, cells_NDC.shape[2]), _LINE, np.uint8)
    for n, cell_DC in enumerate(cells_NDC):
        top, left = n // columns * high + _WIDTH, n % columns * wide + _WIDTH
        image = np.rint(cell_DC).reshape(height, width, -1).repeat(factor, 0).repeat(factor, 1)
        picture[top : top + height * factor, left : left + width * factor] = image
    return picture
