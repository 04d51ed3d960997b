"""Samples in several files: the same in every bit as the one file that they are pieces of."""

import resource
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from spadam.config import RunConfig
from spadam.data import ArraySpec, mapped, samples
from spadam.data.exclude import ExcludeSpec
from spadam.data.pattern import natural
from spadam.data.shards import Shards
from spadam.spec import Document, InputError, validate
from spadam.training.run import run
from support.short_training import same, weights

SIZES = [30, 1, 25, 44]
"""Of shards 1, 2, 9 and 10, whose names are not in this order."""
NUMBERS = [1, 2, 9, 10]
ENDS = np.cumsum(SIZES)


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(sum(SIZES), 6)).astype(np.float32)


def save(folder: Path, name: str, array, sizes=SIZES):
    """``array`` as one file and as shards."""
    np.save(folder / f"{name}.npy", array)
    for number, part in zip(NUMBERS, np.split(array, np.cumsum(sizes)[:-1]), strict=False):
        np.save(folder / f"{name}-{number}.npy", part)


def load(folder, **fields):
    return ArraySpec(**{"root": str(folder), "file": "x-*.npy", "batch_size": 4, **fields}).load()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_shards_are_one_set_in_natural_order(tmp_path, x, dtype):
    stored = torch.from_numpy(x).to(dtype)
    save_file({"acts": stored}, tmp_path / "all.safetensors")
    for number, part in zip(NUMBERS, stored.split(SIZES), strict=True):
        save_file({"acts": part.clone(), "other": torch.zeros(1)}, tmp_path / f"x-{number}.safetensors")
    data = load(tmp_path, file="x-*.safetensors", key="acts")
    whole = load(tmp_path, file="all.safetensors")
    assert (data.x.shape, data.x.dtype, len(data.x), data.x.nbytes) == (whole.x.shape, dtype, 100, whole.x.nbytes)
    mixed = torch.tensor([99, 0, 30, 31, 29, 0, 55, 56, 30])
    assert torch.equal(data.take(mixed), stored[mixed].float())
    assert torch.equal(data.take(torch.arange(100)), stored.float())
    assert torch.equal(data.take(torch.arange(40, 50)), stored[40:50].float())
    assert data.take(torch.arange(0)).shape == (0, 6)
    assert data.content_hash() == whole.content_hash()
    assert torch.equal(data.train_mean(), whole.train_mean())


def test_numbers_in_names_count_as_numbers():
    names = ["a-10", "a-9", "a-09", "b-1", "a-1/x-3", "a-1/x-20", "a", "a-10b"]
    expected = ["a", "a-1/x-3", "a-1/x-20", "a-09", "a-9", "a-10", "a-10b", "b-1"]
    assert sorted(names, key=lambda name: natural(Path(name))) == expected


def test_rows_outside_are_refused(x):
    shards = Shards(["a", "b"], [torch.from_numpy(x[:3]), torch.from_numpy(x[3:])])
    for row in (-1, 100):
        with pytest.raises(IndexError):
            shards.index_select(0, torch.tensor([0, row]))


def config(folder: Path, **data) -> RunConfig:
    described = {
        "data": {"name": "array", "root": str(folder), "batch_size": 16, **data},
        "model": {"latents": 32, "rule": {"name": "batch_top_k", "k": 3}},
        "optimizer": {"name": "lazy_adam", "lr": 1e-2},
        "trainer": {"epochs": 2},
        "tracking": {"mode": "disabled"},
    }
    return validate(RunConfig, Document(described, {}, "test"))


def test_a_training_on_shards_is_that_on_the_one_file(tmp_path, x):
    save(tmp_path, "x", x)
    save(tmp_path, "y", np.arange(100) % 3)
    save(tmp_path, "v", x[:40] + 1, [10, 30])
    save(tmp_path, "vy", np.arange(40) % 3, [10, 30])
    one = {"file": "x.npy", "labels": "y.npy", "validation_file": "v.npy", "validation_labels": "vy.npy"}
    several = {key: name.replace(".npy", "-*.npy") for key, name in one.items()}
    whole, parts = (run(config(tmp_path, **d), tmp_path / d["file"][:2]) for d in (one, several))
    assert same(whole, parts)
    assert weights(tmp_path / "x.") == weights(tmp_path / "x-")


def test_labels_groups_and_masks_are_of_the_shards_or_of_all(tmp_path, x):
    save(tmp_path, "x", x)
    save(tmp_path, "y", np.arange(100) % 5)
    save(tmp_path, "g", np.arange(100) // 4)
    save(tmp_path, "m", np.arange(100) % 10 == 0)
    one = {"labels": "y.npy", "groups": "g.npy", "exclude": ExcludeSpec(mask="m.npy")}
    several = {"labels": "y-*.npy", "groups": "g-*.npy", "exclude": ExcludeSpec(mask="m-*.npy")}
    loaded = [load(tmp_path, **fields) for fields in (one, several, {**one, "file": "x.npy"})]
    assert len({data.content_hash() for data in loaded}) == 1
    assert torch.equal(loaded[1].y, torch.arange(100) % 5)


def test_groups_and_masks_may_have_shards_for_validation_and_test_too(tmp_path, x):
    save(tmp_path, "x", x)
    np.save(tmp_path / "v.npy", x[:20])
    save(tmp_path, "t", x[:30], [10, 20])
    mask = np.arange(150) % 5 == 0
    lengths = [*SIZES, 20, 10, 20]
    for number, part in enumerate(np.split(mask, np.cumsum(lengths)[:-1])):
        np.save(tmp_path / f"m-{number}.npy", part)
    data = load(tmp_path, validation_file="v.npy", test_file="t-*.npy", exclude=ExcludeSpec(mask="m-*.npy"))
    assert [len(rows) for rows in data.splits] == [80, 16, 24]
    assert torch.equal(data.take(data.test), torch.from_numpy(x[:30][~mask[120:]]))


def test_the_hash_of_large_shards_is_that_of_the_file(tmp_path, x, monkeypatch):
    monkeypatch.setattr(samples, "_HASHED_BYTES", 20 * 6 * 4)
    save(tmp_path, "x", x)
    hashes = {load(tmp_path).content_hash(), load(tmp_path, file="x.npy").content_hash()}
    changed = x.copy()
    changed[-1] += 1
    save(tmp_path, "x", changed)
    assert len(hashes) == 1
    assert load(tmp_path).content_hash() not in hashes


def test_a_shard_that_is_written_anew_or_added_is_seen(tmp_path, x):
    save(tmp_path, "x", x)
    assert len(load(tmp_path).x) == 100
    np.save(tmp_path / "x-11.npy", x[:7])
    assert len(load(tmp_path).x) == 107


def test_a_link_has_the_ending_of_its_own_name(tmp_path, x):
    """As in the cache of a hub, where what a link leads to is named by its hash."""
    save_file({"a": torch.from_numpy(x), "b": torch.zeros(1)}, tmp_path / "0a1b")
    (tmp_path / "x-1.safetensors").symlink_to(tmp_path / "0a1b")
    assert torch.equal(load(tmp_path, file="x-*.safetensors", key="a").x, torch.from_numpy(x))


@pytest.fixture
def limits():
    """Of open files, put back afterwards: the soft one and the hard one."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_as_many_files_may_be_open_as_there_are_shards(tmp_path, x, limits, monkeypatch):
    save(tmp_path, "x", x)
    resource.setrlimit(resource.RLIMIT_NOFILE, (400, limits[1]))
    assert len(load(tmp_path).x) == 100
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (4 + mapped._OPEN_BESIDE, limits[1])
    monkeypatch.setattr(mapped, "_OPEN_BESIDE", limits[1])
    np.save(tmp_path / "x-11.npy", x)
    with pytest.raises(InputError, match=f"it means 5 files, and this process may have {limits[1]} open"):
        load(tmp_path)
