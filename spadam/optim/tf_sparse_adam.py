"""TensorFlow's Adam on row-sparse gradients, which is dense Adam."""

from typing import final

from spadam.optim.rows.adam_family import AdamFamily
from spadam.optim.specs.tf_sparse_adam import TFSparseAdamSpec


@final
class TFSparseAdam(AdamFamily):
    r"""TensorFlow 1's AdamOptimizer, given row-sparse gradients.

    Every row is updated in every step, a row that was not touched with g = 0: its moments decay and its momentum goes
    on moving it. It is dense Adam (TensorFlow's own sparse and dense paths agree to 1e-16), at the cost of dense Adam;
    "Optimization using Adam on Sparse Tensors" (2019) took the path's name, sparse, for what it does.

    It is *not* a lazy optimizer: for rows that hold still use :class:`MaskedAdam` (moments go on decaying) or
    :class:`LazyAdam` (they do not).

    .. math::
        m &= β_1 m + (1-β_1) g \qquad v = β_2 v + (1-β_2) g^2 \qquad \text{in every row} \\
        w &= w - α \frac{\sqrt{1-β_2^t}}{1-β_1^t} \frac{m}{\sqrt v + ε}

    ``lr`` α, ``betas`` (β1, β2), ``eps`` ε, t the steps of the parameter. Epsilon is added to √v before bias correction
    (`hat`, "epsilon hat" in the paper); ``epsilon="after"`` gives :math:`\hat m/(\sqrt{\hat v} + ε)`, torch's Adam.

    Reference: Kingma and Ba, "Adam", ICLR 2015, end of section 2; ``tf.compat.v1.train.AdamOptimizer``.

    >>> import torch
    >>> table = torch.nn.Embedding(10, 4, sparse=True)
    >>> optimizer = TFSparseAdam(table.parameters(), lr=1e-3)
    >>> table(torch.tensor([3, 5, 3])).sum().backward()
    >>> optimizer.step()
    >>> optimizer.touched(table.weight)
    tensor([3, 5])
    """

    point = TFSparseAdamSpec.point
