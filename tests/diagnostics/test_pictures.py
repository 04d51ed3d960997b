from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from spadam.data.dataset import Dataset, Samples
from spadam.data.splits import Splits
from spadam.diagnostics.pictures import decoder_picture, draw, reconstruction_picture
from spadam.models.autoencoder import SparseAutoencoder
from spadam.models.spec import AutoencoderSpec
from spadam.sparsity import TopKSpec

SHAPE = (28, 14)  # an enlarged pixel is 2 x 2 on the picture, and a line 2 wide
CELL = (slice(2, 58), slice(2, 30))
RED, WHITE, BLUE = (103, 0, 13), (250, 250, 250), (8, 48, 107)


def cell(picture: NDArray[np.uint8], row: int, column: int) -> NDArray[np.uint8]:
    """One cell without its lines, one pixel for each of the image's."""
    top, left = 2 + row * 58, 2 + column * 30
    return picture[top : top + 56 : 2, left : left + 28 : 2]


def test_every_row_is_scaled_about_zero_by_its_own_largest_magnitude() -> None:
    rows = np.zeros((4, 28 * 14))
    rows[0, 5], rows[0, 20] = 4.0, -2.0
    rows[1, 5] = -1e-6
    rows[2] = 3.0
    picture = decoder_picture(rows, SHAPE)
    assert picture.shape == (2 * 58 + 2, 2 * 30 + 2, 3)
    assert picture.dtype == np.uint8
    assert tuple(cell(picture, 0, 0)[0, 5]) == RED
    half = cell(picture, 0, 0)[1, 6].astype(int)
    assert half[2] > half[0], "half of the way to blue"
    assert tuple(half) != BLUE
    assert tuple(cell(picture, 0, 0)[9, 9]) == WHITE
    assert tuple(cell(picture, 0, 1)[0, 5]) == BLUE
    assert (cell(picture, 1, 0) == RED).all()
    assert (cell(picture, 1, 1) == WHITE).all(), "a row of zeros has no scale"


def test_opposite_rows_have_mirrored_colours() -> None:
    values = np.linspace(-1, 1, 28 * 14)
    up, down = (cell(decoder_picture(sign * values[None], SHAPE), 0, 0).astype(int) for sign in (1, -1))
    np.testing.assert_array_equal(up, down[::-1, ::-1])
    assert up.reshape(-1, 3).max(0).tolist() == list(WHITE)
    grey = up.reshape(-1, 3) @ [0.299, 0.587, 0.114]
    assert (np.diff(grey[: len(grey) // 2]) >= 0).all(), "the nearer to zero, the lighter"


def test_a_line_runs_around_every_cell_and_enlarged_pixels_are_whole() -> None:
    rows = np.random.default_rng(0).normal(size=(5, 28 * 14))
    picture = decoder_picture(rows, SHAPE)
    assert picture.shape == (2 * 58 + 2, 3 * 30 + 2, 3)
    for at in (0, 1, 58, 59, 116, 117):
        assert (picture[at] == 128).all()
    for at in (0, 1, 30, 31, 60, 61, 90, 91):
        assert (picture[:, at] == 128).all()
    assert (cell(picture, 1, 2) == 128).all(), "there is no sixth row"
    one = picture[CELL]
    np.testing.assert_array_equal(one, one[::2, ::2].repeat(2, 0).repeat(2, 1))


def test_the_rows_of_an_order_come_first_and_not_more_than_the_most() -> None:
    rows = np.eye(6, 28 * 14)
    picture = decoder_picture(rows, SHAPE, most=3, order=[4, 0, 5, 1])
    assert picture.shape[:2] == (2 * 58 + 2, 2 * 30 + 2)
    shown = [int((cell(picture, n // 2, n % 2)[0] == RED).all(-1).argmax()) for n in range(3)]
    assert shown == [4, 0, 5]
    assert (cell(picture, 1, 1) == 128).all()
    assert decoder_picture(rows, SHAPE, most=4).shape[:2] == (2 * 58 + 2, 2 * 30 + 2)


def test_small_images_are_enlarged_and_large_ones_are_not() -> None:
    assert decoder_picture(np.ones((1, 64)), (8, 8)).shape == (60, 60, 3)
    assert decoder_picture(np.ones((1, 10_000)), (100, 100)).shape == (104, 104, 3)


def test_originals_stand_above_reconstructions_and_values_are_cut() -> None:
    x = np.stack([np.full(28 * 14, value) for value in (0.0, 0.5, 1.0)])
    reconstruction = np.stack([np.full(28 * 14, value) for value in (-3.0, 0.25, 7.0)])
    picture = reconstruction_picture(x, reconstruction, SHAPE)
    assert picture.shape == (2 * 58 + 2, 3 * 30 + 2)
    assert picture.dtype == np.uint8
    greys = [[int(cell(picture, row, column)[0, 0]) for column in range(3)] for row in range(2)]
    assert greys == [[0, 128, 255], [0, 64, 255]]
    assert reconstruction_picture(x, reconstruction, SHAPE, n=2).shape == (2 * 58 + 2, 2 * 30 + 2)


def test_what_is_not_finite_is_drawn_as_nothing() -> None:
    rows = np.full((2, 28 * 14), np.nan)
    rows[0, 3], rows[1, 0] = 2.0, np.inf
    picture = decoder_picture(rows, SHAPE)
    assert tuple(cell(picture, 0, 0)[0, 3]) == RED
    assert (cell(picture, 0, 1) == WHITE).all()
    assert (cell(reconstruction_picture(rows, -rows, SHAPE), 1, 1) == 0).all()


@pytest.mark.parametrize("rows", [np.ones((3, 63)), np.ones((0, 64))])
def test_rows_that_are_no_images_are_refused(rows: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="must be at least one image of 8 x 8"):
        decoder_picture(rows, (8, 8))
    with pytest.raises(ValueError, match="must be at least one image of 8 x 8"):
        reconstruction_picture(rows, rows, (8, 8))


def images(image_shape: tuple[int, int] | None, validation: list[int]) -> Dataset:
    """300 training samples, then what is listed, then test samples that are all one grey."""
    x = torch.rand(340, 64, generator=torch.Generator().manual_seed(0))
    x[320:] = 0.5
    splits = Splits(torch.arange(300), torch.tensor(validation, dtype=torch.int64), torch.arange(320, 340))
    return Dataset(Samples(x, image_shape=image_shape), splits)


def trained(latents: int = 24) -> SparseAutoencoder:
    spec = AutoencoderSpec(latents=latents, rule=TopKSpec(k=3))
    return spec.build(64, torch.Generator().manual_seed(1)).eval()


@pytest.mark.parametrize("validation", [[310, 305, 317, 301, 302, 303, 304, 306, 307, 308, 309], []])
def test_a_model_is_drawn_on_validation_samples_or_else_on_training_samples(validation: list[int]) -> None:
    data, model = images((8, 8), validation), trained()
    drawn = draw(model, data)
    samples = torch.tensor(validation or range(300))
    first = data.x[samples[:10]]

    with torch.no_grad():
        wanted = model(first).reconstruction_BD
    expected = reconstruction_picture(first.numpy(), wanted.numpy(), (8, 8))
    np.testing.assert_array_equal(drawn["pictures/reconstructions"], expected)

    uses = selections(model, data.x[samples])
    order = sorted(range(24), key=lambda latent: (-uses[latent], latent))
    rows = model.decoder_rows.detach().numpy()
    np.testing.assert_array_equal(drawn["pictures/decoder"], decoder_picture(rows, (8, 8), order=order))


def selections(model: SparseAutoencoder, x_ND: Tensor) -> list[int]:
    uses = [0] * model.spec.latents
    for x_D in x_ND:
        for latent in model.encode(x_D[None]).selection.latents_P.tolist():
            uses[latent] += 1
    return uses


def test_data_that_are_no_images_have_no_pictures() -> None:
    assert draw(trained(), images(None, [])) == {}
