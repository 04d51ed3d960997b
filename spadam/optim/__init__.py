"""Optimizers: one file each; the union below is the registry.

The classes are ordinary ``torch.optim.Optimizer``; the specs describe them in a configuration and build them.
"""

from typing import Annotated, get_args

from pydantic import Field

from spadam.optim.active_adam import ActiveAdam, ActiveAdamSpec
from spadam.optim.adagrad import Adagrad, AdagradSpec
from spadam.optim.custom import CustomSpec
from spadam.optim.inspection import View, view
from spadam.optim.lazy_adam import LazyAdam, LazyAdamSpec
from spadam.optim.masked_adam import MaskedAdam, MaskedAdamSpec
from spadam.optim.native import AdamSpec, AdamWSpec, SGDSpec
from spadam.optim.rmsprop import RMSprop, RMSpropSpec
from spadam.optim.row_clock_adam import RowClockAdam, RowClockAdamSpec
from spadam.optim.rows.count_rows import count_rows
from spadam.optim.rows.optimizer import RowOptimizer
from spadam.optim.rows.touched import RowSamples
from spadam.optim.rowwise_adagrad import RowwiseAdagrad, RowwiseAdagradSpec
from spadam.optim.rowwise_adam import RowwiseAdam, RowwiseAdamSpec
from spadam.optim.schedule import Schedule
from spadam.optim.selective_adam import SelectiveAdam, SelectiveAdamSpec
from spadam.optim.signum import Signum, SignumSpec
from spadam.optim.spec import BaseOptimizerSpec
from spadam.optim.tf_sparse_adam import TFSparseAdam, TFSparseAdamSpec

OptimizerSpec = Annotated[
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
    | SignumSpec
    | SGDSpec
    | RMSpropSpec
    | AdamWSpec
    | CustomSpec,
    Field(discriminator="name"),
]

OPTIMIZERS: tuple[type[BaseOptimizerSpec], ...] = get_args(get_args(OptimizerSpec)[0])
"""Every member of the registry."""

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
    "Schedule",
    "SelectiveAdam",
    "SelectiveAdamSpec",
    "Signum",
    "SignumSpec",
    "TFSparseAdam",
    "TFSparseAdamSpec",
    "View",
    "count_rows",
    "view",
]
