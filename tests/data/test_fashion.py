"""The real Fashion-MNIST, 70,000 images: four IDX gz files in the folder that SPADAM_FASHION_MNIST names."""

import os
from pathlib import Path

import pytest
import torch

from spadam.data import FashionMnistSpec

pytestmark = pytest.mark.fashion


@pytest.fixture(scope="module")
def root():
    folder = os.environ.get("SPADAM_FASHION_MNIST", "/usr/share/datasets/fashion-mnist")
    if not (Path(folder) / "train-images-idx3-ubyte.gz").exists():
        pytest.fail(
            f"{folder} has no Fashion-MNIST: install Debian's dataset-fashion-mnist or set SPADAM_FASHION_MNIST"
        )
    return folder


def test_all_images_are_read_from_debians_folder(root):
    before = sorted(os.listdir(root))
    data = FashionMnistSpec(root=root).load()
    assert data.x.shape == (70_000, 784)
    assert data.x.dtype == torch.float32
    assert (data.x.min(), data.x.max()) == (0, 1)
    assert [len(rows) for rows in data.splits] == [55_000, 5_000, 10_000]
    assert torch.equal(data.y.bincount(), torch.full((10,), 7_000))
    assert torch.equal(data.y[data.test].bincount(), torch.full((10,), 1_000))
    # mean and standard deviation of the training images that are quoted everywhere for normalising this set
    train = data.x[:60_000]
    assert abs(train.mean() - 0.2860) < 5e-5
    assert abs(train.std() - 0.3530) < 5e-5
    assert sorted(os.listdir(root)) == before


def test_all_60_000_can_be_trained_on(root):
    data = FashionMnistSpec(root=root, train_size=60_000, validation_size=0).load()
    assert [len(rows) for rows in data.splits] == [60_000, 0, 10_000]
    assert torch.equal(data.train.sort().values, torch.arange(60_000))
    torch.testing.assert_close(data.train_mean().mean(), torch.tensor(0.2860), atol=5e-5, rtol=0)
