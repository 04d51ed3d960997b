"""Errors that say that there was not enough memory, by whichever name."""

from __future__ import annotations

import sys


def ran_out(error: BaseException) -> bool:
    """Whether ``error`` is for want of memory: of the machine, or of a GPU."""
    if isinstance(error, MemoryError):
        return True
    torch = sys.modules.get("torch")  # without it nothing of its can have been raised
    if torch is None or not isinstance(error, RuntimeError):
        return False
    # On a CPU torch has no class for it; the text is that of c10/core/impl/alloc_cpu.cpp.
    return isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator: can't allocate memory" in str(error)
