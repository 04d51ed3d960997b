"""Adam on the touched rows only."""

from typing import final

from spadam.optim.rows.adam_family import AdamFamily
from spadam.optim.specs.lazy_adam import LazyAdamSpec


@final
class LazyAdam(AdamFamily):
    r"""TensorFlow's LazyAdam and torch.optim.SparseAdam: the same algorithm.

    Moments and weights change in touched rows only; the clock of bias correction is everybody's. For embeddings and
    sparse autoencoders of which a step touches few rows. It is *not* Adam on each row's own samples: the clock runs on
    without the row, so with the default betas a row first touched after s silent steps moves 3.16 lr √(1-β2ˢ) at once
    and peaks near twice that; :class:`RowClockAdam` has a clock for each row.

    .. math::
        m &= β_1 m + (1-β_1) g \qquad v = β_2 v + (1-β_2) g^2 \qquad \text{in touched rows} \\
        w &= w - α \frac{\sqrt{1-β_2^t}}{1-β_1^t} \frac{m}{\sqrt v + ε}

    ``lr`` α, ``betas`` (β1, β2), ``eps`` ε, t the steps of the parameter. Epsilon is added to √v before bias correction
    (`hat`); ``epsilon="after"`` gives :math:`\hat m/(\sqrt{\hat v} + ε)`.

    Reference: ``tfa.optimizers.LazyAdam`` (eps 1e-7 there) and ``torch.optim.SparseAdam``.

    >>> import torch
    >>> table = torch.nn.Embedding(10, 4, sparse=True)
    >>> optimizer = LazyAdam(table.parameters(), lr=1e-3)
    >>> table(torch.tensor([3, 5, 3])).sum().backward()
    >>> optimizer.step()
    >>> optimizer.touched(table.weight)
    tensor([3, 5])
    """

    point = LazyAdamSpec.point
