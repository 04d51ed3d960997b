"""Optimizers: the union of specs below is the registry.

The classes are ordinary ``torch.optim.Optimizer``; the specs describe them in a configuration and build them. Ours are
two files each: ``specs/lazy_adam.py`` is what a configuration says, and imports no torch, so that checking a file or
listing what there is takes no seconds; ``lazy_adam.py`` is the algorithm, with its equations. One file with both, torch
imported at its top, works as well: its spec's name in the union is all it needs. The classes are imported when they are
asked for.
"""

import importlib
from typing import TYPE_CHECKING, Annotated, Any, get_args

from pydantic import Field

from spadam.optim.scaled_lr import ScaledLr
from spadam.optim.schedule import ScheduleSpec
from spadam.optim.spec import BaseOptimizerSpec
from spadam.optim.specs.active_adam import ActiveAdamSpec
from spadam.optim.specs.adagrad import AdagradSpec
from spadam.optim.specs.custom import CustomSpec
from spadam.optim.specs.ema import EmaSpec
from spadam.optim.specs.lazy_adam import LazyAdamSpec
from spadam.optim.specs.masked_adam import MaskedAdamSpec
from spadam.optim.specs.native import AdamSpec, AdamWSpec, SGDSpec
from spadam.optim.specs.rmsprop import RMSpropSpec
from spadam.optim.specs.row_clock_adam import RowClockAdamSpec
from spadam.optim.specs.rowwise_adagrad import RowwiseAdagradSpec
from spadam.optim.specs.rowwise_adam import RowwiseAdamSpec
from spadam.optim.specs.schedule_free import ScheduleFreeSpec
from spadam.optim.specs.selective_adam import SelectiveAdamSpec
from spadam.optim.specs.sign_sgd import SignSGDSpec
from spadam.optim.specs.signum import SignumSpec
from spadam.optim.specs.tf_sparse_adam import TFSparseAdamSpec

if TYPE_CHECKING:
    from spadam.optim.active_adam import ActiveAdam
    from spadam.optim.adagrad import Adagrad
    from spadam.optim.inspection import View, view
    from spadam.optim.lazy_adam import LazyAdam
    from spadam.optim.masked_adam import MaskedAdam
    from spadam.optim.rmsprop import RMSprop
    from spadam.optim.row_clock_adam import RowClockAdam
    from spadam.optim.rows.count_rows import count_rows
    from spadam.optim.rows.optimizer import RowOptimizer
    from spadam.optim.rows.touched import RowSamples
    from spadam.optim.rowwise_adagrad import RowwiseAdagrad
    from spadam.optim.rowwise_adam import RowwiseAdam
    from spadam.optim.schedule_free import ScheduleFree
    from spadam.optim.selective_adam import SelectiveAdam
    from spadam.optim.sign_sgd import SignSGD
    from spadam.optim.signum import Signum
    from spadam.optim.tf_sparse_adam import TFSparseAdam

_Plain = (
    AdamSpec
    | TFSparseAdamSpec
    | MaskedAdamSpec
    | LazyAdamSpec
    | RowClockAdamSpec
    | SelectiveAdamSpec
    | RowwiseAdamSpec
    | ActiveAdamSpec
    | AdagradSpec
    | RowwiseAdagradSpec
    | SignSGDSpec
    | SignumSpec
    | SGDSpec
    | RMSpropSpec
    | AdamWSpec
    | CustomSpec
)
"""What is wrapped around no other."""

OptimizerSpec = Annotated[_Plain | ScheduleFreeSpec, Field(discriminator="name")]
ScheduleFreeSpec.model_rebuild(_types_namespace={"Inner": Annotated[_Plain, Field(discriminator="name")]})

OPTIMIZERS: tuple[type[BaseOptimizerSpec], ...] = get_args(get_args(OptimizerSpec)[0])
"""Every member of the registry."""

_NEEDS_TORCH = {
    "ActiveAdam": "active_adam",
    "Adagrad": "adagrad",
    "LazyAdam": "lazy_adam",
    "MaskedAdam": "masked_adam",
    "RMSprop": "rmsprop",
    "RowClockAdam": "row_clock_adam",
    "RowOptimizer": "rows.optimizer",
    "RowSamples": "rows.touched",
    "RowwiseAdagrad": "rowwise_adagrad",
    "RowwiseAdam": "rowwise_adam",
    "ScheduleFree": "schedule_free",
    "SelectiveAdam": "selective_adam",
    "SignSGD": "sign_sgd",
    "Signum": "signum",
    "TFSparseAdam": "tf_sparse_adam",
    "View": "inspection",
    "count_rows": "rows.count_rows",
    "view": "inspection",
}
"""Where each name is that is imported when it is asked for."""


def __getattr__(name: str) -> Any:
    if name not in _NEEDS_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(importlib.import_module(f"{__name__}.{_NEEDS_TORCH[name]}"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_NEEDS_TORCH})


__all__ = [
    "OPTIMIZERS",
    "ActiveAdam",
    "ActiveAdamSpec",
    "Adagrad",
    "AdagradSpec",
    "AdamSpec",
    "AdamWSpec",
    "BaseOptimizerSpec",
    "CustomSpec",
    "EmaSpec",
    "LazyAdam",
    "LazyAdamSpec",
    "MaskedAdam",
    "MaskedAdamSpec",
    "OptimizerSpec",
    "RMSprop",
    "RMSpropSpec",
    "RowClockAdam",
    "RowClockAdamSpec",
    "RowOptimizer",
    "RowSamples",
    "RowwiseAdagrad",
    "RowwiseAdagradSpec",
    "RowwiseAdam",
    "RowwiseAdamSpec",
    "SGDSpec",
    "ScaledLr",
    "ScheduleFree",
    "ScheduleFreeSpec",
    "ScheduleSpec",
    "SelectiveAdam",
    "SelectiveAdamSpec",
    "SignSGD",
    "SignSGDSpec",
    "Signum",
    "SignumSpec",
    "TFSparseAdam",
    "TFSparseAdamSpec",
    "View",
    "count_rows",
    "view",
]
