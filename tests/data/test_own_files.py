"""Validation and test samples from files of their own."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file

from spadam.data import ArraySpec, Batches, samples
from spadam.data.exclude import ExcludeSpec
from spadam.spec import InputError

SIZES = {"x": 60, "v": 12, "t": 15}


@pytest.fixture
def arrays(tmp_path):
    random = np.random.default_rng(0)
    arrays = {name: random.normal(size=(size, 6)).astype(np.float32) for name, size in SIZES.items()}
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
        np.save(tmp_path / f"{name}_y.npy", np.arange(len(array)) % 10)
    return arrays


def load(folder, **fields):
    return ArraySpec(**{"root": str(folder), "file": "x.npy", "batch_size": 4, **fields}).load()


OWN = {"validation_file": "v.npy", "test_file": "t.npy"}
LABELS = {"labels": "x_y.npy", "validation_labels": "v_y.npy", "test_labels": "t_y.npy"}


def test_each_split_has_the_samples_of_its_file(tmp_path, arrays):
    data = load(tmp_path, **OWN, **LABELS)
    assert torch.equal(data.train.sort().values, torch.arange(60))
    assert torch.equal(data.take(data.validation), torch.from_numpy(arrays["v"]))
    assert torch.equal(data.take(data.test), torch.from_numpy(arrays["t"]))
    mixed = torch.tensor([75, 3, 60, 86, 59, 71])
    naive = np.concatenate([arrays["x"], arrays["v"], arrays["t"]])[mixed]
    x, y = data.batch(mixed)
    assert torch.equal(x, torch.from_numpy(naive))
    assert y.tolist() == [(75 - 72) % 10, 3, 0, (86 - 72) % 10, 9, 11 % 10]
    assert data.classes == 10
    first = next(iter(Batches(data, data.train, 4, seed=0)))
    assert first[0].shape == (4, 6)


def test_one_of_them_may_be_drawn(tmp_path, arrays):
    data = load(tmp_path, validation_file="v.npy")
    assert [len(rows) for rows in data.splits] == [54, 12, 6]
    assert torch.equal(data.validation, torch.arange(60, 72))
    assert set(data.test.tolist()) < set(range(60))
    data = load(tmp_path, test_file="t.npy", validation_size=20)
    assert [len(rows) for rows in data.splits] == [40, 20, 15]
    assert torch.equal(data.test, torch.arange(60, 75))
    assert data.y is None


def test_types_and_kinds_of_files_may_differ(tmp_path, arrays):
    half = torch.from_numpy(arrays["v"]).half()
    save_file({"acts": half, "y": torch.arange(12)}, tmp_path / "v.safetensors")
    fields = {"validation_file": "v.safetensors", "key": "acts"}
    labels = {"labels": "x_y.npy", "validation_labels": "v.safetensors", "labels_key": "y"}
    data = load(tmp_path, **fields, **labels)
    assert torch.equal(data.take(data.validation), half.float())
    assert data.y[60:].tolist() == list(range(12))
    assert data.classes == 12


def test_no_file_is_read_before_it_is_used(tmp_path, arrays):
    with (tmp_path / "t.npy").open("wb") as file:  # two terabytes of holes
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (1 << 37, 6)})
        file.truncate(file.tell() + 4 * 6 * (1 << 37))
    mapped = ArraySpec(root=str(tmp_path), file="x.npy", batch_size=4, test_file="t.npy")
    samples = mapped.read(mapped.files())
    assert samples.count == 60 + (1 << 37)
    assert torch.equal(samples.take(torch.tensor([60 + (1 << 36)])), torch.zeros(1, 6))


def test_a_value_that_is_no_number_is_told_with_its_file(tmp_path, arrays):
    arrays["t"][7, 3] = np.nan
    np.save(tmp_path / "t.npy", arrays["t"])
    data = load(tmp_path, **OWN)
    with pytest.raises(InputError, match="sample 7 holds a value that is not a finite") as caught:
        data.take(data.test)
    assert caught.value.argument == "data.test_file"


def test_the_hash_covers_every_file(tmp_path, arrays, monkeypatch):
    hashes = {load(tmp_path).content_hash()}
    for name in (None, "v", "t"):
        changed = dict(arrays)
        if name is not None:
            changed[name] = arrays[name] + 1
        for each, array in changed.items():
            np.save(tmp_path / f"{each}.npy", array)
        hashes.add(load(tmp_path, **OWN).content_hash())
    assert len(hashes) == 4
    monkeypatch.setattr(samples, "_HASHED_BYTES", 5 * 6 * 4)  # and of a large one rows that are spread over it
    arrays["t"][14] += 1
    before = load(tmp_path, **OWN).content_hash()
    np.save(tmp_path / "t.npy", arrays["t"])
    assert load(tmp_path, **OWN).content_hash() != before


def test_masks_and_groups_may_be_of_the_samples_to_split_or_of_all(tmp_path, arrays):
    np.save(tmp_path / "all.npy", np.arange(87) % 5 == 0)
    np.save(tmp_path / "pool.npy", np.arange(60) % 5 == 0)
    of_all = load(tmp_path, **OWN, exclude=ExcludeSpec(mask="all.npy"))
    assert [len(rows) for rows in of_all.splits] == [48, 9, 12]
    of_pool = load(tmp_path, **OWN, exclude=ExcludeSpec(mask="pool.npy"))
    assert [len(rows) for rows in of_pool.splits] == [48, 12, 15]
    arrays["v"][2] *= 100
    np.save(tmp_path / "v.npy", arrays["v"])
    long = load(tmp_path, **OWN, exclude=ExcludeSpec(norm_over=10.0))
    assert 62 not in long.validation
    assert len(long.validation) == 11


def test_a_group_in_two_files_is_told(tmp_path, arrays):
    groups = np.arange(87) // 3  # 60 and 72 are multiples of 3: each file has its own
    np.save(tmp_path / "g.npy", groups)
    data = load(tmp_path, **OWN, groups="g.npy")
    assert [len(rows) for rows in data.splits] == [60, 12, 15]
    np.save(tmp_path / "g.npy", groups[:60])
    assert [len(rows) for rows in load(tmp_path, **OWN, groups="g.npy").splits] == [60, 12, 15]
    groups[70] = 5
    np.save(tmp_path / "g.npy", groups)
    with pytest.raises(InputError, match="group 5 is both in the samples to be split and in the validation") as caught:
        load(tmp_path, **OWN, groups="g.npy")
    assert caught.value.argument == "data.groups"
    np.save(tmp_path / "out.npy", np.arange(87) == 70)
    assert len(load(tmp_path, **OWN, groups="g.npy", exclude=ExcludeSpec(mask="out.npy")).validation) == 11
    groups[70], groups[80] = 999, 999
    np.save(tmp_path / "g.npy", groups)
    with pytest.raises(InputError, match="group 999 is both in the validation part and in the test part"):
        load(tmp_path, **OWN, groups="g.npy")
    np.save(tmp_path / "g.npy", groups[:70])
    with pytest.raises(InputError, match=r"each of the 60 samples \(or 87, those with splits of their own too\)"):
        load(tmp_path, **OWN, groups="g.npy")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"validation_file": "v.csv"}, "data.validation_file = 'v.csv': must be a .npy or a .safetensors file"),
        ({"test_labels": "t.csv", **OWN, "labels": "x.npy"}, "data.test_labels = 't.csv': must be"),
        ({**OWN, "validation_size": 3}, "data.validation_size = 3: the validation samples are those of data.valid"),
        ({**OWN, "test_size": 0}, "data.test_size = 0: the test samples are those of data.test_file"),
        ({**OWN, "labels": "y.npy"}, "data.validation_labels: data.validation_file has none, and the samples of"),
        ({**OWN, "test_labels": "t_y.npy"}, "data.test_labels = 't_y.npy': they need data.labels beside them"),
        ({"labels": "y.npy", "test_labels": "t_y.npy"}, "data.test_labels = 't_y.npy': they need data.test_file"),
        ({**OWN, "key": "a"}, "has keys, and data.file and data.validation_file and data.test_file are not one"),
    ],
)
def test_fields_that_do_not_agree_are_told(fields, message):
    with pytest.raises(ValidationError, match=message):
        ArraySpec(file="x.npy", **fields)


@pytest.mark.parametrize(
    ("name", "made", "argument", "rule"),
    [
        ("v", None, "data.validation_file", "there is no file"),
        ("v", np.zeros((5, 7), np.float32), "data.validation_file", "must have 6 features, as those of data.file have"),
        ("t", np.zeros((5, 2, 4), np.float32), "data.test_file", "must have 6 features, as those of data.file have"),
        ("t", np.zeros((5, 6), int), "data.test_file", "must hold floats"),
        ("t", np.zeros((0, 6), np.float32), "data.test_file", "must hold floats of size"),
        ("v_y", np.zeros(11, int), "data.validation_labels", "for each of the 12 samples"),
        ("t_y", np.full(15, 60), "data.test_labels", "counted from 0, but the labels go from 60 to 60"),
    ],
)
def test_a_file_that_does_not_serve_is_told(tmp_path, arrays, name, made, argument, rule):
    (tmp_path / f"{name}.npy").unlink()
    if made is not None:
        np.save(tmp_path / f"{name}.npy", made)
    with pytest.raises(InputError, match=rule) as caught:
        load(tmp_path, **OWN, **LABELS)
    assert caught.value.argument == argument
