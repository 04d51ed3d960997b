"""How a configuration describes TFSparseAdam."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from typing_extensions import override

from spadam.optim.specs.adam_family import ENTERS, AdamFamilySpec, Epsilon, Point

if TYPE_CHECKING:
    from spadam.optim.tf_sparse_adam import TFSparseAdam


class TFSparseAdamSpec(AdamFamilySpec):
    """TF1 Adam on IndexedSlices: called sparse, equal to dense Adam; untouched rows decay and move."""

    point: ClassVar[Point] = Point(
        moments="decay", weights="move", clock="global", epsilon="hat", second="element", sample="batch"
    )
    moves_untouched: ClassVar[bool] = True
    epsilon_enters: ClassVar[str] = ENTERS["hat"]

    name: Literal["tf_sparse_adam"] = "tf_sparse_adam"
    epsilon: Epsilon = "hat"

    @classmethod
    @override
    def algorithm(cls) -> type[TFSparseAdam]:
        from spadam.optim.tf_sparse_adam import TFSparseAdam

        return TFSparseAdam
