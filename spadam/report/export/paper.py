"""What a figure looks like away from the page: the colours of its daylight, and a font that has a name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

FONT = "Helvetica, Arial, Liberation Sans, sans-serif"
"""On the page it is that of the reader's system."""

_NAMED = re.compile(r"var\((--[a-z0-9]+)\)")


@cache
def colours() -> dict[str, str]:
    """Every colour of page.css by the name of its variable, as it is by day."""
    day = files("spadam.report").joinpath("page.css").read_text(encoding="utf-8").partition("@media")[0]
    return dict(re.findall(r"(--[a-z0-9]+): (#[0-9a-f]+);", day))


def on_paper(value: Any) -> Any:
    """Part of a figure, with colours in place of the names of variables, and :data:`FONT` in place of `inherit`."""
    match value:
        case str():
            return FONT if value == "inherit" else _NAMED.sub(lambda named: colours()[named[1]], value)
        case Mapping():
            return {key: on_paper(inner) for key, inner in value.items()}
        case list() | tuple():
            return [on_paper(inner) for inner in value]
        case _:
            return value
