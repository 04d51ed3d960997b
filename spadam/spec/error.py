"""What a person is told of a wrong input.

A *mistake* is one thing that is wrong. An error tells all the mistakes that one reading has found.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

_LONGEST = 60

MOST_TOLD = 20
"""So many mistakes are told at once: whoever has more has given another file, or made one mistake many times."""


class Written(str):
    """A value as it stands in a file, shown without quotes."""


class InputError(ValueError):
    """Something a person gave is wrong: nothing has been started, and the command ends with exit code 2.

    ``argument`` is what was wrong, ``value`` what it held, ``rule`` what must hold, ``remedy`` what to do about it,
    ``where`` the file and line, if it came from a file. ``others`` are the mistakes found beside this one.
    """

    def __init__(
        self,
        argument: str,
        value: object,
        rule: str,
        remedy: str,
        where: str = "",
        others: Sequence[InputError] = (),
    ) -> None:
        self.argument, self.value, self.rule, self.remedy, self.where = argument, value, rule, remedy, where
        self.others = tuple(others)
        super().__init__("\n".join((f"{self.headline}: {rule}; {remedy}", *map(str, others))))

    def __reduce__(self) -> tuple[type[InputError], tuple[object, ...]]:
        """An error comes out of another process as it went in."""
        return InputError, (self.argument, self.value, self.rule, self.remedy, self.where, self.others)

    @property
    def headline(self) -> str:
        """What is wrong: argument, value, and where it stands."""
        shown = "" if self.value is None else f" = {_short(self.value)}"
        return f"{self.argument}{shown}" + (f" ({self.where})" if self.where else "")

    @property
    def mistakes(self) -> tuple[InputError, ...]:
        """Everything that is wrong, this first."""
        return (self, *self.others)


class Mistakes:
    """What has been found wrong so far, so that all of it can be told at once."""

    def __init__(self) -> None:
        self._found: list[InputError] = []

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, error: InputError) -> None:
        """Note ``error`` and the others that it tells of. What was noted already, at the same place, is left out."""
        for mistake in error.mistakes:
            if len(self._found) > MOST_TOLD:
                return
            if not any(_is_same(mistake, other) for other in self._found):
                self._found.append(mistake)

    def tell(self, order: Callable[[InputError], int] = lambda _: 0) -> None:
        """Raise what was found as one :class:`InputError`, by ``order``; nothing where nothing was."""
        if self._found:
            first, *others = sorted(self._found[:MOST_TOLD], key=order)
            if len(self._found) > MOST_TOLD:
                rule = f"there are more mistakes than these {MOST_TOLD}"
                others.append(InputError("…", None, rule, "mend these first"))
            raise InputError(first.argument, first.value, first.rule, first.remedy, first.where, others) from None


def line_of(error: InputError) -> int:
    """The line of its file that ``error`` tells of; 0 where it tells of none."""
    line = error.where.rpartition(":")[2]
    return int(line) if line.isdecimal() else 0


def _is_same(one: InputError, other: InputError) -> bool:
    """Of one place, one value and one rule: a wrong line of a sweep's base is wrong for every variant."""
    if not line_of(one) and one.argument != other.argument:
        return False
    return (one.where, one.rule, repr(one.value)) == (other.where, other.rule, repr(other.value))


def _short(value: object) -> str:
    text = _written(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "…"


def _written(value: object) -> str:
    """``value`` as a person would write it in YAML, where Python has other words."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case float() if not math.isfinite(value):
            return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
        case str() if not isinstance(value, Written):
            return repr(value)
        case list():
            return f"[{', '.join(map(_written, value[:_LONGEST]))}]"
        case Mapping():
            return f"{{{', '.join(f'{key}: {_written(inner)}' for key, inner in value.items())}}}"
        case _:
            return str(value)
