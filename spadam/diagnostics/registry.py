"""The registry of diagnostics. It stands beside the package's ``__init__``, so that the names of metrics, which every
check of a configuration needs, are known without torch.
"""

from __future__ import annotations

from spadam.diagnostics.clipping import Clipping
from spadam.diagnostics.diagnostic import Diagnostic
from spadam.diagnostics.loss_stream import LossStream
from spadam.diagnostics.online_accuracy import OnlineAccuracy
from spadam.diagnostics.row_usage import RowUsages
from spadam.diagnostics.step_times import StepTimes
from spadam.diagnostics.topk_search import TopKSearch
from spadam.diagnostics.weight_updates import WeightUpdates

DIAGNOSTICS: tuple[type[Diagnostic], ...] = (
    LossStream,
    OnlineAccuracy,
    TopKSearch,
    WeightUpdates,
    Clipping,
    RowUsages,
    StepTimes,
)
"""Its members, in the order of their metrics in a row. The name of a class is its key in checkpoints."""
