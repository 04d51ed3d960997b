"""The case of peak memory: what a training needs beside its weights, moments, and one batch of pre-activations.

    python -m spadam.bench.memory SELECTION LATENTS

trains in a process of its own and prints what it found, in bytes. Linux only: the peak is read from /proc.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import torch

from spadam.bench.case import Case, Measured, NotRun, Settings, last_line
from spadam.encoding.speed import fast_type

LATENTS, K, BATCH, FEATURES = 65536, 32, 128, 784
SAMPLES = 2560
"""Of the synthetic set, of which eight tenths are trained on: 16 steps, two of which the diagnostics look at."""

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def resident(name: str) -> int:
    """Bytes of this process in memory now (``VmRSS``), or at most since the peak was reset (``VmHWM``)."""
    line = next(line for line in _STATUS.read_text(encoding="utf-8").splitlines() if line.startswith(f"{name}:"))
    return 1024 * int(line.split()[1])


def reset_peak() -> None:
    """Let the peak begin anew at what is in memory now."""
    _RESET.write_text("5", encoding="utf-8")


def give_back() -> None:
    """Hand memory that is free but still held back to the system: a training that filled it would seem too small."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # another C library than glibc
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def configure(selection: str, latents: int) -> dict[str, Any]:
    """The training, as a configuration says it."""
    return {
        "data": {"name": "synthetic", "samples": SAMPLES, "features": FEATURES, "batch_size": BATCH},
        "model": {"latents": latents, "rule": {"name": "top_k", "k": min(K, latents)}, "selection": selection},
        "optimizer": {"name": "lazy_adam"},
        "trainer": {"epochs": 1, "threads": 2},
        "probe": None,
        "tracking": {"mode": "offline"},
    }


def train_and_measure(selection: str, latents: int) -> dict[str, int]:
    """Bytes that a training adds to what is resident once everything is imported, compiled and loaded; and its floor.

    The training is one through the whole platform: evaluations, diagnostics, a checkpoint, the weights written.
    """
    from spadam.config import RunConfig
    from spadam.training.run import run

    small, large = (RunConfig.model_validate(configure(selection, n)) for n in (64, latents))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        run(small, Path(folder) / "small", phase="search")  # imports and compiles all there is, loads the data
        give_back()
        before = resident("VmRSS")
        reset_peak()
        run(large, Path(folder) / "large", phase="search")
    return {"peak": resident("VmHWM") - before, "floor": floor(selection, latents)}


def floor(selection: str, latents: int) -> int:
    """Weights and two moments, one batch of pre-activations, and the shadow where there is one, in bytes."""
    weights = latents * FEATURES + latents + FEATURES
    small = None if selection == "float32" else fast_type()
    return 4 * (3 * weights + BATCH * latents) + (small.itemsize * latents * FEATURES if small else 0)


def peak_over_floor(selection: str, settings: Settings) -> Measured:
    """The peak of a training in a fresh process over its floor."""
    if not _RESET.exists():
        raise NotRun("the peak is read from /proc, which only Linux has")
    if selection == "certified" and fast_type() is None:
        raise NotRun("this processor has no fast products of int8 or bfloat16")
    latents = LATENTS // 16 if settings.effort.quick else LATENTS
    command = [sys.executable, "-m", "spadam.bench.memory", selection, str(latents)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the training failed: {last_line(done.stderr)}")
    found = json.loads(done.stdout.splitlines()[-1])
    peak, least = found["peak"], found["floor"]
    return Measured(peak / least, peak / 1e6, least / 1e6, "MB", note=f"{latents} latents, tied, batch {BATCH}")


CASES = tuple(
    Case(
        name=f"peak memory / weights, moments, pre-activations: {LATENTS} latents, {selection}",
        bar=1.3,
        direction="at most",
        says="Peak of a training through the whole platform, less what is resident after imports and data, over "
        "weights, two moments and one batch of pre-activations" + shadow + ".",
        measure=partial(peak_over_floor, selection),
        seconds=40,
    )
    for selection, shadow in (("float32", ""), ("certified", ", and the shadow of the weights in int8 or bfloat16"))
)


if __name__ == "__main__":
    torch.set_num_threads(2)
    sys.stdout.write(json.dumps(train_and_measure(sys.argv[1], int(sys.argv[2]))) + "\n")
