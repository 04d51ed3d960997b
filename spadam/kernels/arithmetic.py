"""The arithmetic that a training asks of the process around it, given back as it was: threads, and no denormals."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from spadam import kernels


@contextlib.contextmanager
def arithmetic(threads: int) -> Iterator[None]:
    """Torch with that many threads, and denormal numbers flushed to zero.

    A momentum that decays for ever would otherwise end in denormals, which are slow and which a sign does not see as
    zero.
    """
    threads_before = torch.get_num_threads()
    flushed_before = kernels.flushes_denormals()
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    kernels.follow_denormals()
    try:
        yield
    finally:
        torch.set_flush_denormal(flushed_before)
        kernels.follow_denormals()
        torch.set_num_threads(threads_before)
