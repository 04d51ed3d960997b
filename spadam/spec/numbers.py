"""Numbers as people write them, where YAML reads something else."""

from __future__ import annotations

import re

_EXPONENT = r"([eE][+-]?\d+)?"
_NUMBER = re.compile(rf"[+-]?(\d+(\.\d*)?|\.\d+){_EXPONENT}")
_THOUSANDS = re.compile(rf"[+-]?[1-9]\d{{0,2}}(,\d{{3}})+(\.\d*)?{_EXPONENT}")
_DECIMAL_COMMA = re.compile(rf"[+-]?\d+,\d+{_EXPONENT}")


def is_number(text: str) -> bool:
    """Whether ``text`` is a number for YAML, when nothing stands around it."""
    return _NUMBER.fullmatch(text) is not None


def without_comma(text: str) -> str | None:
    """The number that ``text``, written with commas, means; None when it is no such number.

    >>> without_comma("1,000.5"), without_comma("0,001"), without_comma("1,2,3")
    ('1000.5', '0.001', None)
    """
    if _THOUSANDS.fullmatch(text):
        return text.replace(",", "")
    return text.replace(",", ".") if _DECIMAL_COMMA.fullmatch(text) else None
