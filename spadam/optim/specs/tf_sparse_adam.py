"""How a configuration describes TFSparseAdam."""

from __future__ import annotations

from typing import ClassVar, Literal

from spadam.optim.specs.adam_family import ENTERS, AdamFamilySpec, Epsilon, Point


class TFSparseAdamSpec(AdamFamilySpec):
    """TF1 Adam on IndexedSlices: called sparse, equal to dense Adam; untouched rows decay and move."""

    point: ClassVar[Point] = Point(
        moments="decay", weights="move", clock="global", epsilon="hat", second="element", sample="batch"
    )
    moves_untouched: ClassVar[bool] = True
    algorithm: ClassVar[str] = "spadam.optim.tf_sparse_adam.TFSparseAdam"
    epsilon_enters: ClassVar[str] = ENTERS["hat"]

    name: Literal["tf_sparse_adam"] = "tf_sparse_adam"
    epsilon: Epsilon = "hat"
