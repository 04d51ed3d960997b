r"""The one number that samples are multiplied by, so that an lr or an eps means the same on other data.

====================  =======================================  ==========================================
``data.scale``        after it                                 who does so
====================  =======================================  ==========================================
``none``              samples are as they are
``unit_sq``           :math:`E \lVert x \rVert^2 = 1`          dictionary_learning (its norm factor)
``sqrt_d``            :math:`E \lVert x \rVert = \sqrt{D}`      SAELens (expected_average_only_in)
====================  =======================================  ==========================================

The means are over the training samples. With D features a gradient of the squared error is, to a factor, proportional
to :math:`E \lVert x \rVert^2`: 1, D, or whatever it is.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from spadam.spec import InputError

if TYPE_CHECKING:
    from spadam.data.moments import Moments

Scaling = Literal["none", "unit_sq", "sqrt_d"]


def factor(scaling: Scaling, moments: Moments, of: str = "training samples") -> float:
    """The number for what has these ``moments``, rounded to float32: what multiplies is what is told.

    Raises :class:`InputError` when there is none: all samples are 0, or so small or large that it is none of float32.
    """
    import numpy as np

    squared = {"none": 1.0, "unit_sq": moments.square, "sqrt_d": moments.norm**2 / len(moments.mean_D)}[scaling]
    found = 1 / math.sqrt(squared) if squared > 0 else math.inf
    tiny, huge = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)
    if not tiny <= found <= huge:
        rule = f"the {of} have the mean square {moments.square:g}, which no number scales"
        raise InputError("data.scale", scaling, rule, "set it to none, or look at the samples")
    return float(np.float32(found))
