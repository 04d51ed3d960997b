"""Targets of samples: read beside them, in their order, and refused where they do not go with them."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file

from spadam.data import ArraySpec, Batches, DigitsSpec
from spadam.data.dataset import Dataset
from spadam.data.exclude import ExcludeSpec
from spadam.data.samples import Samples
from spadam.data.splits import Splits
from spadam.spec import InputError

SIZES = {"x": 60, "v": 12, "t": 15}
OWN = {"validation_file": "v.npy", "test_file": "t.npy"}
LABELS = {"labels": "x_y.npy", "validation_labels": "v_y.npy", "test_labels": "t_y.npy"}
TARGETS = {"target": "x_t.npy", "validation_target": "v_t.npy", "test_target": "t_t.npy"}


@pytest.fixture
def arrays(tmp_path):
    """Samples of 6 features, their targets of 2 x 4, and their classes, of three files."""
    random = np.random.default_rng(0)
    arrays = {}
    for name, size in SIZES.items():
        arrays[name] = random.normal(size=(size, 6)).astype(np.float32)
        arrays[f"{name}_t"] = (3 + 5 * random.normal(size=(size, 2, 4))).astype(np.float32)
        arrays[f"{name}_y"] = np.arange(size) % 10
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    return arrays


def load(folder, **fields):
    return ArraySpec(**{"root": str(folder), "file": "x.npy", "batch_size": 4, **fields}).load()


def flat(array):
    return torch.from_numpy(array).flatten(1)


def test_every_sample_has_its_target(tmp_path, arrays):
    data = load(tmp_path, target="x_t.npy")
    assert (data.features, data.targets) == (6, 8)
    assert (data.image_shape, data.target_image_shape) == (None, (2, 4))
    rows = torch.tensor([7, 0, 59, 7])
    assert torch.equal(data.take_target(rows), flat(arrays["x_t"])[rows])
    batch = data.batch(rows)
    assert list(batch) == ["x", "target"]
    assert torch.equal(batch["x"], torch.from_numpy(arrays["x"])[rows])
    assert torch.equal(batch["target"], flat(arrays["x_t"])[rows])


def test_without_them_samples_are_their_own(tmp_path, arrays):
    data = load(tmp_path, scale="unit_sq")
    rows = torch.tensor([3, 1])
    assert data.targets is None
    assert torch.equal(data.take_target(rows), data.take(rows))
    assert torch.equal(data.target_mean(), data.train_mean())
    assert data.scales == (data.scale,)


def test_each_split_has_the_targets_of_its_file(tmp_path, arrays):
    data = load(tmp_path, **OWN, **LABELS, **TARGETS)
    assert torch.equal(data.take_target(data.validation), flat(arrays["v_t"]))
    assert torch.equal(data.take_target(data.test), flat(arrays["t_t"]))
    mixed = torch.tensor([75, 3, 60, 86])
    batch = data.batch(mixed)
    together = {kind: np.concatenate([arrays[f"{name}{kind}"] for name in SIZES]) for kind in ("", "_t", "_y")}
    assert torch.equal(batch["x"], torch.from_numpy(together[""])[mixed])
    assert torch.equal(batch["target"], flat(together["_t"])[mixed])
    assert torch.equal(batch["y"], torch.from_numpy(together["_y"])[mixed])
    first = next(iter(Batches(data, data.train, 4, seed=0)))
    assert {name: part.shape for name, part in first.items()} == {"x": (4, 6), "target": (4, 8), "y": (4,)}


def test_both_may_be_tensors_of_one_file(tmp_path):
    both = {"read": torch.randn(40, 3).half(), "written": torch.randn(40, 5, dtype=torch.float64)}
    save_file(both, tmp_path / "both.safetensors")
    fields = {"file": "both.safetensors", "target": "both.safetensors"}
    data = load(tmp_path, **fields, key="read", target_key="written")
    rows = torch.arange(40)
    assert torch.equal(data.take(rows), both["read"].float())
    assert torch.equal(data.take_target(rows), both["written"].float())
    with pytest.raises(InputError, match="holds 2 tensors, and one must be chosen") as caught:
        load(tmp_path, **fields, key="read")
    assert caught.value.argument == "data.target_key"


@pytest.mark.parametrize("scaling", ["unit_sq", "sqrt_d"])
def test_targets_have_a_scale_of_their_own_by_the_same_rule(tmp_path, arrays, scaling):
    plain, data = (load(tmp_path, target="x_t.npy", scale=scale) for scale in ("none", scaling))
    train = flat(arrays["x_t"])[data.train].double()
    norms = train.square().sum(1).sqrt()
    naive = norms.square().mean() ** -0.5 if scaling == "unit_sq" else 8**0.5 / norms.mean()
    assert data.target_scale == pytest.approx(float(naive), rel=1e-6)
    assert data.scale == load(tmp_path, scale=scaling).scale
    assert data.scales == (data.scale, data.target_scale)
    rows = torch.tensor([4, 2])
    assert torch.equal(data.take_target(rows), plain.take_target(rows) * data.target_scale)
    torch.testing.assert_close(data.target_mean(), (train.mean(0) * data.target_scale).float())
    assert torch.equal(data.unscaled().take_target(rows), plain.take_target(rows))
    assert plain.scales == (1.0, 1.0)


def test_targets_without_a_scale_are_told(tmp_path, arrays):
    np.save(tmp_path / "x_t.npy", np.zeros((60, 4), np.float32))
    with pytest.raises(InputError, match="the targets of the training samples have the mean square 0") as caught:
        load(tmp_path, target="x_t.npy", scale="unit_sq")
    assert caught.value.argument == "data.scale"


def test_a_value_that_is_no_number_is_told_with_its_file(tmp_path, arrays):
    arrays["t_t"][7, 1, 2] = np.inf
    np.save(tmp_path / "t_t.npy", arrays["t_t"])
    data = load(tmp_path, **OWN, **TARGETS)
    data.take(data.test)
    with pytest.raises(InputError, match="sample 7 holds a value that is not a finite") as caught:
        data.take_target(data.test)
    assert caught.value.argument == "data.test_target"
    with pytest.raises(InputError, match="sample 7"):
        data.batch(data.test)


def test_what_is_left_out_is_what_samples_say(tmp_path, arrays):
    arrays["x"][5] *= 1000
    arrays["x_t"][6] *= 1000
    for name in ("x", "x_t"):
        np.save(tmp_path / f"{name}.npy", arrays[name])
    data = load(tmp_path, target="x_t.npy", exclude=ExcludeSpec(norm_over=10.0))
    seen = torch.cat(list(data.splits))
    assert 5 not in seen
    assert 6 in seen


def test_no_target_is_read_before_it_is_used(tmp_path, arrays):
    for name, size in (("x", 1), ("x_t", 3)):
        with (tmp_path / f"{name}.npy").open("wb") as file:  # terabytes of holes
            shape = (1 << 37, size)
            np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
            file.truncate(file.tell() + 4 * size * (1 << 37))
    spec = ArraySpec(root=str(tmp_path), file="x.npy", target="x_t.npy", batch_size=4)
    samples = spec.read(spec.files())
    assert torch.equal(samples.target.take(torch.tensor([1 << 36])), torch.zeros(1, 3))


def test_the_hash_covers_targets_only_where_there_are_some(tmp_path, arrays):
    small = torch.arange(12.0).view(4, 3)
    own = {"apart": {"data.test_file": torch.ones(2, 3)}, "official_test": 2, "mapped": True}
    digest = Samples(small, torch.tensor([0, 1, 1, 0]), 2, **own).digest
    assert digest == "410f6111719669053fdca2af90bd35c28159e17ef932cf9fa405943bc38e0210", "as before there were targets"
    hashes = {load(tmp_path, **OWN).content_hash(), load(tmp_path, **OWN, **TARGETS).content_hash()}
    for name in ("x_t", "v_t", "t_t"):
        np.save(tmp_path / f"{name}.npy", arrays[name] + 1)
        hashes.add(load(tmp_path, **OWN, **TARGETS).content_hash())
    assert len(hashes) == 5


def test_they_move_with_samples():
    rows = torch.arange(8)
    samples = Samples(torch.rand(8, 2), target=Samples(torch.rand(8, 3), argument="data.target"))
    moved = Dataset(samples, Splits(rows, rows[:0], rows[:0])).to("meta")
    assert moved.samples.target.x.device.type == moved.x.device.type == "meta"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"target": "t.csv"}, "data.target = 't.csv': must be a .npy or a .safetensors file"),
        ({**OWN, "target": "t.npy"}, "data.validation_target: data.validation_file has none, and the samples of data"),
        ({"target": "t.npy", "test_target": "t.npy"}, "data.test_target = 't.npy': they need data.test_file beside"),
        ({**OWN, "test_target": "t.npy"}, "data.test_target = 't.npy': they need data.target beside them"),
        ({"target_key": "a"}, "data.target_key = 'a': only a .safetensors file has keys, and none is given"),
        ({"target": "t.npy", "target_key": "a"}, "has keys, and data.target is not one"),
    ],
)
def test_fields_that_do_not_agree_are_told(fields, message):
    with pytest.raises(ValidationError, match=message):
        ArraySpec(file="x.npy", **fields)


@pytest.mark.parametrize(
    ("name", "made", "argument", "rule"),
    [
        ("x_t", None, "data.target", "there is no file"),
        ("x_t", np.zeros((59, 8), np.float32), "data.target", "one target for each of the 60 samples of data.file, no"),
        ("x_t", np.zeros(60, np.float32), "data.target", "must hold floats of size"),
        ("x_t", np.zeros((60, 8), int), "data.target", "must hold floats"),
        ("v_t", np.zeros((12, 9), np.float32), "data.validation_target", "must have 8 features, as those of data.targ"),
        ("t_t", np.zeros((16, 8), np.float32), "data.test_target", "for each of the 15 samples of data.test_file, not"),
    ],
)
def test_a_file_that_does_not_serve_is_told(tmp_path, arrays, name, made, argument, rule):
    (tmp_path / f"{name}.npy").unlink()
    if made is not None:
        np.save(tmp_path / f"{name}.npy", made)
    with pytest.raises(InputError, match=rule) as caught:
        load(tmp_path, **OWN, **TARGETS)
    assert caught.value.argument == argument


def test_features_in_the_place_of_samples_are_told(tmp_path, arrays):
    np.save(tmp_path / "x_t.npy", np.zeros((8, 60), np.float32))
    with pytest.raises(InputError, match=r"must hold one target for each of the 60 samples of data\.file, not 8"):
        load(tmp_path, target="x_t.npy")


def test_who_has_targets_is_known_beforehand():
    assert ArraySpec(file="x.npy", target="t.npy").targeted
    assert not ArraySpec(file="x.npy").targeted
    assert not DigitsSpec().targeted
