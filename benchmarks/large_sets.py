"""Trains on shards that memory does not hold, by blocks and with all samples shuffled, and compares their speed.

    python benchmarks/large_sets.py [--megabytes 512] [--memory 128] [--seconds 20] [--folder /tmp]

Shards of float16 are written into the folder and removed at the end. The system is made to hold no more than --memory
MB of them: whenever so much has been read from the disk, what it keeps of the files is dropped. The orders take turns,
in one process; each trains for one pass, or for --seconds. All shuffled is tried with what the system reads around each
sample of a mapped file, and without. Prints a table in Markdown. Linux only.
"""

from __future__ import annotations

import argparse
import ctypes
import mmap
import os
import resource
import shutil
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from spadam.config import RunConfig
from spadam.data import Batches, Dataset, order
from spadam.data.shards import pieces
from spadam.kernels.arithmetic import arithmetic
from spadam.spec import Document, validate
from spadam.tasks.task import build_task
from spadam.training.module import TaskModule

FEATURES, BATCH, SHARDS = 1024, 512, 8
ROUNDS = 2
WHOLE, ALONE, BLOCKS = "all shuffled", "all shuffled, no read-ahead", "by blocks"
WAYS = WHOLE, ALONE, BLOCKS


class Found(NamedTuple):
    """What a part of a pass took."""

    samples: int
    seconds: float
    read: int
    """Bytes, from the disk."""


class Memory:
    """Holds ``most`` bytes of the files of a set, and no more."""

    def __init__(self, files: list[Path], dataset: Dataset, most: int) -> None:
        self._files, self._tensors, self._most = files, pieces(dataset.x), most
        self._dropped = bytes_read()

    def advise(self, advice: int) -> None:
        """Tell the system how the files are used."""
        library = ctypes.CDLL(None)
        for tensor in self._tensors:
            begin = tensor.data_ptr() - tensor.data_ptr() % mmap.PAGESIZE
            length = tensor.data_ptr() + tensor.nbytes - begin
            library.madvise(ctypes.c_void_p(begin), ctypes.c_size_t(length), advice)

    def drop(self) -> None:
        """Everything: unmapped first, since what is in use stays."""
        self.advise(mmap.MADV_DONTNEED)
        for file in self._files:
            with file.open("rb") as opened:
                os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        self._dropped = bytes_read()

    def hold(self) -> None:
        """Drop everything if so much has come since it was last done."""
        if bytes_read() - self._dropped >= self._most:
            self.drop()


def bytes_read() -> int:
    """By this process, from disks."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_inblock * 512


def write(folder: Path, megabytes: int) -> list[Path]:
    """Shards of normal numbers, on the disk."""
    rows = (megabytes << 20) // (2 * FEATURES * SHARDS)
    block = np.random.default_rng(0).standard_normal((4096, FEATURES), np.float32).astype(np.float16)
    files = [folder / f"acts-{number}.npy" for number in range(SHARDS)]
    for file in files:
        array = np.lib.format.open_memmap(file, "w+", np.float16, (rows, FEATURES))
        for start in range(0, rows, len(block)):
            array[start : start + len(block)] = block[: rows - start]
        del array
        with file.open("rb") as opened:
            os.fsync(opened.fileno())
    return files


def config(folder: Path) -> RunConfig:
    described = {
        "data": {"name": "array", "root": str(folder), "file": "acts-*.npy", "batch_size": BATCH},
        "model": {"latents": 512, "rule": {"name": "top_k", "k": 16}},
        "optimizer": {"name": "lazy_adam", "lr": 1e-3},
    }
    return validate(RunConfig, Document(described, {}, "large_sets"))


def go(described: RunConfig, dataset: Dataset, memory: Memory, way: str, seed: int, limit: float, train: bool) -> Found:
    """One pass, or what of it is done within ``limit`` seconds; without ``train`` the batches are made and left."""
    order.WHOLE_BYTES = 0 if way == BLOCKS else dataset.samples.x.nbytes
    module = TaskModule(build_task(described, dataset), described.optimizer).train()
    optimizer = described.optimizer.build(module.task.model.parameters())
    batches = Batches(dataset, dataset.train, BATCH, seed)
    memory.advise(mmap.MADV_RANDOM if way == ALONE else mmap.MADV_NORMAL)
    memory.drop()
    samples, read, start = 0, bytes_read(), time.perf_counter()
    for index, batch in enumerate(batches):
        if train:
            module.training_step(batch, index)["loss"].backward()
            optimizer.step()
            optimizer.zero_grad()
        memory.hold()
        samples += BATCH
        if time.perf_counter() - start > limit:
            break
    return Found(samples, time.perf_counter() - start, bytes_read() - read)


def resident() -> float:
    """MB of this process's own memory, which no file gives back."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=512)
    parser.add_argument("--memory", type=int, default=128)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    if shutil.disk_usage(options.folder).free < 2 * (options.megabytes << 20):
        parser.error(f"{options.folder} must have room for twice {options.megabytes} MB")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder, arithmetic(2):
        files, described = write(Path(folder), options.megabytes), config(Path(folder))
        dataset = described.data.load()
        memory = Memory(files, dataset, options.memory << 20)
        dataset.train_mean()  # a pass that both need
        own = resident()
        found: dict[tuple[str, bool], list[Found]] = {(way, train): [] for way in WAYS for train in (True, False)}
        for seed in range(ROUNDS):
            for (way, train), each in found.items():
                each.append(go(described, dataset, memory, way, seed, options.seconds, train))
        print(
            f"{options.megabytes} MB of float16, {FEATURES} features, {SHARDS} shards; {options.memory} MB held of them"
        )
        print(f"the process's own memory grew by {resident() - own:.0f} MB\n")
    print(
        "| order | trained samples/s | read samples/s | from the disk / trained on | of a pass |\n|---|---|---|---|---|"
    )
    sums = {key: Found(*map(sum, zip(*each, strict=True))) for key, each in found.items()}
    speeds = {key: each.samples / each.seconds for key, each in sums.items()}
    for way in WAYS:
        trained = sums[way, True]
        share, passed = trained.read / (2 * FEATURES * trained.samples), trained.samples / ROUNDS / len(dataset.train)
        print(f"| {way} | {speeds[way, True]:.0f} | {speeds[way, False]:.0f} | {share:.2f} | {passed:.2f} |")
    for way in (WHOLE, ALONE):
        trained, read = (speeds[BLOCKS, train] / speeds[way, train] for train in (True, False))
        print(f"\nby blocks / {way}: {trained:.1f} trained, {read:.1f} read")


if __name__ == "__main__":
    main()
