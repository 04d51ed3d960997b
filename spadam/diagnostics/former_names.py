"""What metrics were called once: results, checkpoints and sweeps hold the old names, and are read under those of today.

It imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FORMER: Mapping[str, str] = {
    # The window was 100,000 samples, always; it is a key of the configuration now, and that is its default.
    "sparsity/dead_1e5": "sparsity/silent",
}
"""The names of today by the old ones."""


def present(name: str) -> str:
    """What the metric that is, or was, called ``name`` is called."""
    return FORMER.get(name, name)


def renamed(row: dict[str, Any]) -> dict[str, Any]:
    """Metrics by name, with whatever stands among them, under the names of today; ``row`` itself where it has these."""
    return row if FORMER.keys().isdisjoint(row) else {present(name): value for name, value in row.items()}
