"""Lazy Adam with a clock for each row."""

from typing import final

from spadam.optim.rows.adam_family import AdamFamily
from spadam.optim.specs.row_clock_adam import RowClockAdamSpec


@final
class RowClockAdam(AdamFamily):
    r"""Every row is a little Adam of its own: FBGEMM's Adam with row-wise bias correction.

    It is DGL's SparseAdam as well where no row comes twice in a gradient.

    Moments and weights change in touched rows only, and bias correction counts a row's own updates: the first of them
    moves it by lr, whenever it comes. For tables whose rows are touched at very different rates. It is *not* LazyAdam
    with another default: see there for what a global clock does to late rows.

    .. math::
        m &= β_1 m + (1-β_1) g \qquad v = β_2 v + (1-β_2) g^2 \qquad c = c + 1 \qquad \text{in touched rows} \\
        w &= w - α \frac{m / (1-β_1^c)}{\sqrt{v / (1-β_2^c)} + ε}

    ``lr`` α, ``betas`` (β1, β2), ``eps`` ε, c the updates of the row (state "row_step"). Epsilon is added to √v̂, after
    bias correction (`after`); ``epsilon="hat"`` moves it to √v.

    Reference: FBGEMM ``EmbOptimType.ADAM`` with ``use_rowwise_bias_correction``; ``dgl.optim.SparseAdam``, which
    averages the entries of a row where this sums them: with duplicates it is :class:`ActiveAdam`, up to epsilon.

    >>> import torch
    >>> table = torch.nn.Embedding(10, 4, sparse=True)
    >>> optimizer = RowClockAdam(table.parameters(), lr=1e-3)
    >>> table(torch.tensor([3, 5, 3])).sum().backward()
    >>> optimizer.step()
    >>> optimizer.touched(table.weight)
    tensor([3, 5])
    """

    point = RowClockAdamSpec.point
