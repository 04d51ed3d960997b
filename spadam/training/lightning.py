"""The short way through Lightning: what a Trainer of ours is given so that a step costs little more than its work, and
what is asked of Lightning around a fit: silence, and Ctrl-C as Python has it.

Strategy and profiler do what their parents do, as far as a training on one device in full precision can tell.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from pytorch_lightning.plugins.precision import Precision
from pytorch_lightning.profilers import PassThroughProfiler
from pytorch_lightning.strategies import SingleDeviceStrategy
from torch import Tensor
from torch.optim import Optimizer
from typing_extensions import override

_NOTHING = contextlib.nullcontext()


class NoProfiler(PassThroughProfiler):
    """Profiles nothing, with one context for all of the forty actions of a step; its parent makes one for each."""

    @override
    def profile(self, action_name: str) -> Any:
        return _NOTHING


class NotedClipping(Precision):
    """Full precision; clips the norm of gradients as its parent does, and notes what they were multiplied by."""

    factor: Tensor | None = None
    """min(1, c / (norm + 1e-6)) of the last step, (), as torch clips to a norm c; None while nothing was clipped."""

    @override
    def clip_grad_by_norm(self, optimizer: Optimizer, clip_val: int | float) -> None:
        norm = torch.nn.utils.clip_grad_norm_(self.main_params(optimizer), clip_val)
        self.factor = (clip_val / (norm.detach() + 1e-6)).clamp(max=1.0)


class DirectStrategy(SingleDeviceStrategy):
    """One device, float32: batches that are there already, and backward pass and update without a plugin in between.

    Every hook of callbacks and module is called where Lightning calls it, but for the transfer of a batch that is on
    the device already. With a precision plugin of your own, use Lightning's own strategy.
    """

    def __init__(self, device: torch.device) -> None:
        if device.type == "cuda" and device.index is None:
            device = torch.device("cuda", torch.cuda.current_device())
        super().__init__(device=device, precision_plugin=NotedClipping())

    @override
    def batch_to_device(self, batch: Any, device: torch.device | None = None, dataloader_idx: int = 0) -> Any:
        first = batch[0] if isinstance(batch, tuple) else batch.get("x") if isinstance(batch, dict) else batch
        if isinstance(first, Tensor) and first.device == (device or self.root_device):
            return batch
        return super().batch_to_device(batch, device, dataloader_idx)

    @override
    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        module = self.lightning_module
        assert module is not None
        return module.training_step(*args, **kwargs)

    @override
    def backward(self, closure_loss: Tensor, optimizer: Optimizer | None, *args: Any, **kwargs: Any) -> Tensor:
        module = self.lightning_module
        assert module is not None
        callbacks: Any = module.trainer.callbacks  # type: ignore[attr-defined] # Lightning declares it later
        for callback in callbacks:
            callback.on_before_backward(module.trainer, module, closure_loss)
        module.on_before_backward(closure_loss)
        module.backward(closure_loss, *args, **kwargs)
        for callback in callbacks:
            callback.on_after_backward(module.trainer, module)
        module.on_after_backward()
        return closure_loss.detach()

    @override
    def optimizer_step(self, optimizer: Optimizer, closure: Callable[[], Any], model: Any = None, **kwargs: Any) -> Any:
        module = self.lightning_module
        assert module is not None
        trainer = module.trainer

        def whole() -> Any:
            result = closure()
            for callback in trainer.callbacks:  # type: ignore[attr-defined]
                callback.on_before_optimizer_step(trainer, module, optimizer)
            module.on_before_optimizer_step(optimizer)
            if trainer.gradient_clip_val:
                module.configure_gradient_clipping(
                    optimizer, trainer.gradient_clip_val, trainer.gradient_clip_algorithm
                )
            return result

        return optimizer.step(closure=whole, **kwargs)


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
    """An interruption of a fit as it was raised: Lightning makes a SystemExit of it and turns further Ctrl-C off."""
    main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT) if main else None
    try:
        yield
    except SystemExit as left:
        raised = left.__context__
        raise raised if isinstance(raised, KeyboardInterrupt) else KeyboardInterrupt() from None
    finally:
        if main:
            signal.signal(signal.SIGINT, handler)
