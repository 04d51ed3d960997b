"""How an axis is laid out: its range, its ticks, linear or logarithmic."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

_MOST_TICKS = 6
_WORST = 1e3
"""What is so many times worse than the best is drawn at the edge: a longer axis would show nothing else."""
_LOGARITHMIC = 4.0
"""So large a ratio of the worst to the best asks for a logarithmic axis."""


class Scale(NamedTuple):
    """One axis that several panels may share."""

    low: float
    high: float
    log: bool

    @classmethod
    def over(cls, values: Iterable[float], *, log: bool | None = None, room: float = 0.05) -> Scale:
        """Around ``values`` with a share of ``room`` at both ends; by itself logarithmic when they span a decade."""
        found = sorted(values) or [0.0, 1.0]
        low, high = found[0], found[-1]
        if log is None:
            log = low > 0 and high / low > 10
        log = log and low > 0
        if log:
            pad = room and max(math.log(high / low) * room, 0.05)
            return cls(low / math.exp(pad), high * math.exp(pad), True)
        pad = (high - low) * room or (abs(high) * 0.05 or 1.0 if low == high else 0.0)
        return cls(low - pad, high + pad, False)

    def at(self, share: float) -> float:
        """The value that lies at ``share`` of the way from low to high."""
        if self.log:
            return math.exp(math.log(self.low) + share * math.log(self.high / self.low))
        return self.low + share * (self.high - self.low)

    def share(self, value: float) -> float:
        """Where ``value`` lies between low (0) and high (1)."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def clip(self, value: float) -> float:
        """``value``, or where it lies beyond the axis a place at that edge."""
        return min(self.at(0.98), max(self.at(0.02), value))

    def axis(self, title: str, **more: Any) -> dict[str, Any]:
        """The axis as plotly has it."""
        ends = [self.low, self.high]
        axis: dict[str, Any] = {
            "type": "log" if self.log else "linear",
            "range": [math.log10(end) for end in ends] if self.log else ends,
            "fixedrange": True,  # a finger on the figure scrolls the page
            "zeroline": False,
            "gridcolor": "var(--grid)",
            "linecolor": "var(--axis)",
            "tickfont": {"color": "var(--muted)"},
            "title": {"text": title, "font": {"color": "var(--muted)", "size": 12}, "standoff": 6},
            "automargin": True,
        }
        if self.log:
            values = ticks(self.low, self.high)
            axis |= {"tickmode": "array", "tickvals": values, "ticktext": [_tick(value) for value in values]}
        else:
            axis |= {"nticks": _MOST_TICKS}
        return axis | more


def ticks(low: float, high: float) -> list[float]:
    """Round values on a logarithmic axis: powers of ten, and 2 and 5 times them, or fewer, where there is room."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    decades = range(first, last + 1)
    inside: list[float] = []
    for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
        finer = [float(f"{step}e{n}") for n in decades for step in steps]
        finer = [value for value in finer if low <= value <= high]
        if inside and len(finer) > _MOST_TICKS:
            break
        inside = finer
        if len(inside) >= _MOST_TICKS // 2:
            break
    if len(inside) < 2:  # less than a factor of two: as on a linear axis
        step = 10.0 ** math.floor(math.log10(high - low))
        step = next(step * n for n in (0.2, 0.5, 1, 2, 5) if (high - low) / (step * n) <= _MOST_TICKS)
        inside = [n * step for n in range(math.ceil(low / step), math.floor(high / step) + 1)]
    return inside[:: math.ceil(len(inside) / _MOST_TICKS)]


def _tick(value: float) -> str:
    exponent = math.floor(math.log10(value) + 1e-9)
    if -3 <= exponent <= 4:
        return f"{value:.10g}"
    lead = round(value / 10.0**exponent, 6)
    power = "10" + str(exponent).translate(_RAISED)
    return power if lead == 1 else f"{lead:g}·{power}"


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def upright(values: Sequence[float], minimize: bool) -> Scale:
    """The axis of an objective, cut off where values are hopeless; those are drawn where :meth:`Scale.clip` says."""
    if minimize and (best := min(values)) > 0:
        values = [value for value in values if value <= _WORST * best]
    # Where much is good, a logarithm would spread out what is bad.
    return Scale.over(values, log=minimize and max(values) > _LOGARITHMIC * min(values) > 0, room=0.08)


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which a ``share`` of ``values`` lies; one of them."""
    found = sorted(values)
    return found[min(len(found) - 1, int(share * len(found)))]
