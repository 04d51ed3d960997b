"""The machine that the figures are of."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import torch

from spadam import kernels, machine
from spadam.encoding.speed import fast_type


class Machine(NamedTuple):
    """What figures depend on beside the program."""

    processor: str
    cores: int
    """That this process may use."""
    threads: int
    """Of torch and the compiled loops."""
    kernels: str
    products: str
    """The type of the fastest products: int8, bfloat16 or float32."""
    torch: str
    numba: str
    python: str

    def __str__(self) -> str:
        versions = f"torch {self.torch}, numba {self.numba}, Python {self.python}"
        return (
            f"{self.processor}, {self.cores} cores, {self.threads} torch threads, {self.kernels} kernels, "
            f"fastest products {self.products}, {versions}"
        )


def describe() -> Machine:
    """What this machine has, and the threads that torch has now. Timing products takes some milliseconds."""
    return Machine(
        processor=_processor(),
        cores=machine.cores(),
        threads=torch.get_num_threads(),
        kernels=kernels.name(torch.device("cpu")),
        products=str(fast_type() or torch.float32).removeprefix("torch."),
        torch=torch.__version__,
        numba=version("numba"),
        python=platform.python_version(),
    )


def _processor() -> str:
    """The model's name as the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
