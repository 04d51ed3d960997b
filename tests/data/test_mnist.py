import gzip
import os

import numpy as np
import pytest
import torch
import torchvision.datasets

from spadam.data import FashionMnistSpec, MnistSpec
from spadam.spec import InputError

SETS = [(MnistSpec, "MNIST"), (FashionMnistSpec, "FashionMNIST")]


def load(member, root, **fields):
    return member(**{"root": str(root), "batch_size": 8, **fields}).load()


def listing(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture
def no_download(monkeypatch):
    def refuse(*_):
        raise AssertionError("nothing may be downloaded here")

    monkeypatch.setattr("spadam.data.download.fetch", refuse)


@pytest.mark.parametrize(("member", "folder"), SETS)
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("layout", ["root", "torchvision"])
@pytest.mark.usefixtures("no_download")
def test_files_are_read_where_they_lie_and_nothing_is_written(member, folder, packed, layout, tmp_path, idx, check_idx):
    arrays = idx(tmp_path if layout == "root" else tmp_path / folder / "raw", packed=packed)
    before = listing(tmp_path)
    check_idx(load(member, tmp_path), arrays)
    assert listing(tmp_path) == before


@pytest.mark.usefixtures("no_download")
def test_files_in_root_come_before_torchvisions(tmp_path, idx, check_idx):
    idx(tmp_path / "MNIST" / "raw", seed=1)
    arrays = idx(tmp_path, seed=2)
    check_idx(load(MnistSpec, tmp_path), arrays)


@pytest.mark.usefixtures("no_download")
def test_values_are_torchvisions(tmp_path, idx):
    idx(tmp_path / "MNIST" / "raw", packed=False)
    data = load(MnistSpec, tmp_path)
    train = torchvision.datasets.MNIST(tmp_path, train=True, transform=torchvision.transforms.ToTensor())
    for n in (0, 7, 59):
        image, label = train[n]
        assert torch.equal(image.flatten(), data.x[n])
        assert label == data.y[n]


@pytest.mark.usefixtures("no_download")
def test_a_twelfth_is_for_validation(tmp_path, idx):
    idx(tmp_path)
    data = load(MnistSpec, tmp_path)
    assert [len(rows) for rows in data.splits] == [55, 5, 20]


@pytest.mark.parametrize("kept", ["size", "time"])
@pytest.mark.usefixtures("no_download")
def test_a_file_that_changed_is_read_again(kept, tmp_path, idx, check_idx):
    idx(tmp_path, train=60, packed=False)
    for path in tmp_path.iterdir():
        os.utime(path, ns=(1, 1))
    first = load(MnistSpec, tmp_path)
    arrays = idx(tmp_path, train=60 if kept == "size" else 70, seed=9, packed=False)
    if kept == "time":
        for path in tmp_path.iterdir():
            os.utime(path, ns=(1, 1))
    second = load(MnistSpec, tmp_path)
    check_idx(second, arrays)
    assert first.content_hash() != second.content_hash()


def damage_truncated(path, _):
    path.write_bytes(path.read_bytes()[:-20])


def damage_bits(path, _):
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    path.write_bytes(raw)


def damage_not_gzip(path, _):
    path.write_bytes(b"<html>moved</html>")


def damage_empty(path, _):
    path.write_bytes(b"")


def damage_magic(path, _):
    path.write_bytes(gzip.compress(b"\x00\x00\x0d" + gzip.decompress(path.read_bytes())[3:]))


def damage_short_body(path, _):
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-1]))


def damage_long_body(path, _):
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + b"\x00"))


def damage_header_only(path, _):
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:6]))


def damage_wrong_kind(path, encode):
    path.write_bytes(gzip.compress(encode(np.zeros((2, 3)))))


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"])
@pytest.mark.parametrize("damage", [f for n, f in sorted(globals().items()) if n.startswith("damage_")])
@pytest.mark.usefixtures("no_download")
def test_a_damaged_file_is_named(damage, name, tmp_path, idx, encode_idx):
    idx(tmp_path)
    damage(tmp_path / name, encode_idx)
    with pytest.raises(InputError, match=r"must .*; fetch the file again") as caught:
        load(MnistSpec, tmp_path)
    assert caught.value.argument == str(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "array", "rule"),
    [
        ("train-labels-idx1-ubyte", np.zeros(59), "a label for each of the 60 images .*, but holds 59"),
        ("train-labels-idx1-ubyte", np.full(60, 10), "a label must be below 10, but one is 10"),
        ("t10k-images-idx3-ubyte", np.zeros((20, 6, 6)), r"as large as training images, \(6, 5\), not \(6, 6\)"),
        ("train-images-idx3-ubyte", np.zeros((0, 6, 5)), "at least one image"),
        ("t10k-images-idx3-ubyte", np.zeros((20, 0, 5)), "at least one image"),
    ],
)
@pytest.mark.usefixtures("no_download")
def test_files_that_do_not_belong_together_are_told(name, array, rule, tmp_path, idx, encode_idx):
    idx(tmp_path)
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(encode_idx(array)))
    with pytest.raises(InputError, match=rule) as caught:
        load(MnistSpec, tmp_path)
    assert caught.value.argument == str(tmp_path / f"{name}.gz")


@pytest.mark.usefixtures("no_download")
def test_an_incomplete_folder_is_told_and_not_downloaded_over(tmp_path, idx):
    idx(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(InputError, match=r"data\.root = .* lacks t10k-labels-idx1-ubyte\.gz; put them there"):
        load(MnistSpec, tmp_path)
