"""The order of a large set in files: blocks of its rows, two at a time, every sample once, the same everywhere."""

import copy
import ctypes
import hashlib
import itertools
import mmap
import os
import time

import numpy as np
import pytest
import torch

from spadam.config import RunConfig
from spadam.data import ArraySpec, Batches, order
from spadam.data.exclude import ExcludeSpec
from spadam.data.samples import Samples
from spadam.data.shards import expect
from spadam.spec import Document, validate
from spadam.training.run import run
from support.short_training import run_until, same, weights

N, D, BLOCK = 230, 5, 12


@pytest.fixture
def large(monkeypatch):
    """Sets of more than 1000 bytes are large here, and blocks have 12 rows of float32."""
    monkeypatch.setattr(order, "WHOLE_BYTES", 1000)
    monkeypatch.setattr(order, "BLOCK_BYTES", BLOCK * D * 4 + 3)


@pytest.fixture
def load(tmp_path):
    """Sample i holds i in its first feature."""
    x = np.random.default_rng(0).normal(size=(N, D)).astype(np.float32)
    x[:, 0] = np.arange(N)
    np.save(tmp_path / "x.npy", x)
    for number, part in enumerate(np.array_split(x, 7)):
        np.save(tmp_path / f"x-{number}.npy", part)
    np.save(tmp_path / "g.npy", np.arange(N) // 7)
    np.save(tmp_path / "m.npy", np.arange(N) % 9 == 4)

    def made(**fields):
        return ArraySpec(**{"root": str(tmp_path), "file": "x.npy", "batch_size": 8, **fields}).load()

    return made


def ids(batches):
    """The sample numbers of every batch of one epoch."""
    return [batch[:, 0].int().tolist() for batch in batches]


def generator(purpose, *numbers):
    digest = hashlib.sha256(f"{purpose}:{numbers}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:4], "big"))


def naive(rows, seed, epoch):
    """The order of one epoch, in plain lists."""
    rows = sorted(rows)
    blocks = [rows[first : first + BLOCK] for first in range(0, len(rows), BLOCK)]
    drawn = [blocks[block] for block in torch.randperm(len(blocks), generator=generator("blocks", seed, epoch))]
    found = []
    for window, first in enumerate(range(0, len(drawn), 2)):
        together = list(itertools.chain(*drawn[first : first + 2]))
        places = torch.randperm(len(together), generator=generator("window", seed, epoch, window))
        found += [together[place] for place in places]
    return found


SETS = {
    "one file": {},
    "shards": {"file": "x-*.npy"},
    "groups": {"groups": "g.npy"},
    "a mask": {"exclude": ExcludeSpec(mask="m.npy")},
    "few": {"train_size": 20},
    "a block": {"train_size": BLOCK},
    "even blocks": {"train_size": 4 * BLOCK},
}


@pytest.mark.parametrize("fields", SETS.values(), ids=SETS)
@pytest.mark.parametrize("batch_size", [1, 7, 12, 100])
def test_against_plain_lists(large, load, fields, batch_size):
    data = load(**fields, batch_size=1)
    if batch_size > len(data.train):
        batch_size = len(data.train)
    batches = Batches(data, data.train, batch_size, seed=3)
    for epoch in range(3):
        expected = naive(data.train.tolist(), 3, epoch)
        assert sorted(expected) == sorted(data.train.tolist())
        assert batches.order(epoch).tolist() == expected
        whole = len(expected) // batch_size
        assert ids(batches) == [expected[i * batch_size : (i + 1) * batch_size] for i in range(whole)]
        assert len(batches) == whole


def test_a_window_reads_two_blocks_of_the_file(large, load):
    data = load(validation_size=0, test_size=0)
    windows = list(order.Blocks(data.samples, data.train, BLOCK, seed=0).windows(0))
    assert len(windows) == 10
    for window in windows:
        assert len((window // BLOCK).unique()) == 2
        assert len(window) in (2 * BLOCK, BLOCK + N % BLOCK)


def test_epochs_and_seeds_have_other_orders(large, load):
    data = load()
    orders = {tuple(Batches(data, data.train, 1, s).order(e).tolist()) for s in range(5) for e in range(5)}
    assert len(orders) == 25


@pytest.mark.parametrize("batch_size", [8, 70])
def test_state_goes_on_with_the_same_remaining_batches(large, load, batch_size):
    data = load()
    reference = Batches(data, data.train, batch_size, seed=0)
    whole = [ids(reference), ids(reference)]
    for stop in range(len(reference)):
        batches = Batches(data, data.train, batch_size, seed=0)
        seen = [batch[:, 0].int().tolist() for batch in itertools.islice(iter(batches), stop)]
        resumed = Batches(data, data.train, batch_size, seed=0)
        resumed.load_state_dict(copy.deepcopy(batches.state_dict()))
        assert [*seen, *ids(resumed)] == whole[0]
        assert ids(resumed) == whole[1]


def test_small_sets_and_sets_in_memory_are_shuffled_as_a_whole(load, monkeypatch):
    data = load()
    before = Batches(data, data.train, 8, seed=0).order(1)
    drawn = torch.randperm(len(data.train), generator=generator("batches", 0, 1))
    assert torch.equal(before, data.train[drawn])
    assert data.forwards(data.validation) is data.validation
    monkeypatch.setattr(order, "WHOLE_BYTES", N * D * 4)
    assert order.block_rows(data.samples) is None
    monkeypatch.setattr(order, "WHOLE_BYTES", N * D * 4 - 1)
    assert order.block_rows(data.samples) == 10_000_000 // (D * 4)
    in_memory = Samples(torch.zeros(N, D))
    assert order.block_rows(in_memory) is None


def test_a_pass_goes_forwards_block_by_block(large, load):
    data = load()
    for rows in data.splits:
        ordered = data.forwards(rows)
        expected = sorted(rows.tolist(), key=lambda row: row // BLOCK)  # stable: in a block as they were
        assert ordered.tolist() == expected


def config(root, **data):
    described = {
        "data": {"name": "array", "root": str(root), "file": "x.npy", "batch_size": 8, **data},
        "model": {"latents": 32, "rule": {"name": "batch_top_k", "k": 3}},
        "optimizer": {"name": "lazy_adam", "lr": 1e-2},
        "trainer": {"epochs": 2, "checkpoint_every": 5},
        "tracking": {"mode": "disabled"},
    }
    return validate(RunConfig, Document(described, {}, "test"))


def test_a_training_resumes_to_the_last_bit_and_shards_are_the_one_file(large, load, tmp_path):
    load()
    whole = run(config(tmp_path), tmp_path / "whole")
    described = config(tmp_path, file="x-*.npy")
    resumed = run(described, run_until(13, described, tmp_path / "resumed"))
    assert resumed.provenance["resumed"][0]["step"] == 10
    assert same(whole, resumed)
    assert weights(tmp_path / "whole") == weights(tmp_path / "resumed")


def test_evaluations_of_large_sets_differ_by_roundings_only(load, tmp_path, monkeypatch):
    """The same model, evaluated in the drawn order and forwards."""
    load()
    described, found = config(tmp_path), {}
    for name, most in (("drawn", 1 << 28), ("forwards", 1000)):
        monkeypatch.setattr(order, "WHOLE_BYTES", most)
        monkeypatch.setattr(order, "BLOCK_BYTES", BLOCK * D * 4)
        found[name] = run(described, tmp_path / name).evaluations[0]  # step 0
    for key in ("val/mse", "val/fvu", "train/mse", "val/fvu_median_sample"):
        assert found["forwards"][key] == pytest.approx(found["drawn"][key], rel=1e-5), key


def resident(tensor):
    """The share of the mapped pages of ``tensor`` that are in memory."""
    begin = tensor.data_ptr() - tensor.data_ptr() % mmap.PAGESIZE
    length = tensor.data_ptr() + tensor.nbytes - begin
    pages = (ctypes.c_ubyte * -(-length // mmap.PAGESIZE))()
    assert ctypes.CDLL(None).mincore(ctypes.c_void_p(begin), ctypes.c_size_t(length), pages) == 0
    return sum(page & 1 for page in pages) / len(pages)


def test_rows_that_are_expected_are_read_ahead(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.ones((4000, 1024), np.float32))
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    x = ArraySpec(root=str(tmp_path), file="x.npy", batch_size=4).load().x
    expect(x, 1000, 1999)
    patience = time.monotonic() + 30
    while resident(x[1000:2000]) < 1 and time.monotonic() < patience:
        time.sleep(0.01)
    assert resident(x[1000:2000]) == 1
