"""An exponential moving average of weights, at the cost of the rows that a step touches.

Shapes: L rows of a parameter, D features, R rows that a step touches.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from spadam.optim.rows.beta_powers import power
from spadam.optim.rows.options import widened
from spadam.optim.rows.touched import as_rows, touched_rows


class WeightEma(nn.Module):
    r"""Averages ``params`` while an optimizer trains them; it changes nothing in them.

    .. math::
        e_t = ρ e_{t-1} + (1-ρ) w_t \qquad e_{t+Δ} = w + ρ^{Δ} (e_t - w) \text{ while } w \text{ holds}

    ``decay`` ρ; at first e is w. The second formula makes up for the steps that a row has sat out, exactly, when it is
    next touched or asked for: powers are taken in float64. ``holds`` says that the optimizer leaves rows as they are
    that a step does not touch; else every row is averaged in every step. It is *not* corrected for its beginning: for
    about 1/(1-ρ) steps the first weights are in it.

    In a loop of your own call :meth:`prepare` right before a step, while its gradients and ``row_samples`` are there,
    and :meth:`update` right after it; :meth:`average` gives what is to be evaluated. What it knows is in its
    ``state_dict``.

    >>> from spadam.optim import LazyAdam
    >>> table = nn.Embedding(10, 4, sparse=True)
    >>> optimizer = LazyAdam(table.parameters(), lr=0.1)
    >>> ema = WeightEma(table.parameters(), decay=0.9, holds=True)
    >>> before = table.weight.detach().clone()
    >>> table(torch.tensor([3, 5, 3])).sum().backward()
    >>> ema.prepare()
    >>> optimizer.step()
    >>> ema.update()
    >>> torch.testing.assert_close(ema.average(table.weight), 0.9 * before + 0.1 * table.weight.detach())
    """

    def __init__(self, params: Iterable[nn.Parameter], decay: float, *, holds: bool) -> None:
        super().__init__()
        self.decay, self.holds = decay, holds
        self._params = tuple(params)
        self._steps = 0
        self._rows: list[Tensor] = []
        self._averages: list[Tensor] = []
        for number, param in enumerate(self._params):
            weight_LD = widened(as_rows(param.detach()))
            self.register_buffer(f"average_{number}", weight_LD.clone())
            self.register_buffer(f"last_step_{number}", torch.zeros(len(weight_LD), dtype=torch.int64))

    @torch.no_grad()
    def begin(self) -> None:
        """Begin anew, at the weights as they are."""
        self._steps = 0
        for number, param in enumerate(self._params):
            ema_LD, last_L = self._buffers_of(number)
            ema_LD.copy_(as_rows(param.detach()))
            last_L.zero_()

    @torch.no_grad()
    def prepare(self) -> None:
        """Bring the rows that the coming step touches up to date with the weights that they have held so far."""
        if not self.holds:
            return
        self._rows, self._averages = [], []
        for number, param in enumerate(self._params):
            rows_R = touched_rows(param)
            self._rows.append(rows_R)
            weight_RD = as_rows(param.detach()).index_select(0, rows_R)
            self._averages.append(self._caught_up(number, rows_R, weight_RD))

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights after a step."""
        self._steps += 1
        for number, param in enumerate(self._params):
            weight_LD = as_rows(param.detach())
            ema_LD, last_L = self._buffers_of(number)
            if not self.holds:
                ema_LD.lerp_(weight_LD.to(ema_LD.dtype), 1 - self.decay)
                last_L.fill_(self._steps)
                continue
            rows_R, ema_RD = self._rows[number], self._averages[number]
            weight_RD = weight_LD.index_select(0, rows_R).to(ema_RD.dtype)
            ema_LD.index_copy_(0, rows_R, ema_RD.lerp_(weight_RD, 1 - self.decay))
            last_L.index_fill_(0, rows_R, self._steps)
        self._rows, self._averages = [], []

    @torch.no_grad()
    def average(self, param: Tensor) -> Tensor:
        """The average of ``param`` as it is now: a new tensor like it."""
        number = next(n for n, own in enumerate(self._params) if own is param)
        weight_LD = as_rows(param.detach())
        rows_L = torch.arange(len(weight_LD), device=param.device)
        return self._caught_up(number, rows_L, weight_LD).to(param.dtype).reshape(param.shape)

    def _caught_up(self, number: int, rows_R: Tensor, weight_RD: Tensor) -> Tensor:
        """The averages of rows that have held ``weight_RD`` since their last step, (R, D)."""
        ema_LD, last_L = self._buffers_of(number)
        silent_R = self._steps - last_L.index_select(0, rows_R)
        fade_R1 = power(self.decay, silent_R, self._steps)[:, None].to(ema_LD.dtype)
        ema_RD = ema_LD.index_select(0, rows_R)
        return torch.lerp(weight_RD.to(ema_LD.dtype), ema_RD, fade_R1)

    def _buffers_of(self, number: int) -> tuple[Tensor, Tensor]:
        return self.get_buffer(f"average_{number}"), self.get_buffer(f"last_step_{number}")

    def get_extra_state(self) -> Any:
        """The number of steps."""
        return self._steps

    def set_extra_state(self, state: Any) -> None:
        """Go on after so many steps."""
        self._steps = int(state)
