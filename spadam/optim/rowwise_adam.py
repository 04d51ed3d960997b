"""Lazy Adam with one second moment a row."""

from typing import final

from spadam.optim.rows.adam_family import AdamFamily
from spadam.optim.specs.rowwise_adam import RowwiseAdamSpec


@final
class RowwiseAdam(AdamFamily):
    r"""FBGEMM's partial row-wise Adam, made for very large embedding tables.

    Like :class:`LazyAdam`, but v is one number a row, the mean of the row's squared gradient: half the state, and all
    elements of a row share a step size. It is *not* for 1-D parameters: each of their elements is a row, and nothing is
    shared.

    .. math::
        m &= β_1 m + (1-β_1) g \qquad v = β_2 v + (1-β_2) \tfrac1D \textstyle\sum_d g_d^2 \\
        w &= w - α \frac{m / (1-β_1^t)}{\sqrt{v / (1-β_2^t)} + ε} \qquad \text{in touched rows}

    ``lr`` α, ``betas`` (β1, β2), ``eps`` ε, t the steps of the parameter, D the features. Epsilon is added to the row's
    √v̂, after bias correction (`after`); ``epsilon="hat"`` moves it to √v.

    Reference: FBGEMM ``EmbOptimType.PARTIAL_ROWWISE_ADAM``, without weight decay.

    >>> import torch
    >>> table = torch.nn.Embedding(10, 4, sparse=True)
    >>> optimizer = RowwiseAdam(table.parameters(), lr=1e-3)
    >>> table(torch.tensor([3, 5, 3])).sum().backward()
    >>> optimizer.step()
    >>> optimizer.touched(table.weight)
    tensor([3, 5])
    """

    point = RowwiseAdamSpec.point
