"""The benchmark: what must be fast, each claim a ratio with a bar; see :mod:`spadam.bench.case` for the words.

A case is added in the file of its group, a group here.
"""

from spadam.bench import epochs, memory, optimizers, peers, training, workers
from spadam.bench.case import Case, Measured, NotRun, Row, Settings
from spadam.bench.running import choose, run
from spadam.bench.timing import FULL, QUICK, Effort

CASES: tuple[Case, ...] = (
    *training.CASES,
    *peers.CASES,
    *optimizers.CASES,
    *epochs.CASES,
    *workers.CASES,
    *memory.CASES,
)
"""Every case, in the order in which they are run and shown."""

__all__ = ["CASES", "FULL", "QUICK", "Case", "Effort", "Measured", "NotRun", "Row", "Settings", "choose", "run"]
