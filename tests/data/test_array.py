import json
import os
import pickle

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file

from spadam.data import ArraySpec, Batches, samples
from spadam.spec import InputError


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)


def load(folder, **fields):
    return ArraySpec(**{"root": str(folder), "file": "x.npy", "batch_size": 4, **fields}).load()


def test_npy_without_labels(tmp_path, x):
    np.save(tmp_path / "x.npy", x)
    data = load(tmp_path)
    assert data.y is None
    assert data.classes is None
    assert data.image_shape is None
    assert [len(rows) for rows in data.splits] == [40, 5, 5]
    rows = torch.tensor([4, 2])
    assert torch.equal(data.batch(rows), torch.from_numpy(x)[rows])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_batches_of_any_float_are_float32(tmp_path, x, dtype):
    stored = torch.from_numpy(x).to(dtype)
    save_file({"x": stored}, tmp_path / "x.safetensors")
    data = load(tmp_path, file="x.safetensors")
    assert data.x.dtype == dtype
    assert torch.equal(data.take(torch.arange(50)), stored.float())
    assert data.train_mean().dtype == torch.float32


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_npy_of_other_floats(tmp_path, x, dtype):
    np.save(tmp_path / "x.npy", x.astype(dtype))
    data = load(tmp_path)
    assert torch.equal(data.take(torch.arange(50)), torch.from_numpy(x.astype(dtype)).float())


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_labels_of_any_whole_numbers(tmp_path, x, dtype):
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", (np.arange(50) % 4).astype(dtype))
    data = load(tmp_path, labels="y.npy", test_size=0)
    assert torch.equal(data.y, torch.arange(50) % 4)
    assert data.classes == 4
    assert [len(rows) for rows in data.splits] == [45, 5, 0]


def test_one_safetensors_file_for_both(tmp_path, x):
    save_file({"acts": torch.from_numpy(x), "y": torch.arange(50) % 2}, tmp_path / "all.safetensors")
    data = load(tmp_path, file="all.safetensors", key="acts", labels="all.safetensors", labels_key="y")
    assert torch.equal(data.x, torch.from_numpy(x))
    assert torch.equal(data.y, torch.arange(50) % 2)


def test_an_absolute_path_needs_no_root(tmp_path, x):
    np.save(tmp_path / "x.npy", x)
    assert torch.equal(load("nowhere", file=str(tmp_path / "x.npy")).x, torch.from_numpy(x))


def test_more_dimensions_are_flattened(tmp_path):
    images = np.random.default_rng(0).random((50, 3, 4)).astype(np.float32)
    np.save(tmp_path / "x.npy", images)
    data = load(tmp_path)
    assert torch.equal(data.x, torch.from_numpy(images).flatten(1))
    assert data.image_shape == (3, 4)
    np.save(tmp_path / "x.npy", images.reshape(50, 3, 2, 2))
    data = load(tmp_path)
    assert data.features == 12
    assert data.image_shape is None


def sparse_npy(path, shape):
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
        file.truncate(file.tell() + 4 * int(np.prod(shape)))


def sparse_safetensors(path, shape):
    size = 4 * int(np.prod(shape))
    header = json.dumps({"x": {"dtype": "F32", "shape": shape, "data_offsets": [0, size]}}).encode()
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(file.tell() + size)


@pytest.mark.parametrize("write", [sparse_npy, sparse_safetensors])
def test_a_file_larger_than_memory_is_mapped_and_not_read(tmp_path, write, monkeypatch):
    """A terabyte of holes: reading it whole, or asking the system for as much memory, would fail."""
    path = tmp_path / f"x.{write.__name__.split('_')[1]}"
    write(path, (1 << 18, 1 << 20))
    data = load(tmp_path, file=path.name)
    assert data.x.shape == (1 << 18, 1 << 20)
    batches = Batches(data, data.train, 4, seed=0)
    assert next(iter(batches)).shape == (4, 1 << 20)
    monkeypatch.setattr(samples, "_HASHED_BYTES", 1 << 24)
    assert len(data.content_hash()) == 64


def test_a_mapped_set_stays_where_it_is(tmp_path, x):
    np.save(tmp_path / "x.npy", x)
    data = load(tmp_path)
    assert data.to("meta") is data
    assert data.samples.to("meta") is data.samples


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_a_value_that_is_no_float32_is_told_when_it_is_read(tmp_path, x, value):
    bad = x.astype(np.float64)
    bad[7, 3] = value
    np.save(tmp_path / "x.npy", bad)
    data = load(tmp_path)  # nothing has been looked at yet
    data.take(torch.tensor([6, 8]))
    with pytest.raises(InputError, match="sample 7 holds a value that is not a finite float32 number"):
        data.batch(torch.tensor([1, 7, 2]))


def test_the_hash_of_a_large_file_is_of_rows_spread_over_it(tmp_path, x, monkeypatch):
    monkeypatch.setattr(samples, "_HASHED_BYTES", 20 * 6 * 4)
    hashes = set()
    for row in (None, 0, 49):  # the first and the last are always among them
        changed = x.copy()
        if row is not None:
            changed[row] += 1
        np.save(tmp_path / "x.npy", changed)
        hashes.add(load(tmp_path).content_hash())
    assert len(hashes) == 3


def wrong(name, save, argument, rule, **fields):
    return pytest.param(save, argument, rule, fields, id=name)


@pytest.mark.parametrize(
    ("save", "argument", "rule", "fields"),
    [
        wrong("no file", lambda d, x: None, "data.file", "there is no file"),
        wrong("vector", lambda d, x: np.save(d / "x.npy", x[0]), "data.file", r"not float32 of size \(6,\)"),
        wrong("scalar", lambda d, x: np.save(d / "x.npy", np.float32(1)), "data.file", "not float32"),
        wrong("whole numbers", lambda d, x: np.save(d / "x.npy", x.astype(int)), "data.file", "not int64 of size"),
        wrong("empty", lambda d, x: np.save(d / "x.npy", x[:0]), "data.file", "must hold floats"),
        wrong("complex", lambda d, x: np.save(d / "x.npy", x * 1j), "data.file", r"complex numbers \(complex64\)"),
        wrong("text", lambda d, x: np.save(d / "x.npy", x.astype(str)), "data.file", r"texts \(<U\d+\)"),
        wrong("objects", lambda d, x: np.save(d / "x.npy", x.astype(object)), "data.file", "Python objects"),
        wrong("Fortran order", lambda d, x: np.save(d / "x.npy", np.asfortranarray(x)), "data.file", "Fortran order"),
        wrong(
            "byte order", lambda d, x: np.save(d / "x.npy", x.astype(">f4")), "data.file", "order of another machine"
        ),
        wrong(
            "torch.save", lambda d, x: torch.save(x, d / "x.npy"), "data.file", "a zip archive, as np.savez and torch"
        ),
        wrong("npz", lambda d, x: named(d / "x.npy", np.savez, x), "data.file", "a zip archive, as np.savez"),
        wrong("pickle", lambda d, x: (d / "x.npy").write_bytes(pickle.dumps(x)), "data.file", "and is a pickle"),
        wrong("long", lambda d, x: np.save(d / "x.npy", x.astype(np.longdouble)), "data.file", "128 bits, which torch"),
        wrong("truth", lambda d, x: np.save(d / "x.npy", x > 0), "data.file", "holds truth values"),
        wrong("dates", lambda d, x: np.save(d / "x.npy", x.astype("M8[s]")), "data.file", "holds dates"),
        wrong("records", lambda d, x: np.save(d / "x.npy", np.zeros(3, "f4,f8")), "data.file", "holds records"),
        wrong("below 0", lambda d, x: header(d / "x.npy", (-3, 4)), "data.file", r"its header says the size \(-3, 4\)"),
        wrong("absurd", lambda d, x: header(d / "x.npy", (10**30, 4)), "data.file", "bytes, and 0 follow"),
        wrong("overflowing", lambda d, x: header(d / "x.npy", (2**32, 2**32)), "data.file", "bytes, and 0 follow"),
        wrong("no sizes", lambda d, x: header(d / "x.npy", ("a", 4)), "data.file", "its header"),
        wrong("two arrays", lambda d, x: two(d / "x.npy", x), "data.file", "1200 bytes, and 2528 follow; save one"),
        wrong(
            "version", lambda d, x: (d / "x.npy").write_bytes(b"\x93NUMPY\x09\0abc"), "data.file", "header is damaged"
        ),
        wrong("code", lambda d, x: header(d / "x.npy", (3, 4), "__import__('os')"), "data.file", "header is damaged"),
        wrong("a folder", lambda d, x: (d / "x.npy").mkdir(), "data.file", "must be a file, and is a folder"),
        wrong("a pipe", lambda d, x: os.mkfifo(d / "x.npy"), "data.file", "must be a file, and is a pipe"),
        wrong("a slip", lambda d, x: np.save(d / "xx.npy", x), "data.file", "did you mean xx.npy?"),
        wrong("too long", lambda d, x: None, "data.file", "File name too long", file="x" * 300 + ".npy"),
        wrong(
            "npy by another name",
            lambda d, x: named(d / "x.safetensors", np.save, x),
            "data.file",
            "must be a .safetensors file, and is a .npy file",
            file="x.safetensors",
        ),
        wrong(
            "no tensor",
            lambda d, x: save_file({}, d / "x.safetensors"),
            "data.file",
            "holds no tensor",
            file="x.safetensors",
        ),
        wrong(
            "truth values",
            lambda d, x: save_file({"a": torch.zeros(3, 2) > 0}, d / "x.safetensors"),
            "data.file",
            "BOOL is not read",
            file="x.safetensors",
        ),
        wrong(
            "claims more",
            lambda d, x: claim(d / "x.safetensors", [1 << 40, 4], 1 << 44),
            "data.file",
            "must be a whole .safetensors file",
            file="x.safetensors",
        ),
        wrong(
            "claims nothing",
            lambda d, x: claim(d / "x.safetensors", [0, 4], 0),
            "data.file",
            r"not float32 of size \(0, 4\)",
            file="x.safetensors",
        ),
        wrong("no npy", lambda d, x: (d / "x.npy").write_bytes(b"hello"), "data.file", "must be a .npy file"),
        wrong("nothing", lambda d, x: (d / "x.npy").write_bytes(b""), "data.file", "and is empty"),
        wrong("torn", lambda d, x: torn(d / "x.npy", x), "data.file", "1200 bytes, and 1192 follow"),
        wrong(
            "torn safetensors",
            lambda d, x: torn(d / "x.safetensors", x),
            "data.file",
            "must be a whole .safetensors file",
            file="x.safetensors",
        ),
        wrong(
            "which tensor",
            lambda d, x: save_file({"a": torch.zeros(3, 2), "b": torch.ones(3, 2)}, d / "x.safetensors"),
            "data.key",
            "holds 2 tensors, and one must be chosen; set it to one of: a, b",
            file="x.safetensors",
        ),
        wrong(
            "no such tensor",
            lambda d, x: save_file({"a": torch.zeros(3, 2)}, d / "x.safetensors"),
            "data.key",
            "has no such tensor; choose one of: a",
            file="x.safetensors",
            key="b",
        ),
        wrong(
            "small floats",
            lambda d, x: save_file({"a": torch.zeros(3, 2).to(torch.float8_e4m3fn)}, d / "x.safetensors"),
            "data.file",
            "F8_E4M3 is not read",
            file="x.safetensors",
        ),
        wrong(
            "too few", lambda d, x: np.save(d / "x.npy", x[:1]), "data.validation_size", "at least 1 of the 1 samples"
        ),
        wrong("batch", lambda d, x: np.save(d / "x.npy", x), "data.batch_size", "has 40 samples", batch_size=41),
    ],
)
def test_a_file_that_cannot_be_used_is_told(tmp_path, x, save, argument, rule, fields):
    save(tmp_path, x)
    with pytest.raises(InputError, match=rule) as caught:
        load(tmp_path, **fields)
    assert caught.value.argument == argument


def header(path, shape, descr="<f4"):
    text = repr({"descr": descr, "fortran_order": False, "shape": shape}).encode().ljust(117) + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text)


def named(path, save, x):
    with path.open("wb") as file:
        save(file, x)


def two(path, x):
    with path.open("wb") as file:
        np.save(file, x)
        np.save(file, x)


def claim(path, shape, size):
    text = json.dumps({"x": {"dtype": "F32", "shape": shape, "data_offsets": [0, size]}}).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text)


def torn(path, x):
    np.save(path, x) if path.suffix == ".npy" else save_file({"x": torch.from_numpy(x)}, path)
    path.write_bytes(path.read_bytes()[:-8])


@pytest.mark.parametrize(
    ("labels", "rule"),
    [
        (np.zeros(49, int), r"each of the 50 samples, not int64 of size \(49,\)"),
        (np.zeros((50, 1), int), "each of the 50 samples"),
        (np.zeros(50), "one whole number for each"),
        (np.full(50, -1), "counted from 0, but the labels go from -1 to -1"),
        (np.full(50, 50), "counted from 0, but the labels go from 50 to 50"),
        (None, "there is no file"),
    ],
)
def test_labels_that_cannot_be_used_are_told(tmp_path, x, labels, rule):
    np.save(tmp_path / "x.npy", x)
    if labels is not None:
        np.save(tmp_path / "y.npy", labels)
    with pytest.raises(InputError, match=rule) as caught:
        load(tmp_path, labels="y.npy")
    assert caught.value.argument == "data.labels"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"file": "x.csv"}, "data.file = 'x.csv': must be a .npy or a .safetensors file"),
        ({"file": "x.npy", "key": "a"}, "data.key = 'a': only a .safetensors file has keys"),
        ({"file": "x.npy", "labels": "y.txt"}, "data.labels = 'y.txt': must be a .npy"),
        ({"file": "x.npy", "labels_key": "y"}, "data.labels_key = 'y': only a .safetensors file has keys"),
        ({"file": "x.npy", "labels": "y.npy", "labels_key": "y"}, "data.labels_key = 'y'"),
        ({}, "file"),
    ],
)
def test_fields_that_do_not_agree_are_told(fields, message):
    with pytest.raises(ValidationError, match=message):
        ArraySpec(**fields)


def test_columns_of_one_are_in_either_order(tmp_path):
    column = np.asfortranarray(np.random.default_rng(0).normal(size=(50, 1)).astype(np.float32))
    np.save(tmp_path / "x.npy", column)
    assert torch.equal(load(tmp_path).x, torch.from_numpy(column))


def test_a_file_that_may_not_be_read_is_not_to_be_saved_again(tmp_path, x, monkeypatch):
    """Root may read everything, so the system's answer is made up."""
    np.save(tmp_path / "x.npy", x)

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refuse)
    with pytest.raises(InputError, match="must be readable for this user; change its permissions") as caught:
        load(tmp_path)
    assert caught.value.argument == "data.file"
