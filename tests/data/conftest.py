"""Small data files that tests write themselves."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

IDX_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def idx_bytes(array):
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return header + array.astype(np.uint8).tobytes()


def write_idx(folder: Path, train=60, test=20, size=(6, 5), packed=True, seed=0):
    """Four IDX files in ``folder``; gives what is in them."""
    random = np.random.default_rng(seed)
    arrays = {
        "train-images-idx3-ubyte": random.integers(0, 256, (train, *size)),
        "train-labels-idx1-ubyte": random.integers(0, 10, train),
        "t10k-images-idx3-ubyte": random.integers(0, 256, (test, *size)),
        "t10k-labels-idx1-ubyte": random.integers(0, 10, test),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        raw = idx_bytes(array)
        (folder / f"{name}.gz").write_bytes(gzip.compress(raw)) if packed else (folder / name).write_bytes(raw)
    return arrays


@pytest.fixture
def idx():
    return write_idx


def is_in(data, arrays):
    train, test = arrays["train-images-idx3-ubyte"], arrays["t10k-images-idx3-ubyte"]
    images = torch.from_numpy(np.concatenate([train, test])).float().flatten(1) / 255
    labels = np.concatenate([arrays["train-labels-idx1-ubyte"], arrays["t10k-labels-idx1-ubyte"]])
    assert torch.equal(data.x, images)
    assert torch.equal(data.y, torch.from_numpy(labels))
    assert data.image_shape == train.shape[1:]
    assert data.classes == 10
    assert torch.equal(data.test, torch.arange(len(train), len(train) + len(test)))
    assert torch.equal(torch.cat([data.train, data.validation]).sort().values, torch.arange(len(train)))


@pytest.fixture
def check_idx():
    """Asserts that a set holds just what :func:`write_idx` wrote."""
    return is_in


@pytest.fixture
def encode_idx():
    return idx_bytes


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def example(tmp_path, idx):
    """The fields with which each dataset can be loaded here and now; one that needs nothing has no line."""

    def fields(name):
        if name in ("mnist", "fashion_mnist"):
            idx(tmp_path / name)
            return {"root": str(tmp_path / name), "batch_size": 8}
        if name == "array":
            random = np.random.default_rng(0)
            np.save(tmp_path / "x.npy", random.normal(size=(90, 7)).astype(np.float32))
            np.save(tmp_path / "y.npy", np.arange(90) % 3)
            return {"root": str(tmp_path), "file": "x.npy", "labels": "y.npy", "batch_size": 8}
        if name == "synthetic":
            return {"samples": 500, "batch_size": 16}
        return {}

    return fields
