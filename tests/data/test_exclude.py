"""Samples that are left out are in no split, by whatever they are named."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from spadam.data import ArraySpec, DigitsSpec, FashionMnistSpec, SyntheticSpec, source
from spadam.data.exclude import ExcludeSpec
from spadam.spec import Document, InputError, Spec, validate

N, LONG = 90, [3, 40, 71]


@pytest.fixture
def x(tmp_path):
    """Samples of norm 1, and three that are far longer."""
    x = np.random.default_rng(0).normal(size=(N, 5))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    x[LONG] *= [[20.0], [11.0], [9.0]]
    np.save(tmp_path / "x.npy", x.astype(np.float32))
    return x


def spec(folder, **fields):
    return ArraySpec(root=str(folder), file="x.npy", batch_size=4, **fields)


def used(data):
    return set(torch.cat(list(data.splits)).tolist())


@pytest.mark.parametrize(("times", "out"), [(10.0, {3, 40}), (8.5, {3, 40, 71}), (25.0, set())])
def test_what_is_longer_than_so_many_times_the_median_is_in_no_split(tmp_path, x, times, out):
    norms = np.linalg.norm(x, axis=1)
    assert out == set(np.flatnonzero(norms > times * np.median(norms)))
    data = spec(tmp_path, exclude=ExcludeSpec(norm_over=times)).load()
    assert used(data) == set(range(N)) - out
    kept = N - len(out)
    assert [len(rows) for rows in data.splits] == [kept - 2 * (kept // 10), kept // 10, kept // 10]


@pytest.mark.parametrize("kind", [np.bool_, np.uint8, np.int64])
@pytest.mark.parametrize("ending", ["npy", "safetensors"])
def test_what_a_mask_marks_is_in_no_split(tmp_path, x, kind, ending):
    mask = np.zeros(N, kind)
    mask[LONG] = 1
    if ending == "npy":
        np.save(tmp_path / "out.npy", mask)
    else:
        save_file({"a": torch.zeros(2), "out": torch.from_numpy(mask)}, tmp_path / "out.safetensors")
    key = None if ending == "npy" else "out"
    data = spec(tmp_path, exclude=ExcludeSpec(mask=f"out.{ending}", mask_key=key)).load()
    assert used(data) == set(range(N)) - set(LONG)


def test_the_median_is_of_what_the_mask_leaves(tmp_path):
    """Half of the samples are masked and short, so that the median of all would be another."""
    x = np.ones((N, 1), np.float32)
    x[:46] = 0.01
    x[-1] = 3.0
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "out.npy", np.arange(N) < 46)
    both = spec(tmp_path, exclude=ExcludeSpec(mask="out.npy", norm_over=2.0)).load()
    assert used(both) == set(range(46, N - 1))


def test_a_masked_sample_is_not_read(tmp_path, x):
    x[7] = np.nan
    np.save(tmp_path / "x.npy", x.astype(np.float32))
    np.save(tmp_path / "out.npy", np.arange(N) == 7)
    data = spec(tmp_path, exclude=ExcludeSpec(mask="out.npy", norm_over=10.0)).load()
    assert used(data) == set(range(N)) - {3, 7, 40}
    assert data.train_mean().isfinite().all()


def test_a_norm_that_is_no_number_is_told_when_the_sample_is_taken(tmp_path, x):
    x[7] = np.nan
    np.save(tmp_path / "x.npy", x.astype(np.float32))
    data = spec(tmp_path, exclude=ExcludeSpec(norm_over=10.0)).load()
    assert used(data) == set(range(N)) - {3, 40}
    with pytest.raises(InputError, match="sample 7 holds a value that is not a finite"):
        data.take(torch.tensor([7]))


def test_an_infinite_norm_is_over_everything(tmp_path, x):
    """As half precision makes of what is too large for it."""
    x[7, 0] = np.inf
    np.save(tmp_path / "x.npy", x.astype(np.float16))
    assert 7 not in used(spec(tmp_path, exclude=ExcludeSpec(norm_over=100.0)).load())


def test_official_test_samples_are_left_out_by_a_mask_of_all(tmp_path, idx):
    idx(tmp_path, train=60, test=20)
    np.save(tmp_path / "all.npy", np.arange(80) % 10 == 0)
    np.save(tmp_path / "pool.npy", np.arange(60) % 10 == 0)
    for file, test in (("all.npy", 18), ("pool.npy", 20)):
        data = FashionMnistSpec(root=str(tmp_path), batch_size=8, exclude=ExcludeSpec(mask=file)).load()
        assert len(data.test) == test
        assert len(data.train) + len(data.validation) == 54
        assert all(row % 10 or (row >= 60 and test == 20) for row in used(data))


def test_the_samples_are_read_once_for_all_numbers(tmp_path, x):
    source._read.cache_clear()
    first = spec(tmp_path, exclude=ExcludeSpec(norm_over=10.0)).load()
    other = spec(tmp_path, exclude=ExcludeSpec(norm_over=5.0)).load()
    assert first.samples is other.samples is spec(tmp_path).load().samples
    assert "norms" in vars(first.samples)


def test_the_hash_tells_a_mask_apart(tmp_path, x):
    np.save(tmp_path / "out.npy", np.arange(N) == 3)
    with_mask = spec(tmp_path, exclude=ExcludeSpec(mask="out.npy"))
    first = with_mask.load().content_hash()
    assert first != spec(tmp_path).load().content_hash()
    np.save(tmp_path / "out.npy", np.arange(N) == 4)
    assert with_mask.load().content_hash() != first


def test_nothing_left_out_changes_no_split():
    some = DigitsSpec().load()
    none = DigitsSpec(exclude=ExcludeSpec(norm_over=100.0)).load()
    assert all(torch.equal(a, b) for a, b in zip(some.splits, none.splits, strict=True))
    assert some.content_hash() == none.content_hash()


def test_sizes_are_not_known_before_samples_are_read():
    assert SyntheticSpec(samples=500, batch_size=8).sizes == (400, 50, 50)
    assert SyntheticSpec(samples=500, batch_size=8, exclude=ExcludeSpec(norm_over=2.0)).sizes is None


class Wrapped(Spec):
    data: ArraySpec


@pytest.mark.parametrize(
    ("exclude", "argument", "rule"),
    [
        ({}, "data.exclude", "what is to be left out must be said; give mask or norm_over"),
        ({"norm_over": 1.0}, "data.exclude.norm_over", "greater than 1"),
        ({"mask": "out.txt"}, "data.exclude.mask", "must be a .npy or a .safetensors file"),
        ({"mask": "out.npy", "mask_key": "a"}, "data.exclude.mask_key", "data.exclude.mask is not one"),
        ({"norm_over": 3.0, "mask_key": "a"}, "data.exclude.mask_key", "and none is given"),
        ({"norm_ovr": 3.0}, "data.exclude.norm_ovr", "did you mean norm_over"),
    ],
)
def test_what_cannot_be_meant_is_told_with_the_configuration(exclude, argument, rule):
    with pytest.raises(InputError, match=rule) as caught:
        validate(Wrapped, Document({"data": {"name": "array", "file": "x.npy", "exclude": exclude}}, {}, ""))
    assert caught.value.argument == argument


@pytest.mark.parametrize(
    ("mask", "rule"),
    [
        (None, "there is no file"),
        (np.zeros(N - 1, bool), rf"one truth value for each of the {N} samples, not bool of size \({N - 1},\)"),
        (np.zeros((N, 1), bool), "one truth value for each"),
        (np.zeros(N), "one whole number for each"),
        (np.full(N, 2), "must hold 0 and 1 only, but its numbers go from 2 to 2"),
        (np.full(N, -1), "must hold 0 and 1 only, but its numbers go from -1 to -1"),
    ],
)
def test_a_mask_that_cannot_be_used_is_told(tmp_path, x, mask, rule):
    if mask is not None:
        np.save(tmp_path / "out.npy", mask)
    with pytest.raises(InputError, match=rule) as caught:
        spec(tmp_path, exclude=ExcludeSpec(mask="out.npy")).load()
    assert caught.value.argument == "data.exclude.mask"


def test_all_samples_cannot_be_left_out(tmp_path, x):
    np.save(tmp_path / "out.npy", np.ones(N, bool))
    with pytest.raises(InputError, match=f"leaves out all of the {N} samples") as caught:
        spec(tmp_path, exclude=ExcludeSpec(mask="out.npy")).load()
    assert caught.value.argument == "data.exclude"
