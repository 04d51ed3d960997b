"""One number that makes samples of one size, the same on every machine, and none of the splits another."""

import math

import numpy as np
import pytest
import torch

from spadam.data import ArraySpec, Batches, DigitsSpec, SyntheticSpec
from spadam.data.moments import moments
from spadam.data.samples import Samples
from spadam.spec import InputError

SCALINGS = ["unit_sq", "sqrt_d"]


def size(data, rows):
    """What the scalings make 1, naively."""
    x = data.take(rows).double()
    norms = x.square().sum(1).sqrt()
    return {"unit_sq": float(norms.square().mean()), "sqrt_d": float(norms.mean()) / math.sqrt(data.features)}


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("spec", [DigitsSpec(), SyntheticSpec(samples=700)], ids=lambda spec: spec.name)
def test_training_samples_get_the_size_that_it_names(spec, scaling):
    plain, data = spec.load(), spec.model_copy(update={"scale": scaling}).load()
    assert size(data, data.train)[scaling] == pytest.approx(1, rel=1e-6)  # products are rounded to float32
    assert data.scale == pytest.approx(size(plain, plain.train)[scaling] ** (-0.5 if scaling == "unit_sq" else -1))
    assert data.scale == float(np.float32(data.scale)), "what multiplies is what is told"
    assert data.samples is plain.samples
    assert all(torch.equal(a, b) for a, b in zip(data.splits, plain.splits, strict=True))
    for rows in data.splits:
        assert torch.equal(data.take(rows), plain.take(rows) * np.float32(data.scale))
    batch, other = (next(iter(Batches(d, d.train, 16, seed=0))) for d in (data, plain))
    assert torch.equal(batch[0], other[0] * np.float32(data.scale))
    assert torch.equal(batch[1], other[1])
    naive = data.take(data.train).double().mean(0).float()
    torch.testing.assert_close(data.train_mean(), naive, rtol=1e-5, atol=1e-8)


def test_none_is_not_even_a_product_by_one():
    data = DigitsSpec().load()
    assert (data.scaling, data.scale) == ("none", 1.0)
    assert torch.equal(data.take(data.train), data.x[data.train])


@pytest.mark.parametrize("scaling", SCALINGS)
def test_of_samples_a_hundredth_as_large_it_is_a_hundred_times_as_large(tmp_path, scaling):
    x = np.random.default_rng(0).normal(3, 1, (200, 5)).astype(np.float32)
    scales = []
    for name, factor in (("one", 1.0), ("hundredth", 0.01)):
        np.save(tmp_path / f"{name}.npy", x * np.float32(factor))
        scales.append(ArraySpec(file=str(tmp_path / f"{name}.npy"), batch_size=4, scale=scaling).load().scale)
    assert scales[1] / scales[0] == pytest.approx(100, rel=1e-6)


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("features", [3, 64, 777])
def test_it_does_not_depend_on_threads(tmp_path, scaling, features):
    """Or nodes that train with several would have other data than those that train with one."""
    x = np.random.default_rng(0).normal(0.3, 1, ((1 << 18) // features, features)).astype(np.float32)
    found = set()
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        measured = moments(torch.from_numpy(x).split(10_000))
        found.add((measured.square, measured.norm, measured.mean_D.numpy().tobytes()))
    assert len(found) == 1


def test_the_samples_are_read_once_for_as_long_as_they_are_kept(tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32))
    spec = ArraySpec(root=str(tmp_path), file="x.npy", batch_size=4, scale="unit_sq")
    read, take = [], Samples.take

    def count(self, rows):
        read.append(len(rows))
        return take(self, rows)

    monkeypatch.setattr(Samples, "take", count)
    data = spec.load()
    assert sum(read) == len(data.train)
    data.train_mean()
    spec.load()
    spec.model_copy(update={"scale": "sqrt_d", "batch_size": 8}).load()
    spec.model_copy(update={"scale": "none"}).load().train_mean()
    assert sum(read) == len(data.train)


def test_only_training_samples_that_are_left_in_count(tmp_path):
    x = np.ones((100, 2), np.float32)
    x[90:] = 1000
    np.save(tmp_path / "x.npy", x)
    spec = ArraySpec(root=str(tmp_path), file="x.npy", batch_size=4, scale="unit_sq", exclude={"norm_over": 10.0})
    assert spec.load().scale == pytest.approx(2**-0.5)


def test_the_hash_tells_scalings_apart():
    hashes = {DigitsSpec(scale=scaling).load().content_hash() for scaling in ("none", *SCALINGS)}
    assert len(hashes) == 3


def test_the_set_can_be_had_as_it_is_and_on_a_device():
    data = DigitsSpec(scale="unit_sq").load()
    assert data.unscaled().content_hash() == DigitsSpec().load().content_hash()
    moved = data.to("cpu")
    assert (moved.scaling, moved.scale) == ("unit_sq", data.scale)


@pytest.mark.parametrize("value", [0.0, 1e-42])
def test_samples_without_a_scale_are_told(tmp_path, value):
    np.save(tmp_path / "x.npy", np.full((50, 2), value, np.float32))
    with pytest.raises(InputError, match="which no number scales") as caught:
        ArraySpec(root=str(tmp_path), file="x.npy", batch_size=4, scale="unit_sq").load()
    assert caught.value.argument == "data.scale"


def test_moments_are_those_of_numpy():
    x = np.random.default_rng(0).normal(1000, 1, (5000, 3)) * [1, 10, 100]
    x = x.astype(np.float32)
    found, naive = moments(torch.from_numpy(x).split(999)), x.astype(np.float64)
    assert found.mean_D.numpy() == pytest.approx(naive.mean(0), rel=1e-12)
    assert found.variance_D.numpy() == pytest.approx(naive.var(0), rel=1e-9)  # a difference of numbers 10^6 as large
    assert found.norm == pytest.approx(np.linalg.norm(naive, axis=1).mean(), rel=1e-12)
    assert found.square == pytest.approx((naive**2).sum(1).mean(), rel=1e-12)
