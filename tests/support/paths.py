"""Where things are."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
SUPPORT = ROOT / "tests"
"""On the path of a process that imports `support`."""
