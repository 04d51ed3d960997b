"""A k that goes from one number to another over the first steps of a training."""

from abc import ABC
from typing import Any

import torch
from torch import Tensor
from typing_extensions import override

from spadam.sparsity.rule import Rule


class ScheduledK(Rule, ABC):
    r"""A rule whose k may change while it is trained.

    .. math:: k_t = round(k_{from} + (k - k_{from}) \min(1, t / k_{steps}))

    in training step t, the first being 0. :attr:`k` is that of the moment, in evaluation too: what is judged then is
    what is being trained. So a training that ends before its schedule is judged, and loaded again, by the k that it had
    come to. Without ``k_from`` it is ``k`` throughout, and there is no state.

    With few latents on from the beginning, the first ones that fit are used for everything, and the others die:
    Makhzani and Frey, "k-Sparse Autoencoders", 2014, begin with many and go down to few in the first half of a
    training.
    """

    k: int
    steps: Tensor
    """Training batches so far, () int64; only where there is a schedule."""

    def __init__(self, k: int, k_from: int | None = None, k_steps: int | None = None) -> None:
        super().__init__()
        self._ends_at, self._begins_at, self._over = k, k if k_from is None else k_from, k_steps or 0
        self._taken = 0  # as the buffer says: asking it in every step would wait for the device
        self.k = self._begins_at
        if self._over:
            self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    @override
    def advance(self) -> None:
        if self._over:
            self.steps += 1
            self._come_to(self._taken + 1)

    def _come_to(self, step: int) -> None:
        self._taken = step
        missing = max(0, self._over - step)
        self.k = round(self._ends_at + (self._begins_at - self._ends_at) * missing / self._over)

    @override
    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        if self._over:
            self._come_to(int(self.steps))
