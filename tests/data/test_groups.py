"""Samples of a group are all in one split."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from spadam.data import ArraySpec, DigitsSpec, FashionMnistSpec
from spadam.data.exclude import ExcludeSpec
from spadam.data.splits import Sizes, draw
from spadam.spec import InputError

N = 600


@pytest.fixture
def groups(tmp_path):
    """Documents of 1 to 30 tokens, their numbers neither small nor in order."""
    random = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", random.normal(size=(N, 4)).astype(np.float32))
    sizes = random.integers(1, 31, 200)
    groups = np.repeat(random.permutation(200) * 1_000_003 - 10**7, sizes)[:N]
    np.save(tmp_path / "documents.npy", groups)
    return groups


def load(folder, **fields):
    usual = {"root": str(folder), "file": "x.npy", "batch_size": 4, "groups": "documents.npy"}
    return ArraySpec(**usual | fields).load()


def kinds(groups, data):
    return [set(groups[rows.numpy()]) for rows in data.splits]


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("fields", [{}, {"validation_size": 7, "test_size": 100}, {"train_size": 50}])
def test_no_group_straddles_splits(tmp_path, groups, seed, fields):
    data = load(tmp_path, split_seed=seed, **fields)
    train, validation, test = kinds(groups, data)
    assert not train & validation
    assert not train & test
    assert not validation & test
    rows = torch.cat(list(data.splits))
    assert len(rows) == len(rows.unique())
    if "train_size" not in fields:
        assert len(rows) == N


@pytest.mark.parametrize("seed", range(10))
def test_sizes_are_exceeded_by_less_than_a_group(tmp_path, groups, seed):
    data = load(tmp_path, split_seed=seed, validation_size=90, test_size=70, train_size=200)
    assert len(data.train) == 200, "it needs no whole groups"
    for rows, size in ((data.validation, 90), (data.test, 70)):
        of = groups[rows.numpy()]
        assert size <= len(of) < size + max(np.bincount(np.unique(of, return_inverse=True)[1]))


def test_a_split_takes_its_groups_whole(tmp_path, groups):
    data = load(tmp_path)
    for rows in (data.validation, data.test):
        mine = np.isin(groups, groups[rows.numpy()])
        assert set(rows.tolist()) == set(np.flatnonzero(mine))


def test_sizes_move_what_is_taken_last(tmp_path, groups):
    first, smaller = load(tmp_path), load(tmp_path, train_size=50)
    assert torch.equal(smaller.train, first.train[:50])
    assert torch.equal(smaller.validation, first.validation)
    assert torch.equal(smaller.test, first.test)
    other = load(tmp_path, validation_size=20)
    assert torch.equal(other.test, first.test)
    none = load(tmp_path, validation_size=0, test_size=0)
    assert [len(rows) for rows in none.splits] == [N, 0, 0]
    assert not torch.equal(first.test, load(tmp_path, split_seed=1).test)


def test_a_prefix_of_training_is_of_many_groups(tmp_path, groups):
    train = load(tmp_path).train.numpy()
    of_all, of_first = (len(set(groups[rows])) for rows in (train, train[:100]))
    assert of_first > of_all / 2


def test_groups_of_one_sample_give_the_sizes_that_were_asked_for():
    rows = torch.arange(100)
    grouped = draw(rows, Sizes(80, 10, 10), 3, groups_P=rows)
    assert [len(part) for part in grouped] == [80, 10, 10]
    assert torch.equal(torch.cat(grouped).sort().values, rows)


def test_any_set_has_groups(tmp_path, idx):
    np.save(tmp_path / "writers.npy", np.arange(1797) // 40)
    data = DigitsSpec(root=str(tmp_path), groups="writers.npy").load()
    parts = kinds(np.arange(1797) // 40, data)
    assert not parts[0] & (parts[1] | parts[2])
    assert 300 <= len(data.validation) < 340
    idx(tmp_path, train=60, test=20)
    np.save(tmp_path / "pairs.npy", np.arange(60) // 2)
    data = FashionMnistSpec(root=str(tmp_path), batch_size=8, groups="pairs.npy").load()
    assert torch.equal(data.test, torch.arange(60, 80))
    assert len(data.validation) == 6
    assert not set(data.train.numpy() // 2) & set(data.validation.numpy() // 2)


def test_left_out_samples_do_not_count(tmp_path, groups):
    np.save(tmp_path / "out.npy", np.arange(N) % 2 == 0)
    data = load(tmp_path, exclude=ExcludeSpec(mask="out.npy"), validation_size=30)
    parts = kinds(groups, data)
    assert not parts[0] & (parts[1] | parts[2])
    assert sum(map(len, data.splits)) == N // 2
    assert 30 <= len(data.validation) < 45


def test_safetensors_and_the_hash(tmp_path, groups):
    before = load(tmp_path).content_hash()
    save_file({"x": torch.zeros(1), "d": torch.from_numpy(groups)}, tmp_path / "documents.safetensors")
    same = load(tmp_path, groups="documents.safetensors", groups_key="d")
    assert same.content_hash() == before
    np.save(tmp_path / "documents.npy", np.arange(N))
    assert load(tmp_path).content_hash() != before


@pytest.mark.parametrize(
    ("made", "fields", "argument", "rule"),
    [
        (np.zeros(N, int), {}, "data.groups", "test 600 samples of 1 whole groups, and none are left"),
        (np.zeros(N - 1, int), {}, "data.groups", rf"for each of the {N} samples, not int64 of size \({N - 1},\)"),
        (np.zeros(N), {}, "data.groups", "one whole number for each"),
        (None, {}, "data.groups", "there is no file"),
        (np.arange(N) // 100, {"train_size": 480}, "data.train_size", "leaves 400 samples; set it to 400 or less"),
        (np.arange(N) // 100, {"batch_size": 450}, "data.batch_size", "training split, which has 400 samples"),
    ],
)
def test_groups_that_cannot_be_kept_together_are_told(tmp_path, groups, made, fields, argument, rule):
    (tmp_path / "documents.npy").unlink()
    if made is not None:
        np.save(tmp_path / "documents.npy", made)
    with pytest.raises(InputError, match=rule) as caught:
        load(tmp_path, **fields)
    assert caught.value.argument == argument


def test_keys_and_endings_are_told_early():
    with pytest.raises(ValueError, match=r"data.groups = 'd.csv': must be a .npy or a .safetensors file"):
        DigitsSpec(groups="d.csv")
    with pytest.raises(ValueError, match=r"data.groups_key = 'a': only a .safetensors file has keys, and none"):
        DigitsSpec(groups_key="a")


def test_sizes_are_not_known_before_the_groups_are():
    assert DigitsSpec().sizes == (1200, 300, 297)
    assert DigitsSpec(groups="writers.npy").sizes is None
