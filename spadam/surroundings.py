"""What a training asks of the process around it, and gives back as it was: arithmetic, silence, Ctrl-C."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
import warnings
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


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Lightning without its advertisements: what matters here is told by us."""
    logger = logging.getLogger("pytorch_lightning")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="pytorch_lightning")
            yield
    finally:
        logger.setLevel(level)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C in a fit as KeyboardInterrupt: Lightning makes it a SystemExit and turns further ones off."""
    main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT) if main else None
    try:
        yield
    except SystemExit:
        raise KeyboardInterrupt from None
    finally:
        if main:
            signal.signal(signal.SIGINT, handler)
