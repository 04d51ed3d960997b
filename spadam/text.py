"""How numbers, intervals, times, sizes and counts are written: in tables, on pages, in messages, each in one way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spadam.statistics.interval import Estimate

NOTHING = "–"
"""Stands where there is no value."""

_LONGEST = 6  # a number of so many digits is no longer read at a glance

_MOST_DECIMALS = 6


def number(value: object, digits: int = 4) -> str:
    """``value`` with so many significant digits, and a dash for None; what is no number as Python writes it.

    >>> number(0.010958), number(2.0e-05, 2), number(12345.6), number(25), number(None)
    ('0.01096', '2e-5', '12350', '25', '–')
    """
    if value is None:
        return NOTHING
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    mantissa, e, exponent = f"{value:.{digits}g}".partition("e")
    if e and 0 < int(exponent) < _LONGEST:
        return f"{float(f'{value:.{digits}g}'):.0f}"
    return f"{mantissa}e{int(exponent)}" if e else mantissa


def interval_text(estimate: Estimate | None, planned: int | None = None) -> str:
    """A mean with its interval and the number of seeds in it, for whoever reads a sweep: in a terminal and on a page.

    The mean has as many decimals as the half of the interval has in two digits. ``planned`` is how many seeds there
    should be; where fewer are in it, it says so. Under :data:`spadam.statistics.interval.ENOUGH` seeds it says that
    these are too few, and one seed has no interval.

    >>> from spadam.statistics.interval import Estimate
    >>> interval_text(Estimate(0.010958, 9.3e-05, 5)), interval_text(Estimate(0.7027, 0.88, 3), planned=3)
    ('0.010958 ± 0.000093 (n 5)', '0.70 ± 0.88 (n 3: too few)')
    >>> interval_text(Estimate(0.25, 0.011, 4), planned=5), interval_text(Estimate(0.25, None, 1)), interval_text(None)
    ('0.250 ± 0.011 (n 4 of 5: too few)', '0.25 (n 1: too few)', '–')
    """
    if estimate is None:
        return NOTHING
    fewer = "" if planned is None or estimate.n >= planned else f" of {planned}"
    return f"{_mean_and_half(estimate)} (n {estimate.n}{fewer}{': too few' if estimate.few else ''})"


def interval(estimate: Estimate | None, planned: int | None = None) -> str:
    """Mean ± half alone; says so when fewer than planned are in it. :func:`interval_text` says how many there are.

    >>> from spadam.statistics.interval import Estimate
    >>> interval(Estimate(0.010958, 9.3e-05, 5)), interval(Estimate(0.25, 0.011, 4), planned=5)
    ('0.010958 ± 0.000093', '0.250 ± 0.011 (4 of 5)')
    """
    if estimate is None:
        return NOTHING
    fewer = "" if planned is None or estimate.n >= planned else f" ({estimate.n} of {planned})"
    return (_mean_and_half(estimate) if estimate.half else number(estimate.mean)) + fewer


def _mean_and_half(estimate: Estimate) -> str:
    if estimate.half is None:
        return number(estimate.mean)
    if estimate.half == 0:
        return f"{number(estimate.mean)} ± 0"
    decimals = 1 - math.floor(math.log10(estimate.half))
    if not 0 <= decimals <= _MOST_DECIMALS:
        return f"{number(estimate.mean)} ± {number(estimate.half, 2)}"
    return f"{estimate.mean:.{decimals}f} ± {estimate.half:.{decimals}f}"


def duration(seconds: float | None) -> str:
    """A time in its two largest units; a question mark for None.

    >>> duration(0.0314), duration(42.3), duration(95), duration(7500), duration(100_000), duration(None)
    ('0.031 s', '42 s', '1 min 35 s', '2 h 5 min', '1 day 4 h', '?')
    """
    if seconds is None:
        return "?"
    if seconds < 9.95:
        return f"{number(seconds, 2)} s"
    if (whole := round(seconds)) < 60:
        return f"{whole} s"
    if seconds < 3599.5:
        return _pair(whole, 60, "min", "s")
    if (minutes := round(seconds / 60)) < 24 * 60:
        return _pair(minutes, 60, "h", "min")
    hours = round(seconds / 3600)
    return _pair(hours, 24, "day" if hours < 48 else "days", "h")


def _pair(small: int, per: int, large_name: str, small_name: str) -> str:
    """``small`` units as so many large ones, with the rest where there is one."""
    large, rest = divmod(small, per)
    return f"{large} {large_name}" + (f" {rest} {small_name}" if rest else "")


def byte_size(size: float) -> str:
    """So many bytes, in the unit that leaves at most three digits before the point.

    >>> byte_size(512), byte_size(4_820_000), byte_size(2e12)
    ('512 B', '4.82 MB', '2 TB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def share(part: float | None) -> str:
    """A share of 1 in per cent; a dash for None and NaN.

    >>> share(0.1234), share(1.0), share(None)
    ('12.3 %', '100.0 %', '–')
    """
    return NOTHING if part is None or math.isnan(part) else f"{100 * part:.1f} %"


def count(many: int, what: str) -> str:
    """``many`` of ``what``, in words.

    >>> count(1, "trial"), count(5, "trial"), count(2, "study")
    ('1 trial', '5 trials', '2 studies')
    """
    plural = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return f"{many} {what if many == 1 else plural}"


def short(key: str, keys: Sequence[str]) -> str:
    """The last part of a dotted ``key`` where that says which of ``keys`` it is.

    >>> short("optimizer.lr", ["optimizer.lr", "model.rule.k"]), short("a.k", ["a.k", "b.k"])
    ('lr', 'a.k')
    """
    last = key.rpartition(".")[2]
    return last if [other.rpartition(".")[2] for other in keys].count(last) <= 1 else key
